//! What comes back, read: what each kind of mail is, whom it speaks of, and what follows. The
//! fixtures are made up after the forms of the systems that they are named after.

mod command;
mod documented;
mod hostile;
mod measured;

use std::fs;
use std::path::{Path, PathBuf};

use banditore::returns::{CertifiedReceipt, Class, Form, Kind, Outcome, Returned, parse};

/// A mail of `tests/fixtures/returns`.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/returns/{name}.eml"))
}

fn read(name: &str) -> Returned {
    parse(&fs::read(fixture(name)).expect("a fixture"))
}

/// A recipient in a line: address, status, class, cause, outcome.
fn recipients(returned: &Returned) -> Vec<String> {
    let line = |recipient: &banditore::returns::ReturnedRecipient| {
        let status = recipient.status.map_or("-".to_owned(), |status| status.to_string());
        let class = recipient.class.map_or("-", Class::word);
        let (cause, outcome) = (recipient.cause.word(), recipient.outcome.word());
        assert_eq!(recipient.suppress, recipient.outcome == Outcome::Suppress);
        format!("{} {status} {class} {cause} {outcome}", recipient.address)
    };
    returned.recipients.iter().map(line).collect()
}

/// Each mail is of a kind and a form, and speaks of these recipients.
#[track_caller]
fn is(name: &str, kind: Kind, form: Form, expected: &[&str]) {
    let returned = read(name);
    assert_eq!((returned.kind, returned.form), (kind, form), "{name}");
    assert_eq!(recipients(&returned), expected, "{name}");
}

#[test]
fn a_report_on_delivery_is_read_by_its_fields() {
    let is = |name, expected: &[&str]| is(name, Kind::Bounce, Form::DeliveryStatus, expected);
    is("postfix-unknown", &["nessuno@posta.example 5.1.1 permanent unknown-mailbox suppress"]);
    is("tried-for-days", &["sparita@posta.example 4.4.1 temporary network count"]);
    is("international", &["perché@posta.example 5.1.1 permanent unknown-mailbox suppress"]);
    // Whoever was reached is not one of those who were not.
    is("one-of-two", &["piena@posta.example 5.2.2 permanent mailbox-full count"]);
}

#[test]
fn a_notice_of_delay_suppresses_nobody() {
    let report = &["lenta@posta.example 4.4.1 temporary delayed wait"];
    is("postfix-delayed", Kind::Bounce, Form::DeliveryStatus, report);
    // Its text speaks of an unknown user.
    let text = &["lenta@posta.example - temporary delayed wait"];
    is("exim-warning", Kind::Bounce, Form::Text, text);
}

#[test]
fn what_was_refused_for_its_sender_or_content_suppresses_nobody() {
    let is = |name, form, expected| is(name, Kind::Bounce, form, &[expected]);
    let report = Form::DeliveryStatus;
    is("policy", report, "severa@posta.example 5.7.1 permanent content refused");
    is("dmarc-as-unknown", report, "severa@posta.example 5.1.1 permanent sender refused");
    is("aruba-spam", Form::Text, "severa@aruba.example 5.2.0 permanent content refused");
}

#[test]
fn a_report_that_all_went_well_is_no_bounce() {
    is("delivered", Kind::AutoReply, Form::DeliveryStatus, &[]);
}

#[test]
fn bounces_without_a_standard_are_read_by_their_words() {
    let is = |name, expected: &[&str]| is(name, Kind::Bounce, Form::Text, expected);
    is(
        "postfix-text",
        &[
            "nessuno@posta.example 5.1.1 permanent unknown-mailbox suppress",
            "piena@posta.example 4.2.2 temporary mailbox-full count",
        ],
    );
    is("exim", &["piena@posta.example 5.2.2 permanent mailbox-full count"]);
    is(
        "qmail",
        &[
            "nessuno@posta.example 5.1.1 permanent unknown-mailbox suppress",
            "altro@nulla.example 5.1.2 permanent unknown-domain suppress",
        ],
    );
    is("exchange-it", &["nessuno@posta.example 5.1.10 permanent unknown-mailbox suppress"]);
}

#[test]
fn italian_providers_are_understood() {
    let is = |name, expected| is(name, Kind::Bounce, Form::Text, &[expected]);
    is("aruba-full", "piena@aruba.example 5.2.2 permanent mailbox-full count");
    is("libero-unknown", "nessuno@libero.example 5.1.1 permanent unknown-mailbox suppress");
    is("tim-full", "piena@tim.example 5.2.2 permanent mailbox-full count");
    is("virgilio-closed", "chiusa@virgilio.example - permanent mailbox-inactive count");
    // A mailbox of certified mail that takes no ordinary mail exists.
    is("pec-closed", "ufficio@pec.example 5.1.1 permanent certified-only refused");
}

#[test]
fn of_the_receipts_of_certified_mail_only_those_of_failure_count() {
    let receipts = [
        ("pec-accettazione", Kind::AutoReply, CertifiedReceipt::Accepted, ""),
        ("pec-consegna", Kind::AutoReply, CertifiedReceipt::Delivered, ""),
        // Its subject quotes a bounce's, and a server took away the fields.
        ("pec-consegna-senza-campi", Kind::AutoReply, CertifiedReceipt::Delivered, ""),
        ("pec-anomalia", Kind::None, CertifiedReceipt::Anomaly, ""),
        ("pec-scritta-da-qualcuno", Kind::None, CertifiedReceipt::Transport, ""),
        (
            "pec-mancata-consegna",
            Kind::Bounce,
            CertifiedReceipt::NotDelivered,
            "nessuno@pec.example 5.1.1 permanent unknown-mailbox suppress",
        ),
        (
            "pec-mancata-consegna-solo-testo",
            Kind::Bounce,
            CertifiedReceipt::NotDelivered,
            "nessuno@pec.example 5.1.1 permanent unknown-mailbox suppress",
        ),
        (
            "pec-mancata-consegna-piena",
            Kind::Bounce,
            CertifiedReceipt::NotDelivered,
            "piena@pec.example 5.2.2 permanent mailbox-full count",
        ),
        (
            "pec-preavviso",
            Kind::Bounce,
            CertifiedReceipt::NotYetDelivered,
            "lenta@pec.example - temporary delayed wait",
        ),
        (
            "pec-non-accettazione",
            Kind::Bounce,
            CertifiedReceipt::NotAccepted,
            "ufficio@pec.example - permanent sender refused",
        ),
        (
            "pec-virus",
            Kind::Bounce,
            CertifiedReceipt::Virus,
            "ufficio@pec.example - permanent content refused",
        ),
    ];
    for (name, kind, receipt, expected) in receipts {
        let expected: Vec<&str> =
            Some(expected).into_iter().filter(|line| !line.is_empty()).collect();
        is(name, kind, Form::Certified, &expected);
        assert_eq!(read(name).receipt, Some(receipt), "{name}");
    }
}

#[test]
fn a_complaint_names_who_complained_and_suppresses_nobody() {
    let is = |name, expected: &[&str]| is(name, Kind::Complaint, Form::Feedback, expected);
    is("complaint", &["stufa@posta.example - - complaint unsubscribe"]);
    // Where the address is left out, the mail that came back has it.
    is("complaint-redacted", &["stufa@posta.example - - complaint unsubscribe"]);
    is("complaint-microsoft", &["stufa@hotmail.example - - complaint unsubscribe"]);
}

#[test]
fn a_report_on_authentication_complains_of_nobody() {
    is("auth-failure", Kind::Complaint, Form::Feedback, &[]);
    is("not-spam", Kind::Complaint, Form::Feedback, &[]);
}

#[test]
fn automatic_replies_and_people_speak_of_nobody_whatever_they_write() {
    let automatic = [
        "absence-it",
        "absence-en",
        "absence-from-postmaster",
        "left-office",
        "left-office-null-path",
        "ticket",
    ];
    for name in automatic {
        is(name, Kind::AutoReply, Form::AutoReply, &[]);
    }
    is("read-receipt", Kind::AutoReply, Form::Disposition, &[]);
    is("person", Kind::None, Form::Other, &[]);
    is("bounce-attached-by-a-person", Kind::None, Form::Other, &[]);
}

#[test]
fn a_notification_of_a_sending_service_is_read() {
    let expected = "nessuno@posta.example 5.1.1 permanent unknown-mailbox suppress";
    is("ses-bounce", Kind::Bounce, Form::Notification, &[expected]);
}

#[test]
fn the_mail_that_came_back_and_the_address_it_came_to_are_found() {
    let tagged = "ritorni+aaaaaaaaaaaaab7qt2mxk3c5dw6ehy4j@comune.example.it";
    for name in ["postfix-unknown", "exim", "qmail", "exchange-it", "aruba-full", "absence-it"] {
        let returned = read(name);
        let id = Some("k3l4m5n6o7p8@comune.example.it");
        assert_eq!(returned.message_id.as_deref(), id, "{name}");
        assert_eq!(returned.came_to, [tagged], "{name}");
    }
    let certified = read("pec-mancata-consegna").message_id;
    assert_eq!(certified.as_deref(), Some("k3l4m5n6o7p8@pec.comune.example.it"));
}
