//! Decides who gets what, when.
//!
//! The rule of "who gets what" stands in [`wants()`]; [`Planner`] carries it out for groups of
//! subscriptions, in chunks; `compose.rs` puts variants together. The room reads the stream,
//! matches and subscriptions, and writes cadences, editions and new messages. It renders through
//! `rendering` and never speaks SMTP.

mod approving;
mod classified;
mod compose;
mod correcting;
mod due;
mod error;
mod explain;
mod explain_entries;
mod interests;
mod lists;
mod planner;
mod rehearsing;
mod slots;
mod traced;
mod unplaced;
mod wants;
mod window;

pub use approving::{approve, refuse};
pub use classified::{SourcePlaces, classify, corrections_of, keep_found, place_of};
pub use compose::{ENTRIES_MAX, FULL_ENTRIES_MAX, HTML_BYTES_MAX, boundary};
pub use correcting::{correct, correct_with_implied};
pub use error::PlanError;
pub use explain::{Explanation, Verdict, WhyStep, explain};
pub use interests::Interests;
pub use lists::{WantedList, end_list, keep_list};
pub use planner::{
    DIGEST_LIFETIME_SECONDS, IMMEDIATE_A_DAY_MAX, Planner, Planning, SUBSCRIPTIONS_A_CHUNK, Step,
};
pub use slots::{
    GATHERING_SECONDS, InvalidSchedule, Schedule, Slot, day_start, instant, next_midnight,
};
pub use wants::{Candidate, Reason, carries, latest, wants};
pub use window::{Told, Window};
