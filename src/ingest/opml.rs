//! Lists of sources as other readers exchange them: OPML 2.0, and 1.0 as it is found.

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use quick_xml::writer::Writer;

use super::{charset, clean};

/// The longest file that is read, in octets.
pub const OPML_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How many sources one file may have.
pub const OPML_SOURCES_MAX: usize = 5_000;
/// How deep outlines may be nested.
pub const OPML_DEPTH_MAX: usize = 32;
/// The longest value of an attribute, in characters; longer titles are cut, addresses refused.
pub const OPML_CHARS_MAX: usize = 2_000;

/// What the attributes that only this program reads are named after (OPML 2.0, "Extending OPML").
const NAMESPACE: &str = "urn:banditore:opml";

/// Why a file is no list of sources.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpmlError {
    /// It is not XML, from this line on.
    #[error("line {line}: {cause}")]
    Xml {
        /// Where.
        line: usize,
        /// What the parser said.
        cause: String,
    },
    /// Another document.
    #[error("there is no <opml> with a <body> in it")]
    NotOpml,
    /// Beyond a limit.
    #[error("line {line}: more than {limit} {what}")]
    TooMuch {
        /// Where.
        line: usize,
        /// The limit.
        limit: usize,
        /// Of what.
        what: &'static str,
    },
}

/// A source in such a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// The line of the file on which it begins, from 1.
    pub line: usize,
    /// Its title.
    pub title: String,
    /// Its address, as it is written; checked by whoever takes it.
    pub address: String,
    /// The site's page that it belongs to.
    pub site: Option<String>,
    /// The titles of the outlines around it.
    pub folder: Vec<String>,
    /// The id that this program gave it.
    pub id: Option<String>,
    /// How this program reads it.
    pub kind: Option<String>,
    /// How often this program polls it, in seconds.
    pub every_seconds: Option<String>,
}

/// Reads the sources of a file, in their order.
///
/// # Errors
/// [`OpmlError`], with the line.
pub fn read_opml(body: &[u8]) -> Result<Vec<Outline>, OpmlError> {
    let too_much = |line, limit, what| Err(OpmlError::TooMuch { line, limit, what });
    if body.len() > OPML_BYTES_MAX {
        return too_much(1, OPML_BYTES_MAX, "octets");
    }
    let text = charset::decode(body, None).text;
    let mut reader = Reader::from_str(&text);
    let mut lines = Lines::new(&text);
    let (mut sources, mut folders) = (Vec::new(), Vec::<String>::new());
    let (mut is_opml, mut in_body) = (false, false);
    loop {
        let line = lines.at(reader.buffer_position());
        let event = reader.read_event().map_err(|error| {
            let line = Lines::new(&text).at(reader.error_position());
            OpmlError::Xml { line, cause: clean::line(&error.to_string(), OPML_CHARS_MAX) }
        })?;
        let (tag, is_empty) = match event {
            Event::Start(tag) => (tag, false),
            Event::Empty(tag) => (tag, true),
            Event::End(tag) if tag.name().as_ref() == "outline" => {
                folders.pop();
                continue;
            }
            Event::Eof if is_opml && in_body => return Ok(sources),
            Event::Eof => return Err(OpmlError::NotOpml),
            _ => continue,
        };
        match tag.name().as_ref() {
            "opml" => is_opml = true,
            "body" if is_opml => in_body = true,
            "outline" if in_body => {
                let outline = outline(&tag, line, &folders)?;
                if !is_empty {
                    folders.push(outline.title.clone());
                }
                if folders.len() > OPML_DEPTH_MAX {
                    return too_much(line, OPML_DEPTH_MAX, "outlines in one another");
                }
                if !outline.address.is_empty() {
                    sources.push(outline);
                }
                if sources.len() > OPML_SOURCES_MAX {
                    return too_much(line, OPML_SOURCES_MAX, "sources");
                }
            }
            _ => {}
        }
    }
}

fn outline(tag: &BytesStart<'_>, line: usize, folders: &[String]) -> Result<Outline, OpmlError> {
    let mut outline = Outline { line, folder: folders.to_vec(), ..Outline::default() };
    let (mut text, mut link) = (String::new(), String::new());
    for attribute in tag.attributes() {
        let broken =
            |cause: String| OpmlError::Xml { line, cause: clean::line(&cause, OPML_CHARS_MAX) };
        let attribute = attribute.map_err(|error| broken(error.to_string()))?;
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|error| broken(error.to_string()))?;
        let short = || clean::line(&value, OPML_CHARS_MAX);
        // Writers differ in how they spell these.
        match attribute.key.as_ref().to_ascii_lowercase().as_str() {
            "title" => outline.title = short(),
            "text" => text = short(),
            // What is too long is no address, and is refused as one.
            "xmlurl" => outline.address = value.trim().chars().take(OPML_CHARS_MAX).collect(),
            "url" => link = value.trim().chars().take(OPML_CHARS_MAX).collect(),
            "htmlurl" => outline.site = Some(short()).filter(|site| !site.is_empty()),
            "banditore:id" => outline.id = Some(short()),
            "banditore:kind" => outline.kind = Some(short()),
            "banditore:every" => outline.every_seconds = Some(short()),
            _ => {}
        }
    }
    if outline.title.is_empty() {
        outline.title = text;
    }
    // Other links are somebody's bookmarks.
    if outline.address.is_empty() && outline.kind.as_deref() == Some("page") {
        outline.address = link;
    }
    Ok(outline)
}

/// Counts lines up to places that come in order.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1 }
    }

    /// The line of the first thing that is no white space from a place on.
    fn at(&mut self, place: u64) -> usize {
        let octets = self.text.as_bytes();
        let mut place = usize::try_from(place).unwrap_or(usize::MAX).min(octets.len());
        while octets.get(place).is_some_and(u8::is_ascii_whitespace) {
            place += 1;
        }
        let passed = octets.get(self.at..place).unwrap_or_default();
        self.line += passed.iter().filter(|octet| **octet == b'\n').count();
        self.at = self.at.max(place);
        self.line
    }
}

/// Writes sources as OPML 2.0.
///
/// # Errors
/// None that can happen: it is written to memory.
pub fn write_opml(title: &str, sources: &[Outline]) -> std::io::Result<Vec<u8>> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let mut opml = BytesStart::new("opml");
    opml.push_attribute(("version", "2.0"));
    opml.push_attribute(("xmlns:banditore", NAMESPACE));
    writer.write_event(Event::Start(opml))?;
    writer.write_event(Event::Start(BytesStart::new("head")))?;
    writer.write_event(Event::Start(BytesStart::new("title")))?;
    writer.write_event(Event::Text(BytesText::new(title)))?;
    writer.write_event(Event::End(BytesEnd::new("title")))?;
    writer.write_event(Event::End(BytesEnd::new("head")))?;
    writer.write_event(Event::Start(BytesStart::new("body")))?;
    for source in sources {
        let is_page = source.kind.as_deref() == Some("page");
        let mut outline = BytesStart::new("outline");
        outline.push_attribute(("text", source.title.as_str()));
        outline.push_attribute(("title", source.title.as_str()));
        // Another reader can do nothing with a page that is said to be a feed.
        outline.push_attribute(("type", if is_page { "link" } else { "rss" }));
        let key = if is_page { "url" } else { "xmlUrl" };
        outline.push_attribute((key, source.address.as_str()));
        for (key, value) in [
            ("htmlUrl", &source.site),
            ("banditore:id", &source.id),
            ("banditore:kind", &source.kind),
            ("banditore:every", &source.every_seconds),
        ] {
            if let Some(value) = value {
                outline.push_attribute((key, value.as_str()));
            }
        }
        writer.write_event(Event::Empty(outline))?;
    }
    writer.write_event(Event::End(BytesEnd::new("body")))?;
    writer.write_event(Event::End(BytesEnd::new("opml")))?;
    let mut octets = writer.into_inner();
    octets.push(b'\n');
    Ok(octets)
}
