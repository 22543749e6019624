//! Who sent what came back: a mail system, or somebody.

use super::addresses;
use super::fields::Fields;
use super::mime::Mail;
use super::text::Text;

/// How many lines of a text say at most what it is.
const TEXT_LINES_MAX: usize = 200;

/// Local parts of mail systems (RFC 2142 5, and custom), in small letters.
const SYSTEMS: [&str; 12] = [
    "mailer-daemon",
    "mailer_daemon",
    "mailerdaemon",
    "mail-daemon",
    "maildaemon",
    "mail-deliver",
    "mail.delivery",
    "mail-delivery",
    "mmdf",
    "postmaster",
    "poostmaster",
    "posta-certificata",
];

/// Names of mail systems, in small letters.
const NAMES: [&str; 10] = [
    "mail delivery",
    "delivery subsystem",
    "delivery system",
    "mail system",
    "system administrator",
    "mail administrator",
    "mailer-daemon",
    "postmaster",
    "microsoft exchange",
    "content-filter",
];

/// What subjects of bounces have, in small letters.
const SUBJECTS: [&str; 42] = [
    "undeliver",
    "returned mail",
    "returned to sender",
    "mail returned",
    "returned message",
    "delivery fail",
    "delivery has failed",
    "delivery status",
    "delivery report",
    "delivery notification",
    "delivery error",
    "delivery problem",
    "delivery delayed",
    "delayed mail",
    "warning: message",
    "delivery warning",
    "delivery incomplete",
    "failure notice",
    "failure delivery",
    "failed delivery",
    "failed mail",
    "mail failure",
    "mail delivery",
    "mail system error",
    "mail error",
    "message delivery",
    "message delayed",
    "non-delivery",
    "nondeliver",
    "not delivered",
    "could not be delivered",
    "unable to deliver",
    "bounce",
    "rejected",
    "blocked",
    "mancata consegna",
    "mancato recapito",
    "non recapita",
    "non consegna",
    "impossibile recapitare",
    "impossibile consegnare",
    "errore di consegna",
];

/// What texts of bounces have, in small letters.
const TEXTS: [&str; 53] = [
    "could not be delivered",
    "couldn't be delivered",
    "can not be delivered",
    "cannot be delivered",
    "can't be delivered",
    "was not delivered",
    "not been delivered",
    "not yet been delivered",
    "wasn't able to deliver",
    "were unable to deliver",
    "unable to deliver",
    "unable to be delivered",
    "did not reach",
    "did not receive this message",
    "not deliver your",
    "delivery failed",
    "delivery has failed",
    "delivery failure",
    "delivery to the following",
    "failed permanently",
    "permanent error",
    "permanent fatal error",
    "fatal error",
    "had delivery problems",
    "following address(es) failed",
    "error delivering your",
    "error occurred while",
    "an error while",
    "undeliverable",
    "undelivered",
    "non-delivered",
    "failure reasons",
    "exceeds allowed size",
    "transcript of session",
    "returned to sender",
    "returned to you",
    "bounced",
    "being returned",
    "stopped delivery",
    "delivery of the email was stopped",
    "was rejected",
    "has been rejected",
    "message was blocked",
    "warning message only",
    "has been delayed",
    "non e stato possibile consegnare",
    "non e stato possibile recapitare",
    "impossibile recapitare",
    "impossibile consegnare",
    "non e stato recapitato",
    "non e stato consegnato",
    "mancata consegna",
    "mancato recapito",
];

/// Whether an address is a mail system's.
pub(super) fn is_system(address: &str) -> bool {
    let local = address.rsplit_once('@').map_or(address, |(local, _)| local).to_ascii_lowercase();
    SYSTEMS.iter().any(|system| local.contains(system))
}

/// Whether a mail names a mail system, or nobody, as who wrote it.
fn is_from_system(head: &Fields) -> bool {
    let from = head.readable("from");
    let address = addresses::find(&from).pop().map(|found| found.address.to_owned());
    address.as_deref().is_none_or(is_system) || NAMES.iter().any(|name| from.contains(name))
}

/// Whether nobody is to answer it (RFC 5321 4.5.5). Automatic replies say so too (RFC 3834 3.3).
fn has_null_path(head: &Fields) -> bool {
    let null = |path: &str| matches!(path.trim(), "" | "<>") || is_system(path);
    head.get("return-path").is_some_and(null)
}

/// Whether a mail is a bounce by its words: what its subject says where no person wrote it, what
/// its text says where a mail system did.
pub(super) fn tells_of_failure(mail: &Mail, text: &Text<'_>) -> bool {
    if mail.head.get("x-failed-recipients").is_some() {
        return true;
    }
    let system = is_from_system(&mail.head);
    let subject = mail.head.readable("subject");
    let answer = ["re:", "r:", "fwd:", "fw:", "i:"].iter().any(|word| subject.starts_with(word));
    let told = !answer && SUBJECTS.iter().any(|words| subject.contains(words));
    if told && (system || has_null_path(&mail.head)) {
        return true;
    }
    // Phrases run over the ends of lines.
    let said = text.lines.iter().take(TEXT_LINES_MAX).flat_map(|line| line.split_whitespace());
    let said = said.collect::<Vec<_>>().join(" ").to_lowercase();
    let said = said.replace('è', "e").replace("e' ", "e ").replace('\u{2019}', "'");
    system && TEXTS.iter().any(|words| said.contains(words))
}

/// The addresses of those who wrote and got this mail: none of them is the one that failed.
pub(super) fn own_addresses(head: &Fields) -> Vec<String> {
    const FIELDS: [&str; 9] = [
        "to",
        "cc",
        "delivered-to",
        "x-original-to",
        "envelope-to",
        "from",
        "reply-to",
        "sender",
        "return-path",
    ];
    let values = FIELDS.iter().flat_map(|name| head.all(name));
    values.flat_map(addresses::find).map(|found| found.address.to_owned()).collect()
}
