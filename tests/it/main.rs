//! The promises, one module each. One binary, so that it links once.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing has failed")]

mod acceptance;
mod commands;
mod composing;
mod configuration;
mod dates;
mod demo;
mod demo_servers;
mod feeds;
mod fetching;
mod importing;
mod joining;
mod pages;
mod places;
mod program;
mod rendering;
mod smtp;
mod tidy;
mod topics;
