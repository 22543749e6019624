//! RSS, RDF, Atom and JSON Feed, through feed-rs.

use chrono_tz::Tz;
use feed_rs::model::{Entry, Feed, FeedType, Link, Text};
use feed_rs::parser::Builder;
use url::Url;

use super::clean::{self, Cleaned, Cleaner};
use super::read::{ITEMS_MAX, ReadError, Warnings};
use super::repair::{XML_DEPTH_MAX, repair};
use super::repair_json::repair_json;
use super::vocabulary::{BASE_MARK, RDF_ABOUT};
use super::{ReadItem, Reading, ReadingKind, albo, dates};
use crate::model::Timestamp;

/// How many categories of an item are kept.
pub const CATEGORIES_MAX: usize = 50;

/// The longest category, in characters.
pub const CATEGORY_CHARS_MAX: usize = 120;

/// The longest id of a publisher, in characters.
pub const ID_CHARS_MAX: usize = 2_048;

/// Reads the text of a feed.
///
/// # Errors
/// [`ReadError::Feed`] where the feed cannot be read even after it was mended.
pub(super) fn read_feed(
    text: &str,
    base: &Url,
    zone: Tz,
    now: Timestamp,
    warnings: &mut Warnings,
) -> Result<Reading, ReadError> {
    let text = text.trim_start();
    let mended = if text.starts_with('{') {
        repair_json(text).map_err(|error| ReadError::Feed(error.to_string()))?
    } else {
        let repaired = repair(text, base)
            .map_err(|_| ReadError::Feed(format!("elements nested deeper than {XML_DEPTH_MAX}")))?;
        repaired.warnings.into_iter().for_each(|warning| warnings.add(warning));
        repaired.xml
    };
    let own = own_base(&mended, base);
    let base = own.as_ref().unwrap_or(base);
    let parser = Builder::new()
        .base_uri((!base.cannot_be_a_base()).then_some(base.as_str()))
        // An id that the source does not give is none: an invented one would change with the
        // title, and the item would be told twice.
        .id_generator(|_, _, _| String::new())
        .sanitize_content(false)
        .timestamp_parser(move |text| dates::parse_date(text, zone, now))
        .build();
    let feed =
        parser.parse(mended.as_bytes()).map_err(|error| ReadError::Feed(error.to_string()))?;
    Ok(reading(feed, base, zone, now, warnings))
}

/// The page that a feed belongs to, where its relative links count from that: a feed in a file, or
/// on another host than its site's, is a copy.
fn own_base(xml: &str, base: &Url) -> Option<Url> {
    let head = &xml[..xml.find("<item").or_else(|| xml.find("<entry")).unwrap_or(xml.len())];
    let (_, link) = head.split_once("<link>")?;
    let link: Url = link.split_once('<')?.0.trim().parse().ok()?;
    let is_page = matches!(link.scheme(), "http" | "https") && link.host() != base.host();
    is_page.then_some(link)
}

fn reading(feed: Feed, base: &Url, zone: Tz, now: Timestamp, warnings: &mut Warnings) -> Reading {
    let kind = match feed.feed_type {
        FeedType::Atom => ReadingKind::Atom,
        FeedType::JSON => ReadingKind::Json,
        FeedType::RSS0 | FeedType::RSS1 | FeedType::RSS2 => ReadingKind::Rss,
    };
    if feed.entries.len() > ITEMS_MAX {
        let left_out = feed.entries.len() - ITEMS_MAX;
        warnings.add(format!("{left_out} items beyond the first {ITEMS_MAX} were left out"));
    }
    let title = feed.title.as_ref().map(|title| title_of(title, kind));
    let link = link(&feed.links, "", kind, base);
    let title = title.filter(|title| !title.is_empty());
    let is_albo = albo::is_albo(title.as_deref(), &feed.categories, &feed.entries);
    let cleaner = Cleaner::new(base);
    let entries = feed.entries.into_iter().take(ITEMS_MAX);
    let read = entries.map(|entry| {
        let act = (is_albo || albo::is_act(&entry)).then(|| albo::act(&entry, zone, now));
        ReadItem { act, ..item(entry, kind, base, &cleaner, warnings) }
    });
    let items = read.collect();
    Reading { kind, title, link, items, ..Reading::default() }
}

fn item(
    entry: Entry,
    kind: ReadingKind,
    base: &Url,
    cleaner: &Cleaner,
    warnings: &mut Warnings,
) -> ReadItem {
    let own_base = entry.base.as_deref().and_then(|own| base.join(own).ok());
    let own_cleaner = own_base.as_ref().map(Cleaner::new);
    let content = entry.content.as_ref().and_then(|content| {
        let body = content.body.as_deref().filter(|body| !body.trim().is_empty())?;
        let cleaner = own_cleaner.as_ref().unwrap_or(cleaner);
        Some(cleaned(body, content.content_type.as_str(), kind, cleaner))
    });
    let summary = entry
        .summary
        .as_ref()
        .map(|summary| cleaned(&summary.content, summary.content_type.as_str(), kind, cleaner));
    for text in [&content, &summary].into_iter().flatten() {
        text.warning.iter().for_each(|warning| warnings.add(warning.clone()));
    }
    // Whichever is there stands for the other: rules need words, people need the text.
    let whole = content.as_ref().or(summary.as_ref()).cloned().unwrap_or_default();
    let short = summary.filter(|summary| !summary.text.is_empty());
    let mut categories: Vec<String> = Vec::new();
    let shown = entry.categories.iter().filter(|category| albo::is_shown(category));
    for category in shown.take(CATEGORIES_MAX) {
        let name = category.label.as_deref().unwrap_or(&category.term);
        let name = clean::line(&clean::text_of(name), CATEGORY_CHARS_MAX);
        if !name.is_empty() && !categories.contains(&name) {
            categories.push(name);
        }
    }
    let updated = match kind {
        // RSS has one date for both.
        ReadingKind::Rss => entry.updated.or(entry.published),
        _ => entry.updated,
    };
    let about = entry.links.iter().find_map(|link| link.href.strip_prefix(RDF_ABOUT));
    let id = clean::line(about.unwrap_or(&entry.id), ID_CHARS_MAX);
    let title = entry.title.as_ref().map(|title| title_of(title, kind));
    // Media RSS titles what it carries; often it is the only title.
    let media = || entry.media.iter().find_map(|media| media.title.as_ref());
    let title = title.or_else(|| media().map(|title| title_of(title, kind)));
    let mut image_alt = whole.image_alt.clone();
    if let Some(short) = &short {
        let more = short.image_alt.iter().filter(|alt| !whole.image_alt.contains(alt));
        image_alt.extend(more.cloned());
    }
    ReadItem {
        title: title.unwrap_or_default(),
        link: link(&entry.links, &id, kind, base),
        id: Some(id).filter(|id| !id.is_empty()),
        published: entry.published,
        updated,
        summary: short.map_or_else(|| whole.text.clone(), |short| short.text),
        content: whole.html,
        image_alt,
        categories,
        ..ReadItem::default()
    }
}

/// The address of the item's own page: the alternate link (RFC 4287 4.2.7.2), the link of RSS, or
/// an id that is an address, as `guid` of RSS is unless it says otherwise.
fn link(links: &[Link], id: &str, kind: ReadingKind, base: &Url) -> Option<String> {
    let pages = || {
        links.iter().filter(|link| {
            let alternate = link.rel.as_deref().is_none_or(|rel| rel == "alternate");
            // Attachments of JSON Feed come as links with a media type and no relation.
            let attached = kind == ReadingKind::Json && link.media_type.is_some();
            let about = link.href.starts_with(RDF_ABOUT);
            alternate && link.target.is_none() && !attached && !about
        })
    };
    let html = pages().find(|link| {
        kind == ReadingKind::Atom && link.media_type.as_deref().is_some_and(|t| t.contains("html"))
    });
    let chosen = html.or_else(|| pages().next()).map(|link| link.href.as_str());
    let by_id = (kind == ReadingKind::Rss
        && (id.starts_with("http://") || id.starts_with("https://")))
    .then_some(id);
    let found = chosen.and_then(|href| clean::absolute(base, href));
    let found = found.or_else(|| by_id.and_then(|id| clean::absolute(base, id)));
    found.map(String::from)
}

/// Whether a text is HTML. Atom and JSON Feed say it; RSS does not, and there it is what it looks
/// like.
fn is_html(text: &str, media_type: &str, kind: ReadingKind) -> bool {
    match kind {
        ReadingKind::Rss => looks_like_html(text),
        _ => media_type.contains("html") || media_type.contains("xml"),
    }
}

fn looks_like_html(text: &str) -> bool {
    let last = text.rfind('>').unwrap_or(0);
    let has_tag = text[..last].match_indices('<').any(|(at, _)| {
        let after = text[at + 1..last].trim_start_matches(['/', '!']);
        after.starts_with(|c: char| c.is_ascii_alphabetic())
    });
    has_tag
        || text.split('&').skip(1).any(|piece| {
            piece.find(';').is_some_and(|end| {
                end > 1 && piece[..end].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'#')
            })
        })
}

fn title_of(title: &Text, kind: ReadingKind) -> String {
    if is_html(&title.content, title.content_type.as_str(), kind) {
        clean::title(&clean::text_of(&title.content))
    } else {
        clean::title(&title.content)
    }
}

fn cleaned(text: &str, media_type: &str, kind: ReadingKind, cleaner: &Cleaner) -> Cleaned {
    let is_text = ["text/", "html", "xml"].iter().any(|kind| media_type.contains(kind));
    if !is_text {
        // Base64 of some media type (RFC 4287 4.1.3.3): nothing to read.
        return Cleaned::default();
    }
    let marked = text.strip_prefix(BASE_MARK).and_then(|rest| rest.split_once("-->"));
    let own = marked.and_then(|(base, _)| Url::parse(base).ok()).map(|base| Cleaner::new(&base));
    let text = marked.map_or(text, |(_, text)| text);
    match is_html(text, media_type, kind) {
        true => own.as_ref().unwrap_or(cleaner).clean(text),
        false => clean::plain(text),
    }
}
