//! The text of one item's own page: what stands in the part that is the article, without the frame
//! of the page.

use std::ops::Range;

use scraper::Html;
use url::Url;

use super::own_base;
use crate::ingest::clean::Cleaner;
use crate::ingest::html::{Document, DocumentNode, measure};

/// The shortest text, in characters, that is taken for an article.
const ARTICLE_CHARS_MIN: usize = 80;

/// Classes and ids of the article's text in the usual content systems, the surest first.
const NAMES: [&str; 16] = [
    "articlebody",
    "entry-content",
    "post-content",
    "article-body",
    "article-content",
    "it-page-sections-container",
    "content-core",
    "parent-fieldname-text",
    "field--name-body",
    "field-name-body",
    "item-page",
    "com-content-article__body",
    "news-content",
    "testo",
    "contenuto",
    "main-content",
];

/// Parts of an article that are none of its text.
const APART: [&str; 20] = [
    "share",
    "social",
    "breadcrumb",
    "breadcrumbs",
    "related",
    "correlati",
    "sidebar",
    "cookie",
    "cookiebar",
    "pagination",
    "pager",
    "skiplinks",
    "skiplink",
    "modal",
    "comments",
    "visually-hidden",
    "sr-only",
    "screen-reader-text",
    "print",
    "rating",
];

/// The clean HTML of a page's article; none where nothing on it looks like one.
pub(in crate::ingest) fn article(text: &str, base: &Url) -> Option<String> {
    measure(text).ok()?;
    let html = Html::parse_document(text);
    let document = Document::of(&html);
    let base = own_base(&html, base);
    let cleaner = Cleaner::new(&base);
    let named = NAMES.iter().flat_map(|name| {
        let is = |at: &usize| names(&document.nodes[*at]).any(|own| own == *name);
        (0..document.nodes.len()).find(is)
    });
    let element = ["article", "main"].iter().filter_map(|name| {
        let mut all = (0..document.nodes.len()).filter(|at| document.nodes[*at].name() == *name);
        // Several articles are a list, and none is the page's own.
        all.next().filter(|_| all.next().is_none())
    });
    let tried = named.chain(element).chain(densest(&document));
    tried.map(|at| document.part(at)).find_map(|part| {
        let left_out = left_out(&document, &part);
        let cleaned = cleaner.clean(&document.html(part, &left_out));
        let enough = cleaned.text.chars().count() >= ARTICLE_CHARS_MIN;
        enough.then_some(cleaned.html)
    })
}

/// The element with most text in paragraphs of its own.
fn densest(document: &Document<'_>) -> Option<usize> {
    let mut weights = std::collections::BTreeMap::<usize, usize>::new();
    let paragraphs = (0..document.nodes.len()).filter(|at| document.nodes[*at].name() == "p");
    for at in paragraphs {
        let framed = document.around(at).any(|around| {
            matches!(document.nodes[around].name(), "nav" | "aside" | "header" | "footer" | "form")
        });
        if !framed {
            let text = document.text(document.part(at), 2_000);
            *weights.entry(document.nodes[at].parent).or_default() += text.chars().count();
        }
    }
    weights.into_iter().max_by_key(|(at, weight)| (*weight, std::cmp::Reverse(*at))).map(|w| w.0)
}

fn names<'a>(node: &DocumentNode<'a>) -> impl Iterator<Item = String> + use<'a> {
    let said = [node.attr("class"), node.attr("id"), node.attr("itemprop")];
    said.into_iter().flatten().flat_map(str::split_ascii_whitespace).map(str::to_ascii_lowercase)
}

fn left_out(document: &Document<'_>, part: &Range<usize>) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut beyond = part.start + 1;
    for at in part.start + 1..part.end {
        let node = &document.nodes[at];
        let apart = matches!(
            node.name(),
            "nav" | "aside" | "header" | "footer" | "form" | "button" | "h1" | "time"
        ) || names(node).any(|name| {
            APART.contains(&name.as_str())
                || name.split(['-', '_']).any(|word| matches!(word, "share" | "social"))
        });
        if at >= beyond && apart {
            found.push(document.part(at));
            beyond = document.nodes[at].end;
        }
    }
    found
}
