//! What sources do wrong ends as a harmless mail or a clear error, and nothing is lost.

use crate::program::{Office, SmtpSink};

const BASELINE: &str = "2026-11-25T09:00:00+01:00";
const GROWN: &str = "2026-11-25T12:00:00+01:00";
const SLOT: &str = "2026-11-26T07:00:00+01:00";
/// After the longest pause that a failing source gets.
const NEXT_SLOT: &str = "2026-11-27T07:00:00+01:00";

const TWO_SOURCES: &str = r#"
[[source]]
id = "bad"
url = "file:bad.xml"

[[source]]
id = "good"
url = "file:good.xml"

[[list]]
id = "residents"
name = "Notizie"
from = "news@example.org"
cadences = { daily = "0 0 7 * * *" }
"#;

fn feed(items: &[(&str, &str)]) -> String {
    let items: String = items
        .iter()
        .map(|(id, title)| {
            format!(
                "<item><guid>{id}</guid><title>{title}</title>\
                 <link>https://comune.example.org/{id}</link>\
                 <description>Il testo della notizia {id}.</description></item>"
            )
        })
        .collect();
    format!("<rss version=\"2.0\"><channel><title>Notizie</title>{items}</channel></rss>")
}

/// An office with two sources that have had their first answer, and one subscriber.
fn office(sink: &SmtpSink) -> Office {
    let office = Office::with(sink.port, TWO_SOURCES);
    office.write("bad.xml", feed(&[("b0", "La prima")]));
    office.write("good.xml", feed(&[("g0", "La prima")]));
    office.at(BASELINE, &["migrate"]).done();
    office.write("residents.csv", "email\nanna@example.org\n");
    let import = ["subscribers", "import", "residents.csv", "--list", "residents"];
    office.at(BASELINE, &import).done();
    let first = office.at(BASELINE, &["once", "--json"]).done().json();
    assert_eq!((&first["polled"], &first["new_items"]), (&2.into(), &0.into()));
    office
}

#[test]
fn a_title_with_line_breaks_and_markup_ends_up_harmless_in_the_mail() {
    let sink = SmtpSink::start();
    let office = office(&sink);
    let gara = "Gara&#13;&#10;Bcc: vittima@example.org&#13;&#10;&#13;&#10;Corpo";
    let script = "Avviso &lt;script&gt;alert(1)&lt;/script&gt; &lt;b onclick=\"x()\"&gt;ecco";
    office.write("bad.xml", feed(&[("b0", "La prima"), ("b1", gara), ("b2", script)]));
    let sent = office.at(SLOT, &["once", "--json"]).done().json();
    assert_eq!((&sent["new_items"], &sent["accepted"]), (&2.into(), &1.into()));
    let mails = sink.mails();
    let [mail] = &mails[..] else { panic!("{mails:?}") };
    assert_eq!(mail.recipients, ["anna@example.org"]);
    assert_eq!(mail.header("Bcc"), None);
    let (head, _) = mail.source.split_once("\n\n").or(mail.source.split_once("\r\n\r\n")).unwrap();
    assert!(!head.lines().any(|line| line.to_lowercase().starts_with("bcc:")), "{head}");
    assert!(mail.text().contains("Gara Bcc: vittima@example.org Corpo"), "{}", mail.text());
    let html = mail.parsed().body_html(0).unwrap().into_owned();
    assert!(!html.contains("<script") && !html.contains("<b onclick"), "{html}");
}

#[test]
fn a_feed_of_20_mb_is_a_clear_error_and_the_other_source_is_polled() {
    let sink = SmtpSink::start();
    let office = office(&sink);
    let long = "una notizia lunga ".repeat(20_000_000 / 18);
    office.write("bad.xml", feed(&[("b1", &long)]));
    office.write("good.xml", feed(&[("g0", "La prima"), ("g1", "La seconda")]));
    let ran = office.at(SLOT, &["once", "--json"]).done();
    let sent = ran.json();
    assert_eq!((&sent["polled"], &sent["new_items"]), (&2.into(), &1.into()));
    assert_eq!(sent["accepted"], 1);
    assert!(
        ran.err.contains("source bad: ") && ran.err.contains("limit of 8388608"),
        "{}",
        ran.err
    );
    let tested = office.run(&["source", "test", "bad.xml"]).refused(1);
    assert!(tested.contains("limit of 8388608"), "{tested}");
}

#[test]
fn a_source_that_fails_is_reported_and_read_later_and_nothing_of_it_is_lost() {
    let sink = SmtpSink::start();
    let office = office(&sink);
    office.write("bad.xml", "Sito in manutenzione.");
    office.write("good.xml", feed(&[("g0", "La prima"), ("g1", "La seconda")]));
    let polled = office.at(GROWN, &["source", "poll", "--json"]);
    assert_eq!(polled.code, 1, "{polled:?}");
    assert!(polled.err.contains("error: ") && polled.err.contains("hint: "), "{polled:?}");
    let polled = polled.json();
    assert!(polled[0]["error"].is_string() && polled[1]["error"].is_null(), "{polled}");
    assert_eq!(polled[1]["new"], 1);
    let listed = office.run(&["source", "list", "--json"]).done().json();
    assert_eq!((&listed[0]["failures"], &listed[1]["failures"]), (&1.into(), &0.into()));
    assert_eq!(listed[0]["items"], 1);

    office.write("bad.xml", feed(&[("b0", "La prima"), ("b1", "Tornata in rete")]));
    office.at(NEXT_SLOT, &["once", "--json"]).done();
    let mails = sink.mails();
    let [mail] = &mails[..] else { panic!("{mails:?}") };
    assert!(mail.text().contains("La seconda") && mail.text().contains("Tornata in rete"));
    let listed = office.run(&["source", "list", "--json"]).done().json();
    assert_eq!((&listed[0]["failures"], &listed[0]["items"]), (&0.into(), &2.into()));
}

#[test]
fn a_feed_that_empties_and_fills_again_tells_nothing_twice() {
    let sink = SmtpSink::start();
    let office = office(&sink);
    let whole = feed(&[("g0", "La prima"), ("g1", "La seconda")]);
    office.write("good.xml", &whole);
    office.at(GROWN, &["once"]).done();
    office.write("good.xml", feed(&[]));
    office.at(SLOT, &["once"]).done();
    assert_eq!(sink.mails().len(), 1);
    office.write("good.xml", &whole);
    office.at(NEXT_SLOT, &["once"]).done();
    assert_eq!(sink.mails().len(), 1);
}

#[test]
fn mail_waits_while_the_relay_is_away_and_goes_out_when_it_is_back() {
    let sink = SmtpSink::start();
    let office = office(&sink);
    office.write("good.xml", feed(&[("g0", "La prima"), ("g1", "La seconda")]));
    let away = [("BANDITORE__SMTP__PORT", "1")];
    let ran = office.run_with(&["--at", SLOT, "once", "--json"], &away);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("error: the relay 127.0.0.1:1 "), "{}", ran.err);
    assert!(ran.err.contains("hint: "), "{}", ran.err);
    assert_eq!(ran.json()["messages"], 1);
    let audit = office.run(&["audit", "--json"]).done().json();
    assert_eq!(audit["editions"][0]["messages"]["deferred"], 1, "{audit}");
    let done = office.at("2026-11-26T09:00:00+01:00", &["deliver", "--json"]).done().json();
    assert_eq!(done["accepted"], 1);
    assert_eq!(sink.mails().len(), 1);
}
