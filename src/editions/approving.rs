//! The decision of a named person about an edition that waits.

use crate::model::Timestamp;
use crate::store::{Store, StoreError};

/// Lets a waiting edition go out; gives how many messages, or none where it does not wait.
///
/// # Errors
/// Where the database fails.
pub async fn approve(
    store: &Store,
    edition: i64,
    by: &str,
    now: Timestamp,
) -> Result<Option<u64>, StoreError> {
    let mut tx = store.write().await?;
    let Some(row) = tx.edition(edition).await? else { return Ok(None) };
    tx.hold_cadence(&row.list_id, &row.cadence).await?;
    if !tx.decide_edition(edition, "open", by, now).await? {
        return Ok(None);
    }
    let released = tx.release_waiting(edition).await?;
    tx.end_waiting(&row.list_id, &row.cadence).await?;
    tx.commit().await?;
    Ok(Some(released))
}

/// Refuses a waiting edition. Its entries are dropped, or given back: then each of its
/// subscriptions is told them by the next edition. Gives how many messages, or none where it does
/// not wait.
///
/// # Errors
/// Where the database fails.
pub async fn refuse(
    store: &Store,
    edition: i64,
    give_back: bool,
    by: &str,
    now: Timestamp,
) -> Result<Option<u64>, StoreError> {
    let mut tx = store.write().await?;
    let Some(row) = tx.edition(edition).await? else { return Ok(None) };
    tx.hold_cadence(&row.list_id, &row.cadence).await?;
    if !tx.decide_edition(edition, "refused", by, now).await? {
        return Ok(None);
    }
    let ended = if give_back {
        tx.return_waiting(edition, now).await?
    } else {
        tx.drop_waiting(edition, &format!("refused by {by}"), now).await?
    };
    tx.end_waiting(&row.list_id, &row.cadence).await?;
    tx.commit().await?;
    Ok(Some(ended))
}
