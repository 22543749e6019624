//! Messages as they go over the wire (RFC 5322, RFC 2045), put together from stored bytes.
//!
//! Three steps, from the seldom to the frequent: [`headers`] and [`body`] once a variant,
//! [`assemble`] once a message. All bytes are a function of the arguments alone.

use std::fmt::Write as _;

use chrono::{DateTime, FixedOffset};
use data_encoding::HEXLOWER;
use email_encoding::headers::{quoted_string, rfc2047, writer::EmailWriter};
use sha2::{Digest, Sha256};
use url::Url;

use super::Fragment;
use super::plain::clean;
use super::quoted::{Hole, encode_value, fill};
use crate::model::Language;

/// The longest line of a message, in octets, without its CRLF (RFC 5322 2.1.1).
pub const LINE_OCTETS_MAX: usize = 998;
/// The longest subject or display name, in characters.
pub const HEADER_CHARS_MAX: usize = 300;
/// The longest address, in octets: RFC 5321 4.5.3.1 gives 64 + 1 + 255.
pub const ADDRESS_OCTETS_MAX: usize = 320;
/// The longest URI in a header field, in octets, the recipient's token not counted.
pub const HEADER_URI_OCTETS_MAX: usize = 500;
/// The longest unsubscribe token, in octets; what is beyond is left out.
pub const TOKEN_OCTETS_MAX: usize = 128;

/// Octets of the hash in a boundary: enough that no two variants share one.
const BOUNDARY_HASH_OCTETS: usize = 12;

/// What separates the parts of a message (RFC 2046 5.1.1). It begins with `=_`, which encoded text
/// never contains (RFC 2045 6.7), so no part can close itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary(String);

impl Boundary {
    /// The boundary that belongs to these ids, the same each time.
    pub fn of(ids: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for id in ids {
            hash.update(id.len().to_be_bytes());
            hash.update(id);
        }
        Self(format!("=_{}", HEXLOWER.encode(&hash.finalize()[..BOUNDARY_HASH_OCTETS])))
    }

    /// The boundary as it stands in the header field, without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the header of a variant says.
#[derive(Clone, Copy, Debug)]
pub struct HeaderView<'a> {
    /// The name of the sender.
    pub from_name: &'a str,
    /// The address of the sender, its domain in A-labels.
    pub from_address: &'a str,
    /// See [`super::Templates::subject`].
    pub subject: &'a str,
    /// The language of the mail.
    pub language: Language,
    /// The list's name.
    pub list_name: &'a str,
    /// The list's identifier, a label and a domain: `notizie.comune.example` (RFC 2919 3).
    pub list_id: &'a str,
    /// The address that, with `/` and the recipient's token behind it, ends the subscription;
    /// http or https.
    pub unsubscribe_base: &'a str,
    /// Where help is: http, https or mailto (RFC 2369 3.1).
    pub help: Option<&'a str>,
    /// Where past editions are: http, https or mailto (RFC 2369 3.6).
    pub archive: Option<&'a str>,
    /// What receivers add up complaints by, such as `12:daily:residents:comuneexampleit`: three
    /// groups, from the small to the large, and the sender.
    pub feedback_id: Option<&'a str>,
    /// The boundary of the variant's body.
    pub boundary: &'a Boundary,
}

/// Something that cannot stand in a header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The sender's address.
    #[error("{0:?} is no address to send from")]
    From(String),
    /// The list's identifier.
    #[error("{0:?} is no list identifier: letters, digits, hyphens and dots, with a dot inside")]
    ListId(String),
    /// An address of a page.
    #[error("{field}: {uri:?} is no address of a page, or too long")]
    Uri {
        /// The header field it was meant for.
        field: &'static str,
        /// What was given.
        uri: String,
    },
}

/// What belongs to one message.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The recipient's address, its domain in A-labels.
    pub address: &'a str,
    /// The recipient's unsubscribe token; what is not unreserved in a URL is percent-encoded.
    pub token: &'a str,
    /// With or without angle brackets.
    pub message_id: &'a str,
    /// When the message was written, in the site's zone.
    pub date: DateTime<FixedOffset>,
}

/// The part of the header that all messages of a variant share, each field closed by CRLF. Controls
/// in any value become spaces, so no value can begin a field of its own.
///
/// # Errors
/// When the sender's address, the list's identifier or an address of a page is none.
pub fn headers(view: &HeaderView<'_>) -> Result<Vec<u8>, HeaderError> {
    let from = from_address(view.from_address)?;
    let list_id = list_id(view.list_id)?;
    let unsubscribe = unsubscribe_prefix(view.unsubscribe_base).ok_or_else(|| {
        HeaderError::Uri { field: "List-Unsubscribe", uri: view.unsubscribe_base.to_owned() }
    })?;
    let mut out = String::with_capacity(1_024);
    named_field(&mut out, "From", view.from_name, from);
    text_field(&mut out, "Subject", view.subject);
    // RFC 2919 3
    named_field(&mut out, "List-Id", view.list_name, list_id);
    // RFC 2369 3.2 and RFC 8058 3.1: one URI, which ends the subscription by a bare POST.
    let token = Hole::TokenInPath.text();
    let _ = write!(out, "List-Unsubscribe: <{unsubscribe}{token}>\r\n");
    out.push_str("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n");
    for (field, uri) in [("List-Help", view.help), ("List-Archive", view.archive)] {
        if let Some(uri) = uri {
            let _ = write!(out, "{field}: <{}>\r\n", header_uri(field, uri)?);
        }
    }
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:".contains(&b);
    if let Some(id) = view.feedback_id.filter(|id| id.len() <= 200 && id.bytes().all(is_plain)) {
        let _ = write!(out, "Feedback-ID: {id}\r\n");
    }
    // RFC 3834 5: no vacation notice shall answer.
    out.push_str("Auto-Submitted: auto-generated\r\nPrecedence: list\r\n");
    content_fields(&mut out, view.language, view.boundary);
    Ok(out.into_bytes())
}

/// What the header of a notice says.
#[derive(Clone, Copy, Debug)]
pub struct NoticeHeaderView<'a> {
    /// The name of the sender.
    pub from_name: &'a str,
    /// The address of the sender, its domain in A-labels.
    pub from_address: &'a str,
    /// See [`super::RenderedNotice`].
    pub subject: &'a str,
    /// The language of the mail.
    pub language: Language,
    /// The boundary of its body.
    pub boundary: &'a Boundary,
}

/// The part of a notice's header that is not its message's own. It has no List-Unsubscribe and no
/// List-Id: it is one answer to one question, not mail of a list, and whoever gets a confirmation
/// is subscribed to nothing that one click could end (RFC 8058 2 speaks of lists).
///
/// # Errors
/// When the sender's address is none.
pub fn notice_headers(view: &NoticeHeaderView<'_>) -> Result<Vec<u8>, HeaderError> {
    let from = from_address(view.from_address)?;
    let mut out = String::with_capacity(512);
    named_field(&mut out, "From", view.from_name, from);
    text_field(&mut out, "Subject", view.subject);
    // RFC 3834 5: no vacation notice shall answer.
    out.push_str("Auto-Submitted: auto-generated\r\n");
    content_fields(&mut out, view.language, view.boundary);
    Ok(out.into_bytes())
}

fn content_fields(out: &mut String, language: Language, boundary: &Boundary) {
    let _ = write!(out, "Content-Language: {language}\r\n");
    out.push_str("MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n");
    let _ = write!(out, " boundary=\"{}\"\r\n", boundary.as_str());
}

/// The body of a variant: its fragments, first as text, then as HTML (RFC 2046 5.1.4: the last is
/// the best).
pub fn body(boundary: &Boundary, fragments: &[&Fragment]) -> Vec<u8> {
    let length: usize = fragments.iter().map(|f| f.html.len() + f.text.len()).sum();
    let mut out = Vec::with_capacity(length + 512);
    let open_part = |out: &mut Vec<u8>, kind: &str| {
        out.extend_from_slice(b"--");
        out.extend_from_slice(boundary.0.as_bytes());
        out.extend_from_slice(b"\r\nContent-Type: text/");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"; charset=utf-8\r\n");
        out.extend_from_slice(b"Content-Transfer-Encoding: quoted-printable\r\n\r\n");
    };
    open_part(&mut out, "plain");
    fragments.iter().for_each(|fragment| out.extend_from_slice(&fragment.text));
    // The line end before a boundary belongs to it, so the part's own last one has to precede.
    out.extend_from_slice(b"\r\n");
    open_part(&mut out, "html");
    fragments.iter().for_each(|fragment| out.extend_from_slice(&fragment.html));
    out.extend_from_slice(b"\r\n--");
    out.extend_from_slice(boundary.0.as_bytes());
    out.extend_from_slice(b"--\r\n");
    out
}

/// A whole message: its own fields, the variant's header, the variant's body with the holes filled.
/// It never fails: a value that is too long is cut, one that is out of place becomes harmless.
pub fn assemble(headers: &[u8], body: &[u8], envelope: &Envelope<'_>) -> Vec<u8> {
    let address = one_line(envelope.address.trim(), ADDRESS_OCTETS_MAX);
    let token = path_segment(envelope.token);
    let mut out = Vec::with_capacity(headers.len() + body.len() + 1_024);
    // Not chrono's own RFC 2822 format: it panics beyond the year 9999.
    let date = envelope.date.format("%a, %d %b %Y %H:%M:%S %z");
    let message_id = one_line(envelope.message_id, ADDRESS_OCTETS_MAX);
    let message_id: String =
        message_id.chars().filter(|c| !c.is_whitespace() && !"<>".contains(*c)).collect();
    let own = format!(
        "Date: {date}\r\nMessage-ID: <{message_id}>\r\nTo: {}\r\n",
        address_in_header(&address)
    );
    out.extend_from_slice(own.as_bytes());
    fill(headers, &mut out, |hole| match hole {
        Hole::TokenInPath => token.as_bytes(),
        Hole::AddressInHtml | Hole::AddressInText => b"",
    });
    out.extend_from_slice(b"\r\n");
    let in_html = encode_value(&super::templates::escape_html(&address));
    let in_text = encode_value(&address);
    let in_path = encode_value(&token);
    fill(body, &mut out, |hole| match hole {
        Hole::AddressInHtml => &in_html,
        Hole::AddressInText => &in_text,
        Hole::TokenInPath => &in_path,
    });
    out
}

/// What stands before the token in the address that ends a subscription.
pub(super) fn unsubscribe_prefix(base: &str) -> Option<String> {
    let url = Url::parse(base.trim()).ok()?;
    let usable = matches!(url.scheme(), "http" | "https")
        && url.query().is_none()
        && url.fragment().is_none()
        && url.as_str().len() < HEADER_URI_OCTETS_MAX;
    usable.then(|| format!("{}/", url.as_str().trim_end_matches('/')))
}

fn header_uri(field: &'static str, uri: &str) -> Result<String, HeaderError> {
    let parsed = Url::parse(uri.trim()).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https" | "mailto")
            && url.as_str().len() <= HEADER_URI_OCTETS_MAX
            && url.as_str().bytes().all(|b| b.is_ascii_graphic() && !b"<>".contains(&b))
    });
    parsed.map(Into::into).ok_or_else(|| HeaderError::Uri { field, uri: uri.to_owned() })
}

fn from_address(address: &str) -> Result<&str, HeaderError> {
    let plain = |text: &str| {
        !text.is_empty()
            && !text.contains(|c: char| {
                c.is_control() || c.is_whitespace() || "()<>[]:;@\\,\"".contains(c)
            })
    };
    match address.rsplit_once('@') {
        Some((local, domain))
            if plain(local) && plain(domain) && address.len() <= ADDRESS_OCTETS_MAX =>
        {
            Ok(address)
        }
        _ => Err(HeaderError::From(address.to_owned())),
    }
}

fn list_id(id: &str) -> Result<&str, HeaderError> {
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    // RFC 2919 2: at most 255 octets.
    if id.len() <= 255 && id.contains('.') && id.split('.').all(label) {
        Ok(id)
    } else {
        Err(HeaderError::ListId(id.to_owned()))
    }
}

/// `Name: text`, in words of RFC 2047 where it has to be.
fn text_field(out: &mut String, name: &str, text: &str) {
    let text = clean(text, HEADER_CHARS_MAX);
    let _ = write!(out, "{name}: ");
    let mut writer = EmailWriter::new(out, name.len() + 2, 0, false);
    let result = if is_plain(&text) {
        writer.folding().write_str(&text)
    } else {
        rfc2047::encode(&text, &mut writer)
    };
    result.expect("writing to a string cannot fail");
    drop(writer);
    out.push_str("\r\n");
}

/// `Name: phrase <value>`.
fn named_field(out: &mut String, name: &str, phrase: &str, value: &str) {
    let phrase = clean(phrase, HEADER_CHARS_MAX);
    let _ = write!(out, "{name}: ");
    let mut writer = EmailWriter::new(out, name.len() + 2, 0, false);
    let result = if is_plain(&phrase) {
        quoted_string::encode(&phrase, &mut writer)
    } else {
        rfc2047::encode(&phrase, &mut writer)
    };
    result.expect("writing to a string cannot fail");
    if !phrase.is_empty() {
        writer.space();
    }
    let value = format!("<{value}>");
    writer.folding().write_str(&value).expect("writing to a string cannot fail");
    drop(writer);
    out.push_str("\r\n");
}

/// Whether text can stand in a header as it is, without looking like an encoded word.
fn is_plain(text: &str) -> bool {
    text.is_ascii() && !text.contains("=?")
}

/// An address in a header field; one that could be read as several is put between angle brackets,
/// where it is at worst no address.
fn address_in_header(address: &str) -> String {
    if address.contains(|c: char| "<>,;:()[]\\\" ".contains(c)) {
        format!("<{}>", address.replace(['<', '>'], ""))
    } else {
        address.to_owned()
    }
}

/// A value on one line, of at most so many octets.
fn one_line(text: &str, octets_max: usize) -> String {
    let mut line: String =
        text.chars().take(octets_max).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut end = octets_max.min(line.len());
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line.truncate(end);
    line
}

/// A token as a segment of a path: what is not unreserved (RFC 3986 2.3) is percent-encoded.
fn path_segment(token: &str) -> String {
    let mut out = String::with_capacity(token.len());
    for octet in token.bytes().take(TOKEN_OCTETS_MAX) {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            out.push(char::from(octet));
        } else {
            let _ = write!(out, "%{octet:02X}");
        }
    }
    out
}
