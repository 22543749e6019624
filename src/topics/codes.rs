//! Codes that travel with an item: CIG (procurement), CUP (public investment), PNRR measures.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::analysis::{Analysis, Token};
use super::file::CodeKind;
use super::{Evidence, Field};

/// The most codes of one kind that are kept of an item.
pub const CODES_MAX: usize = 50;

/// Letters and digits of a CIG.
const CIG_LENGTH: usize = 10;
/// Letters and digits of a CUP.
const CUP_LENGTH: usize = 15;
/// A CUP has at most this many letters.
const CUP_LETTERS_MAX: usize = 5;

/// Codes found in an item, each once, in the order in which they are first said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Codes {
    /// CIG, upper case.
    pub cig: Vec<String>,
    /// CUP, upper case.
    pub cup: Vec<String>,
    /// Mission and component (`M1C1`), a mission alone (`M1`), or the number of an investment
    /// (`1.4.3`).
    pub measure: Vec<String>,
    /// Where they are said.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
}

/// A code found at a token.
struct Said {
    kind: CodeKind,
    code: String,
    /// The first token of its words: its name, where it has one.
    first: usize,
    /// The token after it.
    end: usize,
}

/// Finds the codes, and the words that speak for a topic because they are one.
pub(crate) fn find(
    fields: &[(Field, &str)],
    analyses: &[Analysis],
) -> (Codes, Vec<(CodeKind, Evidence)>) {
    let mut codes = Codes::default();
    let mut spoken = Vec::new();
    // `misura 1.4.1` is one of the PNRR where the PNRR is spoken of: rural development has its own.
    let pnrr = analyses.iter().any(|analysis| analysis.tokens.iter().any(is_pnrr));
    for (&(field, written), analysis) in fields.iter().zip(analyses) {
        let tokens = &analysis.tokens;
        let mut at = 0;
        while at < tokens.len() {
            let found = codes_at(written, tokens, at, field, pnrr);
            at = found.last().map_or(at + 1, |last| last.end);
            for Said { kind, code, first, end } in found {
                let (list, name) = match kind {
                    CodeKind::Cig => (&mut codes.cig, "CIG"),
                    CodeKind::Cup => (&mut codes.cup, "CUP"),
                    CodeKind::Measure => (&mut codes.measure, "PNRR measure"),
                };
                if list.len() < CODES_MAX && !list.contains(&code) {
                    list.push(code);
                    let (start, stop) = (tokens[first].span.start, tokens[end - 1].span.end);
                    let text = written[start..stop].to_owned();
                    let rule = name.to_owned();
                    let evidence = Evidence { rule, text, field, start, end: stop };
                    codes.evidence.push(evidence.clone());
                    spoken.push((kind, evidence));
                }
            }
        }
    }
    (codes, spoken)
}

fn is_pnrr(token: &Token) -> bool {
    matches!(token.folded.as_str(), "pnrr" | "padigitale" | "padigitale2026")
}

/// The codes that begin at a token; after a name several, `CIG 1234567890, 1234567891`.
fn codes_at(written: &str, tokens: &[Token], at: usize, field: Field, pnrr: bool) -> Vec<Said> {
    let word = tokens[at].folded.as_str();
    let one = |kind, code: String, end| vec![Said { kind, code, first: at, end }];
    match word {
        "cig" | "smartcig" => return named(written, tokens, at, CodeKind::Cig),
        "cup" => return named(written, tokens, at, CodeKind::Cup),
        "investimento" | "subinvestimento" | "inv" | "misura" | "submisura" | "riforma"
        | "avviso" => {
            let Some(number) = tokens.get(at + 1).map(|token| token.folded.as_str()) else {
                return Vec::new();
            };
            let likely = match word {
                "investimento" | "subinvestimento" => true,
                "avviso" | "riforma" | "inv" => pnrr,
                _ => pnrr || is_digital(number),
            };
            if likely && is_number(number) {
                return one(CodeKind::Measure, number.to_owned(), at + 2);
            }
        }
        "missione" => {
            if let Some((code, end)) = mission(tokens, at, pnrr) {
                return one(CodeKind::Measure, code, end);
            }
        }
        // `1.4.4 Adozione SPID CIE - Comuni`: calls for the digital measures begin with their
        // number.
        number if at == 0 && field == Field::Title && is_digital(number) => {
            return one(CodeKind::Measure, number.to_owned(), 1);
        }
        _ => {}
    }
    if let Some(code) = component(word) {
        let mut found = one(CodeKind::Measure, code, at + 1);
        if let Some(number) = word.get(5..).filter(|number| is_number(number)) {
            found.extend(one(CodeKind::Measure, number.to_owned(), at + 1));
        }
        return found;
    }
    // `M1.C1` and `M1 C1` are two words or one.
    if let Some(code) = split_component(tokens, at) {
        return one(CodeKind::Measure, code, at + 2);
    }
    // Without its name only what can hardly be anything else.
    if is_strict_cup(word) {
        return one(CodeKind::Cup, word.to_ascii_uppercase(), at + 1);
    }
    if word.len() == CIG_LENGTH && !word.bytes().all(|b| b.is_ascii_digit()) && is_signed_cig(word)
    {
        return one(CodeKind::Cig, word.to_ascii_uppercase(), at + 1);
    }
    Vec::new()
}

/// `CIG 1234567890`, `CIG n. 1234567890`: codes right after their name, separated by commas.
fn named(written: &str, tokens: &[Token], at: usize, kind: CodeKind) -> Vec<Said> {
    let mut found: Vec<Said> = Vec::new();
    let mut next = at + 1;
    while let Some(token) = tokens.get(next) {
        let code = token.folded.as_str();
        if found.is_empty()
            && matches!(code, "n" | "nr" | "num" | "numero" | "codice" | "codici" | "master")
        {
            next += 1;
            continue;
        }
        let fits = match kind {
            CodeKind::Cup => code.len() == CUP_LENGTH && is_cup(code),
            _ => code.len() == CIG_LENGTH && is_cig(code),
        };
        let plain = code.bytes().all(|b| b.is_ascii_alphanumeric());
        let between = &written[tokens[next - 1].span.end..token.span.start];
        let joined = found.is_empty() || matches!(between.trim(), "," | ";" | "-" | "–" | "/" | "");
        if !(fits && plain && joined) {
            break;
        }
        let first = if found.is_empty() { at } else { next };
        found.push(Said { kind, code: code.to_ascii_uppercase(), first, end: next + 1 });
        next += 1;
    }
    found
}

fn is_cig(code: &str) -> bool {
    code.bytes().filter(u8::is_ascii_digit).count() >= 3
}

fn is_cup(code: &str) -> bool {
    let letters = code.bytes().filter(u8::is_ascii_alphabetic).count();
    code.starts_with(|c: char| c.is_ascii_alphabetic()) && letters <= CUP_LETTERS_MAX
}

/// A letter, two digits, a letter, eleven digits: `C62B17000400006`. A CUP has no check digit.
fn is_strict_cup(word: &str) -> bool {
    word.len() == CUP_LENGTH
        && word.bytes().enumerate().all(|(index, b)| match index {
            0 | 3 => b.is_ascii_alphabetic(),
            _ => b.is_ascii_digit(),
        })
}

/// Whether the check digits of a CIG are right. The last three digits of one check the first seven;
/// of one that begins with A to U, as they do since 2024, its letter counts as a number; of a small
/// one, which begins with X, Y or Z, the two digits after that letter check the rest.
fn is_signed_cig(code: &str) -> bool {
    let hex = |range: Range<usize>| u64::from_str_radix(code.get(range)?, 16).ok();
    let check = |value: u64, modulus: u64| value * 211 % modulus;
    let signed = || match code.as_bytes()[0] {
        b'x'..=b'z' => Some(hex(1..3)? == check(hex(3..10)?, 251)),
        letter @ b'a'..=b'u' => {
            let value = hex(1..7)? + u64::from(letter - b'a') + 1;
            Some(hex(7..10)? == check(value, 4091))
        }
        _ => Some(hex(7..10)? == check(code.get(..7)?.parse().ok()?, 4091)),
    };
    code.len() == CIG_LENGTH && code.is_ascii() && signed().unwrap_or(false)
}

/// The number of an investment: two or three levels, each of one digit.
fn is_number(word: &str) -> bool {
    let levels: Vec<&str> = word.split('.').collect();
    matches!(levels.len(), 2 | 3)
        && levels.iter().all(|level| level.len() == 1 && level.as_bytes()[0].is_ascii_digit())
        && matches!(word.as_bytes()[0], b'1'..=b'7')
}

/// The measures of the digital component that bodies apply for: `1.2`, `1.3.1`, `1.4.1` to `1.4.6`.
fn is_digital(word: &str) -> bool {
    matches!(word, "1.3.1" | "1.3.2" | "1.4.1" | "1.4.2" | "1.4.3" | "1.4.4" | "1.4.5" | "1.4.6")
}

/// `M1C1`, also at the head of a whole code such as `M1C1I1.4.3`.
fn component(word: &str) -> Option<String> {
    let &[b'm', mission @ b'1'..=b'7', b'c', part @ b'1'..=b'5', ref rest @ ..] = word.as_bytes()
    else {
        return None;
    };
    let whole = rest.is_empty()
        || matches!(rest, [b'i' | b'r', number @ ..] if number.first()?.is_ascii_digit());
    whole.then(|| format!("M{}C{}", char::from(mission), char::from(part)))
}

/// `M1 C1`, `M1.C1`, `M1-C1`.
fn split_component(tokens: &[Token], at: usize) -> Option<String> {
    let word = tokens[at].folded.as_str();
    let short = word.len() == 2 && word.starts_with('m');
    let part = short.then(|| tokens.get(at + 1)).flatten()?.folded.as_str();
    component(&format!("{word}{part}"))
}

/// How many words may stand between a mission and its component: the mission's name.
const MISSION_NAME_WORDS_MAX: usize = 12;

/// `Missione 1 - Componente 1`, `Missione 4 "Istruzione e ricerca" - Componente 1`; the mission
/// alone (`M4`) where the PNRR is spoken of.
fn mission(tokens: &[Token], at: usize, pnrr: bool) -> Option<(String, usize)> {
    let number = |index: usize, most: u8| {
        let word = tokens.get(index)?.folded.as_str();
        let roman = ["i", "ii", "iii", "iv", "v", "vi", "vii"].iter().position(|&r| r == word);
        let number = match roman {
            Some(index) => u8::try_from(index + 1).ok()?,
            None => word.parse().ok()?,
        };
        (1..=most).contains(&number).then_some(number)
    };
    let at_number = match tokens.get(at + 1)?.folded.as_str() {
        "n" | "numero" => at + 2,
        _ => at + 1,
    };
    let mission = number(at_number, 7)?;
    let names = at_number + 1..(at_number + 2 + MISSION_NAME_WORDS_MAX).min(tokens.len());
    let part = names
        .take_while(|&index| tokens[index].folded != "missione")
        .find(|&index| tokens[index].folded == "componente")
        .and_then(|index| Some((number(index + 1, 5)?, index + 2)));
    match part {
        Some((part, end)) => Some((format!("M{mission}C{part}"), end)),
        None => pnrr.then(|| (format!("M{mission}"), at_number + 1)),
    }
}
