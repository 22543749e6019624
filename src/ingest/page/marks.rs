//! The dates of a page: elements and texts that are a date and nothing else.

use std::ops::Range;

use chrono::{DateTime, Utc};

use super::Eyes;
use crate::ingest::dates;
use crate::ingest::html::{Content, Document, DocumentNode};

/// How many nodes an element that is a date may have inside, at most.
const DATE_NODES_MAX: usize = 24;

/// The longest text, in characters, of an element whose class says that it has a date.
const DATED_TEXT_CHARS_MAX: usize = 120;

/// A date on the page.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    /// The nodes that are the date.
    pub part: Range<usize>,
    pub when: DateTime<Utc>,
    /// Whether the page says that it is a date, by element or class.
    pub said: bool,
}

/// The dates of a part, in document order, none inside another.
pub(super) fn marks(document: &Document<'_>, part: Range<usize>, eyes: &Eyes) -> Vec<Mark> {
    if let Some(selector) = &eyes.date {
        let named = super::selected(document, part, selector).into_iter();
        return named
            .filter_map(|at| {
                let part = document.part(at);
                let text = || document.text(part.clone(), dates::DATE_SEARCH_CHARS_MAX);
                let when = machine_date(document, part.clone(), eyes)
                    .or_else(|| dates::parse_date(&text(), eyes.zone, eyes.now))?;
                Some(Mark { part, when, said: true })
            })
            .collect();
    }
    let mut marks: Vec<Mark> = Vec::new();
    let mut at = part.start;
    while at < part.end {
        // Menus and the frame of the page have dates that are no item's.
        if document.nodes[at].name() == "nav" {
            at = document.nodes[at].end;
            continue;
        }
        match mark(document, at, eyes) {
            Some(mark) => {
                at = mark.part.end;
                marks.push(mark);
            }
            None => at += 1,
        }
    }
    marks
}

fn mark(document: &Document<'_>, at: usize, eyes: &Eyes) -> Option<Mark> {
    let node = &document.nodes[at];
    let part = document.part(at);
    if let Content::Text(text) = node.content {
        let when = dates::date_of(text, eyes.zone, eyes.now)?;
        return Some(Mark { part, when, said: false });
    }
    if part.len() > DATE_NODES_MAX {
        return None;
    }
    let said = document.nodes[part.clone()].iter().any(says_date);
    let text = document.text(part.clone(), DATED_TEXT_CHARS_MAX);
    let when = dates::date_of(&text, eyes.zone, eyes.now);
    let when = when.or_else(|| {
        let labelled = says_date(node) || begins_with_label(&text);
        let labelled = labelled && !has_more(document, part.clone());
        labelled.then(|| dates::labelled_date(&text, eyes.zone, eyes.now)).flatten()
    });
    let machine = machine_date(document, part.clone(), eyes);
    let is_time = node.name() == "time";
    let when = match when {
        Some(when) => machine.unwrap_or(when),
        None => machine.filter(|_| is_time)?,
    };
    Some(Mark { part, when, said: said || is_time })
}

/// The `datetime` of a `time` element (HTML 4.5.14) in a part, which is exact where text is short.
fn machine_date(document: &Document<'_>, part: Range<usize>, eyes: &Eyes) -> Option<DateTime<Utc>> {
    let time = document.nodes[part].iter().find(|node| node.name() == "time")?;
    dates::parse_date(time.attr("datetime")?, eyes.zone, eyes.now)
}

/// Whether a text begins as the line below a title does: `Pubblicato il 22/11/2022 da …`.
fn begins_with_label(text: &str) -> bool {
    let lower = text.to_lowercase();
    let lower = lower.strip_prefix("data di ").or(lower.strip_prefix("data ")).unwrap_or(&lower);
    lower.starts_with("pubblicat")
        || lower.starts_with("pubblicazione")
        || lower.starts_with("inserit")
        || lower.starts_with("inviat")
        || lower.starts_with("creat")
        || lower.starts_with("scritt")
}

/// Whether a part has what an item has, and is more than its date.
fn has_more(document: &Document<'_>, part: Range<usize>) -> bool {
    let names = ["a", "h1", "h2", "h3", "h4", "h5", "h6", "p"];
    document.nodes[part].iter().skip(1).any(|node| names.contains(&node.name()))
}

/// Whether an element has a name, class or property that means a date.
fn says_date(node: &DocumentNode<'_>) -> bool {
    let names = [node.attr("class"), node.attr("itemprop"), node.attr("property")];
    let mut words = names
        .into_iter()
        .flatten()
        .flat_map(|name| name.split(|c: char| !c.is_alphanumeric()).map(str::to_ascii_lowercase));
    node.name() == "time"
        || words.any(|word| {
            matches!(
                word.as_str(),
                "data"
                    | "date"
                    | "datepublished"
                    | "published"
                    | "pubdate"
                    | "created"
                    | "submitted"
                    | "time"
            )
        })
}
