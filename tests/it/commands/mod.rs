//! The commands: what they print, how they end, and what they say to nonsense.

mod help;

use serde_json::Value;

use crate::program::{Office, Ran, SmtpSink};

const BASELINE: &str = "2026-11-25T09:00:00+01:00";
const SLOT: &str = "2026-11-26T07:00:00+01:00";
const LATER: &str = "2026-11-26T09:00:00+01:00";

const SETTINGS: &str = r#"
[[source]]
id = "news"
url = "file:news.xml"

[[list]]
id = "residents"
name = "Notizie"
from = "news@example.org"
cadences = { immediate = true, daily = "0 0 7 * * *" }
"#;

fn feed(items: usize) -> String {
    let items: String = (0..items)
        .map(|number| {
            format!(
                "<item><guid>n{number}</guid><title>Bando di gara numero {number}</title>\
                 <link>https://comune.example.org/n{number}</link>\
                 <pubDate>Tue, 24 Nov 2026 08:0{number}:00 +0100</pubDate>\
                 <description>La gara per i lavori della scuola.</description></item>"
            )
        })
        .collect();
    format!("<rss version=\"2.0\"><channel><title>Notizie</title>{items}</channel></rss>")
}

/// An office whose source has had its first answer, and then two items more; three subscribers, one
/// of whom wants nothing of it and one whose address is suppressed.
fn office(port: u16, more: &str) -> Office {
    let office = Office::with(port, &format!("{SETTINGS}{more}"));
    office.at(BASELINE, &["migrate"]).done();
    office.write(
        "in.csv",
        "email,topics\nanna@example.org,tenders\nbruno@example.org,health\nzeno@example.org,\n",
    );
    let import = ["subscribers", "import", "in.csv", "--list", "residents"];
    office.at(BASELINE, &import).done();
    let suppress = ["subscribers", "suppress", "zeno@example.org", "--reason", "casella chiusa"];
    office.at(BASELINE, &suppress).done();
    office.write("news.xml", feed(1));
    office.at(BASELINE, &["source", "poll"]).done();
    office.write("news.xml", feed(3));
    office
}

/// Demands that an object has these keys.
#[track_caller]
fn has(value: &Value, keys: &[&str]) {
    for key in keys {
        assert!(value.get(key).is_some(), "{key} is not in {value}");
    }
}

#[test]
fn each_command_prints_one_json_document_with_the_fields_of_the_contract() {
    let sink = SmtpSink::start();
    let office = office(sink.port, "");
    let json = |args: &[&str]| office.at(SLOT, &[args, &["--json"]].concat()).done().json();

    let tested = json(&["source", "test", "news.xml"]);
    has(&tested, &["kind", "title", "items", "warnings"]);
    assert_eq!(tested["kind"], "rss");
    let fields = ["title", "link", "id", "published", "updated", "summary", "content"];
    has(&tested["items"][0], &fields);
    has(&tested["items"][0], &["categories", "places"]);
    assert_eq!(tested["items"][0]["published"], "2026-11-24T08:00:00+01:00");

    let polled = json(&["source", "poll"]);
    has(&polled[0], &["source", "new", "baseline", "revised", "error"]);
    assert_eq!(polled[0]["new"], 2);
    has(&json(&["source", "list"])[0], &["id", "url", "items", "failures", "last_error"]);
    let topics = json(&["topics", "list"]);
    assert_eq!(topics.as_array().unwrap().len(), 28);
    has(&topics[0], &["id", "label", "rules"]);

    let plan = json(&["digest", "plan", "--list", "residents", "--cadence", "daily"]);
    has(&plan, &["list", "cadence", "slot", "cut", "considered", "empty", "suppressed"]);
    assert_eq!((&plan["considered"], &plan["messages"]), (&3.into(), &1.into()));
    assert_eq!((&plan["empty"], &plan["suppressed"]), (&1.into(), &1.into()));
    has(&plan["variants"][0], &["items", "recipients", "html_bytes"]);
    assert_eq!(plan["slot"], SLOT);

    let ran = json(&["digest", "run"]);
    assert_eq!(ran["editions"][0]["slot"], SLOT);
    assert_eq!(json(&["digest", "run"])["editions"].as_array().unwrap().len(), 0);
    let delivered = json(&["deliver"]);
    has(&delivered, &["accepted", "deferred", "failed", "in_doubt"]);
    assert_eq!(delivered["accepted"], 1);
    assert_eq!(json(&["deliver", "--until-empty"])["accepted"], 0);
    let once = json(&["once"]);
    has(&once, &["polled", "new_items", "editions", "messages", "accepted", "deferred"]);
    has(&once, &["failed", "in_doubt"]);

    let audit = json(&["audit"]);
    assert_eq!(audit["balanced"], true);
    let edition = &audit["editions"][0];
    has(edition, &["id", "list", "cadence", "considered", "empty", "suppressed", "balanced"]);
    assert_eq!(edition["slot"], SLOT);
    let states = ["waiting", "queued", "sending", "accepted", "deferred", "failed", "expired"];
    has(&edition["messages"], &states);
    has(&edition["messages"], &["cancelled", "in_doubt", "held", "dropped"]);
    let one = json(&["audit", "--edition", &edition["id"].to_string()]);
    assert_eq!(&one["editions"][0], edition);
    let checked = json(&["check"]);
    assert_eq!(checked["checks"].as_array().unwrap().last().unwrap()["what"], "relay");
}

#[test]
fn messages_are_listed_as_json_lines_and_by_state() {
    let sink = SmtpSink::start();
    let office = office(sink.port, "");
    office.at(SLOT, &["once"]).done();
    let lines = office.run(&["messages", "list", "--json"]).done().json_lines();
    assert_eq!(lines.len(), 1);
    has(&lines[0], &["id", "edition", "subscriber", "state", "attempts", "created", "reply"]);
    assert_eq!(lines[0]["state"], "accepted");
    let none = office.run(&["messages", "list", "--state", "held", "--json"]).done();
    assert_eq!(none.out, "");
    let unknown = office.run(&["messages", "list", "--state", "lost"]).refused(2);
    assert!(unknown.contains("lost"), "{unknown}");
}

#[test]
fn explaining_names_the_links_of_the_chain_and_the_first_that_broke() {
    let sink = SmtpSink::start();
    let office = office(sink.port, "");
    let explain = |item: &str, email: &str| {
        let args = ["explain", "--item", item, "--subscriber", email, "--json"];
        office.at(SLOT, &args).done().json()
    };
    office.at(SLOT, &["source", "poll"]).done();
    let link = "https://comune.example.org/n1";
    let before = explain(link, "anna@example.org");
    assert_eq!(before["verdict"], "will be told");
    has(&before["steps"][0], &["step", "holds", "detail"]);
    let broke = |explained: &Value| {
        let steps = explained["steps"].as_array().unwrap().iter();
        let broken = steps.filter(|step| step["holds"] == false).map(|step| step["step"].clone());
        broken.collect::<Vec<_>>()
    };
    let suppressed = explain(link, "zeno@example.org");
    assert_eq!(suppressed["verdict"], "not told");
    assert_eq!(broke(&suppressed), ["address"]);
    assert_eq!(broke(&explain(link, "bruno@example.org")), ["topics"]);
    assert_eq!(broke(&explain(link, "nobody@example.org")), ["subscription"]);
    let old = "https://comune.example.org/n0";
    assert_eq!(broke(&explain(old, "anna@example.org")), ["entry"]);

    office.at(SLOT, &["once"]).done();
    let after = explain(link, "anna@example.org");
    assert_eq!(after["verdict"], "told");
    let steps = after["steps"].as_array().unwrap().iter();
    let steps: Vec<&str> = steps.map(|step| step["step"].as_str().unwrap()).collect();
    for step in
        ["item", "entry", "match", "subscription", "profile", "edition", "message", "attempt"]
    {
        assert!(steps.contains(&step), "{step} is not in {steps:?}");
    }
    assert!(after.to_string().contains("250 2.0.0 Ok"), "the relay's reply is not in {after}");
}

#[test]
fn topics_are_explained_from_a_file_and_from_standard_input() {
    use std::io::Write as _;
    let office = Office::empty();
    let text = "Bando di gara PNRR a Monte Cremasco\nCIG 9876543210, entro il 31 dicembre 2026.\n";
    office.write("text.txt", text);
    let explained = office.run(&["topics", "explain", "text.txt", "--json"]).done().json();
    has(&explained, &["topics", "places", "codes", "deadline"]);
    has(&explained["codes"], &["cig", "cup", "measure"]);
    has(&explained["topics"][0], &["id", "score", "evidence"]);
    let evidence = &explained["topics"][0]["evidence"][0];
    has(evidence, &["rule", "text", "field", "start", "end"]);
    assert_eq!(explained["places"][0]["id"], "monte-cremasco");
    has(&explained["places"][0], &["evidence"]);

    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_banditore"))
        .args(["topics", "explain", "-", "--json"])
        .current_dir(office.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let piped: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(piped, explained);
    office.run(&["topics", "explain", "nix.txt"]).refused(2);

    office.write(
        "eval.jsonl",
        "{\"title\":\"Bando di gara\",\"text\":\"\",\"categories\":[],\"topics\":[\"tenders\"],\
         \"places\":[],\"other\":1}\n",
    );
    let eval = ["topics", "eval", "eval.jsonl", "--json", "--predictions", "out.jsonl"];
    let figures = office.run(&eval).done().json();
    has(&figures, &["items", "topics", "micro_f1", "macro_f1", "places"]);
    has(&figures["topics"]["tenders"], &["tp", "fp", "fn", "precision", "recall", "f1"]);
    assert_eq!(office.read("out.jsonl").lines().count(), 1);
    office.write("broken.jsonl", "{\"title\":\n");
    office.run(&["topics", "eval", "broken.jsonl"]).refused(1);
}

#[test]
fn a_ledger_that_does_not_balance_fails_the_audit() {
    let sink = SmtpSink::start();
    let office = office(sink.port, "");
    office.at(SLOT, &["once"]).done();
    office.run(&["audit"]).done();
    office.sql("UPDATE edition SET empty = empty + 1");
    let text = office.run(&["audit"]);
    assert_eq!(text.code, 1);
    assert!(text.out.contains("NO") && text.err.starts_with("error: the ledger does not balance"));
    let json = office.run(&["audit", "--json"]);
    assert_eq!((json.code, &json.json()["balanced"]), (1, &false.into()));
    office.sql("UPDATE edition SET empty = empty - 1");
    office.sql("DELETE FROM attempt");
    office.sql("DELETE FROM message");
    assert_eq!(office.run(&["audit"]).code, 1);
}

#[test]
fn nonsense_is_an_error_with_a_hint_and_ends_with_2() {
    let office = office(1, "");
    let plan = |list, cadence| ["digest", "plan", "--list", list, "--cadence", cadence];
    let explain = |item, email| ["explain", "--item", item, "--subscriber", email];
    let cases: [(&[&str], &str); 27] = [
        (&["frobnicate"], "unrecognized subcommand 'frobnicate'"),
        (&["onec"], "'once'"),
        (&["source", "lsit"], "'list'"),
        (&["once", "--jsno"], "'--json'"),
        (&["once", "--at"], "--at"),
        (&["once", "--at", "domani"], "2026-11-25T07:00:00+01:00"),
        (&["once", "--at", "2026-11-25T07:00:00"], "2026-11-25T07:00:00+01:00"),
        (&["once", "--at", "2026-02-30T07:00:00Z"], "2026-11-25T07:00:00+01:00"),
        (&["subscribers", "import"], "--list <LIST>"),
        (&["subscribers", "import", "in.csv", "--list", "Not An Id"], "no list id"),
        (&plan("nix", "daily"), "the lists are residents"),
        (&plan("residents", "hourly"), "it offers daily, immediate"),
        (&explain("99999", "anna@example.org"), "there is no item 99999"),
        (&explain("https://nowhere.example.org", "anna@example.org"), "there is no item"),
        (&explain("1", "anna"), "no @"),
        (&["subscribers", "show", "anna"], "name@example.org"),
        (&["subscribers", "suppress", "@example.org", "--reason", "x"], "name@example.org"),
        (&["audit", "--edition", "77"], "there is no edition 77"),
        (&["digest", "approve", "77", "--by", "Anna"], "there is no edition 77"),
        (&["digest", "refuse", "77", "--by", "Anna"], "--drop|--return"),
        (&["digest", "refuse", "77", "--drop", "--return", "--by", "Anna"], "cannot be used with"),
        (&["messages", "drop", "77", "--by", "Anna"], "there is no message 77"),
        (&["messages", "drop", "77"], "--by <NAME>"),
        (&["source", "poll", "nix"], "there is no source nix"),
        (&["source", "remove", "news"], "stands in the configuration file"),
        (&["source", "add", "disk", "file:///etc/passwd"], "no web address"),
        (&["source", "test", "nix.xml"], "neither a file that is there nor an address"),
    ];
    let before = office.contents();
    for (args, expected) in cases {
        let err = office.run(args).refused(2);
        assert!(err.contains(expected), "{args:?}: {expected:?} is not in {err}");
        assert_eq!(err.lines().count(), 2, "{err}");
    }
    assert_eq!(office.contents(), before);
}

#[test]
fn times_far_from_ours_are_no_panic() {
    let office = office(1, "");
    for time in ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1969-12-31T23:59:59-12:00"] {
        for args in [
            &["digest", "plan", "--list", "residents", "--cadence", "daily", "--json"][..],
            &["source", "poll", "--json"],
            &["source", "list", "--json"],
        ] {
            let Ran { code, err, .. } = office.at(time, args);
            assert!(code <= 2 && !err.contains("panicked"), "{time} {args:?}: {err}");
        }
    }
}

#[test]
fn a_source_is_added_polled_and_removed_by_command() {
    let office = office(1, "");
    let add = ["source", "add", "other", "https://127.0.0.1:1/feed.xml"];
    office.at(BASELINE, &add).done();
    office.at(BASELINE, &add).refused(1);
    let polled = office.at(BASELINE, &["source", "poll", "other", "--json"]);
    assert_eq!(polled.code, 1);
    assert!(polled.json()[0]["error"].as_str().unwrap().contains("127.0.0.1"), "{polled:?}");
    let listed = office.run(&["source", "list", "--json"]).done().json();
    let other = listed.as_array().unwrap().iter().find(|source| source["id"] == "other").unwrap();
    assert_eq!((&other["from_file"], &other["failures"]), (&false.into(), &1.into()));
    office.at(BASELINE, &["source", "remove", "other"]).done();
    office.at(BASELINE, &["source", "remove", "other"]).refused(2);
    let listed = office.run(&["source", "list", "--json"]).done().json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
}

#[test]
fn a_message_is_dropped_or_sent_again_by_name_and_only_where_that_can_be() {
    let sink = SmtpSink::start();
    let office = office(sink.port, "");
    let once = [("BANDITORE__SMTP__PORT", "1")];
    office.run_with(&["--at", SLOT, "once"], &once);
    let message = || office.run(&["messages", "list", "--json"]).done().json_lines().remove(0);
    assert_eq!(message()["state"], "deferred");
    let id = message()["id"].to_string();
    office.at(LATER, &["deliver"]).done();
    assert_eq!(message()["state"], "accepted");
    for command in ["drop", "resend"] {
        let refused = office.run(&["messages", command, &id, "--by", "Anna"]).refused(1);
        assert!(refused.contains("is accepted"), "{refused}");
    }
    office.sql("UPDATE message SET state = 'held'");
    office.at(LATER, &["messages", "drop", &id, "--by", "Anna Neri"]).done();
    assert_eq!(
        (&message()["state"], &message()["cause"]),
        (&"dropped".into(), &"dropped by Anna Neri".into())
    );
    office.run(&["audit"]).done();
    office.at(LATER, &["messages", "resend", &id, "--by", "Anna Neri"]).done();
    assert_eq!(message()["state"], "queued");
    office.at(LATER, &["deliver", "--until-empty"]).done();
    assert_eq!(message()["state"], "accepted");
    office.run(&["audit"]).done();
    let mails = sink.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].header("Message-ID"), mails[1].header("Message-ID"));
}

#[test]
fn a_name_a_reason_and_a_consent_say_something() {
    let sink = SmtpSink::start();
    let office = office(sink.port, "");
    let long = "a".repeat(501);
    for said in ["", "  ", "\t", "-", "…", &long] {
        for args in [
            &["messages", "drop", "1", "--by"][..],
            &["messages", "resend", "1", "--by"],
            &["digest", "approve", "1", "--by"],
            &["digest", "refuse", "1", "--drop", "--by"],
            &["subscribers", "erase", "anna@example.org", "--reason"],
            &["subscribers", "suppress", "anna@example.org", "--reason"],
            &["subscribers", "unsuppress", "zeno@example.org", "--reason"],
            &["subscribers", "unsuppress", "zeno@example.org", "--reason", "a voce", "--by"],
            &["subscribers", "import", "in.csv", "--list", "residents", "--consent"],
        ] {
            let refused = office.run(&[args, &[said]].concat()).refused(2);
            assert!(refused.contains(args[args.len() - 1]), "{refused}");
        }
    }
}

#[test]
fn text_for_people_and_json_say_nothing_on_standard_error_when_all_is_well() {
    let sink = SmtpSink::start();
    let office = office(sink.port, "");
    for json in [&[][..], &["--json"]] {
        for args in [
            &["once"][..],
            &["audit"],
            &["source", "list"],
            &["topics", "list"],
            &["messages", "list"],
            &["subscribers", "show", "anna@example.org"],
            &["check"],
            &["migrate"],
            &["deliver"],
        ] {
            let ran = office.at(SLOT, &[args, json].concat()).done();
            assert_eq!(ran.err, "", "{args:?}");
            assert!(!ran.out.is_empty(), "{args:?}");
        }
    }
}
