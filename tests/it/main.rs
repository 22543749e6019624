//! The promises, one module each. One binary, so that it links once.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing has failed")]

mod dates;
mod delivery;
mod demo_servers;
mod fetching;
mod kills;
mod pages;
mod rendering;
mod smtp;
mod topics;
