//! What anybody may send: an answer within limits and in time, never a panic, and nobody is
//! suppressed who is not named as failed.

use std::time::{Duration, Instant};

use banditore::returns::{
    DIAGNOSTIC_CHARS_MAX, Kind, MAIL_OCTETS_MAX, RECIPIENTS_MAX, Returned, TARGETS_MAX, parse,
};
use proptest::prelude::*;

/// What every answer keeps to.
fn within_limits(returned: &Returned) {
    assert!(returned.recipients.len() <= RECIPIENTS_MAX);
    assert!(returned.came_to.len() <= TARGETS_MAX);
    for recipient in &returned.recipients {
        assert!(recipient.address.len() <= 254, "{recipient:?}");
        assert!(recipient.address.contains('@'), "{recipient:?}");
        assert!(!recipient.address.contains(char::is_control), "{recipient:?}");
        let said = recipient.diagnostic.as_deref().unwrap_or_default();
        assert!(said.chars().count() <= DIAGNOSTIC_CHARS_MAX);
        assert!(!said.contains(char::is_control));
    }
    if !matches!(returned.kind, Kind::Bounce | Kind::Complaint) {
        assert!(returned.recipients.is_empty());
    }
}

/// Reads, within limits and soon: what is quadratic in a mail's octets takes hours.
#[track_caller]
fn read(mail: &[u8]) -> Returned {
    let began = Instant::now();
    let returned = parse(mail);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    within_limits(&returned);
    returned
}

const REPORT: &str = "Return-Path: <>\nFrom: MAILER-DAEMON\nSubject: Undelivered Mail\n\
                      Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n";

fn filled(line: &str) -> String {
    line.repeat(MAIL_OCTETS_MAX / line.len() + 10)
}

#[test]
fn messages_within_messages_end_neither_the_stack_nor_the_day() {
    read(filled("Content-Type: message/rfc822\n\n").as_bytes());
    read(filled("Content-Type: multipart/mixed; boundary=b\n\n--b\n").as_bytes());
    let nested: String = (0..60_000)
        .map(|depth| format!("Content-Type: multipart/mixed; boundary=b{depth}\n\n--b{depth}\n"))
        .collect();
    read(nested.as_bytes());
}

#[test]
fn endless_parts_fields_recipients_and_lines_are_cut() {
    let part = "--b\nContent-Type: multipart/mixed; boundary=never\n\nx\n";
    read(format!("{REPORT}{}", filled(part)).as_bytes());
    read(filled("X-Failed-Recipients: a@example.org, b@example.org\n").as_bytes());
    read(filled(" folded for ever").as_bytes());
    read(filled("<").as_bytes());
    read(filled("a@").as_bytes());
    read(format!("From: MAILER-DAEMON\nSubject: Undelivered\n\n{}", filled("\"@x ")).as_bytes());
    let groups: String = (0..20_000)
        .map(|number| format!("Final-Recipient: rfc822; a{number}@example.org\nAction: failed\n\n"))
        .collect();
    let report = format!("{REPORT}--b\nContent-Type: message/delivery-status\n\n{groups}--b--\n");
    assert_eq!(read(report.as_bytes()).recipients.len(), RECIPIENTS_MAX);
    let lines: String =
        (0..20_000).map(|number| format!("<a{number}@example.org>: user unknown\n")).collect();
    let text = format!("From: MAILER-DAEMON\nSubject: failure notice\n\n{lines}");
    assert_eq!(read(text.as_bytes()).recipients.len(), RECIPIENTS_MAX);
}

#[test]
fn an_address_that_is_none_is_not_taken() {
    let long = format!("{}@example.org", "a".repeat(300));
    for address in [long.as_str(), "nobody", "@example.org", "a@", "a b", "\u{1b}[2J", ""] {
        let fields = format!("Final-Recipient: rfc822; {address}\nAction: failed\nStatus: 5.1.1\n");
        let mail =
            format!("{REPORT}--b\nContent-Type: message/delivery-status\n\n{fields}\n--b--\n");
        assert_eq!(read(mail.as_bytes()).recipients, [], "{address}");
    }
}

#[test]
fn json_that_only_looks_like_a_notification_is_none() {
    let deep = format!("{{\"notificationType\":\"Bounce\",\"mail\":{}", "[".repeat(200_000));
    assert_eq!(read(format!("From: a@example.org\n\n{deep}").as_bytes()).kind, Kind::None);
}

/// Lines of which bounces are made, to be shuffled.
const LINES: [&str; 26] = [
    "From: MAILER-DAEMON@example.org",
    "Return-Path: <>",
    "Subject: Undelivered Mail Returned to Sender",
    "Subject: Risposta automatica: assente",
    "Auto-Submitted: auto-replied",
    "X-Failed-Recipients: a@example.org",
    "X-Ricevuta: errore-consegna",
    "X-Trasporto: errore",
    "Content-Type: multipart/report; report-type=delivery-status; boundary=b",
    "Content-Type: multipart/mixed; boundary=\"b",
    "Content-Type: message/delivery-status",
    "Content-Type: message/feedback-report",
    "Content-Type: message/rfc822",
    "Content-Type: text/html; charset=iso-2022-jp",
    "Content-Transfer-Encoding: base64",
    "Content-Transfer-Encoding: quoted-printable",
    "--b",
    "--b--",
    "",
    "Final-Recipient: rfc822; <\"è @\"@example.org>",
    "Action: failed",
    "Status: 5.1.1 (",
    "<postacert tipo='errore-consegna' errore=\"no-dest\"><consegna>a@example.org</consegna>",
    "<a@example.org>: 550-5.1.1 è user unknown =?utf-8?q?=ff?=",
    ">>> RCPT TO:<a@example.org>",
    "Feedback-Type: abuse\u{0}",
];

proptest! {
    #[test]
    fn any_octets_give_an_answer_and_no_panic(octets in prop::collection::vec(any::<u8>(), 0..4_000)) {
        within_limits(&parse(&octets));
    }

    #[test]
    fn any_text_in_a_report_gives_an_answer_and_no_panic(text in "(?s).{0,800}") {
        for kind in ["message/delivery-status", "message/feedback-report", "text/html"] {
            let mail = format!("{REPORT}--b\nContent-Type: {kind}\n\n{text}\n--b--\n");
            within_limits(&parse(mail.as_bytes()));
        }
    }

    #[test]
    fn any_order_of_known_lines_gives_an_answer_and_no_panic(
        order in prop::collection::vec((0..LINES.len(), any::<bool>()), 0..60),
        cut in any::<prop::sample::Index>(),
    ) {
        let lines = order.iter().map(|(line, crlf)| {
            format!("{}{}", LINES[*line], if *crlf { "\r\n" } else { "\n" })
        });
        let mail: String = lines.collect();
        within_limits(&parse(mail.as_bytes()));
        // Cut anywhere, in the middle of a character too.
        within_limits(&parse(&mail.as_bytes()[..cut.index(mail.len() + 1)]));
    }

    /// Whatever a person writes below: without the marks of a mail system it speaks of nobody.
    #[test]
    fn a_person_suppresses_nobody(
        order in prop::collection::vec(prop::sample::select(vec![
            "> <a@example.org>: 550 5.1.1 user unknown",
            "User unknown: a@example.org",
            "This is a permanent error. The following address(es) failed:",
            "  a@example.org",
            "550 5.1.1 no such user",
            "Mail delivery failed: returning message to sender",
        ]), 0..20),
    ) {
        let text = order.join("\n");
        let mail = format!("Return-Path: <anna@example.it>\nFrom: Anna <anna@example.it>\n\
                            Subject: Re: Undelivered Mail\n\n{text}\n");
        let returned = parse(mail.as_bytes());
        prop_assert_eq!(returned.kind, Kind::None);
        prop_assert!(returned.recipients.is_empty());
    }
}
