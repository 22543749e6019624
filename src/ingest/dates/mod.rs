//! Dates as Italian offices, feeds and content systems write them.
//!
//! A text is cut into numbers, words and signs, and the first run of them that is a date counts.
//! What it does not know it does not guess: 31/02 and month-first numbers are no date.

mod forms;

use chrono::{
    DateTime, Datelike, Days, FixedOffset, LocalResult, NaiveDate, NaiveDateTime, NaiveTime,
    TimeDelta, TimeZone, Utc,
};
use chrono_tz::Tz;

use forms::{Cursor, Token, day_first, month_first, numbers, time, tokens, weekday};

use crate::model::Timestamp;

/// How many characters of a text are searched for a date.
pub const DATE_SEARCH_CHARS_MAX: usize = 200;

/// The longest text, in characters, that can as a whole be a date with its label.
pub const DATE_TEXT_CHARS_MAX: usize = 60;

/// How many days ahead of now a date without a year may lie before it is read as a past one.
pub const YEARLESS_AHEAD_DAYS_MAX: u64 = 31;

/// How many years back a date without a year is looked for; any weekday comes round within it.
const YEARLESS_BACK_YEARS_MAX: i32 = 12;

/// The first date in a text, with its time and zone where it gives them.
///
/// Without a zone the site's counts, without a time its midnight, without a year the nearest year
/// in which the date is not more than [`YEARLESS_AHEAD_DAYS_MAX`] days ahead and falls on the
/// weekday given.
pub fn parse_date(text: &str, zone: Tz, now: Timestamp) -> Option<DateTime<Utc>> {
    let tokens = tokens(text);
    find(&tokens)?.instant(&tokens, zone, now)
}

/// The instant, when the text as a whole is a date: at most a label (`Pubblicato il`), a weekday
/// and a time stand with it. A sentence that names a date is none.
pub fn date_of(text: &str, zone: Tz, now: Timestamp) -> Option<DateTime<Utc>> {
    if text.trim().chars().nth(DATE_TEXT_CHARS_MAX).is_some() {
        return None;
    }
    let tokens = tokens(text);
    let found = find(&tokens)?;
    let rest = tokens[..found.start].iter().chain(&tokens[found.end..]);
    let alone = rest.into_iter().all(|token| match token {
        Token::Number { .. } => false,
        Token::Word(word) => weekday(word).is_some() || LABELS.contains(&word.as_str()),
        Token::Sign(_) => true,
    });
    if alone { found.instant(&tokens, zone, now) } else { None }
}

/// The only date in a text that is known to have one (`Scritto da Redazione il 22/11/2022`); none
/// where it is the end of a range or a deadline.
pub(super) fn labelled_date(text: &str, zone: Tz, now: Timestamp) -> Option<DateTime<Utc>> {
    const OTHER: [&str; 8] = ["dal", "al", "fino", "entro", "scadenza", "scade", "until", "to"];
    let tokens = tokens(text);
    let found = find(&tokens)?;
    let mut rest = tokens[..found.start].iter().chain(&tokens[found.end..]);
    let other = rest.any(|token| match token {
        Token::Number { .. } => true,
        Token::Word(word) => OTHER.contains(&word.as_str()),
        Token::Sign(_) => false,
    });
    if other { None } else { found.instant(&tokens, zone, now) }
}

/// Whether a lower-case word names a month, in full or by at least three letters.
pub(super) fn is_month(word: &str) -> bool {
    forms::month(word).is_some()
}

/// Whether the text as a whole is a date; see [`date_of`].
pub fn is_date(text: &str, zone: Tz, now: Timestamp) -> bool {
    date_of(text, zone, now).is_some()
}

/// Words that may stand with a publication date. Those of deadlines and ranges (`scadenza`, `dal`,
/// `entro`) are missing on purpose: such a date is not the item's own.
const LABELS: [&str; 29] = [
    "pubblicato",
    "pubblicata",
    "pubblicati",
    "pubblicazione",
    "inserito",
    "inserita",
    "data",
    "il",
    "in",
    "del",
    "di",
    "dell",
    "della",
    "a",
    "aggiornato",
    "aggiornata",
    "modificato",
    "modifica",
    "ultima",
    "ultimo",
    "aggiornamento",
    "e",
    "date",
    "published",
    "posted",
    "updated",
    "on",
    "st",
    "th",
];

/// A date found between two tokens.
struct Found {
    start: usize,
    end: usize,
    day: u32,
    month: u32,
    year: Option<i32>,
    time: Option<NaiveTime>,
    offset: Option<FixedOffset>,
}

impl Found {
    fn instant(&self, tokens: &[Token], zone: Tz, now: Timestamp) -> Option<DateTime<Utc>> {
        let date = match self.year {
            Some(year) => NaiveDate::from_ymd_opt(year, self.month, self.day)?,
            None => self.nearest(tokens, now.in_zone(zone).date_naive())?,
        };
        let local = date.and_time(self.time.unwrap_or(NaiveTime::MIN));
        match self.offset {
            Some(offset) => offset.from_local_datetime(&local).single().map(|t| t.to_utc()),
            None => in_zone(local, zone),
        }
    }

    fn nearest(&self, tokens: &[Token], today: NaiveDate) -> Option<NaiveDate> {
        let latest = today.checked_add_days(Days::new(YEARLESS_AHEAD_DAYS_MAX))?;
        let weekday = tokens[..self.start].iter().rev().take(2).find_map(|token| match token {
            Token::Word(word) => weekday(word),
            _ => None,
        });
        (0..=YEARLESS_BACK_YEARS_MAX + 1)
            .filter_map(|back| NaiveDate::from_ymd_opt(latest.year() - back, self.month, self.day))
            .find(|date| *date <= latest && weekday.is_none_or(|day| date.weekday() == day))
    }
}

/// A local time in a zone: in a fold the first of the two, in a gap the first instant after it.
fn in_zone(local: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    // No zone ever skipped more than a day; a quarter of an hour is the finest step of offsets.
    (0..=96).find_map(|quarters| {
        let local = local.checked_add_signed(TimeDelta::minutes(15 * quarters))?;
        match zone.from_local_datetime(&local) {
            LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => Some(time.to_utc()),
            LocalResult::None => None,
        }
    })
}

fn find(tokens: &[Token]) -> Option<Found> {
    (0..tokens.len()).find_map(|start| {
        let at = Cursor { tokens, at: start };
        let (day, month, year, rest) =
            day_first(at).or_else(|| month_first(at)).or_else(|| numbers(at))?;
        // What exists in no year is no date; in a leap year everything does that ever does.
        NaiveDate::from_ymd_opt(year.unwrap_or(2024), month, day)?;
        let (time, offset, end) = match time(rest) {
            Some((time, offset, end)) => (Some(time), offset, end.at),
            None => (None, None, rest.at),
        };
        Some(Found { start, end, day, month, year, time, offset })
    })
}
