//! From what was taken in to the stream: what is new, and which changes are worth telling again.
//! Held items get entries too, without positions.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use chrono_tz::Tz;

use crate::editions::{self, keep_found, place_of};
use crate::ingest::{NewItem, Revised, TakenIn, is_worth_telling, named_source};
use crate::model::{SourceId, Timestamp};
use crate::store::{
    EntryReason, HoldCause, NewRevision, OfficeEvent, SourceRow, StoreError, TraceSubject, Tx,
};
use crate::topics::{Classification, ItemText, Rules};

/// The most corrections of one answer that are told. More are a site that writes its texts anew.
pub const CORRECTIONS_MAX: usize = 20;

/// What a named person decides about a held item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is told now, with its newest text.
    Release,
    /// It is told to nobody.
    Drop,
}

impl Decision {
    /// How the hold ended, in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Release => "released",
            Self::Drop => "dropped",
        }
    }
}

/// Why nothing was decided.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such item, or it is not held.
    #[error("item {0} is not held")]
    NotHeld(i64),
}

/// Matches what was taken in, and puts into the stream what is to be told, last of all in the
/// transaction. Gives how many corrections there are among it. Of what is held the log has one
/// line, and the admins are told.
///
/// # Errors
/// Where the database fails.
pub async fn tell(
    tx: &mut Tx<'_>,
    rules: &Rules,
    zone: Tz,
    source: &SourceRow,
    taken: &TakenIn,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let (source, place) = (&source.id, place_of(source));
    let found_in = |text: &NewRevision| editions::classify(rules, text, place.as_ref(), zone, now);
    for NewItem { id, text } in &taken.new {
        keep_found(tx, rules, (*id, 1), &found_in(text), now).await?;
    }
    for (NewItem { id, text }, _) in &taken.held {
        keep_found(tx, rules, (*id, 1), &found_in(text), now).await?;
        tx.hold_entry(*id, 1, EntryReason::New, source).await?;
    }
    let today = now.in_zone(zone).date_naive();
    let mut corrections = Vec::new();
    for revised in &taken.revised {
        let Revised { item: NewItem { id, text }, revision, before, returned, .. } = revised;
        keep_found(tx, rules, (*id, *revision), &found_in(text), now).await?;
        let deadlines = deadlines(found_in, revised);
        if !returned && is_worth_telling(before, text, deadlines, today) {
            corrections.push((*id, *revision, source.clone()));
        }
    }
    if corrections.len() > CORRECTIONS_MAX {
        let number = corrections.len();
        tracing::warn!("source {source}: {number} corrections at once are told to nobody");
        corrections.clear();
    }
    corrections = free(tx, corrections).await?;
    say_held(tx, source, taken, now).await?;
    let new: Vec<(i64, i64, SourceId)> =
        taken.new.iter().map(|item| (item.id, 1, source.clone())).collect();
    tx.append_entries(&new, EntryReason::New, now).await?;
    tx.append_entries(&corrections, EntryReason::Correction, now).await?;
    Ok(corrections.len())
}

/// The deadlines before a change and after it. Like is compared with like: a page that was asked
/// for the first time, or not again, says nothing of a change.
fn deadlines(
    found_in: impl Fn(&NewRevision) -> Classification,
    revised: &Revised,
) -> (Option<NaiveDate>, Option<NaiveDate>) {
    let Revised { item: NewItem { text: after, .. }, before, carried, .. } = revised;
    let both = !carried && before.full_text.is_some() && after.full_text.is_some();
    let of = |revision: &NewRevision| {
        let full_text = revision.full_text.clone().filter(|_| both);
        found_in(&NewRevision { full_text, ..revision.clone() }).deadline
    };
    (of(before), of(after))
}

/// The corrections of items that are not held. Those of held items get no position; those of
/// dropped ones nothing.
async fn free(
    tx: &mut Tx<'_>,
    corrections: Vec<(i64, i64, SourceId)>,
) -> Result<Vec<(i64, i64, SourceId)>, StoreError> {
    let mut free = Vec::new();
    for (item, revision, source) in corrections {
        match tx.hold(item).await?.map(|hold| hold.ended) {
            Some(None) => {
                tx.hold_entry(item, revision, EntryReason::Correction, &source).await?;
            }
            Some(Some((_, ended_as, _))) if ended_as == Decision::Drop.as_str() => {}
            _ => free.push((item, revision, source)),
        }
    }
    Ok(free)
}

/// One notice until somebody has decided about what is held: more of it needs no other.
async fn say_held(
    tx: &mut Tx<'_>,
    source: &SourceId,
    taken: &TakenIn,
    now: Timestamp,
) -> Result<(), StoreError> {
    let held = i64::try_from(taken.held.len()).unwrap_or(i64::MAX);
    if held == 0 || tx.count_held(source).await? > held {
        return Ok(());
    }
    let with = |wanted| taken.held.iter().filter(|(_, cause)| *cause == wanted).count();
    let (flood, old) = (with(HoldCause::Flood), with(HoldCause::Old));
    let hint = "`banditore items held` shows them, `items release` and `items drop` decide";
    if flood > 0 {
        tracing::warn!("source {source}: {flood} new items at once are held; {hint}");
    }
    if old > 0 {
        tracing::warn!("source {source}: {old} items with old dates are held; {hint}");
    }
    if let Some(row) = tx.source(source).await? {
        tx.happened(&OfficeEvent::ItemsHeld { source: named_source(&row) }, now).await?;
    }
    Ok(())
}

/// What rules and followed words look at.
impl<'a> From<&'a NewRevision> for ItemText<'a> {
    fn from(revision: &'a NewRevision) -> Self {
        Self {
            title: &revision.title,
            text: revision.full_text.as_deref().unwrap_or(&revision.summary),
            categories: &revision.categories,
            image_alt: &revision.image_alt,
        }
    }
}

/// Releases held items, or drops them, because a named person wants it: all of them or none.
/// A released item gets one entry, of its newest revision.
///
/// # Errors
/// [`DecisionError::NotHeld`] for the first that is not held; then nothing was changed.
pub async fn decide(
    tx: &mut Tx<'_>,
    items: &[i64],
    decision: Decision,
    by: &str,
    now: Timestamp,
) -> Result<(), DecisionError> {
    let mut entries = Vec::new();
    // Whoever decides locks in the same order, whatever the order in which the items are named.
    let mut ordered = BTreeSet::new();
    for item in items {
        let source = tx.hold(*item).await?.ok_or(DecisionError::NotHeld(*item))?.source;
        ordered.insert((source, *item));
    }
    for (source, item) in &ordered {
        // A poll that revises the item meanwhile comes before or after.
        tx.lock_source(source).await?;
        let hold = tx.lock_hold(*item).await?.ok_or(DecisionError::NotHeld(*item))?;
        tx.end_hold(*item, decision.as_str(), by, now).await?;
        tx.forget_held_entries(*item).await?;
        let action = match decision {
            Decision::Release => "item.released",
            Decision::Drop => "item.dropped",
        };
        let id = item.to_string();
        let subject = TraceSubject { kind: "item", id: &id };
        let before = serde_json::json!({"source": hold.source, "held": hold.cause.as_str()});
        let after = serde_json::json!({"as": decision.as_str(), "revision": hold.revision});
        tx.trace(action, subject, Some(before), Some(after), now).await?;
        if decision == Decision::Release {
            entries.push((*item, hold.revision, hold.source));
        }
    }
    tx.append_entries(&entries, EntryReason::New, now).await?;
    Ok(())
}
