//! What a named person says of an item: it is about a topic, or is not; it matters in a place, or
//! does not.

use serde_json::json;

use super::classified::corrections_of;
use crate::model::Timestamp;
use crate::store::{NewCorrection, StoreError, TraceSubject, Tx};
use crate::topics::{CorrectionSubject, Rules};

/// Keeps what a person says of an item, and what follows from it: an item that is about a topic is
/// about those that contain it too. What was said of one of these before stays as it was said, and
/// an item that is not about a topic may be about those that contain it all the same. Gives what
/// was kept, in order; nothing where the person's own word was said already.
///
/// Kept like this rather than reckoned when an edition is planned, it stays what was said when the
/// rules change.
///
/// # Errors
/// Where the database fails.
pub async fn correct_with_implied(
    tx: &mut Tx<'_>,
    rules: &Rules,
    item: i64,
    subject: &CorrectionSubject,
    is: bool,
    by: &str,
    now: Timestamp,
) -> Result<Vec<CorrectionSubject>, StoreError> {
    if !correct(tx, item, subject, is, by, now).await? {
        return Ok(Vec::new());
    }
    let mut kept = vec![subject.clone()];
    let CorrectionSubject::Topic(topic) = subject else { return Ok(kept) };
    let implied = if is { rules.implied_by(topic) } else { Vec::new() };
    let said = corrections_of(&tx.corrections_of_item(item, None).await?);
    for implied in implied.into_iter().cloned().map(CorrectionSubject::Topic) {
        if said.iter().all(|said| said.subject != implied) {
            correct(tx, item, &implied, true, by, now).await?;
            kept.push(implied);
        }
    }
    Ok(kept)
}

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
