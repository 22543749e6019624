//! The decision of a named person about an edition that waits.

use serde::Serialize;

use crate::model::Timestamp;
use crate::store::{Store, StoreError, TraceSubject, Tx};

/// The decision as the trace has it.
#[derive(Serialize)]
struct TracedDecision<'a> {
    state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<u64>,
    /// Whether the next edition tells what this one did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    returned: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
}

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
    let (messages, by) = (Some(released), Some(by));
    let after = TracedDecision { state: "open", messages, returned: None, by };
    trace(&mut tx, "edition.approved", edition, after, now).await?;
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
    let (messages, returned, by) = (Some(ended), Some(give_back), Some(by));
    let after = TracedDecision { state: "refused", messages, returned, by };
    trace(&mut tx, "edition.refused", edition, after, now).await?;
    tx.commit().await?;
    Ok(Some(ended))
}

async fn trace(
    tx: &mut Tx<'_>,
    action: &str,
    edition: i64,
    after: TracedDecision<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let before = TracedDecision { state: "waiting", messages: None, returned: None, by: None };
    let (before, after) = (serde_json::json!(before), serde_json::json!(after));
    let subject = TraceSubject { kind: "edition", id: &edition.to_string() };
    tx.trace(action, subject, Some(before), Some(after), now).await
}
