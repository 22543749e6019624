//! The promises, one module each. One binary, so that it links once.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing has failed")]

mod acceptance;
mod albo;
mod chaos;
mod commands;
mod composing;
mod configuration;
mod daemon;
mod dates;
mod delivery;
mod demo;
mod demo_servers;
mod explaining;
mod feeds;
mod feeds_hostile;
mod feeds_mended;
mod fetching;
mod histories;
mod identity;
mod importing;
mod joining;
mod kills;
mod moving;
mod naive;
mod notices;
mod office;
mod opml;
mod pages;
mod pages_found;
mod pages_full_text;
mod places;
mod politeness;
mod program;
mod rendering;
mod replaying;
mod rivals;
mod signing_up;
mod slots;
mod smtp;
mod store;
mod support;
mod tidy;
mod topics;
mod tracing;
