//! The two files of rules as they are written, and what can be wrong with them.

use std::fmt;

use serde::{Deserialize, Serialize};
use toml::Spanned;

/// The most octets of one file of rules.
pub const RULES_FILE_OCTETS_MAX: usize = 8 * 1024 * 1024;

/// The least likeness at which an unknown key is taken for a misspelt one (Jaro–Winkler).
const LIKENESS_MIN: f64 = 0.7;

/// Which of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RulesFile {
    /// The topics and their rules.
    Topics,
    /// The places served.
    Places,
}

impl fmt::Display for RulesFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RulesFile::Topics => "topics.toml",
            RulesFile::Places => "places.toml",
        })
    }
}

/// Rules that cannot be used: where, what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {what}", line.map(|line| format!(" line {line}")).unwrap_or_default())]
pub struct RulesError {
    /// The file.
    pub file: RulesFile,
    /// The line, counted from 1, where it is known.
    pub line: Option<usize>,
    /// What is wrong, and with which thing.
    pub what: String,
    /// What to do.
    pub hint: String,
}

/// A file that is being read, to tell where an error is.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    pub file: RulesFile,
    pub text: &'a str,
}

impl Text<'_> {
    /// An error at an offset of the file.
    pub fn error(&self, at: usize, what: impl Into<String>, hint: impl Into<String>) -> RulesError {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        let line = 1 + before.iter().filter(|&&octet| octet == b'\n').count();
        RulesError { file: self.file, line: Some(line), what: what.into(), hint: hint.into() }
    }

    /// Reads the file as what it should be.
    pub fn parse<T: for<'de> Deserialize<'de>>(&self) -> Result<T, RulesError> {
        if self.text.len() > RULES_FILE_OCTETS_MAX {
            let what = format!("the file is longer than {RULES_FILE_OCTETS_MAX} octets");
            return Err(self.error(0, what, "divide the rules or shorten them"));
        }
        toml::from_str(self.text).map_err(|error| {
            let what = error.message().replace('\n', " ");
            let hint = hint(&what);
            match error.span() {
                Some(span) => self.error(span.start, what, hint),
                None => RulesError { file: self.file, line: None, what, hint },
            }
        })
    }
}

/// What to do about a message of the TOML reader.
fn hint(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    if message.starts_with("unknown field")
        && let Some(unknown) = quoted.next()
    {
        let nearest = quoted
            .map(|known| (strsim::jaro_winkler(unknown, known), known))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        return match nearest {
            Some((likeness, known)) if likeness >= LIKENESS_MIN => {
                format!("write `{known}`, or take the key out")
            }
            _ => "take the key out".to_owned(),
        };
    }
    if message.starts_with("missing field") {
        return "add the key to this entry".to_owned();
    }
    if message.starts_with("invalid type") {
        return "write lists in [ ], texts in quotation marks, numbers without".to_owned();
    }
    "look for a missing quotation mark, comma or bracket at or before this line".to_owned()
}

/// A text in every language with a catalogue.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Localized {
    pub it: String,
    pub en: String,
}

/// `topics.toml`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TopicsFile {
    /// Phrases in which no word counts, whatever the topic.
    #[serde(default)]
    pub hide: Vec<Spanned<String>>,
    #[serde(default)]
    pub skip: Vec<SkipFile>,
    /// Words before the name of a street, in which no word counts.
    #[serde(default)]
    pub streets: Vec<Spanned<String>>,
    #[serde(default)]
    pub aside: Vec<AsideFile>,
    #[serde(skip_serializing)]
    pub weights: Option<Spanned<WeightsFile>>,
    #[serde(default)]
    pub topic: Vec<TopicFile>,
}

/// A stretch of boilerplate, from one phrase to another.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SkipFile {
    pub from: Spanned<String>,
    pub to: Spanned<String>,
}

/// Where a title says one of these topics, what follows such a phrase is only the occasion.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AsideFile {
    pub topics: Vec<Spanned<String>>,
    pub after: Vec<Spanned<String>>,
}

/// How much a word counts, by grade and by where it stands.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WeightsFile {
    /// A rule under `strong`, in the lead of the text.
    pub strong: f64,
    /// A rule under `weak`, in the lead of the text.
    pub weak: f64,
    /// A rule under `hints`, in the lead of the text.
    pub hint: f64,
    /// Factor for the title.
    pub title: f64,
    /// Factor for the lead.
    pub lead: f64,
    /// Factor for the lead where the title has said what the item is about.
    pub lead_beside_title: f64,
    /// Factor of thresholds beside a topic that a strong rule finds in the title.
    pub beside: f64,
    /// Factor for the text after the lead.
    pub body: f64,
    /// Factor for the publisher's categories.
    pub category: f64,
    /// Factor for texts that stand for images.
    pub image: f64,
    /// How many words of the text are its lead.
    pub lead_words: usize,
    /// How many words of the title are its beginning; what follows counts like the lead.
    pub title_words: usize,
}

impl Default for WeightsFile {
    fn default() -> Self {
        Self {
            strong: 1.0,
            weak: 0.5,
            hint: 0.25,
            title: 2.0,
            lead: 1.0,
            lead_beside_title: 1.0,
            beside: 1.0,
            body: 0.25,
            category: 1.0,
            image: 0.5,
            lead_words: 80,
            title_words: 40,
        }
    }
}

/// One topic.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TopicFile {
    pub id: Spanned<String>,
    pub label: Localized,
    pub description: Localized,
    pub threshold: Option<Spanned<f64>>,
    #[serde(default)]
    pub strong: Vec<Spanned<String>>,
    /// Strong in the title, weak elsewhere.
    #[serde(default)]
    pub titles: Vec<Spanned<String>>,
    #[serde(default)]
    pub weak: Vec<Spanned<String>>,
    #[serde(default)]
    pub hints: Vec<Spanned<String>>,
    #[serde(default, rename = "not")]
    pub hidden: Vec<Spanned<String>>,
    #[serde(default)]
    pub categories: Vec<Spanned<String>>,
    #[serde(default)]
    pub codes: Vec<CodeKind>,
    #[serde(default)]
    pub implies: Vec<Spanned<String>>,
    /// Topics beside which this one is none: what is bought for a feast is no feast.
    #[serde(default)]
    pub unless: Vec<Spanned<String>>,
}

/// A kind of code that speaks for a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CodeKind {
    /// Procurement.
    Cig,
    /// Public investment.
    Cup,
    /// PNRR.
    Measure,
}

/// `places.toml`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlacesFile {
    /// Municipalities of ISTAT's list that need no entry of their own: `019035`, `Crema (CR)`.
    #[serde(default)]
    pub serve: Vec<Spanned<String>>,
    #[serde(default)]
    pub context: ContextFile,
    #[serde(default)]
    pub area: AreaFile,
    #[serde(default)]
    pub place: Vec<PlaceFile>,
}

/// Words before a name that say what the name means there.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ContextFile {
    /// Directly before a name: it is a street.
    pub streets: Vec<Spanned<String>>,
    /// Before a name, prepositions apart: it is a bank, a diocese, a person.
    pub others: Vec<Spanned<String>>,
    /// Directly before a name: it is a family name.
    pub first_names: Vec<Spanned<String>>,
    /// Directly before a name, with no preposition between: it is a family name.
    pub titles: Vec<Spanned<String>>,
    /// Before a name, prepositions apart: it is surely the municipality.
    pub municipality: Vec<Spanned<String>>,
}

/// What means the whole area.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AreaFile {
    pub phrases: Vec<Spanned<String>>,
    #[serde(rename = "not")]
    pub hidden: Vec<Spanned<String>>,
}

/// One place.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceFile {
    /// The name in small letters and hyphens where it is left out.
    pub id: Option<Spanned<String>>,
    /// ISTAT's name where it is left out.
    pub name: Option<Spanned<String>>,
    /// ISTAT's sign where it is left out.
    pub province: Option<Spanned<String>>,
    pub istat: Option<Spanned<String>>,
    #[serde(default)]
    pub aliases: Vec<Spanned<String>>,
    /// Names that mean the place only after a word of `context.municipality`.
    #[serde(default)]
    pub short_names: Vec<Spanned<String>>,
    /// The name itself means the place only after such a word.
    #[serde(default)]
    pub ambiguous: bool,
    #[serde(default, rename = "not")]
    pub hidden: Vec<Spanned<String>>,
}
