//! The room audience.
