//! From octets to text: byte-order mark, HTTP's word, the document's own, then what the octets say.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// How many octets at the start of a document are searched for its own word on its charset
/// (HTML 13.2.3.2 asks for this many).
const DECLARATION_OCTETS_MAX: usize = 1024;

/// A decoded document.
pub(super) struct Decoded {
    pub text: String,
    /// What did not fit, for a person.
    pub warning: Option<String>,
}

/// Decodes a document. The order is that of RFC 7303 3: byte-order mark, HTTP, declaration; but a
/// charset that the octets contradict gives way to the one they are written in.
pub(super) fn decode(body: &[u8], content_type: Option<&str>) -> Decoded {
    if let Some(text) = utf32(body) {
        return Decoded { text: without_c1(text), warning: None };
    }
    if let Some((encoding, mark)) = Encoding::for_bom(body) {
        return decoded(encoding, &body[mark..]);
    }
    if let Some(encoding) = wide(body) {
        return decoded(encoding, body);
    }
    let named = content_type.and_then(http_charset);
    let own = own_charset(body);
    let labels = [named.as_deref(), own.as_deref()];
    let mut known = labels.into_iter().flatten().filter_map(narrow);
    let encoding = known.next().unwrap_or(UTF_8);
    let is_utf8 = std::str::from_utf8(body).is_ok();
    if encoding == UTF_8 && !is_utf8 {
        // Octets that are not UTF-8 are in the other charset named, else in the usual one of
        // western Europe.
        let other = known.find(|other| *other != UTF_8);
        if let Some(mixed) = other.is_none().then(|| mixed(body)).flatten() {
            return mixed;
        }
        let encoding = other.unwrap_or(WINDOWS_1252);
        let warning = format!("not UTF-8 as declared: read as {}", encoding.name());
        return Decoded { warning: Some(warning), ..decoded(encoding, body) };
    }
    if encoding == WINDOWS_1252 && is_utf8 && !body.is_ascii() {
        // Text in windows-1252 is practically never valid UTF-8 by chance.
        let warning = "declared as windows-1252 or ISO-8859-1, but written in UTF-8".to_owned();
        return Decoded { warning: Some(warning), ..decoded(UTF_8, body) };
    }
    decoded(encoding, body)
}

/// Text in UTF-8 into which somebody pasted a few octets of windows-1252; none where these are not
/// the fewer.
fn mixed(body: &[u8]) -> Option<Decoded> {
    let (mut letters, mut strays) = (0usize, 0usize);
    let mut text = String::with_capacity(body.len());
    for chunk in body.utf8_chunks() {
        letters += chunk.valid().bytes().filter(|b| *b >= 0xc2).count();
        strays += chunk.invalid().len();
        text.push_str(chunk.valid());
        text.push_str(&WINDOWS_1252.decode_without_bom_handling(chunk.invalid()).0);
    }
    let warning = format!("{strays} octets that are not UTF-8 were read as windows-1252");
    (letters > strays).then(|| Decoded { text: without_c1(text), warning: Some(warning) })
}

fn decoded(encoding: &'static Encoding, body: &[u8]) -> Decoded {
    let (text, broken) = encoding.decode_without_bom_handling(body);
    let warning = broken.then(|| format!("octets that are not {} were replaced", encoding.name()));
    Decoded { text: without_c1(text.into_owned()), warning }
}

/// Text in which the control characters U+0080 to U+009F, which nobody writes, are what they were
/// before someone took windows-1252 for ISO-8859-1: dashes, quotation marks, the euro.
fn without_c1(text: String) -> String {
    let is_c1 = |c: char| matches!(c, '\u{80}'..='\u{9f}');
    if !text.contains(is_c1) {
        return text;
    }
    let meant = |c: char| match u8::try_from(u32::from(c)) {
        Ok(octet) if is_c1(c) => {
            WINDOWS_1252.decode_without_bom_handling(&[octet]).0.chars().next().unwrap_or(' ')
        }
        _ => c,
    };
    text.chars().map(meant).collect()
}

/// UTF-32, which no browser knows and some programs write: by its mark, or by the zeros around the
/// first sign of markup.
fn utf32(body: &[u8]) -> Option<String> {
    let read: fn([u8; 4]) -> u32 = match body {
        [0, 0, 0xfe, 0xff, ..] | [0, 0, 0, b'<' | b'{', ..] => u32::from_be_bytes,
        [0xff, 0xfe, 0, 0, ..] | [b'<' | b'{', 0, 0, 0, ..] => u32::from_le_bytes,
        _ => return None,
    };
    let (letters, _) = body.as_chunks::<4>();
    let read = |letter: &[u8; 4]| char::from_u32(read(*letter)).unwrap_or('\u{fffd}');
    Some(letters.iter().map(read).filter(|c| *c != '\u{feff}').collect())
}

/// UTF-16 without a mark, told by the zeros around the first sign of markup.
fn wide(body: &[u8]) -> Option<&'static Encoding> {
    match body {
        [b'<' | b'{', 0, _, 0, ..] => Some(UTF_16LE),
        [0, b'<' | b'{', 0, _, ..] => Some(UTF_16BE),
        _ => None,
    }
}

/// The charset of a label, unless it is one of two octets a letter: those were told before, and
/// a document whose declaration could be read is none.
fn narrow(label: &str) -> Option<&'static Encoding> {
    let encoding = Encoding::for_label(label.as_bytes())?;
    Some(if encoding == UTF_16LE || encoding == UTF_16BE { UTF_8 } else { encoding })
}

/// The `charset` parameter of a Content-Type (RFC 9110 8.3).
fn http_charset(content_type: &str) -> Option<String> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'']);
        (name.trim().eq_ignore_ascii_case("charset") && !value.is_empty()).then(|| value.to_owned())
    })
}

/// What the document says of itself: `encoding="…"` of XML, `charset=…` of HTML's `meta`.
fn own_charset(body: &[u8]) -> Option<String> {
    let start = &body[..body.len().min(DECLARATION_OCTETS_MAX)];
    let start = String::from_utf8_lossy(start).to_ascii_lowercase();
    let is_xml = start.trim_start().starts_with("<?xml");
    let declaration = if is_xml { start.split("?>").next()? } else { &start };
    let name = if is_xml { "encoding" } else { "charset" };
    let (_, after) = declaration.split_once(name)?;
    let value = after.trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
    let end = value.find(|c: char| !(c.is_ascii_alphanumeric() || "-_:.".contains(c)));
    let value = &value[..end.unwrap_or(value.len())];
    (!value.is_empty()).then(|| value.to_owned())
}
