//! Decides what an item is about and where it matters, and keeps the evidence.
//!
//! The room is pure: rules and a text go in, a [`Classification`] comes out. Rules are read from
//! two files that an office can read and correct, `topics.toml` and `places.toml`; `docs/topics.md`
//! says how. A text is analysed once (`analysis`), read once by one automaton (`phrases`), and what
//! was found is weighed by where it stands: a word in the title says what an item is about, a word
//! deep in a long text mostly does not.

mod amounts;
mod analysis;
mod checking;
mod codes;
mod compile;
mod corrections;
mod cover;
mod deadline;
mod differing;
mod evaluate;
mod file;
mod followed;
mod municipalities;
mod phrases;
mod places;
mod reading;
mod rules;
mod served;
mod suggesting;

use chrono::{NaiveDate, NaiveTime};
use serde::{Deserialize, Serialize};

use banditore_model as model;
use model::{PlaceId, TopicId};

pub use amounts::{AMOUNTS_MAX, Amount};
pub use analysis::{FIELD_OCTETS_MAX, WORD_LETTERS_MAX};
pub use checking::{Flaw, FlawFound, Matched, flaws};
pub use codes::{CODES_MAX, Codes};
pub use compile::RULES_MAX;
pub use corrections::{Correction, Subject as CorrectionSubject};
pub use deadline::Undated;
pub use differing::Difference;
pub use evaluate::{
    EvaluateError, Evaluation, Figures, Missed, Prediction, TopicFigures, Why, evaluate,
};
pub use file::{RULES_FILE_OCTETS_MAX, RulesError, RulesFile};
pub use followed::{FOLLOWED_OCTETS_MAX, FOLLOWED_WORDS_MAX, FollowedWords, phrase_key};
pub use municipalities::{Municipality, municipalities};
pub use phrases::{GAP_WORDS_MAX, PHRASE_WORDS_MAX, PhraseError};
pub use places::{ELSEWHERE_MAX, Elsewhere, Place};
pub use rules::{EVIDENCE_MAX, Rules, Topic};
pub use suggesting::{SUGGESTIONS_MAX, Suggesting, Suggestion, Suggestions};

/// What is looked at of an item.
#[derive(Clone, Copy, Debug)]
pub struct ItemText<'a> {
    /// The title, plain text.
    pub title: &'a str,
    /// The text, plain, paragraphs kept as lines.
    pub text: &'a str,
    /// The publisher's own categories.
    pub categories: &'a [String],
    /// Texts that stand for images.
    pub image_alt: &'a [String],
}

/// Where in an item words were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Field {
    /// The title.
    Title,
    /// The text.
    Text,
    /// One of the publisher's categories.
    Category,
    /// One of the texts that stand for images.
    Image,
}

/// The words that made a match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The rule: the topic or place it belongs to, and the phrase as it stands in the file.
    pub rule: String,
    /// The words as they were written.
    pub text: String,
    /// Where they stand.
    pub field: Field,
    /// Their first octet in that field.
    pub start: usize,
    /// The octet after their last.
    pub end: usize,
}

/// A topic that an item has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopicMatch {
    /// Which.
    pub id: TopicId,
    /// How much speaks for it; at least the topic's threshold.
    pub score: f64,
    /// Why, strongest first.
    pub evidence: Vec<Evidence>,
}

/// A place where an item matters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceMatch {
    /// Which.
    pub id: PlaceId,
    /// Why, in the order of the fields.
    pub evidence: Vec<Evidence>,
}

/// What a rule set found in one revision of an item.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Classification {
    /// The topics, in the order of the rules.
    pub topics: Vec<TopicMatch>,
    /// The places; none where the item matters everywhere.
    pub places: Vec<PlaceMatch>,
    /// The words that say that it matters in the whole area.
    #[serde(default)]
    pub area: Vec<Evidence>,
    /// Municipalities named in it that are not served.
    #[serde(default)]
    pub elsewhere: Vec<Elsewhere>,
    /// Codes of procurement and of investment.
    pub codes: Codes,
    /// Sums of money.
    #[serde(default)]
    pub amounts: Vec<Amount>,
    /// The last day on which something can be handed in.
    pub deadline: Option<NaiveDate>,
    /// Until what time of that day, where the text says so.
    #[serde(default)]
    pub deadline_time: Option<NaiveTime>,
    /// The words that say so.
    #[serde(default)]
    pub deadline_evidence: Option<Evidence>,
    /// Deadlines said without their year, until it is known when the item was published.
    #[serde(skip)]
    pub undated: Vec<Undated>,
    /// The place that it has because its source has it: nothing in it names one.
    #[serde(default)]
    pub source_place: Option<PlaceId>,
    /// What named persons have corrected in it.
    #[serde(default)]
    pub corrected: Vec<Correction>,
}
