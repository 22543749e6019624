//! The room delivery.
