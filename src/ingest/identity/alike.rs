//! Titles and addresses that say the same in other words.

use std::collections::BTreeSet;

/// The shortest title that names one item among many, in words.
const NAMING_WORDS_MIN: usize = 4;
/// The shortest word that counts when two titles are compared, in characters.
const ALIKE_CHARS_MIN: usize = 4;

/// A folded title, taken apart once and compared often.
pub(super) struct Title<'a> {
    text: &'a str,
    numbers: BTreeSet<&'a str>,
    words: BTreeSet<&'a str>,
}

impl<'a> Title<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let is_number = |word: &&str| word.bytes().any(|b| b.is_ascii_digit());
        let (numbers, words): (BTreeSet<_>, BTreeSet<_>) = text.split(' ').partition(is_number);
        let counts = |word: &&str| word.chars().count() >= ALIKE_CHARS_MIN;
        Self { text, numbers, words: words.into_iter().filter(counts).collect() }
    }

    /// Whether it names one item among many.
    pub(super) fn is_naming(&self) -> bool {
        self.text.split(' ').count() >= NAMING_WORDS_MIN
    }

    /// Whether a number is in it, as in that of an act.
    pub(super) fn is_numbered(&self) -> bool {
        !self.numbers.is_empty()
    }

    /// Whether it can be another title, corrected: most words of the shorter are in the longer, and
    /// numbers do not differ.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        if !self.numbers.is_subset(&other.numbers) && !other.numbers.is_subset(&self.numbers) {
            return false;
        }
        let shared = self.words.intersection(&other.words).count();
        let least = self.words.len().min(other.words.len());
        let inside = self.text.contains(other.text) || other.text.contains(self.text);
        inside || (shared > 0 && shared * 2 > least)
    }
}

/// The part of a canonical address before its parameters.
pub(super) fn path(link: &str) -> &str {
    link.split(['?', '#']).next().unwrap_or(link)
}
