//! The room web.
