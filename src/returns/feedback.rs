//! Feedback reports (RFC 5965), and those of Microsoft's programme, which have no such part.

use super::addresses;
use super::fields::Fields;
use super::limits::RECIPIENTS_MAX;
use super::mime::Mail;
use super::model::{Form, Kind, Returned, ReturnedRecipient};
use super::original;
use super::table::Cause;

/// The types that are complaints of a person: RFC 5965 3.1 and 7.3, and `opt-out` of its drafts.
/// Not complaints are `not-spam` (RFC 6430) and `auth-failure` (RFC 6591).
const COMPLAINTS: [&str; 7] =
    ["abuse", "fraud", "virus", "other", "opt-out", "opt-out-list", "miscategorized"];

/// Reads a complaint, if it is one.
pub(super) fn read(mail: &Mail) -> Option<Returned> {
    let part = mail.part(&["message/feedback-report"]);
    let Some(part) = part else { return without_report(mail) };
    let fields = Fields::of_lines(part.text.lines().filter(|line| !line.trim().is_empty()));
    let kind = fields.small("feedback-type");
    let mut returned = Returned::of(Kind::Complaint, Form::Feedback);
    if kind.is_empty() || COMPLAINTS.contains(&kind.trim()) {
        // RFC 5965 3.2: the recipient may be given several times, or be made unreadable.
        let named = fields.all("original-rcpt-to").chain(fields.all("removal-recipient"));
        let mut addresses: Vec<String> = named.filter_map(addresses::of_field).collect();
        if addresses.is_empty() {
            addresses =
                original::header(mail).map(|head| original::recipients(&head)).unwrap_or_default();
        }
        returned.recipients = complainants(addresses);
    }
    Some(returned)
}

/// Microsoft's junk mail reporting: the mail itself, with a field for whom it was.
fn without_report(mail: &Mail) -> Option<Returned> {
    let head = original::header(mail)?;
    let recipient = head.get("x-hmxmroriginalrecipient").and_then(addresses::of_field)?;
    let mut returned = Returned::of(Kind::Complaint, Form::Feedback);
    returned.recipients = complainants(vec![recipient]);
    Some(returned)
}

/// Each once, whatever its case.
pub(super) fn complainants(addresses: Vec<String>) -> Vec<ReturnedRecipient> {
    let mut recipients: Vec<ReturnedRecipient> = Vec::new();
    for address in addresses {
        let known = recipients.iter().any(|known| known.address.eq_ignore_ascii_case(&address));
        if known || recipients.len() >= RECIPIENTS_MAX {
            continue;
        }
        recipients.push(ReturnedRecipient {
            address,
            status: None,
            class: None,
            cause: Cause::Complaint,
            outcome: Cause::Complaint.outcome(),
            suppress: false,
            diagnostic: None,
        });
    }
    recipients
}
