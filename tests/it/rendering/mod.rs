//! Mails say what they have to, to people and to machines.

#![allow(clippy::unwrap_used)]

mod headers;
mod hostile;
mod page;
mod sample;
mod templates;
mod wording;

use banditore::model::Language;
use banditore::rendering::mime::{Boundary, assemble, body, headers};
use banditore::rendering::{Sources, Templates};
use sample::{envelope, fragments, header, message, parsed, told};

fn templates() -> Templates {
    Templates::compile(Sources::embedded()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_italian_digest_reads_like_this() {
    let message = message(&templates(), &told(), Language::It, &envelope());
    insta::assert_snapshot!("digest_it", String::from_utf8(message).unwrap());
}

#[test]
fn the_english_digest_reads_like_this() {
    let message = message(&templates(), &told(), Language::En, &envelope());
    insta::assert_snapshot!("digest_en", String::from_utf8(message).unwrap());
}

#[test]
fn the_text_part_reads_like_this() {
    let message = message(&templates(), &told(), Language::It, &envelope());
    insta::assert_snapshot!("digest_it_text", sample::text_of(&parsed(&message)));
}

#[test]
fn the_same_arguments_give_the_same_bytes() {
    let one = message(&templates(), &told(), Language::It, &envelope());
    let two = message(&templates(), &told(), Language::It, &envelope());
    assert_eq!(one, two);
}

#[test]
fn every_line_ends_with_crlf_and_stays_within_its_limit() {
    let message = message(&templates(), &told(), Language::It, &envelope());
    sample::assert_lines(&message);
}

#[test]
fn a_variant_is_its_fragments_one_after_the_other() {
    let templates = templates();
    let fragments = fragments(&templates, &told(), Language::It);
    let body = body(&Boundary::of(&["v"]), &fragments.iter().collect::<Vec<_>>());
    let text: Vec<u8> = fragments.iter().flat_map(|f| f.text.clone()).collect();
    let html: Vec<u8> = fragments.iter().flat_map(|f| f.html.clone()).collect();
    let contains = |part: &[u8]| body.windows(part.len()).any(|window| window == part);
    assert!(contains(&text) && contains(&html));
}

#[test]
fn the_size_of_a_page_is_known_before_it_is_sent() {
    let templates = templates();
    let sizes: usize =
        fragments(&templates, &told(), Language::It).iter().map(|f| f.html_bytes).sum();
    let message = message(&templates, &told(), Language::It, &envelope());
    let page = sample::html_of(&parsed(&message)).len();
    let (address, tokens) = (sample::ADDRESS.len() - 1, sample::TOKEN.len() - 1);
    assert_eq!(page, sizes + address + tokens);
}

#[test]
fn an_entry_costs_a_few_hundred_octets_besides_its_words() {
    let templates = templates();
    let (_, entry, _) = told()[1];
    let fragment = templates.entry(&entry, Language::It).unwrap();
    let words = entry.title.len() + entry.summary.len() + entry.link.unwrap().len();
    let overhead = fragment.html_bytes - words;
    assert!(overhead < 800, "{overhead} octets");
}

#[test]
fn forty_full_entries_stay_below_what_large_receivers_clip() {
    const CLIPPED_BYTES: usize = 100_000;
    let templates = templates();
    let long = "Parole di una frase che non finisce mai e che ".repeat(12);
    let (title, link) = ("T".repeat(120), format!("https://www.example.org/{}", "p".repeat(120)));
    let one = banditore::rendering::EntryView {
        title: &title,
        link: Some(&link),
        summary: &long,
        ..told()[0].1
    };
    let reason = templates.reason(&told()[0].2, Language::It).unwrap().html_bytes;
    let entry = templates.entry(&one, Language::It).unwrap().html_bytes;
    let frame: usize =
        fragments(&templates, &[], Language::It).iter().map(|fragment| fragment.html_bytes).sum();
    assert!(frame + 40 * (entry + reason) < CLIPPED_BYTES, "{frame} + 40 × ({entry} + {reason})");
}

#[test]
fn stored_bytes_hold_no_recipient() {
    let templates = templates();
    let fragments = fragments(&templates, &told(), Language::It);
    let boundary = Boundary::of(&["v"]);
    let headers = headers(&header("Oggetto", &boundary, Language::It)).unwrap();
    let body = body(&boundary, &fragments.iter().collect::<Vec<_>>());
    let first = assemble(&headers, &body, &envelope());
    let other = banditore::rendering::mime::Envelope {
        address: "altra@example.com",
        token: "ZZZ",
        ..envelope()
    };
    let second = assemble(&headers, &body, &other);
    let [first, second] = [first, second].map(|message| String::from_utf8(message).unwrap());
    let expected =
        first.replace(sample::ADDRESS, "altra@example.com").replace(sample::TOKEN, "ZZZ");
    assert_eq!(second, expected);
    let parsed = parsed(second.as_bytes());
    let unsubscribe = parsed.header_raw("List-Unsubscribe").unwrap();
    for part in [unsubscribe, &sample::text_of(&parsed), &sample::html_of(&parsed)] {
        assert!(part.contains("https://notizie.example.org/u/ZZZ"), "{part}");
    }
}
