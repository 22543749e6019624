//! The words of this room.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::table::{Cause, Outcome};

/// What a mail that came back is, as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It says that mail was not delivered, or not yet.
    Bounce,
    /// A report about a mail of ours as abuse (RFC 5965), also one that complains of nobody.
    Complaint,
    /// It was answered by a machine: an absence, a receipt of reading, a receipt of delivery.
    AutoReply,
    /// None of these: written by a person, or not known.
    None,
}

impl Kind {
    /// The word for it, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bounce => "bounce",
            Self::Complaint => "complaint",
            Self::AutoReply => "auto-reply",
            Self::None => "none",
        }
    }
}

/// By what a mail was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// A report on delivery with its machine-readable part (RFC 3464).
    DeliveryStatus,
    /// A bounce that follows no standard, known by its words.
    Text,
    /// A notification of a sending service as JSON.
    Notification,
    /// A feedback report (RFC 5965), or one of Microsoft's that have no such part.
    Feedback,
    /// A report on what a person did with a mail (RFC 8098).
    Disposition,
    /// An automatic reply (RFC 3834), or one of those that do not say so.
    AutoReply,
    /// A receipt of Italian certified mail.
    Certified,
    /// Nothing of it.
    Other,
}

/// The mails that the systems of Italian certified mail (PEC) make (DM 2 November 2005, annex 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertifiedReceipt {
    /// *Ricevuta di accettazione*: the sender's provider has it.
    Accepted,
    /// *Avviso di non accettazione*: the sender's provider refused it.
    NotAccepted,
    /// *Ricevuta di presa in carico*: the recipient's provider has it.
    TakenInCharge,
    /// *Ricevuta di avvenuta consegna*: it is in the mailbox.
    Delivered,
    /// *Avviso di mancata consegna*: it could not be delivered.
    NotDelivered,
    /// *Preavviso di mancata consegna*: not yet, after twelve hours.
    NotYetDelivered,
    /// *Avviso di rilevazione virus*.
    Virus,
    /// *Busta di anomalia*: an ordinary mail, wrapped on its way into certified mail.
    Anomaly,
    /// *Busta di trasporto*: a certified mail written by somebody.
    Transport,
}

/// Whether trying again may help, as the report says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Refused for good.
    Permanent,
    /// Refused for now, or not delivered yet.
    Temporary,
}

impl Class {
    /// The word for it, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Permanent => "permanent",
            Self::Temporary => "temporary",
        }
    }
}

/// An enhanced status code (RFC 3463 2): class, subject, detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Status {
    /// 2, 4 or 5.
    pub class: u8,
    /// What it is about.
    pub subject: u16,
    /// What of it.
    pub detail: u16,
}

impl fmt::Display for Status {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text that is no enhanced status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no enhanced status code, such as 5.1.1")]
pub struct NoStatus;

impl FromStr for Status {
    type Err = NoStatus;

    /// Reads `5.1.1`: subject and detail have at most three digits (RFC 3463 2).
    fn from_str(text: &str) -> Result<Self, NoStatus> {
        let mut numbers = text.split('.');
        let mut next = |digits_max: usize| {
            let digits = numbers.next().filter(|digits| {
                (1..=digits_max).contains(&digits.len())
                    && digits.bytes().all(|digit| digit.is_ascii_digit())
            });
            digits.and_then(|digits| digits.parse::<u16>().ok()).ok_or(NoStatus)
        };
        let (class, subject, detail) = (next(1)?, next(3)?, next(3)?);
        if numbers.next().is_some() || !matches!(class, 2 | 4 | 5) {
            return Err(NoStatus);
        }
        Ok(Self { class: u8::try_from(class).map_err(|_| NoStatus)?, subject, detail })
    }
}

/// A recipient that a mail speaks of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReturnedRecipient {
    /// The address, as it is written there: a stranger's text, never to be written to. Whom a mail
    /// was for says its tag alone.
    pub address: String,
    /// The status, of the report or of the text.
    pub status: Option<Status>,
    /// Whether it was refused for good; none in complaints.
    pub class: Option<Class>,
    /// Why.
    pub cause: Cause,
    /// What follows from it, once the tag is known to be ours.
    pub outcome: Outcome,
    /// Whether the outcome is that the address is written to no more.
    pub suppress: bool,
    /// What the server said, bounded.
    pub diagnostic: Option<String>,
}

/// What a mail that came back says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Returned {
    /// What it is.
    pub kind: Kind,
    /// By what it was recognised.
    pub form: Form,
    /// Which mail of certified mail it is.
    pub receipt: Option<CertifiedReceipt>,
    /// Whom it speaks of; nobody in automatic replies and in what is no return.
    pub recipients: Vec<ReturnedRecipient>,
    /// The Message-ID of the mail that came back, without its brackets.
    pub message_id: Option<String>,
    /// The addresses that this mail itself came to, by its header: where a tag is looked for when
    /// the envelope is not at hand. The envelope's own comes before them.
    pub came_to: Vec<String>,
}

impl Returned {
    pub(super) fn of(kind: Kind, form: Form) -> Self {
        let (recipients, came_to) = (Vec::new(), Vec::new());
        Self { kind, form, receipt: None, recipients, message_id: None, came_to }
    }
}
