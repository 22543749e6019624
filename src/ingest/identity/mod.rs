//! Which of the known items each item of an answer is.
//!
//! An answer is matched as a whole: an item is the same by its id, else by its page, else by page
//! and title; and what the other items of the answer say decides how much each of these is worth.
//! The strongest likenesses are taken first, and only where both sides have one choice. Dates of
//! publication decide nothing.
//!
//! It is a function of the answer and of what is known, and touches no database. Its cost grows
//! with the answer and not with its square.

mod alike;
mod search;

use std::collections::{BTreeSet, HashMap};

use super::{ReadItem, canonical, significant};
use crate::store::NewRevision;

/// By what an item of an answer may be known. Each is a digest of a canonical form, with a letter
/// in front that says of what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Keys {
    /// The publisher's id, where it tells items apart.
    pub id: Option<String>,
    /// The publisher's id, where other items of the answer have it too. It tells nothing, and is
    /// kept so that it is known to.
    pub shared_id: Option<String>,
    /// The page.
    pub link: Option<String>,
    /// Page and title together.
    pub pair: String,
    /// The title.
    pub title: String,
    /// The text, where it is long enough to tell items apart.
    pub text: Option<String>,
    /// The last part of the page's address, where it names the item.
    pub slug: Option<String>,
}

impl Keys {
    /// The keys of an item by what its source says of it.
    pub fn new(id: Option<&str>, text: &NewRevision) -> Self {
        let link = text.link.as_deref().map(canonical::link);
        Self::of(id, link.as_deref(), &significant::folded(&text.title), text)
    }

    /// The same, where page and title have their canonical forms already.
    fn of(id: Option<&str>, link: Option<&str>, title: &str, text: &NewRevision) -> Self {
        let hash = |letter: char, parts: &[&str]| format!("{letter}:{}", significant::hash(parts));
        let id = id.filter(|id| !id.trim().is_empty());
        Self {
            id: id.map(|id| hash('i', &[&canonical::id(id)])),
            shared_id: None,
            pair: hash('p', &[link.unwrap_or_default(), title]),
            slug: link.and_then(canonical::slug).map(|slug| hash('s', &[slug])),
            link: link.map(|link| hash('l', &[link])),
            title: hash('t', &[title]),
            text: significant::telling(text).map(|text| format!("x:{text}")),
        }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        let optional = [&self.id, &self.shared_id, &self.link, &self.text, &self.slug];
        let always = [&self.pair, &self.title];
        optional.into_iter().flatten().chain(always).map(String::as_str)
    }

    /// Those by which an item is found nearly always.
    pub fn strong(&self) -> impl Iterator<Item = &str> {
        self.id.iter().chain([&self.pair]).map(String::as_str)
    }
}

/// The key of an address alone, as items are known by it.
pub fn link_key(address: &str) -> String {
    format!("l:{}", significant::hash(&[&canonical::link(address)]))
}

/// An item of an answer.
#[derive(Clone, Debug)]
pub struct Row {
    /// By what it may be known.
    pub keys: Keys,
    /// The canonical form of its page.
    pub link: Option<String>,
    /// Whether that page can be its own: not the source's page.
    pub own_page: bool,
    /// Its title, folded.
    pub title: String,
}

/// An item that is known and shares a key with one of the answer.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// All by which it has been known.
    pub keys: BTreeSet<String>,
    /// The canonical form of its page.
    pub link: Option<String>,
    /// Its title, folded.
    pub title: String,
    /// Whether it stood in one of the last answers.
    pub lately: bool,
}

/// The items of an answer that are different ones, the first of equals, with their places in it.
/// An id that stands at different items tells nothing, and is taken away.
pub fn rows(items: &[(&ReadItem, &NewRevision)], pages_of_source: &[String]) -> Vec<(usize, Row)> {
    let mut rows: Vec<Row> = items.iter().map(|(item, text)| row(item, text)).collect();
    for row in &mut rows {
        row.own_page &= row.link.as_ref().is_some_and(|link| !pages_of_source.contains(link));
    }
    let constant = constant_pages(&rows);
    let shared = shared_ids(&rows);
    let mut seen = BTreeSet::new();
    let mut different = Vec::with_capacity(rows.len());
    for (place, mut row) in rows.into_iter().enumerate() {
        if row.keys.id.as_ref().is_some_and(|id| shared.contains(id)) {
            row.keys.shared_id = row.keys.id.take();
        }
        let keys = &row.keys;
        // Without an id and a page that can be its own, what stands side by side with another text
        // is another item.
        let page = keys.link.as_ref().filter(|link| row.own_page && !constant.contains(*link));
        let by_text = keys.id.is_none() && page.is_none();
        let what = match &keys.id {
            Some(id) => (id.clone(), None),
            None => (keys.pair.clone(), keys.text.clone().filter(|_| by_text)),
        };
        if seen.insert(what) {
            different.push((place, row));
        }
    }
    different
}

/// The pages at which items of several titles stand.
fn constant_pages(rows: &[Row]) -> BTreeSet<String> {
    let mut first: HashMap<&str, &str> = HashMap::new();
    let mut constant = BTreeSet::new();
    for row in rows {
        let Some(link) = row.keys.link.as_deref() else { continue };
        if *first.entry(link).or_insert(&row.title) != row.title {
            constant.insert(link.to_owned());
        }
    }
    constant
}

/// The ids that stand at different items of an answer. Each row is compared with the one of its id
/// that has the longest title so far.
fn shared_ids(rows: &[Row]) -> BTreeSet<String> {
    let mut longest: HashMap<&str, &Row> = HashMap::new();
    let mut shared = BTreeSet::new();
    for row in rows {
        let Some(id) = row.keys.id.as_deref() else { continue };
        let other = longest.entry(id).or_insert(row);
        if !is_shown_again(row, other) {
            shared.insert(id.to_owned());
        } else if row.title.len() > other.title.len() {
            *other = row;
        }
    }
    shared
}

/// Whether two rows of one id are one item: of one page, and the title of one is the other's, or
/// the beginning of it where the page is their own and their texts say nothing else.
fn is_shown_again(one: &Row, other: &Row) -> bool {
    let (texts, other_texts) = (&one.keys.text, &other.keys.text);
    let same_text = texts.is_none() || other_texts.is_none() || texts == other_texts;
    let cut = one.title.starts_with(&other.title) || other.title.starts_with(&one.title);
    let titles = one.title == other.title || (cut && same_text && one.own_page);
    one.keys.link == other.keys.link && titles
}

fn row(item: &ReadItem, text: &NewRevision) -> Row {
    let link = text.link.as_deref().map(canonical::link);
    let title = significant::folded(&text.title);
    let keys = Keys::of(item.id.as_deref(), link.as_deref(), &title, text);
    Row { keys, link, own_page: true, title }
}

/// Finds for each row the known item that it is, or none where it is new. No known item is found
/// twice.
pub fn find(rows: &[Row], known: &[Known]) -> Vec<Option<usize>> {
    search::Search::new(rows, known).run()
}
