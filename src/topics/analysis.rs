//! Italian analysis: a text becomes tokens, each with its form and its place in the original.
//!
//! Everything that is matched, rule, place or followed word, goes through here, so that all of them
//! see the same words. Offsets always point into the text as it was written.

use std::ops::Range;

use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The most octets of one field that are analysed; what follows is not looked at.
pub const FIELD_OCTETS_MAX: usize = 256 * 1024;

/// The most letters of one word that are compared; longer words are no words.
pub const WORD_LETTERS_MAX: usize = 64;

/// Stands between two sentences in the stream, so that no phrase reaches over a full stop.
const SENTENCE_BREAK: &str = "|";

/// A word before a full stop that is this short is an abbreviation (`n.`, `art.`, `dott.`).
const ABBREVIATION_LETTERS_MAX: usize = 4;

/// Articles, prepositions and their contractions. They are left out on both sides, so that a rule
/// `raccolta rifiuti` finds `raccolta dei rifiuti`. Conjunctions stay: `ambiente e lavoro` is not
/// `ambiente di lavoro`.
const FUNCTION_WORDS: &[&str] = &[
    "a", "ad", "agli", "ai", "al", "all", "alla", "alle", "allo", "c", "coi", "col", "con", "d",
    "da", "dagli", "dai", "dal", "dall", "dalla", "dalle", "dallo", "degli", "dei", "del", "dell",
    "della", "delle", "dello", "di", "fra", "gli", "i", "il", "in", "l", "la", "le", "lo", "negli",
    "nei", "nel", "nell", "nella", "nelle", "nello", "per", "su", "sugli", "sui", "sul", "sull",
    "sulla", "sulle", "sullo", "tra", "un", "una", "uno",
];

/// One word of a text.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    /// Where it stands in the original, in octets.
    pub span: Range<usize>,
    /// Lower case, without accents, compatibility forms resolved.
    pub folded: String,
    /// Its first letter is a capital.
    pub capital: bool,
    /// A sentence ends between the token before and this one.
    pub starts_sentence: bool,
}

impl Token {
    /// An article or a preposition.
    pub fn is_function_word(&self) -> bool {
        FUNCTION_WORDS.binary_search(&self.folded.as_str()).is_ok()
    }
}

/// A text cut into words, with the stream of forms that an automaton reads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Analysis {
    /// Every word, in order.
    pub tokens: Vec<Token>,
    /// The forms of all but function words, each between two spaces: ` raccolt rifiut `.
    pub stream: String,
    /// For each word of the stream, the offset of the space before it, and its index in `tokens`
    /// (for a sentence break, the index of the word after it).
    pub words: Vec<(usize, usize)>,
}

impl Analysis {
    /// Analyses one field.
    pub fn new(text: &str) -> Self {
        let tokens = tokens(text);
        let mut analysis = Self { tokens, stream: String::from(" "), words: Vec::new() };
        for (index, token) in analysis.tokens.iter().enumerate() {
            if token.starts_sentence && index > 0 {
                analysis.words.push((analysis.stream.len() - 1, index));
                analysis.stream.push_str(SENTENCE_BREAK);
                analysis.stream.push(' ');
            }
            if !token.is_function_word() {
                analysis.words.push((analysis.stream.len() - 1, index));
                analysis.stream.push_str(&form(&token.folded));
                analysis.stream.push(' ');
            }
        }
        analysis
    }

    /// The word of the stream that begins after the space at this offset.
    pub fn word_at(&self, space: usize) -> Option<usize> {
        self.words.binary_search_by_key(&space, |&(offset, _)| offset).ok()
    }
}

/// The shortest words whose ending is one of number and gender; `via` and `api` are whole.
const INFLECTED_LETTERS_MIN: usize = 4;

/// Ends forms that are so short that they could be abbreviations.
const SHORT_FORM: &str = "-";

/// A folded word without its ending of number and gender: `bando` and `bandi`, `energetica` and
/// `energetiche` have one form. Snowball's stem goes much further (`comune` and `comunità`,
/// `ristori` and `ristorazione`, `opere` and `operatori` have one stem each), which in titles of a
/// few words does more harm than good; rules ask for it where it is wanted, with `~`.
pub(crate) fn form(folded: &str) -> String {
    let inflected = folded.len() >= INFLECTED_LETTERS_MIN
        && folded.bytes().all(|b| b.is_ascii_lowercase())
        && folded.ends_with(['a', 'e', 'i', 'o']);
    if !inflected {
        return folded.to_owned();
    }
    let stripped = &folded[..folded.len() - 1];
    // `servizi-o`, `energi-a`; `parch-i`, `energetich-e`.
    let stripped = stripped.strip_suffix('i').unwrap_or(stripped);
    let stripped = match stripped.strip_suffix('h') {
        Some(rest) if rest.ends_with(['c', 'g']) => rest,
        _ => stripped,
    };
    // `arte` is not `art.`.
    let mark = if stripped.len() < INFLECTED_LETTERS_MIN { SHORT_FORM } else { "" };
    format!("{stripped}{mark}")
}

/// What all forms of an inflected word begin with.
pub(crate) fn beginning(folded: &str) -> String {
    form(folded).trim_end_matches(SHORT_FORM).to_owned()
}

/// The stem of a folded word: Snowball's for plain words, the word itself for numbers, codes and
/// other scripts, which the Italian rules would only damage.
pub(crate) fn stem(stemmer: &Stemmer, folded: &str) -> String {
    if folded.bytes().all(|b| b.is_ascii_lowercase()) {
        stemmer.stem(folded).into_owned()
    } else {
        folded.to_owned()
    }
}

/// A stemmer for the language of the rules.
pub(crate) fn italian() -> Stemmer {
    Stemmer::create(Algorithm::Italian)
}

/// Cuts a text at a character boundary to what is analysed.
fn bounded(text: &str) -> &str {
    &text[..text.floor_char_boundary(FIELD_OCTETS_MAX)]
}

/// The words of a text.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let text = bounded(text);
    let mut found: Vec<Token> = Vec::new();
    let mut at = 0;
    while let Some(begin) = text[at..].find(is_letter).map(|skip| at + skip) {
        let end = word_end(text, begin);
        let starts_sentence = match found.last() {
            Some(last) => breaks(&text[last.span.end..begin], last, &text[begin..]),
            None => true,
        };
        let span = begin..end;
        let folded = fold(&text[span.clone()]);
        // A word of nothing but marks folds to nothing.
        if !folded.is_empty() {
            let capital = starts_with_capital(&text[begin..]);
            found.push(Token { span, folded, capital, starts_sentence });
        }
        at = end;
    }
    found
}

/// Whether what stands between two words ends a sentence.
fn breaks(between: &str, last: &Token, rest: &str) -> bool {
    if !starts_with_capital(rest) {
        return false;
    }
    let line = between.contains('\n');
    let closed = between.contains(['!', '?', ';']) && between.contains(char::is_whitespace);
    let stopped = between.starts_with('.')
        && between.contains(char::is_whitespace)
        && last.folded.chars().count() > ABBREVIATION_LETTERS_MAX;
    line || closed || stopped
}

/// Whether the text begins with a capital, also one of the mathematical alphabets that are pasted
/// into titles for their looks.
fn starts_with_capital(text: &str) -> bool {
    let first = text.chars().next();
    let normal = |c: char| if c.is_ascii() { Some(c) } else { c.nfkd().next() };
    first.and_then(normal).is_some_and(char::is_uppercase)
}

fn is_letter(c: char) -> bool {
    c.is_alphanumeric()
}

/// Letters, and what stands inside a word without ending it: combining marks and the soft hyphen.
fn continues(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c) || c == '\u{ad}'
}

/// Where the word that begins at `begin` ends. Abbreviations with full stops (`P.G.T.`) and numbers
/// with points (`1.4.3`, `12.00`) are one word.
fn word_end(text: &str, begin: usize) -> usize {
    let mut end = run_end(text, begin);
    let mut initials = is_initial(&text[begin..end]);
    while let Some(next) = text[end..].strip_prefix('.').and_then(|rest| rest.chars().next()) {
        let digits = next.is_ascii_digit() && text[..end].ends_with(|c: char| c.is_ascii_digit());
        let after = run_end(text, end + 1);
        initials = initials && is_initial(&text[end + 1..after]);
        if !(digits || initials) {
            break;
        }
        end = after;
    }
    end
}

/// One letter, as in abbreviations.
fn is_initial(run: &str) -> bool {
    let mut chars = run.chars();
    chars.next().is_some_and(char::is_alphabetic) && chars.next().is_none()
}

fn run_end(text: &str, begin: usize) -> usize {
    text[begin..].find(|c| !continues(c)).map_or(text.len(), |length| begin + length)
}

/// Lower case without accents. `𝗔`, `À` and `a` fold to the same letter; points of abbreviations
/// go (`P.G.T.` is `pgt`), points of numbers stay.
pub(crate) fn fold(word: &str) -> String {
    let number = word.contains(|c: char| c.is_ascii_digit());
    // Nearly every word: its letters are in normal form as they are.
    if word.is_ascii() {
        let kept = word.bytes().filter(|b| b.is_ascii_alphanumeric() || (number && *b == b'.'));
        return kept.take(WORD_LETTERS_MAX).map(|b| char::from(b.to_ascii_lowercase())).collect();
    }
    word.nfkd()
        .filter(|&c| !is_combining_mark(c) && c != '\u{ad}' && (number || c != '.'))
        .flat_map(char::to_lowercase)
        .filter(|&c| c.is_alphanumeric() || c == '.')
        .take(WORD_LETTERS_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(text: &str) -> String {
        Analysis::new(text).stream
    }

    #[test]
    fn function_words_are_sorted_for_the_search() {
        assert!(FUNCTION_WORDS.is_sorted());
    }

    #[test]
    fn apostrophes_accents_and_capitals_make_no_difference() {
        assert_eq!(stream("dell'asilo"), stream("DELL’ASILO"));
        assert_eq!(stream("perche' la città"), stream("perché la CITTA'"));
        assert_eq!(stream("𝗔𝗟𝗕𝗘𝗥𝗜"), stream("alberi"));
        assert_eq!(stream("P.G.T."), stream("PGT"));
    }

    #[test]
    fn numbers_keep_their_points_and_sentences_break() {
        assert_eq!(stream("Investimento 1.4.3"), " investiment 1.4.3 ");
        assert_eq!(stream("La raccolta. Rifiuti"), " raccolt | rifiut ");
        assert_eq!(stream("art. 5"), " art 5 ");
    }
}
