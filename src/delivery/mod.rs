//! The outbox, and the only room that knows SMTP.
//!
//! A message walks through the states of [`MessageState`](crate::store::MessageState). A worker
//! claims it and begins an attempt; before the content is sent, that it begins is on record; what
//! the relay said is recorded after. Killed in between, the record tells what is not sent, and what
//! nobody can know. The room reads editions and their fragments, and writes messages, attempts and
//! workers.

mod archive;
mod deciding;
pub mod dkim;
pub mod dns;
mod domains;
mod drafts;
mod dry_run;
mod lease;
mod ledger;
mod line;
mod parcels;
mod places;
mod policy;
mod recorder;
mod relays;
mod run;
pub mod smtp;
mod worker;

pub use archive::{
    ARCHIVE_AGE_SECONDS_MIN, ARCHIVED_ROWS_A_TRANSACTION, Archivable, Archive, ArchiveError,
    ArchiveReport, ArchivedEdition,
};
pub use deciding::{Decision, DecisionError, decide};
pub use domains::DomainLimits;
pub use drafts::Drafts;
pub use dry_run::{DRY_RUN_MESSAGES_DEFAULT, DRY_RUN_MESSAGES_MAX, DryMail, DryRun};
pub use ledger::{Audit, EditionSums, NamedDoubt, NoticeSums, audit};
pub use parcels::{Body, Own, Parcels, by_id, message_id, notice_message_id, put_together};
pub use policy::{RETRY_SECONDS_FIRST, RETRY_SECONDS_MAX};
pub use relays::Relays;
pub use run::{Beat, Delivered, Delivery, Run, STOP_SECONDS_MAX, Totals, Until};

use crate::audience::InvalidAddress;
use crate::store::StoreError;

/// Why delivering stopped. What was recorded stays; the next run goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The database failed, or another process delivers from it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A variant is not there, or not whole.
    #[error("variant {variant} is not there as a whole")]
    NoVariant {
        /// Which.
        variant: i64,
    },
    /// A notice is not there.
    #[error("notice {notice} is not there")]
    NoNotice {
        /// Which.
        notice: i64,
    },
    /// The list's sender is no address any more.
    #[error("the sender of a list cannot be used")]
    Sender(#[source] InvalidAddress),
    /// Outcomes could not be recorded any more.
    #[error("outcomes could not be recorded")]
    Recorder,
}
