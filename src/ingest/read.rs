//! From the octets of an answer to items: tells a feed from a page and hands it over.

use chrono_tz::Tz;
use url::Url;

use super::clean::{TITLE_CHARS_MAX, is_cut_title};
use super::html::HtmlTooMuch;
use super::{PageSelectors, Reading, SourceKind, charset, feed, page};
use crate::model::Timestamp;

/// How many items of one answer are taken, the first ones.
pub const ITEMS_MAX: usize = 5_000;

/// How many warnings of one answer are kept.
pub const WARNINGS_MAX: usize = 20;

/// How far into an answer a feed is looked for behind what is none of it, in octets.
const JUNK_OCTETS_MAX: usize = 4_096;

/// Why an answer could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// There is nothing in it.
    #[error("the answer is empty")]
    Empty,
    /// Neither a feed nor a page.
    #[error("the answer is neither a feed nor an HTML page; it begins with {0:?}")]
    NotRecognised(String),
    /// A page where a feed was asked for.
    #[error("the answer is an HTML page, not a feed")]
    NotAFeed,
    /// A feed that is broken beyond what is mended.
    #[error("the feed cannot be read: {0}")]
    Feed(String),
    /// A page that could cost its reader too much.
    #[error("the page is too much to read: {0}")]
    Page(#[from] HtmlTooMuch),
    /// A selector that is not CSS.
    #[error("[source.page] {key} is no CSS selector: {selector:?}")]
    Selector {
        /// The key under `[source.page]`.
        key: &'static str,
        /// What stands there.
        selector: String,
    },
    /// The selector of the items finds nothing.
    #[error("[source.page] item = {0:?} finds nothing on the page")]
    NothingSelected(String),
    /// A page without a list of news that can be told from the rest.
    #[error("no list of news found on the page")]
    NoList,
    /// The same, of a page that names a feed.
    #[error("no list of news found on the page, but it names a feed: {0}")]
    NoListButFeed(String),
}

impl ReadError {
    /// What a person can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Empty => "open the address in a browser: the site may be down or has moved",
            Self::NotRecognised(_) => "give the address of a feed or of the page with the news",
            Self::NotAFeed => "set kind = \"page\", or give the address of the site's feed",
            Self::Feed(_) => {
                "tell the publisher, or set kind = \"page\" and give the address of the news page"
            }
            Self::Page(_) => "give the address of a page with fewer items, or of a feed",
            Self::Selector { .. } => "write a CSS selector, such as \"article.news\" or \"h2 a\"",
            Self::NothingSelected(_) => {
                "look at the page's source: the layout may have changed since the selector was made"
            }
            Self::NoListButFeed(_) => "give the address of that feed instead",
            Self::NoList => {
                "name the selectors under [source.page]: item, and inside it title, date, link, \
                 body"
            }
        }
    }
}

/// What had to be repaired or left out, each once, for a person to read.
#[derive(Debug, Default)]
pub(super) struct Warnings(Vec<String>);

impl Warnings {
    pub fn add(&mut self, warning: String) {
        if self.0.len() < WARNINGS_MAX && !self.0.contains(&warning) {
            self.0.push(warning);
        }
    }
}

/// Reads one answer of a source.
///
/// `content_type` is HTTP's, `base` the address that answered: relative links count from it.
/// `zone` and `now` are the site's, for dates without a zone or a year.
///
/// # Errors
/// See [`ReadError`]; each says in `hint()` what to do. Hostile input is one of them or harmless
/// text, never a panic.
pub fn read(
    body: &[u8],
    content_type: Option<&str>,
    base: &Url,
    kind: SourceKind,
    selectors: &PageSelectors,
    zone: Tz,
    now: Timestamp,
) -> Result<Reading, ReadError> {
    let decoded = charset::decode(body, content_type);
    let mut warnings = Warnings::default();
    decoded.warning.into_iter().for_each(|warning| warnings.add(warning));
    let mut text = decoded.text.trim_start_matches(['\u{feff}', '\0']).trim_start();
    if text.is_empty() {
        return Err(ReadError::Empty);
    }
    if let Some(at) = junk_before(text).filter(|_| kind != SourceKind::Page) {
        let line = text[..at].matches('\n').count() + 1;
        warnings.add(format!("line {line}: {at} octets before the feed were left out"));
        text = &text[at..];
    }
    let mut reading = match (kind, look(text)) {
        (SourceKind::Page, _) | (SourceKind::Auto, Look::Page) => {
            page::read_page(text, base, selectors, zone, now, &mut warnings)?
        }
        (SourceKind::Feed | SourceKind::Auto, Look::Feed) => {
            feed::read_feed(text, base, zone, now, &mut warnings)?
        }
        (SourceKind::Feed, Look::Page) => return Err(ReadError::NotAFeed),
        (SourceKind::Feed | SourceKind::Auto, Look::Other) => {
            return Err(ReadError::NotRecognised(super::clean::line(text, 40)));
        }
    };
    let cut = reading.items.iter().filter(|item| is_cut_title(&item.title)).count();
    if cut > 0 {
        warnings.add(format!("{cut} titles were cut at {TITLE_CHARS_MAX} characters"));
    }
    reading.warnings = warnings.0;
    Ok(reading)
}

/// Where a feed begins behind what a broken program wrote before it (an error message, an empty
/// template): none where the text begins with a feed, and none in a page.
fn junk_before(text: &str) -> Option<usize> {
    if !matches!(look(text), Look::Page | Look::Other) || text.starts_with("<?xml") {
        return None;
    }
    let start = &text[..text.floor_char_boundary(JUNK_OCTETS_MAX)];
    let lower = start.to_ascii_lowercase();
    let at = ["<?xml", "<rss", "<feed", "<rdf:rdf"].iter().filter_map(|s| lower.find(s)).min()?;
    let is_page = ["<html", "<!doctype html", "<body", "<head"];
    let feed = matches!(look(&text[at..]), Look::Feed);
    (feed && !is_page.iter().any(|tag| lower[..at].contains(tag))).then_some(at)
}

/// The selectors for `[source.page]` that find on a page what is found on it without any; none
/// for what is no page, or where no selectors of elements do.
pub fn find_selectors(
    body: &[u8],
    content_type: Option<&str>,
    zone: Tz,
    now: Timestamp,
) -> Option<PageSelectors> {
    page::find_selectors(&charset::decode(body, content_type).text, zone, now)
}

/// The addresses of the feeds that a page names; none of what is no page.
pub fn feeds_named(body: &[u8], content_type: Option<&str>, base: &Url) -> Vec<String> {
    let text = charset::decode(body, content_type).text;
    if matches!(look(&text), Look::Page) { page::feeds(&text, base) } else { Vec::new() }
}

enum Look {
    Feed,
    Page,
    Other,
}

/// What a document looks like, by its first element. What HTTP says of it is no help: feeds come
/// as `text/html` and pages as `application/xml`.
fn look(text: &str) -> Look {
    if text.starts_with('{') {
        return Look::Feed;
    }
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at..];
        let end = if rest.starts_with("<!--") {
            "-->"
        } else if rest.starts_with("<?") || rest.starts_with("<!") {
            ">"
        } else {
            return first_element(&rest[1..], text.starts_with("<?xml"));
        };
        rest = rest.find(end).map_or("", |at| &rest[at + end.len()..]);
    }
    Look::Other
}

fn first_element(tag: &str, is_xml: bool) -> Look {
    let end = tag.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_')));
    let name = tag[..end.unwrap_or(tag.len())].to_ascii_lowercase();
    match name.rsplit(':').next().unwrap_or_default() {
        "rss" | "feed" | "rdf" | "entry" | "channel" => Look::Feed,
        "" => Look::Other,
        // Of other XML only XHTML is a page.
        name if is_xml && name != "html" => Look::Other,
        _ => Look::Page,
    }
}
