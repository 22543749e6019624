//! The last day on which something can be handed in. Items past it are no longer told, so a date is
//! taken only where the text says plainly that it is a deadline, with its year; of several the
//! latest counts.

use std::ops::Range;

use chrono::NaiveDate;

use super::Field;
use super::analysis::{Analysis, Token};

/// How many words may stand between the word that announces a deadline and its date.
const WORDS_BEFORE_DATE_MAX: usize = 12;
/// How far around `entro` it is looked for what is to be handed in.
const WORDS_AROUND_MAX: usize = 25;

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

/// The deadline that the title or the text says.
pub(crate) fn find(fields: &[(Field, &str)], analyses: &[Analysis]) -> Option<NaiveDate> {
    fields
        .iter()
        .zip(analyses)
        .filter(|((field, _), _)| matches!(field, Field::Title | Field::Text))
        .filter_map(|((_, written), analysis)| latest(written, &analysis.tokens))
        .max()
}

fn latest(written: &str, tokens: &[Token]) -> Option<NaiveDate> {
    (0..tokens.len())
        .filter(|&at| announces(tokens, at))
        .filter_map(|at| date_after(written, tokens, at))
        .max()
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

/// The first date after a token, in the same sentence.
fn date_after(written: &str, tokens: &[Token], at: usize) -> Option<NaiveDate> {
    for index in at + 1..(at + 1 + WORDS_BEFORE_DATE_MAX).min(tokens.len()) {
        let token = &tokens[index];
        if token.starts_sentence || LENGTHS.contains(&token.folded.as_str()) {
            return None;
        }
        if let Some(date) = date_at(written, tokens, index) {
            return Some(date);
        }
    }
    None
}

/// The date that begins at a token: `15/12/2026`, `15.12.26`, `15 dicembre 2026`, `2026-12-15`.
fn date_at(written: &str, tokens: &[Token], at: usize) -> Option<NaiveDate> {
    let first = &tokens[at];
    let dotted: Vec<&str> = first.folded.split('.').collect();
    if let [day, month, year] = dotted[..] {
        return date(day, month, year);
    }
    let (second, third) = (tokens.get(at + 1)?, tokens.get(at + 2)?);
    if let Some(month) = MONTHS.iter().position(|&month| month == second.folded) {
        let day = first.folded.trim_end_matches(|c: char| !c.is_ascii_digit());
        return date(day, &(month + 1).to_string(), &third.folded);
    }
    let between =
        [&written[first.span.end..second.span.start], &written[second.span.end..third.span.start]];
    if between != ["/", "/"] && between != ["-", "-"] {
        return None;
    }
    match first.folded.len() {
        4 => date(&third.folded, &second.folded, &first.folded),
        _ => date(&first.folded, &second.folded, &third.folded),
    }
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
