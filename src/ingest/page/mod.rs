//! News pages: the blocks of a list, by CSS selectors or by looking for what repeats.

mod article;
mod blocks;
mod marks;
mod parts;
mod suggest;

use std::ops::Range;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use scraper::{Html, Selector};
use url::Url;

use super::clean::{self, Cleaner};
use super::html::{Document, measure};
use super::read::{ITEMS_MAX, ReadError, Warnings};
use super::{PageSelectors, ReadItem, Reading, ReadingKind, alternate};
use crate::model::Timestamp;

pub(super) use article::article;

/// What looks at a page: the selectors that are configured, and the day it is looked at.
struct Eyes {
    item: Option<Selector>,
    title: Option<Selector>,
    date: Option<Selector>,
    link: Option<Selector>,
    body: Option<Selector>,
    zone: Tz,
    now: Timestamp,
}

impl Eyes {
    fn new(selectors: &PageSelectors, zone: Tz, now: Timestamp) -> Result<Self, ReadError> {
        Ok(Self {
            item: selector("item", selectors.item.as_deref())?,
            title: selector("title", selectors.title.as_deref())?,
            date: selector("date", selectors.date.as_deref())?,
            link: selector("link", selectors.link.as_deref())?,
            body: selector("body", selectors.body.as_deref())?,
            zone,
            now,
        })
    }
}

fn selector(key: &'static str, written: Option<&str>) -> Result<Option<Selector>, ReadError> {
    let parse = |written: &str| {
        Selector::parse(written)
            .map_err(|_| ReadError::Selector { key, selector: clean::line(written, 200) })
    };
    written.map(parse).transpose()
}

/// The nodes of a part that a selector names, outermost ones only, in document order.
fn selected(document: &Document<'_>, part: Range<usize>, selector: &Selector) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    let mut beyond = part.start;
    for at in part {
        let named = document.nodes[at].element().is_some_and(|element| selector.matches(&element));
        if at >= beyond && named {
            found.push(at);
            beyond = document.nodes[at].end;
        }
    }
    found
}

/// A block that is an item: a part of the page with a title, and mostly a date.
struct Found {
    block: Range<usize>,
    title: parts::Title,
    date: Option<(Range<usize>, DateTime<Utc>)>,
}

/// Reads the text of an HTML page.
///
/// # Errors
/// [`ReadError::NoList`] where no list is found, and what is wrong with selectors.
pub(super) fn read_page(
    text: &str,
    base: &Url,
    selectors: &PageSelectors,
    zone: Tz,
    now: Timestamp,
    warnings: &mut Warnings,
) -> Result<Reading, ReadError> {
    let eyes = Eyes::new(selectors, zone, now)?;
    measure(text)?;
    let html = Html::parse_document(text);
    let document = Document::of(&html);
    let base = own_base(&html, base);
    let found = match (&eyes.item, &selectors.item) {
        (Some(item), Some(written)) => {
            let blocks = selected(&document, 0..document.nodes.len(), item);
            if blocks.is_empty() {
                return Err(ReadError::NothingSelected(clean::line(written, 200)));
            }
            blocks::named(&document, &blocks, &eyes, warnings)
        }
        _ => blocks::repeated(&document, &eyes),
    };
    let feeds = alternate::feeds(&html, &base);
    if found.is_empty() {
        return Err(match feeds.into_iter().next() {
            Some(feed) => ReadError::NoListButFeed(feed),
            None => ReadError::NoList,
        });
    }
    if found.len() > ITEMS_MAX {
        let left_out = found.len() - ITEMS_MAX;
        warnings.add(format!("{left_out} items beyond the first {ITEMS_MAX} were left out"));
    }
    let cleaner = Cleaner::new(&base);
    let mut items: Vec<ReadItem> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for found in found.iter().take(ITEMS_MAX) {
        let item = item(&document, found, &eyes, &base, &cleaner, warnings);
        // Pages show the same item twice: in the spotlight and in the list below it.
        let same = (item.title.clone(), item.link.clone(), item.published, item.summary.clone());
        if seen.insert(same) {
            items.push(item);
        }
    }
    let title = page_title(&html);
    let link = Some(String::from(base));
    Ok(Reading { kind: ReadingKind::Page, title, link, items, feeds, ..Reading::default() })
}

/// The feeds that a page names.
pub(super) fn feeds(text: &str, base: &Url) -> Vec<String> {
    if measure(text).is_err() {
        return Vec::new();
    }
    let html = Html::parse_document(text);
    alternate::feeds(&html, &own_base(&html, base))
}

/// The selectors that find on a page what is found on it without any.
pub(super) fn find_selectors(text: &str, zone: Tz, now: Timestamp) -> Option<PageSelectors> {
    measure(text).ok()?;
    let eyes = Eyes::new(&PageSelectors::default(), zone, now).ok()?;
    let html = Html::parse_document(text);
    let document = Document::of(&html);
    let found = blocks::repeated(&document, &eyes);
    suggest::selectors(&document, &found, &eyes)
}

fn item(
    document: &Document<'_>,
    found: &Found,
    eyes: &Eyes,
    base: &Url,
    cleaner: &Cleaner,
    warnings: &mut Warnings,
) -> ReadItem {
    let (category_parts, categories) = parts::categories(document, &found.block);
    let mut left_out = category_parts;
    left_out.push(parts::title_with_link(document, &found.block, &found.title));
    left_out.extend(found.date.as_ref().map(|(part, _)| part.clone()));
    left_out.extend(parts::calls_to_read(document, &found.block));
    left_out.extend(parts::counters(document, &found.block));
    let bodies = match &eyes.body {
        Some(body) => selected(document, found.block.clone(), body)
            .into_iter()
            .map(|at| document.part(at))
            .collect(),
        None => vec![document.inside(&found.block)],
    };
    let html: String = bodies.into_iter().map(|body| document.html(body, &left_out)).collect();
    let cleaned = cleaner.clean(&html);
    cleaned.warning.into_iter().for_each(|warning| warnings.add(warning));
    ReadItem {
        title: found.title.text.clone(),
        link: parts::link(document, &found.block, &found.title, eyes, base).map(String::from),
        id: None,
        published: found.date.as_ref().map(|(_, when)| *when),
        updated: None,
        summary: cleaned.text,
        content: cleaned.html,
        image_alt: clean::image_texts(document, found.block.clone()),
        categories,
        ..ReadItem::default()
    }
}

/// The address from which the page's links count: its `base` (HTML 4.2.3), and for a page that
/// was saved as a file the one it says it has.
fn own_base(html: &Html, base: &Url) -> Url {
    let attribute = |css: &str, name: &str| {
        let selector = Selector::parse(css).ok()?;
        let element = html.select(&selector).next()?;
        base.join(element.attr(name)?.trim()).ok().filter(|url| url.has_host())
    };
    let canonical = || {
        let url = attribute("link[rel=canonical]", "href");
        url.filter(|_| base.scheme() == "file")
    };
    attribute("base[href]", "href").or_else(canonical).unwrap_or_else(|| base.clone())
}

fn page_title(html: &Html) -> Option<String> {
    let selector = Selector::parse("title").ok()?;
    let text: String = html.select(&selector).next()?.text().collect();
    Some(clean::title(&text)).filter(|title| !title.is_empty())
}
