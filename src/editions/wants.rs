//! Who gets what: the rule, once.
//!
//! A subscription wants an entry when a followed word is in it, or when its topics (or all) and its
//! places meet the entry's; and the list carried the entry's source when the entry got its
//! position; and the item is neither withdrawn nor past its deadline or the end of its publication.
//! Of an item's several entries in a window the latest counts.

use std::collections::BTreeMap;

use crate::model::{PlaceId, SourceId, TopicId};
use crate::store::{Carrying, EntryReason, Profile};

/// An entry as it is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its place in the stream.
    pub position: i64,
    /// The item it tells.
    pub item: i64,
    /// Why it is in the stream.
    pub reason: EntryReason,
    /// The item's source.
    pub source: SourceId,
    /// What it is about, in the order of the rules.
    pub topics: Vec<TopicId>,
    /// Where it matters; none stands for everywhere.
    pub places: Vec<PlaceId>,
    /// Whether the item is withdrawn, or past its deadline or the end of its publication.
    pub over: bool,
}

/// Why somebody wants an entry: what is shown below it in the mail.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason {
    /// All topics are followed.
    pub everything: bool,
    /// The followed topics that it has.
    pub topics: Vec<TopicId>,
    /// The followed places that it has.
    pub places: Vec<PlaceId>,
    /// The followed words that are in it.
    pub words: Vec<i64>,
}

/// Whether a list carried an entry's source when the entry got its position.
pub fn carries(carrying: &[Carrying], candidate: &Candidate) -> bool {
    carrying.iter().any(|held| {
        held.source.as_ref().is_none_or(|source| source == candidate.source.as_str())
            && held.since < candidate.position
            && held.until.is_none_or(|until| candidate.position <= until)
    })
}

/// Whether somebody with this profile wants an entry in which these of their followed words stand;
/// and why. Whether the list carries it is asked by [`carries`].
pub fn wants(profile: &Profile, words: &[i64], candidate: &Candidate) -> Option<Reason> {
    if candidate.over {
        return None;
    }
    let both = |wanted: &[TopicId]| -> Vec<TopicId> {
        candidate.topics.iter().filter(|topic| wanted.contains(topic)).cloned().collect()
    };
    let topics = both(&profile.topics);
    let places: Vec<PlaceId> =
        candidate.places.iter().filter(|place| profile.places.contains(place)).cloned().collect();
    let about = profile.all_topics || !topics.is_empty();
    let near = candidate.places.is_empty() || profile.places.is_empty() || !places.is_empty();
    if about && near {
        let words = words.to_vec();
        return Some(Reason { everything: profile.all_topics, topics, places, words });
    }
    // The words alone brought it, so the words alone are its reason.
    (!words.is_empty()).then(|| Reason { words: words.to_vec(), ..Reason::default() })
}

/// Of the candidates after a position, ordered by position, those that count: of each item the
/// latest.
pub fn latest(candidates: &[Candidate], since: i64) -> Vec<usize> {
    let mut newest = BTreeMap::new();
    for (index, candidate) in candidates.iter().enumerate() {
        if candidate.position > since {
            newest.insert(candidate.item, index);
        }
    }
    let mut indices: Vec<usize> = newest.into_values().collect();
    indices.sort_unstable();
    indices
}
