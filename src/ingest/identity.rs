//! Which of the known items each item of an answer is.
//!
//! An answer is matched as a whole: an item is the same by its id, else by its page, else by page
//! and title; and what the other items of the answer say decides how much each of these is worth.
//! The strongest likenesses are taken first, and only where both sides have one choice. Dates of
//! publication decide nothing.
//!
//! It is a function of the answer and of what is known, and touches no database.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{ReadItem, canonical, significant};
use crate::store::NewRevision;

/// The shortest title that names one item among many, in words.
const NAMING_WORDS_MIN: usize = 4;
/// The shortest word that counts when two titles are compared, in characters.
const ALIKE_CHARS_MIN: usize = 4;

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
        let hash = |letter: char, parts: &[&str]| format!("{letter}:{}", significant::hash(parts));
        let link = text.link.as_deref().map(canonical::link);
        let title = significant::folded(&text.title);
        let id = id.filter(|id| !id.trim().is_empty());
        Self {
            id: id.map(|id| hash('i', &[&canonical::id(id)])),
            shared_id: None,
            pair: hash('p', &[link.as_deref().unwrap_or_default(), &title]),
            slug: link.as_deref().and_then(canonical::slug).map(|slug| hash('s', &[slug])),
            link: link.map(|link| hash('l', &[&link])),
            title: hash('t', &[&title]),
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

impl Known {
    fn has(&self, key: Option<&String>) -> bool {
        key.is_some_and(|key| self.keys.contains(key))
    }

    fn has_any(&self, letter: char) -> bool {
        self.keys.iter().any(|key| key.starts_with(letter))
    }
}

/// The items of an answer that are different ones, the first of equals, with their places in it.
/// An id that stands at different items tells nothing, and is taken away.
pub fn rows(items: &[(&ReadItem, &NewRevision)], pages_of_source: &[String]) -> Vec<(usize, Row)> {
    let mut rows: Vec<Row> = items.iter().map(|(item, text)| row(item, text)).collect();
    let mut by_id: HashMap<String, BTreeSet<(Option<String>, String)>> = HashMap::new();
    for Row { keys, .. } in &rows {
        if let Some(id) = &keys.id {
            let what = (keys.link.clone(), keys.title.clone());
            by_id.entry(id.clone()).or_default().insert(what);
        }
    }
    let mut seen = BTreeSet::new();
    let mut different = Vec::with_capacity(rows.len());
    for (place, mut row) in rows.drain(..).enumerate() {
        let tells = |id: &String| by_id.get(id).is_none_or(|what| what.len() == 1);
        if !row.keys.id.as_ref().is_none_or(tells) {
            row.keys.shared_id = row.keys.id.take();
        }
        row.own_page &= row.link.as_ref().is_some_and(|link| !pages_of_source.contains(link));
        let keys = &row.keys;
        // Without id and page, what stands side by side with another text is another item.
        let by_text = keys.id.is_none() && keys.link.is_none();
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

fn row(item: &ReadItem, text: &NewRevision) -> Row {
    Row {
        keys: Keys::new(item.id.as_deref(), text),
        link: text.link.as_deref().map(canonical::link),
        own_page: true,
        title: significant::folded(&text.title),
    }
}

/// Finds for each row the known item that it is, or none where it is new. No known item is found
/// twice.
pub fn find(rows: &[Row], known: &[Known]) -> Vec<Option<usize>> {
    let mut search = Search::new(rows, known);
    search.by_id_and_more();
    search.by_page_and_title();
    search.by_id();
    search.by_page();
    search.without_pages();
    search.moved();
    search.lately_vanished();
    search.found
}

struct Search<'a> {
    rows: &'a [Row],
    known: &'a [Known],
    /// The known items by each of their keys.
    by_key: HashMap<&'a str, Vec<usize>>,
    /// How many rows have each page.
    pages: HashMap<&'a str, usize>,
    found: Vec<Option<usize>>,
    taken: Vec<bool>,
    /// Whether ids of this answer are known and stand at the items they stood at.
    ids_hold: bool,
}

impl<'a> Search<'a> {
    fn new(rows: &'a [Row], known: &'a [Known]) -> Self {
        let mut by_key: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, item) in known.iter().enumerate() {
            for key in &item.keys {
                by_key.entry(key).or_default().push(index);
            }
        }
        let mut pages: HashMap<&str, usize> = HashMap::new();
        for link in rows.iter().filter_map(|row| row.keys.link.as_deref()) {
            *pages.entry(link).or_default() += 1;
        }
        let (found, taken) = (vec![None; rows.len()], vec![false; known.len()]);
        Self { rows, known, by_key, pages, found, taken, ids_hold: false }
    }

    fn with(&self, key: &str) -> &[usize] {
        self.by_key.get(key).map_or(&[], Vec::as_slice)
    }

    /// Pairs rows and known items that share a key and for which something holds, where each has
    /// the other as its only choice.
    fn pairs(
        &self,
        key: impl Fn(&'a Keys) -> Option<&'a str>,
        holds: impl Fn(&'a Row, &'a Known) -> bool,
    ) -> Vec<(usize, usize)> {
        let mut choices: Vec<(usize, usize)> = Vec::new();
        let mut wanted: HashMap<usize, usize> = HashMap::new();
        for (index, row) in self.rows.iter().enumerate() {
            if self.found[index].is_some() {
                continue;
            }
            let Some(key) = key(&row.keys) else { continue };
            let mut own =
                self.with(key).iter().copied().filter(|candidate| {
                    !self.taken[*candidate] && holds(row, &self.known[*candidate])
                });
            let (first, second) = (own.next(), own.next());
            for candidate in [first, second].into_iter().flatten() {
                *wanted.entry(candidate).or_default() += 1;
            }
            for candidate in own {
                *wanted.entry(candidate).or_default() += 1;
            }
            if let (Some(only), None) = (first, second) {
                choices.push((index, only));
            }
        }
        choices.retain(|(_, candidate)| wanted.get(candidate) == Some(&1));
        choices
    }

    fn take(&mut self, pairs: Vec<(usize, usize)>) {
        for (row, known) in pairs {
            self.found[row] = Some(known);
            self.taken[known] = true;
        }
    }

    /// Pairs rows that share a key with known ones that do, as many as there are of both: those
    /// with the same text first, then in their order.
    fn take_alike(&mut self, key: impl Fn(&'a Keys) -> Option<&'a str>) {
        let same_text = self.pairs(&key, |row, known| known.has(row.keys.text.as_ref()));
        self.take(same_text);
        let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, row) in self.rows.iter().enumerate() {
            if let (None, Some(key)) = (self.found[index], key(&row.keys)) {
                groups.entry(key).or_default().push(index);
            }
        }
        for (key, rows) in groups {
            let free = self.with(key).iter().copied().filter(|known| !self.taken[*known]);
            let pairs = rows.into_iter().zip(free.collect::<Vec<_>>()).collect();
            self.take(pairs);
        }
    }

    /// Whether ids say that a row is not a known item. They say so where they hold in this answer
    /// and both have one.
    fn ids_differ(&self, row: &Row, known: &Known) -> bool {
        self.ids_hold
            && row.keys.id.is_some()
            && known.has_any('i')
            && !known.has(row.keys.id.as_ref())
    }

    /// Whether a page is one item's own, as far as answer and memory tell.
    fn is_own_page(&self, row: &Row) -> bool {
        let Some(link) = row.keys.link.as_deref() else { return false };
        row.own_page && self.pages.get(link) == Some(&1) && self.with(link).len() <= 1
    }

    fn by_id_and_more(&mut self) {
        let key = |keys: &'a Keys| keys.id.as_deref();
        let all = self.pairs(key, |row, known| known.has(Some(&row.keys.pair)));
        self.take(all);
        let more = self.pairs(key, |row, known| {
            let Keys { link, title, text, .. } = &row.keys;
            known.has(link.as_ref().filter(|_| row.own_page))
                || known.has(Some(title))
                || known.has(text.as_ref())
        });
        self.take(more);
        let tells = |row: &Row| row.keys.id.as_deref().is_some_and(|id| self.with(id).len() == 1);
        let mut rows = self.rows.iter().zip(&self.found);
        self.ids_hold = rows.any(|(row, found)| found.is_some() && tells(row));
    }

    fn by_page_and_title(&mut self) {
        let key = |keys: &'a Keys| keys.link.as_ref().map(|_| keys.pair.as_str());
        let pairs = self.pairs(key, |_, _| true);
        let differ = |pair: &(usize, usize)| {
            let (row, known) = (&self.rows[pair.0], &self.known[pair.1]);
            // Of what says nothing but its title, ids know best.
            let same_text = known.lately && known.has(row.keys.text.as_ref());
            self.ids_differ(row, known) && !same_text && !self.is_own_page(row)
        };
        let pairs = pairs.into_iter().filter(|pair| !differ(pair)).collect();
        self.take(pairs);
        if !self.ids_hold {
            self.take_alike(key);
        }
    }

    /// By the id alone: the site moved, and the title was corrected. Not where ids go from item to
    /// item, as numbers of places in a list do.
    fn by_id(&mut self) {
        let wander = self.rows.iter().zip(&self.found).any(|(row, found)| {
            let Some((id, found)) = row.keys.id.as_deref().zip(*found) else { return false };
            let others = self.with(id);
            !others.is_empty() && !others.contains(&found)
        });
        if wander {
            return;
        }
        let pairs = self.pairs(|keys| keys.id.as_deref(), |_, _| true);
        let only = |pair: &(usize, usize)| {
            self.rows[pair.0].keys.id.as_deref().is_some_and(|id| self.with(id).len() == 1)
        };
        let pairs = pairs.into_iter().filter(only).collect();
        self.take(pairs);
    }

    /// By the page alone: the title was corrected.
    fn by_page(&mut self) {
        let key = |keys: &'a Keys| keys.link.as_deref();
        let pairs = self.pairs(key, |row, known| {
            let named = row.keys.slug.is_some() || alike(&row.title, &known.title);
            let same = named || known.has(row.keys.text.as_ref());
            same && self.is_own_page(row) && !self.ids_differ(row, known)
        });
        self.take(pairs);
        // Of a page that several share: where the text has stayed.
        let pairs = self.pairs(key, |row, known| {
            let same_text = known.lately && known.has(row.keys.text.as_ref());
            same_text && (!self.ids_differ(row, known) || alike(&row.title, &known.title))
        });
        self.take(pairs);
    }

    /// Where pages are missing on one side, the title is all there is.
    fn without_pages(&mut self) {
        let pairs = self.pairs(
            |keys| Some(&keys.title),
            |row, known| {
                let missing = row.link.is_none() || !known.has_any('l');
                let same_text = row.keys.text.is_none()
                    || !known.has_any('x')
                    || known.has(row.keys.text.as_ref());
                missing && same_text && !self.ids_differ(row, known)
            },
        );
        self.take(pairs);
        let bare = |keys: &'a Keys| {
            (keys.link.is_none() && keys.id.is_none()).then_some(keys.title.as_str())
        };
        let pairs = self.pairs(bare, |_, known| known.lately);
        self.take(pairs);
        let text = |keys: &'a Keys| keys.text.as_deref().filter(|_| keys.link.is_none());
        let pairs = self.pairs(text, |row, known| {
            known.lately && !known.has_any('l') && !self.ids_differ(row, known)
        });
        self.take(pairs);
    }

    /// One that has just vanished came back at another page, with its text and its title, or one
    /// like it.
    fn lately_vanished(&mut self) {
        // Acts on one page have other ids and may say the same; a site that moved has other
        // addresses.
        let other = |search: &Self, row: &Row, known: &Known| {
            search.ids_differ(row, known) && shape(&row.link) == shape(&known.link)
        };
        let pairs = self.pairs(
            |keys| Some(&keys.title),
            |row, known| {
                let same = known.has(row.keys.text.as_ref()) || known.has(row.keys.slug.as_ref());
                known.lately && same && !other(self, row, known)
            },
        );
        self.take(pairs);
        let pairs = self.pairs(
            |keys| keys.text.as_deref(),
            |row, known| {
                known.lately && alike(&row.title, &known.title) && !other(self, row, known)
            },
        );
        self.take(pairs);
    }

    /// The whole site moved: no page and no id of the answer is known, and titles are.
    fn moved(&mut self) {
        const ONE_IN: usize = 10;
        let known_rows = self.found.iter().flatten().count();
        if self.ids_hold || known_rows * ONE_IN > self.rows.len() {
            return;
        }
        let titles = self.pairs(|keys| Some(&keys.title), |row, known| !unlike(row, known));
        if !self.is_move(&titles) {
            return;
        }
        self.take(titles);
        let texts = self.pairs(|keys| keys.text.as_deref(), |_, known| known.lately);
        self.take(texts);
        let slugs = self.pairs(|keys| keys.slug.as_deref(), |_, known| known.lately);
        self.take(slugs);
        let lately = |title: &str| self.with(title).iter().any(|known| self.known[*known].lately);
        let titles = self.rows.iter().map(|row| row.keys.title.as_str());
        let titles: BTreeSet<&str> = titles.filter(|title| lately(title)).collect();
        self.take_alike(|keys| titles.get(keys.title.as_str()).copied());
    }

    /// Whether so many items with known titles and other pages are a site that moved, and not new
    /// items with titles that recur (`Consiglio comunale`).
    fn is_move(&self, titles: &[(usize, usize)]) -> bool {
        let unknown = self.found.iter().filter(|found| found.is_none()).count();
        let elsewhere = titles
            .iter()
            .filter(|(row, known)| shape(&self.rows[*row].link) != shape(&self.known[*known].link));
        if elsewhere.count() * 2 > titles.len() {
            let naming = titles.iter().any(|(row, _)| is_naming(&self.rows[*row].title));
            return titles.len() >= 2 || naming;
        }
        titles.len() >= 3 && titles.len() * 5 >= unknown * 3
    }
}

fn shape(link: &Option<String>) -> Option<String> {
    link.as_deref().map(canonical::shape)
}

fn is_naming(title: &str) -> bool {
    title.split(' ').count() >= NAMING_WORDS_MIN
}

/// Whether a short title and another text say that it is another item with a title that recurs.
fn unlike(row: &Row, known: &Known) -> bool {
    !is_naming(&row.title)
        && row.keys.text.is_some()
        && known.has_any('x')
        && !known.has(row.keys.text.as_ref())
}

/// Whether one title can be the other, corrected: most words of the shorter are in the longer, and
/// numbers do not differ.
fn alike(one: &str, other: &str) -> bool {
    let is_number = |word: &&str| word.bytes().any(|b| b.is_ascii_digit());
    let numbers = |text: &'_ str| -> BTreeSet<String> {
        text.split(' ').filter(is_number).map(str::to_owned).collect()
    };
    let words = |text: &'_ str| -> BTreeSet<String> {
        let words = text.split(' ').filter(|word| word.chars().count() >= ALIKE_CHARS_MIN);
        words.filter(|word| !is_number(word)).map(str::to_owned).collect()
    };
    let (one_numbers, other_numbers) = (numbers(one), numbers(other));
    if !one_numbers.is_subset(&other_numbers) && !other_numbers.is_subset(&one_numbers) {
        return false;
    }
    let (one_words, other_words) = (words(one), words(other));
    let shared = one_words.intersection(&other_words).count();
    let least = one_words.len().min(other_words.len());
    one.contains(other) || other.contains(one) || (shared > 0 && shared * 2 > least)
}
