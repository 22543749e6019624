//! The promises, one module each. One binary, so that it links once.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing has failed")]

mod acceptance;
mod commands;
mod configuration;
mod dates;
mod demo_servers;
mod fetching;
mod importing;
mod joining;
mod pages;
mod program;
mod rendering;
mod smtp;
mod topics;
