//! Why somebody was told an item, or was not: the chain from source to inbox, or the first link
//! where it broke.

use chrono_tz::Tz;
use serde::Serialize;

use crate::audience::{ENDED, PAUSED, public_id, told_so_far};
use crate::model::Timestamp;
use crate::store::{
    CadenceRow, EditionRow, ItemRow, MessageRow, MessageState, Profile, StoreError,
    StoredSubscription, Subject, Tx,
};
use crate::topics::{FollowedWords, ItemText, Rules};

use super::Schedule;
use super::explain_entries::Entry;
use super::wants::{carries, wants};

/// What it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// The relay has a mail with it.
    #[serde(rename = "told")]
    Told,
    /// It has not been told, and will not.
    #[serde(rename = "not told")]
    NotTold,
    /// The edition that told it, or did not, is archived: its file knows.
    #[serde(rename = "archived")]
    Archived,
    /// A mail with it is on its way, or the next edition brings it.
    #[serde(rename = "will be told")]
    WillBeTold,
}

/// One link of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WhyStep {
    /// Which: `item`, `entry`, `subscription`, `source`, `topics`, `places`, `words`, `window`,
    /// `address`, `edition`, `message`, `attempt`.
    pub step: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// What was found.
    pub detail: String,
}

/// The chain, and what it comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What it comes to.
    pub verdict: Verdict,
    /// The chain, in order; the last link is the one that decided.
    pub steps: Vec<WhyStep>,
}

/// What explaining needs.
pub(super) struct Chain<'a> {
    pub rules: &'a Rules,
    pub zone: Tz,
    now: Timestamp,
    steps: Vec<WhyStep>,
}

/// Explains one item for one subscriber, over all lists they are on: the best of the verdicts.
///
/// # Errors
/// Where the database fails.
pub async fn explain(
    tx: &mut Tx<'_>,
    rules: &Rules,
    zone: Tz,
    item: &ItemRow,
    subject: &Subject,
    now: Timestamp,
) -> Result<Explanation, StoreError> {
    let mut chain = Chain { rules, zone, now, steps: Vec::new() };
    let entries = chain.entries(tx, item).await?;
    if entries.is_empty() {
        return Ok(chain.ends(Verdict::NotTold));
    }
    let subscriptions = tx.subscriptions_of(subject.id).await?;
    if subscriptions.is_empty() {
        chain.add("subscription", false, "the address is on no list".to_owned());
        return Ok(chain.ends(Verdict::NotTold));
    }
    let suppression = tx.suppression_of(subject.id).await?;
    let common = std::mem::take(&mut chain.steps);
    let mut best: Option<Explanation> = None;
    for subscription in subscriptions {
        chain.steps = common.clone();
        let mut verdict = chain.subscription(tx, &entries, &subscription).await?;
        if let (Verdict::WillBeTold, Some(held)) = (verdict, &suppression) {
            // A message on its way is cancelled when it is claimed.
            let detail = format!("must not be written to: {} ({})", held.cause, held.reason);
            chain.add("address", false, detail);
            verdict = Verdict::NotTold;
        }
        let steps = std::mem::take(&mut chain.steps);
        let explanation = Explanation { verdict, steps };
        let better = best.as_ref().is_none_or(|best| rank(verdict) > rank(best.verdict));
        if better {
            best = Some(explanation);
        }
    }
    Ok(best.unwrap_or(Explanation { verdict: Verdict::NotTold, steps: common }))
}

fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::NotTold => 0,
        Verdict::Archived => 1,
        Verdict::WillBeTold => 2,
        Verdict::Told => 3,
    }
}

impl Chain<'_> {
    pub fn add(&mut self, step: &'static str, holds: bool, detail: String) {
        self.steps.push(WhyStep { step, holds, detail });
    }

    fn ends(self, verdict: Verdict) -> Explanation {
        Explanation { verdict, steps: self.steps }
    }

    pub fn time(&self, time: Timestamp) -> String {
        time.rfc3339(self.zone)
    }

    /// The chain of one subscription.
    async fn subscription(
        &mut self,
        tx: &mut Tx<'_>,
        entries: &[Entry],
        held: &StoredSubscription,
    ) -> Result<Verdict, StoreError> {
        let detail = format!(
            "subscribed to {} ({}) since {}, {}",
            held.list,
            held.cadence,
            self.time(held.created_at),
            held.state
        );
        self.add("subscription", true, detail);
        let cadence = tx.cadence(&held.list, &held.cadence).await?;
        let told = cadence.as_ref().map_or(i64::MAX, |cadence| told_so_far(held, cadence));
        let open = entries.last().is_some_and(|entry| entry.candidate.position > told);
        let mut best: Option<Verdict> = None;
        for entry in entries.iter().rev() {
            // A cancelled message gave its entries back where the subscription stands before them.
            let given_back = entry.candidate.position > told;
            if let Some(message) = told_by(tx, held, entry).await?
                && !(given_back && message.state == MessageState::Cancelled)
            {
                let verdict = self.told(tx, held, entry, &message).await?;
                if verdict == Verdict::Told {
                    return Ok(verdict);
                }
                best = best.filter(|best| rank(*best) > rank(verdict)).or(Some(verdict));
            }
        }
        // A message that told nothing leaves what came after it to be told.
        if let Some(best) = best.filter(|best| *best != Verdict::NotTold || !open) {
            return Ok(best);
        }
        let Some(cadence) = cadence.filter(|cadence| cadence.ended_at.is_none()) else {
            self.add("subscription", false, "the list offers this cadence no more".to_owned());
            return Ok(Verdict::NotTold);
        };
        let Some(entry) = entries.last() else { return Ok(Verdict::NotTold) };
        self.untold(tx, entry, held, &cadence).await
    }

    /// Why an entry was not told, or that it will be.
    async fn untold(
        &mut self,
        tx: &mut Tx<'_>,
        entry: &Entry,
        held: &StoredSubscription,
        cadence: &CadenceRow,
    ) -> Result<Verdict, StoreError> {
        let position = entry.candidate.position;
        if position <= held.joined_position {
            let joined = held.joined_position;
            let detail =
                format!("it came before the subscription (entry {position}, joined at {joined})");
            self.add("window", false, detail);
            return Ok(Verdict::NotTold);
        }
        let carrying = tx.carried(&held.list).await?;
        let carried = carries(&carrying, &entry.candidate);
        let source = &entry.candidate.source;
        self.add("source", carried, format!("list {} and source {source}", held.list));
        if !carried {
            return Ok(Verdict::NotTold);
        }
        let suppression = tx.suppression_of(held.subscriber).await?;
        let told = told_so_far(held, cadence);
        let decided = position <= told;
        let edition = tx.edition_of_position(&held.list, &held.cadence, position).await?;
        let profile = tx.profile(held.profile).await?;
        let Some(profile) = profile else {
            return Ok(Verdict::NotTold);
        };
        let words = tx.words_of(held.id).await?;
        let slot = match edition.as_ref().filter(|_| decided) {
            Some(edition) => edition.slot_at,
            None => self.next_slot(tx, cadence).await?,
        };
        let by = match (&edition, cadence.edition_id) {
            (Some(edition), _) if decided => Some(edition.clone()),
            (_, Some(edition)) if cadence.planning_cut.is_some_and(|cut| position <= cut) => {
                tx.edition(edition).await?
            }
            _ => None,
        };
        let seen = match &by {
            Some(edition) => self.as_of(tx, entry, edition).await?,
            None => entry.clone(),
        };
        let wanted = self.wanted(&profile, &words, &seen, slot);
        let detail = format!("told up to entry {told}; this is entry {position}");
        self.add("window", !decided, detail);
        if let Some(held) = &suppression {
            let since = self.time(held.since);
            let detail =
                format!("must not be written to since {since}: {} ({})", held.cause, held.reason);
            self.add("address", false, detail);
        }
        if decided {
            return self.decided(tx, edition.as_ref(), suppression.is_some()).await;
        }
        match held.state.as_str() {
            ENDED => self.add("subscription", false, "the person has left".to_owned()),
            PAUSED if wanted && suppression.is_none() => {
                self.add("subscription", false, "paused: it comes after the return".to_owned());
                return Ok(Verdict::WillBeTold);
            }
            _ if wanted && suppression.is_none() => return Ok(Verdict::WillBeTold),
            _ => {}
        }
        Ok(Verdict::NotTold)
    }

    /// Of what was decided without a message that is still there.
    async fn decided(
        &mut self,
        tx: &mut Tx<'_>,
        edition: Option<&EditionRow>,
        suppressed: bool,
    ) -> Result<Verdict, StoreError> {
        let Some(edition) = edition else { return Ok(Verdict::NotTold) };
        let (verdict, why) = if let Some(at) = tx.archived_at(edition.id).await? {
            (Verdict::Archived, format!("its messages were archived at {}", self.time(at)))
        } else if suppressed {
            let why = "the address was, or is by now, one that must not be written to";
            (Verdict::NotTold, why.to_owned())
        } else {
            (Verdict::NotTold, "it had nothing for this subscription".to_owned())
        };
        let detail = format!("edition {} (slot {}): {why}", edition.id, edition.slot);
        self.add("edition", false, detail);
        Ok(verdict)
    }

    /// The slot whose day counts for what is undecided: of the edition that is being planned, of
    /// the one that is due, or of the next.
    async fn next_slot(
        &self,
        tx: &mut Tx<'_>,
        cadence: &CadenceRow,
    ) -> Result<Timestamp, StoreError> {
        if let Some(edition) = cadence.edition_id.filter(|_| cadence.planning_cut.is_some())
            && let Some(edition) = tx.edition(edition).await?
        {
            return Ok(edition.slot_at);
        }
        let (last, now) = (cadence.last_slot_at, self.now);
        let slot = Schedule::read(&cadence.schedule).ok().and_then(|schedule| {
            let due = schedule.due(last, now, self.zone);
            due.or_else(|| schedule.next(now.max(last), self.zone))
        });
        Ok(slot.map_or(now, |slot| slot.at))
    }

    /// Whether the preferences meet the entry, link by link.
    fn wanted(
        &mut self,
        profile: &Profile,
        words: &[(String, String)],
        entry: &Entry,
        slot: Timestamp,
    ) -> bool {
        let text = ItemText::from(&entry.text);
        let phrases: Vec<(i64, String)> =
            (0..).zip(words.iter().map(|(_, phrase)| phrase.clone())).collect();
        let hits: Vec<i64> = FollowedWords::new(phrases.clone()).hits(&text).into_iter().collect();
        let mut candidate = entry.candidate.clone();
        let today = slot.in_zone(self.zone).date_naive();
        let ends = [("deadline", entry.found.deadline), ("publication", entry.publication_end)];
        let passed =
            |(what, end): (_, Option<_>)| end.filter(|end| *end < today).map(|e| (what, e));
        if let Some((what, end)) = ends.into_iter().find_map(passed) {
            self.add("item", false, format!("its {what} has passed: {end}"));
            candidate.over = true;
        } else if candidate.over {
            self.add("item", false, "it was withdrawn".to_owned());
        }
        let reason = wants(profile, &hits, &candidate);
        let list = |ids: Vec<String>, all: &str| {
            if ids.is_empty() { all.to_owned() } else { ids.join(", ") }
        };
        let about = profile.all_topics
            || candidate.topics.iter().any(|topic| profile.topics.contains(topic));
        let has = list(candidate.topics.iter().map(ToString::to_string).collect(), "none");
        let asked = list(profile.topics.iter().map(ToString::to_string).collect(), "all");
        self.add("topics", about, format!("asked for {asked}; it is about {has}"));
        let near = candidate.places.is_empty()
            || profile.places.is_empty()
            || candidate.places.iter().any(|place| profile.places.contains(place));
        let has = list(candidate.places.iter().map(ToString::to_string).collect(), "everywhere");
        let asked = list(profile.places.iter().map(ToString::to_string).collect(), "everywhere");
        self.add("places", near, format!("asked for {asked}; it matters in {has}"));
        if !phrases.is_empty() {
            let standing: Vec<&str> = phrases
                .iter()
                .filter(|(id, _)| hits.contains(id))
                .map(|(_, phrase)| phrase.as_str())
                .collect();
            let detail = format!("followed words in it: {}", list_or_none(&standing));
            self.add("words", !standing.is_empty(), detail);
        }
        reason.is_some()
    }

    /// The rest of the chain where a message tells the entry.
    async fn told(
        &mut self,
        tx: &mut Tx<'_>,
        held: &StoredSubscription,
        entry: &Entry,
        message: &MessageRow,
    ) -> Result<Verdict, StoreError> {
        if let Some(profile) = tx.profile(message.profile_id).await? {
            self.add("profile", true, format!("decided for profile {}", profile.key()));
        }
        if let Some(edition) = tx.edition(message.edition_id).await? {
            let detail = format!(
                "edition {} of {} ({}), slot {}, rules {}, entries after {} up to {}",
                edition.id,
                edition.list_id,
                edition.cadence,
                edition.slot,
                edition.ruleset,
                message.window_start,
                edition.cut
            );
            self.add("edition", true, detail);
            self.as_of(tx, entry, &edition).await?;
        }
        let sent = matches!(
            message.state,
            MessageState::Accepted | MessageState::InDoubt | MessageState::Held
        );
        let coming = matches!(
            message.state,
            MessageState::Waiting
                | MessageState::Queued
                | MessageState::Sending
                | MessageState::Deferred
        );
        let subject = public_id(message.subscriber_id);
        let cause = message.cause.as_ref().map_or(String::new(), |cause| format!(" ({cause})"));
        let detail = format!(
            "message {} to {subject}, variant {}: {}{cause}",
            message.id, message.variant_id, message.state
        );
        self.add("message", sent || coming, detail);
        for attempt in tx.attempts(message.id).await? {
            let outcome = attempt.outcome.as_deref().unwrap_or("under way");
            let reply = attempt.reply.as_deref().unwrap_or("");
            let detail = format!(
                "attempt {} at {}, stage {}: {outcome} {reply}",
                attempt.number,
                self.time(attempt.claimed_at),
                attempt.stage
            );
            let holds = matches!(outcome, "accepted" | "under way");
            self.add("attempt", holds, detail.trim_end().to_owned());
        }
        let mut stopped = coming && held.state == ENDED;
        if stopped {
            self.add("subscription", false, "the person has left: it is not sent".to_owned());
        }
        if let Some(suppression) = tx.suppression_of(held.subscriber).await?.filter(|_| coming) {
            let detail = format!("must not be written to: {}", suppression.cause);
            self.add("address", false, detail);
            stopped = true;
        }
        Ok(match message.state {
            MessageState::Accepted => Verdict::Told,
            _ if coming && !stopped => Verdict::WillBeTold,
            _ => Verdict::NotTold,
        })
    }
}

fn list_or_none(words: &[&str]) -> String {
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

/// The message that told an entry to a subscription, or is about to. A cancelled one told nothing.
async fn told_by(
    tx: &mut Tx<'_>,
    held: &StoredSubscription,
    entry: &Entry,
) -> Result<Option<MessageRow>, StoreError> {
    let messages = tx.messages_of(held.subscriber).await?;
    for message in messages.into_iter().rev() {
        if message.subscription_id != held.id {
            continue;
        }
        let Some(variant) = tx.variant(message.variant_id).await? else { continue };
        if variant.variant.entries.contains(&entry.candidate.position) {
            return Ok(Some(message));
        }
    }
    Ok(None)
}
