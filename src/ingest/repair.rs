//! What is mended in a feed's text before the reader of feeds sees it, and nothing else: that
//! reader stops at the first thing that is not XML.

use std::collections::HashMap;

use scraper::Html;

/// How deep elements of a feed may stand in each other.
pub const XML_DEPTH_MAX: usize = 256;

/// The longest name of an entity (`&CounterClockwiseContourIntegral;` is HTML's longest).
const ENTITY_OCTETS_MAX: usize = 33;

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

/// A mended feed.
pub(super) struct Repaired {
    pub xml: String,
    pub warnings: Vec<String>,
}

/// Elements nested deeper than [`XML_DEPTH_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooDeep;

/// Mends the text of an XML feed: the declaration goes, as the text is decoded already, and so
/// does the document type with its entities; HTML's entities become their characters, an `&` that
/// begins none is escaped; characters that XML forbids go; namespaces and versions get the name
/// under which they are read.
pub(super) fn repair(text: &str) -> Result<Repaired, TooDeep> {
    let mut mender = Mender::default();
    let mut rest = text.trim_start();
    let mut depth = 0usize;
    while !rest.is_empty() {
        let (markup, after) = match rest.find('<') {
            Some(at) => {
                mender.text(&rest[..at]);
                split_markup(&rest[at..])
            }
            None => {
                mender.text(rest);
                break;
            }
        };
        match markup {
            Markup::Dropped => {}
            Markup::Kept(kept) => mender.characters(kept),
            Markup::Sign => mender.xml.push_str("&lt;"),
            Markup::Tag(tag) => {
                if tag.starts_with("</") {
                    depth = depth.saturating_sub(1);
                } else if !tag.ends_with("/>") {
                    depth += 1;
                }
                if depth > XML_DEPTH_MAX {
                    return Err(TooDeep);
                }
                mender.tag(tag);
            }
        }
        rest = after;
    }
    Ok(mender.done())
}

enum Markup<'a> {
    /// A declaration, comment or document type: of no use to a reader.
    Dropped,
    /// A CDATA section.
    Kept(&'a str),
    Tag(&'a str),
    /// A `<` that begins nothing.
    Sign,
}

fn split_markup(rest: &str) -> (Markup<'_>, &str) {
    let until = |end: &str| rest.find(end).map_or(rest.len(), |at| at + end.len());
    if rest.starts_with("<!--") {
        return (Markup::Dropped, &rest[until("-->")..]);
    }
    if rest.starts_with("<![CDATA[") {
        let (section, after) = rest.split_at(until("]]>"));
        return (Markup::Kept(section), after);
    }
    if rest.starts_with("<?") {
        return (Markup::Dropped, &rest[until("?>")..]);
    }
    if rest.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("<!doctype")) {
        return (Markup::Dropped, &rest[end_of_doctype(rest)..]);
    }
    let begins = rest[1..].starts_with(|c: char| c.is_alphabetic() || matches!(c, '/' | '_' | ':'));
    match end_of_tag(rest) {
        Some(end) if begins => {
            let (tag, after) = rest.split_at(end);
            (Markup::Tag(tag), after)
        }
        _ => (Markup::Sign, &rest[1..]),
    }
}

/// The end of a document type, with the subset in brackets that it may have.
fn end_of_doctype(rest: &str) -> usize {
    let mut in_subset = false;
    for (at, c) in rest.char_indices() {
        match c {
            '[' => in_subset = true,
            ']' => in_subset = false,
            '>' if !in_subset => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The end of a tag; a `>` inside quotes is none, a `<` stands in no tag (XML 1.0 3.1).
fn end_of_tag(rest: &str) -> Option<usize> {
    let mut quote = None;
    for (at, b) in rest.bytes().enumerate().skip(1) {
        match (quote, b) {
            (None, b'>') => return Some(at + 1),
            (_, b'<') => return None,
            (None, b'"' | b'\'') => quote = Some(b),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
    }
    None
}

#[derive(Default)]
struct Mender {
    xml: String,
    entities: HashMap<String, Option<String>>,
    forbidden: usize,
    escaped: usize,
    seen_root: bool,
}

impl Mender {
    fn tag(&mut self, tag: &str) {
        let is_root = !std::mem::replace(&mut self.seen_root, true);
        let mut tag = tag.to_owned();
        if tag.contains("xmlns") {
            for (published, read) in NAMESPACES {
                for quote in ['"', '\''] {
                    tag = tag.replace(
                        &format!("{quote}{published}{quote}"),
                        &format!("{quote}{read}{quote}"),
                    );
                }
            }
        }
        if is_root && tag.starts_with("<rss") {
            // RSS is upward compatible from 0.91 on; the reader of feeds knows three versions.
            tag = with_version(&tag);
        }
        self.text(&tag);
    }

    /// A piece of text or a tag: everything in which an `&` means something.
    fn text(&mut self, text: &str) {
        let mut pieces = text.split('&');
        self.characters(pieces.next().unwrap_or_default());
        for piece in pieces {
            let end = piece.bytes().take(ENTITY_OCTETS_MAX).position(|b| b == b';');
            let Some((name, after)) = end.map(|end| (&piece[..end], &piece[end + 1..])) else {
                self.escaped += 1;
                self.xml.push_str("&amp;");
                self.characters(piece);
                continue;
            };
            match self.entity(name) {
                Some(characters) => self.xml.push_str(&characters),
                None => {
                    self.escaped += 1;
                    self.xml.extend(["&amp;", name, ";"]);
                }
            }
            self.characters(after);
        }
    }

    /// What stands for `&name;` in XML: itself where XML knows it, its characters where only HTML
    /// does (which reads 128 to 159 as windows-1252, as their writers meant them).
    fn entity(&mut self, name: &str) -> Option<String> {
        if matches!(name, "amp" | "lt" | "gt" | "quot" | "apos") {
            return Some(format!("&{name};"));
        }
        let is_name = name
            .bytes()
            .enumerate()
            .all(|(at, b)| b.is_ascii_alphanumeric() || (at == 0 && b == b'#'));
        if !is_name || name.is_empty() {
            return None;
        }
        if let Some(known) = self.entities.get(name) {
            return known.clone();
        }
        let reference = format!("&{name};");
        let html = Html::parse_fragment(&reference);
        let read: String = html.root_element().text().collect();
        let known = (read != reference && !read.is_empty()).then(|| {
            let mut escaped = String::new();
            for c in read.chars().filter(|c| is_xml(*c)) {
                super::html::escape(c.encode_utf8(&mut [0; 4]), &mut escaped);
            }
            escaped
        });
        self.entities.insert(name.to_owned(), known.clone());
        known
    }

    fn characters(&mut self, text: &str) {
        let before = self.xml.len();
        self.xml.extend(text.chars().filter(|c| is_xml(*c)));
        self.forbidden += text.len() - (self.xml.len() - before);
    }

    fn done(self) -> Repaired {
        let mut warnings = Vec::new();
        if self.forbidden > 0 {
            warnings.push(format!("{} octets that XML forbids were left out", self.forbidden));
        }
        if self.escaped > 0 {
            warnings.push(format!("{} signs & that begin no entity were mended", self.escaped));
        }
        Repaired { xml: self.xml, warnings }
    }
}

/// The characters of a document (XML 1.0 2.2).
fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn with_version(tag: &str) -> String {
    let known = ["0.91", "0.92", "2.0"].iter().any(|version| {
        tag.contains(&format!("version=\"{version}\""))
            || tag.contains(&format!("version='{version}'"))
    });
    if known {
        return tag.to_owned();
    }
    let renamed = tag.replacen(" version=", " was-version=", 1);
    renamed.replacen("<rss", "<rss version=\"2.0\"", 1)
}

/// Mends a JSON Feed: what the format lets a reader tolerate (ids that are numbers, a title that
/// is missing), and the version's address in its secure form.
pub(super) fn repair_json(text: &str) -> Result<String, serde_json::Error> {
    let mut feed: serde_json::Value = serde_json::from_str(text)?;
    if let Some(feed) = feed.as_object_mut() {
        let version = feed.get("version").and_then(|v| v.as_str()).unwrap_or_default();
        let version = version.replacen("http://", "https://", 1);
        feed.insert("version".to_owned(), version.into());
        feed.entry("title").or_insert_with(|| "".into());
        let items = feed.get_mut("items").and_then(|items| items.as_array_mut());
        for item in items.into_iter().flatten() {
            if let Some(id) = item.get_mut("id").filter(|id| id.is_number()) {
                *id = id.to_string().into();
            }
        }
    }
    Ok(feed.to_string())
}
