//! CSS selectors that find on a page what was found on it without any, so that a person can fix
//! them in the configuration. Each is tried on the page before it is given.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Eyes, Found, blocks, selected, selector};
use crate::ingest::PageSelectors;
use crate::ingest::html::{Content, Document, DocumentNode};
use crate::ingest::read::Warnings;

/// How many elements around a block are tried as its place on the page.
const PLACES_MAX: usize = 6;

/// How many selectors are tried for the blocks.
const TRIED_MAX: usize = 200;

/// How many elements that have nothing beside them are tried as the block itself.
const WRAPPERS_MAX: usize = 4;

/// The selectors for what was found; none where the blocks are no elements of one kind.
pub(super) fn selectors(
    document: &Document<'_>,
    found: &[Found],
    eyes: &Eyes,
) -> Option<PageSelectors> {
    if found.is_empty() || !found.iter().all(|f| document.part(f.block.start) == f.block) {
        return None;
    }
    let mut tried = Vec::new();
    let mut starts: Vec<usize> = found.iter().map(|found| found.block.start).collect();
    for _ in 0..WRAPPERS_MAX {
        tried.extend(places(document, &starts));
        let inner: Option<Vec<usize>> = starts.iter().map(|at| only_child(document, *at)).collect();
        let Some(inner) = inner else { break };
        starts = inner;
    }
    // Names of kinds before names of looks; the shortest way first.
    tried.sort_by_key(|css| (css.split(['.', ' ', '#']).any(is_look), css.matches(' ').count()));
    let mut chosen = tried.into_iter().take(TRIED_MAX).find_map(|item| {
        let chosen = PageSelectors { item: Some(item), ..PageSelectors::default() };
        finds(document, found, &chosen, eyes).then_some(chosen)
    })?;
    let titles: Vec<usize> = found.iter().map(|found| found.title.part.start).collect();
    let title = best(document, found, &titles, |title| {
        let with = PageSelectors { title: Some(title), ..chosen.clone() };
        finds(document, found, &with, eyes)
    });
    chosen.title = title;
    let dates = found.iter().filter_map(|found| found.date.as_ref());
    let dates: Vec<usize> = dates.map(|(part, _)| element(document, part)).collect();
    let date = best(document, found, &dates, |date| {
        let with = PageSelectors { date: Some(date), ..chosen.clone() };
        finds(document, found, &with, eyes)
    });
    chosen.date = date;
    Some(chosen)
}

/// The first selector for some elements that does; one that finds a single element in a block
/// before others.
fn best(
    document: &Document<'_>,
    found: &[Found],
    elements: &[usize],
    does: impl Fn(String) -> bool,
) -> Option<String> {
    let mut kinds = kinds(document, elements);
    let several = |css: &String| {
        let Ok(Some(css)) = selector("title", Some(css)) else { return true };
        found.iter().any(|found| selected(document, found.block.clone(), &css).len() > 1)
    };
    kinds.sort_by_cached_key(|css| (several(css), css.split('.').any(is_look)));
    kinds.into_iter().find(|css| does(css.clone()))
}

/// Selectors for some blocks, alone and by what stands around them.
fn places(document: &Document<'_>, starts: &[usize]) -> Vec<String> {
    let Some(first) = starts.first() else { return Vec::new() };
    let own = kinds(document, starts);
    let around: Vec<usize> = document.around(*first).take(PLACES_MAX).collect();
    let around: Vec<Vec<String>> = around.iter().map(|at| kinds(document, &[*at])).collect();
    let mut found = own.clone();
    for (nth, inner) in around.iter().enumerate() {
        for (place, own) in inner.iter().flat_map(|place| own.iter().map(move |o| (place, o))) {
            found.push(format!("{place} {own}"));
            let outer = around[nth + 1..].iter().flatten();
            found.extend(outer.map(|outer| format!("{outer} {place} {own}")));
        }
    }
    found
}

fn only_child(document: &Document<'_>, at: usize) -> Option<usize> {
    let mut elements = document.children(at).filter(|child| match document.nodes[*child].content {
        Content::Element(_) => true,
        Content::Text(text) => !text.trim().is_empty(),
    });
    let only = elements.next().filter(|_| elements.next().is_none())?;
    document.nodes[only].element().map(|_| only)
}

/// Whether a class says how a thing looks or where it stands, rather than what it is; such change
/// with every new coat of paint.
fn is_look(class: &str) -> bool {
    const LOOKS: [&str; 34] = [
        "col",
        "row",
        "container",
        "m",
        "mb",
        "mt",
        "ms",
        "me",
        "mx",
        "my",
        "p",
        "pb",
        "pt",
        "ps",
        "pe",
        "px",
        "py",
        "d",
        "text",
        "border",
        "rounded",
        "shadow",
        "bg",
        "no",
        "g",
        "h",
        "w",
        "align",
        "justify",
        "flex",
        "small",
        "fw",
        "position",
        "clearfix",
    ];
    class.contains(|c: char| c.is_ascii_digit())
        && !matches!(class, "h1" | "h2" | "h3" | "h4" | "h5" | "h6")
        || LOOKS.contains(&class.split(['-', '_']).next().unwrap_or_default()) && class != "p"
}

/// The element that a part is, or stands in.
fn element(document: &Document<'_>, part: &Range<usize>) -> usize {
    match document.nodes[part.start].element() {
        Some(_) => part.start,
        None => document.nodes[part.start].parent,
    }
}

/// Selectors of the kind that some elements are all of, the shortest first.
fn kinds(document: &Document<'_>, elements: &[usize]) -> Vec<String> {
    let Some(first) = elements.first().map(|at| &document.nodes[*at]) else { return Vec::new() };
    let name = first.name();
    if name.is_empty() || elements.iter().any(|at| document.nodes[*at].name() != name) {
        return Vec::new();
    }
    let mut common: BTreeSet<&str> = classes(first);
    for at in elements {
        let own = classes(&document.nodes[*at]);
        common.retain(|class| own.contains(class));
    }
    let mut found: Vec<String> = common.iter().map(|class| format!("{name}.{class}")).collect();
    if let ([_], Some(id)) = (elements, first.attr("id").filter(|id| is_name(id))) {
        found.push(format!("#{id}"));
    }
    found.push(name.to_owned());
    if common.len() > 1 {
        found.push(format!("{name}.{}", common.into_iter().collect::<Vec<_>>().join(".")));
    }
    found
}

fn classes<'a>(node: &DocumentNode<'a>) -> BTreeSet<&'a str> {
    let classes = node.attr("class").unwrap_or_default().split_ascii_whitespace();
    classes.filter(|class| is_name(class)).collect()
}

/// Whether a class or id can stand in a selector as it is.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// Whether selectors find the same items.
fn finds(document: &Document<'_>, found: &[Found], selectors: &PageSelectors, eyes: &Eyes) -> bool {
    let Ok(own) = Eyes::new(selectors, eyes.zone, eyes.now) else { return false };
    let Ok(Some(item)) = selector("item", selectors.item.as_deref()) else { return false };
    let named = selected(document, 0..document.nodes.len(), &item);
    // What is left out of the list is not to be let in by its selector.
    if named.len() != found.len() || named.iter().zip(found).any(|(at, f)| !f.block.contains(at)) {
        return false;
    }
    let again = blocks::named(document, &named, &own, &mut Warnings::default());
    let same = |(a, b): (&Found, &Found)| {
        let day = |found: &Found| found.date.as_ref().map(|(_, when)| *when);
        a.title.text == b.title.text && day(a) == day(b)
    };
    again.len() == found.len() && again.iter().zip(found).all(same)
}
