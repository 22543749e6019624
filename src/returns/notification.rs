//! Notifications of Amazon SES, which come as JSON in a mail where its topic has a mailbox
//! ("Amazon SNS notification contents for Amazon SES").

use serde::Deserialize;

use super::feedback::complainants;
use super::judge::{Said, judge};
use super::limits::RECIPIENTS_MAX;
use super::mime::Mail;
use super::model::{Form, Kind, Returned};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notification {
    notification_type: String,
    bounce: Option<Bounce>,
    complaint: Option<Complaint>,
    mail: Option<Sent>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bounce {
    bounced_recipients: Vec<Bounced>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bounced {
    email_address: String,
    action: Option<String>,
    status: Option<String>,
    diagnostic_code: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Complaint {
    complained_recipients: Vec<Complainant>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Complainant {
    email_address: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    message_id: Option<String>,
}

/// Reads a notification, if a mail is one.
pub(super) fn read(mail: &Mail) -> Option<Returned> {
    let text = mail.part(&["text/plain"])?.text.trim_start();
    if !text.starts_with('{') || !text.contains("notificationType") {
        return None;
    }
    // A text in a mail has its long line folded: a line break is never in a string of JSON.
    let flat = text.replace("\r\n ", "").replace("\n ", "").replace(['\r', '\n'], "");
    let parsed = serde_json::Deserializer::from_str(&flat).into_iter::<Notification>().next()?;
    let notification = parsed.ok()?;
    let mut returned = Returned::of(Kind::AutoReply, Form::Notification);
    returned.message_id = notification.mail.and_then(|mail| mail.message_id);
    match notification.notification_type.as_str() {
        "Bounce" => {
            returned.kind = Kind::Bounce;
            let bounced = notification.bounce.map(|bounce| bounce.bounced_recipients);
            let bounced = bounced.unwrap_or_default().into_iter().take(RECIPIENTS_MAX);
            returned.recipients = bounced.filter_map(said).map(judge).collect();
        }
        "Complaint" => {
            returned.kind = Kind::Complaint;
            let complaint = notification.complaint.map(|complaint| complaint.complained_recipients);
            let addresses = complaint.unwrap_or_default().into_iter();
            let addresses = addresses.filter_map(|named| address(&named.email_address));
            returned.recipients = complainants(addresses.collect());
        }
        _ => (),
    }
    Some(returned)
}

fn said(bounced: Bounced) -> Option<Said> {
    Some(Said {
        address: address(&bounced.email_address)?,
        status: bounced.status.and_then(|status| status.parse().ok()),
        diagnostic: bounced.diagnostic_code.unwrap_or_default(),
        delayed: bounced.action.is_some_and(|action| action == "delayed"),
        expired: false,
    })
}

fn address(text: &str) -> Option<String> {
    super::addresses::of_field(text)
}
