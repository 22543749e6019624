//! From what was said to what follows, by the table.

use super::limits::DIAGNOSTIC_CHARS_MAX;
use super::model::{Class, ReturnedRecipient, Status};
use super::table::{Cause, Outcome, cause_of};
use super::words::cause_of_words;

/// What is known of one recipient.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    pub(super) address: String,
    /// The status of the report.
    pub(super) status: Option<Status>,
    /// What the server said.
    pub(super) diagnostic: String,
    /// Whether the report calls it a delay.
    pub(super) delayed: bool,
    /// Whether the report calls it expired.
    pub(super) expired: bool,
}

/// Judges one recipient.
pub(super) fn judge(said: Said) -> ReturnedRecipient {
    let quoted = status_in(&said.diagnostic);
    let reply = reply_in(&said.diagnostic);
    // What the server said itself is closer than what its client made of it (RFC 3464 2.3.4).
    let told = said.status.filter(|status| status.subject != 0);
    let status = told.or(quoted.filter(|quoted| quoted.class != 2)).or(said.status);
    let cause = cause(&said, status, reply);
    let class = class(&said, status, reply, cause);
    let outcome = match (cause.outcome(), class) {
        (Outcome::Suppress, Class::Temporary) => Outcome::Count,
        (outcome, _) => outcome,
    };
    ReturnedRecipient {
        address: said.address,
        status,
        class: Some(class),
        cause,
        outcome,
        suppress: outcome == Outcome::Suppress,
        diagnostic: shortened(&said.diagnostic),
    }
}

fn cause(said: &Said, status: Option<Status>, reply: Option<u16>) -> Cause {
    if said.delayed {
        return Cause::Delayed;
    }
    let by_code = status.map_or(Cause::Unknown, cause_of);
    let by_words = cause_of_words(&said.diagnostic);
    match (by_words, by_code) {
        _ if said.expired => Cause::Expired,
        (Some(Cause::Delayed), Cause::Unknown) => Cause::Delayed,
        // A report that says failed is believed; its text may quote a warning.
        (Some(Cause::Delayed) | None, cause) if cause != Cause::Unknown => cause,
        // 5.1.7 and 5.1.8 (RFC 3463 3.2) are about the sender, whatever is unknown there.
        (_, Cause::Sender) => Cause::Sender,
        // Full, refused, moved: words that are clear come first. A server that only could not
        // be reached said no words of its own about the address.
        (Some(Cause::Network | Cause::System), cause) if cause != Cause::Unknown => cause,
        // RFC 3463 3.3: of subject 2 the mailbox exists; only for 5.2.1 servers mean unknown users.
        (Some(Cause::UnknownMailbox), Cause::MailboxInactive)
            if status.is_some_and(|status| status.subject == 2 && status.detail != 1) =>
        {
            Cause::MailboxInactive
        }
        (Some(cause), _) => cause,
        // RFC 5321 4.2.3: 551 user not local, 552 storage, 553 mailbox name.
        (None, _) => match reply {
            Some(551) => Cause::Moved,
            Some(552) => Cause::MailboxFull,
            _ => Cause::Unknown,
        },
    }
}

fn class(said: &Said, status: Option<Status>, reply: Option<u16>, cause: Cause) -> Class {
    if said.delayed || cause == Cause::Delayed {
        return Class::Temporary;
    }
    let by_code = |class: u16| if class == 4 { Class::Temporary } else { Class::Permanent };
    match (status, reply) {
        (Some(status), _) => by_code(u16::from(status.class)),
        (None, Some(reply)) if !said.expired => by_code(reply / 100),
        // RFC 3463 3.5: a delivery that expired was refused for now, each time.
        _ if said.expired || matches!(cause, Cause::Expired | Cause::Network) => Class::Temporary,
        _ => Class::Permanent,
    }
}

/// The first enhanced status code of class 4 or 5 that is a word of a text: `550 5.1.1`, `#5.4.4`.
pub(super) fn status_in(text: &str) -> Option<Status> {
    let words = text.split(|c: char| c.is_whitespace() || "()#<>;:,=[]'\"".contains(c));
    // `550-5.7.26` begins each line of a long reply (RFC 5321 4.2.1).
    let words = words.map(|word| match word.split_once('-') {
        Some((reply, rest)) if reply.len() == 3 && is_digits(reply) => rest,
        _ => word,
    });
    let mut statuses = words.filter_map(|word| word.trim_end_matches('.').parse::<Status>().ok());
    statuses.find(|status| status.class != 2)
}

/// The first reply code of class 4 or 5 that is a word of a text (RFC 5321 4.2).
pub(super) fn reply_in(text: &str) -> Option<u16> {
    let words = text.split(|c: char| c.is_whitespace() || "()#<>;:,=[]-".contains(c));
    let codes = words.filter(|word| word.len() == 3 && is_digits(word));
    let codes = codes.filter_map(|word| word.parse::<u16>().ok());
    let mut codes = codes.filter(|code| (400..=599).contains(code) && code / 10 % 10 <= 5);
    codes.next()
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|octet| octet.is_ascii_digit())
}

/// One line of at most so many characters; none where nothing was said.
fn shortened(text: &str) -> Option<String> {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let kept: String =
        line.chars().filter(|c| !c.is_control()).take(DIAGNOSTIC_CHARS_MAX).collect();
    (!kept.is_empty()).then_some(kept)
}
