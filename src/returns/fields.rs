//! Header fields, and the groups of fields of reports, which have the same form (RFC 3464 2.1).

use mail_parser::{HeaderName, MessageParser};

use super::limits::{FIELD_OCTETS_MAX, FIELDS_MAX};

/// Fields in their order, names in small letters, values unfolded.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads fields up to the first empty line. A line that is neither a field nor the
    /// continuation of one (RFC 5322 2.2.3) is passed over.
    pub(super) fn read(text: &str) -> Self {
        Self::of_lines(text.lines().take_while(|line| !line.trim().is_empty()))
    }

    /// Reads fields from lines.
    pub(super) fn of_lines<'t>(lines: impl Iterator<Item = &'t str>) -> Self {
        let mut fields: Vec<(String, String)> = Vec::new();
        let mut open = false;
        for line in lines {
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = fields.last_mut().filter(|_| open) {
                    value.push(' ');
                    push_bounded(value, line.trim());
                }
                continue;
            }
            let field = line.split_once(':').filter(|(name, _)| is_name(name.trim_end()));
            open = field.is_some() && fields.len() < FIELDS_MAX;
            if let Some((name, value)) = field.filter(|_| open) {
                let mut kept = String::new();
                push_bounded(&mut kept, value.trim());
                fields.push((name.trim_end().to_ascii_lowercase(), kept));
            }
        }
        Self(fields)
    }

    /// The first value of a field, by its name in small letters.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of a field, by its name in small letters.
    pub(super) fn all<'f>(&'f self, name: &str) -> impl Iterator<Item = &'f str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A field's value, in small letters; empty where there is none.
    pub(super) fn small(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_lowercase()
    }

    /// A field that people read, its encoded words (RFC 2047) decoded, in small letters.
    pub(super) fn readable(&self, name: &str) -> String {
        let value = self.get(name).unwrap_or_default();
        if !value.contains("=?") {
            return value.to_lowercase();
        }
        let parser = MessageParser::new().header_text(HeaderName::Subject);
        let head = format!("Subject: {value}\r\n\r\n");
        let parsed = parser.parse_headers(head.as_bytes());
        let text = parsed.as_ref().and_then(|parsed| parsed.subject()).unwrap_or(value);
        text.to_lowercase()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The name of a field: printable ASCII without spaces (RFC 5322 2.2).
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 80 && name.bytes().all(|octet| octet.is_ascii_graphic())
}

fn push_bounded(value: &mut String, more: &str) {
    let left = FIELD_OCTETS_MAX.saturating_sub(value.len());
    value.push_str(&more[..more.floor_char_boundary(left)]);
}
