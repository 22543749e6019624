//! The promises, one module each. One binary, so that it links once.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing has failed")]

mod acceptance;
mod commands;
mod composing;
mod configuration;
mod dates;
mod demo;
mod delivery;
mod demo_servers;
mod explaining;
mod feeds;
mod fetching;
mod importing;
mod joining;
mod histories;
mod naive;
mod kills;
mod pages;
mod places;
mod program;
mod rendering;
mod slots;
mod smtp;
mod tidy;
mod store;
mod support;
mod topics;
