//! Holds subscribers, subscriptions, consent, suppressions and tokens.
//!
//! Personal values stand in one erasable table; everything else names a subscriber by a random id.
//! The room writes its own tables alone, through the store; it never reads the stream and never
//! decides what somebody is told.

mod address;
mod erasing;
mod expiring;
mod import;
mod keys;
mod limits;
mod notices;
mod office;
mod own;
mod sign_up;
mod subscriptions;
mod traced;

pub use address::{ADDRESS_OCTETS_MAX, EmailAddress, InvalidAddress, Mailbox, NAME_CHARS_MAX};
pub use erasing::{erase, suppress, unsuppress};
pub use expiring::{NOTICE_KEPT_DAYS, expire_sign_ups};
pub use import::{
    COLUMNS, ImportError, ImportReport, ImportSettings, REFUSED_SHOWN_MAX, Refused, import,
};
pub use keys::Keys;
pub use limits::{
    CHANGES_A_NETWORK_AN_HOUR_MAX, CHANGES_A_SUBSCRIBER_A_DAY_MAX, FORMS_A_NETWORK_AN_HOUR_MAX,
    FORMS_A_REGION_AN_HOUR_MAX, FORMS_AN_HOUR_MAX, MAILS_AN_ADDRESS_A_DAY_MAX, Origin,
};
pub use notices::{
    AskError, Asked, Draft, DraftError, Drafting, PREFERENCES_LINK_HOURS, Reception, SIGN_UP_DAYS,
};
pub use office::{
    OFFICE_BREAK_SECONDS, OFFICE_EVENTS_MAX, OFFICE_GATHERING_SECONDS, OFFICE_NOTICE_DAYS,
    OFFICE_TITLES_MAX, OfficeNews, office_due, tell_office,
};
pub use own::{Granted, Opened, Own, Wish};
pub use sign_up::{Confirmation, SignUp, asked_for, consent_text, default_cadence};
pub use subscriptions::{
    ACTIVE, Consent, ENDED, Joined, Joining, PAUSED, Preferences, join, leave, pause, public_id,
    told_so_far,
};
pub use traced::{TRACED_TEXT_CHARS_MAX, trace_of_person};
