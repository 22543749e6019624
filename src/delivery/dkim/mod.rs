//! Signatures of the sender's domain (DKIM, RFC 6376; Ed25519 by RFC 8463).
//!
//! A signature is a function of the message and the key: its time is the message's own Date, and
//! both algorithms are deterministic. So a message that is sent again has the same bytes.

mod canonical;
mod key;
mod making;
mod record;

use std::borrow::Cow;

use data_encoding::BASE64;
use ring::digest::{SHA256, digest};

pub use key::{Algorithm, DkimError, PrivateKey};
pub use making::{RSA_BITS, new_key};
pub use record::{TXT_STRING_OCTETS_MAX, record_name, record_text, zone_line};

use crate::model::Timestamp;

/// The fields that are signed where a message has them: what a reader sees, what a receiver acts
/// upon (RFC 6376 5.4.1), and the list's own; RFC 8058 4 asks for the two that end a subscription.
pub const SIGNED_FIELDS: [&str; 18] = [
    "From",
    "To",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Content-Language",
    "List-Id",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "List-Help",
    "List-Archive",
    "Feedback-ID",
    "Auto-Submitted",
    "Precedence",
    "Sender",
];
/// The fields that are named once more than they are there, so that nobody can add a second one
/// (RFC 6376 8.15).
pub const OVERSIGNED_FIELDS: [&str; 4] = ["From", "Subject", "Content-Type", "Reply-To"];

/// The longest line of a signature's field, in octets (RFC 5322 2.1.1 asks for 78).
const LINE_OCTETS_MAX: usize = 76;

/// A key, and the name under which receivers find its other half.
#[derive(Debug)]
struct SigningKey {
    selector: String,
    key: PrivateKey,
}

/// What signs messages: with all its keys, so that receivers who do not know the newer algorithm
/// have the older one.
#[derive(Debug, Default)]
pub struct Signer {
    domain: String,
    keys: Vec<SigningKey>,
}

impl Signer {
    /// One that signs nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// One that signs for a domain, in A-labels, and has no keys yet.
    pub fn of(domain: &str) -> Self {
        Self { domain: domain.to_owned(), keys: Vec::new() }
    }

    /// The same with one more key.
    #[must_use]
    pub fn with(mut self, selector: &str, key: PrivateKey) -> Self {
        self.keys.push(SigningKey { selector: selector.to_owned(), key });
        self
    }

    /// The domain that is signed for; empty where nothing is signed.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// For each key its record: where it is looked for, and what has to stand there.
    pub fn records(&self) -> Vec<(String, String)> {
        let record = |signing: &SigningKey| {
            (record_name(&signing.selector, &self.domain), record_text(&signing.key))
        };
        self.keys.iter().map(record).collect()
    }

    /// The message with a signature of each key in front; as it is where there is no key. `at` is
    /// the message's own time, the same at every attempt.
    pub fn sign<'m>(&self, message: &'m [u8], at: Timestamp) -> Cow<'m, [u8]> {
        if self.keys.is_empty() {
            return Cow::Borrowed(message);
        }
        let (header, body) = canonical::split(message);
        let fields = canonical::Fields::read(header);
        let body_hash = digest(&SHA256, &canonical::body(body));
        let body_hash = BASE64.encode(body_hash.as_ref());
        let names = fields.signed_names(&SIGNED_FIELDS, &OVERSIGNED_FIELDS);
        let hashed = fields.canonical(&names);
        let mut out = Vec::with_capacity(message.len() + 1_024 * self.keys.len());
        for signing in &self.keys {
            let field = self.field(signing, &names, &body_hash, at);
            // RFC 6376 3.7: the signature's own field comes last, its b= empty, without a CRLF.
            let own = canonical::field(field.as_bytes());
            let data = [&hashed[..], own.strip_suffix(b"\r\n").unwrap_or(&own)].concat();
            out.extend_from_slice(field.as_bytes());
            push_folded(&mut out, &BASE64.encode(&signing.key.sign(&data)));
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(message);
        Cow::Owned(out)
    }

    /// The field up to `b=`.
    fn field(
        &self,
        signing: &SigningKey,
        names: &[&str],
        body_hash: &str,
        at: Timestamp,
    ) -> String {
        let algorithm = signing.key.algorithm().signature_tag();
        let (domain, selector, seconds) = (&self.domain, &signing.selector, at.0.max(0));
        let mut field = format!(
            "DKIM-Signature: v=1; a={algorithm}; c=relaxed/relaxed;\r\n d={domain};\r\n \
             s={selector}; t={seconds};\r\n h="
        );
        let mut column = 3;
        for (number, name) in names.iter().enumerate() {
            let separator = if number == 0 { "" } else { ":" };
            field.push_str(separator);
            column += separator.len();
            if column + name.len() > LINE_OCTETS_MAX {
                field.push_str("\r\n ");
                column = 1;
            }
            field.push_str(name);
            column += name.len();
        }
        field.push_str(&format!(";\r\n bh={body_hash};\r\n b="));
        field
    }
}

/// Base64 over several lines (RFC 6376 3.2 lets white space stand in it).
fn push_folded(out: &mut Vec<u8>, text: &str) {
    let mut room = LINE_OCTETS_MAX - 3;
    let mut rest = text;
    while rest.len() > room {
        let (line, after) = rest.split_at(room);
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(b"\r\n ");
        rest = after;
        room = LINE_OCTETS_MAX - 1;
    }
    out.extend_from_slice(rest.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::canonical::{body, field};

    #[test]
    fn the_examples_of_rfc_6376_section_3_4_5_come_out() {
        assert_eq!(field(b"A: X\r\n"), b"a:X\r\n");
        assert_eq!(field(b"B : Y\t\r\n\tZ  \r\n"), b"b:Y Z\r\n");
        assert_eq!(body(b" C \r\nD \t E\r\n\r\n\r\n"), b" C\r\nD E\r\n");
    }

    #[test]
    fn an_empty_body_has_no_lines_and_an_open_line_is_closed() {
        assert_eq!(body(b""), b"");
        assert_eq!(body(b"\r\n\r\n"), b"");
        assert_eq!(body(b"a"), b"a\r\n");
        assert_eq!(body(b" \t\r\n"), b"");
        assert_eq!(body(b"a\r\n \r\nb \r\n"), b"a\r\n\r\nb\r\n");
    }
}
