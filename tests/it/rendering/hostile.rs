//! Values from outside, at their worst.

use banditore::model::Language;
use banditore::rendering::mime::Envelope;
use banditore::rendering::plain::{TITLE_CHARS_MAX, clean};
use banditore::rendering::quoted::{Hole, LINE_OCTETS_MAX, encode};
use banditore::rendering::{ClosingError, ClosingView, EntryView, ReasonView, Templates};
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use proptest::prelude::*;
use scraper::{Html, Selector};

use super::sample::{assert_lines, envelope, html_of, message, parsed, text_of};
use super::templates;

/// A message with one entry, and both parts as a mail program reads them.
fn parts(templates: &Templates, entry: &EntryView<'_>, envelope: &Envelope<'_>) -> [String; 2] {
    let reason = ReasonView { words: &["\r\n</p><b>{{x}}"], ..ReasonView::default() };
    let told = [("Tema", *entry, reason)];
    let message = message(templates, &told, Language::It, envelope);
    assert_lines(&message);
    let parsed = parsed(&message);
    [text_of(&parsed), html_of(&parsed)]
}

#[test]
fn a_title_is_text_whatever_it_contains() {
    let templates = templates();
    let titles = [
        "Gara\r\nBcc: vittima@example.org",
        "<script>alert(1)</script>",
        "</h3></a><img src=x onerror=alert(1)>",
        "{{title}} {{{hole.address}}} {{#each this}}",
        "<!-- block closing -->",
        "\u{202E}onidulccE \u{2066}x",
        "عنوان بالعربية",
        "🏛️ 𝕮𝖗𝖊𝖒𝖆 🎉",
        "\u{1}\u{2}\u{3}\u{4}\0\u{7f}\u{9f}",
        "{others} {count} %s",
        "=3D=\r\n=2E",
        ".",
        "From noi",
        "",
    ];
    let calm = EntryView { title: "Titolo", ..EntryView::default() };
    let elements =
        |html: &str| Html::parse_document(html).select(&Selector::parse("*").unwrap()).count();
    let usual = elements(&parts(&templates, &calm, &envelope())[1]);
    for title in titles {
        let view = EntryView { title, ..calm };
        let [text, html] = parts(&templates, &view, &envelope());
        let shown = match clean(title, TITLE_CHARS_MAX) {
            empty if empty.is_empty() => "Notizia senza titolo".to_owned(),
            shown => shown,
        };
        assert!(text.contains(&shown), "{title:?}: {text}");
        assert_eq!(elements(&html), usual, "{title:?} became markup");
        let page = Html::parse_document(&html);
        let heading = page.select(&Selector::parse("h3").unwrap()).next().unwrap();
        assert_eq!(heading.text().collect::<String>(), shown, "{title:?}");
        assert_eq!(text.matches(super::sample::ADDRESS).count(), 1, "{title:?} made a hole");
    }
}

#[test]
fn what_turns_the_direction_of_text_does_not_reach_the_words_around_it() {
    assert_eq!(clean("a\u{202E}b\u{2067}c\u{FEFF}", 100), "abc");
    let entry = EntryView { title: "عنوان", ..EntryView::default() };
    let fragment = templates().entry(&entry, Language::It).unwrap();
    let html = String::from_utf8(quoted_printable_decode(&fragment.html).unwrap()).unwrap();
    assert!(html.contains("<h3 dir=\"auto\""));
}

#[test]
fn endless_values_are_cut() {
    let templates = templates();
    let endless = "a".repeat(10_000);
    let wordy = "parola ".repeat(10_000);
    for text in [endless.as_str(), wordy.as_str()] {
        let names = vec![text; 100];
        let entry = EntryView {
            title: text,
            source_name: text,
            places: &names,
            summary: text,
            ..EntryView::default()
        };
        let fragment = templates.entry(&entry, Language::It).unwrap();
        assert!(fragment.html_bytes < 4_000, "{}", fragment.html_bytes);
        let reason =
            ReasonView { everything: false, topics: &names, places: &names, words: &names };
        assert!(templates.reason(&reason, Language::It).unwrap().html_bytes < 5_000);
        assert!(templates.subject(text, 3, Language::It).chars().count() < 120);
        assert!(templates.preheader(&names, Language::It).unwrap().html_bytes < 600);
        assert!(templates.heading(text, Language::It).unwrap().html_bytes < 1_000);
    }
}

#[test]
fn only_addresses_of_pages_become_links() {
    let templates = templates();
    let long = format!("https://www.example.org/{}", "x".repeat(3_000));
    for link in ["javascript:alert(1)", "data:text/html,x", "//example.org", "", &long] {
        let entry = EntryView { title: "Titolo", link: Some(link), ..EntryView::default() };
        let fragment = templates.entry(&entry, Language::It).unwrap();
        assert!(!String::from_utf8(fragment.html).unwrap().contains("<a "), "{link}");
    }
    let link = Some("https://www.example.org/a b?x=\"'<>&y=\r\n1");
    let entry = EntryView { title: "Titolo", link, ..EntryView::default() };
    let [text, html] = parts(&templates, &entry, &envelope());
    let page = Html::parse_document(&html);
    let shown = page.select(&Selector::parse("h3 a").unwrap()).next().unwrap();
    let shown = shown.value().attr("href").unwrap().to_owned();
    assert!(text.lines().any(|line| line == shown), "{shown}");
    assert!(shown.bytes().all(|octet| octet.is_ascii_graphic()));
}

#[test]
fn a_mail_that_one_cannot_leave_is_not_made() {
    let templates = templates();
    let good = ClosingView {
        site_name: "Sito",
        list_name: "Lista",
        contact: None,
        public_url: "https://notizie.example.org",
        unsubscribe_base: "https://notizie.example.org/u/",
    };
    assert!(templates.closing(&good, Language::It).is_ok());
    for base in ["", "/u", "ftp://example.org/u", "https://example.org/u?token="] {
        let view = ClosingView { unsubscribe_base: base, ..good };
        let error = templates.closing(&view, Language::It).unwrap_err();
        assert_eq!(error, ClosingError::Uri(base.to_owned()));
    }
}

#[test]
fn a_recipients_values_are_escaped_for_their_place() {
    let templates = templates();
    let entry = EntryView { title: "Titolo", ..EntryView::default() };
    let long = format!("{}@example.org", "è".repeat(200));
    let addresses = [
        "\"><script>x</script>\"@example.org",
        "a\r\n.b@example.org",
        "{{x}}@e.org",
        &long,
        "",
        "\u{1}",
    ];
    for address in addresses {
        let envelope = Envelope { address, token: "../?a=<b>&\r\n\u{1}", ..envelope() };
        let [text, html] = parts(&templates, &entry, &envelope);
        assert!(!html.contains("<script"), "{address:?}");
        let line = text.lines().find(|line| line.starts_with("Indirizzo iscritto:")).unwrap();
        let shown = line.trim_start_matches("Indirizzo iscritto:").trim();
        let page = Html::parse_document(&html);
        let words: String = page.root_element().text().collect();
        assert!(words.contains(shown), "{shown}");
        assert!(text.contains("/u/..%2F%3Fa%3D%3Cb%3E%26%0D%0A%01\n"), "{text}");
    }
}

#[test]
fn a_hole_stands_alone_between_soft_breaks() {
    let stored = encode("a \u{2} b\n\u{3}\n");
    assert_eq!(stored, b"a =\r\n\x02=\r\n b\r\n\x03=\r\n\r\n");
    assert_eq!(Hole::AddressInText.octet(), 2);
}

#[test]
fn what_relays_change_on_the_way_is_encoded() {
    assert_eq!(encode(".\nFrom me\nend \ntab\t\n"), b"=2E\r\n=46rom me\r\nend=20\r\ntab=09\r\n");
    assert_eq!(encode("a = b"), b"a =3D b\r\n");
    assert_eq!(encode(""), b"");
}

fn anything() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,200}",
        "[\\PC\\p{Cc}\\p{Zs}=.<>&\"{}]{0,120}",
        "[a-zàèì .!?]{0,600}",
        proptest::collection::vec(any::<char>(), 0..300).prop_map(String::from_iter),
    ]
}

/// The same text without white space, which is folded on the way.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn encoded_text_decodes_to_itself(text in anything()) {
        let holes = ['\u{1}', '\u{2}', '\u{3}', '\r'];
        let text: String = text.chars().filter(|c| !holes.contains(c)).collect();
        let encoded = encode(&text);
        for line in encoded.split(|octet| *octet == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            prop_assert!(line.len() <= LINE_OCTETS_MAX);
            prop_assert!(line.iter().all(|octet| (b' '..=b'~').contains(octet) || *octet == b'\t'));
            prop_assert!(!line.ends_with(b" ") && !line.ends_with(b"\t"));
            prop_assert!(!line.starts_with(b"."));
        }
        let decoded = quoted_printable_decode(&encoded).unwrap_or_default();
        let decoded = String::from_utf8(decoded).unwrap().replace("\r\n", "\n");
        let ended = if text.is_empty() || text.ends_with('\n') { text } else { text + "\n" };
        prop_assert_eq!(decoded, ended);
    }

    #[test]
    fn any_text_in_any_field_makes_a_sound_mail(
        title in anything(), place in anything(), source in anything(),
        summary in anything(), address in anything(),
    ) {
        thread_local! { static TEMPLATES: Templates = templates(); }
        let places = [place.as_str()];
        let entry = EntryView {
            title: &title, places: &places, source_name: &source, summary: &summary,
            link: Some(&place), ..EntryView::default()
        };
        let envelope = Envelope { address: &address, ..envelope() };
        let [text, html] = TEMPLATES.with(|templates| parts(templates, &entry, &envelope));
        let shown = squeezed(&clean(&title, TITLE_CHARS_MAX));
        prop_assert!(squeezed(&text).contains(&shown));
        let page = Html::parse_document(&html);
        let heading = page.select(&Selector::parse("h3").unwrap()).next().unwrap();
        let heading = squeezed(&heading.text().collect::<String>());
        prop_assert!(heading == shown || shown.is_empty() && !heading.is_empty());
        prop_assert_eq!(page.select(&Selector::parse("a").unwrap()).count(), 3);
    }
}
