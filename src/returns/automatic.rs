//! Automatic replies (RFC 3834), and those of programs that do not say so; reports on what people
//! did with a mail (RFC 8098).

use super::fields::Fields;
use super::mime::Mail;

/// How subjects of automatic replies begin, in small letters.
const SUBJECTS: [&str; 23] = [
    "automatic reply",
    "auto reply",
    "auto-reply",
    "autoreply",
    "auto response",
    "auto-response",
    "autoresponse",
    "automated reply",
    "automated response",
    "out of office",
    "out of the office",
    "out-of-office",
    "on vacation",
    "vacation",
    "away from",
    "i am away",
    "risposta automatica",
    "fuori ufficio",
    "fuori sede",
    "assenza",
    "assente",
    "sono in ferie",
    "réponse automatique",
];

/// What stands before a subject that was answered.
const PREFIXES: [&str; 7] = ["re:", "r:", "fwd:", "fw:", "i:", "aw:", "sv:"];

/// Whether the header says that a machine answered in somebody's place. Mail systems say
/// `auto-replied` of bounces too (RFC 3834 5.1), so this is asked of what is no bounce.
pub(super) fn is_marked(head: &Fields) -> bool {
    let submitted = head.small("auto-submitted");
    let submitted = submitted.split([';', ' ', '(']).next().unwrap_or_default();
    matches!(submitted, "auto-replied" | "auto-generated" | "auto-notified")
        || has_mark(head)
        || head.small("x-mail-autoreply") == "yes"
        || head.get("x-ms-exchange-inbox-rules-loop").is_some()
}

/// Whether a person's absence is what a mail tells, whoever sends it.
pub(super) fn is_absence(head: &Fields) -> bool {
    let subject = head.readable("subject");
    let mut subject = subject.trim();
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| subject.strip_prefix(prefix)) {
        subject = rest.trim_start();
    }
    let subject = subject.trim_start_matches(['[', '(', '*', ' ']);
    let vacation = head.small("auto-submitted").contains("vacation");
    SUBJECTS.iter().any(|beginning| subject.starts_with(beginning)) || vacation || has_mark(head)
}

/// Whether a program says of itself that it answers, by a field that is no standard.
fn has_mark(head: &Fields) -> bool {
    let fields = ["x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-reply"];
    fields.iter().any(|name| head.get(name).is_some_and(|value| value != "no"))
        || matches!(head.small("precedence").trim(), "auto_reply" | "auto-reply" | "autoreply")
}

/// Whether it is a report on the disposition of a mail: read, deleted (RFC 8098 3).
pub(super) fn is_disposition(mail: &Mail) -> bool {
    mail.report_type.eq_ignore_ascii_case("disposition-notification")
        || mail.part(&["message/disposition-notification"]).is_some()
}
