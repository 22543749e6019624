//! Which sources this process polls, so that nobody else does meanwhile.

use super::{FETCH_SECONDS_MAX, FULL_TEXT_SECONDS_MAX};
use crate::model::{SourceId, Timestamp};
use crate::store::{SourceRow, Store, StoreError};

/// How long a source is claimed by whoever polls it, in seconds: what a fetch and the pages of its
/// items take at most, and time to read it and take it in.
pub const CLAIM_SECONDS: i64 = (FETCH_SECONDS_MAX + FULL_TEXT_SECONDS_MAX).cast_signed() + 50;

/// Claims sources that are due, at most so many and one of each host; gives them and until when
/// they are claimed. Whoever knows that more is `expected` saves a look.
///
/// # Errors
/// Where the database fails.
pub async fn claim_due(
    store: &Store,
    room: usize,
    expected: bool,
    now: Timestamp,
) -> Result<(Vec<SourceRow>, Timestamp), StoreError> {
    let until = now.plus(CLAIM_SECONDS);
    if room == 0 {
        return Ok((Vec::new(), until));
    }
    // Nearly always nothing is due: that is seen without waiting for those who write.
    if !expected {
        let next = store.read().await?.next_poll(now).await?;
        if next.is_none_or(|next| next > now) {
            return Ok((Vec::new(), until));
        }
    }
    let mut tx = store.write().await?;
    let room = i64::try_from(room).unwrap_or(i64::MAX);
    let sources = tx.claim_sources(now, until, room).await?;
    tx.commit().await?;
    Ok((sources, until))
}

/// Gives back what was claimed until an instant and not polled.
///
/// # Errors
/// Where the database fails.
pub async fn release(store: &Store, claimed: &[(SourceId, Timestamp)]) -> Result<(), StoreError> {
    let mut tx = store.write().await?;
    for (source, until) in claimed {
        tx.release_source(source, *until).await?;
    }
    tx.commit().await
}
