//! Addresses, checked at the door.

use std::fmt;
use std::str::FromStr;

use unicode_normalization::UnicodeNormalization as _;

/// The longest address, in octets (RFC 5321 4.5.3.1.3: a path of 256 with its brackets).
pub const ADDRESS_OCTETS_MAX: usize = 254;
/// The longest local part, in octets (RFC 5321 4.5.3.1.1).
pub const LOCAL_PART_OCTETS_MAX: usize = 64;
/// The longest name in front of an address, in characters.
pub const NAME_CHARS_MAX: usize = 200;

/// An address that mail can be sent to: a local part in NFC (RFC 6532 3.1), and a domain in
/// A-labels (RFC 5890 2.3.2.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailAddress {
    local: String,
    domain: String,
}

/// Why a text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// Nothing there.
    #[error("the address is empty")]
    Empty,
    /// No `@`.
    #[error("the address has no @")]
    NoAt,
    /// Too long as a whole, or before the `@`.
    #[error("the address is too long")]
    TooLong,
    /// What stands before the `@` cannot.
    #[error("what stands before the @ is no mailbox")]
    LocalPart,
    /// What stands before the `@` has characters that only look like others (UAX 15 1.1): two
    /// mailboxes could be told apart by nobody.
    #[error("what stands before the @ has letters in a special form; write plain ones")]
    Compatibility,
    /// What stands after the `@` is no domain.
    #[error("what stands after the @ is no domain")]
    Domain,
    /// The name in front of the address has line breaks, or is endless.
    #[error("the name in front of the address cannot be used")]
    Name,
}

impl EmailAddress {
    /// What makes two addresses the same person's: its ASCII letters small. RFC 5321 2.4 would have
    /// the case of a local part matter; nobody who types an address means that. Beyond ASCII case
    /// stays: small letters of one mailbox could be those of another.
    pub fn canonical(&self) -> String {
        format!("{}@{}", self.local.to_ascii_lowercase(), self.domain)
    }

    /// The part before the `@`.
    pub fn local_part(&self) -> &str {
        &self.local
    }

    /// The part after it, in A-labels.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The address so that a log may have it: `m…@example.org`.
    pub fn masked(&self) -> String {
        let first: String = self.local.chars().take(1).collect();
        format!("{first}…@{}", self.domain)
    }
}

impl FromStr for EmailAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let text = text.trim();
        if text.is_empty() {
            return Err(InvalidAddress::Empty);
        }
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidAddress::NoAt)?;
        if text.len() > ADDRESS_OCTETS_MAX {
            return Err(InvalidAddress::TooLong);
        }
        if !local.nfc().eq(local.nfkc()) {
            return Err(InvalidAddress::Compatibility);
        }
        let local: String = local.nfc().collect();
        if local.len() > LOCAL_PART_OCTETS_MAX {
            return Err(InvalidAddress::TooLong);
        }
        if !is_dot_string(&local) {
            return Err(InvalidAddress::LocalPart);
        }
        let domain = match url::Host::parse(domain) {
            Ok(url::Host::Domain(domain)) => domain,
            _ => return Err(InvalidAddress::Domain),
        };
        let labels = domain.split('.');
        let dotted = labels.clone().count() > 1;
        if !dotted || !labels.clone().all(is_label) || domain.len() > ADDRESS_OCTETS_MAX {
            return Err(InvalidAddress::Domain);
        }
        Ok(Self { local, domain })
    }
}

/// A Dot-string (RFC 5321 4.1.2), with UTF-8 allowed in its atoms (RFC 6531 3.3). Quoted strings,
/// which nobody has, are refused.
fn is_dot_string(local: &str) -> bool {
    let is_atom_char = |c: char| match c {
        c if c.is_ascii_alphanumeric() => true,
        c if c.is_ascii() => "!#$%&'*+-/=?^_`{|}~".contains(c),
        c => !c.is_control() && !c.is_whitespace(),
    };
    local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom_char))
}

/// A label of letters, digits and inner hyphens (RFC 1123 2.1), at most 63 octets.
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

/// An address with a name in front, as `From` has it (RFC 5322 3.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// The name, where there is one.
    pub name: Option<String>,
    /// The address.
    pub address: EmailAddress,
}

impl FromStr for Mailbox {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let text = text.trim();
        let (name, address) = match text.strip_suffix('>').and_then(|t| t.rsplit_once('<')) {
            Some((name, address)) => (name.trim().trim_matches('"').trim(), address),
            None => ("", text),
        };
        if name.chars().any(char::is_control) || name.chars().count() > NAME_CHARS_MAX {
            return Err(InvalidAddress::Name);
        }
        let name = Some(name.to_owned()).filter(|name| !name.is_empty());
        Ok(Self { name, address: address.parse()? })
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} <{}>", self.address),
            None => self.address.fmt(f),
        }
    }
}
