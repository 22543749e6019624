//! The names under which feeds are written, and those under which they are read.

use super::markup::{attribute, name, without};

/// Which format an XML feed has, by its outermost element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Rss,
    Rdf,
    Atom,
}

impl Format {
    pub fn of_root(called: &str) -> Self {
        match called.rsplit(':').next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "rdf" => Self::Rdf,
            "feed" | "entry" => Self::Atom,
            _ => Self::Rss,
        }
    }
}

/// An element that is a text and has no elements of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Construct {
    /// With a type that says what it is (RFC 4287 3.1).
    Typed,
    /// As in RSS, where it is what it looks like.
    Untyped,
}

/// What stands before `rdf:about` in the link that is made of it: items of RDF have no other id,
/// and items without any link are not read.
pub(super) const RDF_ABOUT: &str = "rdf-about:";

/// The texts of RSS and RDF.
const TEXTS: [&str; 11] = [
    "title",
    "description",
    "dc:description",
    "itunes:summary",
    "summary",
    "abstract",
    "media:title",
    "content:encoded",
    "body",
    "xhtml:body",
    "fullitem",
];

/// What stands before the address from which the links of a text count, in a comment at its start:
/// `xml:base` of elements around it is not handed on otherwise.
pub(super) const BASE_MARK: &str = "<!--xml:base ";

/// Whether an element is a text.
pub(super) fn construct(format: Format, called: &str) -> Option<Construct> {
    let local = called.strip_prefix("atom:").unwrap_or(called);
    let is_text = match format {
        Format::Atom => matches!(
            local,
            "title" | "summary" | "content" | "subtitle" | "tagline" | "rights" | "copyright"
        ),
        Format::Rss => TEXTS.iter().any(|text| text.eq_ignore_ascii_case(called)),
        Format::Rdf => TEXTS.contains(&called),
    };
    is_text.then_some(if format == Format::Atom { Construct::Typed } else { Construct::Untyped })
}

/// The elements of RSS whose names are also found with other letters.
const RSS: [&str; 12] = [
    "rss",
    "channel",
    "item",
    "title",
    "link",
    "description",
    "pubDate",
    "guid",
    "category",
    "author",
    "lastBuildDate",
    "enclosure",
];

/// What an item of RSS has, so that one element can stand for another that is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    title: bool,
    summary: bool,
    description: bool,
    encoded: bool,
}

impl Parts {
    /// Of an item, by the text between its tags.
    pub fn of(inner: &str) -> Self {
        let mut parts = Self::default();
        for (at, _) in inner.match_indices('<') {
            let rest = &inner[at + 1..];
            let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '>' | '/'));
            let name = &rest[..end.unwrap_or(rest.len())];
            let is = |any_of: &[&str]| any_of.iter().any(|n| n.eq_ignore_ascii_case(name));
            parts.title |= is(&["title", "dc:title"]);
            parts.summary |= is(&["summary", "abstract"]);
            parts.description |= is(&["description"]);
            parts.encoded |= is(&["content:encoded", "body", "xhtml:body", "fullitem"]);
        }
        parts
    }
}

/// What an element with the whole text is written as.
const ENCODED: &str = "encoded xmlns=\"http://purl.org/rss/1.0/modules/content/\"";

/// The name under which an element of an item is read, where that depends on what else the item
/// has: a summary beside the description makes that the whole text (RSS has but one, and those who
/// write both mean this), and the title of what it carries is its own where it has no other.
pub(super) fn renamed_in_item(parts: Parts, called: &str) -> Option<&'static str> {
    let both = parts.summary && parts.description && !parts.encoded;
    let is = |name: &str| called.eq_ignore_ascii_case(name);
    if is("description") {
        return both.then_some(ENCODED);
    }
    if is("media:title") {
        return (!parts.title).then_some("title");
    }
    if is("dc:description") || is("itunes:summary") {
        return (!parts.summary && !parts.description).then_some("description");
    }
    let summary = is("summary") || is("abstract");
    (summary && (both || !parts.description)).then_some("description")
}

/// The name under which an element is read, with the namespace where it needs one.
pub(super) fn renamed(format: Format, called: &str) -> &str {
    match (format, called) {
        // Atom 0.3, from before RFC 4287.
        (Format::Atom, "modified") => "updated",
        (Format::Atom, "issued") => "published",
        (Format::Atom, "tagline") => "subtitle",
        (Format::Atom, "copyright") => "rights",
        (Format::Rss, "dcterms:issued" | "dcterms:created") => "pubDate",
        (Format::Rss, "dcterms:modified") => "updated",
        (Format::Rss, "dc:title") => "title",
        (Format::Rss | Format::Rdf, "body" | "xhtml:body" | "fullitem") => ENCODED,
        (Format::Rss, called) => {
            let known = RSS.iter().find(|name| name.eq_ignore_ascii_case(called));
            known.copied().unwrap_or(called)
        }
        (_, called) => called,
    }
}

/// Namespaces under which feeds are published, with the one that is read.
const NAMESPACES: [(&str, &str); 8] = [
    ("http://purl.org/atom/ns#", "http://www.w3.org/2005/Atom"),
    ("https://www.w3.org/2005/Atom", "http://www.w3.org/2005/Atom"),
    ("http://my.netscape.com/rdf/simple/0.9/", "http://purl.org/rss/1.0/"),
    ("http://channel.netscape.com/rdf/simple/0.9/", "http://purl.org/rss/1.0/"),
    ("http://backend.userland.com/rss2", "http://purl.org/rss/1.0/"),
    ("http://backend.userland.com/rss", "http://purl.org/rss/1.0/"),
    ("http://blogs.law.harvard.edu/tech/rss", "http://purl.org/rss/1.0/"),
    ("http://purl.org/dc/elements/1.0/", "http://purl.org/dc/elements/1.1/"),
];

/// A tag with the namespaces that are read.
pub(super) fn with_known_namespaces(tag: &str) -> String {
    let mut tag = tag.to_owned();
    if tag.contains("xmlns") {
        for (published, read) in NAMESPACES {
            for quote in ['"', '\''] {
                let (from, to) =
                    (format!("{quote}{published}{quote}"), format!("{quote}{read}{quote}"));
                tag = tag.replace(&from, &to);
            }
        }
    }
    tag
}

/// The tag of Atom with the namespace that is read: of its drafts there were many.
pub(super) fn with_namespace(tag: &str) -> String {
    let called = name(tag);
    let key = match called.split_once(':') {
        Some((prefix, _)) => format!("xmlns:{prefix}"),
        None => "xmlns".to_owned(),
    };
    let namespace = format!("{called} {key}=\"http://www.w3.org/2005/Atom\"");
    without(tag, &key).replacen(called, &namespace, 1)
}

/// The tag of RSS with a version that is read: each is compatible with those before it.
pub(super) fn with_version(tag: &str) -> String {
    if matches!(attribute(tag, "version"), Some("0.91" | "0.92" | "2.0")) {
        return tag.to_owned();
    }
    let called = name(tag);
    without(tag, "version").replacen(called, &format!("{called} version=\"2.0\""), 1)
}
