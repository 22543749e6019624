//! What is mended in a feed's text before the reader of feeds sees it, and nothing else: that
//! reader stops at the first thing that is not XML, and knows the formats as they were meant.

use std::collections::HashMap;

use scraper::Html;
use url::Url;

use super::html::escape;
use super::markup::{
    Markup, attribute, end_of_item, ends_outside, has_tags, is_xml, last_word, name, split_markup,
    unpacked, without,
};
use super::vocabulary::{self, Construct, Format, Parts};

/// How deep elements of a feed may stand in each other.
pub const XML_DEPTH_MAX: usize = 256;

/// The longest name of an entity (`&CounterClockwiseContourIntegral;` is HTML's longest).
const ENTITY_OCTETS_MAX: usize = 33;

/// What an element is called that the source does not have.
const PUT_IN: &str = "";

/// How many octets are looked at ahead for each of a feed's own; a whole feed asks for two.
const AHEAD_FACTOR_MAX: usize = 8;

/// The longest address from which links count, in octets: it stands before each text.
const BASE_OCTETS_MAX: usize = 2_048;

/// How many broken places are told one by one.
const BROKEN_MAX: usize = 5;

/// A mended feed.
pub(super) struct Repaired {
    pub xml: String,
    pub warnings: Vec<String>,
}

/// Elements nested deeper than [`XML_DEPTH_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooDeep;

/// Mends the text of an XML feed.
///
/// The declaration goes, as the text is decoded already, and so does the document type with its
/// entities. HTML's entities become their characters, an `&` that begins none is escaped,
/// characters that XML forbids go. Elements that are not closed, or closed twice, are set right.
/// Names and namespaces become those under which the format is read; markup inside of a text
/// becomes the text's own. Addresses of `xml:base` count from `base`.
pub(super) fn repair(text: &str, base: &Url) -> Result<Repaired, TooDeep> {
    let mut mender = Mender::new(text, base);
    let mut rest = text;
    while !rest.is_empty() {
        let Some(at) = rest.find('<') else {
            mender.here = text.len() - rest.len();
            mender.between(rest);
            break;
        };
        mender.here = text.len() - rest.len();
        mender.between(&rest[..at]);
        mender.here += at;
        let (markup, mut after) = split_markup(&rest[at..]);
        match markup {
            Markup::Dropped => {}
            Markup::Kept(section) if mender.is_inside() => mender.section(section),
            Markup::Sign if mender.is_inside() => mender.xml.push_str("&lt;"),
            Markup::Kept(_) | Markup::Sign => {}
            // What follows the outermost element is not the feed's.
            Markup::Tag(_) if mender.ended => break,
            Markup::Tag(tag) if tag.starts_with("</") => mender.close(tag),
            Markup::Tag(tag) => after = mender.open(tag, after)?,
        }
        rest = after;
    }
    Ok(mender.done())
}

struct Mender<'a> {
    source: &'a str,
    xml: String,
    format: Option<Format>,
    /// The elements that are open: as they are called in the source, and as they are written.
    open: Vec<(&'a str, &'a str)>,
    /// The address of the feed, and those that elements which are open say to be theirs, with the
    /// number of elements around them.
    base: &'a Url,
    bases: Vec<(usize, Url)>,
    entities: HashMap<String, Option<String>>,
    unclosed: Vec<&'a str>,
    /// How many octets may still be looked at ahead.
    ahead: usize,
    /// What the item that is open has.
    parts: Option<Parts>,
    /// Whether the outermost element has ended.
    ended: bool,
    /// Where in the source it is, in octets.
    here: usize,
    /// How many octets were left out, and where the first stood.
    forbidden: (usize, usize),
    /// How many signs were escaped, and where the first stood.
    escaped: (usize, usize),
    broken: Vec<String>,
}

impl<'a> Mender<'a> {
    fn new(source: &'a str, base: &'a Url) -> Self {
        Self {
            source,
            xml: String::with_capacity(source.len()),
            format: None,
            open: Vec::new(),
            base,
            bases: Vec::new(),
            entities: HashMap::new(),
            unclosed: Vec::new(),
            ahead: source.len().saturating_mul(AHEAD_FACTOR_MAX),
            parts: None,
            ended: false,
            here: 0,
            forbidden: (0, 0),
            escaped: (0, 0),
            broken: Vec::new(),
        }
    }

    /// Whether the outermost element is open.
    fn is_inside(&self) -> bool {
        !self.open.is_empty()
    }

    /// What stands between two tags; outside of the outermost element it is not the feed's.
    fn between(&mut self, text: &str) {
        if self.is_inside() {
            self.text(text);
        }
    }

    /// Puts in the elements around one that its writer left out: RSS of some begins with the
    /// channel, or has items beside it.
    fn enclose(&mut self, called: &str) {
        // Some give RSS a namespace, and it a prefix.
        let local = called.rsplit(':').next().unwrap_or(called);
        let is = |name: &str| local.eq_ignore_ascii_case(name);
        if !self.is_inside() && (is("channel") || is("item")) {
            self.xml.push_str("<rss version=\"2.0\">");
            self.open.push((PUT_IN, "rss"));
        }
        let last = self.open.last().map(|(_, written)| *written);
        if last == Some("rss") && !is("channel") {
            self.xml.push_str("<channel>");
            self.open.push((PUT_IN, "channel"));
        }
    }

    /// Writes the beginning of an element, and all of it where it is a text. Gives what follows.
    fn open(&mut self, tag: &'a str, after: &'a str) -> Result<&'a str, TooDeep> {
        let called = name(tag);
        let format = match self.format {
            Some(format) => format,
            None => *self.format.insert(Format::of_root(called)),
        };
        let closes = tag.ends_with("/>");
        let mut written = vocabulary::renamed(format, called);
        if format == Format::Rss {
            self.enclose(called);
            if written == "channel" && self.is_in_channel() {
                return Ok(after);
            }
            if written == "item" && !closes {
                self.parts = self.item(after).map(Parts::of);
            }
            let instead = self.parts.filter(|_| self.is_in_item());
            let instead = instead.and_then(|parts| vocabulary::renamed_in_item(parts, called));
            written = instead.unwrap_or(written);
        }
        if let Some(construct) = vocabulary::construct(format, called).filter(|_| !closes)
            && let Some((inner, after)) = self.inside(called, after)
        {
            self.construct(construct, tag, written, inner);
            return Ok(after);
        }
        if !self.is_inside() && format == Format::Rss {
            self.tag(&vocabulary::with_version(tag), called, written);
        } else if !self.is_inside() && format == Format::Atom {
            self.tag(&vocabulary::with_namespace(tag), called, written);
        } else {
            self.tag(tag, called, written);
        }
        if !closes {
            if let Some(base) = self.own_base(tag) {
                self.bases.push((self.open.len(), base));
            }
            self.open.push((called, written));
            if self.open.len() > XML_DEPTH_MAX {
                return Err(TooDeep);
            }
        }
        if format == Format::Rdf && called.rsplit(':').next() == Some("item") && !closes {
            let about = attribute(tag, "rdf:about").unwrap_or_default();
            self.xml.extend(["<link>", vocabulary::RDF_ABOUT]);
            self.text(about);
            self.xml.push_str("</link>");
        }
        // The channel definition format, from before RSS, has these in attributes.
        let has_attributes = matches!(written, "item" | "channel") && format == Format::Rss;
        for (name, element) in [("HREF", "link"), ("LASTMOD", "pubDate")] {
            if let Some(value) = attribute(tag, name).filter(|_| has_attributes && !closes) {
                self.xml.extend(["<", element, ">"]);
                self.text(value);
                self.xml.extend(["</", element, ">"]);
            }
        }
        self.ended = !self.is_inside();
        Ok(after)
    }

    fn is_in_item(&self) -> bool {
        self.open.last().is_some_and(|(_, written)| *written == "item")
    }

    /// Whether the channel that was left out, or ended before its items, is open.
    fn is_in_channel(&self) -> bool {
        self.open.last() == Some(&(PUT_IN, "channel"))
    }

    /// Ends an element; what stands open inside of it ends first, what was never open not at all.
    fn close(&mut self, tag: &str) {
        let called = name(tag);
        let Some(at) = self.open.iter().rposition(|(open, _)| *open == called) else {
            // The end of a channel that was kept open for items beside it.
            let again = called.eq_ignore_ascii_case("channel") && self.is_in_channel();
            if !again && !called.is_empty() {
                self.tell(&format!("</{called}> ends nothing"));
            }
            return;
        };
        if self.open[at + 1..].iter().any(|(open, _)| *open != PUT_IN) {
            self.tell(&format!("</{called}> ends more than its own element"));
        }
        let keeps = self.open[at].1 == "channel" && at == 1 && self.open[0].1 == "rss";
        self.bases.retain(|(around, _)| *around < at + usize::from(keeps));
        for (_, written) in self.open.drain(at + usize::from(keeps)..).rev() {
            self.xml.extend(["</", last_word(written), ">"]);
        }
        if keeps {
            self.open[at].0 = PUT_IN;
        }
        // Only elements that were put in are left: the feed's own has ended.
        self.ended = self.open.iter().all(|(open, _)| *open == PUT_IN) && at == 0;
    }

    /// The address that an element says to be its own (XML Base 3).
    fn own_base(&self, tag: &str) -> Option<Url> {
        let written = attribute(tag, "xml:base")?;
        let around = self.bases.last().map_or(self.base, |(_, base)| base);
        let written = Some(written).filter(|written| written.len() <= BASE_OCTETS_MAX)?;
        let base = around.join(&written.replace("&amp;", "&")).ok()?;
        Some(base).filter(|base| !base.cannot_be_a_base() && base.as_str().len() <= BASE_OCTETS_MAX)
    }

    /// Counts octets that are looked at ahead; whether there may be so many.
    fn may_look_at(&mut self, octets: usize) -> bool {
        self.ahead = self.ahead.saturating_sub(octets);
        self.ahead > 0
    }

    /// What an item has before it ends, or before another begins inside of it.
    fn item(&mut self, after: &'a str) -> Option<&'a str> {
        if self.ahead == 0 {
            return None;
        }
        let end = end_of_item(after);
        if !self.may_look_at(end.unwrap_or(after.len())) {
            return None;
        }
        end.map(|end| &after[..end]).filter(|inner| ends_outside(inner))
    }

    /// The content of an element up to its end tag, and what follows that.
    fn inside(&mut self, called: &'a str, after: &'a str) -> Option<(&'a str, &'a str)> {
        // What is not closed from here on is not closed from any later place on either.
        if self.ahead == 0 || self.unclosed.contains(&called) {
            return None;
        }
        let end = format!("</{called}");
        let found = after.match_indices(end.as_str()).find_map(|(at, _)| {
            let rest = after[at + end.len()..].trim_start().strip_prefix('>')?;
            Some((&after[..at], rest))
        });
        if !self.may_look_at(found.map_or(after.len(), |(inner, _)| inner.len())) {
            return None;
        }
        if found.is_none() {
            self.unclosed.push(called);
        }
        // An end tag inside of a section is none.
        found.filter(|(inner, _)| ends_outside(inner))
    }

    /// Writes a text with what it is (RFC 4287 3.1): markup in it becomes a text of type HTML.
    fn construct(&mut self, construct: Construct, tag: &str, written: &'a str, inner: &str) {
        let called = name(tag);
        let (mode, kind) = (attribute(tag, "mode"), attribute(tag, "type").unwrap_or("text"));
        let plain = without(&without(tag, "mode"), "type");
        let is_marked = |kind: &str| kind.contains("html") || kind.contains("xml");
        let packed = construct == Construct::Typed
            && (mode == Some("base64") || !(kind.starts_with("text") || is_marked(kind)));
        let raw = match packed.then(|| unpacked(inner)).flatten() {
            Some(text) => Some(text),
            None => has_tags(inner).then(|| self.markup_of(inner)),
        };
        let is_html = raw.is_some() || is_marked(kind) || mode == Some("escaped");
        let tag = match construct {
            Construct::Typed => {
                let end = plain.len() - 1;
                let kind = if is_html { "html" } else { "text" };
                format!("{} type=\"{kind}\">", &plain[..end])
            }
            Construct::Untyped => plain,
        };
        let own = self.own_base(&tag).or_else(|| self.bases.last().map(|(_, base)| base.clone()));
        self.tag(&tag, called, written);
        let is_whole = !called.ends_with("title") && (is_html || construct == Construct::Untyped);
        if let Some(own) = own.filter(|_| is_whole) {
            let mut mark = String::new();
            escape(&format!("{}{own}-->", vocabulary::BASE_MARK), &mut mark);
            self.characters(&mark);
        }
        match raw {
            Some(html) => {
                let mut escaped = String::new();
                escape(&html, &mut escaped);
                self.characters(&escaped);
            }
            None => self.pieces(inner),
        }
        self.xml.extend(["</", last_word(written), ">"]);
    }

    /// The HTML that stands in a text as markup of the feed itself.
    fn markup_of(&mut self, inner: &str) -> String {
        let before = std::mem::take(&mut self.xml);
        let mut rest = inner;
        while let Some(at) = rest.find('<') {
            self.text(&rest[..at]);
            let (markup, after) = split_markup(&rest[at..]);
            match markup {
                Markup::Dropped => {}
                Markup::Kept(section) => {
                    self.xml
                        .push_str(section.trim_start_matches("<![CDATA[").trim_end_matches("]]>"));
                }
                Markup::Sign => self.xml.push_str("&lt;"),
                Markup::Tag(tag) => {
                    // `<xhtml:p>` is HTML's `<p>`.
                    let called = name(tag);
                    let local = called.rsplit(':').next().unwrap_or(called);
                    self.text(&tag.replacen(called, local, 1));
                }
            }
            rest = after;
        }
        self.text(rest);
        std::mem::replace(&mut self.xml, before)
    }

    /// Writes a text without tags.
    fn pieces(&mut self, inner: &str) {
        let mut rest = inner;
        while let Some(at) = rest.find('<') {
            self.text(&rest[..at]);
            let (markup, after) = split_markup(&rest[at..]);
            match markup {
                Markup::Kept(section) => self.section(section),
                Markup::Sign => self.xml.push_str("&lt;"),
                Markup::Dropped | Markup::Tag(_) => {}
            }
            rest = after;
        }
        self.text(rest);
    }

    fn section(&mut self, section: &str) {
        self.characters(section);
        if !section.ends_with("]]>") {
            self.xml.push_str("]]>");
        }
    }

    fn tag(&mut self, tag: &str, called: &str, written: &str) {
        // A renaming may bring its own namespace, and no tag has an attribute twice.
        let tag =
            if written == last_word(written) { tag.to_owned() } else { without(tag, "xmlns") };
        let tag = vocabulary::with_known_namespaces(&tag);
        self.text(&tag.replacen(called, written, 1));
    }

    /// A piece of text or a tag: everything in which an `&` means something.
    fn text(&mut self, text: &str) {
        let mut pieces = text.split('&');
        self.characters(pieces.next().unwrap_or_default());
        for piece in pieces {
            let end = piece.bytes().take(ENTITY_OCTETS_MAX).position(|b| b == b';');
            let Some((name, after)) = end.map(|end| (&piece[..end], &piece[end + 1..])) else {
                self.escape_sign();
                self.characters(piece);
                continue;
            };
            match self.entity(name) {
                Some(characters) => self.xml.push_str(&characters),
                None => {
                    self.escape_sign();
                    self.characters(&piece[..=name.len()]);
                }
            }
            self.characters(after);
        }
    }

    fn escape_sign(&mut self) {
        if self.escaped.0 == 0 {
            self.escaped.1 = self.here;
        }
        self.escaped.0 += 1;
        self.xml.push_str("&amp;");
    }

    /// What stands for `&name;` in XML: itself where XML knows it, its characters where only HTML
    /// does (which reads 128 to 159 as windows-1252, as their writers meant them).
    fn entity(&mut self, name: &str) -> Option<String> {
        if matches!(name, "amp" | "lt" | "gt" | "quot" | "apos") {
            return Some(format!("&{name};"));
        }
        let letter = |(at, b): (usize, u8)| b.is_ascii_alphanumeric() || (at == 0 && b == b'#');
        if name.is_empty() || !name.bytes().enumerate().all(letter) {
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
            let allowed: String = read.chars().filter(|c| is_xml(*c)).collect();
            escape(&allowed, &mut escaped);
            escaped
        });
        self.entities.insert(name.to_owned(), known.clone());
        known
    }

    fn characters(&mut self, text: &str) {
        let before = self.xml.len();
        self.xml.extend(text.chars().filter(|c| is_xml(*c)));
        let left_out = text.len() - (self.xml.len() - before);
        if left_out > 0 && self.forbidden.0 == 0 {
            self.forbidden.1 = self.here;
        }
        self.forbidden.0 += left_out;
    }

    /// The line of the element or text in which a place is.
    fn line(&self, here: usize) -> usize {
        let octets = self.source.as_bytes();
        octets[..here.min(octets.len())].iter().filter(|b| **b == b'\n').count() + 1
    }

    fn tell(&mut self, cause: &str) {
        if self.broken.len() < BROKEN_MAX {
            let line = self.line(self.here);
            self.broken.push(format!("line {line}: {cause}; mended"));
        }
    }

    fn done(mut self) -> Repaired {
        let open = self.open.iter().map(|(called, _)| *called);
        let names: Vec<&str> = open.filter(|called| *called != PUT_IN).collect();
        if !names.is_empty() {
            let cause = format!("the feed ends inside of {}", names.join(", "));
            self.here = self.source.len();
            self.tell(&cause);
        }
        while let Some((_, written)) = self.open.pop() {
            self.xml.extend(["</", last_word(written), ">"]);
        }
        let mut warnings = std::mem::take(&mut self.broken);
        if let (count @ 1.., first) = self.forbidden {
            let line = self.line(first);
            warnings.push(format!("line {line}: {count} octets that XML forbids were left out"));
        }
        if let (count @ 1.., first) = self.escaped {
            let line = self.line(first);
            warnings.push(format!("line {line}: {count} signs & that begin no entity were mended"));
        }
        Repaired { xml: self.xml, warnings }
    }
}
