//! Replies (RFC 5321 4.2) and enhanced status codes (RFC 3463), read from what the server sent.
//!
//! Not from lettre's response: that one knows no second digit above five (some servers say 571), no
//! reply without text (RFC 5321 4.2.1 wants it understood), and keeps no keyword of EHLO but its
//! own.

use std::fmt;

/// The longest text kept of a reply, in characters.
pub const REPLY_TEXT_CHARS_MAX: usize = 500;

/// What stands in the place of an address's local part.
const MASK: &str = "***";

/// An enhanced status code (RFC 3463 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EnhancedCode {
    /// 2 success, 4 temporary, 5 permanent.
    pub class: u8,
    /// What it is about: 1 the address, 2 the mailbox, 7 policy…
    pub subject: u16,
    /// The detail within the subject.
    pub detail: u16,
}

impl EnhancedCode {
    /// Reads `word` as an enhanced code of the class that the reply code has (RFC 2034 4).
    fn parse(word: &str, class: u8) -> Option<Self> {
        let number = |part: &str| {
            let fits = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
            fits.then(|| part.parse::<u16>().ok()).flatten()
        };
        let mut parts = word.split('.');
        let (Some(first), Some(subject), Some(detail), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        if number(first)? != u16::from(class) {
            return None;
        }
        Some(Self { class, subject: number(subject)?, detail: number(detail)? })
    }
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// What a server said to a command, fit to be stored: one line, bounded, addresses masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The three digits.
    pub code: u16,
    /// The enhanced status code, where the server gave one.
    pub enhanced: Option<EnhancedCode>,
    /// The text without the codes, at most [`REPLY_TEXT_CHARS_MAX`] characters.
    pub text: String,
}

impl Reply {
    /// 4yz or 5yz: the server said no.
    pub fn is_refusal(&self) -> bool {
        (400..600).contains(&self.code)
    }

    /// 421: the server closes the connection (RFC 5321 3.8).
    pub fn closes(&self) -> bool {
        self.code == 421
    }

    /// From the raw reply. `personal` are words, such as the recipient's local part, that a server
    /// may repeat without the domain and that must not be kept.
    pub(super) fn from_raw(raw: &RawReply, personal: &[&str]) -> Self {
        let class = u8::try_from(raw.code / 100).unwrap_or(0);
        let first = raw.lines.first().and_then(|line| line.split_whitespace().next());
        let enhanced = first.and_then(|word| EnhancedCode::parse(word, class));
        let prefix = enhanced.and(first);
        let mut text = String::new();
        for line in &raw.lines {
            let line = line.trim();
            // Every line of a reply repeats the code (RFC 2034 4); a person wants to read it once.
            let line = prefix
                .and_then(|code| line.strip_prefix(code))
                .filter(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
                .unwrap_or(line);
            for word in line.split(|c: char| c.is_whitespace() || c.is_control()) {
                if !word.is_empty() && !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(word);
            }
        }
        let mut text = mask_addresses(&text);
        for word in personal.iter().filter(|word| word.chars().count() >= PERSONAL_CHARS_MIN) {
            text = mask_word(&text, word);
        }
        let text = text.chars().take(REPLY_TEXT_CHARS_MAX).collect();
        Self { code: raw.code, enhanced, text }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = self.enhanced {
            write!(f, " {enhanced}")?;
        }
        if !self.text.is_empty() {
            write!(f, " {}", self.text)?;
        }
        Ok(())
    }
}

/// Shorter local parts say nothing about a person, and masking them would eat common words.
const PERSONAL_CHARS_MIN: usize = 3;

/// Replaces the local part of everything that looks like an address: `<anna@example.it>` becomes
/// `<***@example.it>`. The domain stays, for it tells an operator whose server it is about.
pub fn mask_addresses(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let (before, after) = rest.split_at(at);
        let start = if let Some(quoted) = before.strip_suffix('"') {
            // A quoted local part may hold anything, blanks too (RFC 5321 4.1.2).
            quoted.rfind('"').unwrap_or(0)
        } else {
            before
                .rfind(ends_local_part)
                .map_or(0, |found| found + before[found..].chars().next().map_or(1, char::len_utf8))
        };
        masked.push_str(&before[..start]);
        if start < before.len() {
            masked.push_str(MASK);
        }
        masked.push('@');
        rest = &after[1..];
    }
    masked.push_str(rest);
    masked
}

/// Characters that cannot stand in an unquoted local part (RFC 5321 4.1.2, RFC 6531 3.3).
fn ends_local_part(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '<' | '>' | '(' | ')' | '[' | ']' | '"' | ',' | ';' | ':' | '@')
}

/// Replaces `word`, in any case of its ASCII letters, where it stands alone.
fn mask_word(text: &str, word: &str) -> String {
    // ASCII folding keeps every octet's position, so that both strings can be cut at the same
    // places.
    let (folded, word) = (text.to_ascii_lowercase(), word.to_ascii_lowercase());
    let mut masked = String::with_capacity(text.len());
    let mut done = 0;
    for (start, _) in folded.match_indices(&word) {
        let end = start + word.len();
        let alone = !folded[..start].ends_with(char::is_alphanumeric)
            && !folded[end..].starts_with(char::is_alphanumeric);
        if alone {
            masked.push_str(&text[done..start]);
            masked.push_str(MASK);
            done = end;
        }
    }
    masked.push_str(&text[done..]);
    masked
}

/// A reply as it came, line by line, codes taken off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RawReply {
    pub code: u16,
    pub lines: Vec<String>,
    /// Whether the server said more than this one reply.
    pub more: bool,
}

impl RawReply {
    /// Reads one complete reply (RFC 5321 4.2.1); none where it is not complete or no reply at all.
    pub fn parse(octets: &[u8]) -> Option<Self> {
        let mut lines = Vec::new();
        let mut first_code = None;
        let mut rest = octets;
        loop {
            let end = rest.iter().position(|octet| *octet == b'\n')?;
            let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
            rest = &rest[end + 1..];
            let code = code_of(line)?;
            if *first_code.get_or_insert(code) != code {
                return None;
            }
            let separator = line.get(3).copied();
            lines.push(String::from_utf8_lossy(line.get(4..).unwrap_or_default()).into_owned());
            match separator {
                Some(b'-') => {}
                Some(b' ') | None => return Some(Self { code, lines, more: !rest.is_empty() }),
                Some(_) => return None,
            }
        }
    }
}

fn code_of(line: &[u8]) -> Option<u16> {
    let digits = line.get(..3)?;
    if !matches!(digits[0], b'2'..=b'5') || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0')))
}
