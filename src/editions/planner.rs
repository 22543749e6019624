//! Plans editions: opens what is due, decides its subscriptions in chunks, moves the cut.
//!
//! Each chunk is one transaction that decides a slice of subscriptions and remembers that it did,
//! so planning may be killed at any moment and goes on where it was. Subscriptions without a pin
//! are decided in order of their ids; how far is written on the cadence's row, which every change
//! of a subscription reads, so that a change knows whether it comes before or after the decision.
//! Subscriptions with a pin move it to the cut as they are decided. The last look, for
//! subscriptions that came between, and the move of the cut are one transaction.

use std::collections::{HashMap, HashSet};

use crate::config::Site;
use crate::model::{CadenceId, ListId, Timestamp};
use crate::rendering::Templates;
use crate::store::{
    CadenceRow, ChunkCounts, EditionRow, GroupKey, NewEdition, Profile, Slice, Store, Tx,
};
use crate::topics::Rules;

use super::compose::Composer;
use super::error::balanced;
use super::interests::Interests;
use super::traced::trace_opened;
use super::window::{Window, join_words};
use super::{PlanError, Slot, day_start};

/// The most subscriptions that one transaction decides: pages can write in between.
pub const SUBSCRIPTIONS_A_CHUNK: i64 = 20_000;
/// How many messages of an immediate cadence one subscriber gets in a day; the rest waits.
pub const IMMEDIATE_A_DAY_MAX: i64 = 5;
/// How long a digest is news, in seconds: after that it is not sent any more.
pub const DIGEST_LIFETIME_SECONDS: i64 = 3 * 24 * 3600;
/// Stands for "all subscriptions without a pin are decided".
const ALL_DECIDED: i64 = i64::MAX;

/// What planning needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Planner<'a> {
    /// The database.
    pub store: &'a Store,
    /// Who runs this.
    pub site: &'a Site,
    /// The rules that decide now.
    pub rules: &'a Rules,
    /// What mails are made of.
    pub templates: &'a Templates,
    /// The most subscriptions of a chunk; [`SUBSCRIPTIONS_A_CHUNK`] but in tests.
    pub chunk: i64,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A chunk was decided; there may be more.
    More,
    /// The cut has moved.
    Done,
}

impl<'a> Planner<'a> {
    /// Plans every edition that is due, and those that were begun; gives them in order. Each
    /// cadence has one at most. Where one fails, the others are planned all the same.
    ///
    /// # Errors
    /// The first [`PlanError`], after all; what was decided before stays.
    pub async fn plan_due(&self, now: Timestamp) -> Result<Vec<EditionRow>, PlanError> {
        self.plan_while(now, || true).await
    }

    /// The same, as long as `going_on` says so, which is asked before each chunk. What is left goes
    /// on the next time.
    ///
    /// # Errors
    /// As [`Planner::plan_due`].
    pub async fn plan_while(
        &self,
        now: Timestamp,
        going_on: impl Fn() -> bool,
    ) -> Result<Vec<EditionRow>, PlanError> {
        let cadences = self.store.read().await?.cadences().await?;
        let mut planned = Vec::new();
        let mut failed = None;
        for row in cadences {
            if !going_on() {
                break;
            }
            match self.plan_cadence(&row, now, &going_on).await {
                Ok(edition) => planned.extend(edition),
                Err(error) => {
                    let (list, cadence) = (&row.list_id, &row.cadence);
                    tracing::error!(%list, %cadence, %error, "an edition could not be planned");
                    failed = failed.or(Some(error));
                }
            }
        }
        failed.map_or(Ok(planned), Err)
    }

    async fn plan_cadence(
        &self,
        row: &CadenceRow,
        now: Timestamp,
        going_on: &impl Fn() -> bool,
    ) -> Result<Option<EditionRow>, PlanError> {
        match self.open_due(&row.list_id, &row.cadence, now).await? {
            Some(edition) => self.plan(edition, now, going_on).await,
            None => Ok(None),
        }
    }

    /// Plans an edition to its end; none where it was interrupted.
    async fn plan(
        &self,
        edition: i64,
        now: Timestamp,
        going_on: &impl Fn() -> bool,
    ) -> Result<Option<EditionRow>, PlanError> {
        let mut planning = Planning::begin(*self, edition, now).await?;
        while planning.step(now).await? == Step::More {
            if !going_on() {
                return Ok(None);
            }
        }
        let edition = planning.edition;
        self.drop_pins(&edition.list_id, &edition.cadence).await?;
        let mut tx = self.store.write().await?;
        tx.forget_hits_of(edition.id).await?;
        tx.commit().await?;
        let planned = self.store.read().await?.edition(edition.id).await?;
        planned.map(Some).ok_or_else(|| missing("edition", edition.id))
    }

    /// The edition of a cadence that is being planned, or the one that is due now, opened.
    ///
    /// # Errors
    /// Where the database fails, or the schedule cannot be read.
    pub async fn open_due(
        &self,
        list: &ListId,
        cadence: &CadenceId,
        now: Timestamp,
    ) -> Result<Option<i64>, PlanError> {
        let mut tx = self.store.write().await?;
        tx.require_current().await?;
        let row =
            tx.hold_cadence(list, cadence).await?.ok_or_else(|| missing("cadence", cadence))?;
        if row.edition_id.is_some() {
            return Ok(row.edition_id.filter(|_| row.planning_cut.is_some()));
        }
        let Some(slot) = self.due(&mut tx, &row, now).await? else {
            return Ok(None);
        };
        let edition = self.open(&mut tx, &row, &slot, now).await?;
        tx.commit().await?;
        Ok(edition)
    }

    pub(super) async fn open(
        &self,
        tx: &mut Tx<'_>,
        row: &CadenceRow,
        slot: &Slot,
        now: Timestamp,
    ) -> Result<Option<i64>, PlanError> {
        let list = &row.list_id;
        let list = tx.list(list).await?.ok_or_else(|| missing("list", list))?;
        let cut = tx.stream_head().await?;
        let new = NewEdition {
            list: &row.list_id,
            cadence: &row.cadence,
            slot: &slot.name,
            slot_at: slot.at,
            since: row.last_cut,
            cut,
            ruleset: self.rules.version(),
            approval: list.approval,
        };
        let Some(edition) = tx.insert_edition(&new, now).await? else {
            return Ok(None);
        };
        trace_opened(tx, edition, &new, now).await?;
        let begun = tx.begin_planning(&row.list_id, &row.cadence, edition, cut).await?;
        Ok(begun.then_some(edition))
    }

    /// Drops the pins that the moved cut has made needless, in short transactions.
    async fn drop_pins(&self, list: &ListId, cadence: &CadenceId) -> Result<(), PlanError> {
        loop {
            let mut tx = self.store.write().await?;
            tx.hold_cadence(list, cadence).await?;
            let dropped = tx.drop_pins(list, cadence, self.chunk).await?;
            tx.commit().await?;
            if i64::try_from(dropped).unwrap_or(i64::MAX) < self.chunk {
                return Ok(());
            }
        }
    }
}

/// An edition that is being planned.
#[derive(Debug)]
pub struct Planning<'a> {
    planner: Planner<'a>,
    edition: EditionRow,
    window: Window,
    composer: Composer<'a>,
    profiles: HashMap<i64, Profile>,
    interests: Interests,
    /// Of the profiles in `interests`, those that nothing in the window concerns.
    unconcerned: HashSet<i64>,
    decided: HashMap<GroupKey, Option<i64>>,
    /// The last subscription with a pin that was looked at.
    looked_at: i64,
}

impl<'a> Planning<'a> {
    /// Takes up an edition that was opened, from wherever it was left.
    ///
    /// # Errors
    /// As [`Planner::plan_due`].
    pub async fn begin(
        planner: Planner<'a>,
        edition: i64,
        now: Timestamp,
    ) -> Result<Self, PlanError> {
        let mut tx = planner.store.write().await?;
        let planning = Self::begin_in(&mut tx, planner, edition, now).await?;
        tx.commit().await?;
        Ok(planning)
    }

    pub(super) async fn begin_in(
        tx: &mut Tx<'_>,
        planner: Planner<'a>,
        edition: i64,
        now: Timestamp,
    ) -> Result<Self, PlanError> {
        let edition = tx.edition(edition).await?.ok_or_else(|| missing("edition", edition))?;
        let list = &edition.list_id;
        let list = tx.list(list).await?.ok_or_else(|| missing("list", list))?;
        let pinned = tx.earliest_pin(&edition.list_id, &edition.cadence).await?;
        let after = pinned.map_or(edition.since, |pin| pin.min(edition.since));
        let profiles = tx.profiles_of(&edition.list_id, &edition.cadence).await?;
        let Planner { site, rules, templates, .. } = planner;
        let composer = Composer::new(tx, site, rules, templates, edition.clone(), list).await?;
        let interests = Interests::new(profiles.iter().map(|(id, profile)| (*id, profile)));
        let mut planning = Self {
            planner,
            edition,
            window: Window::default(),
            composer,
            profiles: profiles.into_iter().collect(),
            interests,
            unconcerned: HashSet::new(),
            decided: HashMap::new(),
            looked_at: 0,
        };
        planning.load(tx, after, now).await?;
        Ok(planning)
    }

    async fn load(&mut self, tx: &mut Tx<'_>, after: i64, now: Timestamp) -> Result<(), PlanError> {
        let Self { edition, planner, .. } = self;
        let zone = planner.site.timezone;
        let known = self.window.take_phrases();
        self.window = Window::load(tx, edition, after, planner.rules, zone, now).await?;
        self.window.look_for(known);
        self.unconcerned = self.window.unconcerned(&self.interests);
        Ok(())
    }

    /// Decides one chunk, in one transaction.
    ///
    /// # Errors
    /// As [`Planner::plan_due`].
    pub async fn step(&mut self, now: Timestamp) -> Result<Step, PlanError> {
        let store = self.planner.store;
        let mut tx = store.write().await?;
        tx.require_current().await?;
        let step = self.step_in(&mut tx, now).await?;
        tx.commit().await?;
        Ok(step)
    }

    pub(super) async fn step_in(
        &mut self,
        tx: &mut Tx<'_>,
        now: Timestamp,
    ) -> Result<Step, PlanError> {
        let (list, cadence) = (self.edition.list_id.clone(), self.edition.cadence.clone());
        let row =
            tx.hold_cadence(&list, &cadence).await?.ok_or_else(|| missing("cadence", &cadence))?;
        if row.edition_id != Some(self.edition.id) || row.planning_cut.is_none() {
            return Ok(Step::Done);
        }
        self.look_for_withdrawals(tx).await?;
        let chunk = self.planner.chunk;
        // Without new entries there is nothing to decide for those who have been told up to the
        // cut.
        if row.decided_until < ALL_DECIDED && self.edition.since < self.edition.cut {
            let after = row.decided_until;
            match tx.next_unpinned(&list, &cadence, after, chunk).await? {
                Some(until) => {
                    self.decide_slice(tx, false, after, until, now).await?;
                    tx.decided_until(&list, &cadence, until).await?;
                    return Ok(Step::More);
                }
                None => tx.decided_until(&list, &cadence, ALL_DECIDED).await?,
            }
        }
        let cut = self.edition.cut;
        if let Some(until) = tx.next_pinned(&list, &cadence, self.looked_at, cut, chunk).await? {
            self.decide_slice(tx, true, self.looked_at, until, now).await?;
            self.looked_at = until;
            return Ok(Step::More);
        }
        self.finish(tx, now).await?;
        Ok(Step::Done)
    }

    /// Forgets what was decided for groups where an item has been withdrawn since.
    async fn look_for_withdrawals(&mut self, tx: &mut Tx<'_>) -> Result<(), PlanError> {
        let withdrawn = tx.withdrawn_in_window(self.window.after(), self.edition.cut).await?;
        if self.window.withdraw(&withdrawn) {
            self.decided.clear();
        }
        Ok(())
    }

    /// The last look and the move of the cut.
    async fn finish(&mut self, tx: &mut Tx<'_>, now: Timestamp) -> Result<(), PlanError> {
        let (list, cadence) = (self.edition.list_id.clone(), self.edition.cadence.clone());
        let cut = self.edition.cut;
        let mut after = 0;
        while let Some(until) =
            tx.next_pinned(&list, &cadence, after, cut, self.planner.chunk).await?
        {
            self.decide_slice(tx, true, after, until, now).await?;
            after = until;
        }
        // Whoever is still before the cut was left out by the daily cap.
        let left_out = tx.next_pinned(&list, &cadence, 0, cut, 1).await?;
        tx.left_out(&list, &cadence, left_out.map(|_| self.edition.slot_at)).await?;
        let waits = self.edition.approval;
        tx.move_cut(&list, &cadence, self.edition.slot_at, waits).await?;
        let state = if waits { "waiting" } else { "open" };
        tx.edition_planned(self.edition.id, state, now).await?;
        Ok(())
    }

    /// Decides a range of subscriptions, those with a pin or those without.
    async fn decide_slice(
        &mut self,
        tx: &mut Tx<'_>,
        pinned: bool,
        after: i64,
        until: i64,
        now: Timestamp,
    ) -> Result<(), PlanError> {
        let edition = self.edition.clone();
        let zone = self.planner.site.timezone;
        let immediate = edition.cadence.is_immediate();
        let slice = Slice {
            edition: edition.id,
            list: &edition.list_id,
            cadence: &edition.cadence,
            since: edition.since,
            cut: edition.cut,
            pinned,
            after,
            until,
            // Calendars have no cap: no edition is ever as late as the end of time.
            day_start: if immediate {
                day_start(edition.slot_at, zone)
            } else {
                Timestamp(i64::MAX)
            },
            per_day_max: IMMEDIATE_A_DAY_MAX,
        };
        if pinned {
            self.look_back(tx, now).await?;
        }
        self.find_words(tx, &slice).await?;
        if immediate && !pinned {
            tx.pin_left_out(&slice).await?;
        }
        let mut counts = ChunkCounts::default();
        let mut expected = 0;
        for group in tx.groups(&slice).await? {
            let variant = self.decide_group(tx, &group.key).await?;
            counts.considered += group.subscriptions;
            counts.suppressed += group.suppressed;
            let reachable = group.subscriptions - group.suppressed;
            match variant {
                Some(_) => expected += reachable,
                None => counts.empty += reachable,
            }
        }
        let state = if edition.approval { "waiting" } else { "queued" };
        let expires = edition.slot_at.max(now).plus(DIGEST_LIFETIME_SECONDS);
        let written = tx.write_messages(&slice, state, now, expires).await?;
        counts.messages = balanced(edition.id, expected, written)?;
        if pinned {
            // A pin that moved for nobody who was decided would lose them what it passed.
            balanced(edition.id, counts.considered, tx.move_pins(&slice).await?)?;
        }
        tx.add_counts(edition.id, counts).await?;
        Ok(())
    }

    /// Reads further back where somebody has moved in from a cadence that had told less: before
    /// words are looked for, since they may stand there.
    async fn look_back(&mut self, tx: &mut Tx<'_>, now: Timestamp) -> Result<(), PlanError> {
        let pin = tx.earliest_pin(&self.edition.list_id, &self.edition.cadence).await?;
        match pin.filter(|pin| *pin < self.window.after()) {
            Some(pin) => self.load(tx, pin, now).await,
            None => Ok(()),
        }
    }

    /// Finds which followed words of a slice stand in the window, and keeps it for its groups.
    async fn find_words(&mut self, tx: &mut Tx<'_>, slice: &Slice<'_>) -> Result<(), PlanError> {
        tx.forget_hits(slice).await?;
        let followed = tx.words_in_slice(slice).await?;
        self.window.look_for(followed.iter().map(|(_, word, phrase)| (*word, phrase.clone())));
        let mut hits: HashMap<i64, Vec<i64>> = HashMap::new();
        for (subscription, word, _) in followed {
            if self.window.has_word(word) {
                hits.entry(subscription).or_default().push(word);
            }
        }
        for (subscription, mut words) in hits {
            words.sort_unstable();
            tx.insert_hit(slice.edition, subscription, &join_words(&words)).await?;
        }
        Ok(())
    }

    /// What a group gets: a variant or nothing; decided once for all of this run.
    async fn decide_group(
        &mut self,
        tx: &mut Tx<'_>,
        key: &GroupKey,
    ) -> Result<Option<i64>, PlanError> {
        if let Some(variant) = self.decided.get(key) {
            return Ok(*variant);
        }
        // What an earlier run of the planner decided may be older than a withdrawal.
        let variant = self.make_variant(tx, key).await?;
        tx.insert_group(self.edition.id, key, variant).await?;
        self.decided.insert(key.clone(), variant);
        Ok(variant)
    }

    async fn make_variant(
        &mut self,
        tx: &mut Tx<'_>,
        key: &GroupKey,
    ) -> Result<Option<i64>, PlanError> {
        if key.words.is_empty() && self.unconcerned.contains(&key.profile) {
            return Ok(None);
        }
        let profile = match self.profiles.get(&key.profile) {
            Some(profile) => profile.clone(),
            None => {
                let profile = tx.profile(key.profile).await?;
                let profile = profile.ok_or_else(|| missing("profile", key.profile))?;
                self.profiles.insert(key.profile, profile.clone());
                profile
            }
        };
        let told = self.window.decide(key, &profile);
        if told.is_empty() {
            return Ok(None);
        }
        let variant = self.composer.variant(tx, &self.window, &told, profile.language).await?;
        Ok(Some(variant))
    }
}

pub(super) fn missing(what: &str, which: impl std::fmt::Display) -> PlanError {
    PlanError::Missing { what: format!("{what} {which}") }
}
