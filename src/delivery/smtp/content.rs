//! What is looked at before a message's content goes on the wire.

/// The longest line a server must take, without its CRLF, in octets (RFC 5321 4.5.3.1.6).
const LINE_OCTETS_MAX: usize = 998;

/// Content that must not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidContent {
    #[error("the content has octets outside ASCII")]
    EightBit,
    /// A server that takes a bare LF for a line end would see the end of the message, and a new
    /// one, where we see neither (RFC 5321 2.3.8).
    #[error("the content has a CR or LF that stands alone")]
    BareLineEnd,
    #[error("the content has a line of more than {LINE_OCTETS_MAX} octets")]
    LongLine,
}

/// Content fit for DATA.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content<'a> {
    /// The content without its last CRLF: lettre writes that one together with the dot, and a
    /// second would be an empty line more.
    pub body: &'a [u8],
    /// Octets of the whole content, as SIZE counts them (RFC 1870 5).
    pub size: usize,
    /// How many octets go out before the final `CRLF . CRLF`, dots doubled.
    pub wire_octets: u64,
}

impl<'a> Content<'a> {
    /// Looks the content over, once.
    pub fn new(content: &'a [u8]) -> Result<Self, InvalidContent> {
        let text = str::from_utf8(content).ok().filter(|text| text.is_ascii());
        let text = text.ok_or(InvalidContent::EightBit)?;
        let body = text.strip_suffix("\r\n").unwrap_or(text);
        let mut doubled = 0;
        for line in body.split_inclusive('\n') {
            // Only the last may be without an end: its own was taken off above.
            let line = match line.strip_suffix('\n') {
                Some(line) => line.strip_suffix('\r').ok_or(InvalidContent::BareLineEnd)?,
                None => line,
            };
            if line.contains('\r') {
                return Err(InvalidContent::BareLineEnd);
            }
            if line.len() > LINE_OCTETS_MAX {
                return Err(InvalidContent::LongLine);
            }
            doubled += u64::from(line.starts_with('.'));
        }
        let body = body.as_bytes();
        Ok(Self { body, size: body.len() + 2, wire_octets: body.len() as u64 + doubled })
    }

    /// Whether the final dot may be among `octets` that have left since the 354. Conservative: the
    /// dot itself is the third octet after the body, and without the CRLF behind it ends nothing.
    pub fn dot_may_have_left(&self, octets: u64) -> bool {
        octets >= self.wire_octets + 3
    }
}
