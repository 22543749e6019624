//! Sums of money that an item names: `€ 1.234.567,89`, `40mila euro`, `1,2 milioni di euro`.

use serde::{Deserialize, Serialize};

use super::analysis::{Analysis, Token};
use super::{Evidence, Field};

/// The most sums that are kept of an item.
pub const AMOUNTS_MAX: usize = 50;

/// The most digits of a number before its comma; a larger one is no sum of money.
const DIGITS_MAX: usize = 13;

/// A sum of money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// How much, in hundredths of a euro.
    pub euro_cents: u64,
    /// The words that say so.
    pub evidence: Evidence,
}

/// The sums in the title and the text, in their order, each number once.
pub(crate) fn find(fields: &[(Field, &str)], analyses: &[Analysis]) -> Vec<Amount> {
    let mut found: Vec<Amount> = Vec::new();
    for (&(field, written), analysis) in fields.iter().zip(analyses) {
        if !matches!(field, Field::Title | Field::Text) {
            continue;
        }
        let tokens = &analysis.tokens;
        let mut at = 0;
        while at < tokens.len() && found.len() < AMOUNTS_MAX {
            let Some((cents, start, end, next)) = amount_at(written, tokens, at) else {
                at += 1;
                continue;
            };
            at = next;
            if found.iter().all(|known| known.euro_cents != cents) {
                let text = written[start..end].to_owned();
                let evidence = Evidence { rule: "amount".to_owned(), text, field, start, end };
                found.push(Amount { euro_cents: cents, evidence });
            }
        }
    }
    found
}

/// The sum whose number begins at a token: its cents, where its words begin and end, and the token
/// after it.
fn amount_at(written: &str, tokens: &[Token], at: usize) -> Option<(u64, usize, usize, usize)> {
    let Number { cents, mut next } = number(written, tokens, at)?;
    let mut factor = 1;
    if let Some(times) = tokens.get(next).and_then(|token| multiplier(&token.folded)) {
        factor = times;
        next += 1;
    }
    let number_end = tokens[next - 1].span.end;
    // `di euro`, `euro`, `€` behind the number; `euro`, `€` before it.
    let of = usize::from(tokens.get(next).is_some_and(|token| token.folded == "di"));
    let begin = tokens[at].span.start;
    let behind = tokens.get(next + of).filter(|token| is_euro(&token.folded));
    let before = at.checked_sub(1).map(|before| &tokens[before]);
    let gap_from = before.map_or(0, |token| token.span.end);
    let gap = &written[gap_from..begin];
    let sign = gap
        .rfind('€')
        .filter(|sign| gap[sign + '€'.len_utf8()..].trim_matches(gap_char).is_empty());
    let gap_to = tokens.get(next).map_or(written.len(), |token| token.span.start);
    let after = &written[number_end..gap_to];
    let (start, end, next) = if let Some(sign) = sign {
        (gap_from + sign, number_end, next)
    } else if let Some(euro) = before.filter(|token| is_euro(&token.folded))
        && gap.trim_matches(gap_char).is_empty()
    {
        (euro.span.start, number_end, next)
    } else if let Some(euro) = behind {
        (begin, euro.span.end, next + of + 1)
    } else if after.trim_start().starts_with('€') {
        (begin, number_end + after.find('€')? + '€'.len_utf8(), next)
    } else {
        return None;
    };
    Some((cents.checked_mul(factor)?, start, end, next))
}

/// What may stand between `€` and its number.
fn gap_char(c: char) -> bool {
    c.is_whitespace() || matches!(c, '.' | ':' | '(')
}

fn is_euro(word: &str) -> bool {
    matches!(word, "euro" | "eur")
}

fn multiplier(word: &str) -> Option<u64> {
    match word {
        "mila" | "mille" => Some(1_000),
        "milione" | "milioni" | "mln" | "mil" => Some(1_000_000),
        "miliardo" | "miliardi" | "mld" => Some(1_000_000_000),
        _ => None,
    }
}

struct Number {
    cents: u64,
    /// The token after it.
    next: usize,
}

/// The number at a token: points between thousands, a comma before hundredths, `mila` at its end.
fn number(written: &str, tokens: &[Token], at: usize) -> Option<Number> {
    let word = tokens[at].folded.as_str();
    if !word.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (digits, thousands) = match word.strip_suffix("mila") {
        Some(digits) => (digits, 1_000),
        None => (word, 1),
    };
    let whole = whole(digits)?;
    let mut next = at + 1;
    let mut hundredths = 0;
    if let Some(part) = tokens.get(next)
        && &written[tokens[at].span.end..part.span.start] == ","
        && part.folded.len() <= 2
        && part.folded.bytes().all(|b| b.is_ascii_digit())
    {
        let value: u64 = part.folded.parse().ok()?;
        hundredths = if part.folded.len() == 1 { value * 10 } else { value };
        next += 1;
    }
    let cents = whole.checked_mul(100)?.checked_add(hundredths)?.checked_mul(thousands)?;
    Some(Number { cents, next })
}

/// `1.234.567`, `1234567`; of `1.5` (a number of another country, a paragraph) nothing.
fn whole(digits: &str) -> Option<u64> {
    let mut groups = digits.split('.');
    let first = groups.next()?;
    let plain = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let grouped = groups.all(|group| group.len() == 3)
        && (first.len() == digits.len() || (1..=3).contains(&first.len()));
    let all: String = digits.chars().filter(|&c| c != '.').collect();
    (plain && grouped && all.len() <= DIGITS_MAX).then(|| all.parse().ok()).flatten()
}
