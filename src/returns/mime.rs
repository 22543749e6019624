//! What a mail consists of, within limits.
//!
//! mail-parser's tree of messages within messages is not used: a mail of 100,000 nested messages,
//! three megabytes, overflows the stack when that tree is dropped, and the process ends. Here
//! parts are slices on a list, and a returned mail is not looked into: whose report it is, is said
//! around it, and what it says itself anybody may have written.

use std::borrow::Cow;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::html::html_to_text;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;

use super::fields::Fields;
use super::limits::{
    HEAD_OCTETS_MAX, LINE_CHARS_MAX, LINES_MAX, MAIL_OCTETS_MAX, NESTING_MAX, PARTS_MAX,
    TEXT_OCTETS_MAX,
};

/// A part that is not made of parts.
#[derive(Debug)]
pub(super) struct Part {
    /// Its media type, in small letters: `text/plain`.
    pub(super) kind: String,
    /// Its name, in small letters; empty where it has none.
    pub(super) name: String,
    /// Its text, decoded.
    pub(super) text: String,
}

impl Part {
    /// Whether it is what was sent, or its header, come back (RFC 6522 2, 3).
    pub(super) fn is_returned(&self) -> bool {
        const KINDS: [&str; 6] = [
            "message/rfc822",
            "message/global",
            "message/partial",
            "text/rfc822-headers",
            "text/rfc822-header",
            "message/global-headers",
        ];
        KINDS.contains(&self.kind.as_str())
    }

    /// Whether people read it.
    pub(super) fn is_readable(&self) -> bool {
        self.kind == "text/plain" || self.kind == "text/html"
    }

    /// Its lines, bounded, with the marks of quotation gone.
    pub(super) fn lines(&self) -> Vec<&str> {
        lines(&self.text)
    }
}

/// The lines of a text, bounded; `>` before them is taken away.
pub(super) fn lines(text: &str) -> Vec<&str> {
    text.lines().take(LINES_MAX).map(|line| bounded(unquoted(line))).collect()
}

fn unquoted(line: &str) -> &str {
    let bare = line.trim_start_matches('>');
    if bare.len() == line.len() { line } else { bare.strip_prefix(' ').unwrap_or(bare) }
}

fn bounded(line: &str) -> &str {
    line.char_indices().nth(LINE_CHARS_MAX).map_or(line, |(at, _)| &line[..at])
}

/// A mail: its header, how it is made, and its parts in their order.
#[derive(Debug)]
pub(super) struct Mail {
    pub(super) head: Fields,
    /// The media type of the whole, in small letters.
    pub(super) kind: String,
    /// What kind of report it says to be (RFC 6522 3).
    pub(super) report_type: String,
    pub(super) parts: Vec<Part>,
}

impl Mail {
    /// Reads any octets.
    pub(super) fn read(octets: &[u8]) -> Self {
        let octets = without_envelope_line(&octets[..octets.len().min(MAIL_OCTETS_MAX)]);
        let (head, _) = divided(octets);
        let kind = MediaType::of(&head, "text/plain");
        let (report_type, kind) = (kind.parameter("report-type"), kind.name);
        Self { head, kind, report_type, parts: parts(octets) }
    }

    /// The first part of a kind.
    pub(super) fn part(&self, kinds: &[&str]) -> Option<&Part> {
        self.parts.iter().find(|part| kinds.contains(&part.kind.as_str()))
    }
}

/// Without the line that mailboxes of the form mbox put before a mail (RFC 4155).
fn without_envelope_line(octets: &[u8]) -> &[u8] {
    let start = octets.iter().position(|octet| !octet.is_ascii_whitespace()).unwrap_or(0);
    let octets = &octets[start..];
    if !octets.starts_with(b"From ") {
        return octets;
    }
    octets.iter().position(|octet| *octet == b'\n').map_or(&[], |end| &octets[end + 1..])
}

/// A header and the octets behind it.
fn divided(octets: &[u8]) -> (Fields, &[u8]) {
    let mut at = 0;
    let mut end = octets.len();
    while at < octets.len() {
        let line = octets[at..].iter().position(|octet| *octet == b'\n');
        let next = line.map_or(octets.len(), |length| at + length + 1);
        if octets[at..next].iter().all(|octet| matches!(octet, b'\r' | b'\n')) {
            end = next;
            break;
        }
        at = next;
    }
    let head = &octets[..at.min(HEAD_OCTETS_MAX)];
    (Fields::read(&String::from_utf8_lossy(head)), &octets[end..])
}

/// A media type with its parameters (RFC 2045 5.1).
struct MediaType {
    name: String,
    parameters: String,
}

impl MediaType {
    fn of(head: &Fields, usual: &str) -> Self {
        let value = head.get("content-type").unwrap_or(usual);
        let (name, parameters) = value.split_once(';').unwrap_or((value, ""));
        let name = name.trim().to_ascii_lowercase();
        let name = if name.contains('/') { name } else { usual.to_owned() };
        Self { name, parameters: parameters.to_owned() }
    }

    /// A parameter without its quotes; empty where there is none.
    fn parameter(&self, wanted: &str) -> String {
        let mut rest = self.parameters.as_str();
        while let Some((name, after)) = rest.split_once('=') {
            let after = after.trim_start();
            let (value, next) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
                None => after.split_once(';').unwrap_or((after, "")),
            };
            if name.trim_matches([';', ' ', '\t']).eq_ignore_ascii_case(wanted) {
                return value.trim().to_owned();
            }
            rest = next;
        }
        String::new()
    }
}

/// The parts of a mail, depth first, without recursion.
fn parts(octets: &[u8]) -> Vec<Part> {
    let mut found = Vec::new();
    let mut waiting = vec![(octets, 0, "text/plain")];
    let mut seen = 0;
    while let Some((octets, depth, usual)) = waiting.pop() {
        seen += 1;
        if seen > PARTS_MAX {
            break;
        }
        let (head, body) = divided(octets);
        let mut kind = MediaType::of(&head, usual);
        let boundary = kind.parameter("boundary");
        if kind.name.starts_with("multipart/") && !boundary.is_empty() && depth < NESTING_MAX {
            let within = divided_at(body, boundary.as_bytes());
            if !within.is_empty() {
                // RFC 2046 5.1.5: what a digest has are messages.
                let usual = match kind.name.as_str() {
                    "multipart/digest" => "message/rfc822",
                    _ => "text/plain",
                };
                waiting.extend(within.into_iter().rev().map(|part| (part, depth + 1, usual)));
                continue;
            }
        }
        // One whose boundaries were lost on its way is what people see of it.
        if kind.name.starts_with("multipart/") && depth < NESTING_MAX {
            kind.name = "text/plain".to_owned();
        }
        found.push(read_part(&head, kind, body));
    }
    found
}

/// What stands between the boundaries of a multipart (RFC 2046 5.1.1).
fn divided_at<'b>(body: &'b [u8], boundary: &[u8]) -> Vec<&'b [u8]> {
    let mut parts = Vec::new();
    let mut begun = None;
    let mut at = 0;
    while at < body.len() && parts.len() < PARTS_MAX {
        let length = body[at..].iter().position(|octet| *octet == b'\n');
        let next = length.map_or(body.len(), |length| at + length + 1);
        let after = body[at..next].strip_prefix(b"--").and_then(|line| line.strip_prefix(boundary));
        if let Some(after) = after {
            let after = after.trim_ascii();
            if after.is_empty() || after == b"--" {
                parts.extend(begun.map(|begun| &body[begun..at]));
                begun = after.is_empty().then_some(next);
                if begun.is_none() {
                    return parts;
                }
            }
        }
        at = next;
    }
    if parts.len() < PARTS_MAX {
        parts.extend(begun.filter(|begun| *begun < body.len()).map(|begun| &body[begun..]));
    }
    parts
}

fn read_part(head: &Fields, kind: MediaType, body: &[u8]) -> Part {
    let body = &body[..body.len().min(2 * TEXT_OCTETS_MAX)];
    let encoding = head.small("content-transfer-encoding");
    let octets: Cow<'_, [u8]> = match encoding.trim() {
        "base64" => base64_decode(body).map_or(Cow::Borrowed(body), Cow::Owned),
        "quoted-printable" => quoted_printable_decode(body).map_or(Cow::Borrowed(body), Cow::Owned),
        _ => Cow::Borrowed(body),
    };
    let octets = &octets[..octets.len().min(TEXT_OCTETS_MAX)];
    let text = decoded(octets, &kind.parameter("charset"));
    let text = if kind.name == "text/html" { html_to_text(&text) } else { text };
    let disposition = head.small("content-disposition");
    let disposition = MediaType { name: String::new(), parameters: disposition };
    let named = [kind.parameter("name"), disposition.parameter("filename")];
    let name = named.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    Part { kind: kind.name, name: name.to_lowercase(), text }
}

fn decoded(octets: &[u8], charset: &str) -> String {
    let encoding = encoding_rs::Encoding::for_label(charset.as_bytes());
    // ISO-2022-JP escapes stand in texts that do not name it; without any, UTF-8 reads ASCII.
    let encoding = match encoding {
        None if octets.windows(2).any(|pair| pair == b"\x1b$") => encoding_rs::ISO_2022_JP,
        encoding => encoding.unwrap_or(encoding_rs::UTF_8),
    };
    encoding.decode(octets).0.into_owned()
}
