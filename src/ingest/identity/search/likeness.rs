//! What a row and a known item have in common, and what tells them apart.

use std::collections::{BTreeSet, HashMap};

use super::{Keys, Known, Pair, Search, Title};
use crate::ingest::canonical;
use crate::ingest::identity::alike::path;

/// The keys of a row by their number, where a known item has them.
pub(super) struct Marks {
    pub(super) id: Option<usize>,
    pub(super) link: Option<usize>,
    pub(super) pair: Option<usize>,
    pub(super) title: Option<usize>,
    pub(super) text: Option<usize>,
    pub(super) slug: Option<usize>,
}

/// A known item as it is compared.
pub(super) struct Held<'a> {
    /// The numbers of its keys.
    pub(super) keys: BTreeSet<usize>,
    /// How many ids it has had.
    pub(super) ids: usize,
    pub(super) has_link: bool,
    pub(super) has_text: bool,
    pub(super) shape: Option<String>,
    pub(super) title: Title<'a>,
}

impl Search<'_> {
    pub(super) fn has(&self, known: usize, key: Option<usize>) -> bool {
        key.is_some_and(|key| self.held[known].keys.contains(&key))
    }

    pub(super) fn has_id(&self, (row, known): Pair) -> bool {
        self.has(known, self.marks[row].id)
    }

    pub(super) fn has_page(&self, (row, known): Pair) -> bool {
        self.has(known, self.marks[row].link)
    }

    pub(super) fn has_pair(&self, (row, known): Pair) -> bool {
        self.has(known, self.marks[row].pair)
    }

    pub(super) fn has_title(&self, (row, known): Pair) -> bool {
        self.has(known, self.marks[row].title)
    }

    pub(super) fn has_text(&self, (row, known): Pair) -> bool {
        self.has(known, self.marks[row].text)
    }

    /// Whether both have texts, and other ones.
    pub(super) fn texts_differ(&self, pair: Pair) -> bool {
        let both = self.rows[pair.0].keys.text.is_some() && self.held[pair.1].has_text;
        both && !self.has_text(pair)
    }

    /// Whether both have ids, and other ones. Where no id holds, all may have been given anew.
    pub(super) fn ids_are_new(&self, pair: Pair) -> bool {
        let both = self.rows[pair.0].keys.id.is_some() && self.held[pair.1].ids > 0;
        both && !self.has_id(pair)
    }

    /// Whether ids say that a row is not a known item. They say so where they hold in this answer.
    pub(super) fn ids_differ(&self, pair: Pair) -> bool {
        self.ids_hold && self.ids_are_new(pair)
    }

    pub(super) fn alike(&self, (row, known): Pair) -> bool {
        self.titles[row].is_like(&self.held[known].title)
    }

    pub(super) fn is_naming(&self, row: usize) -> bool {
        self.titles[row].is_naming()
    }

    pub(super) fn is_lately(&self, (_, known): Pair) -> bool {
        self.known[known].lately
    }

    /// Whether a page is one item's own, as far as answer and memory tell.
    pub(super) fn is_own_page(&self, row: usize) -> bool {
        let Some(link) = self.rows[row].keys.link.as_deref() else { return false };
        let own = self.rows[row].own_page && self.pages.get(link) == Some(&1);
        own && self.sharing(self.marks[row].link).len() <= 1
    }

    /// Whether an item stands in another part of the site or on another one. Folders that are
    /// numbers do not count.
    pub(super) fn is_elsewhere(&self, (row, known): Pair) -> bool {
        shape(self.rows[row].link.as_deref()) != self.held[known].shape
    }

    /// Whether addresses are the same but for their parameters.
    pub(super) fn is_same_path(&self, (row, known): Pair) -> bool {
        let links = self.rows[row].link.as_deref().zip(self.known[known].link.as_deref());
        links.is_some_and(|(one, other)| path(one) == path(other))
    }
}

impl Marks {
    pub(super) fn new(keys: &Keys, numbers: &HashMap<&str, usize>) -> Self {
        let number = |key: &String| numbers.get(key.as_str()).copied();
        Self {
            id: keys.id.as_ref().and_then(number),
            link: keys.link.as_ref().and_then(number),
            pair: number(&keys.pair),
            title: number(&keys.title),
            text: keys.text.as_ref().and_then(number),
            slug: keys.slug.as_ref().and_then(number),
        }
    }
}

impl<'a> Held<'a> {
    pub(super) fn new(item: &'a Known, keys: BTreeSet<usize>) -> Self {
        let has_any = |letter: char| item.keys.iter().any(|key| key.starts_with(letter));
        Self {
            keys,
            ids: item.keys.iter().filter(|key| key.starts_with('i')).count(),
            has_link: has_any('l'),
            has_text: has_any('x'),
            shape: shape(item.link.as_deref()),
            title: Title::new(&item.title),
        }
    }
}

fn shape(link: Option<&str>) -> Option<String> {
    link.map(canonical::shape)
}
