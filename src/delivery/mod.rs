//! The room delivery.

pub mod smtp;
