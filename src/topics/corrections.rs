//! What named persons have said of an item: it is about a topic, or is not; it matters in a place,
//! or does not. That wins over the rules, for all revisions of the item.

use serde::{Deserialize, Serialize};

use super::{Classification, PlaceMatch, TopicMatch};
use crate::model::{PlaceId, Timestamp, TopicId};

/// What a correction is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// A topic.
    Topic(TopicId),
    /// A place.
    Place(PlaceId),
}

/// A correction. Of several about the same thing the newest counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// Which topic or place.
    #[serde(flatten)]
    pub subject: Subject,
    /// Whether the item has it.
    pub is: bool,
    /// Who says so.
    pub by: String,
    /// When, in seconds since 1970.
    pub at: i64,
}

impl Correction {
    /// When.
    pub fn time(&self) -> Timestamp {
        Timestamp(self.at)
    }
}

impl Classification {
    /// What was found, with corrections applied in their order. A topic that a person gave has no
    /// evidence and the score of its corrections, one; `corrected` says who gave it and when.
    #[must_use]
    pub fn corrected(mut self, corrections: &[Correction]) -> Self {
        for correction in corrections {
            self.corrected.retain(|known| known.subject != correction.subject);
            self.corrected.push(correction.clone());
            match &correction.subject {
                Subject::Topic(id) => self.correct_topic(id, correction.is),
                Subject::Place(id) => self.correct_place(id, correction.is),
            }
        }
        self
    }

    fn correct_topic(&mut self, id: &TopicId, is: bool) {
        let has = self.topics.iter().any(|topic| topic.id == *id);
        if is && !has {
            self.topics.push(TopicMatch { id: id.clone(), score: 1.0, evidence: Vec::new() });
        } else if !is {
            self.topics.retain(|topic| topic.id != *id);
        }
    }

    fn correct_place(&mut self, id: &PlaceId, is: bool) {
        let has = self.places.iter().any(|place| place.id == *id);
        if is && !has {
            self.places.push(PlaceMatch { id: id.clone(), evidence: Vec::new() });
        } else if !is {
            self.places.retain(|place| place.id != *id);
        }
    }
}
