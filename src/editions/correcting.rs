//! What a named person says of an item: it is about a topic, or is not; it matters in a place, or
//! does not.

use serde_json::json;

use super::classified::corrections_of;
use crate::model::Timestamp;
use crate::store::{NewCorrection, StoreError, TraceSubject, Tx};
use crate::topics::CorrectionSubject;

/// Keeps a correction, which wins over the rules for all revisions of the item, in the editions
/// that are opened from now on. What a person has said already is not said again; gives whether
/// anything was kept.
///
/// # Errors
/// Where the database fails.
pub async fn correct(
    tx: &mut Tx<'_>,
    item: i64,
    subject: &CorrectionSubject,
    is: bool,
    by: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    tx.lock_corrections().await?;
    let known = corrections_of(&tx.corrections_of_item(item, None).await?);
    let before = known.iter().rfind(|said| said.subject == *subject).map(|said| said.is);
    if before == Some(is) {
        return Ok(false);
    }
    let (kind, id) = match subject {
        CorrectionSubject::Topic(id) => ("topic", id.as_str()),
        CorrectionSubject::Place(id) => ("place", id.as_str()),
    };
    let new = NewCorrection { item, kind, subject: id, is, by };
    tx.correct_item(&new, now).await?;
    let named = item.to_string();
    let before = before.map(|is| json!({ "is": is }));
    let after = json!({ kind: id, "is": is });
    let subject = TraceSubject { kind: "item", id: &named };
    tx.trace("item.corrected", subject, before, Some(after), now).await?;
    Ok(true)
}
