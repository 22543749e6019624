//! What mails to the office say, from the catalogues.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

use super::OfficeMatter;
use super::catalogue::{Catalogue, Plural, plural, put};

/// The part of a catalogue that is about the office.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfficeWords {
    moment: String,
    subject: String,
    intro: String,
    numbers: Numbers,
    words: Words,
    bad: Says,
    recovered: Recovered,
    gone: Says,
    held: Held,
    troubles: BTreeMap<String, Trouble>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Numbers {
    news: Plural,
    more: Plural,
    others: Plural,
}

/// What templates show as it is.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    pub(super) title: String,
    todo: String,
    error: String,
    why: String,
    no_tracking: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Says {
    heading: String,
    says: String,
    todo: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recovered {
    heading: String,
    says: String,
    says_only: String,
    todo: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Held {
    heading: String,
    says: Plural,
    todo: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trouble {
    cause: String,
    todo: String,
}

impl OfficeWords {
    /// The phrases that have places, with the names of those.
    pub(super) fn places(&self) -> [(&str, &'static [&'static str]); 11] {
        [
            (&self.moment, &["date", "time"]),
            (&self.subject, &["heading", "source"]),
            (&self.intro, &["site"]),
            (&self.numbers.news.other, &["count"]),
            (&self.numbers.more.other, &["count"]),
            (&self.numbers.others.other, &["count"]),
            (&self.bad.says, &["since", "cause"]),
            (&self.bad.todo, &["todo"]),
            (&self.recovered.says, &["since"]),
            (&self.held.says.other, &["count"]),
            (&self.held.todo, &["id"]),
        ]
    }

    pub(super) fn words(&self) -> &Words {
        &self.words
    }

    pub(super) fn intro(&self, site: &str) -> String {
        put(&self.intro, &[("site", site)])
    }

    /// `3 avvisi sulle fonti`
    pub(super) fn news(&self, count: usize) -> String {
        plural(&self.numbers.news, count)
    }

    /// How many things are not told in full.
    pub(super) fn more(&self, count: usize) -> String {
        plural(&self.numbers.more, count)
    }

    /// How many items have no title here.
    pub(super) fn others(&self, count: usize) -> String {
        plural(&self.numbers.others, count)
    }

    pub(super) fn heading(&self, what: &OfficeMatter<'_>) -> &str {
        match what {
            OfficeMatter::Bad { .. } => &self.bad.heading,
            OfficeMatter::Recovered { .. } => &self.recovered.heading,
            OfficeMatter::Gone => &self.gone.heading,
            OfficeMatter::Held { .. } => &self.held.heading,
        }
    }

    pub(super) fn subject(&self, what: &OfficeMatter<'_>, source: &str) -> String {
        put(&self.subject, &[("heading", self.heading(what)), ("source", source)])
    }

    /// What can be done about it.
    pub(super) fn todo(&self, what: &OfficeMatter<'_>, id: &str) -> String {
        let (phrase, todo) = match what {
            OfficeMatter::Bad { trouble, .. } => (&self.bad.todo, self.trouble(trouble).1),
            OfficeMatter::Recovered { .. } => (&self.recovered.todo, ""),
            OfficeMatter::Gone => (&self.gone.todo, ""),
            OfficeMatter::Held { .. } => (&self.held.todo, ""),
        };
        put(phrase, &[("id", id), ("todo", todo)])
    }

    fn trouble(&self, name: &str) -> (&str, &str) {
        self.troubles.get(name).map_or(("", ""), |trouble| (&trouble.cause, &trouble.todo))
    }
}

impl Catalogue {
    /// `17 novembre 2022, ore 9:05`
    pub(super) fn moment(&self, at: NaiveDateTime) -> String {
        let time = at.format("%-H:%M").to_string();
        put(&self.office.moment, &[("date", &self.date(at.date())), ("time", &time)])
    }

    /// What happened, in a sentence or two.
    pub(super) fn office_says(&self, what: &OfficeMatter<'_>) -> String {
        let office = &self.office;
        match what {
            OfficeMatter::Bad { since, trouble, .. } => {
                let (since, cause) = (self.moment(*since), office.trouble(trouble).0);
                put(&office.bad.says, &[("since", &since), ("cause", cause)])
            }
            OfficeMatter::Recovered { since: Some(since) } => {
                put(&office.recovered.says, &[("since", &self.moment(*since))])
            }
            OfficeMatter::Recovered { since: None } => office.recovered.says_only.clone(),
            OfficeMatter::Gone => office.gone.says.clone(),
            OfficeMatter::Held { count, .. } => plural(&office.held.says, *count),
        }
    }
}
