//! Decides who gets what, when.
//!
//! The rules of "who gets what" stand in [`wants`] and are carried out by the planner. The room
//! reads items, matches and subscriptions, and writes the stream, cadences, editions and messages
//! that are new. It renders through `rendering` and never speaks SMTP.

mod slots;

pub use slots::{GATHERING_SECONDS, InvalidSchedule, Schedule, Slot, day_start, next_midnight};
