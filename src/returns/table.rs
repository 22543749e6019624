//! The one table of what follows from what is said: code or words, cause, outcome, and where that
//! is written down. `docs/returns.md` has it for people, and a test keeps both the same.

use serde::Serialize;

use super::model::Status;

/// What follows for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Hard: the address is certain not to exist; it is written to no more.
    Suppress,
    /// Soft: it counts, and so many within so many days suppress.
    Count,
    /// Policy: the mail or its sender was refused. It says nothing of the address.
    Refused,
    /// Delay: nothing yet.
    Wait,
    /// A complaint ends the subscription.
    Unsubscribe,
    /// Nothing follows.
    Nothing,
}

impl Outcome {
    /// The word for it in the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Suppress => "suppress",
            Self::Count => "count",
            Self::Refused => "refused",
            Self::Wait => "wait",
            Self::Unsubscribe => "unsubscribe",
            Self::Nothing => "nothing",
        }
    }
}

/// Why something came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Not delivered yet; it is tried again.
    Delayed,
    /// Taken for spam, a virus, or unwanted in its content.
    Content,
    /// The sender's address, its authentication or its server are not accepted.
    Sender,
    /// Too many connections, recipients or mails in a time.
    Rate,
    /// The recipient or the list does not accept it from this sender.
    NotWelcome,
    /// A mailbox of certified mail that takes no ordinary mail.
    CertifiedOnly,
    /// The mail is too large.
    TooLarge,
    /// No more place in the mailbox.
    MailboxFull,
    /// The mailbox exists and is closed, suspended or not used.
    MailboxInactive,
    /// The recipient has moved, and nothing is passed on.
    Moved,
    /// No such mailbox.
    UnknownMailbox,
    /// No such domain, or one without mail.
    UnknownDomain,
    /// The server could not be reached, or mail turns in a circle.
    Network,
    /// Tried for days, and given up.
    Expired,
    /// The receiving system has a fault.
    System,
    /// A complaint.
    Complaint,
    /// A report that complains of nobody.
    Report,
    /// Not known.
    Unknown,
}

impl Cause {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 18] = [
        Self::Delayed,
        Self::Content,
        Self::Sender,
        Self::Rate,
        Self::NotWelcome,
        Self::CertifiedOnly,
        Self::TooLarge,
        Self::MailboxFull,
        Self::MailboxInactive,
        Self::Moved,
        Self::UnknownMailbox,
        Self::UnknownDomain,
        Self::Network,
        Self::Expired,
        Self::System,
        Self::Complaint,
        Self::Report,
        Self::Unknown,
    ];

    /// What follows. For what is temporary a suppression becomes a count.
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Moved | Self::UnknownMailbox | Self::UnknownDomain => Outcome::Suppress,
            Self::MailboxFull | Self::MailboxInactive | Self::Network | Self::Expired => {
                Outcome::Count
            }
            Self::System | Self::Unknown => Outcome::Count,
            Self::Content | Self::Sender | Self::Rate | Self::NotWelcome => Outcome::Refused,
            Self::CertifiedOnly | Self::TooLarge => Outcome::Refused,
            Self::Delayed => Outcome::Wait,
            Self::Complaint => Outcome::Unsubscribe,
            Self::Report => Outcome::Nothing,
        }
    }

    /// The word for it in the table and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Delayed => "delayed",
            Self::Content => "content",
            Self::Sender => "sender",
            Self::Rate => "rate",
            Self::NotWelcome => "not-welcome",
            Self::CertifiedOnly => "certified-only",
            Self::TooLarge => "too-large",
            Self::MailboxFull => "mailbox-full",
            Self::MailboxInactive => "mailbox-inactive",
            Self::Moved => "moved",
            Self::UnknownMailbox => "unknown-mailbox",
            Self::UnknownDomain => "unknown-domain",
            Self::Network => "network",
            Self::Expired => "expired",
            Self::System => "system",
            Self::Complaint => "complaint",
            Self::Report => "report",
            Self::Unknown => "unknown",
        }
    }
}

/// A row of codes: what a status says by itself.
#[derive(Clone, Copy, Debug)]
pub struct CodeRow {
    /// Subject and detail: `1.1`; a `*` stands for every detail that no row before it has.
    pub code: &'static str,
    /// What it says.
    pub cause: Cause,
    /// Where that is written down.
    pub source: &'static str,
}

const fn code(code: &'static str, cause: Cause, source: &'static str) -> CodeRow {
    CodeRow { code, cause, source }
}

/// What enhanced status codes (RFC 3463, of class 4 or 5 alike) say. 5.1.7, 5.1.8 and 5.7.x are
/// about the sender; 5.5.x are about the conversation and say nothing.
pub const CODES: [CodeRow; 45] = [
    code("1.1", Cause::UnknownMailbox, "RFC 3463 3.2"),
    code("1.2", Cause::UnknownDomain, "RFC 3463 3.2"),
    code("1.3", Cause::UnknownMailbox, "RFC 3463 3.2, syntax of the address"),
    code("1.4", Cause::Unknown, "RFC 3463 3.2, ambiguous"),
    code("1.5", Cause::Unknown, "RFC 3463 3.2, valid"),
    code("1.6", Cause::Moved, "RFC 3463 3.2"),
    code("1.7", Cause::Sender, "RFC 3463 3.2"),
    code("1.8", Cause::Sender, "RFC 3463 3.2"),
    code("1.9", Cause::System, "RFC 3886 4"),
    code("1.10", Cause::UnknownDomain, "RFC 7505 4.2, null MX"),
    code("1.20", Cause::Unknown, "Exchange Online, several objects"),
    code("1.351", Cause::UnknownMailbox, "Exchange Online"),
    code("1.*", Cause::Unknown, "RFC 3463 3.2, other"),
    code("2.1", Cause::MailboxInactive, "RFC 3463 3.3, disabled"),
    code("2.2", Cause::MailboxFull, "RFC 3463 3.3"),
    code("2.3", Cause::TooLarge, "RFC 3463 3.3"),
    code("2.4", Cause::System, "RFC 3463 3.3, expansion of a list"),
    code("2.*", Cause::MailboxInactive, "RFC 3463 3.3, other"),
    code("3.1", Cause::System, "RFC 3463 3.4, the system is full"),
    code("3.2", Cause::System, "RFC 3463 3.4, takes no mail now"),
    code("3.4", Cause::TooLarge, "RFC 3463 3.4"),
    code("3.*", Cause::System, "RFC 3463 3.4"),
    code("4.1", Cause::Network, "RFC 3463 3.5, no answer"),
    code("4.3", Cause::Network, "RFC 3463 3.5, routing server"),
    code("4.4", Cause::Network, "RFC 3463 3.5, unable to route"),
    code("4.5", Cause::Rate, "RFC 3463 3.5, congestion"),
    code("4.6", Cause::Network, "RFC 3463 3.5, loop"),
    code("4.7", Cause::Expired, "RFC 3463 3.5"),
    code("4.310", Cause::UnknownDomain, "Exchange Online, domain not in the DNS"),
    code("4.*", Cause::Network, "RFC 3463 3.5"),
    code("5.3", Cause::Rate, "RFC 3463 3.6, too many recipients"),
    code("5.*", Cause::Unknown, "RFC 3463 3.6, protocol"),
    code("6.*", Cause::Content, "RFC 3463 3.7"),
    code("7.1", Cause::NotWelcome, "RFC 3463 3.8, not authorised"),
    code("7.2", Cause::NotWelcome, "RFC 3463 3.8, expansion of a list"),
    code("7.9", Cause::Sender, "RFC 4954 4"),
    code("7.13", Cause::MailboxInactive, "RFC 5248 and IANA, account disabled"),
    code("7.20", Cause::Sender, "RFC 7372 3.1, DKIM"),
    code("7.23", Cause::Sender, "RFC 7372 3.2, SPF"),
    code("7.25", Cause::Sender, "RFC 7372 3.3, reverse DNS"),
    code("7.26", Cause::Sender, "RFC 7372 3.4, several checks"),
    code("7.27", Cause::Sender, "RFC 7505 4.2, sender with null MX"),
    code("7.28", Cause::Rate, "IANA, mail flood"),
    code("7.*", Cause::NotWelcome, "RFC 3463 3.8, policy"),
    code("0.*", Cause::Unknown, "RFC 3463 3.1"),
];

/// What a code says by itself.
pub fn cause_of(status: Status) -> Cause {
    let exact = format!("{}.{}", status.subject, status.detail);
    let any = format!("{}.*", status.subject);
    let row = CODES
        .iter()
        .find(|row| row.code == exact)
        .or_else(|| CODES.iter().find(|row| row.code == any));
    row.map_or(Cause::Unknown, |row| row.cause)
}
