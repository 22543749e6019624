//! Feeds as they are found in the wild: what is mended, and what is said of it.

use banditore::ingest::{PageSelectors, ReadError, Reading, ReadingKind, SourceKind, read};
use banditore::model::Timestamp;
use chrono_tz::Europe::Rome;
use url::Url;

use crate::support::at;

fn now() -> Timestamp {
    at("2022-11-25T08:00:00Z")
}

fn read_at(base: &str, body: &[u8]) -> Result<Reading, ReadError> {
    let base: Url = base.parse().unwrap();
    read(body, None, &base, SourceKind::Auto, &PageSelectors::default(), Rome, now())
}

fn reading(body: &str) -> Reading {
    read_at("https://www.comune.example/feed/rss.xml", body.as_bytes()).unwrap()
}

fn titles(reading: &Reading) -> Vec<&str> {
    reading.items.iter().map(|item| item.title.as_str()).collect()
}

fn rss(items: &str) -> String {
    format!("<rss version=\"2.0\"><channel><title>T</title>{items}</channel></rss>")
}

#[test]
fn what_a_broken_program_wrote_before_the_feed_is_left_out_and_said() {
    let feed = rss("<item><title>Uno</title></item>");
    for junk in [
        "<br />\n<b>Warning</b>: mysql_connect() in <b>/feed.php</b> on line <b>3</b><br />\n",
        "Notice: undefined index\n\n<?xml version=\"1.0\"?>",
        "\n\n<div></div>\n<?xml version=\"1.0\" encoding=\"utf-8\"?>",
    ] {
        let read = reading(&format!("{junk}{feed}"));
        assert_eq!((read.kind, titles(&read)), (ReadingKind::Rss, vec!["Uno"]), "{junk}");
        let said = read.warnings.iter().any(|warning| warning.contains("before the feed"));
        assert!(said || junk.starts_with("Notice"), "{junk}: {:?}", read.warnings);
    }
    let behind = format!("{feed}<script>track()</script>\n<!-- made in 3 ms -->&nope;");
    assert_eq!(titles(&reading(&behind)), ["Uno"]);
    let page = format!("<html><body><pre>{feed}</pre><p>Ecco un feed</p></body></html>");
    assert!(read_at("https://www.comune.example/", page.as_bytes()).is_err());
}

#[test]
fn items_beside_their_channel_and_channels_without_a_root_are_read() {
    let item = "<item><title>Uno</title></item>";
    for feed in [
        format!("<rss version=\"2.0\"><channel><title>T</title></channel>{item}</rss>"),
        format!("<rss version=\"2.0\">{item}</rss>"),
        format!("<channel><title>T</title>{item}</channel>"),
        format!("<rss version=\"2.0\"><channel></channel><channel>{item}</channel></rss>"),
    ] {
        let read = reading(&feed);
        assert_eq!(titles(&read), ["Uno"], "{feed}");
        assert_eq!(read.warnings, Vec::<String>::new(), "{feed}");
    }
    let cdf = "<CHANNEL HREF=\"https://www.comune.example/\"><TITLE>Canale</TITLE>\
               <ITEM HREF=\"/n/1\"><TITLE>Uno</TITLE><ABSTRACT>Testo</ABSTRACT></ITEM></CHANNEL>";
    let read = reading(cdf);
    assert_eq!(read.title.as_deref(), Some("Canale"));
    let item = &read.items[0];
    assert_eq!((item.title.as_str(), item.summary.as_str()), ("Uno", "Testo"));
    assert_eq!(item.link.as_deref(), Some("https://www.comune.example/n/1"));
}

#[test]
fn rss_with_a_prefix_of_its_own_is_rss() {
    let feed = "<rss version=\"2.0\" xmlns:rss=\"http://backend.userland.com/rss2\"><rss:channel>\
                <rss:title>T</rss:title><rss:item><rss:title>Uno</rss:title></rss:item>\
                </rss:channel></rss>";
    let read = reading(feed);
    assert_eq!((read.title.as_deref(), titles(&read)), (Some("T"), vec!["Uno"]));
    let other = "<item><dc:description xmlns:dc=\"http://purl.org/dc/elements/1.1/\">Testo\
                 </dc:description></item>";
    assert_eq!(reading(&rss(other)).items[0].summary, "Testo");
}

#[test]
fn utf32_is_read_with_and_without_its_mark() {
    let text = rss("<item><title>Perché</title></item>");
    let big: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
    let little: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    let marked = [&[0xff, 0xfe, 0, 0], &little[..]].concat();
    for body in [big, little, marked] {
        let read = read_at("https://www.comune.example/", &body).unwrap();
        assert_eq!(titles(&read), ["Perché"]);
    }
}

#[test]
fn a_summary_beside_a_description_makes_that_the_whole_text() {
    let read = reading(&rss(
        "<item><title>A</title><summary>Breve</summary><description>Lungo</description></item>
         <item><title>B</title><summary>Solo</summary></item>
         <item><media:title xmlns:media=\"http://search.yahoo.com/mrss/\">C</media:title></item>
         <item><media:title xmlns:media=\"http://search.yahoo.com/mrss/\">foto</media:title>\
         <title>D</title></item>",
    ));
    let [a, b, ..] = &read.items[..] else { panic!("{read:?}") };
    assert_eq!((a.summary.as_str(), a.content.as_str()), ("Breve", "<p>Lungo</p>"));
    assert_eq!(b.summary, "Solo");
    assert_eq!(titles(&read), ["A", "B", "C", "D"]);
}

#[test]
fn a_feed_that_is_a_copy_on_another_host_has_its_links_on_its_own_site() {
    let feed = "<rss version=\"2.0\"><channel><title>T</title>\
                <link>https://www.comune.example/news/</link><item><title>A</title>\
                <link>1</link><description>&lt;a href=\"/d\"&gt;x&lt;/a&gt;</description>\
                </item></channel></rss>";
    for base in ["file:///srv/saved.xml", "https://raw.altrove.example/feeds/comune.xml"] {
        let item = read_at(base, feed.as_bytes()).unwrap().items.remove(0);
        assert_eq!(item.link.as_deref(), Some("https://www.comune.example/news/1"), "{base}");
        assert!(item.content.contains("https://www.comune.example/d"), "{}", item.content);
    }
    let own = read_at("https://www.comune.example/feed/rss.xml", feed.as_bytes()).unwrap();
    assert_eq!(own.items[0].link.as_deref(), Some("https://www.comune.example/feed/1"));
}

#[test]
fn links_in_texts_count_from_every_base_around_them() {
    let rss = "<rss version=\"2.0\"><channel xml:base=\"https://b.example/dir/\"><item \
               xml:base=\"sub/\"><link>1</link><description>&lt;a href=\"2\"&gt;x&lt;/a&gt;\
               </description></item><item><link>3</link><description><![CDATA[<a href=4>x</a>]]>\
               </description></item></channel></rss>";
    let atom = "<feed xmlns=\"http://example.org/draft#\" xml:base=\"https://b.example/dir/\">\
                <entry xml:base=\"sub/\"><link href=\"1\"/><content type=\"html\" \
                xml:base=\"./\">&lt;a href=\"2\"&gt;x&lt;/a&gt;</content></entry><entry><link \
                href=\"3\"/><summary type=\"xhtml\"><div><a href=\"4\">x</a></div></summary>\
                </entry></feed>";
    for feed in [rss, atom] {
        let items = reading(feed).items;
        for (item, (link, inner)) in items.iter().zip([("sub/1", "sub/2"), ("3", "4")]) {
            let at = |path: &str| format!("https://b.example/dir/{path}");
            assert_eq!(item.link, Some(at(link)), "{feed}");
            assert!(item.content.contains(&at(inner)), "{}", item.content);
            assert_eq!(item.summary, "x");
        }
        assert_eq!(items.len(), 2);
    }
}

#[test]
fn utf8_with_a_few_octets_of_another_charset_keeps_its_letters() {
    let text = rss("<item><title>Perché così: novità, qualità, città § X</title></item>");
    let octets: Vec<u8> = text.replace('X', "\u{1}").into_bytes();
    let octets: Vec<u8> = octets.into_iter().map(|b| if b == 1 { 0x92 } else { b }).collect();
    let read = read_at("https://www.comune.example/", &octets).unwrap();
    assert_eq!(titles(&read), ["Perché così: novità, qualità, città § ’"]);
    assert_eq!(read.warnings, ["1 octets that are not UTF-8 were read as windows-1252"]);
}

#[test]
fn a_json_feed_with_values_of_other_types_gives_its_items() {
    let read = reading(
        r#"{"version": "https://jsonfeed.org/version/2", "title": 7, "author": "Ufficio",
        "items": [{"id": 1.5, "title": null, "content_text": "Testo", "tags": "Avvisi",
        "authors": ["x"], "attachments": [{"url": 3}, {"url": "/a.pdf", "size_in_bytes": 1.5}]},
        "no item", {"id": {"a": 1}, "title": "Due", "date_published": false, "url": "/due"}]}"#,
    );
    assert_eq!((read.kind, read.title.as_deref()), (ReadingKind::Json, Some("7")));
    assert_eq!(titles(&read), ["", "Due"]);
    assert_eq!(read.items[0].id.as_deref(), Some("1.5"));
    assert_eq!(read.items[0].categories, ["Avvisi"]);
    assert_eq!(read.items[1].link.as_deref(), Some("https://www.comune.example/due"));
}

#[test]
fn left_overs_of_templates_and_sections_are_no_text() {
    let read = reading(&rss(
        "<item><title>]]&gt;Avviso &quot;A&quot;]]&gt;</title><description><![CDATA[<p>Testo \
         <![CDATA[uno]]]]>&gt;</p><p>L'articolo <a href=\"/1\">Avviso</a> proviene da <a \
         href=\"/\">Comune</a>.</p>]]></description></item>
         <item><title>\"&gt;Seconda</title><description>Testo due. Leggi tutto</description></item>
         <item><title>Terza</title><description>&lt;p&gt;Testo&lt;/p&gt;&lt;ul&gt;&lt;li&gt;\
         &lt;a href='/3'&gt;LEGGI DI PIÙ SU LOREM IPSUM&lt;/a&gt;&lt;/li&gt;&lt;/ul&gt;\
         </description></item>",
    ));
    assert_eq!(titles(&read), ["Avviso \"A\"", "Seconda", "Terza"]);
    let texts: Vec<&str> = read.items.iter().map(|item| item.summary.as_str()).collect();
    assert_eq!(texts[1..], ["Testo due.", "Testo"]);
    assert!(texts[0].starts_with("Testo uno") && !texts[0].contains("proviene"), "{}", texts[0]);
    assert!(!texts[0].contains("]]"), "{}", texts[0]);
}

#[test]
fn every_repair_says_the_line_and_the_cause() {
    let feed = "<rss version=\"2.0\">\n<channel>\n<item><title>A & B</title>\n\
                <description>x\u{1}y</description></p></item>\n</channel></rss>";
    assert_eq!(
        reading(feed).warnings,
        [
            "line 4: </p> ends nothing; mended",
            "line 4: 1 octets that XML forbids were left out",
            "line 3: 1 signs & that begin no entity were mended",
        ]
    );
}
