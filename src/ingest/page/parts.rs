//! The parts of a block: title, link, categories, and what is none of the item's text.

use std::ops::Range;

use url::Url;

use super::{Eyes, selected};
use crate::ingest::clean;
use crate::ingest::feed::{CATEGORIES_MAX, CATEGORY_CHARS_MAX};
use crate::ingest::html::Document;

/// The shortest text, in characters, that can be a title where nothing says that it is one.
const TITLE_CHARS_MIN: usize = 4;

/// The longest text, in characters, of a link that only calls to read on.
const CALL_CHARS_MAX: usize = 30;

/// The title of a block.
#[derive(Clone, Debug)]
pub(super) struct Title {
    pub part: Range<usize>,
    pub text: String,
    /// Whether the page says that it is a title, by element or class.
    pub said: bool,
}

/// The title of a block: what the selector names, else its first heading, else what a class calls
/// a title, else its longest link, else in a table or list the longest cell. Never a date.
pub(super) fn title(
    document: &Document<'_>,
    block: &Range<usize>,
    dates: &[Range<usize>],
    eyes: &Eyes,
) -> Option<Title> {
    let of = |at: usize, said: bool| {
        let part = document.part(at);
        // The dates are in document order, and none is inside another.
        let before = dates.partition_point(|date| date.start <= part.start);
        let is_date = before > 0 && part.end <= dates[before - 1].end;
        let text = clean::title(&document.text(part.clone(), clean::TITLE_CHARS_MAX));
        (!text.is_empty() && !is_date).then_some(Title { part, text, said })
    };
    if let Some(selector) = &eyes.title {
        return selected(document, block.clone(), selector).into_iter().find_map(|at| of(at, true));
    }
    let nodes = || block.clone().filter(|at| document.nodes[*at].element().is_some());
    let heading = nodes().filter(|at| is_heading(document.nodes[*at].name()));
    let classed = nodes().filter(|at| says_title(document.nodes[*at].attr("class")));
    let said = heading.chain(classed).find_map(|at| of(at, true));
    let longest = |names: &[&str]| {
        nodes()
            .filter(|at| names.contains(&document.nodes[*at].name()))
            .filter_map(|at| of(at, false))
            .filter(|title| title.text.chars().count() >= TITLE_CHARS_MIN && !is_call(&title.text))
            // The first of the longest.
            .reduce(|a, b| if b.text.len() > a.text.len() { b } else { a })
    };
    said.or_else(|| longest(&["a"])).or_else(|| longest(&["td", "dd", "strong", "b"]))
}

fn is_heading(name: &str) -> bool {
    matches!(name, "h1" | "h2" | "h3" | "h4" | "h5" | "h6")
}

fn says_title(class: Option<&str>) -> bool {
    class.is_some_and(|class| {
        class.split_ascii_whitespace().any(|name| {
            let last = name.rsplit(['-', '_']).next().unwrap_or_default();
            last.eq_ignore_ascii_case("title") || last.eq_ignore_ascii_case("titolo")
        })
    })
}

/// Whether a link's text only calls to read on: `Leggi tutto`, `Scarica il PDF`.
fn is_call(text: &str) -> bool {
    const CALLS: [&str; 20] = [
        "leggi",
        "continua",
        "scopri",
        "dettagli",
        "dettaglio",
        "vai",
        "apri",
        "scarica",
        "vedi",
        "visualizza",
        "approfondisci",
        "altro",
        "tutte",
        "tutti",
        "clicca",
        "qui",
        "pdf",
        "allegato",
        "read",
        "more",
    ];
    let lower = text.to_lowercase();
    let first = lower.split(|c: char| !c.is_alphanumeric()).find(|word| !word.is_empty());
    text.chars().count() <= CALL_CHARS_MAX && first.is_none_or(|word| CALLS.contains(&word))
}

/// The title's nodes, with the link around them where that link is nothing else.
pub(super) fn title_with_link(
    document: &Document<'_>,
    block: &Range<usize>,
    title: &Title,
) -> Range<usize> {
    link_around(document, block, title)
        .map(|at| document.part(at))
        .filter(|part| document.text(part.clone(), clean::TITLE_CHARS_MAX) == title.text)
        .unwrap_or_else(|| title.part.clone())
}

fn link_around(document: &Document<'_>, block: &Range<usize>, title: &Title) -> Option<usize> {
    let around = document.around(title.part.start);
    around.take_while(|at| *at >= block.start).find(|at| document.nodes[*at].name() == "a")
}

/// The parts of a block that count its readers (`Visite: 41`), which change with every poll, and
/// the heading of such a list (`Dettagli`): no news.
pub(super) fn counters(document: &Document<'_>, block: &Range<usize>) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for at in block.clone() {
        let beyond = found.last().map_or(0, |part| part.end);
        let small =
            matches!(document.nodes[at].name(), "td" | "dt" | "dd" | "li" | "p" | "div" | "span");
        let part = document.part(at);
        if at < beyond || !small || at == block.start {
            continue;
        }
        if is_counter(&document.text(part.clone(), CALL_CHARS_MAX + 1)) {
            found.push(part);
        }
    }
    found
}

fn is_counter(text: &str) -> bool {
    let lower = text.to_lowercase();
    if matches!(lower.as_str(), "dettagli" | "details") {
        return true;
    }
    let rest = ["visite", "visualizzazioni", "hits", "letture", "accessi", "letto"]
        .iter()
        .find_map(|word| lower.strip_prefix(word));
    rest.is_some_and(|rest| {
        let rest = rest.trim().trim_start_matches(':').trim_end_matches("volte").trim();
        !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    })
}

/// The links of a block that only call to read on.
pub(super) fn calls_to_read(document: &Document<'_>, block: &Range<usize>) -> Vec<Range<usize>> {
    let links = block.clone().filter(|at| document.nodes[*at].name() == "a");
    links
        .map(|at| document.part(at))
        .filter(|part| {
            let text = document.text(part.clone(), CALL_CHARS_MAX + 1);
            !text.is_empty() && is_call(&text)
        })
        .collect()
}

/// The address of the item's own page: what the selector names, else the link in or around the
/// title, else the first link of the block that leads somewhere, calls to read on before others.
pub(super) fn link(
    document: &Document<'_>,
    block: &Range<usize>,
    title: &Title,
    eyes: &Eyes,
    base: &Url,
) -> Option<Url> {
    let address = |at: usize| {
        let node = &document.nodes[at];
        node.attr("href").and_then(|href| clean::absolute(base, href))
    };
    if let Some(selector) = &eyes.link {
        let named = selected(document, block.clone(), selector);
        return named.into_iter().flat_map(|at| document.part(at)).find_map(address);
    }
    let links =
        |part: Range<usize>| part.filter(|at| document.nodes[*at].name() == "a").find_map(address);
    links(title.part.clone())
        .or_else(|| link_around(document, block, title).and_then(address))
        .or_else(|| calls_to_read(document, block).iter().find_map(|part| address(part.start)))
        .or_else(|| links(block.clone()))
}

/// The categories that a block shows, with their nodes.
pub(super) fn categories(
    document: &Document<'_>,
    block: &Range<usize>,
) -> (Vec<Range<usize>>, Vec<String>) {
    let (mut parts, mut names): (Vec<Range<usize>>, Vec<String>) = (Vec::new(), Vec::new());
    let mut beyond = block.start;
    for at in block.clone() {
        let node = &document.nodes[at];
        let classes = node.attr("class").unwrap_or_default().split_ascii_whitespace();
        let says = classes.into_iter().any(|name| {
            matches!(name.to_ascii_lowercase().as_str(), "category" | "categoria" | "tag")
        });
        let relation = node.attr("rel").is_some_and(|rel| rel.contains("tag"));
        if at < beyond || !(says || relation) {
            continue;
        }
        let part = document.part(at);
        beyond = part.end;
        let name =
            clean::line(&document.text(part.clone(), CATEGORY_CHARS_MAX), CATEGORY_CHARS_MAX);
        if !name.is_empty() && !names.contains(&name) && names.len() < CATEGORIES_MAX {
            names.push(name);
        }
        parts.push(part);
    }
    (parts, names)
}
