//! Feeds: what a reader must get out of them, however they are written.

use std::path::Path;

use banditore::ingest::{
    ITEMS_MAX, PageSelectors, ReadError, ReadItem, Reading, ReadingKind, SourceKind, clean,
    parse_date, read,
};
use banditore::model::Timestamp;
use chrono::{DateTime, Utc};
use chrono_tz::Europe::Rome;
use proptest::prelude::*;
use url::Url;

fn now() -> Timestamp {
    "2022-11-25T08:00:00Z".parse::<DateTime<Utc>>().unwrap().into()
}

fn read_as(
    body: &[u8],
    content_type: Option<&str>,
    kind: SourceKind,
) -> Result<Reading, ReadError> {
    let base: Url = "https://www.comune.example/feed/rss.xml".parse().unwrap();
    read(body, content_type, &base, kind, &PageSelectors::default(), Rome, now())
}

fn reading(feed: &str) -> Reading {
    read_as(feed.as_bytes(), None, SourceKind::Auto).unwrap()
}

/// An RSS feed around the inside of one item.
fn rss(item: &str) -> String {
    format!("<rss version=\"2.0\"><channel><title>T</title><item>{item}</item></channel></rss>")
}

fn only(feed: &str) -> ReadItem {
    let mut items = reading(feed).items;
    assert_eq!(items.len(), 1, "{feed}");
    items.remove(0)
}

fn rome(time: Option<DateTime<Utc>>) -> Option<String> {
    time.map(|time| Timestamp::from(time).rfc3339(Rome))
}

#[test]
fn rss_gives_title_link_id_dates_text_and_categories() {
    let feed = reading(
        r#"<?xml version="1.0"?><rss version="2.0"
            xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>
        <title>Comune &amp; dintorni</title><link>/it</link>
        <item><title>Bando</title><link>/bandi/1</link><guid isPermaLink="false">b-1</guid>
        <pubDate>Tue, 22 Nov 2022 10:30:00 +0100</pubDate><category>Bandi</category>
        <category>Lavori</category><description>In breve.</description>
        <content:encoded><![CDATA[<p>Il <b>testo</b> con <a href="../a.pdf">allegato</a>
        <img src="/x.png" alt="Foto del cantiere"></p><script>x()</script>]]></content:encoded>
        </item></channel></rss>"#,
    );
    assert_eq!(feed.kind, ReadingKind::Rss);
    assert_eq!(feed.title.as_deref(), Some("Comune & dintorni"));
    assert_eq!(feed.link.as_deref(), Some("https://www.comune.example/it"));
    assert_eq!(feed.warnings, Vec::<String>::new());
    let item = &feed.items[0];
    assert_eq!(item.title, "Bando");
    assert_eq!(item.link.as_deref(), Some("https://www.comune.example/bandi/1"));
    assert_eq!(item.id.as_deref(), Some("b-1"));
    assert_eq!(rome(item.published).as_deref(), Some("2022-11-22T10:30:00+01:00"));
    assert_eq!(item.summary, "In breve.");
    assert_eq!(item.categories, ["Bandi", "Lavori"]);
    assert_eq!(item.image_alt, ["Foto del cantiere"]);
    insta::assert_snapshot!(item.content, @r#"
    <p>Il <b>testo</b> con <a href="https://www.comune.example/a.pdf">allegato</a>
            </p>
    "#);
}

#[test]
fn atom_gives_the_alternate_link_and_both_dates() {
    let feed = reading(
        r#"<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://www.comune.example/atom/">
        <title type="html">Avvisi &amp;lt;nuovi&amp;gt;</title><link rel="self" href="self.xml"/>
        <link href="/avvisi"/>
        <entry><id>urn:1</id><title type="text">A &lt; B</title>
        <link rel="edit" href="edit/1"/><link rel="alternate" type="text/html" href="1"/>
        <published>2022-11-21T09:00:00+01:00</published><updated>2022-11-22T08:00:00Z</updated>
        <category term="x" label="Ambiente"/>
        <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p title="&quot;">Uno</p>
        <p>Due</p></div></content></entry></feed>"#,
    );
    assert_eq!(feed.kind, ReadingKind::Atom);
    assert_eq!(feed.title.as_deref(), Some("Avvisi <nuovi>"));
    assert_eq!(feed.link.as_deref(), Some("https://www.comune.example/avvisi"));
    let item = &feed.items[0];
    assert_eq!(item.title, "A < B");
    assert_eq!(item.id.as_deref(), Some("urn:1"));
    assert_eq!(item.link.as_deref(), Some("https://www.comune.example/atom/1"));
    assert_eq!(rome(item.published).as_deref(), Some("2022-11-21T09:00:00+01:00"));
    assert_eq!(rome(item.updated).as_deref(), Some("2022-11-22T09:00:00+01:00"));
    assert_eq!(item.summary, "Uno\nDue");
    assert_eq!(item.categories, ["Ambiente"]);
}

#[test]
fn rdf_gives_its_items_with_what_they_are_about_as_id() {
    let feed = reading(
        r#"<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
            xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
        <channel rdf:about="https://www.comune.example/"><title>Comune</title></channel>
        <item rdf:about="https://www.comune.example/n/1"><title>Uno</title><link>/n/uno</link>
        <dc:date>2022-11-22T10:00:00+01:00</dc:date></item>
        <item><title>Due</title></item></rdf:RDF>"#,
    );
    assert_eq!(feed.kind, ReadingKind::Rss);
    let [one, two] = &feed.items[..] else { panic!("{feed:?}") };
    assert_eq!(one.id.as_deref(), Some("https://www.comune.example/n/1"));
    assert_eq!(one.link.as_deref(), Some("https://www.comune.example/n/uno"));
    assert_eq!(rome(one.published).as_deref(), Some("2022-11-22T10:00:00+01:00"));
    assert_eq!((two.title.as_str(), &two.id, &two.link), ("Due", &None, &None));
}

#[test]
fn json_feed_is_read_with_ids_that_are_numbers() {
    let feed = reading(
        r#"{"version": "http://jsonfeed.org/version/1.1", "title": "Comune",
        "home_page_url": "https://www.comune.example/", "items": [{"id": 7, "url": "/n/7",
        "title": "Sagra <nuova>", "content_html": "<p>Vieni</p>", "tags": ["Eventi"],
        "date_published": "2022-11-22T10:00:00+01:00", "attachments": [{"url": "/n/7.pdf",
        "mime_type": "application/pdf"}]}]}"#,
    );
    assert_eq!(feed.kind, ReadingKind::Json);
    let item = &feed.items[0];
    assert_eq!(item.id.as_deref(), Some("7"));
    assert_eq!(item.link.as_deref(), Some("https://www.comune.example/n/7"));
    assert_eq!((item.title.as_str(), item.summary.as_str()), ("Sagra <nuova>", "Vieni"));
    assert_eq!(item.categories, ["Eventi"]);
}

#[test]
fn every_version_of_rss_is_read() {
    for start in [
        "<rss version=\"0.91\">",
        "<rss version='0.92'>",
        "<rss version=\"0.93\">",
        "<rss version=\"2.01\">",
        "<rss>",
        "<RSS VERSION=\"2.0\">",
        "<!DOCTYPE rss [<!ENTITY x \"y\">]><rss version=\"0.91\">",
        "<rss version=\"2.0\" xmlns=\"http://backend.userland.com/rss2\">",
    ] {
        let feed = format!("{start}<channel><item><title>Uno</title></item></channel></rss>");
        let end = if start.starts_with("<RSS") { feed.replace("</rss>", "</RSS>") } else { feed };
        assert_eq!(only(&end).title, "Uno", "{start}");
    }
}

#[test]
fn an_id_that_the_feed_does_not_give_is_not_invented() {
    let item = only(&rss("<title>Avviso</title><link>https://www.comune.example/1</link>"));
    assert_eq!(item.id, None);
    let item = only(&rss("<title>Avviso</title><guid>https://www.comune.example/g</guid>"));
    assert_eq!(item.link.as_deref(), Some("https://www.comune.example/g"));
}

#[test]
fn a_title_with_line_breaks_becomes_one_line() {
    let evil = "Avviso&#13;&#10;Bcc: tutti@comune.example&#9;X-Altro: \u{202e}si\u{2028}no";
    let item = only(&rss(&format!("<title>{evil}</title>")));
    assert_eq!(item.title, "Avviso Bcc: tutti@comune.example X-Altro: si no");
    let item = only(&rss("<title><![CDATA[Uno\r\nBcc: <b>due</b>\t\u{b}]]></title>"));
    assert_eq!(item.title, "Uno Bcc: due");
    let page = format!("<li><h3>{evil}</h3></li>");
    let selectors = PageSelectors { item: Some("li".to_owned()), ..PageSelectors::default() };
    let base: Url = "https://www.comune.example/".parse().unwrap();
    let reading =
        read(page.as_bytes(), None, &base, SourceKind::Page, &selectors, Rome, now()).unwrap();
    assert!(!reading.items[0].title.contains(|c: char| c.is_control()));
}

#[test]
fn italian_dates_in_feeds_are_read_and_bad_ones_are_none() {
    for (written, expected) in [
        ("22 Novembre 2022", Some("2022-11-22T00:00:00+01:00")),
        ("martedì 22 novembre 2022 ore 12.30", Some("2022-11-22T12:30:00+01:00")),
        ("22/11/2022", Some("2022-11-22T00:00:00+01:00")),
        ("Mar, 22 Nov 2022 10:30:00 GMT", Some("2022-11-22T11:30:00+01:00")),
        ("2022-11-22", Some("2022-11-22T00:00:00+01:00")),
        ("31/02/2022", None),
        ("presto", None),
        ("", None),
    ] {
        let item = only(&rss(&format!("<title>A</title><pubDate>{written}</pubDate>")));
        assert_eq!(rome(item.published).as_deref(), expected, "{written}");
    }
}

#[test]
fn a_charset_is_taken_from_mark_http_declaration_or_the_octets() {
    let text = rss("<title>Novità perché “così”</title>");
    let declared = |charset: &str| format!("<?xml version=\"1.0\" encoding=\"{charset}\"?>{text}");
    let latin = |text: &str| encoding_rs::WINDOWS_1252.encode(text).0.into_owned();
    let utf16: Vec<u8> = declared("utf-16").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked = [&[0xff, 0xfe], &utf16[..]].concat();
    for (body, content_type, warned) in [
        (text.clone().into_bytes(), None, false),
        (["\u{feff}", &text].concat().into_bytes(), Some("text/xml; charset=iso-8859-1"), false),
        (latin(&text), Some("text/xml; charset=windows-1252"), false),
        (latin(&declared("utf-8")), Some("application/xml; charset=\"Windows-1252\""), false),
        (latin(&declared("iso-8859-1")), Some("application/rss+xml"), false),
        (latin(&text), None, true),
        (latin(&declared("utf-8")), Some("text/xml; charset=utf-8"), true),
        (declared("iso-8859-1").into_bytes(), None, true),
        (utf16, None, false),
        (marked, None, false),
    ] {
        let reading = read_as(&body, content_type, SourceKind::Feed).unwrap();
        assert_eq!(reading.items[0].title, "Novità perché “così”", "{content_type:?}");
        assert_eq!(!reading.warnings.is_empty(), warned, "{:?}", reading.warnings);
    }
}

#[test]
fn control_characters_that_were_dashes_and_quotation_marks_are_so_again() {
    let item = only(&rss("<title>Un\u{92}idea \u{96} \u{93}nuova\u{94}: 5 \u{80}</title>"));
    assert_eq!(item.title, "Un’idea – “nuova”: 5 €");
}

#[test]
fn entities_that_only_html_knows_and_lone_signs_are_mended() {
    let feed = reading(&rss(
        "<title>Citt&agrave; &euro;&nbsp;5 &#146;ok&#8217; A&B &pippo; 1 &lt; 2</title>
         <link>https://www.comune.example/?a=1&b=2</link>",
    ));
    let item = &feed.items[0];
    assert_eq!(item.title, "Città € 5 ’ok’ A&B &pippo; 1 < 2");
    assert_eq!(item.link.as_deref(), Some("https://www.comune.example/?a=1&b=2"));
    assert_eq!(feed.warnings, ["line 1: 3 signs & that begin no entity were mended"]);
}

#[test]
fn broken_xml_gives_what_is_whole_and_says_where_it_breaks() {
    let feed = reading(
        "<rss version=\"2.0\"><channel>\n<item><title>Uno</title></b></item>\n\
         <item><title>Due</title><category>x</item>\n<item><title>Tre</title><descri",
    );
    let titles: Vec<&str> = feed.items.iter().map(|item| item.title.as_str()).collect();
    assert_eq!(titles, ["Uno", "Due", "Tre"]);
    assert_eq!(
        feed.warnings,
        [
            "line 2: </b> ends nothing; mended",
            "line 3: </item> ends more than its own element; mended",
            "line 4: the feed ends inside of rss, channel, item; mended",
        ]
    );
}

#[test]
fn markup_inside_of_a_text_becomes_the_text() {
    let item =
        only(&rss("<title>A <b>B</b></title><description><p>Uno &amp; due</p></description>"));
    assert_eq!((item.title.as_str(), item.summary.as_str()), ("A B", "Uno & due"));
    assert_eq!(item.content, "<p>Uno &amp; due</p>");
    let item = only(
        "<feed version=\"0.3\" xmlns=\"http://purl.org/atom/ns#\"><entry>
         <title mode=\"base64\">UGVyY2jDqQ==</title><modified>2022-11-22T10:00:00+01:00</modified>
         <content type=\"application/xhtml+xml\"><xhtml:p xmlns:xhtml=\"x\">Due</xhtml:p></content>
         </entry></feed>",
    );
    assert_eq!((item.title.as_str(), item.content.as_str()), ("Perché", "<p>Due</p>"));
    assert_eq!(rome(item.updated).as_deref(), Some("2022-11-22T10:00:00+01:00"));
}

#[test]
fn nothing_that_acts_or_loads_is_left_in_the_content() {
    let item =
        only(&rss("<description><![CDATA[<p onclick=x() style='color:red' class=c>Testo</p>
         <script>alert(1)</script><style>p{}</style><iframe src=https://altro.example></iframe>
         <img src=https://altro.example/pixel.gif alt=''><a href='JavaScript:alert(1)'>uno</a>
         <a href='data:text/html,x'>due</a><a href='file:///etc/passwd'>tre</a>
         <a href='mailto:urp@comune.example'>quattro</a><form><input name=a></form>
         <svg onload=x()><a href=x>y</a></svg><object data=x></object>]]></description>"));
    for bad in
        ["script", "style", "iframe", "img", "data:", "file:", "onclick", "svg", "form", "object"]
    {
        assert!(!item.content.to_lowercase().contains(bad), "{bad}: {}", item.content);
    }
    assert!(item.content.contains("<a href=\"mailto:urp@comune.example\">quattro</a>"));
    assert_eq!(item.summary, "Testo\nuno duetre quattro");
}

#[test]
fn a_feed_of_too_many_items_is_cut_and_says_so() {
    let items = "<item><title>A</title></item>".repeat(ITEMS_MAX + 3);
    let feed = reading(&format!("<rss version=\"2.0\"><channel>{items}</channel></rss>"));
    assert_eq!(feed.items.len(), ITEMS_MAX);
    assert_eq!(feed.warnings, ["3 items beyond the first 5000 were left out"]);
}

#[test]
fn hostile_sizes_and_nestings_become_text_or_errors() {
    for word in ["x", "parola "] {
        let feed = reading(&rss(&format!("<title>{}</title>", word.repeat(1_000_000))));
        let title = &feed.items[0].title;
        assert!(title.ends_with('…') && title.chars().count() <= clean::TITLE_CHARS_MAX + 1);
        assert_eq!(feed.warnings, ["1 titles were cut at 500 characters"]);
    }
    let deep = format!("{}Testo", "<div>".repeat(50_000));
    let feed = reading(&rss(&format!("<description><![CDATA[{deep}]]></description>")));
    assert_eq!(feed.items[0].summary, "Testo");
    assert_eq!(feed.warnings.len(), 1);
    let long = format!("<p>{}</p>", "parola ".repeat(200_000));
    let feed = reading(&rss(&format!("<description><![CDATA[{long}]]></description>")));
    assert!(feed.items[0].content.len() <= clean::HTML_OCTETS_MAX + 16);
    assert!(feed.items[0].summary.chars().count() <= clean::TEXT_CHARS_MAX + 1);
    assert_eq!(feed.warnings, ["a text was cut at 524288 octets"]);
    let error = read_as(format!("<rss>{}", "<a>".repeat(300)).as_bytes(), None, SourceKind::Feed);
    assert!(matches!(error, Err(ReadError::Feed(_))), "{error:?}");
    let bomb = r#"<!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
        <!ENTITY c SYSTEM "file:///etc/passwd">]>"#;
    let feed = reading(&[bomb, &rss("<title>&b;&c;</title>")].concat());
    assert_eq!(feed.items[0].title, "&b;&c;");
}

#[test]
fn what_is_no_feed_is_a_clear_error_with_a_hint() {
    let page = "<!DOCTYPE html><html><body><p>Ciao</p></body></html>";
    for (body, kind, expected) in [
        ("", SourceKind::Auto, "the answer is empty"),
        (" \n", SourceKind::Feed, "the answer is empty"),
        (page, SourceKind::Feed, "the answer is an HTML page, not a feed"),
        (
            "ciao",
            SourceKind::Auto,
            "the answer is neither a feed nor an HTML page; it begins with \"ciao\"",
        ),
        ("<?xml version=\"1.0\"?><urlset/>", SourceKind::Auto, "the answer is neither a feed"),
        ("{\"a\": 1}", SourceKind::Auto, "the feed cannot be read: unable to parse JSON: "),
        (
            "<rss version=\"2.0\"></rss>",
            SourceKind::Feed,
            "the feed cannot be read: unable to parse feed: no root element",
        ),
    ] {
        let error = read_as(body.as_bytes(), None, kind).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
        assert!(!error.hint().is_empty());
    }
}

#[test]
fn a_file_of_a_feed_may_link_beside_itself() {
    let base: Url = "file:///srv/news/feed.xml".parse().unwrap();
    let body = rss("<title>A</title><link>a.html</link>");
    let selectors = PageSelectors::default();
    let reading =
        read(body.as_bytes(), None, &base, SourceKind::Auto, &selectors, Rome, now()).unwrap();
    assert_eq!(reading.items[0].link.as_deref(), Some("file:///srv/news/a.html"));
}

/// Where they are at hand.
#[test]
fn of_the_published_cases_of_a_feed_readers_tests_all_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/feeds");
    let Ok(rows) = std::fs::read_to_string(folder.join("expected.jsonl")) else { return };
    let rows: Vec<serde_json::Value> =
        rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let failed: Vec<_> = rows.iter().filter(|row| !holds(&folder, row)).collect();
    let names: Vec<_> = failed.iter().map(|row| (&row["file"], &row["path"])).collect();
    assert!(names.is_empty(), "{} of {}: {names:#?}", names.len(), rows.len());
}

fn holds(folder: &Path, row: &serde_json::Value) -> bool {
    let file = row["file"].as_str().unwrap();
    let header = |name: &str| {
        let headers = row["http_headers"].as_object()?;
        let (_, value) = headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        value.as_str()
    };
    let base: Url = format!("http://127.0.0.1:8097/{file}").parse().unwrap();
    let base = header("content-location").map_or(base.clone(), |at| base.join(at).unwrap());
    let body = std::fs::read(folder.join(file)).unwrap();
    let (kind, selectors) = (SourceKind::Auto, PageSelectors::default());
    let content_type = header("content-type");
    let Ok(reading) = read(&body, content_type, &base, kind, &selectors, Rome, now()) else {
        return false;
    };
    let item = reading.items.first().cloned().unwrap_or_default();
    let seconds = |time: Option<DateTime<Utc>>| time.map(|time| time.timestamp());
    let expected = match &row["value"] {
        serde_json::Value::String(text) => text.clone(),
        numbers => {
            let n: Vec<i64> =
                numbers.as_array().unwrap().iter().filter_map(|n| n.as_i64()).collect();
            format!("{}-{:02}-{:02}T{:02}:{:02}:{:02}Z", n[0], n[1], n[2], n[3], n[4], n[5])
        }
    };
    let when = || seconds(parse_date(&expected, chrono_tz::UTC, now()));
    let words = |html: &str| clean::line(&clean::text_of(html), usize::MAX);
    let is_content = row["path"] == "entries[0].content[0].value";
    let found = match row["path"].as_str().unwrap() {
        "feed.title" => reading.title,
        "feed.link" => reading.link,
        "entries[0].title" => Some(item.title),
        "entries[0].summary" => Some(item.summary),
        "entries[0].content[0].value" => Some(item.content),
        "entries[0].id" => item.id,
        "entries[0].link" => item.link,
        "entries[0].updated_parsed" => return when() == seconds(item.updated),
        _ => return when() == seconds(item.published),
    };
    let found = found.unwrap_or_default();
    let folded = clean::line(&expected, usize::MAX);
    // Content is HTML, whatever it was: signs of a plain text stand in it escaped.
    let same_text = is_content && words(&found) == folded;
    found == folded || found == words(&expected) || words(&found) == words(&expected) || same_text
}

proptest! {
    #[test]
    fn no_feed_makes_the_reader_panic(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "<item>", "</item>", "<title>", "</title>", "<description>", "</description>",
                "<![CDATA[", "]]>", "<!--", "-->", "&", "&amp;", "&#0;", "&#x110000;", "&egrave;", "<",
                "<b>", "</b>", "<link>", "<link href='//x'/>", "<content type=\"xhtml\">", "</content>",
                "<content mode='base64'>", "è", "\u{0}", "<a b=\"", "'", "<pubDate>31/2", "<x:y>",
                "<item rdf:about=\"a&b\">", "<entry xml:base='::'>", "<!DOCTYPE", "[", "<?", "</", "/>",
            ]), 0..60),
        root in prop::sample::select(vec![
            "<rss version=\"2.0\"><channel>", "<feed xmlns=\"http://www.w3.org/2005/Atom\">",
            "<rdf:RDF xmlns=\"http://purl.org/rss/1.0/\">", "<rss", "{",
        ]),
    ) {
        let feed = [root, &pieces.concat()].concat();
        let _ = read_as(feed.as_bytes(), None, SourceKind::Feed);
        let _ = read_as(feed.as_bytes(), Some("text/html; charset=utf-16"), SourceKind::Auto);
    }

    #[test]
    fn no_octets_make_the_reader_of_feeds_panic(body in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read_as(&body, None, SourceKind::Feed);
        let _ = read_as(&[b"<rss version='2.0'><channel><item>", &body[..]].concat(), None, SourceKind::Feed);
    }
}
