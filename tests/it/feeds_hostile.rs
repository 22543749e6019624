//! What hostile sources send: no panic, and nothing unbounded comes out. `scripts/soak fuzz` runs
//! these with many more cases.

use std::path::Path;

use banditore::ingest::{
    CATEGORIES_MAX, Headline, ITEMS_MAX, PageSelectors, SourceKind, WARNINGS_MAX, clean,
    find_selectors, read,
};
use chrono_tz::Europe::Rome;
use proptest::prelude::*;
use url::Url;

use crate::support::at;

/// Whole answers, to be broken.
fn seeds() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pages");
    let pages = ["di-wordpress", "joomla-category", "notices-table", "definitions-titles"];
    let mut seeds: Vec<Vec<u8>> = pages
        .iter()
        .map(|name| std::fs::read(folder.join(format!("{name}.html"))).unwrap())
        .collect();
    let rss = "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><rss version=\"2.0\" \
        xmlns:media=\"http://search.yahoo.com/mrss/\"><channel><title>AlboPOP - Comune</title>\
        <link>https://www.comune.example/</link><item><title>Citt&agrave; A&B</title><link>/1\
        </link><guid>1</guid><pubDate>Tue, 22 Nov 2022 10:30:00 +000</pubDate><summary>Breve\
        </summary><description><![CDATA[<p>Uno <b>due</b>]]&gt; Leggi tutto</p>]]></description>\
        <category domain=\"http://albopop.it/specs#item-category-pubEnd\">30/11/2022</category>\
        <media:title>x</media:title></item><item><title>Due</title></item></channel></rss>";
    let atom = "<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:base=\"/a/\"><title>T</title>\
        <entry xml:base=\"b/\"><id>u</id><title type=\"html\">&lt;b&gt;x</title><link \
        rel=\"alternate\" href=\"1\"/><content type=\"xhtml\"><div><p>Uno</p></div></content>\
        <summary mode=\"base64\">UGVy</summary></entry></feed>";
    let json = r#"{"version": "https://jsonfeed.org/version/1.1", "title": "T", "items":
        [{"id": 1, "url": "/1", "content_html": "<p>x</p>", "tags": ["a"], "date_published":
        "2022-11-22T10:00:00Z", "attachments": [{"url": "/a", "mime_type": "a/b"}]}]}"#;
    let cdf = "<CHANNEL HREF=\"/\"><TITLE>C</TITLE><ITEM HREF=\"/1\"><TITLE>U</TITLE>\
        <ABSTRACT>T</ABSTRACT></ITEM></CHANNEL>";
    seeds.extend([rss, atom, json, cdf].map(|text| text.as_bytes().to_vec()));
    seeds
}

/// A change of some octets: at a place, in parts of a thousand, so many are taken away and others
/// put in.
type Change = (usize, usize, Vec<u8>);

fn changed(mut body: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for (place, taken, put) in changes {
        let from = body.len() * place / 1000;
        let to = (from + taken).min(body.len());
        body.splice(from..to, put.iter().copied());
    }
    body
}

fn change() -> impl Strategy<Value = Change> {
    let pieces = prop::sample::select(vec![
        "<item>",
        "</item>",
        "</channel>",
        "<channel>",
        "]]>",
        "<![CDATA[",
        "<!--",
        "<",
        ">",
        "&",
        "\"",
        "<p>",
        "</rss>",
        "<rss",
        "\u{feff}",
        "<?xml",
        "é",
        "{",
        "}",
        "null",
        "<nav>",
    ]);
    let put = prop_oneof![
        pieces.prop_map(|piece| piece.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..6),
    ];
    (0..1000usize, 0..40usize, put)
}

proptest! {
    #[test]
    fn no_broken_answer_makes_a_reader_panic_or_gives_more_than_its_bounds(
        seed in 0..8usize,
        changes in prop::collection::vec(change(), 1..12),
        said in prop::option::of(prop::sample::select(vec![
            "text/xml", "text/html; charset=utf-16", "text/xml; charset=windows-1252", "a;charset=",
        ])),
        kind in prop::sample::select(vec![SourceKind::Auto, SourceKind::Feed, SourceKind::Page]),
    ) {
        let body = changed(seeds().swap_remove(seed), &changes);
        let base: Url = "https://www.comune.example/a/b".parse().unwrap();
        let (selectors, now) = (PageSelectors::default(), at("2022-11-25T08:00:00Z"));
        if let Ok(mut reading) = read(&body, said, &base, kind, &selectors, Rome, now) {
            Headline::Description.apply(&mut reading);
            prop_assert!(reading.items.len() <= ITEMS_MAX);
            prop_assert!(reading.warnings.len() <= WARNINGS_MAX);
            for item in &reading.items {
                prop_assert!(item.title.chars().count() <= clean::TITLE_CHARS_MAX + 1);
                prop_assert!(!item.title.contains(|c: char| c.is_control()));
                prop_assert!(item.summary.chars().count() <= clean::TEXT_CHARS_MAX + 1);
                prop_assert!(item.categories.len() <= CATEGORIES_MAX + 1);
                let web = |link: &String| link.starts_with("http");
                prop_assert!(item.link.as_ref().is_none_or(web), "{:?}", item.link);
                let content = item.content.to_lowercase();
                prop_assert!(!content.contains("<script") && !content.contains("<img"));
            }
        }
        let _ = find_selectors(&body, said, Rome, now);
    }
}

/// A head, so many octets of one piece, and an end.
fn shapes(octets: usize) -> Vec<(String, String, &'static str)> {
    let (rss, atom) = ("<rss version=\"2.0\"><channel>", "<feed>");
    let bases = format!("<feed xml:base=\"/{}/\">", "a".repeat(octets / 2));
    let spelt = |n: usize| -> String {
        let letter = |(at, c): (usize, char)| match n >> at & 1 {
            1 => c.to_ascii_uppercase(),
            _ => c,
        };
        "content:encoded".chars().enumerate().map(letter).collect()
    };
    let spellings: String = (0..octets / 32).map(|n| format!("<a><{}></a>", spelt(n))).collect();
    let entities: String = (0..octets / 9).map(|n| format!("&a{n};")).collect();
    let tag = |inner: &str| format!("{rss}<item {inner} ><title>x</title></item>");
    [
        (rss, "<a><item></a>", "</item></channel></rss>"),
        (rss, "<a><ITEM></a><item>", "</item></channel></rss>"),
        (rss, "<item>", "</item></channel></rss>"),
        (rss, "<item><title>", ""),
        (rss, "<item></item>", ""),
        (rss, "<x><title><!-- <![CDATA[ --></x>", "</title>"),
        (rss, "<x><title><![CDATA[ ]]></x>", "</title>"),
        (rss, "<title></title x", ""),
        (rss, "<title>&lt;a&lt;", "</title></channel></rss>"),
        (rss, "<item><description>&lt;a&lt;b", "</description></item>"),
        (rss, "<![CDATA[", ""),
        (rss, "<!--", ""),
        (rss, "<!doctype [", ""),
        (rss, "<?", ""),
        (rss, "<a", ""),
        (rss, "<a \"", ""),
        (rss, "&", ""),
        (rss, "</a>", ""),
        (rss, "</channel>", ""),
        (rss, "<channel>", ""),
        (rss, "<item xml:base=\"b/\"></item>", ""),
        (atom, "<x><summary><!-- <![CDATA[ --></x>", "</summary>"),
        (atom, "<entry><title type=\"xhtml\">", ""),
        (atom, "<entry xml:base=\"a/\"><summary>x</summary></entry>", "</feed>"),
        (bases.as_str(), "<entry xml:base=\"a/\"><summary>x</summary></entry>", "</feed>"),
        ("<rdf:RDF>", "<item rdf:about=\"x\"><title>", "</rdf:RDF>"),
        ("{\"items\":[", "{\"id\":1},", "{}]}"),
        ("{\"items\":", "[", ""),
        ("", "<html>", ""),
        ("", "<!-- -->", ""),
        ("<html><body>", "<ul><li><a href=x>12/11/2022</a>", ""),
        ("<html><body>", "<table><tr><td>12/11/2022 <a href=x>x</a>", ""),
        ("<html><body>", "<p>12/11/2022", ""),
    ]
    .map(|(head, piece, end)| (head.to_owned(), piece.repeat(octets / piece.len()), end))
    .into_iter()
    .chain([
        (rss.to_owned(), spellings, "</channel></rss>"),
        (rss.to_owned(), entities, "</channel></rss>"),
        (
            tag(&format!("\" {}", " xml:base=''".repeat(octets / 12))),
            String::new(),
            "</channel></rss>",
        ),
        (tag(&" HREF=\"x".repeat(octets / 8)), String::new(), "</channel></rss>"),
    ])
    .collect()
}

/// Reading that looked from each of its places to the end would not end here. `scripts/soak fuzz`
/// gives whole mebibytes.
#[test]
fn much_of_any_one_piece_is_read_without_looking_at_it_again_and_again() {
    let kibibytes = std::env::var("BANDITORE_HOSTILE_KIBIBYTES").ok();
    let kibibytes: usize = kibibytes.map_or(128, |text| text.parse().unwrap());
    let octets = kibibytes << 10;
    let base: Url = "https://www.comune.example/a/b".parse().unwrap();
    let (selectors, now) = (PageSelectors::default(), at("2022-11-25T08:00:00Z"));
    for (head, body, end) in shapes(octets) {
        let answer = [head.as_str(), &body, end].concat();
        let begun = std::time::Instant::now();
        let read = read(answer.as_bytes(), None, &base, SourceKind::Auto, &selectors, Rome, now);
        let items = read.map_or(0, |reading| reading.items.len());
        assert!(items <= ITEMS_MAX);
        // Seen with `--nocapture`: which shape is slow.
        let piece: String = body.chars().take(40).collect();
        println!("{:>6} ms  {piece}", begun.elapsed().as_millis());
    }
}
