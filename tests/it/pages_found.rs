//! News lists of the usual content systems, with what stands around them; and what `source test`
//! says that would fix them.

use std::path::Path;

use banditore::ingest::{PageSelectors, ReadError, Reading, SourceKind, find_selectors, read};
use banditore::model::Timestamp;
use chrono_tz::Europe::Rome;
use url::Url;

use crate::support::at;

fn now() -> Timestamp {
    at("2022-11-25T08:00:00Z")
}

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pages");
    std::fs::read(folder.join(format!("{name}.html"))).unwrap()
}

fn read_page(body: &[u8], selectors: &PageSelectors) -> Result<Reading, ReadError> {
    let base: Url = "https://www.comune.example/elenco".parse().unwrap();
    read(body, Some("text/html"), &base, SourceKind::Auto, selectors, Rome, now())
}

/// Day, title, address and text of each item.
fn seen(reading: &Reading) -> String {
    let lines = reading.items.iter().map(|item| {
        let day = item.published.map_or("-".to_owned(), |time| {
            time.with_timezone(&Rome).format("%d/%m/%Y").to_string()
        });
        let link = item.link.as_deref().unwrap_or("-").replace("https://www.comune.example", "");
        let text = item.summary.replace('\n', " / ");
        format!("{}\n", format!("{day} | {} | {link} | {text}", item.title).trim_end())
    });
    lines.collect()
}

const SYSTEMS: [&str; 10] = [
    "di-wordpress",
    "di-plone",
    "di-static",
    "drupal-views",
    "drupal-teasers",
    "joomla-category",
    "bootstrap-cards",
    "bootstrap-list",
    "definitions-titles",
    "notices-table",
];

#[test]
fn lists_are_found_among_menus_spotlights_calendars_pagers_and_files() {
    let all = SYSTEMS.map(|name| {
        let found = read_page(&fixture(name), &PageSelectors::default());
        let found = found.unwrap_or_else(|error| panic!("{name}: {error}"));
        format!("{name}\n{}", seen(&found))
    });
    insta::assert_snapshot!(all.concat());
}

#[test]
fn the_selectors_that_are_offered_find_the_same_items() {
    let mut offered = String::new();
    for name in SYSTEMS {
        let body = fixture(name);
        let Some(selectors) = find_selectors(&body, Some("text/html"), Rome, now()) else {
            offered.push_str(&format!("{name}: none\n"));
            continue;
        };
        let plain = read_page(&body, &PageSelectors::default()).unwrap();
        let named = read_page(&body, &selectors).unwrap();
        assert_eq!(seen(&plain), seen(&named), "{name}: {selectors:?}");
        let shown = [&selectors.item, &selectors.title, &selectors.date];
        let shown = shown.map(|css| css.as_deref().unwrap_or("-")).join(" | ");
        offered.push_str(&format!("{name}: {shown}\n"));
    }
    insta::assert_snapshot!(offered);
}

#[test]
fn a_page_that_has_a_feed_offers_it_and_not_that_of_its_comments() {
    let reading = read_page(&fixture("di-wordpress"), &PageSelectors::default()).unwrap();
    assert_eq!(reading.feeds, ["https://www.comune.example/feed/"]);
    let reading = read_page(&fixture("joomla-category"), &PageSelectors::default()).unwrap();
    let feeds = ["rss", "atom"]
        .map(|kind| format!("https://www.comune.example/avvisi?format=feed&type={kind}"));
    assert_eq!(reading.feeds, feeds);
    let page = "<html><head><link rel='alternate feed' type='application/atom+xml' href='/f'>
        <link rel=alternate type=application/rss+xml href='javascript:x'></head><p>Ciao</p>";
    let error = read_page(page.as_bytes(), &PageSelectors::default()).unwrap_err();
    assert_eq!(error, ReadError::NoListButFeed("https://www.comune.example/f".to_owned()));
    assert_eq!(error.hint(), "give the address of that feed instead");
}

#[test]
fn what_templates_leave_in_a_text_is_none_of_it() {
    let item = |n: u8, text: &str| {
        format!("<div class=n><h3><a href=/{n}>Avviso {n}</a></h3><i>{n}/11/2022</i>{text}</div>")
    };
    let page = [
        item(9, "<p>Testo nove.</p><a href=/9>LEGGI DI PIÙ SU LOREM IPSUM</a>"),
        item(8, "<p>Testo otto.]]></p><p>Lorem ipsum dolor sit amet</p><nav><a>Menu</a></nav>"),
        item(7, "<p>Leggi la delibera in Comune. Testo sette.</p><p>Leggi tutto: Avviso 7</p>"),
    ]
    .concat();
    let reading = read_page(page.as_bytes(), &PageSelectors::default()).unwrap();
    insta::assert_snapshot!(seen(&reading), @r"
    09/11/2022 | Avviso 9 | /9 | Testo nove.
    08/11/2022 | Avviso 8 | /8 | Testo otto.
    07/11/2022 | Avviso 7 | /7 | Leggi la delibera in Comune. Testo sette.
    ");
}
