//! Banditore, the town crier: it reads a public body's news, finds out what each item is about and
//! where, and tells exactly the people who asked, by mail, once, with the reason why.
//!
//! The map, in the order in which an item walks through the rooms (`ARCHITECTURE.md` says more):
//!
//! - [`ingest`] fetches and reads sources into items. It alone knows feeds, pages and HTTP.
//! - [`topics`] decides what an item is about and where it matters, and keeps the evidence.
//! - [`telling`] puts into the stream what is to be told; [`editions`] decides who gets what, when.
//! - [`rendering`] makes bytes. It never touches the database.
//! - [`delivery`] is the outbox and the only room that knows SMTP.
//! - [`returns`] reads what comes back: bounces, complaints, automatic replies, receipts.
//! - [`audience`] holds subscribers, subscriptions, consent, suppressions and tokens.
//! - [`store`] is beneath: statements and transactions. Nothing above it knows which database.
//! - [`installation`] opens what a configuration names, [`round`] lets the rooms work once, and
//!   [`daemon`] lets them work on and on.
//! - [`web`], [`cli`] and [`demo`] stand on top and hold no rules of their own.
//! - [`model`] has the words that all rooms share, [`clock`] the time, [`config`] the settings,
//!   [`pause`] how long to wait after a failure.

pub mod audience;
mod causes;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod delivery;
pub mod demo;
pub mod editions;
pub mod ingest;
pub mod installation;
pub mod pause;
pub mod rendering;
pub mod returns;
pub mod round;
pub mod store;
pub mod telling;
pub mod web;

pub use banditore_model as model;
pub use banditore_topics as topics;
