//! The albo pretorio, in which public bodies publish their acts: the item categories of AlboPOP
//! (RSS 2.0 with `domain="http://albopop.it/specs#item-category-…"`) as fields, and which text of
//! an item is its headline.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, NaiveDate, Utc};
use chrono_tz::Tz;
use feed_rs::model::{Category, Entry};
use serde::{Deserialize, Serialize};

use super::clean;
use super::feed::CATEGORY_CHARS_MAX;
use super::take_in::know_by_new_titles;
use super::{ReadItem, Reading, dates, floods};
use crate::model::Timestamp;
use crate::store::{HeldAct, SourceRow, StoreError, Tx};

/// How many days an act is published where nothing is said, from the day it begins: the time of
/// art. 124 of the code of local bodies (d.lgs. 267/2000), and what AlboPOP says.
pub const PUBLICATION_DAYS_DEFAULT: u64 = 15;

/// How long an act can be published, in days: the five years of art. 8 of d.lgs. 33/2013, and some.
/// An end after that is a mistake, and the usual time counts.
pub const PUBLICATION_DAYS_MAX: u64 = 6 * 366;

/// How far ahead the first day of a publication can be, in days.
pub const PUBLICATION_AHEAD_DAYS_MAX: u64 = 60;

/// How many files of an act are kept.
pub const ATTACHMENTS_MAX: usize = 50;

/// From how many items on it is looked for which text is the headline.
pub const HEADLINE_ITEMS_MIN: usize = 3;

/// The longest type of an act, in characters, that is read from a title.
const TYPE_CHARS_MAX: usize = 80;

/// What comes before the name of a category in its domain, after `http:` or `https:`.
const DOMAIN: &str = "//albopop.it/specs#";

/// An act of an albo: what its publisher says of it beyond the text. Dates are days in the site's
/// zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Act {
    /// Its number in the register, `2017/1213`.
    pub number: Option<String>,
    /// What it is: `Ordinanza`, `Determina`.
    pub act_type: Option<String>,
    /// The first day of its publication.
    pub publication_start: Option<NaiveDate>,
    /// Whether the publisher gives that first day, rather than a date of the item.
    pub publication_start_given: bool,
    /// The last day of its publication; where it is not given the usual time counts, from the first
    /// day or else from today.
    pub publication_end: Option<NaiveDate>,
    /// Whether the publisher gives that last day, rather than the usual time.
    pub publication_end_given: bool,
    /// From when it counts.
    pub relevance_start: Option<NaiveDate>,
    /// From when it is carried out.
    pub execution_start: Option<NaiveDate>,
    /// The chapter of the budget.
    pub chapter: Option<String>,
    /// The office.
    pub unit: Option<String>,
    /// What it costs, as it is written.
    pub amount: Option<String>,
    /// In which currency; the euro where an amount has none.
    pub currency: Option<String>,
    /// What else is said.
    pub annotation: Option<String>,
    /// The municipality, where the act names one of its own.
    pub municipality: Option<String>,
    /// The addresses of its files; they are linked, not read.
    pub attachments: Vec<String>,
}

/// Which text of an item tells what it is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Headline {
    /// The title, unless titles repeat and descriptions do not.
    #[default]
    Auto,
    /// The title.
    Title,
    /// The description: the title says what kind of act it is.
    Description,
}

impl Headline {
    /// The word in the configuration, the database and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Title => "title",
            Self::Description => "description",
        }
    }

    /// The setting, or where that is `auto` what was found for the source before.
    #[must_use]
    pub fn or_found(self, found: Option<&str>) -> Self {
        match (self, found) {
            (Self::Auto, Some("title")) => Self::Title,
            (Self::Auto, Some("description")) => Self::Description,
            (said, _) => said,
        }
    }

    /// What an answer tells; none where it has too few items.
    fn find(reading: &Reading) -> Option<Self> {
        let enough = reading.items.len() >= HEADLINE_ITEMS_MIN;
        let description = enough && titles_repeat(&reading.items);
        enough.then_some(if description { Self::Description } else { Self::Title })
    }

    /// The same as [`Headline::apply`], for a source that is polled.
    pub fn find_and_apply(self, reading: &mut Reading) -> Option<FoundHeadline> {
        let before = (self == Self::Auto).then(|| reading.clone());
        let headline = self.apply(reading)?;
        let before = before.filter(|_| headline == Self::Description);
        Some(FoundHeadline { headline, before })
    }

    /// Makes the description of each item its title, where it is the headline; what the title
    /// said becomes a category, and the type of an act that has none. Gives what was found, where
    /// that was left to be found and could be; it is to be kept for the answers to come.
    pub fn apply(self, reading: &mut Reading) -> Option<Self> {
        let found = (self == Self::Auto).then(|| Self::find(reading)).flatten();
        if self != Self::Description && found != Some(Self::Description) {
            return found;
        }
        for item in reading.items.iter_mut().filter(|item| !item.summary.trim().is_empty()) {
            let title = clean::title(&item.summary);
            let kind = std::mem::replace(&mut item.title, title);
            let act_type = kind_of(&kind);
            if let Some(act) = &mut item.act {
                act.act_type = act.act_type.take().or_else(|| act_type.clone());
                act.number = act.number.take().or_else(|| number_in(&kind));
            }
            if let Some(act_type) = act_type.filter(|kind| !item.categories.contains(kind)) {
                item.categories.push(act_type);
            }
            if !clean::is_cut_title(&item.title) {
                // The text is the headline; below it stands what the title was.
                item.summary = kind;
            }
        }
        found
    }
}

/// The headline that was found in an answer.
#[derive(Clone, Debug)]
pub struct FoundHeadline {
    /// Which it is.
    pub headline: Headline,
    /// The answer as it was, where its titles are others now.
    before: Option<Reading>,
}

impl FoundHeadline {
    /// Keeps it for the answers to come. Items of a source that were known by another text, since
    /// there were too few of them to tell, are the same items.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn keep(
        &self,
        tx: &mut Tx<'_>,
        source: &SourceRow,
        after: &Reading,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        tx.set_headline(&source.id, self.headline.as_str()).await?;
        match &self.before {
            Some(before) => know_by_new_titles(tx, source, before, after, now).await,
            None => Ok(()),
        }
    }
}

/// Whether titles say only of what kind items are: without numbers and dates there are at most
/// half as many of them as items, and far more descriptions.
fn titles_repeat(items: &[ReadItem]) -> bool {
    let different = |text: &dyn Fn(&ReadItem) -> String| {
        items.iter().map(text).collect::<BTreeSet<String>>().len()
    };
    let titles = different(&|item| without_numbers(&item.title));
    let texts = different(&|item| without_numbers(&item.summary));
    let told = items.iter().filter(|item| !item.summary.trim().is_empty()).count();
    2 * titles <= items.len() && 2 * titles <= texts && 10 * told >= 9 * items.len()
}

fn without_numbers(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

/// The type of act that a title gives: `21/08/2026 | Ordinanze Dirigenziali`, `#DELIBERE |
/// Pubblicazione numero 7716`.
fn kind_of(title: &str) -> Option<String> {
    let parts = title.split(['|', '•']).map(|part| part.trim().trim_start_matches('#').trim());
    let says = |part: &&str| {
        let words = without_numbers(part);
        let names_only = ["", "pubblicazione numero", "pubblicazione n", "numero", "n", "del"];
        !names_only.contains(&words.as_str())
    };
    let kind = clean::line(parts.clone().find(says)?, TYPE_CHARS_MAX);
    Some(kind).filter(|kind| !kind.is_empty())
}

/// The number that a title gives: `Pubblicazione numero 7716`, `n. 12/2026`.
fn number_in(title: &str) -> Option<String> {
    let lower = title.to_lowercase();
    let at = ["numero ", "n. ", "n° ", "nr. "].iter().find_map(|word| {
        let at = lower.find(word)?;
        let before = lower[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric()).then_some(at + word.len())
    })?;
    let number = lower[at..].trim_start();
    let end = number.find(|c: char| !(c.is_ascii_digit() || c == '/')).unwrap_or(number.len());
    Some(number[..end].trim_matches('/').to_owned()).filter(|number| !number.is_empty())
}

impl Act {
    /// What its publisher says, without days that only stand for what is not said: they move with
    /// every poll of some feeds.
    pub(super) fn said(&self) -> Self {
        let Self { publication_start, publication_end, .. } = *self;
        Self {
            publication_start: publication_start.filter(|_| self.publication_start_given),
            publication_end: publication_end.filter(|_| self.publication_end_given),
            ..self.clone()
        }
    }

    /// Its JSON form.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).expect("texts and days always have a JSON form")
    }
}

/// Keeps what an albo says of an item, new or held, where that has changed. The end that is given
/// counts, also when it moves, and stays when it is given no more; the usual one counts from when
/// the item was first read.
///
/// # Errors
/// Where the database fails.
pub(super) async fn keep_act(
    tx: &mut Tx<'_>,
    id: i64,
    held: Option<&HeldAct>,
    item: &ReadItem,
) -> Result<(), StoreError> {
    let Some(act) = &item.act else { return Ok(()) };
    let mut act = act.clone();
    if let Some(held) = held {
        let before: Act = serde_json::from_str(&held.json).unwrap_or_default();
        if !act.publication_start_given {
            act.publication_start = before.publication_start.or(act.publication_start);
            act.publication_start_given = before.publication_start_given;
        }
        if !act.publication_end_given {
            act.publication_end = before.publication_end.or(act.publication_end);
            act.publication_end_given = before.publication_end_given;
        }
        if act == before {
            return Ok(());
        }
    }
    tx.set_act(id, act.publication_end, &act.json()).await
}

/// The name of a category of AlboPOP: `item-category-type`.
fn named(category: &Category) -> Option<&str> {
    let scheme = category.scheme.as_deref()?.trim();
    let rest = scheme.strip_prefix("https:").or_else(|| scheme.strip_prefix("http:"))?;
    rest.strip_prefix(DOMAIN).or_else(|| rest.strip_prefix("//www.albopop.it/specs#"))
}

/// Whether a category says what an item is about, or where: dates, numbers and amounts are fields
/// and no categories.
pub(super) fn is_shown(category: &Category) -> bool {
    named(category).is_none_or(|name| {
        matches!(name, "item-category-type" | "item-category-unit" | "item-category-municipality")
    })
}

/// Words in the title of a feed of news that has acts among them.
const NEWS_WORDS: [&str; 5] = ["notizie", "news", "novità", "avvisi", "comunicati"];

/// Whether all items of a feed are acts: by the feed's own categories, by the title that the
/// convention gives it, or since most of its items say so.
pub(super) fn is_albo(title: Option<&str>, own: &[Category], entries: &[Entry]) -> bool {
    let title = title.unwrap_or_default().to_lowercase();
    let named_so = title.contains("albo pretorio") && !NEWS_WORDS.iter().any(|w| title.contains(w));
    let acts = entries.iter().filter(|entry| is_act(entry)).count();
    title.starts_with("albopop")
        || named_so
        || own.iter().any(|category| named(category).is_some())
        || 2 * acts > entries.len()
}

/// Whether an entry says itself that it is an act.
pub(super) fn is_act(entry: &Entry) -> bool {
    entry.categories.iter().any(|category| named(category).is_some())
}

/// What an entry says of its act.
pub(super) fn act(entry: &Entry, zone: Tz, now: Timestamp) -> Act {
    let text = |name: &str| {
        let said = entry.categories.iter().find(|category| {
            named(category).and_then(|n| n.strip_prefix("item-category-")) == Some(name)
        })?;
        let text = clean::line(&clean::text_of(&said.term), CATEGORY_CHARS_MAX);
        Some(text).filter(|text| !text.is_empty())
    };
    let local = |time: DateTime<Utc>| time.with_timezone(&zone).date_naive();
    let day = |name: &str| dates::parse_date(&text(name)?, zone, now).map(local);
    let today = now.in_zone(zone).date_naive();
    let after =
        |day: NaiveDate, days: u64| day.checked_add_days(Days::new(days)).unwrap_or(NaiveDate::MAX);
    let first = local(floods::PUBLISHED_MIN.utc());
    let known = first..=after(today, PUBLICATION_AHEAD_DAYS_MAX);
    let given = day("pubStart").filter(|start| known.contains(start));
    let published = entry.published.filter(|at| floods::is_believed(Timestamp::from(*at), now));
    let start = given.or_else(|| published.map(local));
    // The item's own date may be that of the poll, and says nothing against an end.
    let last = after(given.unwrap_or(today), PUBLICATION_DAYS_MAX);
    let end = day("pubEnd").filter(|end| given.is_none_or(|start| *end >= start) && *end <= last);
    // Where nothing is said at all it begins today.
    let usual = after(start.unwrap_or(today), PUBLICATION_DAYS_DEFAULT);
    let amount = text("amount");
    let currency = text("currency").or_else(|| amount.as_ref().map(|_| "EUR".to_owned()));
    let files = entry.media.iter().flat_map(|media| &media.content);
    let files = files.filter_map(|file| file.url.as_ref()).filter(|url| url.has_host());
    Act {
        number: text("uid"),
        act_type: text("type"),
        publication_start: start,
        publication_start_given: given.is_some(),
        publication_end: Some(end.unwrap_or(usual)),
        publication_end_given: end.is_some(),
        relevance_start: day("relStart"),
        execution_start: day("exeStart"),
        chapter: text("chapter"),
        unit: text("unit"),
        amount,
        currency,
        annotation: text("annotation"),
        municipality: text("municipality"),
        attachments: files.take(ATTACHMENTS_MAX).map(ToString::to_string).collect(),
    }
}
