//! The words of one language: dates, plural forms, phrases. They stand in `templates/`, none here.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{Datelike, NaiveDate, NaiveTime};
use serde::{Deserialize, Serialize};

use super::NoticeAbout;
use super::office_words::OfficeWords;
use super::rehearsal::RehearsalWords;
use super::templates::TemplateError;

/// A phrase in the singular and in the plural. Italian and English need no third form.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plural {
    pub(super) one: String,
    pub(super) other: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dates {
    date: String,
    date_with_weekday: String,
    first_of_month: String,
    months: [String; 12],
    weekdays: [String; 7],
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Numbers {
    items: Plural,
    others: Plural,
    more: Plural,
    thousands: String,
    decimal: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Phrases {
    subject: String,
    source: String,
    deadline: String,
    deadline_time: String,
    sums: String,
    reason: String,
    followed_word: String,
    everything: String,
    sender: String,
    contact: String,
    untitled: String,
    rest: String,
}

/// What templates show as it is.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    correction: String,
    address: String,
    why: String,
    unsubscribe: String,
    unsubscribe_note: String,
    preferences: String,
    website: String,
    no_tracking: String,
}

/// What notices show as it is.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Notices {
    address: String,
    website: String,
    no_tracking: String,
    #[serde(skip_serializing)]
    confirmation: NoticeWords,
    #[serde(skip_serializing)]
    already: NoticeWords,
    #[serde(skip_serializing)]
    preferences: NoticeWords,
}

/// What one kind of notice says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoticeWords {
    pub(super) subject: String,
    pub(super) title: String,
    pub(super) asked: String,
    pub(super) todo: String,
    pub(super) button: String,
    pub(super) otherwise: String,
}

impl Notices {
    /// What notices show, and what this one says.
    pub(super) fn says(&self, about: NoticeAbout, site: &str, list: &str) -> (&Self, NoticeWords) {
        let (words, days, hours) = match about {
            NoticeAbout::Confirmation { days } => (&self.confirmation, days, 24 * days),
            NoticeAbout::Already { hours } => (&self.already, hours / 24, hours),
            NoticeAbout::Preferences { hours } => (&self.preferences, hours / 24, hours),
        };
        let (days, hours) = (days.to_string(), hours.to_string());
        let put = |phrase: &str| {
            put(phrase, &[("site", site), ("list", list), ("days", &days), ("hours", &hours)])
        };
        let says = NoticeWords {
            subject: put(&words.subject),
            title: put(&words.title),
            asked: put(&words.asked),
            todo: put(&words.todo),
            button: put(&words.button),
            otherwise: put(&words.otherwise),
        };
        (self, says)
    }
}

#[derive(Clone, Debug, Deserialize)]
struct Cadences {
    other: String,
    #[serde(flatten)]
    named: BTreeMap<String, String>,
}

/// The words of one language.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Catalogue {
    pub(super) abbreviations: Vec<String>,
    dates: Dates,
    cadences: Cadences,
    numbers: Numbers,
    phrases: Phrases,
    pub(super) words: Words,
    pub(super) notices: Notices,
    pub(super) rehearsal: RehearsalWords,
    pub(super) office: OfficeWords,
}

impl Catalogue {
    /// Reads a catalogue; `file` is its name for errors.
    pub(super) fn read(file: &str, text: &str) -> Result<Self, TemplateError> {
        let catalogue: Self = toml::from_str(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            TemplateError::at(file, text, offset, error.message())
        })?;
        catalogue.check_places(file, text)?;
        Ok(catalogue)
    }

    /// A phrase that has lost its place for a value would silently leave the value out.
    fn check_places(&self, file: &str, text: &str) -> Result<(), TemplateError> {
        let phrases = [
            (&self.dates.date, &["day", "month", "year"][..]),
            (&self.dates.date_with_weekday, &["weekday", "day", "month", "year"]),
            (&self.numbers.items.one, &[]),
            (&self.numbers.items.other, &["count"]),
            (&self.numbers.others.one, &[]),
            (&self.numbers.others.other, &["count"]),
            (&self.numbers.more.one, &[]),
            (&self.numbers.more.other, &["count"]),
            (&self.phrases.subject, &["title", "others"]),
            (&self.phrases.source, &["source"]),
            (&self.phrases.deadline, &["date"]),
            (&self.phrases.deadline_time, &["date", "time"]),
            (&self.phrases.sums, &["sums"]),
            (&self.phrases.reason, &["interests"]),
            (&self.phrases.followed_word, &["word"]),
            (&self.phrases.sender, &["site", "list"]),
            (&self.phrases.contact, &["contact"]),
            (&self.notices.confirmation.asked, &["site", "list"]),
            (&self.notices.confirmation.otherwise, &["days"]),
            (&self.notices.already.asked, &["site", "list"]),
            (&self.notices.already.todo, &["hours"]),
            (&self.notices.preferences.asked, &["site"]),
            (&self.notices.preferences.todo, &["hours"]),
            (&self.rehearsal.note, &["address"]),
        ];
        let phrases = phrases.into_iter().map(|(phrase, places)| (phrase.as_str(), places));
        for (phrase, places) in phrases.chain(self.office.places()) {
            let missing = places.iter().find(|place| !phrase.contains(&format!("{{{place}}}")));
            if let Some(place) = missing {
                let problem = format!("{phrase:?} has no place for {{{place}}}");
                return Err(TemplateError::at_text(file, text, phrase, &problem));
            }
        }
        Ok(())
    }

    /// `17 novembre 2022`
    pub(super) fn date(&self, date: NaiveDate) -> String {
        self.date_as(&self.dates.date, date)
    }

    fn date_as(&self, phrase: &str, date: NaiveDate) -> String {
        let day = match date.day() {
            1 => self.dates.first_of_month.clone(),
            day => day.to_string(),
        };
        let weekday = &self.dates.weekdays[date.weekday().num_days_from_monday() as usize];
        let month = &self.dates.months[date.month0() as usize];
        let year = date.year().to_string();
        put(phrase, &[("weekday", weekday), ("day", &day), ("month", month), ("year", &year)])
    }

    /// `giovedì 17 novembre 2022`
    pub(super) fn day(&self, date: NaiveDate) -> String {
        self.date_as(&self.dates.date_with_weekday, date)
    }

    /// What an edition is called: `Le notizie del giorno`.
    pub(super) fn edition(&self, cadence: &str) -> &str {
        self.cadences.named.get(cadence).unwrap_or(&self.cadences.other)
    }

    /// `Altre 5 notizie sul sito`
    pub(super) fn more(&self, count: usize) -> String {
        plural(&self.numbers.more, count)
    }

    /// The heading over entries that have no topic.
    pub(super) fn rest(&self) -> &str {
        &self.phrases.rest
    }

    /// `5 notizie`
    pub(super) fn items(&self, count: usize) -> String {
        plural(&self.numbers.items, count)
    }

    /// The title of the first item and how many others there are.
    pub(super) fn subject(&self, title: &str, others: usize) -> String {
        if others == 0 {
            return title.to_owned();
        }
        let others = plural(&self.numbers.others, others);
        put(&self.phrases.subject, &[("title", title), ("others", &others)])
    }

    pub(super) fn source(&self, name: &str) -> String {
        put(&self.phrases.source, &[("source", name)])
    }

    pub(super) fn deadline(&self, date: NaiveDate, time: Option<NaiveTime>) -> String {
        let date = self.date(date);
        match time.map(|time| time.format("%H:%M").to_string()) {
            Some(time) => put(&self.phrases.deadline_time, &[("date", &date), ("time", &time)]),
            None => put(&self.phrases.deadline, &[("date", &date)]),
        }
    }

    /// Sums of money, in hundredths of a euro.
    pub(super) fn sums(&self, euro_cents: &[u64]) -> String {
        let sums: Vec<String> = euro_cents.iter().map(|cents| self.sum(*cents)).collect();
        put(&self.phrases.sums, &[("sums", &sums.join("; "))])
    }

    /// `€ 1.234,50` on one line; whole euros without hundredths.
    fn sum(&self, euro_cents: u64) -> String {
        let digits = (euro_cents / 100).to_string();
        let mut whole = String::new();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                whole.push_str(&self.numbers.thousands);
            }
            whole.push(digit);
        }
        match euro_cents % 100 {
            0 => format!("€\u{a0}{whole}"),
            cents => format!("€\u{a0}{whole}{}{cents:02}", self.numbers.decimal),
        }
    }

    /// Why an item is here, from what is followed; `words` are quoted.
    pub(super) fn reason(&self, everything: bool, named: &[String], words: &[String]) -> String {
        let mut interests = String::new();
        let all = everything.then_some(&self.phrases.everything).into_iter().chain(named);
        let quoted = words.iter().map(|word| put(&self.phrases.followed_word, &[("word", word)]));
        for interest in all.cloned().chain(quoted) {
            let comma = if interests.is_empty() { "" } else { ", " };
            let _ = write!(interests, "{comma}{interest}");
        }
        put(&self.phrases.reason, &[("interests", &interests)])
    }

    pub(super) fn sender(&self, site: &str, list: &str) -> String {
        put(&self.phrases.sender, &[("site", site), ("list", list)])
    }

    /// What stands for the title of an item that has neither title nor text.
    pub(super) fn untitled(&self) -> &str {
        &self.phrases.untitled
    }

    pub(super) fn contact(&self, contact: &str) -> String {
        put(&self.phrases.contact, &[("contact", contact)])
    }
}

pub(super) fn plural(forms: &Plural, count: usize) -> String {
    let form = if count == 1 { &forms.one } else { &forms.other };
    put(form, &[("count", &count.to_string())])
}

/// Puts values into a phrase. In one pass: what looks like a place inside a value stays as it is.
pub fn put(phrase: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(phrase.len() + 32);
    let mut rest = phrase;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let found = after.split_once('}').and_then(|(place, tail)| {
            values.iter().find(|(name, _)| *name == place).map(|(_, value)| (*value, tail))
        });
        match found {
            Some((value, tail)) => {
                out.push_str(value);
                rest = tail;
            }
            None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}
