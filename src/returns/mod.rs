//! What comes back: bounces, complaints, automatic replies, receipts of certified mail.
//!
//! This half of the room reads octets and says what they are; it touches neither database, files
//! nor clock. Everything it reads was written by strangers: it is bounded in size, parts, nesting
//! and addresses, and whom a mail was about says none of it. That says only the tag of the address
//! which it came to (VERP), checked with the installation's key by whoever acts on it.
//!
//! - [`parse`] reads one mail into a [`Returned`].
//! - [`table`] and [`words`] are the one table from codes and words to causes, and from causes to
//!   outcomes; `docs/returns.md` shows it.

mod addresses;
mod automatic;
mod certified;
mod feedback;
mod fields;
mod judge;
mod limits;
mod mime;
mod model;
mod notification;
mod original;
mod report;
mod sender;
pub mod table;
mod text;
pub mod words;

pub use limits::{DIAGNOSTIC_CHARS_MAX, MAIL_OCTETS_MAX, RECIPIENTS_MAX, TARGETS_MAX};
pub use model::{
    CertifiedReceipt, Class, Form, Kind, NoStatus, Returned, ReturnedRecipient, Status,
};
pub use table::{Cause, Outcome};

use mime::Mail;
use model::ReturnedRecipient as Recipient;
use text::Text;

/// Reads a mail that came back. Any octets give an answer: what is no mail is [`Kind::None`].
pub fn parse(octets: &[u8]) -> Returned {
    let mail = Mail::read(octets);
    let text = Text::of(&mail);
    let mut returned = read(&mail, &text);
    returned.came_to = original::came_to(&mail.head);
    if returned.message_id.is_none() {
        returned.message_id = message_id(&mail, &text, returned.kind);
    }
    returned
}

/// The forms in the order of their certainty: what a standard marks, then words.
fn read(mail: &Mail, text: &Text<'_>) -> Returned {
    if let Some(returned) = certified::read(mail).or_else(|| feedback::read(mail)) {
        return returned;
    }
    if automatic::is_disposition(mail) {
        return Returned::of(Kind::AutoReply, Form::Disposition);
    }
    if let Some(returned) = notification::read(mail) {
        return returned;
    }
    let part = mail.part(&["message/delivery-status", "message/global-delivery-status"]);
    let report = part.map(|part| report::read(mime::lines(&part.text).into_iter()));
    if let Some(report) = &report
        && (!report.failed.is_empty() || report.done)
    {
        return of_report(report, text);
    }
    if report.is_none() && automatic::is_absence(&mail.head) {
        return Returned::of(Kind::AutoReply, Form::AutoReply);
    }
    let quoted = report::read(text.lines.iter().copied());
    if !quoted.failed.is_empty() {
        return of_report(&quoted, text);
    }
    if report.is_some() || is_report(mail) || sender::tells_of_failure(mail, text) {
        let mut returned = Returned::of(Kind::Bounce, Form::Text);
        returned.recipients = text::read(mail, text);
        return returned;
    }
    if automatic::is_marked(&mail.head) {
        return Returned::of(Kind::AutoReply, Form::AutoReply);
    }
    Returned::of(Kind::None, Form::Other)
}

/// Whether a mail says that it is a report on delivery, whatever parts it has.
fn is_report(mail: &Mail) -> bool {
    mail.kind == "multipart/report" && mail.report_type.eq_ignore_ascii_case("delivery-status")
}

/// A report with fields. Where they say little, the text beside them is asked.
fn of_report(report: &report::Report, text: &Text<'_>) -> Returned {
    if report.failed.is_empty() {
        return Returned::of(Kind::AutoReply, Form::DeliveryStatus);
    }
    let only = report.failed.len() == 1;
    let mut recipients: Vec<Recipient> = Vec::new();
    for said in &report.failed {
        let known =
            recipients.iter().any(|known| known.address.eq_ignore_ascii_case(&said.address));
        if known {
            continue;
        }
        let mut judged = judge::judge(said.clone());
        if judged.cause == Cause::Unknown && said.diagnostic.is_empty() {
            let mut wider = said.clone();
            wider.diagnostic = text.about(&said.address, only);
            judged = judge::judge(wider);
        }
        recipients.push(judged);
    }
    let mut returned = Returned::of(Kind::Bounce, Form::DeliveryStatus);
    returned.recipients = recipients;
    returned
}

/// The Message-ID of the mail that came back: its own header's, or that which a reply names
/// (RFC 5322 3.6.4, RFC 3834 3.1.5).
fn message_id(mail: &Mail, text: &Text<'_>, kind: Kind) -> Option<String> {
    let reported = || {
        let part = mail.part(&["message/disposition-notification", "message/feedback-report"])?;
        let fields = fields::Fields::of_lines(part.text.lines());
        fields.get("original-message-id").and_then(original::message_id)
    };
    let own = text.original.get("message-id").and_then(original::message_id);
    let answered = || {
        let value = mail.head.get("in-reply-to").or_else(|| mail.head.get("references"))?;
        original::message_id(value)
    };
    match kind {
        Kind::None => answered(),
        _ => own.or_else(reported).or_else(answered),
    }
}
