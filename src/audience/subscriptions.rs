//! Joining, changing, leaving. Every change of a subscription pins it where it has been told so
//! far, so that nothing is told twice and nothing is lost.

use crate::model::{CadenceId, Language, ListId, PlaceId, Timestamp, TopicId};
use crate::store::{
    CadenceRow, HeldSubscription, NewSubscription, Profile, Store, StoreError, StoredSubscription,
    Subject, Tx, retrying,
};

use super::traced::{
    TracedConsent, TracedName, TracedSubscription, form, trace_subscriber, trace_subscription,
};
use super::{EmailAddress, Keys};

/// Subscriptions that take part in editions.
pub const ACTIVE: &str = "active";
/// Subscriptions that wait for their person to come back.
pub const PAUSED: &str = "paused";
/// Subscriptions that were left.
pub const ENDED: &str = "ended";

/// What somebody asks for on a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preferences {
    /// How often.
    pub cadence: CadenceId,
    /// Which topics; none stands for all.
    pub topics: Vec<TopicId>,
    /// Which places; none stands for the whole area.
    pub places: Vec<PlaceId>,
    /// In which language.
    pub language: Language,
    /// Followed words, as (canonical key, phrase), in order of their keys.
    pub words: Vec<(String, String)>,
}

/// How somebody came to a list.
#[derive(Clone, Copy, Debug)]
pub struct Consent<'a> {
    /// The way: `import`, `page`, `desk`.
    pub way: &'a str,
    /// The proof, in words.
    pub proof: &'a str,
    /// Which wording they were shown, where one was kept.
    pub text_version: Option<&'a str>,
}

/// Somebody asks for a subscription.
#[derive(Clone, Copy, Debug)]
pub struct Joining<'a> {
    /// The address.
    pub address: &'a EmailAddress,
    /// The name, where one is given.
    pub name: Option<&'a str>,
    /// Of which list.
    pub list: &'a ListId,
    /// With which preferences.
    pub wanted: &'a Preferences,
    /// How they agreed.
    pub consent: Consent<'a>,
}

/// What asking for a subscription did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// There was none: it was made.
    New,
    /// It has other preferences now.
    Changed,
    /// It had these preferences already.
    Unchanged,
    /// The address must not be written to; nothing was made.
    Suppressed,
    /// The person left this list; only they can come back. Nothing was made.
    Left,
}

impl Preferences {
    pub(super) fn profile(&self) -> Profile {
        let mut topics = self.topics.clone();
        topics.sort();
        topics.dedup();
        let mut places = self.places.clone();
        places.sort();
        places.dedup();
        Profile { all_topics: topics.is_empty(), language: self.language, topics, places }
    }
}

/// How far a subscription has been told: its pin, or what its cadence says of those without one.
/// While an edition is being planned, those that it has decided already have been told up to its
/// cut.
pub fn told_so_far(subscription: &StoredSubscription, cadence: &CadenceRow) -> i64 {
    match (subscription.cursor, cadence.planning_cut) {
        (Some(pin), _) => pin,
        (None, Some(cut)) if subscription.id <= cadence.decided_until => cut,
        (None, _) => cadence.last_cut,
    }
}

/// Subscribes an address, or changes what it asked for. A subscription that was left, or an address
/// that is suppressed, stays as it is.
///
/// # Errors
/// Where the database fails.
pub async fn join(
    tx: &mut Tx<'_>,
    keys: &Keys,
    joining: &Joining<'_>,
    now: Timestamp,
) -> Result<Joined, StoreError> {
    let Joining { address, name, list, wanted, .. } = *joining;
    let hash = keys.address_hash(address);
    let known = tx.hold_subject(&hash).await?;
    // Asked when the person is held: an erasing that was under way has ended.
    if tx.suppression(&hash).await?.is_some() {
        return Ok(Joined::Suppressed);
    }
    let subject = match known {
        Some(subject) => subject,
        None => subject(tx, &hash, address, name, now).await?,
    };
    let profile = tx.intern_profile(&wanted.profile()).await?;
    let held = match tx.subscription(subject.id, list).await? {
        Some(found) => tx.hold_subscription(found.id).await?,
        None => None,
    };
    let Some(held) = held else {
        subscribe(tx, subject.id, profile, joining, now).await?;
        return Ok(Joined::New);
    };
    if held.state == ENDED {
        return Ok(Joined::Left);
    }
    let renamed = name.is_some() && name != subject.name.as_deref();
    if let Some(name) = name.filter(|_| renamed) {
        let before = TracedName { named: subject.name.is_some() };
        let lines = (Some(form(before)), Some(form(TracedName { named: true })));
        tx.name_subject(subject.id, name).await?;
        trace_subscriber(tx, "subscriber.named", subject.id, lines, now).await?;
    }
    let held_words = tx.words_of(held.id).await?;
    let same_words =
        held_words.iter().map(|(key, _)| key).eq(wanted.words.iter().map(|(key, _)| key));
    if held.profile == profile && held.cadence == wanted.cadence && same_words {
        return Ok(if renamed { Joined::Changed } else { Joined::Unchanged });
    }
    let cadence = wanted.cadence.clone();
    let changed = StoredSubscription { profile, cadence, ..(*held).clone() };
    change(tx, &held, changed, Some(&wanted.words), now).await?;
    Ok(Joined::Changed)
}

/// Adds the subscriber of an address whose person is held.
async fn subject(
    tx: &mut Tx<'_>,
    hash: &str,
    address: &EmailAddress,
    name: Option<&str>,
    now: Timestamp,
) -> Result<Subject, StoreError> {
    let address = Some(address.to_string());
    let subject = Subject { id: random_id(), address, name: name.map(str::to_owned) };
    tx.insert_subject(&subject, hash, now).await?;
    Ok(subject)
}

/// Makes a subscription where there was none.
async fn subscribe(
    tx: &mut Tx<'_>,
    subscriber: i64,
    profile: i64,
    joining: &Joining<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Joining { list, wanted, consent, .. } = *joining;
    let cadence = wanted.cadence.clone();
    let new = NewSubscription { subscriber, list: list.clone(), cadence, profile };
    let id = tx.insert_subscription(&new, now).await?;
    tx.follow_words(id, &wanted.words).await?;
    tx.agree(id, &consent.given(now)).await?;
    let NewSubscription { subscriber, list, cadence, profile } = new;
    let made = StoredSubscription {
        id,
        subscriber,
        list,
        cadence,
        profile,
        state: ACTIVE.to_owned(),
        cursor: None,
        joined_position: 0,
        created_at: now,
    };
    let text_version = consent.text_version.map(str::to_owned);
    let agreed = TracedConsent { way: consent.way.to_owned(), text_version };
    let after = TracedSubscription::new(&made, wanted.profile(), wanted.words.len()).agreed(agreed);
    trace_subscription(tx, "subscription.joined", id, None, Some(after), now).await
}

/// Ends a subscription; gives whether it was one that could be ended.
///
/// # Errors
/// Where the database fails.
pub async fn leave(store: &Store, subscription: i64, now: Timestamp) -> Result<bool, StoreError> {
    retrying(|| try_leave(store, subscription, now)).await
}

async fn try_leave(store: &Store, subscription: i64, now: Timestamp) -> Result<bool, StoreError> {
    let mut tx = store.write().await?;
    let Some(held) = tx.hold_subscription(subscription).await? else {
        return Ok(false);
    };
    if held.state != ENDED {
        let changed = StoredSubscription { state: ENDED.to_owned(), ..(*held).clone() };
        change(&mut tx, &held, changed, None, now).await?;
        tx.commit().await?;
    }
    Ok(true)
}

/// Pauses a subscription, or lets it go on.
///
/// # Errors
/// Where the database fails.
pub async fn pause(
    tx: &mut Tx<'_>,
    held: &HeldSubscription,
    paused: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    let state = if paused { PAUSED } else { ACTIVE };
    let changed = StoredSubscription { state: state.to_owned(), ..(**held).clone() };
    change(tx, held, changed, None, now).await
}

/// The one way in which a subscription changes, and the words that it follows where they are given.
/// Its cursor is pinned where it has been told so far;
/// a message of its own that still waits for approval is cancelled when it pauses, leaves or
/// changes cadence, and then it has been told up to the start of that message's window.
pub(super) async fn change(
    tx: &mut Tx<'_>,
    held: &HeldSubscription,
    mut changed: StoredSubscription,
    words: Option<&[(String, String)]>,
    now: Timestamp,
) -> Result<(), StoreError> {
    if changed.cadence != held.cadence {
        // A chunk there has looked at who is in it, and moves their pins next.
        tx.share_cadence(&held.list, &changed.cadence).await?;
    }
    let mut told = match tx.cadence(&held.list, &held.cadence).await? {
        Some(cadence) => told_so_far(held, &cadence),
        None => held.cursor.unwrap_or(held.joined_position),
    };
    if changed.state != held.state || changed.cadence != held.cadence {
        let cause = if changed.state == ENDED { "left" } else { "changed" };
        for message in tx.waiting_of(held.id).await? {
            tx.cancel_waiting(message.id, cause, now).await?;
            told = told.min(message.window_start);
        }
    }
    changed.cursor = Some(told);
    tx.change_subscription(&changed, now).await?;
    let followed = tx.words_of(held.id).await?;
    let words = words.unwrap_or(&followed);
    let others = !followed.iter().map(|(key, _)| key).eq(words.iter().map(|(key, _)| key));
    if others {
        tx.follow_words(held.id, words).await?;
    }
    let before = TracedSubscription::of(tx, held, followed.len()).await?;
    let after = TracedSubscription::of(tx, &changed, words.len()).await?;
    // A pin alone is nothing that anybody asked for; other words are, as many as they may be.
    if before == after && !others {
        return Ok(());
    }
    let action = match (held.state.as_str(), changed.state.as_str()) {
        (before, after) if before == after => "subscription.changed",
        (_, ENDED) => "subscription.left",
        (_, PAUSED) => "subscription.paused",
        (ENDED, _) => "subscription.returned",
        _ => "subscription.resumed",
    };
    trace_subscription(tx, action, held.id, Some(before), Some(after), now).await
}

/// A random id of 63 bits: what other tables call a subscriber. It says nothing of its person.
pub(super) fn random_id() -> i64 {
    rand::random::<i64>() & i64::MAX
}

/// An id as people and JSON see it: short, without the traps of large numbers.
pub fn public_id(id: i64) -> String {
    data_encoding::BASE32_NOPAD.encode(&id.to_be_bytes()).to_ascii_lowercase()
}
