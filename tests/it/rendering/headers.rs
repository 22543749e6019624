//! The header of a message.

use banditore::model::Language;
use banditore::rendering::mime::{
    Boundary, Envelope, HeaderError, HeaderView, assemble, body, headers,
};
use mail_parser::{Address, HeaderValue};

use super::sample::{ADDRESS, assert_lines, envelope, header, message, parsed, sent, told};
use super::templates;

/// A message without entries, with this header.
fn with(view: &HeaderView<'_>) -> String {
    let body = body(view.boundary, &[]);
    String::from_utf8(assemble(&headers(view).unwrap(), &body, &envelope())).unwrap()
}

fn names(message: &str) -> Vec<String> {
    let parsed = parsed(message.as_bytes());
    parsed.headers_raw().map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn receivers_find_everything_they_ask_for() {
    let message = message(&templates(), &told(), Language::It, &envelope());
    let parsed = parsed(&message);
    let raw = |name: &str| parsed.header_raw(name).unwrap().trim().to_owned();
    assert_eq!(parsed.subject(), Some("Gara per il nuovo asilo nido, e altre 3 notizie"));
    let from = parsed.from().and_then(Address::first).unwrap();
    assert_eq!(from.name(), Some("Comuni del Cremasco – Novità"));
    assert_eq!(from.address(), Some("notizie@example.org"));
    assert_eq!(parsed.to().and_then(Address::first).unwrap().address(), Some(ADDRESS));
    assert_eq!(parsed.message_id(), Some("1.1@notizie.example.org"));
    assert_eq!(parsed.date().unwrap().to_timestamp(), sent().timestamp());
    assert!(raw("List-Id").ends_with("<residenti.notizie.example.org>"));
    assert_eq!(raw("List-Unsubscribe"), "<https://notizie.example.org/u/mfrggzdfmztwq2lk>");
    assert_eq!(raw("List-Unsubscribe-Post"), "List-Unsubscribe=One-Click");
    assert_eq!(raw("List-Help"), "<https://notizie.example.org/aiuto>");
    assert_eq!(raw("List-Archive"), "<https://notizie.example.org/edizioni>");
    assert_eq!(raw("Auto-Submitted"), "auto-generated");
    assert_eq!(raw("Precedence"), "list");
    assert_eq!(raw("Content-Language"), "it");
    assert_eq!(raw("MIME-Version"), "1.0");
    assert!(raw("Content-Type").starts_with("multipart/alternative"));
    let kinds: Vec<_> = parsed.parts[1..]
        .iter()
        .filter_map(|part| part.headers.iter().find(|h| h.name.as_str() == "Content-Type"))
        .map(|kind| match &kind.value {
            HeaderValue::ContentType(kind) => kind.subtype().unwrap_or_default().to_owned(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(kinds, ["plain", "html"], "the last is the one to be shown");
}

#[test]
fn each_field_is_there_once() {
    let message = message(&templates(), &told(), Language::It, &envelope());
    let mut names = names(std::str::from_utf8(&message).unwrap());
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn help_and_archive_stand_only_where_they_are_given() {
    let boundary = Boundary::of(&["v"]);
    let view =
        HeaderView { help: None, archive: None, ..header("Oggetto", &boundary, Language::It) };
    let names = names(&with(&view));
    assert!(!names.iter().any(|name| name == "List-Help" || name == "List-Archive"));
}

#[test]
fn no_value_begins_a_field_of_its_own() {
    let attack = "Gara\r\nBcc: vittima@example.org\r\n\r\n<p>corpo</p>\n\0\u{1}\u{3}\u{85}";
    let boundary = Boundary::of(&["v"]);
    let honest = names(&with(&header("Oggetto", &boundary, Language::It)));
    let subject = templates().subject(attack, 3, Language::It);
    for subject in [attack, subject.as_str()] {
        let mut view = header(subject, &boundary, Language::It);
        view.from_name = attack;
        view.list_name = attack;
        let message = with(&view);
        assert_eq!(names(&message), honest);
        assert_lines(message.as_bytes());
        let parsed = parsed(message.as_bytes());
        assert!(parsed.subject().unwrap().starts_with("Gara Bcc: vittima@example.org"));
    }
    let body = body(&boundary, &[]);
    let headers = headers(&header("Oggetto", &boundary, Language::It)).unwrap();
    let envelope = Envelope { address: attack, token: attack, message_id: attack, date: sent() };
    let message = String::from_utf8(assemble(&headers, &body, &envelope)).unwrap();
    assert_eq!(names(&message), honest);
    assert_lines(message.as_bytes());
}

#[test]
fn one_address_never_becomes_two() {
    let boundary = Boundary::of(&["v"]);
    let headers = headers(&header("Oggetto", &boundary, Language::It)).unwrap();
    for address in ["a@example.org, b@example.org", "<b@example.org>", "a <b@example.org>; c"] {
        let envelope = Envelope { address, ..envelope() };
        let message = assemble(&headers, &body(&boundary, &[]), &envelope);
        let text = String::from_utf8(message).unwrap();
        let to = text.lines().find(|line| line.starts_with("To: ")).unwrap();
        assert!(to.starts_with("To: <") && to.ends_with('>'), "{to}");
        assert_eq!(to.matches(['<', '>']).count(), 2, "{to}");
    }
}

#[test]
fn long_words_outside_ascii_are_folded_into_encoded_words() {
    let long = "Però la città è più bella così, dice l’Unità di quartiere 🎉 ".repeat(4);
    let boundary = Boundary::of(&["v"]);
    let message = with(&header(&long, &boundary, Language::It));
    assert_eq!(parsed(message.as_bytes()).subject(), Some(long.trim()));
    for line in message.lines().filter(|line| line.contains("=?utf-8?")) {
        assert!(line.len() <= 76, "RFC 2047 2: {line}");
    }
}

#[test]
fn what_looks_like_an_encoded_word_stays_what_it_is() {
    let boundary = Boundary::of(&["v"]);
    let subject = "=?utf-8?q?Bcc=3A?= e altro";
    let message = with(&header(subject, &boundary, Language::It));
    assert_eq!(parsed(message.as_bytes()).subject(), Some(subject));
}

#[test]
fn long_plain_subjects_are_folded_at_78() {
    let long = "Avviso pubblico per la raccolta di manifestazioni di interesse ".repeat(4);
    let boundary = Boundary::of(&["v"]);
    let message = with(&header(&long, &boundary, Language::It));
    assert!(message.lines().take_while(|line| !line.is_empty()).all(|line| line.len() <= 78));
    assert_eq!(parsed(message.as_bytes()).subject(), Some(long.trim()));
}

#[test]
fn what_cannot_stand_in_a_header_is_refused_by_name() {
    let boundary = Boundary::of(&["v"]);
    let good = header("Oggetto", &boundary, Language::It);
    for from_address in ["", "notizie", "a b@example.org", "a@b@c", "a@example.org\r\nBcc: b@c.d"] {
        let error = headers(&HeaderView { from_address, ..good }).unwrap_err();
        assert_eq!(error, HeaderError::From(from_address.to_owned()));
    }
    for list_id in ["", "senzapunto", "due parole.example", "a..b", "a.b>"] {
        let error = headers(&HeaderView { list_id, ..good }).unwrap_err();
        assert_eq!(error, HeaderError::ListId(list_id.to_owned()));
    }
    for unsubscribe_base in ["", "/u", "mailto:via@example.org", "https://a.example/u?x=1"] {
        let error = headers(&HeaderView { unsubscribe_base, ..good }).unwrap_err();
        assert!(matches!(error, HeaderError::Uri { field: "List-Unsubscribe", .. }));
    }
    let help = Some("javascript:alert(1)");
    assert!(headers(&HeaderView { help, ..good }).is_err());
}

#[test]
fn boundaries_are_a_function_of_their_ids() {
    assert_eq!(Boundary::of(&["a", "b"]), Boundary::of(&["a", "b"]));
    assert_ne!(Boundary::of(&["a", "b"]), Boundary::of(&["ab"]));
    assert_ne!(Boundary::of(&["a", "b"]), Boundary::of(&["b", "a"]));
    // RFC 2045 6.7: `=_` is never in encoded text.
    assert!(Boundary::of(&["a"]).as_str().starts_with("=_"));
}

#[test]
fn a_date_beyond_reason_is_no_panic() {
    let boundary = Boundary::of(&["v"]);
    let headers = headers(&header("Oggetto", &boundary, Language::It)).unwrap();
    let date = chrono::DateTime::<chrono::Utc>::MAX_UTC.fixed_offset();
    assemble(&headers, &body(&boundary, &[]), &Envelope { date, ..envelope() });
}
