//! The names under which feeds are written, and those under which they are read.

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

/// Whether an element is a text.
pub(super) fn construct(format: Format, called: &str) -> Option<Construct> {
    let local = called.strip_prefix("atom:").unwrap_or(called);
    let is_text = match format {
        Format::Atom => matches!(
            local,
            "title" | "summary" | "content" | "subtitle" | "tagline" | "rights" | "copyright"
        ),
        Format::Rss | Format::Rdf => matches!(
            called,
            "title" | "description" | "content:encoded" | "body" | "xhtml:body" | "fullitem"
        ),
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
        (Format::Rss | Format::Rdf, "body" | "xhtml:body" | "fullitem") => {
            "encoded xmlns=\"http://purl.org/rss/1.0/modules/content/\""
        }
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
