//! Followed words: phrases that subscribers follow, matched by the analysis that the rules use.

use std::collections::{BTreeMap, BTreeSet};

use super::ItemText;
use super::analysis::Analysis;
use super::phrases::{self, Index, Pattern};

/// The most phrases of one subscription.
pub const FOLLOWED_WORDS_MAX: usize = 10;

/// The most octets of one phrase.
pub const FOLLOWED_OCTETS_MAX: usize = 100;

/// The canonical form of a followed phrase: two phrases with the same key find the same items. None
/// where nothing is left of it, or it is longer than [`FOLLOWED_OCTETS_MAX`] or
/// [`super::PHRASE_WORDS_MAX`] words.
pub fn phrase_key(phrase: &str) -> Option<String> {
    pattern(phrase).map(|pattern| phrases::key(&pattern))
}

/// The marks of rules mean nothing here: a subscriber's `*` is punctuation.
fn pattern(phrase: &str) -> Option<Pattern> {
    (phrase.len() <= FOLLOWED_OCTETS_MAX).then(|| phrases::plain(phrase).ok()).flatten()
}

/// All followed phrases; an item is asked once for all of them.
#[derive(Debug)]
pub struct FollowedWords {
    index: Index,
    /// For each pattern, the numbers of the phrases that it stands for.
    ids: BTreeMap<usize, Vec<i64>>,
}

impl FollowedWords {
    /// Takes phrases with the numbers by which the caller knows them. A phrase that has no key (see
    /// [`phrase_key`]) is never found.
    pub fn new(phrases: impl IntoIterator<Item = (i64, String)>) -> Self {
        let mut index = Index::default();
        let mut ids: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
        for (id, phrase) in phrases {
            if let Some(pattern) = pattern(&phrase) {
                ids.entry(index.add(pattern)).or_default().push(id);
            }
        }
        // More states than an automaton can number would take more memory than a machine has.
        let built = index.build();
        debug_assert!(built, "followed words fit into an automaton");
        Self { index, ids }
    }

    /// The phrases that are in an item: in its title, its text, a category or an image's text.
    pub fn hits(&self, item: &ItemText) -> BTreeSet<i64> {
        let fields = [item.title, item.text].into_iter();
        let others = item.categories.iter().chain(item.image_alt).map(String::as_str);
        let mut found = BTreeSet::new();
        for field in fields.chain(others) {
            let analysis = Analysis::new(field);
            for hit in self.index.hits(&analysis, false) {
                found.extend(self.ids.get(&hit.pattern).into_iter().flatten());
            }
        }
        found
    }
}
