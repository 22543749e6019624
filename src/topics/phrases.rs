//! Phrases, and the one automaton that finds all of them in one pass over the stems.
//!
//! The time to read a text grows with the text, not with the number of phrases.

use aho_corasick::{AhoCorasick, MatchKind};
use rust_stemmers::Stemmer;

use super::analysis::{self, Analysis, stem};

/// The most words of one phrase.
pub const PHRASE_WORDS_MAX: usize = 12;

/// How many words may stand between two parts of a phrase that are joined by `...`.
pub const GAP_WORDS_MAX: usize = 8;

/// A phrase that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhraseError {
    /// Nothing but articles, prepositions and punctuation.
    #[error("the phrase has no word that can be found")]
    Empty,
    /// More than [`PHRASE_WORDS_MAX`] words.
    #[error("the phrase has more than {PHRASE_WORDS_MAX} words")]
    Long,
    /// `*`, `=` or `^` where it means nothing.
    #[error("`*` ends the last word of a phrase, `=` begins a word, `^` begins a phrase")]
    Mark,
}

/// One word of a phrase.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Word {
    stem: String,
    /// The form it must have, where it was written with `=`.
    exact: Option<String>,
}

/// Words that stand one after the other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Pattern {
    words: Vec<Word>,
    /// The last word is only the beginning of one: `vaccin*`.
    open: bool,
    /// It stands at the beginning of the field: `^fornitura`.
    anchored: bool,
}

impl Pattern {
    /// What the automaton looks for.
    fn needle(&self) -> String {
        let mut needle = String::new();
        for word in &self.words {
            needle.push(' ');
            needle.push_str(&word.stem);
        }
        if !self.open {
            needle.push(' ');
        }
        needle
    }
}

/// Reads a phrase as a person writes it: parts joined by `...`, words that are stemmed, `=word` for
/// exactly this form, `begin*` for every word that begins so, `^` before a phrase that begins the
/// title or the text.
pub(crate) fn parse(phrase: &str, stemmer: &Stemmer) -> Result<Vec<Pattern>, PhraseError> {
    let parts: Vec<Pattern> = phrase
        .replace('…', "...")
        .split(" ... ")
        .map(|part| pattern(part, stemmer))
        .collect::<Result<_, _>>()?;
    if parts.iter().map(|part| part.words.len()).sum::<usize>() > PHRASE_WORDS_MAX {
        return Err(PhraseError::Long);
    }
    Ok(parts)
}

fn pattern(part: &str, stemmer: &Stemmer) -> Result<Pattern, PhraseError> {
    let mut words = Vec::new();
    let mut open = false;
    let (part, anchored) = match part.trim_start().strip_prefix('^') {
        Some(rest) => (rest, true),
        None => (part, false),
    };
    for written in part.split_whitespace() {
        if open {
            return Err(PhraseError::Mark);
        }
        let (written, exact) = match written.strip_prefix('=') {
            Some(rest) => (rest, true),
            None => (written, false),
        };
        let (written, begins) = match written.strip_suffix('*') {
            Some(rest) => (rest, true),
            None => (written, false),
        };
        if written.contains(['=', '*', '^']) || (exact && begins) {
            return Err(PhraseError::Mark);
        }
        for token in analysis::tokens(written) {
            if token.is_function_word() {
                continue;
            }
            let folded = token.folded;
            let stem = if begins { folded.clone() } else { stem(stemmer, &folded) };
            words.push(Word { stem, exact: exact.then_some(folded) });
        }
        open = begins && !words.is_empty();
    }
    match words.is_empty() {
        true => Err(PhraseError::Empty),
        false => Ok(Pattern { words, open, anchored }),
    }
}

/// A phrase without marks, every word stemmed: what a subscriber types.
pub(crate) fn plain(phrase: &str, stemmer: &Stemmer) -> Result<Pattern, PhraseError> {
    words(phrase, |folded| Word { stem: stem(stemmer, &folded), exact: None })
}

/// A name: every word in exactly this form.
pub(crate) fn name(name: &str, stemmer: &Stemmer) -> Result<Pattern, PhraseError> {
    words(name, |folded| Word { stem: stem(stemmer, &folded), exact: Some(folded) })
}

fn words(phrase: &str, word: impl Fn(String) -> Word) -> Result<Pattern, PhraseError> {
    let words: Vec<Word> = analysis::tokens(phrase)
        .into_iter()
        .filter(|token| !token.is_function_word())
        .map(|token| word(token.folded))
        .collect();
    match words.len() {
        0 => Err(PhraseError::Empty),
        1..=PHRASE_WORDS_MAX => Ok(Pattern { words, open: false, anchored: false }),
        _ => Err(PhraseError::Long),
    }
}

/// A pattern found: which, and the words of the stream it covers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hit {
    /// The number the index gave the pattern.
    pub pattern: usize,
    /// Its first word in [`Analysis::words`].
    pub first: usize,
    /// The word after its last.
    pub end: usize,
}

/// All patterns, and the automaton over them.
#[derive(Debug, Default)]
pub(crate) struct Index {
    patterns: Vec<Pattern>,
    numbers: std::collections::HashMap<Pattern, usize>,
    automaton: Option<AhoCorasick>,
}

impl Index {
    /// The number of a pattern, which is new or known.
    pub fn add(&mut self, pattern: Pattern) -> usize {
        if let Some(&number) = self.numbers.get(&pattern) {
            return number;
        }
        let number = self.patterns.len();
        self.patterns.push(pattern.clone());
        self.numbers.insert(pattern, number);
        number
    }

    /// Builds the automaton; nothing can be found before. False where the patterns do not fit into
    /// one.
    #[must_use]
    pub fn build(&mut self) -> bool {
        let needles = self.patterns.iter().map(Pattern::needle);
        // Overlapping matches are needed, since a longer phrase decides what a shorter one means.
        self.automaton = AhoCorasick::builder().match_kind(MatchKind::Standard).build(needles).ok();
        self.automaton.is_some()
    }

    /// Everything that is found, in the order of its end.
    pub fn hits<'a>(&'a self, analysis: &'a Analysis) -> impl Iterator<Item = Hit> + 'a {
        let found = self.automaton.iter().flat_map(|a| a.find_overlapping_iter(&analysis.stream));
        found.filter_map(|found| {
            let number = found.pattern().as_usize();
            let pattern = &self.patterns[number];
            let first = analysis.word_at(found.start())?;
            let end = first + pattern.words.len();
            if pattern.anchored && first > 0 {
                return None;
            }
            let as_written = pattern.words.iter().enumerate().all(|(index, word)| {
                word.exact.as_ref().is_none_or(|exact| {
                    let (_, token) = analysis.words[first + index];
                    analysis.tokens[token].folded == *exact
                })
            });
            as_written.then_some(Hit { pattern: number, first, end })
        })
    }
}
