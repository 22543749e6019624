//! The room topics.
