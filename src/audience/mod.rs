//! Holds subscribers, subscriptions, consent, suppressions and tokens.
//!
//! Personal values stand in one erasable table; everything else names a subscriber by a random id.
//! The room writes its own tables alone, through the store; it never reads the stream and never
//! decides what somebody is told.

mod address;
mod erasing;
mod import;
mod keys;
mod subscriptions;
mod traced;

pub use address::{ADDRESS_OCTETS_MAX, EmailAddress, InvalidAddress, Mailbox, NAME_CHARS_MAX};
pub use erasing::{erase, suppress, unsuppress};
pub use import::{
    COLUMNS, ImportError, ImportReport, ImportSettings, REFUSED_SHOWN_MAX, Refused, import,
};
pub use keys::Keys;
pub use subscriptions::{
    ACTIVE, Consent, ENDED, Joined, Joining, PAUSED, Preferences, join, leave, pause, public_id,
    told_so_far,
};
pub use traced::{TRACED_TEXT_CHARS_MAX, trace_of_person};
