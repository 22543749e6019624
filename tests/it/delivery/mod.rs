//! Delivery, against real SMTP servers on loopback: told once, never silently lost, doubt named.

pub mod sink;
pub mod support;
