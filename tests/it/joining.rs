//! Joining, changing and leaving between editions, and editions that wait for a person: nobody is
//! told something older than their subscription, or something twice, or misses what they asked for.

use std::collections::BTreeMap;

use crate::program::{Office, SmtpSink};

const WEDNESDAY: &str = "2026-11-25T09:00:00+01:00";
const WEDNESDAY_NOON: &str = "2026-11-25T12:00:00+01:00";
const THURSDAY: &str = "2026-11-26T07:00:00+01:00";
const THURSDAY_NOON: &str = "2026-11-26T12:00:00+01:00";
const FRIDAY: &str = "2026-11-27T07:00:00+01:00";
const MONDAY: &str = "2026-11-30T07:00:00+01:00";

/// A title for each topic that the tests use.
const ITEMS: [(&str, &str); 4] = [
    ("Bando di gara per la palestra", "tenders"),
    ("Il fotovoltaico sui tetti", "energy"),
    ("Bando di gara per il ponte", "tenders"),
    ("Vaccinazioni antinfluenzali al via", "health"),
];

struct Town {
    sink: SmtpSink,
    office: Office,
}

impl Town {
    /// A list whose source has had its first answer; with approval or without.
    fn new(approval: bool) -> Self {
        let sink = SmtpSink::start();
        let settings = format!(
            r#"
[[source]]
id = "news"
url = "file:news.xml"

[[list]]
id = "residents"
name = "Notizie"
from = "news@example.org"
approval = {approval}
cadences = {{ daily = "0 0 7 * * *", weekly = "0 0 7 * * Mon" }}
"#
        );
        let office = Office::with(sink.port, &settings);
        office.at(WEDNESDAY, &["migrate"]).done();
        let town = Self { sink, office };
        town.publish(0);
        town.office.at(WEDNESDAY, &["source", "poll"]).done();
        town
    }

    /// Publishes the first items, the newest on top.
    fn publish(&self, items: usize) {
        let first = [("La prima notizia", "")];
        let items = first.iter().chain(&ITEMS[..items]).enumerate();
        let items: String = items
            .map(|(number, (title, _))| {
                format!(
                    "<item><guid>n{number}</guid><title>{title}</title>\
                     <link>https://comune.example.org/n{number}</link>\
                     <pubDate>Tue, 24 Nov 2026 08:0{number}:00 +0100</pubDate></item>"
                )
            })
            .collect();
        let channel = format!("<channel><title>Notizie</title>{items}</channel>");
        self.office.write("news.xml", format!("<rss version=\"2.0\">{channel}</rss>"));
    }

    /// Publishes the first items and polls them.
    fn news(&self, items: usize, time: &str) {
        self.publish(items);
        self.office.at(time, &["source", "poll", "news"]).done();
    }

    /// Imports rows of address, topics and cadence.
    fn import(&self, rows: &str, time: &str) {
        self.office.write("in.csv", format!("email,topics,cadence\n{rows}"));
        let import = ["subscribers", "import", "in.csv", "--list", "residents", "--json"];
        let report = self.office.at(time, &import).done().json();
        assert_eq!(report["refused_rows"], 0, "{report}");
    }

    /// A round at a time; the ledger balances after it.
    fn once(&self, time: &str) {
        self.office.at(time, &["once"]).done();
        self.office.run(&["audit"]).done();
    }

    /// For each recipient, the items of each of their mails, by number.
    fn told(&self) -> BTreeMap<String, Vec<Vec<usize>>> {
        let mut told: BTreeMap<String, Vec<Vec<usize>>> = BTreeMap::new();
        for mail in self.sink.mails() {
            let text = mail.text();
            let named = ITEMS.iter().enumerate().filter(|(_, (title, _))| text.contains(title));
            let items = named.map(|(number, _)| number).collect();
            let name = mail.recipients[0].split('@').next().unwrap().to_owned();
            told.entry(name).or_default().push(items);
        }
        told.values_mut().for_each(|mails| mails.sort());
        told
    }

    /// Demands that these people had these mails, and nobody else any.
    #[track_caller]
    fn expect(&self, expected: &[(&str, &[&[usize]])]) {
        let owned = |(name, mails): &(&str, &[&[usize]])| {
            ((*name).to_owned(), mails.iter().map(|items| items.to_vec()).collect())
        };
        assert_eq!(self.told(), expected.iter().map(owned).collect());
    }

    fn decide(&self, command: &[&str], time: &str) -> String {
        self.office.at(time, &[&["digest"], command, &["--by", "Anna Neri"]].concat()).done().out
    }

    fn states(&self) -> Vec<String> {
        let lines = self.office.run(&["messages", "list", "--json"]).done().json_lines();
        lines.iter().map(|line| line["state"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn joining_never_brings_older_news() {
    let town = Town::new(false);
    town.import("anna@example.org,,daily\n", WEDNESDAY);
    town.news(2, WEDNESDAY_NOON);
    town.import("bruno@example.org,,daily\ncarla@example.org,,weekly\n", WEDNESDAY_NOON);
    town.once(THURSDAY);
    town.expect(&[("anna", &[&[0, 1]])]);
    town.news(3, THURSDAY_NOON);
    town.once(FRIDAY);
    town.expect(&[("anna", &[&[0, 1], &[2]]), ("bruno", &[&[2]])]);
    town.once(MONDAY);
    town.expect(&[("anna", &[&[0, 1], &[2]]), ("bruno", &[&[2]]), ("carla", &[&[2]])]);
}

#[test]
fn a_topic_chosen_today_brings_the_news_of_the_current_window_and_none_older() {
    let town = Town::new(false);
    town.import("anna@example.org,health,daily\n", WEDNESDAY);
    town.news(1, WEDNESDAY_NOON);
    town.once(THURSDAY);
    town.expect(&[]);
    town.news(3, THURSDAY_NOON);
    town.import("anna@example.org,tenders,daily\n", THURSDAY_NOON);
    town.once(FRIDAY);
    // The first tender was told while she asked for something else.
    town.expect(&[("anna", &[&[2]])]);
}

#[test]
fn moving_to_another_cadence_loses_nothing_and_doubles_nothing() {
    let town = Town::new(false);
    town.import("anna@example.org,,daily\nbruno@example.org,,weekly\n", WEDNESDAY);
    town.news(1, WEDNESDAY_NOON);
    town.once(THURSDAY);
    town.news(2, THURSDAY_NOON);
    town.import("anna@example.org,,weekly\nbruno@example.org,,daily\n", THURSDAY_NOON);
    town.once(FRIDAY);
    town.expect(&[("anna", &[&[0]]), ("bruno", &[&[0, 1]])]);
    town.once(MONDAY);
    town.expect(&[("anna", &[&[0], &[1]]), ("bruno", &[&[0, 1]])]);
}

#[test]
fn an_edition_waits_for_a_named_person_and_goes_out_once() {
    let town = Town::new(true);
    town.import("anna@example.org,,daily\nbruno@example.org,health,daily\n", WEDNESDAY);
    town.news(1, WEDNESDAY_NOON);
    town.once(THURSDAY);
    town.expect(&[]);
    assert_eq!(town.states(), ["waiting"]);
    town.once(FRIDAY);
    let audit = town.office.run(&["audit", "--json"]).done().json();
    assert_eq!(audit["editions"].as_array().unwrap().len(), 1, "another opened while one waits");
    assert_eq!(audit["editions"][0]["state"], "waiting");
    let explain = ["explain", "--item", "https://comune.example.org/n1", "--subscriber"];
    let explain = [&explain[..], &["anna@example.org", "--json"]].concat();
    let waiting = town.office.at(FRIDAY, &explain).done().json();
    assert_eq!(waiting["verdict"], "will be told");

    let said = town.decide(&["approve", "1"], FRIDAY);
    assert_eq!(said, "approved by Anna Neri: 1 message(s) are queued\n");
    town.office.at(FRIDAY, &["deliver"]).done();
    town.expect(&[("anna", &[&[0]])]);
    for command in [&["approve", "1"][..], &["refuse", "1", "--drop"], &["refuse", "1", "--return"]]
    {
        let again = town.office.run(&[&["digest"], command, &["--by", "Anna Neri"]].concat());
        let err = again.refused(1);
        assert!(err.contains("edition 1 is ") && err.contains("does not wait"), "{err}");
    }
    town.office.run(&["audit"]).done();
}

#[test]
fn what_a_refused_edition_told_is_dropped_or_comes_with_the_next() {
    for (how, expected) in [("--return", &[0, 1][..]), ("--drop", &[1])] {
        let town = Town::new(true);
        town.import("anna@example.org,,daily\n", WEDNESDAY);
        town.news(1, WEDNESDAY_NOON);
        town.once(THURSDAY);
        let said = town.decide(&["refuse", "1", how], THURSDAY);
        assert!(said.starts_with("refused by Anna Neri: 1 message(s) ended; "), "{said}");
        town.news(2, THURSDAY_NOON);
        town.once(FRIDAY);
        town.decide(&["approve", "2"], FRIDAY);
        town.office.at(FRIDAY, &["deliver"]).done();
        town.expect(&[("anna", &[expected])]);
        town.office.run(&["audit"]).done();
    }
}

#[test]
fn an_import_while_an_edition_waits_changes_nothing_in_it_and_loses_nothing() {
    let town = Town::new(true);
    town.import(
        "anna@example.org,tenders,daily\nbruno@example.org,,daily\ncarla@example.org,,daily\n",
        WEDNESDAY,
    );
    town.news(1, WEDNESDAY_NOON);
    town.once(THURSDAY);
    assert_eq!(town.states(), ["waiting"; 3]);
    // Anna asks for something else, Bruno moves to weekly, Dario joins.
    town.import(
        "anna@example.org,energy,daily\nbruno@example.org,,weekly\ncarla@example.org,,daily\n\
         dario@example.org,,daily\n",
        THURSDAY,
    );
    town.news(2, THURSDAY_NOON);
    town.decide(&["approve", "1"], THURSDAY_NOON);
    town.once(THURSDAY_NOON);
    town.expect(&[("anna", &[&[0]]), ("carla", &[&[0]])]);
    town.once(FRIDAY);
    town.decide(&["approve", "2"], FRIDAY);
    town.once(FRIDAY);
    town.expect(&[("anna", &[&[0], &[1]]), ("carla", &[&[0], &[1]]), ("dario", &[&[1]])]);
    town.once(MONDAY);
    let audit = town.office.run(&["audit", "--json"]).done().json();
    let editions = audit["editions"].as_array().unwrap();
    let weekly = editions.iter().find(|edition| edition["cadence"] == "weekly").unwrap();
    town.decide(&["approve", &weekly["id"].to_string()], MONDAY);
    town.once(MONDAY);
    let told = town.told();
    assert_eq!(told["bruno"], [[0, 1]]);
    assert_eq!(told["anna"].len() + told["carla"].len() + told["dario"].len(), 5);
}

#[test]
fn who_is_erased_or_suppressed_while_an_edition_waits_gets_nothing() {
    let town = Town::new(true);
    let all = "anna@example.org,,daily\nbruno@example.org,,daily\ncarla@example.org,,daily\n";
    town.import(all, WEDNESDAY);
    town.news(1, WEDNESDAY_NOON);
    town.once(THURSDAY);
    let because = ["--reason", "richiesta"];
    let erase = [&["subscribers", "erase", "anna@example.org"][..], &because].concat();
    town.office.at(THURSDAY, &erase).done();
    let suppress = [&["subscribers", "suppress", "bruno@example.org"][..], &because].concat();
    town.office.at(THURSDAY, &suppress).done();
    town.decide(&["approve", "1"], THURSDAY_NOON);
    town.once(THURSDAY_NOON);
    town.expect(&[("carla", &[&[0]])]);
    assert_eq!(town.states(), ["cancelled", "cancelled", "accepted"]);
}
