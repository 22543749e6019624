//! From an answer to items: what is new, what was changed, what was there before.

use std::collections::BTreeSet;

use super::albo::keep_act;
use super::floods::{self, Before, Fate, NewsLimits};
use super::full_text::carried;
use super::identity::{self, Keys, Known, Row};
use super::{ReadItem, Reading, canonical, significant};
use crate::model::{SourceId, Timestamp};
use crate::store::{
    HoldCause, KeyedItem, LastAnswerRow, NewRevision, PollRow, SourceRow, StoreError, Tx,
};

/// The most known items that are compared with one answer, beside those that share an id, or a
/// page and a title with it; the newest count.
const KNOWN_ITEMS_MAX: usize = 5_000;
/// For how long an item that is absent is still one that was there lately.
const LATELY_SECONDS_MAX: i64 = 5 * 24 * 3600;
/// The most items that were there lately.
const LATELY_ITEMS_MAX: usize = 5_000;
/// Former texts among which a changed one is looked for.
const FORMER_REVISIONS_MAX: i64 = 20;
/// Items read at once where a database of a former version is brought up to this one.
const UNKEYED_ITEMS: i64 = 500;

/// An item that was not there before, or one whose text has changed.
#[derive(Clone, Debug)]
pub struct NewItem {
    /// Its id.
    pub id: i64,
    /// Its texts.
    pub text: NewRevision,
}

/// An item whose text has changed.
#[derive(Clone, Debug)]
pub struct Revised {
    /// The item with its new texts.
    pub item: NewItem,
    /// The number of the revision that they are.
    pub revision: i64,
    /// The texts before.
    pub before: NewRevision,
    /// Whether one of its former revisions said the same.
    pub returned: bool,
    /// Whether the text of its own page is that of the revision before.
    pub carried: bool,
}

/// What an answer brought.
#[derive(Clone, Debug, Default)]
pub struct TakenIn {
    /// Items that are new and are to be told, the oldest first.
    pub new: Vec<NewItem>,
    /// Items that are new and belong to the source's first answer, which tells nobody.
    pub baseline: usize,
    /// Items that are new and are kept for a person, and why.
    pub held: Vec<(NewItem, HoldCause)>,
    /// Items with a changed text.
    pub revised: Vec<Revised>,
    /// What a person should know, in words.
    pub warnings: Vec<String>,
}

impl TakenIn {
    /// Whether the answer brought anything.
    pub fn is_change(&self) -> bool {
        let Self { new, baseline, held, revised, .. } = self;
        baseline + new.len() + held.len() + revised.len() > 0
    }
}

/// The validators and times of a poll.
#[derive(Clone, Debug, Default)]
pub struct Validators {
    /// The answer's entity tag (RFC 9110 8.8.3).
    pub etag: Option<String>,
    /// The answer's date (RFC 9110 8.8.2).
    pub last_modified: Option<String>,
}

/// Takes an answer in. Run twice with the same answer, the second time changes nothing; an item
/// that is absent from an answer stays.
///
/// # Errors
/// Where the database fails.
pub async fn take_in(
    tx: &mut Tx<'_>,
    source: &SourceRow,
    reading: &Reading,
    validators: &Validators,
    now: Timestamp,
    next: Timestamp,
) -> Result<TakenIn, StoreError> {
    let mut taken = TakenIn::default();
    if !reading.items.is_empty() {
        take_items_in(tx, source, reading, now, &mut taken).await?;
    }
    let poll = PollRow {
        source: &source.id,
        now,
        next,
        etag: validators.etag.as_deref(),
        last_modified: validators.last_modified.as_deref(),
        title: reading.title.as_deref(),
        changed: taken.is_change(),
        baseline: source.baseline_at.is_none() && !reading.items.is_empty(),
    };
    tx.record_poll(&poll).await?;
    Ok(taken)
}

/// Lets known items be found by the titles that they have from now on: a source's headline was
/// found only when some of its items were known by another text.
///
/// # Errors
/// Where the database fails.
pub(super) async fn know_by_new_titles(
    tx: &mut Tx<'_>,
    source: &SourceRow,
    before: &Reading,
    after: &Reading,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(answer) = tx.answer(&source.id).await? else { return Ok(()) };
    let texts = |reading: &Reading| -> Vec<NewRevision> {
        reading.items.iter().map(|item| revision(item, now)).collect()
    };
    let (old, new) = (texts(before), texts(after));
    let items: Vec<(&ReadItem, &NewRevision)> = before.items.iter().zip(&old).collect();
    let (places, rows): (Vec<usize>, Vec<Row>) =
        identity::rows(&items, &pages_of(source, before)).into_iter().unzip();
    let (known, found) = known_items(tx, source, &rows, &lately(&answer, now)).await?;
    for (place, found) in places.into_iter().zip(found) {
        let Some(item) = found.map(|index| &known[index]) else { continue };
        let keys = Keys::new(after.items[place].id.as_deref(), &new[place]);
        let keys: Vec<&str> = keys.all().collect();
        tx.give_keys(&source.id, item.id, item.keys.len(), &keys, now).await?;
    }
    Ok(())
}

/// The addresses that are no item's own page.
fn pages_of(source: &SourceRow, reading: &Reading) -> Vec<String> {
    let pages = [reading.link.as_deref(), Some(source.url.as_str())];
    pages.into_iter().flatten().map(canonical::link).collect()
}

/// An item of an answer as it is taken in.
struct Arrival<'a> {
    /// Its place in the answer.
    place: usize,
    item: &'a ReadItem,
    row: &'a Row,
    text: &'a NewRevision,
}

async fn take_items_in(
    tx: &mut Tx<'_>,
    source: &SourceRow,
    reading: &Reading,
    now: Timestamp,
    taken: &mut TakenIn,
) -> Result<(), StoreError> {
    let digest = digest_of(&reading.items);
    let mut answer = tx.answer(&source.id).await?;
    if answer.as_ref().is_some_and(|answer| answer.digest == digest) {
        return Ok(());
    }
    if answer.is_none() {
        answer = keyed_anew(tx, &source.id, now).await?;
    }
    let texts: Vec<NewRevision> = reading.items.iter().map(|item| revision(item, now)).collect();
    taken.warnings.extend(disbelieved(&reading.items, &texts));
    let items: Vec<(&ReadItem, &NewRevision)> = reading.items.iter().zip(&texts).collect();
    let rows = identity::rows(&items, &pages_of(source, reading));
    let lately = answer.as_ref().map_or_else(Vec::new, |answer| lately(answer, now));
    let (places, rows): (Vec<usize>, Vec<Row>) = rows.into_iter().unzip();
    let (known, found) = known_items(tx, source, &rows, &lately).await?;
    let mut there = BTreeSet::new();
    let mut new = Vec::new();
    for ((row, place), found) in rows.iter().zip(places).zip(found) {
        let arrival = Arrival { place, item: &reading.items[place], row, text: &texts[place] };
        match found.map(|index| &known[index]) {
            Some(held) => {
                there.insert(held.id);
                take_known_in(tx, source, &arrival, held, now, taken).await?;
            }
            None => new.push(arrival),
        }
    }
    in_order_of_age(&mut new);
    let newest = answer.as_ref().and_then(|answer| answer.newest_published_at);
    let before = Before {
        first: source.baseline_at.is_none(),
        answered_at: source.succeeded_at,
        newest_published_at: newest,
    };
    there.extend(take_new_in(tx, source, &new, before, now, taken).await?);
    let dates = texts.iter().filter_map(|text| text.published_at);
    let answer = LastAnswerRow {
        digest,
        lately: lately_there(&lately, &there, now),
        newest_published_at: dates.chain(newest).max(),
        answered_at: now,
    };
    tx.keep_answer(&source.id, &answer).await
}

/// The known items that share a key with an answer, and which of them each row is.
async fn known_items(
    tx: &mut Tx<'_>,
    source: &SourceRow,
    rows: &[Row],
    lately: &[(i64, i64)],
) -> Result<(Vec<KeyedItem>, Vec<Option<usize>>), StoreError> {
    let strong: Vec<&str> = rows.iter().flat_map(|row| row.keys.strong()).collect();
    let sharing = tx.items_with_keys(&source.id, &strong).await?;
    let mut ids: BTreeSet<i64> = sharing.iter().map(|(item, _)| *item).collect();
    let lately: BTreeSet<i64> = lately.iter().map(|(item, _)| *item).collect();
    let (items, known) = keyed(tx, &ids, &lately).await?;
    // Nearly all of an answer is found so. The rest is looked for by whatever it has.
    let found = identity::find(rows, &known);
    let rest = rows.iter().zip(&found).filter(|(row, found)| {
        let id = row.keys.id.as_ref();
        !found.is_some_and(|found| id.is_none_or(|id| known[found].keys.contains(id)))
    });
    let weak: Vec<&str> = rest.flat_map(|(row, _)| row.keys.all()).collect();
    let mut more = 0;
    if !weak.is_empty() {
        for (item, _) in tx.items_with_keys(&source.id, &weak).await? {
            if more < KNOWN_ITEMS_MAX && ids.insert(item) {
                more += 1;
            }
        }
    }
    if more == 0 {
        return Ok((items, found));
    }
    let (items, known) = keyed(tx, &ids, &lately).await?;
    let found = identity::find(rows, &known);
    Ok((items, found))
}

/// Items by id, twice: as they are kept, and as they are compared.
async fn keyed(
    tx: &mut Tx<'_>,
    ids: &BTreeSet<i64>,
    lately: &BTreeSet<i64>,
) -> Result<(Vec<KeyedItem>, Vec<Known>), StoreError> {
    let ids: Vec<i64> = ids.iter().copied().collect();
    let items = if ids.is_empty() { Vec::new() } else { tx.keyed_items(&ids).await? };
    let known = items.iter().map(|item| Known {
        keys: item.keys.clone(),
        link: item.link.as_deref().map(canonical::link),
        title: significant::folded(&item.title),
        lately: lately.contains(&item.id),
    });
    let known = known.collect();
    Ok((items, known))
}

/// An item that is known: its text may have changed, and so may all by which it is known.
async fn take_known_in(
    tx: &mut Tx<'_>,
    source: &SourceRow,
    arrival: &Arrival<'_>,
    held: &KeyedItem,
    now: Timestamp,
    taken: &mut TakenIn,
) -> Result<(), StoreError> {
    let Arrival { item, row, text, .. } = arrival;
    keep_act(tx, held.id, held.act.as_ref(), item).await?;
    let keys: Vec<&str> = row.keys.all().collect();
    if keys.iter().any(|key| !held.keys.contains(*key)) {
        let others = held.keys.iter().filter(|key| !keys.contains(&key.as_str())).count();
        tx.give_keys(&source.id, held.id, others, &keys, now).await?;
    }
    let digest = significant::digest(text);
    if digest != held.digest {
        let before = tx.revision(held.id, held.revision).await?;
        let returned = was_said(tx, held, &digest).await?;
        let revision = held.revision + 1;
        let mut text = (*text).clone();
        let before = before.unwrap_or_else(|| text.clone());
        let carried = text.full_text.is_none().then(|| carried(item, &before)).flatten();
        let is_carried = carried.is_some();
        text.full_text = text.full_text.or(carried);
        tx.revise_item(held.id, revision, &digest, &text, now).await?;
        let item = NewItem { id: held.id, text };
        taken.revised.push(Revised { item, revision, before, returned, carried: is_carried });
    } else if let Some(link) = &text.link
        && row.link != held.link.as_deref().map(canonical::link)
    {
        tx.move_item(held.id, link).await?;
    }
    Ok(())
}

/// Whether a text was one of an item's former ones.
async fn was_said(tx: &mut Tx<'_>, held: &KeyedItem, digest: &str) -> Result<bool, StoreError> {
    let first = (held.revision - FORMER_REVISIONS_MAX).max(1);
    for number in first..held.revision {
        let former = tx.revision(held.id, number).await?;
        if former.is_some_and(|former| significant::digest(&former) == digest) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Items that are new; gives their ids.
async fn take_new_in(
    tx: &mut Tx<'_>,
    source: &SourceRow,
    new: &[Arrival<'_>],
    before: Before,
    now: Timestamp,
    taken: &mut TakenIn,
) -> Result<Vec<i64>, StoreError> {
    let limits = NewsLimits::of_settings(&source.settings_json);
    let dates: Vec<Option<Timestamp>> = new.iter().map(|new| new.text.published_at).collect();
    let fates = floods::fates(limits, before, &dates, now);
    let mut ids = Vec::with_capacity(new.len());
    for (Arrival { place, item, row, text }, fate) in new.iter().zip(fates) {
        let keys: Vec<&str> = row.keys.all().collect();
        let own = [now.0.to_string(), place.to_string(), keys.join(" ")];
        let identity = significant::hash(&own.each_ref().map(String::as_str));
        let digest = significant::digest(text);
        let baseline = fate == Fate::Baseline;
        let id = tx.insert_item(&source.id, &identity, &digest, baseline, text, now).await?;
        tx.give_keys(&source.id, id, 0, &keys, now).await?;
        keep_act(tx, id, None, item).await?;
        ids.push(id);
        let item = NewItem { id, text: (*text).clone() };
        match fate {
            Fate::Baseline => taken.baseline += 1,
            Fate::Told => taken.new.push(item),
            Fate::Held(cause) => {
                tx.hold_item(id, &source.id, cause, now).await?;
                taken.held.push((item, cause));
            }
        }
    }
    Ok(ids)
}

/// The keys of items that a former version took in, made once.
async fn keyed_anew(
    tx: &mut Tx<'_>,
    source: &SourceId,
    now: Timestamp,
) -> Result<Option<LastAnswerRow>, StoreError> {
    let (mut after, mut newest, mut lately) = (0, None, Vec::new());
    loop {
        let items = tx.unkeyed_items(source, after, UNKEYED_ITEMS).await?;
        let Some((last, ..)) = items.last() else { break };
        after = *last;
        for (item, identity, text) in items {
            // What the publisher calls it stood in the former identity alone.
            let keys = Keys::new(identity.strip_prefix("id:"), &text);
            let keys: Vec<&str> = keys.all().collect();
            tx.give_keys(source, item, 0, &keys, now).await?;
            tx.keep_digest(item, &significant::digest(&text)).await?;
            let believed = text.published_at.filter(|at| floods::is_believed(*at, now));
            newest = newest.max(believed);
            lately.push((item, now.0));
        }
    }
    let beyond = lately.len().saturating_sub(LATELY_ITEMS_MAX);
    let lately = lately.split_off(beyond);
    Ok((after > 0).then(|| LastAnswerRow {
        digest: String::new(),
        lately,
        newest_published_at: newest,
        answered_at: now,
    }))
}

/// The items that were there lately, each with the time when it was last seen: those of the last
/// answer until now, since answers like it leave no mark.
fn lately(answer: &LastAnswerRow, now: Timestamp) -> Vec<(i64, i64)> {
    let seen = |seen: i64| if seen == answer.answered_at.0 { now.0 } else { seen };
    let items = answer.lately.iter().map(|(item, at)| (*item, seen(*at)));
    items.filter(|(_, at)| now.0 - at <= LATELY_SECONDS_MAX).collect()
}

/// The same after an answer with these items.
fn lately_there(before: &[(i64, i64)], there: &BTreeSet<i64>, now: Timestamp) -> Vec<(i64, i64)> {
    // One second ago at most: what has just vanished is not in this answer.
    let seen = |at: i64| at.min(now.0 - 1);
    let absent = before.iter().filter(|(item, _)| !there.contains(item));
    let absent = absent.map(|(item, at)| (*item, seen(*at)));
    let mut lately: Vec<_> = there.iter().map(|item| (*item, now.0)).chain(absent).collect();
    lately.truncate(LATELY_ITEMS_MAX);
    lately
}

/// The oldest first. Publication dates decide where every item has one; else the answer is read
/// from its end, since sources put the newest first.
fn in_order_of_age(new: &mut [Arrival<'_>]) {
    new.reverse();
    if new.iter().all(|new| new.text.published_at.is_some()) {
        new.sort_by_key(|new| new.text.published_at);
    }
}

/// A digest of what an answer says, as it says it, but for its dates, which many move each time.
/// What its publisher says of an act counts with it.
fn digest_of(items: &[ReadItem]) -> String {
    let act = |item: &ReadItem| item.act.as_ref().map(|act| act.said().json());
    let acts: Vec<String> = items.iter().map(|item| act(item).unwrap_or_default()).collect();
    let mut parts: Vec<&str> = Vec::with_capacity(6 * items.len());
    for (ReadItem { id, link, title, summary, content, .. }, act) in items.iter().zip(&acts) {
        let optional = [id, link].map(|text| text.as_deref().unwrap_or_default());
        let texts = [title, summary, content, act].map(String::as_str);
        parts.extend(optional.into_iter().chain(texts));
    }
    significant::hash(&parts)
}

/// What is said of dates that cannot be: the zero of a clock, or a day to come.
fn disbelieved(items: &[ReadItem], texts: &[NewRevision]) -> Option<String> {
    let without = items.iter().zip(texts).filter_map(|(item, text)| {
        let published = item.published.filter(|_| text.published_at.is_none())?;
        Some(format!("{} for {:?}", published.date_naive(), item.title))
    });
    let without: Vec<String> = without.collect();
    let first = without.first()?;
    let number = without.len();
    Some(format!("{number} item(s) with a date that cannot be count as undated, such as {first}"))
}

/// An item's texts, with its dates as far as they can be believed.
pub(super) fn revision(item: &ReadItem, now: Timestamp) -> NewRevision {
    let published = item.published.map(Timestamp::from);
    NewRevision {
        title: item.title.clone(),
        link: item.link.clone(),
        summary: item.summary.clone(),
        content: item.content.clone(),
        full_text: item.full_text.clone(),
        image_alt: item.image_alt.clone(),
        categories: item.categories.clone(),
        published_at: published.filter(|at| floods::is_believed(*at, now)),
        updated_at: item.updated.map(Timestamp::from),
    }
}
