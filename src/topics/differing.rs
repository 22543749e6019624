//! What other rules would make of an item: what they add and what they take away.

use serde::Serialize;

use super::{Classification, PlaceMatch, TopicMatch};

/// What differs between two decisions about one item.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Difference {
    /// Topics that only the second has, with its evidence.
    pub topics_added: Vec<TopicMatch>,
    /// Topics that only the first has, with its evidence.
    pub topics_removed: Vec<TopicMatch>,
    /// Places that only the second has.
    pub places_added: Vec<PlaceMatch>,
    /// Places that only the first has.
    pub places_removed: Vec<PlaceMatch>,
}

impl Difference {
    /// From one decision to another.
    pub fn between(before: &Classification, after: &Classification) -> Self {
        let topics = |these: &[TopicMatch], those: &[TopicMatch]| {
            let missing = |topic: &&TopicMatch| those.iter().all(|other| other.id != topic.id);
            these.iter().filter(missing).cloned().collect()
        };
        let places = |these: &[PlaceMatch], those: &[PlaceMatch]| {
            let missing = |place: &&PlaceMatch| those.iter().all(|other| other.id != place.id);
            these.iter().filter(missing).cloned().collect()
        };
        Self {
            topics_added: topics(&after.topics, &before.topics),
            topics_removed: topics(&before.topics, &after.topics),
            places_added: places(&after.places, &before.places),
            places_removed: places(&before.places, &after.places),
        }
    }

    /// Whether both decided alike.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}
