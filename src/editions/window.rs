//! What an edition can tell: the entries up to its cut, judged and with their texts.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono_tz::Tz;

use crate::model::Timestamp;
use crate::store::{Carrying, EditionRow, EntryRow, GroupKey, Profile, StoreError, Tx};
use crate::topics::{Classification, FollowedWords, ItemText, Rules};

use super::classified::{SourcePlaces, classify, corrections_of, keep_found};
use super::interests::Interests;
use super::wants::{Candidate, Reason, carries, latest, wants};

/// One entry that a group is told, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Told {
    /// Its index in the window.
    pub index: usize,
    /// Why.
    pub reason: Reason,
}

/// The entries of an edition's window.
#[derive(Debug, Default)]
pub struct Window {
    after: i64,
    entries: Vec<EntryRow>,
    matches: Vec<Classification>,
    candidates: Vec<Candidate>,
    carrying: Vec<Carrying>,
    /// For each start of a group's window, the entries that count.
    counting: HashMap<i64, Vec<usize>>,
    /// For each followed word that was looked for, the entries it stands in.
    words: HashMap<i64, Vec<usize>>,
    phrases: HashMap<i64, String>,
}

impl Window {
    /// Reads the entries after a position and up to an edition's cut, and matches those that the
    /// rules have not seen.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn load(
        tx: &mut Tx<'_>,
        edition: &EditionRow,
        after: i64,
        rules: &Rules,
        zone: Tz,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let today = edition.slot_at.in_zone(zone).date_naive();
        let entries = tx.window(after, edition.cut, &edition.ruleset).await?;
        let corrected = tx.corrections_in_window(after, edition.cut, edition.corrections).await?;
        let mut places = SourcePlaces::default();
        let mut matches = Vec::with_capacity(entries.len());
        for entry in &entries {
            let found = matched(tx, entry, rules, &mut places, zone, now).await?;
            let own = corrected.iter().filter(|row| row.item == entry.item_id);
            matches.push(found.corrected(&corrections_of(own)));
        }
        let candidates = entries
            .iter()
            .zip(&matches)
            .map(|(entry, found)| Candidate {
                position: entry.position,
                item: entry.item_id,
                reason: entry.reason,
                source: entry.source_id.clone(),
                topics: found.topics.iter().map(|topic| topic.id.clone()).collect(),
                places: found.places.iter().map(|place| place.id.clone()).collect(),
                over: entry.withdrawn_at.is_some()
                    || found.deadline.is_some_and(|deadline| deadline < today)
                    || entry.publication_end.is_some_and(|end| end < today),
            })
            .collect();
        let carrying = tx.carried(&edition.list_id).await?;
        Ok(Self { after, entries, matches, candidates, carrying, ..Self::default() })
    }

    /// The profiles that no entry concerns by its topics and places; followed words aside.
    pub fn unconcerned(&self, interests: &Interests) -> HashSet<i64> {
        let carried = |candidate: &&Candidate| carries(&self.carrying, candidate);
        interests.unconcerned_by_all(self.candidates.iter().filter(carried))
    }

    /// Takes the positions of withdrawn items; gives whether that changes what can be told.
    pub fn withdraw(&mut self, positions: &[i64]) -> bool {
        let mut changed = false;
        for candidate in &mut self.candidates {
            if !candidate.over && positions.contains(&candidate.position) {
                candidate.over = true;
                changed = true;
            }
        }
        changed
    }

    /// The position after which entries were read.
    pub fn after(&self) -> i64 {
        self.after
    }

    /// An entry with its texts.
    pub fn entry(&self, index: usize) -> &EntryRow {
        &self.entries[index]
    }

    /// What was found in an entry.
    pub fn found(&self, index: usize) -> &Classification {
        &self.matches[index]
    }

    /// The phrase of a followed word that was looked for.
    pub fn phrase(&self, word: i64) -> &str {
        self.phrases.get(&word).map_or("", String::as_str)
    }

    /// Looks for followed words in all entries, in one pass over each; known words are not looked
    /// for again.
    pub fn look_for(&mut self, words: impl IntoIterator<Item = (i64, String)>) {
        let new: BTreeMap<i64, String> =
            words.into_iter().filter(|(word, _)| !self.words.contains_key(word)).collect();
        if new.is_empty() {
            return;
        }
        let finder = FollowedWords::new(new.clone());
        for word in new.keys() {
            self.words.insert(*word, Vec::new());
        }
        for (index, entry) in self.entries.iter().enumerate() {
            for word in finder.hits(&ItemText::from(&entry.text)) {
                self.words.entry(word).or_default().push(index);
            }
        }
        self.phrases.extend(new);
    }

    /// The followed words that were looked for, for the window that takes this one's place.
    pub fn take_phrases(&mut self) -> HashMap<i64, String> {
        std::mem::take(&mut self.phrases)
    }

    /// Whether a followed word stands in any entry.
    pub fn has_word(&self, word: i64) -> bool {
        self.words.get(&word).is_some_and(|hits| !hits.is_empty())
    }

    /// What a group is told, in the order of the stream.
    pub fn decide(&mut self, key: &GroupKey, profile: &Profile) -> Vec<Told> {
        let words = split_words(&key.words);
        let Self { candidates, carrying, counting, words: hits, .. } = self;
        let counting = counting.entry(key.since).or_insert_with(|| {
            let carried = |index: &usize| carries(carrying, &candidates[*index]);
            latest(candidates, key.since).into_iter().filter(carried).collect()
        });
        let told = counting.iter().filter_map(|index| {
            let standing: Vec<i64> = words
                .iter()
                .filter(|word| hits.get(word).is_some_and(|hits| hits.contains(index)))
                .copied()
                .collect();
            let reason = wants(profile, &standing, &candidates[*index])?;
            Some(Told { index: *index, reason })
        });
        told.collect()
    }
}

/// The ids of followed words as a group's key has them, and back.
pub fn join_words(words: &[i64]) -> String {
    words.iter().map(i64::to_string).collect::<Vec<_>>().join(",")
}

fn split_words(text: &str) -> Vec<i64> {
    text.split(',').filter_map(|word| word.parse().ok()).collect()
}

/// What the edition's rule set found in an entry. Rules that changed since it came have not looked
/// at it yet: they do so now, and it is kept.
async fn matched(
    tx: &mut Tx<'_>,
    entry: &EntryRow,
    rules: &Rules,
    places: &mut SourcePlaces,
    zone: Tz,
    now: Timestamp,
) -> Result<Classification, StoreError> {
    if let Some(text) = &entry.classification_json {
        return serde_json::from_str(text)
            .map_err(|_| StoreError::Unreadable { what: "classification", text: text.clone() });
    }
    let place = places.of(tx, &entry.source_id).await?;
    let found = classify(rules, &entry.text, place.as_ref(), zone, entry.placed_at);
    keep_found(tx, rules, (entry.item_id, entry.revision), &found, now).await?;
    Ok(found)
}
