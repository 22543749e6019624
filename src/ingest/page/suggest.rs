//! CSS selectors that find on a page what was found on it without any, so that a person can fix
//! them in the configuration. Each is tried on the page before it is given.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Eyes, Found, blocks, selected, selector};
use crate::ingest::PageSelectors;
use crate::ingest::html::{Document, DocumentNode};
use crate::ingest::read::Warnings;

/// How many elements around a block are tried as its place on the page.
const PLACES_MAX: usize = 6;

/// The selectors for what was found; none where the blocks are no elements of one kind.
pub(super) fn selectors(
    document: &Document<'_>,
    found: &[Found],
    eyes: &Eyes,
) -> Option<PageSelectors> {
    let starts: Vec<usize> = found.iter().map(|found| found.block.start).collect();
    let whole = |at: usize| document.part(at) == found_at(found, at);
    if !starts.iter().all(|at| whole(*at)) {
        return None;
    }
    let first = *starts.first()?;
    let own = kinds(document, &starts);
    let around = document.around(first).take(PLACES_MAX);
    let around: Vec<String> = around.flat_map(|at| kinds(document, &[at])).collect();
    let placed = around.iter().flat_map(|place| own.iter().map(move |o| format!("{place} {o}")));
    let mut chosen = own.iter().cloned().chain(placed).find_map(|item| {
        let chosen = PageSelectors { item: Some(item), ..PageSelectors::default() };
        finds(document, found, &chosen, eyes).then_some(chosen)
    })?;
    let titles: Vec<usize> = found.iter().map(|found| found.title.part.start).collect();
    for title in kinds(document, &titles) {
        let with = PageSelectors { title: Some(title), ..chosen.clone() };
        if finds(document, found, &with, eyes) {
            chosen = with;
            break;
        }
    }
    let dates = found.iter().filter_map(|found| found.date.as_ref());
    let dates: Vec<usize> = dates.map(|(part, _)| element(document, part)).collect();
    for date in kinds(document, &dates) {
        let with = PageSelectors { date: Some(date), ..chosen.clone() };
        if finds(document, found, &with, eyes) {
            chosen = with;
            break;
        }
    }
    Some(chosen)
}

fn found_at(found: &[Found], at: usize) -> Range<usize> {
    found.iter().find(|found| found.block.start == at).map_or(0..0, |found| found.block.clone())
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
    if named.len() != found.len() || named.iter().zip(found).any(|(at, f)| *at != f.block.start) {
        return false;
    }
    let again = blocks::named(document, &named, &own, &mut Warnings::default());
    let same = |(a, b): (&Found, &Found)| {
        let day = |found: &Found| found.date.as_ref().map(|(_, when)| *when);
        a.title.text == b.title.text && day(a) == day(b)
    };
    again.len() == found.len() && again.iter().zip(found).all(same)
}
