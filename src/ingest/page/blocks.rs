//! Where the items of a page are: the repeated block that has a title and a date.
//!
//! Dates are the seed, since menus, teasers and footers have none. Around each date grow the
//! elements that have siblings like themselves, and the runs of siblings that begin alike; the
//! group in which most blocks have a title and one date of their own is the list.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use super::marks::{Mark, marks};
use super::{Eyes, Found, parts};
use crate::ingest::html::Document;
use crate::ingest::read::{ITEMS_MAX, Warnings};

/// How many dates of one page are looked at.
const MARKS_MAX: usize = 4 * ITEMS_MAX;

/// How many blocks that repeat make a list.
const BLOCKS_MIN: usize = 2;

/// How many elements around a date are tried as its block.
const CLIMB_MAX: usize = 24;

/// The items in blocks that a selector names.
pub(super) fn named(
    document: &Document<'_>,
    blocks: &[usize],
    eyes: &Eyes,
    warnings: &mut Warnings,
) -> Vec<Found> {
    let blocks: Vec<Range<usize>> = blocks.iter().map(|at| document.part(*at)).collect();
    let signs = Signs::of(document);
    let marks = marks(document, 0..document.nodes.len(), eyes);
    let group = Group::new(document, &signs, blocks, &marks, eyes);
    let untitled = group.found.iter().filter(|found| found.is_none()).count();
    if untitled > 0 {
        warnings.add(format!("{untitled} blocks without a title were left out"));
    }
    group.found.into_iter().flatten().collect()
}

/// The items of the list that repeats on the page; none where nothing does.
pub(super) fn repeated(document: &Document<'_>, eyes: &Eyes) -> Vec<Found> {
    let mut marks = marks(document, 0..document.nodes.len(), eyes);
    marks.retain(|mark| !in_frame(document, mark.part.start));
    marks.truncate(MARKS_MAX);
    let signs = Signs::of(document);
    // Lists that look alike are one: pages cut them into rows and sections.
    let mut alike = Alike::new();
    for (cut, name, blocks) in candidates(document, &signs, &marks) {
        let group = Group::new(document, &signs, blocks.clone(), &marks, eyes);
        if group.dated > 0 {
            let (alone, all) = alike.entry((cut, name, group.path)).or_default();
            *alone += usize::from(blocks.len() == 1);
            all.extend(blocks);
        }
    }
    let groups = alike.into_values().map(|(alone, mut blocks)| {
        blocks.sort_by_key(|block| block.start);
        let mut beyond = 0;
        blocks.retain(|block| {
            let apart = block.start >= beyond;
            beyond = beyond.max(block.end);
            apart
        });
        Group { alone, ..Group::new(document, &signs, blocks, &marks, eyes) }
    });
    // Of equal ones the outermost has all that belongs to the item.
    let rank = |group: &Group| (group.score(), std::cmp::Reverse(group.start));
    let lists = groups.filter(|group| group.dated >= BLOCKS_MIN);
    let best = lists.reduce(|a, b| if rank(&b) > rank(&a) { b } else { a });
    let group = best.unwrap_or_else(|| single(document, &signs, &marks, eyes));
    let mut found: Vec<Found> = group.found.into_iter().flatten().collect();
    // An undated block of the list is an item only if everything else says so.
    found.retain(|found| found.date.is_some() || found.title.said);
    found
}

/// Where nothing repeats: an article (HTML 4.3.2) with a date, which is not the page itself, is a
/// list of one.
fn single(document: &Document<'_>, signs: &Signs, marks: &[Mark], eyes: &Eyes) -> Group {
    let articles = (0..document.nodes.len()).filter(|at| {
        let part = document.part(*at);
        let first = marks.partition_point(|mark| mark.part.start < part.start);
        let mut inside = marks[first..].iter().take_while(|mark| mark.part.start < part.end);
        document.nodes[*at].name() == "article"
            && inside.any(|mark| mark.said)
            && !document.nodes[part].iter().any(|node| node.name() == "h1")
    });
    let blocks = articles.take(1).map(|at| document.part(at)).collect();
    Group::new(document, signs, blocks, marks, eyes)
}

/// Whether a node stands in the frame of the page rather than in an item: in a menu, a head, foot
/// or side that is no item's own.
fn in_frame(document: &Document<'_>, at: usize) -> bool {
    let mut framed = None;
    for around in document.around(at) {
        let name = document.nodes[around].name();
        match (name, framed) {
            ("nav" | "aside" | "header" | "footer", None) => framed = Some(name),
            ("article" | "li" | "tr", Some(_)) | ("section", Some("header" | "footer")) => {
                return false;
            }
            _ => {}
        }
    }
    framed.is_some()
}

/// What each node looks like: a number for its element's name and classes.
struct Signs {
    of: Vec<u32>,
}

impl Signs {
    fn of(document: &Document<'_>) -> Self {
        let mut known: HashMap<String, u32> = HashMap::new();
        let mut number = |sign: String| {
            let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
            *known.entry(sign).or_insert(next)
        };
        let of = document.nodes.iter().map(|node| number(sign(node.name(), node.attr("class"))));
        Self { of: of.collect() }
    }
}

/// A name with the classes that mean a kind of thing: numbers and places in a row mean one of it.
fn sign(name: &str, class: Option<&str>) -> String {
    let places = ["first", "last", "odd", "even", "active", "show", "new"];
    let mut classes: Vec<&str> = class
        .unwrap_or_default()
        .split_ascii_whitespace()
        .filter(|class| !class.contains(|c: char| c.is_ascii_digit()))
        .filter(|class| !class.split(['-', '_']).any(|word| places.contains(&word)))
        .collect();
    classes.sort_unstable();
    format!("{name}.{}", classes.join("."))
}

/// What the elements from a block down to a date in it look like.
type Way = Vec<u32>;

/// Blocks that look alike wherever they stand, with how many of them stand alone.
type Alike<'a> = BTreeMap<(Cut, &'a str, Way), (usize, Vec<Range<usize>>)>;

/// How a parent is cut into blocks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cut {
    /// Children of one name and class.
    Sign,
    /// Children of one name.
    Name,
    /// Runs of children.
    Run,
}

/// Every way to cut the page into blocks around its dates, with the name of what is cut.
fn candidates<'a>(
    document: &Document<'a>,
    signs: &Signs,
    marks: &[Mark],
) -> Vec<(Cut, &'a str, Vec<Range<usize>>)> {
    let mut around: BTreeSet<usize> = BTreeSet::new();
    for mark in marks {
        around.extend(document.around(mark.part.start).take(CLIMB_MAX));
    }
    let mut found = Vec::new();
    for &parent in &around {
        let children: Vec<usize> = document.children(parent).collect();
        let dated = || children.iter().filter(|child| around.contains(child));
        let kinds: BTreeSet<u32> = dated().map(|child| signs.of[*child]).collect();
        let names: BTreeSet<&str> = dated().map(|child| document.nodes[*child].name()).collect();
        let mut by_kind: BTreeMap<u32, Vec<Range<usize>>> = BTreeMap::new();
        let mut by_name: BTreeMap<&'a str, Vec<Range<usize>>> = BTreeMap::new();
        for child in &children {
            let (kind, name) = (signs.of[*child], document.nodes[*child].name());
            if kinds.contains(&kind) {
                by_kind.entry(kind).or_default().push(document.part(*child));
            }
            if names.contains(name) {
                by_name.entry(name).or_default().push(document.part(*child));
            }
        }
        found.extend(by_kind.into_values().map(|blocks| {
            let name = document.nodes[blocks[0].start].name();
            (Cut::Sign, name, blocks)
        }));
        found.extend(by_name.into_iter().map(|(name, blocks)| (Cut::Name, name, blocks)));
        let runs = runs(document, parent, &children, marks);
        found.extend(runs.map(|blocks| (Cut::Run, document.nodes[parent].name(), blocks)));
    }
    found
}

/// Runs of siblings that begin alike: `dt dd dt dd`, `h3 p p h3 p p`, `date h3 p date h3 p`.
fn runs(
    document: &Document<'_>,
    parent: usize,
    children: &[usize],
    marks: &[Mark],
) -> Option<Vec<Range<usize>>> {
    let dated = |child: usize| {
        let next = marks.partition_point(|mark| mark.part.start < child);
        marks.get(next).is_some_and(|mark| mark.part.end <= document.nodes[child].end)
    };
    let name = |child: usize| document.nodes[child].name();
    let leads = |child: usize| matches!(name(child), "h2" | "h3" | "h4" | "h5" | "h6" | "dt");
    let first = children.iter().copied().find(|child| dated(*child) || leads(*child))?;
    let whole = !matches!(name(first), "p" | "dt")
        && document.nodes[document.part(first)]
            .iter()
            .any(|node| matches!(node.name(), "a" | "h2" | "h3" | "h4" | "h5" | "h6"));
    if whole && !leads(first) {
        // A block of its own begins no run.
        return None;
    }
    let begins = |child: usize| match leads(first) {
        true => name(child) == name(first),
        false => dated(child),
    };
    let starts: Vec<usize> = children.iter().copied().filter(|child| begins(*child)).collect();
    if starts.len() < BLOCKS_MIN {
        return None;
    }
    let ends = starts.iter().skip(1).copied().chain([document.nodes[parent].end]);
    Some(starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect())
}

/// Blocks that look alike, as items.
struct Group {
    /// For each block the item it is, if it has a title.
    found: Vec<Option<Found>>,
    /// How many of them have a title and a date.
    dated: usize,
    /// How many of these have a title that the page calls one.
    said: usize,
    /// How many dates stand in the blocks where one should.
    repeats: usize,
    /// How many of the blocks have no sibling like themselves.
    alone: usize,
    /// The way from a block to its date.
    path: Way,
    start: usize,
}

impl Group {
    fn new(
        document: &Document<'_>,
        signs: &Signs,
        blocks: Vec<Range<usize>>,
        marks: &[Mark],
        eyes: &Eyes,
    ) -> Self {
        let dated: Vec<Vec<Dated<'_>>> =
            blocks.iter().map(|block| dates_in(document, signs, block, marks)).collect();
        // In how many blocks a date stands at the end of the same way.
        let mut often: HashMap<&[u32], usize> = HashMap::new();
        for dates in &dated {
            let ways: BTreeSet<&[u32]> = dates.iter().map(|date| date.way.as_slice()).collect();
            ways.into_iter().for_each(|way| *often.entry(way).or_default() += 1);
        }
        let headed = |block: &Range<usize>| {
            document.nodes[block.clone()].iter().any(|node| node.name() == "h1")
        };
        // One first heading among many blocks is the page's: that block is no item.
        let is_page = blocks.len() > 1 && blocks.iter().filter(|block| headed(block)).count() == 1;
        let start = blocks.first().map_or(0, |block| block.start);
        let found = Vec::with_capacity(blocks.len());
        let mut group =
            Self { found, dated: 0, said: 0, repeats: 0, alone: 0, path: Way::new(), start };
        let mut most = 0;
        for (block, dates) in blocks.into_iter().zip(&dated) {
            let parts: Vec<Range<usize>> =
                dates.iter().map(|date| date.mark.part.clone()).collect();
            let title = parts::title(document, &block, &parts, eyes);
            let Some(title) = title.filter(|_| !(is_page && headed(&block))) else {
                group.found.push(None);
                continue;
            };
            let own = own_date(dates, &often);
            if let Some(own) = own {
                group.dated += 1;
                group.said += usize::from(title.said);
                group.repeats += dates.iter().filter(|date| date.way == own.way).count();
                if often[own.way.as_slice()] > most {
                    most = often[own.way.as_slice()];
                    group.path.clone_from(&own.way);
                }
            }
            let date = own.map(|own| (own.mark.part.clone(), own.mark.when));
            group.found.push(Some(Found { block, title, date }));
        }
        group
    }

    /// How much it looks like a list of news: many blocks, each with a title of its own and one
    /// date (several at the end of the same way are several items), and few without.
    fn score(&self) -> f64 {
        let count = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
        let (dated, blocks) = (count(self.dated), count(self.found.len()));
        let titled = 0.4 + 0.6 * count(self.said) / dated;
        let covered = 0.8 + 0.2 * dated / blocks;
        let together = 1.0 - 0.1 * count(self.alone) / blocks;
        let single = dated / count(self.repeats);
        dated * titled * covered * together * single * single
    }
}

/// A date in a block, with the elements from the block down to it.
struct Dated<'m> {
    mark: &'m Mark,
    way: Way,
}

fn dates_in<'m>(
    document: &Document<'_>,
    signs: &Signs,
    block: &Range<usize>,
    marks: &'m [Mark],
) -> Vec<Dated<'m>> {
    let first = marks.partition_point(|mark| mark.part.start < block.start);
    let inside = marks[first..].iter().take_while(|mark| mark.part.start < block.end);
    let dated = inside.map(|mark| {
        let at = mark.part.start;
        let around = document.around(at).take_while(|around| *around > block.start);
        let way = std::iter::once(at).chain(around).map(|at| signs.of[at]).collect();
        Dated { mark, way }
    });
    dated.collect()
}

/// The date of the item itself: the first of those that stand where most blocks have one. A date
/// that stands there in few of them, and is not said to be one, belongs to the text.
fn own_date<'d, 'm>(
    dates: &'d [Dated<'m>],
    often: &HashMap<&[u32], usize>,
) -> Option<&'d Dated<'m>> {
    let rank = |date: &Dated<'_>| (often[date.way.as_slice()], date.mark.said);
    let best = dates.iter().reduce(|a, b| if rank(b) > rank(a) { b } else { a })?;
    let most = often.values().max().copied().unwrap_or_default();
    let (blocks, said) = rank(best);
    (said || 2 * blocks >= most).then_some(best)
}
