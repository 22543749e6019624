//! Codes that travel with an item: CIG (procurement), CUP (public investment), PNRR measures.

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
    /// Mission and component (`M1C1`), or the number of an investment (`1.4.3`).
    pub measure: Vec<String>,
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
            let Some((kind, code, end)) = code_at(tokens, at, field, pnrr) else {
                at += 1;
                continue;
            };
            let (list, name) = match kind {
                CodeKind::Cig => (&mut codes.cig, "CIG"),
                CodeKind::Cup => (&mut codes.cup, "CUP"),
                CodeKind::Measure => (&mut codes.measure, "PNRR measure"),
            };
            if list.len() < CODES_MAX && !list.contains(&code) {
                list.push(code);
                let (start, stop) = (tokens[at].span.start, tokens[end - 1].span.end);
                let text = written[start..stop].to_owned();
                let rule = name.to_owned();
                spoken.push((kind, Evidence { rule, text, field, start, end: stop }));
            }
            at = end;
        }
    }
    (codes, spoken)
}

fn is_pnrr(token: &Token) -> bool {
    matches!(token.folded.as_str(), "pnrr" | "padigitale" | "padigitale2026")
}

/// The code that begins at a token, and the token after it.
fn code_at(
    tokens: &[Token],
    at: usize,
    field: Field,
    pnrr: bool,
) -> Option<(CodeKind, String, usize)> {
    let word = tokens[at].folded.as_str();
    match word {
        "cig" | "smartcig" => {
            named(tokens, at, CIG_LENGTH, is_cig).map(|(c, e)| (CodeKind::Cig, c, e))
        }
        "cup" => named(tokens, at, CUP_LENGTH, is_cup).map(|(c, e)| (CodeKind::Cup, c, e)),
        "investimento" | "subinvestimento" | "misura" | "submisura" | "avviso" => {
            let number = tokens.get(at + 1)?;
            let likely = match word {
                "investimento" | "subinvestimento" => true,
                "avviso" => pnrr,
                _ => pnrr || is_digital(&number.folded),
            };
            (likely && is_number(&number.folded))
                .then(|| (CodeKind::Measure, number.folded.clone(), at + 2))
        }
        "missione" => mission(tokens, at),
        // `1.4.4 Adozione SPID CIE - Comuni`: calls for the digital measures begin with their
        // number.
        number if at == 0 && field == Field::Title && is_digital(number) => {
            Some((CodeKind::Measure, number.to_owned(), 1))
        }
        _ => component(word).map(|code| (CodeKind::Measure, code, at + 1)),
    }
}

/// `CIG 1234567890`, `CIG n. 1234567890`: a code right after its name.
fn named(
    tokens: &[Token],
    at: usize,
    length: usize,
    fits: impl Fn(&str) -> bool,
) -> Option<(String, usize)> {
    let mut next = at + 1;
    while matches!(tokens.get(next)?.folded.as_str(), "n" | "nr" | "num" | "numero" | "codice") {
        next += 1;
    }
    let code = &tokens.get(next)?.folded;
    let plain = code.len() == length && code.bytes().all(|b| b.is_ascii_alphanumeric());
    (plain && fits(code)).then(|| (code.to_ascii_uppercase(), next + 1))
}

fn is_cig(code: &str) -> bool {
    code.bytes().filter(u8::is_ascii_digit).count() >= 3
}

fn is_cup(code: &str) -> bool {
    let letters = code.bytes().filter(u8::is_ascii_alphabetic).count();
    code.starts_with(|c: char| c.is_ascii_alphabetic()) && letters <= CUP_LETTERS_MAX
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

/// `Missione 1 - Componente 1`.
fn mission(tokens: &[Token], at: usize) -> Option<(CodeKind, String, usize)> {
    let word = |offset: usize| tokens.get(at + offset).map(|token| token.folded.as_str());
    let digit = |word: &str| word.len() == 1 && matches!(word.as_bytes()[0], b'1'..=b'7');
    let (mission, part) = (word(1)?, word(3)?);
    (digit(mission) && word(2)? == "componente" && digit(part))
        .then(|| (CodeKind::Measure, format!("M{mission}C{part}"), at + 4))
}
