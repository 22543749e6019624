//! What commands do is traced under their name, or a person's, and `trace` shows it.

use serde_json::Value;

use crate::program::{Office, SmtpSink};

const BASELINE: &str = "2026-11-25T09:00:00+01:00";
const SLOT: &str = "2026-11-26T07:00:00+01:00";
const LATER: &str = "2026-11-26T09:00:00+01:00";
const NEXT_SLOT: &str = "2026-11-27T07:00:00+01:00";

const LIST: &str = r#"
[[source]]
id = "news"
url = "file:news.xml"

[[list]]
id = "residents"
name = "Notizie"
from = "news@example.org"
approval = true
cadences = { daily = "0 0 7 * * *" }
"#;

fn publish(office: &Office, items: usize) {
    let items: String = (0..items)
        .map(|number| {
            format!(
                "<item><guid>n{number}</guid><title>Bando di gara {number}</title>\
                 <link>https://comune.example.org/n{number}</link></item>"
            )
        })
        .collect();
    let channel = format!("<channel><title>Notizie</title>{items}</channel>");
    office.write("news.xml", format!("<rss version=\"2.0\">{channel}</rss>"));
}

fn trace(office: &Office, more: &[&str]) -> Vec<Value> {
    office.run(&[&["trace", "--json"], more].concat()).done().json_lines()
}

/// An office in which everything was done that a command can do.
fn busy(port: u16) -> Office {
    let office = Office::with(port, LIST);
    office.at(BASELINE, &["migrate"]).done();
    office.write(
        "in.csv",
        "email,name,words\nanna@example.org,Anna Bo,ippopotamo\nbruno@example.org,Bruno Bo,\n",
    );
    let consent = ["--consent", "Modulo di carta, visto da anna@example.org"];
    let import = ["subscribers", "import", "in.csv", "--list", "residents"];
    office.at(BASELINE, &[&import[..], &consent].concat()).done();
    office.at(BASELINE, &[&import[..], &consent].concat()).done();
    publish(&office, 1);
    office.at(BASELINE, &["source", "poll"]).done();
    publish(&office, 2);
    office.at(SLOT, &["once"]).done();
    let by = ["--by", "Carla Neri"];
    office.at(LATER, &[&["messages", "drop", "2"][..], &by].concat()).done();
    office.at(LATER, &[&["digest", "approve", "1"][..], &by].concat()).done();
    office.at(LATER, &[&["messages", "resend", "2"][..], &by].concat()).done();
    office.at(LATER, &["deliver"]).done();
    publish(&office, 3);
    office.at(NEXT_SLOT, &["once"]).done();
    office.at(NEXT_SLOT, &[&["digest", "refuse", "2", "--return"][..], &by].concat()).done();
    for command in ["suppress", "unsuppress", "erase"] {
        let more: &[&str] = if command == "unsuppress" { &by } else { &[] };
        let command = ["subscribers", command, "anna@example.org", "--reason", "a voce"];
        office.at(NEXT_SLOT, &[&command[..], more].concat()).done();
    }
    let url = "https://u:geheim@comune.example.org/feed?key=geheim";
    office.run(&["source", "add", "more", url]).done();
    office.run(&["source", "remove", "more"]).done();
    office
}

#[test]
fn every_command_that_changes_something_is_traced_under_its_name() {
    let sink = SmtpSink::start();
    let office = busy(sink.port);
    let mut lines = trace(&office, &[]);
    lines.reverse();
    let text = |line: &Value, key: &str| line[key].as_str().unwrap().to_owned();
    let done: Vec<String> = lines
        .iter()
        .map(|line| {
            let (actor, name) = (text(line, "actor"), text(line, "name"));
            let (action, subject) = (text(line, "action"), text(line, "subject"));
            format!("{actor} {name}: {action} {subject}")
        })
        .collect();
    insta::assert_snapshot!(done.join("\n"));
    for line in &lines {
        let (actor, origin) = (text(line, "actor"), text(line, "origin"));
        assert_eq!(actor == "system", origin.is_empty(), "{line}");
        assert!(origin.is_empty() || origin.contains('@'), "{line}");
        assert!(!origin.chars().any(char::is_control), "{line}");
    }
    let all = format!("{lines:?}");
    for value in ["anna@", "bruno@", "Anna Bo", "Bruno Bo", "ippopotamo", "geheim"] {
        assert!(!all.contains(value), "{value} is in the trace");
    }
    let import = lines.iter().find(|line| line["action"] == "subscribers.imported").unwrap();
    let after = &import["after"];
    assert_eq!(after["consent"], "Modulo di carta, visto da …@…");
    assert_eq!((&after["rows"], &after["imported"]), (&2.into(), &2.into()));
    assert_eq!(after["file_sha256"].as_str().unwrap().len(), 64);
}

#[test]
fn the_trace_is_shown_of_one_thing_the_newest_first() {
    let sink = SmtpSink::start();
    let office = busy(sink.port);
    let actions = |more: &[&str]| {
        let lines = trace(&office, more);
        let actions = lines.iter().map(|line| line["action"].as_str().unwrap().to_owned());
        actions.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(actions(&["--edition", "1"]), "edition.approved edition.opened");
    assert_eq!(actions(&["--edition", "2"]), "edition.refused edition.opened");
    assert_eq!(actions(&["--message", "2"]), "message.resent message.dropped");
    assert_eq!(actions(&["--source", "more"]), "source.removed source.added");
    assert_eq!(actions(&["--subscriber", "bruno@example.org"]), "subscription.joined");
    // Nothing tells any more which lines were about somebody who was erased.
    let erased = actions(&["--subscriber", "Anna@Example.org"]);
    assert_eq!(erased, "address.unsuppressed address.suppressed");
    let list = actions(&["--list", "residents"]);
    assert_eq!(list, "subscribers.imported cadence.added list.added");
    assert_eq!(actions(&["--list", "residents", "--limit", "1"]), "subscribers.imported");
    for (kind, id) in [
        ("--list", "others"),
        ("--source", "others"),
        ("--edition", "99"),
        ("--message", "99999"),
        ("--subscriber", "nobody@example.org"),
    ] {
        office.run(&["trace", kind, id]).refused(2);
    }
    // Known, and nothing was done to it.
    assert_eq!(actions(&["--message", "1"]), "");

    let shown = office.run(&["trace", "--edition", "1"]).done().out;
    assert!(shown.starts_with("2026-11-26T09:00:0"), "{shown}");
    assert!(shown.contains("person Carla Neri (") && shown.contains("edition.approved"), "{shown}");
    assert_eq!(shown.lines().count(), 2);
    office.run(&["trace", "--list", "residents", "--edition", "1"]).refused(2);
    office.run(&["trace", "--limit", "0"]).refused(2);
}

#[test]
fn a_file_that_changes_is_traced_as_what_changed_in_it() {
    let office = Office::with(1, LIST);
    office.run(&["migrate"]).done();
    let before = trace(&office, &[]).len();
    assert_eq!(trace(&office, &[]).len(), before, "looking changes nothing");
    let settings = office.read("banditore.toml");
    let changed = settings.replace("name = \"Notizie\"", "name = \"Novità\"");
    office.write("banditore.toml", changed.replace("0 0 7 * * *", "0 30 7 * * *"));
    let lines = trace(&office, &[]);
    let new = &lines[..lines.len() - before];
    assert_eq!(new[0]["action"], "cadence.changed");
    assert_eq!(new[0]["before"]["schedule"], "0 0 7 * * *");
    assert_eq!(new[0]["after"]["schedule"], "0 30 7 * * *");
    assert_eq!(new[1]["action"], "list.changed");
    assert_eq!((&new[1]["name"], &new[1]["actor"]), (&"trace".into(), &"command".into()));
    assert_eq!(new.len(), 2);
}
