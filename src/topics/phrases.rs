//! Phrases, and the one automaton that finds all of them in one pass over the words.
//!
//! The time to read a text grows with the text, not with the number of phrases.

use aho_corasick::{AhoCorasick, MatchKind};
use rust_stemmers::Stemmer;

use super::analysis::{self, Analysis, Token, beginning, form};

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
    /// `*`, `=`, `~` or `^` where it means nothing.
    #[error("`=` begins a word, `~` begins and `*` ends the last word, `^` begins a phrase")]
    Mark,
}

/// One word of a phrase.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Word {
    /// What the automaton looks for: a form, or the beginning of one.
    needle: String,
    /// What must hold of the word that was found.
    holds: Holds,
}

/// What a word that is found must be, beyond its form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Holds {
    /// Any number and gender of the word.
    Form,
    /// Written exactly so: `=banda`.
    Exact(String),
    /// It begins so: `vaccin*`.
    Begins(String),
    /// It has this stem: `~chiudere`.
    Stem(String),
}

impl Holds {
    fn of(&self, token: &Token, stemmer: &Stemmer) -> bool {
        match self {
            Holds::Form => true,
            Holds::Exact(word) => token.folded == *word,
            Holds::Begins(begin) => token.folded.starts_with(begin.as_str()),
            Holds::Stem(stem) => analysis::stem(stemmer, &token.folded) == *stem,
        }
    }
}

/// Words that stand one after the other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Pattern {
    words: Vec<Word>,
    /// It stands at the beginning of the title: `^fornitura`.
    anchored: bool,
}

impl Pattern {
    /// What the automaton looks for.
    fn needle(&self) -> String {
        let mut needle = String::new();
        for word in &self.words {
            needle.push(' ');
            needle.push_str(&word.needle);
        }
        let last = self.words.last().map(|word| &word.holds);
        if !matches!(last, Some(Holds::Begins(_) | Holds::Stem(_))) {
            needle.push(' ');
        }
        needle
    }
}

/// Reads a phrase as a person writes it: parts joined by `...`, words in any number and gender,
/// `=word` for exactly this form, `~word` for the whole family of a stem, `begin*` for every word
/// that begins so, `^` before a phrase that begins the title or the text.
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
    let (part, anchored) = match part.trim_start().strip_prefix('^') {
        Some(rest) => (rest, true),
        None => (part, false),
    };
    let mut words: Vec<Word> = Vec::new();
    for written in part.split_whitespace() {
        if matches!(words.last(), Some(Word { holds: Holds::Begins(_) | Holds::Stem(_), .. })) {
            return Err(PhraseError::Mark);
        }
        let marked = |begin: &str, end: &str| {
            written.strip_prefix(begin).and_then(|rest| rest.strip_suffix(end))
        };
        let (plain, mark): (&str, fn(String, &Stemmer) -> Word) =
            if let Some(plain) = marked("", "*") {
                (plain, |begin, _| Word { needle: beginning(&begin), holds: Holds::Begins(begin) })
            } else if let Some(plain) = marked("=", "") {
                (plain, |word, _| Word { needle: form(&word), holds: Holds::Exact(word) })
            } else if let Some(plain) = marked("~", "") {
                (plain, family)
            } else {
                (written, |word, _| Word { needle: form(&word), holds: Holds::Form })
            };
        if plain.contains(['=', '*', '^', '~']) {
            return Err(PhraseError::Mark);
        }
        let tokens = analysis::tokens(plain).into_iter().filter(|t| !t.is_function_word());
        words.extend(tokens.map(|token| mark(token.folded, stemmer)));
    }
    match words.is_empty() {
        true => Err(PhraseError::Empty),
        false => Ok(Pattern { words, anchored }),
    }
}

/// Every word with the stem of this one. What they have in common is what the automaton looks for.
fn family(word: String, stemmer: &Stemmer) -> Word {
    let stem = analysis::stem(stemmer, &word);
    Word { needle: beginning(&stem), holds: Holds::Stem(stem) }
}

/// A phrase without marks: what a subscriber types.
pub(crate) fn plain(phrase: &str) -> Result<Pattern, PhraseError> {
    words(phrase, |word| Word { needle: form(&word), holds: Holds::Form })
}

/// A name: every word in exactly this form.
pub(crate) fn name(name: &str) -> Result<Pattern, PhraseError> {
    words(name, |word| Word { needle: form(&word), holds: Holds::Exact(word) })
}

fn words(phrase: &str, word: impl Fn(String) -> Word) -> Result<Pattern, PhraseError> {
    let words: Vec<Word> = analysis::tokens(phrase)
        .into_iter()
        .filter(|token| !token.is_function_word())
        .map(|token| word(token.folded))
        .collect();
    match words.len() {
        0 => Err(PhraseError::Empty),
        1..=PHRASE_WORDS_MAX => Ok(Pattern { words, anchored: false }),
        _ => Err(PhraseError::Long),
    }
}

/// The canonical form of a pattern without marks.
pub(crate) fn key(pattern: &Pattern) -> String {
    let forms: Vec<&str> = pattern.words.iter().map(|word| word.needle.as_str()).collect();
    forms.join(" ")
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

    /// Everything that is found, in the order of its end; phrases that begin a title only in one.
    pub fn hits<'a>(
        &'a self,
        analysis: &'a Analysis,
        title: bool,
    ) -> impl Iterator<Item = Hit> + 'a {
        let stemmer = analysis::italian();
        let found = self.automaton.iter().flat_map(|a| a.find_overlapping_iter(&analysis.stream));
        found.filter_map(move |found| {
            let number = found.pattern().as_usize();
            let pattern = &self.patterns[number];
            let first = analysis.word_at(found.start())?;
            let end = first + pattern.words.len();
            if pattern.anchored && !(title && first == 0) {
                return None;
            }
            let as_written = pattern.words.iter().enumerate().all(|(index, word)| {
                let (_, token) = analysis.words[first + index];
                word.holds.of(&analysis.tokens[token], &stemmer)
            });
            as_written.then_some(Hit { pattern: number, first, end })
        })
    }
}
