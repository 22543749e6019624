//! The room editions.
