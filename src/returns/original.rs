//! What is said of the mail that came back: its header, its Message-ID, whom it was for.

use super::addresses;
use super::fields::Fields;
use super::limits::{MESSAGE_ID_OCTETS_MAX, RECIPIENTS_MAX, TARGETS_MAX};
use super::mime::Mail;

/// The header of the returned mail, where it is a part of its own.
pub(super) fn header(mail: &Mail) -> Option<Fields> {
    let part = mail.parts.iter().find(|part| part.is_returned())?;
    let fields = Fields::read(part.text.trim_start());
    (!fields.is_empty()).then_some(fields)
}

/// Whom a mail was for, by its header.
pub(super) fn recipients(head: &Fields) -> Vec<String> {
    let fields = ["to", "delivered-to", "envelope-to", "x-original-to"];
    let values = fields.iter().map(|name| head.all(name).collect::<Vec<_>>());
    let first = values.into_iter().find(|values| !values.is_empty()).unwrap_or_default();
    let found = first.into_iter().flat_map(addresses::find);
    found.map(|found| found.address.to_owned()).take(RECIPIENTS_MAX).collect()
}

/// A Message-ID without its brackets (RFC 5322 3.6.4).
pub(super) fn message_id(value: &str) -> Option<String> {
    let value = value.trim();
    let value = match value.find('<') {
        Some(start) => value[start + 1..].split('>').next().unwrap_or_default(),
        None => value,
    };
    let fits = (1..=MESSAGE_ID_OCTETS_MAX).contains(&value.len());
    let plain = !value.contains(|c: char| c.is_control() || c.is_whitespace());
    (fits && plain).then(|| value.to_owned())
}

/// The addresses that a mail itself came to, by the fields that servers write when they deliver,
/// and by `To:`, where a report has the address that it was sent to (RFC 3464 2).
pub(super) fn came_to(head: &Fields) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for name in ["x-original-to", "envelope-to", "delivered-to", "x-envelope-to", "to"] {
        for address in head.all(name).flat_map(addresses::find).map(|found| found.address) {
            if found.len() < TARGETS_MAX && !found.iter().any(|known| known == address) {
                found.push(address.to_owned());
            }
        }
    }
    found
}
