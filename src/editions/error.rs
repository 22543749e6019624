//! Why an edition could not be planned.

use crate::audience::InvalidAddress;
use crate::rendering::mime::HeaderError;
use crate::rendering::{ClosingError, TemplateError};
use crate::store::StoreError;

use super::InvalidSchedule;

/// Why an edition could not be planned. What was decided before stays; planning goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A template failed.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The way to leave could not be made.
    #[error(transparent)]
    Closing(#[from] ClosingError),
    /// A header field could not be made.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The list's sender is no address any more.
    #[error("the sender of the list cannot be used")]
    Sender(#[from] InvalidAddress),
    /// A cadence's schedule cannot be read any more.
    #[error("the schedule of the cadence cannot be used")]
    Schedule(#[from] InvalidSchedule),
    /// Rows that must be there are not.
    #[error("the database has no {what}")]
    Missing {
        /// What should be there.
        what: String,
    },
    /// A chunk wrote another number of messages than its groups have; it was undone.
    #[error("edition {edition}: {written} messages written where {expected} were decided")]
    Unbalanced {
        /// The edition.
        edition: i64,
        /// What the groups add up to.
        expected: i64,
        /// What the database wrote.
        written: i64,
    },
}

/// A number of rows as it must be.
pub(super) fn balanced(edition: i64, expected: i64, written: u64) -> Result<i64, PlanError> {
    let written = i64::try_from(written).unwrap_or(i64::MAX);
    if written == expected {
        return Ok(written);
    }
    Err(PlanError::Unbalanced { edition, expected, written })
}
