//! What of a text matters: counters, times of the last change and the like are no part of it.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfkc_quick};

use crate::store::NewRevision;

/// Words that begin a remark about the page and not about the news. What follows them is left out
/// where it is a number, a date or a time and nothing else.
const REMARKS: &[&str] = &[
    "visite",
    "visualizzazioni",
    "visualizzato",
    "letture",
    "letto",
    "accessi",
    "hits",
    "views",
    "click",
    "download",
    "scaricato",
    "condivisioni",
    "commenti",
    "mi piace",
    "numero di visite",
    "numero visite",
    "pagina visitata",
    "tempo di lettura",
    "ultimo aggiornamento",
    "ultima modifica",
    "ultimo accesso",
    "data ultima modifica",
    "data di pubblicazione",
    "data pubblicazione",
    "aggiornato il",
    "aggiornata il",
    "aggiornato",
    "modificato il",
    "modificato",
    "pubblicato il",
    "pubblicata il",
    "pubblicato",
    "creato il",
    "inserito il",
    "last updated",
    "last modified",
    "updated",
    "published",
];
/// Words that may stand in what follows: names of months and days, units, `alle ore`.
const REMARK_WORDS: &[&str] = &[
    "gen", "feb", "mar", "apr", "mag", "giu", "lug", "ago", "set", "ott", "nov", "dic", "jan",
    "may", "jun", "jul", "aug", "sep", "oct", "dec", "lun", "mer", "gio", "ven", "sab", "dom",
    "ore", "alle", "ora", "il", "al", "del", "di", "volte", "volta", "vol", "min", "sec", "fa",
    "minut", "second", "giorn", "settiman", "mes", "ann", "ieri", "oggi", "times", "utent", "am",
    "pm", "a", "e", "h",
];
/// The most words of a remark.
const REMARK_WORDS_MAX: usize = 12;
/// The shortest text that tells one item from others, in characters.
const TELLING_CHARS_MIN: usize = 40;

/// A digest of what people read. Dates of publication are no part of it: many sources move them at
/// every poll. Nor is what [`words`] leaves out.
pub fn digest(text: &NewRevision) -> String {
    let (summary, content) = (words(&text.summary), words(&without_tags(&text.content)));
    let body = if content == summary { "" } else { &content };
    hash(&[&folded(&text.title), &summary, body])
}

/// The key of a text that is long enough to tell one item from others, and is not its title again.
pub fn telling(text: &NewRevision) -> Option<String> {
    let body = words(&text.summary);
    let body = if body.is_empty() { words(&without_tags(&text.content)) } else { body };
    let title = folded(&text.title);
    let rest = body.strip_prefix(title.as_str()).unwrap_or(&body).trim();
    (rest.chars().count() >= TELLING_CHARS_MIN).then(|| hash(&[rest]))
}

/// A title as it is compared: letters and digits alone, of one form and size.
pub fn folded(text: &str) -> String {
    let folded = fold(text);
    // A title of signs alone is still a title.
    if folded.is_empty() { text.trim().to_owned() } else { folded }
}

/// A text as it is compared: its lines and sentences without remarks about the page.
pub fn words(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for part in text.split(['\n', '|', '•', '·']) {
        let line = fold(part);
        if line.is_empty() || is_remark(&line) {
            continue;
        }
        if !kept.is_empty() {
            kept.push(' ');
        }
        kept.push_str(without_last_remark(&line));
    }
    kept
}

/// The digest of some texts, told apart by where one ends.
pub fn hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    HEXLOWER.encode(&hash.finalize()[..16])
}

/// Clean HTML as text: tags inside a line vanish, others end it. What is compared needs no more.
fn without_tags(html: &str) -> String {
    const INSIDE: &[&str] =
        &["a", "b", "i", "em", "strong", "span", "u", "sub", "sup", "small", "abbr", "mark"];
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        text.push_str(&rest[..start]);
        let Some(end) = rest[start..].find('>') else { break };
        let tag = rest[start + 1..start + end].trim_start_matches('/');
        let name = tag.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        if !INSIDE.contains(&name) {
            text.push('\n');
        }
        rest = &rest[start + end + 1..];
    }
    text.push_str(rest);
    text.replace("&nbsp;", " ").replace("&amp;", "&")
}

fn fold(text: &str) -> String {
    if is_nfkc_quick(text.chars()) == IsNormalized::Yes {
        fold_chars(text.chars(), text.len())
    } else {
        fold_chars(text.nfkc(), text.len())
    }
}

fn fold_chars(chars: impl Iterator<Item = char>, octets: usize) -> String {
    let mut folded = String::with_capacity(octets);
    let mut space = false;
    for c in chars.flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            if space && !folded.is_empty() {
                folded.push(' ');
            }
            space = false;
            folded.push(c);
        } else {
            space = true;
        }
    }
    folded
}

/// Whether a folded line is a remark: `visite 123`, `ultimo aggiornamento 12 marzo 2026 ore 10 30`,
/// `letto 45 volte`, `3 minuti fa`, `123 visualizzazioni`.
fn is_remark(line: &str) -> bool {
    if !says_number(line) || line.split(' ').count() > REMARK_WORDS_MAX {
        return false;
    }
    let rest = REMARKS.iter().filter_map(|start| {
        let rest = line.strip_prefix(start)?;
        (rest.is_empty() || rest.starts_with(' ')).then_some(rest)
    });
    if rest.into_iter().any(|rest| rest.split_whitespace().all(is_remark_word)) {
        return true;
    }
    let what = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
    what.len() < line.len() && (REMARKS.contains(&what) || is_time_ago(what))
}

/// No remark is without a number.
fn says_number(line: &str) -> bool {
    line.bytes().any(|b| b.is_ascii_digit())
}

/// `giorni fa`, after its number.
fn is_time_ago(what: &str) -> bool {
    what.strip_suffix(" fa").is_some_and(is_remark_word)
}

/// A line without the remark at its end that begins with one of the longer phrases.
fn without_last_remark(line: &str) -> &str {
    if !says_number(line) {
        return line;
    }
    let phrases = REMARKS.iter().filter(|phrase| phrase.contains(' ') || phrase.len() > 5);
    let mut end = line.len();
    for phrase in phrases {
        let Some(at) = line.rfind(phrase) else { continue };
        let alone = at > 0 && line.as_bytes()[at - 1] == b' ';
        if alone && is_remark(&line[at..]) {
            end = end.min(at - 1);
        }
    }
    &line[..end]
}

fn is_remark_word(word: &str) -> bool {
    let starts = |start: &str| {
        word.strip_prefix(start).is_some_and(|rest| start.len() >= 3 || rest.is_empty())
    };
    word.bytes().all(|b| b.is_ascii_digit()) || REMARK_WORDS.iter().any(|start| starts(start))
}

#[cfg(test)]
mod tests {
    use super::{folded, words};

    #[test]
    fn remarks_about_the_page_are_no_part_of_a_text() {
        let text = "Si avvisa che la strada resta chiusa fino al 30/11/2026.";
        let kept = words(text);
        assert!(kept.ends_with("30 11 2026"), "{kept}");
        for remark in [
            "Visite: 123",
            "Letto 45 volte",
            "1.204 visualizzazioni",
            "Ultimo aggiornamento: giovedì 12 marzo 2026, ore 10:33",
            "Data di pubblicazione: 16/01/2026",
            "Tempo di lettura: 3 min",
            "2 giorni fa",
        ] {
            assert_eq!(words(&format!("{text}\n{remark}")), kept, "{remark}");
        }
        assert_eq!(words(&format!("{text} Visualizzazioni: 12")), kept);
        assert_eq!(words(&format!("{text} Ultima modifica: 1/2/2026 10:12")), kept);
    }

    #[test]
    fn dates_and_numbers_that_are_news_stay() {
        for (one, other) in [
            ("Scadenza: 30/11/2026", "Scadenza: 15/12/2026"),
            ("Bando per 12 posti", "Bando per 13 posti"),
            ("Dati del 2025 approvati dal Consiglio", "Dati del 2026 approvati dal Consiglio"),
        ] {
            assert_ne!(words(one), words(other));
        }
    }

    #[test]
    fn a_title_is_its_letters_and_digits() {
        assert_eq!(folded("🌳 “Alberi  in pianura”"), folded("ALBERI IN PIANURA"));
        assert_eq!(folded("１１６１１７"), "116117");
        assert_eq!(folded(" *** "), "***");
    }
}
