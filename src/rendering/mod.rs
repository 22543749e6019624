//! The room rendering.
