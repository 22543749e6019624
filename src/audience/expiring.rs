//! What is forgotten after its time: sign-ups that nobody confirmed, old notices, counters.

use serde_json::json;

use crate::model::Timestamp;
use crate::store::{Store, StoreError, TraceSubject};

use super::limits::DAY_SECONDS;

/// Rows of one kind that one call forgets, so that its transaction stays short.
const ROWS_A_CALL: i64 = 500;
/// For how many days the ledger keeps a notice that has ended.
pub const NOTICE_KEPT_DAYS: i64 = 90;

/// Forgets sign-ups whose time is over, with the subscribers of whom nothing else is known, what
/// notices said that nobody can send again, notices that ended long ago, and counters of past
/// windows; some hundred of each at most. Gives how many rows that were: call it again until there
/// are none.
///
/// # Errors
/// Where the database fails.
pub async fn expire_sign_ups(store: &Store, now: Timestamp) -> Result<u64, StoreError> {
    let mut tx = store.write().await?;
    let (sign_ups, subscribers) = tx.forget_expired_sign_ups(now, ROWS_A_CALL).await?;
    if sign_ups > 0 {
        let after = json!({ "sign_ups": sign_ups, "subscribers": subscribers });
        let subject = TraceSubject { kind: "installation", id: "sign_ups" };
        tx.trace("sign_ups.expired", subject, None, Some(after), now).await?;
    }
    let emptied = tx.empty_notices(now, ROWS_A_CALL).await?;
    let old = now.plus(-NOTICE_KEPT_DAYS * DAY_SECONDS);
    let notices = tx.forget_notices(old, ROWS_A_CALL).await?;
    let counters = tx.forget_hits_before(now.plus(-2 * DAY_SECONDS), ROWS_A_CALL).await?;
    tx.commit().await?;
    Ok(sign_ups + emptied + notices + counters)
}
