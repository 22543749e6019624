//! The last day on which something can be handed in. Items past it are no longer told, so a date is
//! taken only where the text says plainly that it is a deadline; of several the latest counts. A
//! date without a year (`15 dicembre p.v.`) is one once it is known when the item was published.

use std::ops::Range;

use chrono::{Datelike, NaiveDate, NaiveTime};

use super::analysis::{Analysis, Token};
use super::{Classification, Evidence, Field};

/// How many words may stand between the word that announces a deadline and its date.
const WORDS_BEFORE_DATE_MAX: usize = 12;
/// How far around `entro` it is looked for what is to be handed in.
const WORDS_AROUND_MAX: usize = 25;
/// How many words after its date a time of day may stand.
const WORDS_BEFORE_TIME_MAX: usize = 5;
/// The most deadlines without a year that are looked at.
const UNDATED_MAX: usize = 20;
/// A date without a year that is farther ahead of publication than this is of the year before:
/// nobody is given nine months.
const DAYS_AHEAD_MAX: i64 = 270;

const MONTHS: [&str; 12] = [
    "gennaio",
    "febbraio",
    "marzo",
    "aprile",
    "maggio",
    "giugno",
    "luglio",
    "agosto",
    "settembre",
    "ottobre",
    "novembre",
    "dicembre",
];

/// Beginnings of words for what is handed in, and for handing it in.
const HANDED_IN: &[&str] = &[
    "adesion",
    "candidatur",
    "domand",
    "iscrizion",
    "istanz",
    "manifestazion",
    "offert",
    "pervenir",
    "pervenut",
    "present",
    "propost",
    "richiest",
    "trasmess",
    "trasmett",
    "inviar",
    "inviat",
    "partecip",
    "compil",
    "consegn",
];

/// Words after which a date is none of a deadline: `entro 30 giorni dal 15/12/2026`.
const LENGTHS: &[&str] = &["giorni", "gg", "mesi", "mese", "anni", "settimane"];

/// A deadline that is said.
#[derive(Clone, Debug, PartialEq)]
struct Said<D> {
    day: D,
    time: Option<NaiveTime>,
    evidence: Evidence,
}

/// A deadline that is said without its year.
#[derive(Clone, Debug, PartialEq)]
pub struct Undated(Said<(u32, u32)>);

/// What the title and the text say.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    latest: Option<Said<NaiveDate>>,
    undated: Vec<Undated>,
}

impl Deadlines {
    /// Puts what was found where it belongs.
    pub fn put_into(self, found: &mut Classification) {
        if let Some(said) = self.latest {
            found.put_deadline(said);
        }
        found.undated = self.undated;
    }
}

impl Classification {
    fn put_deadline(&mut self, said: Said<NaiveDate>) {
        self.deadline = Some(said.day);
        self.deadline_time = said.time;
        self.deadline_evidence = Some(said.evidence);
    }

    /// With the deadlines that were said without a year, where the day is known on which the item
    /// was published: the next such day.
    #[must_use]
    pub fn published_on(mut self, published: NaiveDate) -> Self {
        for Undated(Said { day, time, evidence }) in std::mem::take(&mut self.undated) {
            if let Some(day) = next(day, published)
                && self.deadline.is_none_or(|known| (known, self.deadline_time) < (day, time))
            {
                self.put_deadline(Said { day, time, evidence });
            }
        }
        self
    }
}

/// The first such day of a month at or after a date, not too far ahead.
fn next((day, month): (u32, u32), from: NaiveDate) -> Option<NaiveDate> {
    let this = NaiveDate::from_ymd_opt(from.year(), month, day).filter(|day| *day >= from);
    let next = this.or_else(|| NaiveDate::from_ymd_opt(from.year() + 1, month, day))?;
    ((next - from).num_days() <= DAYS_AHEAD_MAX).then_some(next)
}

/// The deadlines that the title and the text say.
pub(crate) fn find(fields: &[(Field, &str)], analyses: &[Analysis]) -> Deadlines {
    let mut all = Deadlines::default();
    for (&(field, written), analysis) in fields.iter().zip(analyses) {
        if !matches!(field, Field::Title | Field::Text) {
            continue;
        }
        let tokens = &analysis.tokens;
        for at in 0..tokens.len() {
            if let Some(index) = date_after(written, tokens, at) {
                all.take(field, written, tokens, (at, index));
            }
        }
    }
    all
}

impl Deadlines {
    fn take(&mut self, field: Field, written: &str, tokens: &[Token], (at, index): (usize, usize)) {
        let Some((said, last)) = date_at(written, tokens, index) else { return };
        let (time, last) = match time_around(written, tokens, at, (index, last)) {
            Some((time, time_last)) => (Some(time), last.max(time_last)),
            None => (None, last),
        };
        let (start, end) = (tokens[at].span.start, tokens[last].span.end);
        let text = written[start..end].to_owned();
        let evidence = Evidence { rule: "deadline".to_owned(), text, field, start, end };
        match said {
            Date::Full(day) => {
                let known = self.latest.as_ref().map(|known| (known.day, known.time));
                if known.is_none_or(|known| known < (day, time)) {
                    self.latest = Some(Said { day, time, evidence });
                }
            }
            Date::OfSomeYear(day, month) if self.undated.len() < UNDATED_MAX => {
                self.undated.push(Undated(Said { day: (day, month), time, evidence }));
            }
            Date::OfSomeYear(..) => {}
        }
    }
}

/// Whether a deadline is announced by the words at a token.
fn announces(tokens: &[Token], at: usize) -> bool {
    let word = |index: usize| tokens.get(index).map_or("", |token| token.folded.as_str());
    match word(at) {
        "scadenza" | "scade" | "scad" | "scadono" => true,
        "termine" | "termini" => {
            matches!(word(at + 1), "ultimo" | "presentazione" | "per" | "di" | "perentorio" | "il")
                || word(at + 1).starts_with("scad")
        }
        "prorogata" | "prorogato" | "prorogati" | "prorogate" => {
            matches!(word(at + 1), "al" | "fino")
        }
        "entro" => word(at + 2) == "non" && word(at + 3) == "oltre" || handed_in(tokens, at),
        _ => false,
    }
}

/// Whether something to be handed in is spoken of in the same sentence.
fn handed_in(tokens: &[Token], at: usize) -> bool {
    let sentence = sentence(tokens, at);
    let near = at.saturating_sub(WORDS_AROUND_MAX)..at + WORDS_AROUND_MAX;
    let range = sentence.start.max(near.start)..sentence.end.min(near.end);
    tokens[range].iter().any(|token| HANDED_IN.iter().any(|word| token.folded.starts_with(word)))
}

/// The sentence around a token, as far as it is looked at.
fn sentence(tokens: &[Token], at: usize) -> Range<usize> {
    let first = at.saturating_sub(WORDS_AROUND_MAX);
    let last = (at + WORDS_AROUND_MAX).min(tokens.len());
    let start = (first..=at).rev().find(|&i| tokens[i].starts_sentence).unwrap_or(first);
    let end = (at + 1..last).find(|&i| tokens[i].starts_sentence).unwrap_or(last);
    start..end
}

/// Where the first date begins that follows an announcing token in the same sentence.
fn date_after(written: &str, tokens: &[Token], at: usize) -> Option<usize> {
    if !announces(tokens, at) {
        return None;
    }
    for index in at + 1..(at + 1 + WORDS_BEFORE_DATE_MAX).min(tokens.len()) {
        let token = &tokens[index];
        if token.starts_sentence || LENGTHS.contains(&token.folded.as_str()) {
            return None;
        }
        if date_at(written, tokens, index).is_some() {
            return Some(index);
        }
    }
    None
}

enum Date {
    Full(NaiveDate),
    /// Day and month.
    OfSomeYear(u32, u32),
}

/// The date that begins at a token, and its last token: `15/12/2026`, `15.12.26`, `15 dicembre
/// 2026`, `2026-12-15`, `15 dicembre p.v.`.
fn date_at(written: &str, tokens: &[Token], at: usize) -> Option<(Date, usize)> {
    let first = &tokens[at];
    let dotted: Vec<&str> = first.folded.split('.').collect();
    if let [day, month, year] = dotted[..] {
        return date(day, month, year).map(|date| (Date::Full(date), at));
    }
    let second = tokens.get(at + 1)?;
    let third = tokens.get(at + 2);
    if let Some(month) = MONTHS.iter().position(|&month| month == second.folded) {
        let day = first.folded.trim_end_matches(|c: char| !c.is_ascii_digit());
        let month = u32::try_from(month + 1).ok()?;
        return of_month(day, month, third).map(|(date, more)| (date, at + 1 + more));
    }
    let third = third?;
    let between =
        [&written[first.span.end..second.span.start], &written[second.span.end..third.span.start]];
    if between != ["/", "/"] && between != ["-", "-"] {
        return None;
    }
    let date = match first.folded.len() {
        4 => date(&third.folded, &second.folded, &first.folded),
        _ => date(&first.folded, &second.folded, &third.folded),
    };
    date.map(|date| (Date::Full(date), at + 2))
}

/// A day of a named month, with what follows; and how many words of that belong to it.
fn of_month(day: &str, month: u32, next: Option<&Token>) -> Option<(Date, usize)> {
    let word = next.map_or("", |token| token.folded.as_str());
    let year = word.len() == 4 && word.bytes().all(|b| b.is_ascii_digit());
    if year {
        return date(day, &month.to_string(), word).map(|date| (Date::Full(date), 1));
    }
    let day: u32 = day.parse().ok()?;
    // 2000 had a 29 February.
    NaiveDate::from_ymd_opt(2000, month, day)?;
    let next_one = usize::from(matches!(word, "pv" | "prossimo" | "ca" | "corrente"));
    Some((Date::OfSomeYear(day, month), next_one))
}

/// A date of this century; a year of two digits is one of it.
fn date(day: &str, month: &str, year: &str) -> Option<NaiveDate> {
    let year: i32 = match year.len() {
        4 if year.starts_with("20") => year.parse().ok()?,
        2 => 2000 + year.parse::<i32>().ok()?,
        _ => return None,
    };
    NaiveDate::from_ymd_opt(year, month.parse().ok()?, day.parse().ok()?)
}

/// The time of day between the announcing word and the date, or right after the date: `ore 12.00`,
/// `h 23:59`, `mezzogiorno`; and its last token.
fn time_around(
    written: &str,
    tokens: &[Token],
    at: usize,
    (date, last): (usize, usize),
) -> Option<(NaiveTime, usize)> {
    let after = last + 1..(last + 1 + WORDS_BEFORE_TIME_MAX).min(tokens.len());
    // `2026. Ore` begins a sentence, though `2026` is as short as an abbreviation.
    let stopped = tokens.get(last + 1).is_some_and(|next| {
        let gap = &written[tokens[last].span.end..next.span.start];
        let number = tokens[last].folded.ends_with(|c: char| c.is_ascii_digit());
        number && next.capital && gap.starts_with('.')
    });
    let after = after.take_while(|&index| !stopped && !tokens[index].starts_sentence);
    (at + 1..date).chain(after).find_map(|index| time_at(written, tokens, index))
}

fn time_at(written: &str, tokens: &[Token], at: usize) -> Option<(NaiveTime, usize)> {
    let noon = |hour| NaiveTime::from_hms_opt(hour, 0, 0);
    match tokens[at].folded.as_str() {
        "mezzogiorno" => return Some((noon(12)?, at)),
        "ore" | "ora" | "h" => {}
        _ => return None,
    }
    let first = tokens.get(at + 1)?;
    let (hour, minute, last) = match first.folded.split_once('.') {
        Some((hour, minute)) => (hour, minute, at + 1),
        None => match tokens.get(at + 2) {
            Some(second)
                if second.folded.len() == 2
                    && matches!(&written[first.span.end..second.span.start], ":" | "," | ".") =>
            {
                (first.folded.as_str(), second.folded.as_str(), at + 2)
            }
            _ => (first.folded.as_str(), "00", at + 1),
        },
    };
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    // A day ends at 24:00.
    let (hour, minute) = if (hour, minute) == (24, 0) { (23, 59) } else { (hour, minute) };
    Some((NaiveTime::from_hms_opt(hour, minute, 0)?, last))
}
