//! What the trace says of people: the forms of its lines, without a personal value in any.
//! `docs/trace.md` explains them.

use serde::Serialize;
use serde_json::Value as Json;

use crate::model::{CadenceId, Language, ListId, PlaceId, Timestamp, TopicId};
use crate::store::{Profile, StoreError, StoredSubscription, TraceRow, TraceSubject, Tx};

use super::public_id;

/// The most characters of a free text that the trace keeps.
pub const TRACED_TEXT_CHARS_MAX: usize = 300;
/// What stands for an address in a free text.
const MASKED: &str = "…@…";

/// How a subscription was, or is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct TracedSubscription {
    /// Its person, by the random id.
    subscriber: String,
    list: ListId,
    cadence: CadenceId,
    state: String,
    language: Language,
    /// None stands for all.
    topics: Vec<TopicId>,
    /// None stands for the whole area.
    places: Vec<PlaceId>,
    /// How many words or phrases are followed; never which.
    words: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    consent: Option<TracedConsent>,
}

/// How somebody agreed; the proof stands with the subscription, where it can be erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct TracedConsent {
    pub way: String,
    pub text_version: Option<String>,
}

/// Whether a name is known; never which.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct TracedName {
    pub named: bool,
}

/// That an address must not be written to.
#[derive(Clone, Debug, Serialize)]
pub(super) struct TracedSuppression {
    pub cause: String,
}

/// Why an address may be written to again. It stands nowhere else.
#[derive(Clone, Debug, Serialize)]
pub(super) struct TracedReason {
    pub reason: String,
}

/// What erasing a person came to.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct TracedErasing {
    pub erased: bool,
    pub subscriptions: usize,
}

/// An import that changed something.
#[derive(Clone, Debug, Serialize)]
pub(super) struct TracedImport {
    pub file_sha256: String,
    pub rows: u64,
    pub imported: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub refused: u64,
    pub consent: String,
}

impl TracedSubscription {
    pub(super) fn new(held: &StoredSubscription, profile: Profile, words: usize) -> Self {
        Self {
            subscriber: public_id(held.subscriber),
            list: held.list.clone(),
            cadence: held.cadence.clone(),
            state: held.state.clone(),
            language: profile.language,
            topics: profile.topics,
            places: profile.places,
            words,
            consent: None,
        }
    }

    /// A stored subscription with the number of words that it follows.
    pub(super) async fn of(
        tx: &mut Tx<'_>,
        held: &StoredSubscription,
        words: usize,
    ) -> Result<Self, StoreError> {
        let profile = tx.profile(held.profile).await?.ok_or_else(|| StoreError::Unreadable {
            what: "profile of a subscription",
            text: held.profile.to_string(),
        })?;
        Ok(Self::new(held, profile, words))
    }

    pub(super) fn agreed(self, consent: TracedConsent) -> Self {
        Self { consent: Some(consent), ..self }
    }
}

/// Adds a line about a subscription.
pub(super) async fn trace_subscription(
    tx: &mut Tx<'_>,
    action: &str,
    id: i64,
    before: Option<TracedSubscription>,
    after: Option<TracedSubscription>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let id = public_id(id);
    let subject = TraceSubject { kind: "subscription", id: &id };
    tx.trace(action, subject, before.map(form), after.map(form), now).await
}

/// Adds a line about a subscriber.
pub(super) async fn trace_subscriber(
    tx: &mut Tx<'_>,
    action: &str,
    id: i64,
    (before, after): (Option<Json>, Option<Json>),
    now: Timestamp,
) -> Result<(), StoreError> {
    let id = public_id(id);
    tx.trace(action, TraceSubject { kind: "subscriber", id: &id }, before, after, now).await
}

/// The newest lines about whoever has an address, given by its keyed hash, at most `limit`, the
/// newest first: about the address, the person, and each of their subscriptions. Of somebody who
/// was erased nothing tells which lines were about them, and only those of the address are left.
///
/// # Errors
/// Where the database fails.
pub async fn trace_of_person(
    tx: &mut Tx<'_>,
    hash: &str,
    limit: i64,
) -> Result<Vec<TraceRow>, StoreError> {
    let mut subjects = vec![("address", hash.to_owned())];
    if let Some(subject) = tx.subject_by_hash(hash).await? {
        subjects.push(("subscriber", public_id(subject.id)));
        let held = tx.subscriptions_of(subject.id).await?;
        subjects.extend(held.iter().map(|held| ("subscription", public_id(held.id))));
        let asked = tx.sign_ups_of(subject.id).await?;
        subjects.extend(asked.iter().map(|asked| ("sign_up", public_id(asked.id))));
    }
    let mut rows = Vec::new();
    for (kind, id) in &subjects {
        rows.extend(tx.trace_of(TraceSubject { kind, id }, limit).await?);
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.id));
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(rows)
}

/// A form as JSON.
pub(super) fn form(form: impl Serialize) -> Json {
    serde_json::to_value(form).expect("texts, numbers and lists of them always have a JSON form")
}

/// A free text of an admin, as the trace, which nobody can erase, may keep it: one line, cut, with
/// addresses masked.
pub(super) fn free_text(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let words = words.filter(|word| !word.is_empty());
    let masked: Vec<&str> =
        words.map(|word| if word.contains(['@', '＠']) { MASKED } else { word }).collect();
    masked.join(" ").chars().take(TRACED_TEXT_CHARS_MAX).collect()
}
