//! Who may be concerned by an entry: an inverted index from topics and places to profiles.
//!
//! It saves asking [`wants`](super::wants()) of every profile for every entry: the time for one
//! grows with the profiles that share a topic with it, or follow everything where it matters, not
//! with all profiles, and not with subscribers. Followed words are no part of a profile and are
//! looked for by the window.

use std::collections::{HashMap, HashSet};

use crate::model::{PlaceId, TopicId};
use crate::store::Profile;

use super::wants::Candidate;

/// Distinct profiles, found by what they follow.
#[derive(Debug, Default)]
pub struct Interests {
    ids: Vec<i64>,
    /// Where the places of each profile stand in `places`; none for the whole area.
    spans: Vec<(u32, u32)>,
    places: Vec<u32>,
    place_numbers: HashMap<PlaceId, u32>,
    /// Of the profiles that follow some topics, those that follow one.
    by_topic: HashMap<TopicId, Vec<u32>>,
    /// Of the profiles that follow all topics, those that follow a place,
    everything_by_place: HashMap<PlaceId, Vec<u32>>,
    /// those that follow none,
    everything_everywhere: Vec<u32>,
    /// and all of them.
    everything: Vec<u32>,
}

impl Interests {
    /// Takes profiles with their ids, each once.
    pub fn new<'a>(profiles: impl IntoIterator<Item = (i64, &'a Profile)>) -> Self {
        let mut interests = Self::default();
        for (id, profile) in profiles {
            interests.add(id, profile);
        }
        interests
    }

    fn add(&mut self, id: i64, profile: &Profile) {
        let number = counted(self.ids.len());
        self.ids.push(id);
        let begin = counted(self.places.len());
        for place in &profile.places {
            let next = counted(self.place_numbers.len());
            let place = *self.place_numbers.entry(place.clone()).or_insert(next);
            self.places.push(place);
        }
        self.spans.push((begin, counted(self.places.len())));
        if !profile.all_topics {
            for topic in &profile.topics {
                self.by_topic.entry(topic.clone()).or_default().push(number);
            }
            return;
        }
        self.everything.push(number);
        if profile.places.is_empty() {
            self.everything_everywhere.push(number);
        }
        for place in &profile.places {
            self.everything_by_place.entry(place.clone()).or_default().push(number);
        }
    }

    /// The ids of the profiles that want an entry for its topics and places, each once, in the
    /// order in which they were given.
    pub fn concerned(&self, candidate: &Candidate) -> Vec<i64> {
        if candidate.over {
            return Vec::new();
        }
        let mut found: Vec<u32> = Vec::new();
        let here: Vec<u32> =
            candidate.places.iter().filter_map(|id| self.place_numbers.get(id).copied()).collect();
        for topic in &candidate.topics {
            let following = self.by_topic.get(topic).into_iter().flatten().copied();
            if candidate.places.is_empty() {
                found.extend(following);
            } else {
                found.extend(following.filter(|&profile| self.is_near(profile, &here)));
            }
        }
        if candidate.places.is_empty() {
            found.extend(&self.everything);
        } else {
            found.extend(&self.everything_everywhere);
            for place in &candidate.places {
                found.extend(self.everything_by_place.get(place).into_iter().flatten());
            }
        }
        found.sort_unstable();
        found.dedup();
        found.into_iter().map(|profile| self.ids[profile as usize]).collect()
    }

    /// The ids of the profiles that want none of some entries.
    pub fn unconcerned_by_all<'a>(
        &self,
        candidates: impl IntoIterator<Item = &'a Candidate>,
    ) -> HashSet<i64> {
        let mut unconcerned: HashSet<i64> = self.ids.iter().copied().collect();
        for candidate in candidates {
            for profile in self.concerned(candidate) {
                unconcerned.remove(&profile);
            }
        }
        unconcerned
    }

    fn is_near(&self, profile: u32, here: &[u32]) -> bool {
        let (begin, end) = self.spans[profile as usize];
        let own = &self.places[begin as usize..end as usize];
        own.is_empty() || own.iter().any(|place| here.contains(place))
    }
}

/// A length as a number, of which a database has fewer than four thousand million.
fn counted(length: usize) -> u32 {
    u32::try_from(length).expect("profiles and their places are fewer than 2^32")
}
