//! The forms of dates and times, read from the pieces of a text.

use chrono::{FixedOffset, NaiveTime, Weekday};

use super::DATE_SEARCH_CHARS_MAX;

/// Years outside of this are misprints.
const YEARS: std::ops::RangeInclusive<u32> = 1900..=2200;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token {
    Number { value: u32, digits: usize },
    Word(String),
    Sign(char),
}

pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().take(DATE_SEARCH_CHARS_MAX).peekable();
    while let Some(c) = chars.next() {
        if c.is_ascii_digit() {
            let mut number = String::from(c);
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                number.push(digit);
            }
            let value = number.parse().unwrap_or(u32::MAX);
            tokens.push(Token::Number { value, digits: number.len() });
        } else if c.is_alphabetic() && !matches!(c, 'º' | 'ª') {
            let mut word: String = c.to_lowercase().collect();
            while let Some(letter) = chars.next_if(|c| c.is_alphabetic()) {
                word.extend(letter.to_lowercase());
            }
            tokens.push(Token::Word(word));
        } else if !c.is_whitespace() && !c.is_control() {
            tokens.push(Token::Sign(c));
        }
    }
    tokens
}

/// A place between tokens; steps give the place after what they read.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'t> {
    pub tokens: &'t [Token],
    pub at: usize,
}

pub(super) type Date<'t> = (u32, u32, Option<i32>, Cursor<'t>);

impl<'t> Cursor<'t> {
    fn number(self) -> Option<(u32, usize, Self)> {
        match self.tokens.get(self.at)? {
            Token::Number { value, digits } => {
                Some((*value, *digits, Self { at: self.at + 1, ..self }))
            }
            _ => None,
        }
    }

    /// A number of one or two digits.
    fn short(self) -> Option<(u32, Self)> {
        self.number().filter(|(_, digits, _)| *digits <= 2).map(|(value, _, rest)| (value, rest))
    }

    fn word(self) -> Option<(&'t str, Self)> {
        match self.tokens.get(self.at)? {
            Token::Word(word) => Some((word, Self { at: self.at + 1, ..self })),
            _ => None,
        }
    }

    fn sign(self, any_of: &[char]) -> Option<(char, Self)> {
        match self.tokens.get(self.at)? {
            Token::Sign(c) if any_of.contains(c) => Some((*c, Self { at: self.at + 1, ..self })),
            _ => None,
        }
    }

    fn skip_signs(self, any_of: &[char]) -> Self {
        self.sign(any_of).map_or(self, |(_, rest)| rest.skip_signs(any_of))
    }

    fn skip_words(self, any_of: &[&str]) -> Self {
        match self.word() {
            Some((word, rest)) if any_of.contains(&word) => rest.skip_words(any_of),
            _ => self,
        }
    }

    /// A year of four digits, or of two in this century (RFC 5322 4.3 for the last one).
    fn year(self) -> Option<(i32, Self)> {
        let (value, digits, rest) = self.number()?;
        let year = match digits {
            4 => value,
            2 if value < 70 => 2000 + value,
            2 => 1900 + value,
            _ => return None,
        };
        let year = i32::try_from(year).ok().filter(|_| YEARS.contains(&year))?;
        Some((year, rest))
    }

    /// Whether a time or the like begins here, so that a number is no year.
    fn colon_follows(self) -> bool {
        self.sign(&[':']).is_some()
    }
}

/// `22 Novembre 2022`, `1° marzo 2023`, `22-nov-22`, `lunedì 21 novembre`.
pub(super) fn day_first(at: Cursor<'_>) -> Option<Date<'_>> {
    let (day, rest) = at.short()?;
    let rest = rest.skip_words(&["st", "nd", "rd", "th", "di", "de", "of"]);
    let (name, rest) = rest.skip_signs(&['°', 'º', '^', '.', '-', '/', ',']).word()?;
    let month = month(name)?;
    let gap = rest.skip_signs(&['.', ',', '-', '/', '\'', '’']).skip_words(&["del", "dell", "de"]);
    match gap.year() {
        Some((year, after)) if !after.colon_follows() => Some((day, month, Some(year), after)),
        _ => Some((day, month, None, rest)),
    }
}

/// `November 22, 2022`; only with the year, as `mar 22` may be a Tuesday.
pub(super) fn month_first(at: Cursor<'_>) -> Option<Date<'_>> {
    let (name, rest) = at.word()?;
    let month = month(name)?;
    let (day, rest) = rest.skip_signs(&['.']).short()?;
    let rest = rest.skip_words(&["st", "nd", "rd", "th"]).skip_signs(&[',']);
    let (year, digits, _) = rest.number()?;
    let (_, after) = rest.year().filter(|_| digits == 4)?;
    Some((day, month, i32::try_from(year).ok(), after))
}

/// `2022-11-22`, `22/11/2022`, `22.11.22`, `22-11-26`: the longer number is the year, else the
/// last.
pub(super) fn numbers(at: Cursor<'_>) -> Option<Date<'_>> {
    let (value, digits, after) = at.number()?;
    if digits == 8 {
        // `20221122`, ISO 8601 in its basic form.
        let year = i32::try_from(value / 10_000).ok()?;
        let known = YEARS.contains(&(value / 10_000));
        return known.then_some((value % 100, value / 100 % 100, Some(year), after));
    }
    let (first, rest) = if digits == 4 {
        let (year, rest) = at.year()?;
        (year.unsigned_abs(), rest)
    } else {
        at.short()?
    };
    let (sign, rest) = rest.sign(&['/', '.', '-', '‐', '‑', '–'])?;
    let (month, rest) = rest.short()?;
    let (_, rest) = rest.sign(&[sign])?;
    if digits == 4 {
        let (day, rest) = rest.short()?;
        return Some((day, month, i32::try_from(first).ok(), rest));
    }
    let (year, rest) = rest.year()?;
    Some((first, month, Some(year), rest))
}

pub(super) type Time<'t> = (NaiveTime, Option<FixedOffset>, Cursor<'t>);

/// What may follow a date: `T10:30:00+01:00`, `, ore 12.30`, `10:30 CET`.
pub(super) fn time(at: Cursor<'_>) -> Option<Time<'_>> {
    let at = at.skip_signs(&[',', '-', '–', '|', '(']);
    let named = at.skip_words(&["t", "ore", "ora", "h", "alle", "dalle", "at", "delle", "um"]);
    if let Some((value, 6, rest)) = named.number() {
        // `T103000`.
        let time = NaiveTime::from_hms_opt(value / 10_000, value / 100 % 100, value % 100)?;
        return Some(match offset(rest) {
            Some((offset, rest)) => (time, Some(offset), rest),
            None => (time, None, rest),
        });
    }
    let named = named.skip_signs(&['.', ':']);
    let (hour, rest) = named.short()?;
    // `22.11.22 12.30` may be anything; with `ore` before it, the point is one of time.
    let points: &[char] = if named.at > at.at { &[':', '.', ','] } else { &[':'] };
    let (minute, rest) = match rest.sign(points).and_then(|(_, rest)| rest.short()) {
        Some(minute) => minute,
        None if named.at > at.at => (0, rest),
        None => return None,
    };
    let (second, rest) = match rest.sign(points).and_then(|(_, rest)| rest.short()) {
        // A leap second is told as the one before it.
        Some((second, rest)) => (second.min(59), fraction(rest)),
        None => (0, rest),
    };
    let (hour, rest) = match rest.word() {
        Some(("pm", after)) if hour < 12 => (hour + 12, after),
        Some(("am", after)) if hour == 12 => (0, after),
        Some(("am" | "pm", after)) => (hour, after),
        _ => (hour, rest),
    };
    // Some systems write midnight as 24:00 of the same day.
    let hour = if hour == 24 { 0 } else { hour };
    let time = NaiveTime::from_hms_opt(hour, minute, second)?;
    match offset(rest) {
        Some((offset, rest)) => Some((time, Some(offset), rest)),
        None => Some((time, None, rest)),
    }
}

fn fraction(at: Cursor<'_>) -> Cursor<'_> {
    let after = at.sign(&['.', ',']).and_then(|(_, rest)| rest.number());
    after.map_or(at, |(_, _, rest)| rest)
}

/// `Z`, `GMT`, `+0100`, `-05:00`, and the names of RFC 5322 4.3 and of central Europe.
fn offset(at: Cursor<'_>) -> Option<(FixedOffset, Cursor<'_>)> {
    if let Some((name, rest)) = at.word() {
        let hours = match name {
            "z" | "utc" | "gmt" | "ut" => 0,
            "cet" | "met" | "bst" => 1,
            "cest" | "mest" => 2,
            "edt" => -4,
            "est" | "cdt" => -5,
            "cst" | "mdt" => -6,
            "mst" | "pdt" => -7,
            "pst" => -8,
            _ => return None,
        };
        return Some((FixedOffset::east_opt(hours * 3600)?, rest));
    }
    let (sign, rest) = at.sign(&['+', '-', '−'])?;
    let (value, digits, rest) = rest.number()?;
    let (hours, minutes, rest) = match digits {
        4 => (value / 100, value % 100, rest),
        // `+000` stands in the example of a convention (AlboPOP) and so in feeds.
        3 if value == 0 => (0, 0, rest),
        2 => {
            let colon = rest.sign(&[':']).and_then(|(_, rest)| rest.short());
            let (minutes, rest) = colon.unwrap_or((0, rest));
            (value, minutes, rest)
        }
        _ => return None,
    };
    // RFC 3339 5.6 has hours up to 23, but no place is further than 14.
    let seconds = i32::try_from(hours.checked_mul(3600)?.checked_add(minutes * 60)?).ok()?;
    if hours > 14 || minutes > 59 {
        return None;
    }
    let seconds = if sign == '+' { seconds } else { -seconds };
    Some((FixedOffset::east_opt(seconds)?, rest))
}

/// In Italian and English, and in German and French, which Bolzano and Aosta write besides.
const MONTHS: [[&str; 4]; 12] = [
    ["gennaio", "january", "januar", "janvier"],
    ["febbraio", "february", "februar", "février"],
    ["marzo", "march", "märz", "mars"],
    ["aprile", "april", "april", "avril"],
    ["maggio", "may", "mai", "mai"],
    ["giugno", "june", "juni", "juin"],
    ["luglio", "july", "juli", "juillet"],
    ["agosto", "august", "august", "août"],
    ["settembre", "september", "september", "septembre"],
    ["ottobre", "october", "oktober", "octobre"],
    ["novembre", "november", "november", "novembre"],
    ["dicembre", "december", "dezember", "décembre"],
];

/// The month that a lower-case word names, in full or by three letters.
pub(super) fn month(word: &str) -> Option<u32> {
    if word.chars().count() < 3 {
        return None;
    }
    let names = |names: &[&str; 4]| names.iter().any(|name| name.starts_with(word));
    MONTHS.iter().position(names).and_then(|at| u32::try_from(at + 1).ok())
}

/// The weekday that a lower-case word names, in full or by three letters; German and French ones
/// in full.
pub(super) fn weekday(word: &str) -> Option<Weekday> {
    let day = match word.trim_end_matches(['ì', 'i']) {
        "lun" | "luned" | "mon" | "monday" | "montag" | "lund" => Weekday::Mon,
        "mar" | "marted" | "tue" | "tues" | "tuesday" | "dienstag" | "mard" => Weekday::Tue,
        "mer" | "mercoled" | "wed" | "wednesday" | "mittwoch" | "mercred" => Weekday::Wed,
        "gio" | "gioved" | "thu" | "thur" | "thurs" | "thursday" | "donnerstag" | "jeud" => {
            Weekday::Thu
        }
        "ven" | "venerd" | "fri" | "friday" | "freitag" | "vendred" => Weekday::Fri,
        "sab" | "sabato" | "sat" | "saturday" | "samstag" | "samed" => Weekday::Sat,
        "dom" | "domenica" | "sun" | "sunday" | "sonntag" | "dimanche" => Weekday::Sun,
        _ => return None,
    };
    Some(day)
}
