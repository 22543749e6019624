//! The search for known items: one likeness after the other, the strongest first.

mod likeness;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use self::likeness::{Held, Marks};
use super::alike::Title;
use super::{Keys, Known, Row};

/// The most known items that share a key which still proves something, of those that are not found
/// yet; where there are more, of those that were there lately. It also bounds the work: no pass
/// compares a row with more of them.
const SHARING_MAX: usize = 50;
/// The fewest items elsewhere, with titles that name them, that are a site that moved. Fewer are
/// news of a kind that recurs.
const MOVED_MIN: usize = 3;
/// The same where other texts stand under the titles, as after a redesign.
const REDESIGNED_MIN: usize = 5;

/// A row and a known item, by their places.
type Pair = (usize, usize);

pub(super) struct Search<'a> {
    rows: &'a [Row],
    known: &'a [Known],
    marks: Vec<Marks>,
    titles: Vec<Title<'a>>,
    held: Vec<Held<'a>>,
    /// The known items that have each key.
    sharing: Vec<Vec<usize>>,
    /// Those of them that are not found yet.
    free: Vec<BTreeSet<usize>>,
    /// Those of them that were there lately, too.
    free_lately: Vec<BTreeSet<usize>>,
    /// How many rows have each page.
    pages: HashMap<&'a str, usize>,
    found: Vec<Option<usize>>,
    /// Whether ids of this answer are known and stand at the items they stood at.
    ids_hold: bool,
    /// How often a row was compared with a known item.
    compared: Cell<usize>,
}

impl<'a> Search<'a> {
    pub(super) fn new(rows: &'a [Row], known: &'a [Known]) -> Self {
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let mut sharing: Vec<Vec<usize>> = Vec::new();
        let mut held = Vec::with_capacity(known.len());
        for (index, item) in known.iter().enumerate() {
            let number = |key: &'a String| {
                let number = *numbers.entry(key).or_insert(sharing.len());
                if number == sharing.len() {
                    sharing.push(Vec::new());
                }
                sharing[number].push(index);
                number
            };
            held.push(Held::new(item, item.keys.iter().map(number).collect()));
        }
        let mut pages: HashMap<&str, usize> = HashMap::new();
        for link in rows.iter().filter_map(|row| row.keys.link.as_deref()) {
            *pages.entry(link).or_default() += 1;
        }
        let free: Vec<BTreeSet<usize>> =
            sharing.iter().map(|sharing| sharing.iter().copied().collect()).collect();
        let lately = |sharing: &BTreeSet<usize>| {
            sharing.iter().copied().filter(|index| known[*index].lately).collect()
        };
        Self {
            rows,
            known,
            free_lately: free.iter().map(lately).collect(),
            free,
            marks: rows.iter().map(|row| Marks::new(&row.keys, &numbers)).collect(),
            titles: rows.iter().map(|row| Title::new(&row.title)).collect(),
            held,
            sharing,
            pages,
            found: vec![None; rows.len()],
            ids_hold: false,
            compared: Cell::new(0),
        }
    }

    pub(super) fn run(mut self) -> Vec<Option<usize>> {
        self.search();
        self.found
    }

    fn search(&mut self) {
        self.by_id_and_more();
        self.by_page_and_title();
        self.by_id();
        self.by_page();
        self.without_pages();
        self.moved();
        self.lately_vanished();
    }

    fn sharing(&self, key: Option<usize>) -> &[usize] {
        key.map_or(&[], |key| &self.sharing[key])
    }

    /// Those that are compared: none where too many share the key.
    fn candidates(&self, key: Option<usize>) -> impl Iterator<Item = usize> {
        let sets = key.into_iter().flat_map(|key| [&self.free[key], &self.free_lately[key]]);
        let few = sets.into_iter().find(|free| free.len() <= SHARING_MAX);
        let free = few.into_iter().flatten().copied();
        free.inspect(|_| self.compared.set(self.compared.get() + 1))
    }

    fn unfound(&self) -> impl Iterator<Item = usize> {
        (0..self.rows.len()).filter(|row| self.found[*row].is_none())
    }

    /// Pairs rows and known items that share a key and for which something holds, where each has
    /// the other as its only choice.
    fn pairs(
        &self,
        key: impl Fn(&Marks) -> Option<usize>,
        holds: impl Fn(Pair) -> bool,
    ) -> Vec<Pair> {
        let mut choices: Vec<Pair> = Vec::new();
        let mut wanted: HashMap<usize, usize> = HashMap::new();
        for row in self.unfound() {
            let (mut first, mut own) = (None, 0);
            for known in self.candidates(key(&self.marks[row])).filter(|known| holds((row, *known)))
            {
                *wanted.entry(known).or_default() += 1;
                first.get_or_insert(known);
                own += 1;
            }
            if let (Some(only), 1) = (first, own) {
                choices.push((row, only));
            }
        }
        choices.retain(|(_, known)| wanted.get(known) == Some(&1));
        choices
    }

    fn take(&mut self, pairs: Vec<Pair>) {
        for (row, known) in pairs {
            self.found[row] = Some(known);
            for key in &self.held[known].keys {
                self.free[*key].remove(&known);
                self.free_lately[*key].remove(&known);
            }
        }
    }

    /// Pairs rows that share a key with known ones that do and for which something holds, in their
    /// order, where several have it.
    fn take_in_order(
        &mut self,
        key: impl Fn(&Marks) -> Option<usize>,
        holds: impl Fn(&Self, Pair) -> bool,
    ) {
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for row in self.unfound() {
            if let Some(key) = key(&self.marks[row]) {
                groups.entry(key).or_default().push(row);
            }
        }
        for (key, rows) in groups {
            for row in rows {
                let first = self.candidates(Some(key)).find(|known| holds(self, (row, *known)));
                self.take(first.map(|known| (row, known)).into_iter().collect());
            }
        }
    }

    fn by_id_and_more(&mut self) {
        self.take(self.pairs(|marks| marks.id, |pair| self.has_pair(pair)));
        let more = self.pairs(
            |marks| marks.id,
            |pair| {
                let page = self.rows[pair.0].own_page && self.has_page(pair);
                page || self.has_title(pair) || self.has_text(pair)
            },
        );
        self.take(more);
        self.ids_hold = (0..self.rows.len())
            .any(|row| self.found[row].is_some() && self.sharing(self.marks[row].id).len() == 1);
    }

    fn by_page_and_title(&mut self) {
        let key = |marks: &Marks| marks.link.and(marks.pair);
        let mut pairs = self.pairs(key, |_| true);
        let anew_on_shared = self.are_anew(&pairs, |row| !self.is_own_page(row));
        let anew = self.are_anew(&pairs, |row| self.is_own_page(row));
        pairs.retain(|pair| {
            let (row, known) = *pair;
            if !self.ids_are_new(*pair) {
                return true;
            }
            if self.is_own_page(row) {
                let ids_vary = self.held[known].ids > 1;
                return anew || ids_vary || !self.texts_differ(*pair);
            }
            let named = self.titles[row].is_numbered() && self.is_naming(row);
            let back = self.has_text(*pair) && named && self.is_lately(*pair);
            let says = anew_on_shared || (self.is_naming(row) && !self.texts_differ(*pair));
            back || (!self.ids_hold && (self.has_text(*pair) || says))
        });
        self.take(pairs);
        if !self.ids_hold {
            let texts = self.pairs(|marks| marks.text, |pair| self.has_pair(pair));
            self.take(texts);
            self.take_in_order(key, |search, pair| !search.ids_are_new(pair));
        }
    }

    /// Whether the ids of such rows were given anew and some texts corrected: most of those with
    /// new ids say what they said.
    fn are_anew(&self, pairs: &[Pair], of: impl Fn(usize) -> bool) -> bool {
        let new = || pairs.iter().filter(|pair| self.ids_are_new(**pair) && of(pair.0));
        let same = new().filter(|pair| self.has_text(**pair)).count();
        let differing = new().filter(|pair| self.texts_differ(**pair)).count();
        same > 0 && same >= differing
    }

    /// Whether ids go from item to item, as numbers of places in a list do.
    fn ids_wander(&self) -> bool {
        (0..self.rows.len()).any(|row| {
            let Marks { id, title, .. } = self.marks[row];
            let others = self.sharing(title);
            let elsewhere = Some(others).filter(|others| others.len() == 1 && self.is_naming(row));
            let item = self.found[row].or(elsewhere.map(|others| others[0]));
            item.is_some_and(|item| id.is_some() && !self.has(item, id))
        })
    }

    /// By the id and a title that may be corrected, at another page and with another text. Where
    /// page, title and text are all new, the id alone is a place in a list or the name of the
    /// feed: to tell once more is the lesser harm.
    fn by_id(&mut self) {
        if self.ids_wander() {
            return;
        }
        let pairs = self.pairs(
            |marks| marks.id,
            |pair| {
                let no_page = self.rows[pair.0].link.is_none() && !self.held[pair.1].has_link;
                let stays = self.ids_hold && (no_page || self.has_page(pair));
                let slug = self.has(pair.1, self.marks[pair.0].slug);
                let one = self.sharing(self.marks[pair.0].id).len() == 1;
                one && (stays || slug || self.alike(pair))
            },
        );
        self.take(pairs);
    }

    /// By the page: the title was corrected.
    fn by_page(&mut self) {
        let pairs = self.pairs(
            |marks| marks.link,
            |pair| {
                if !self.is_own_page(pair.0) || self.ids_differ(pair) {
                    return false;
                }
                // A page with a new id, title and text shows what is new each time.
                let same = match self.ids_are_new(pair) {
                    true => !self.texts_differ(pair) && self.alike(pair),
                    false => self.rows[pair.0].keys.slug.is_some() || self.alike(pair),
                };
                same || self.has_text(pair)
            },
        );
        self.take(pairs);
        // Of a page that several share: where the text has stayed.
        let pairs = self.pairs(
            |marks| marks.text,
            |pair| {
                let ids = match (self.ids_are_new(pair), self.ids_hold) {
                    (true, true) => self.is_own_page(pair.0) && self.alike(pair),
                    (true, false) => self.alike(pair),
                    (false, _) => true,
                };
                self.is_lately(pair) && self.has_page(pair) && ids
            },
        );
        self.take(pairs);
    }

    /// Where pages are missing on one side, the title is all there is.
    fn without_pages(&mut self) {
        let missing = |search: &Self, pair: Pair| {
            let missing = search.rows[pair.0].link.is_none() || !search.held[pair.1].has_link;
            missing && !search.ids_differ(pair)
        };
        let texts =
            self.pairs(|marks| marks.text, |pair| self.has_title(pair) && missing(self, pair));
        self.take(texts);
        let titles = self.pairs(
            |marks| marks.title,
            |pair| {
                let names = self.is_naming(pair.0) || !self.ids_are_new(pair);
                missing(self, pair) && names && !self.texts_differ(pair)
            },
        );
        self.take(titles);
        let bare = self.pairs(
            |marks| marks.title,
            |pair| {
                let keys = &self.rows[pair.0].keys;
                keys.link.is_none() && keys.id.is_none() && self.is_lately(pair)
            },
        );
        self.take(bare);
        let texts = self.pairs(
            |marks| marks.text,
            |pair| {
                let no_pages = self.rows[pair.0].link.is_none() && !self.held[pair.1].has_link;
                let ids = !self.ids_are_new(pair) || (!self.ids_hold && self.alike(pair));
                no_pages && ids && self.is_lately(pair)
            },
        );
        self.take(texts);
    }

    /// Much of the site moved: most of what is not found has titles that are known, of items that
    /// are gone and stood elsewhere.
    fn moved(&mut self) {
        let titles = self
            .pairs(|marks| marks.title, |pair| self.is_naming(pair.0) || !self.texts_differ(pair));
        let unknown = self.unfound().count();
        let mut elsewhere: Vec<Pair> =
            titles.iter().copied().filter(|pair| self.is_elsewhere(*pair)).collect();
        let proves = |pair: &&Pair| {
            self.is_lately(**pair) && (self.is_naming(pair.0) || self.has_text(**pair))
        };
        let proofs: Vec<Pair> = elsewhere.iter().filter(proves).copied().collect();
        let unchanged = proofs.iter().filter(|pair| !self.texts_differ(**pair)).count();
        let enough = unchanged >= MOVED_MIN || proofs.len() >= REDESIGNED_MIN;
        if !enough || proofs.len() * 2 < unknown {
            return self.addressed_anew(titles, unknown);
        }
        // What was gone before and says something else is new, with a title that recurs.
        elsewhere.retain(|pair| self.is_lately(*pair) || !self.texts_differ(*pair));
        self.take(elsewhere);
        let there = |search: &Self, pair| search.is_lately(pair) && search.is_elsewhere(pair);
        let texts = self.pairs(|marks| marks.text, |pair| there(self, pair));
        self.take(texts);
        let slugs = self.pairs(|marks| marks.slug, |pair| there(self, pair) && self.alike(pair));
        self.take(slugs);
        self.take_in_order(
            |marks| marks.title,
            |search, pair| there(search, pair) && !search.texts_differ(pair),
        );
    }

    /// Nearly every address has a parameter that is another at each poll.
    fn addressed_anew(&mut self, titles: Vec<Pair>, unknown: usize) {
        const ONE_IN: usize = 10;
        let known_rows = self.rows.len() - unknown;
        if self.ids_hold || known_rows * ONE_IN > self.rows.len() {
            return;
        }
        let same = |search: &Self, pair: Pair| {
            search.has_text(pair) || (search.is_same_path(pair) && !search.texts_differ(pair))
        };
        let mut pairs = titles;
        pairs.retain(|pair| self.is_lately(*pair) && same(self, *pair));
        if pairs.len() >= MOVED_MIN && pairs.len() * 5 >= unknown * 3 {
            self.take(pairs);
            self.take_in_order(
                |marks| marks.title,
                |search, pair| search.is_lately(pair) && same(search, pair),
            );
        }
    }

    /// One that has just vanished came back at another page, with its text and its title, or one
    /// like it.
    fn lately_vanished(&mut self) {
        // Where ids hold, the next of a series has another one, and may say the same; what moved
        // stands elsewhere.
        let can_be = |search: &Self, pair: Pair| {
            let other = search.ids_differ(pair) && !search.is_elsewhere(pair);
            search.is_lately(pair) && !other
        };
        let same =
            self.pairs(|marks| marks.text, |pair| self.has_title(pair) && can_be(self, pair));
        self.take(same);
        let slugs = self.pairs(
            |marks| marks.slug,
            |pair| self.has_title(pair) && self.is_lately(pair) && self.is_elsewhere(pair),
        );
        self.take(slugs);
        let texts = self.pairs(|marks| marks.text, |pair| self.alike(pair) && can_be(self, pair));
        self.take(texts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many items as an answer may have.
    const ROWS: usize = 5_000;
    /// The most passes over the rows of an answer.
    const PASSES_MAX: usize = 20;

    fn keys(number: usize, poll: usize, sharing: usize, own_page: bool) -> Keys {
        let page = if own_page { format!("{poll}/{number}") } else { "albo".to_owned() };
        let title = number / sharing;
        Keys {
            id: Some(format!("i:{poll}-{number}")),
            shared_id: None,
            link: Some(format!("l:{page}")),
            pair: format!("p:{page} {title}"),
            title: format!("t:{title}"),
            text: Some(format!("x:{poll}-{number}")),
            slug: None,
        }
    }

    /// How often rows are compared where so many items share each title, and all else is new.
    fn compared(sharing: usize, own_page: bool) -> usize {
        let title = |number: usize| format!("avviso alla cittadinanza {}", number / sharing);
        let known = (0..ROWS).map(|number| {
            let keys = keys(number, 0, sharing, own_page);
            let keys = keys.all().map(str::to_owned).collect();
            Known { keys, link: None, title: title(number), lately: true }
        });
        let rows = (0..ROWS).map(|number| {
            let keys = keys(number, 1, sharing, own_page);
            Row { keys, link: None, own_page, title: title(number) }
        });
        let (rows, known): (Vec<Row>, Vec<Known>) = (rows.collect(), known.collect());
        let mut search = Search::new(&rows, &known);
        search.search();
        search.compared.get()
    }

    #[test]
    fn a_row_is_compared_with_few_known_items_whatever_they_share() {
        for own_page in [true, false] {
            let most = ROWS * SHARING_MAX * PASSES_MAX;
            let compared_at_most = compared(SHARING_MAX, own_page);
            assert!((1..=most).contains(&compared_at_most), "{compared_at_most}");
            assert_eq!(compared(ROWS, own_page), 0, "what all share proves nothing");
        }
    }
}
