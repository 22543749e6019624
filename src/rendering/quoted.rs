//! Quoted-printable text and the holes in it.
//!
//! Fragments are stored encoded, so that putting a variant together is copying. What differs from
//! recipient to recipient is a *hole*: one control octet, alone on its line. Encoded text has none
//! but CR and LF (RFC 2045 6.7), and [`clean`](super::plain::clean) takes them from every value
//! before, so an octet of [`Hole`] in stored bytes is a hole and nothing else.

/// The longest line of encoded text, in octets, without its CRLF (RFC 2045 6.7, rule 5).
pub const LINE_OCTETS_MAX: usize = 76;

/// Octets of a line that can be used when a soft break has to follow.
const BEFORE_SOFT_BREAK_MAX: usize = LINE_OCTETS_MAX - 1;

const SOFT_BREAK: &[u8] = b"=\r\n";

/// What stands in stored bytes until the recipient is known. The same value has a hole of its own
/// for each place, because it is escaped differently there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hole {
    /// The recipient's address, as text of an HTML element.
    AddressInHtml = 1,
    /// The recipient's address, in plain text.
    AddressInText = 2,
    /// The recipient's unsubscribe token, as a segment of a URL path: in HTML, in text and in the
    /// header field alike, since its alphabet means nothing in any of them.
    TokenInPath = 3,
}

impl Hole {
    const ALL: [Hole; 3] = [Hole::AddressInHtml, Hole::AddressInText, Hole::TokenInPath];

    /// The octet of this hole.
    pub fn octet(self) -> u8 {
        self as u8
    }

    /// The hole as a template's value, before the text is encoded.
    pub(super) fn text(self) -> String {
        char::from(self.octet()).to_string()
    }

    fn of(octet: u8) -> Option<Hole> {
        Hole::ALL.into_iter().find(|hole| hole.octet() == octet)
    }
}

/// Encodes text, each line closed by CRLF, also the last. Holes are put on lines of their own,
/// between soft breaks. Characters are never divided between two lines.
pub fn encode(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 8 + 2);
    let body = text.strip_suffix('\n').unwrap_or(text);
    if text.is_empty() {
        return out;
    }
    for line in body.split('\n') {
        encode_line(line.strip_suffix('\r').unwrap_or(line), &mut out);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Encodes the value of a hole: one line of the text, folded, without a break at its end.
pub(super) fn encode_value(value: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 8);
    encode_line(value, &mut out);
    out
}

fn encode_line(line: &str, out: &mut Vec<u8>) {
    let mut column = 0;
    for (at, character) in line.char_indices() {
        if let Some(hole) = u8::try_from(character).ok().and_then(Hole::of) {
            if column > 0 {
                out.extend_from_slice(SOFT_BREAK);
            }
            out.push(hole.octet());
            out.extend_from_slice(SOFT_BREAK);
            column = 0;
            continue;
        }
        let rest = &line[at..];
        let width = if is_literal(character, rest, column) { 1 } else { 3 * character.len_utf8() };
        if column + width > BEFORE_SOFT_BREAK_MAX {
            out.extend_from_slice(SOFT_BREAK);
            column = 0;
        }
        // Asked again: at the start of a line other characters are dangerous than within it.
        if is_literal(character, rest, column) {
            out.push(character as u8);
            column += 1;
        } else {
            let mut octets = [0; 4];
            for octet in character.encode_utf8(&mut octets).bytes() {
                out.extend_from_slice(&[b'=', hex(octet >> 4), hex(octet & 15)]);
                column += 3;
            }
        }
    }
}

/// Whether the character stands for itself (RFC 2045 6.7, rules 2 and 3). White space at the end of
/// a line gets lost on the way; some relays change a dot or `From ` at its start (RFC 2049 3).
fn is_literal(character: char, rest: &str, column: usize) -> bool {
    match character {
        ' ' | '\t' => rest.len() > 1,
        '.' => column > 0,
        'F' => column > 0 || !rest.starts_with("From "),
        '=' => false,
        _ => character.is_ascii_graphic(),
    }
}

/// Decodes what [`encode`] made; line ends are LF alone, holes stay as they are.
pub(super) fn decode(encoded: &[u8]) -> String {
    let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let mut out = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((&octet, after)) = rest.split_first() {
        let escaped = match (octet, after) {
            (b'=', [high, low, ..]) => digit(*high).zip(digit(*low)),
            _ => None,
        };
        rest = match (octet, escaped) {
            (_, Some((high, low))) => {
                out.push(high << 4 | low);
                &after[2..]
            }
            (b'=', None) if after.starts_with(b"\r\n") => &after[2..],
            (b'\r', None) if after.starts_with(b"\n") => after,
            _ => {
                out.push(octet);
                after
            }
        };
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn hex(nibble: u8) -> u8 {
    b"0123456789ABCDEF"[usize::from(nibble & 15)]
}

/// Copies stored bytes and puts into each hole what `value` has for it.
pub(super) fn fill<'a>(stored: &[u8], out: &mut Vec<u8>, value: impl Fn(Hole) -> &'a [u8]) {
    let mut from = 0;
    for (at, &octet) in stored.iter().enumerate() {
        if let Some(hole) = (octet < b'\t').then(|| Hole::of(octet)).flatten() {
            out.extend_from_slice(&stored[from..at]);
            out.extend_from_slice(value(hole));
            from = at + 1;
        }
    }
    out.extend_from_slice(&stored[from..]);
}
