//! Rules tried before they count, and what named persons correct in items: who says so, when, and
//! whom it reaches.

use serde_json::Value;

use crate::program::{Office, SmtpSink};

const BASELINE: &str = "2026-11-25T09:00:00+01:00";
const NEWS: &str = "2026-11-25T10:00:00+01:00";
const CORRECTED: &str = "2026-11-25T11:00:00+01:00";
const SLOT: &str = "2026-11-26T07:00:00+01:00";
const AFTER: &str = "2026-11-26T09:00:00+01:00";
const NEXT_SLOT: &str = "2026-11-27T07:00:00+01:00";

const SETTINGS: &str = r#"
[[source]]
id = "news"
url = "file:news.xml"

[[list]]
id = "residents"
name = "Notizie"
from = "news@example.org"
cadences = { daily = "0 0 7 * * *" }
"#;

const NEWS_TITLES: [&str; 4] = [
    "Bando di gara per la palestra",
    "Nasce lo sportello di transizione dolce",
    "Transizione dolce, i primi risultati dello sportello",
    "Festa di paese",
];

fn feed(titles: &[&str]) -> String {
    let items: String = titles
        .iter()
        .enumerate()
        .map(|(number, title)| {
            format!(
                "<item><guid>n{number}</guid><title>{title}</title>\
                 <link>https://comune.example.org/n{number}</link>\
                 <pubDate>Wed, 25 Nov 2026 08:3{number}:00 +0100</pubDate></item>"
            )
        })
        .collect();
    let first = "<item><guid>first</guid><title>Benvenuti</title></item>";
    format!("<rss version=\"2.0\"><channel><title>Notizie</title>{items}{first}</channel></rss>")
}

/// An office with four new items; Anna asked for tenders, Bruno for the PNRR, Carla for Crema.
fn office(port: u16, more: &str) -> Office {
    let settings = SETTINGS.replace("[[list]]", &format!("{more}\n[[list]]"));
    let office = Office::with(port, &settings);
    office.write("news.xml", feed(&[]));
    office.at(BASELINE, &["migrate"]).done();
    office.write(
        "in.csv",
        "email,topics,places\nanna@example.org,tenders,\nbruno@example.org,pnrr,\n\
         carla@example.org,,crema\n",
    );
    let import = ["subscribers", "import", "in.csv", "--list", "residents"];
    office.at(BASELINE, &import).done();
    office.at(BASELINE, &["source", "poll"]).done();
    office.write("news.xml", feed(&NEWS_TITLES));
    office.at(NEWS, &["source", "poll", "news"]).done();
    office
}

fn link(number: usize) -> String {
    format!("https://comune.example.org/n{number}")
}

fn correct(office: &Office, at: &str, args: &[&str]) -> String {
    office.at(at, &[&["topics", "correct"], args, &["--by", "Maria"]].concat()).done().out
}

/// Why somebody is told an item, or is not.
fn explained(office: &Office, at: &str, item: &str, who: &str) -> (String, String) {
    let args = ["explain", "--item", item, "--subscriber", who, "--json"];
    let explanation = office.at(at, &args).done().json();
    let steps = explanation["steps"].as_array().unwrap();
    let details: Vec<&str> = steps.iter().map(|step| step["detail"].as_str().unwrap()).collect();
    (explanation["verdict"].as_str().unwrap().to_owned(), details.join("\n"))
}

fn recipients(office: &Office, at: &str) -> i64 {
    let args =
        ["digest", "plan", "--list", "residents", "--cadence", "daily", "--at", at, "--json"];
    office.run(&args).done().json()["messages"].as_i64().unwrap()
}

#[test]
fn a_correction_wins_over_the_rules_and_is_explained_with_who_and_when() {
    let sink = SmtpSink::start();
    let office = office(sink.port, "");
    let (gara, sportello) = (link(0), link(1));
    assert_eq!(explained(&office, NEWS, &gara, "anna@example.org").0, "will be told");
    assert_eq!(explained(&office, NEWS, &sportello, "bruno@example.org").0, "not told");

    let said = correct(&office, CORRECTED, &[&gara, "tenders", "--is-not"]);
    assert!(said.contains("is not about tenders"), "{said}");
    correct(&office, CORRECTED, &[&sportello, "pnrr", "--is"]);
    let again = correct(&office, CORRECTED, &[&sportello, "pnrr", "--is"]);
    assert!(again.contains("said already"), "{again}");

    let (verdict, why) = explained(&office, CORRECTED, &gara, "anna@example.org");
    assert_eq!(verdict, "not told", "{why}");
    assert!(why.contains("it is not about tenders: Maria said so on 2026-11-25T11:00"), "{why}");
    let (verdict, why) = explained(&office, CORRECTED, &sportello, "bruno@example.org");
    assert_eq!(verdict, "will be told", "{why}");
    assert!(why.contains("it is about pnrr: Maria said so on 2026-11-25T11:00"), "{why}");

    // Bruno and Carla, and not Anna.
    assert_eq!(recipients(&office, SLOT), 2);
    office.at(SLOT, &["digest", "run"]).done();
    assert_eq!(explained(&office, AFTER, &sportello, "bruno@example.org").0, "will be told");
    office.at(AFTER, &["deliver", "--until-empty"]).done();
    assert_eq!(explained(&office, AFTER, &sportello, "bruno@example.org").0, "told");
    assert_eq!(explained(&office, AFTER, &gara, "anna@example.org").0, "not told");
}

#[test]
fn a_correction_brings_back_nothing_that_a_cut_has_passed() {
    let sink = SmtpSink::start();
    let office = office(sink.port, "");
    let (gara, sportello) = (link(0), link(1));
    office.at(SLOT, &["digest", "run"]).done();
    correct(&office, AFTER, &[&sportello, "pnrr", "--is"]);
    correct(&office, AFTER, &[&gara, "tenders", "--is-not"]);
    assert_eq!(recipients(&office, NEXT_SLOT), 0);
    office.at(NEXT_SLOT, &["digest", "run"]).done();
    let (verdict, why) = explained(&office, NEXT_SLOT, &sportello, "bruno@example.org");
    assert_eq!(verdict, "not told", "{why}");
    assert!(why.contains("was decided by what was known then"), "{why}");
    // What was told stays explained by what the edition knew.
    office.at(NEXT_SLOT, &["deliver", "--until-empty"]).done();
    let (verdict, why) = explained(&office, NEXT_SLOT, &gara, "anna@example.org");
    assert_eq!(verdict, "told", "{why}");
    let then = why.split("was decided by what was known then").nth(1).expect("said");
    assert!(then.contains("it is about tenders: \"Bando di gara\""), "{why}");
}

#[test]
fn places_are_corrected_too_and_the_last_word_counts() {
    let sink = SmtpSink::start();
    let office = office(sink.port, "");
    let festa = link(3);
    assert_eq!(explained(&office, NEWS, &festa, "carla@example.org").0, "will be told");
    correct(&office, CORRECTED, &[&festa, "--place", "offanengo", "--is"]);
    let (verdict, why) = explained(&office, CORRECTED, &festa, "carla@example.org");
    assert_eq!(verdict, "not told", "{why}");
    assert!(why.contains("it matters in offanengo: Maria said so"), "{why}");
    correct(&office, AFTER, &[&festa, "--place", "offanengo", "--is-not"]);
    correct(&office, AFTER, &[&festa, "--place", "crema", "--is"]);
    let (verdict, why) = explained(&office, AFTER, &festa, "carla@example.org");
    assert_eq!(verdict, "will be told", "{why}");
}

#[test]
fn items_of_a_source_with_a_place_have_that_where_they_name_none() {
    let sink = SmtpSink::start();
    let office = office(sink.port, "place = \"offanengo\"");
    let (verdict, why) = explained(&office, NEWS, &link(3), "carla@example.org");
    assert_eq!(verdict, "not told", "{why}");
    assert!(why.contains("it matters in offanengo: it names no place, and that is its"), "{why}");
    let settings = office.read("banditore.toml");
    office.write("banditore.toml", settings.replace("\"offanengo\"", "\"atlantis\""));
    let refused = office.at(NEWS, &["source", "poll"]).refused(2);
    assert!(refused.contains("source news has the place atlantis"), "{refused}");
    office.write("banditore.toml", settings.replace("\"offanengo\"", "\"Monte Cremasco\""));
    let refused = office.at(NEWS, &["source", "poll"]).refused(2);
    assert!(refused.contains("source.place"), "{refused}");
}

#[test]
fn corrections_are_listed_traced_and_exported_for_the_evaluation() {
    let sink = SmtpSink::start();
    let office = office(sink.port, "");
    correct(&office, CORRECTED, &[&link(1), "pnrr", "--is"]);
    correct(&office, CORRECTED, &[&link(3), "--place", "crema", "--is"]);
    correct(&office, AFTER, &[&link(1), "pnrr", "--is-not"]);
    let listed = office.run(&["topics", "corrections", "--json"]).done().json_lines();
    assert_eq!(listed.len(), 3);
    assert_eq!((&listed[0]["topic"], &listed[0]["is"]), (&"pnrr".into(), &true.into()));
    assert_eq!((&listed[1]["place"], &listed[1]["by"]), (&"crema".into(), &"Maria".into()));
    // The clock of a command runs on while it starts.
    assert_eq!(listed[2]["at"].as_str().unwrap()[..16], AFTER[..16]);
    let plain = office.run(&["topics", "corrections"]).done().out;
    assert!(plain.contains("is not topic pnrr, Maria, 2026-11-26T09:00"), "{plain}");

    let traced = office.run(&["trace", "--json"]).done().json_lines();
    let of = |line: &&Value| line["action"] == "item.corrected";
    let traced: Vec<&Value> = traced.iter().filter(of).collect();
    assert_eq!(traced.len(), 3);
    assert_eq!(traced[0]["name"], "Maria");
    assert_eq!(traced[0]["before"]["is"], true);

    let labelled = office.run(&["topics", "corrections", "--labelled"]).done().out;
    assert_eq!(labelled.lines().count(), 2);
    office.write("labelled.jsonl", &labelled);
    let figures = office.run(&["topics", "eval", "labelled.jsonl", "--json"]).done().json();
    assert_eq!(figures["items"], 2);
}

#[test]
fn words_that_separate_corrected_items_are_proposed_as_rules() {
    let sink = SmtpSink::start();
    let office = office(sink.port, "");
    let refused = office.run(&["topics", "suggest", "pnrr"]).refused(1);
    assert!(refused.contains("0 items are corrected for pnrr"), "{refused}");
    correct(&office, CORRECTED, &[&link(1), "pnrr", "--is"]);
    correct(&office, CORRECTED, &[&link(2), "pnrr", "--is"]);
    correct(&office, CORRECTED, &[&link(3), "pnrr", "--is-not"]);
    let suggest =
        |more: &[&str]| office.at(AFTER, &[&["topics", "suggest", "pnrr"], more].concat()).done();
    let proposed = suggest(&["--json"]).json();
    assert_eq!((&proposed["is"], &proposed["is_not"]), (&2.into(), &1.into()));
    let phrases: Vec<&str> = proposed["strong"]
        .as_array()
        .unwrap()
        .iter()
        .map(|suggestion| suggestion["phrase"].as_str().unwrap())
        .collect();
    assert!(phrases.contains(&"transizione dolce"), "{phrases:?}");
    assert!(phrases.iter().all(|phrase| *phrase != "transizione"), "one is enough: {phrases:?}");
    let rules = suggest(&[]).out;
    let table: toml::Table = toml::from_str(&rules).expect("the proposal is TOML");
    assert!(table["strong"].as_array().unwrap().iter().any(|p| p.as_str() == Some("sportello")));
    // Nothing has changed by itself.
    assert_eq!(explained(&office, AFTER, &link(0), "bruno@example.org").0, "not told");
}

const CHANGED: &str = r#"
[[topic]]
id = "pnrr"
label = { it = "PNRR", en = "PNRR" }
description = { it = "PNRR.", en = "PNRR." }
strong = ["transizione dolce"]
"#;

#[test]
fn changed_rules_are_tried_on_what_came_in_and_write_nothing() {
    let sink = SmtpSink::start();
    let office = office(sink.port, "");
    office.write("new.toml", CHANGED);
    let before = office.contents();
    let diff =
        |more: &[&str]| office.at(AFTER, &[&["topics", "diff", "new.toml"], more].concat()).done();
    let changed = diff(&["--json"]).json();
    assert_eq!(changed["items"], 5);
    assert_eq!(changed["topics"]["pnrr"]["added"], 2);
    assert_eq!(changed["topics"]["tenders"]["removed"], 1);
    let item = &changed["changed"].as_array().unwrap()[0];
    assert_eq!(item["title"], NEWS_TITLES[0]);
    assert_eq!(item["topics_removed"][0]["id"], "tenders");
    let plain = diff(&[]).out;
    assert!(plain.contains("+ pnrr: \"transizione dolce\" by rule pnrr: transizione"), "{plain}");
    assert_eq!(office.contents(), before);
    // What a person has said stands, whatever the rules say.
    correct(&office, AFTER, &[&link(1), "pnrr", "--is-not"]);
    assert_eq!(diff(&["--json"]).json()["topics"]["pnrr"]["added"], 1);
    let none = office.at("2027-06-01T09:00:00+01:00", &["topics", "diff", "new.toml", "--json"]);
    assert_eq!(none.done().json()["items"], 0);
    // Places are tried the same way.
    office.write("places.toml", "serve = [\"019035\"]\n");
    let places = office.at(AFTER, &["topics", "diff", "--places", "places.toml", "--json"]);
    assert_eq!(places.done().json()["items"], 5);
}

const FLAWED: &str = r#"hide = ["messa al bando"]

[[topic]]
id = "tenders"
label = { it = "Gare", en = "Tenders" }
description = { it = "Gare.", en = "Tenders." }
strong = [
  "bando di gara",
  "bandi di gara",
  "gara podistica",
  "messa al bando",
  "ippopotamo",
]
not = ["gara podistica"]
implies = ["works"]
unless = ["works"]

[[topic]]
id = "works"
label = { it = "Lavori", en = "Works" }
description = { it = "Lavori.", en = "Works." }
weak = ["ippopotami"]
"#;

#[test]
fn rules_that_contradict_are_there_twice_or_never_match_are_found_with_their_lines() {
    let sink = SmtpSink::start();
    let office = office(sink.port, "");
    office.write("flawed.toml", FLAWED);
    let ran = office.at(AFTER, &["topics", "check", "flawed.toml", "--json"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let checked: Value = ran.json();
    let flaws: Vec<(&str, u64)> = checked["flaws"]
        .as_array()
        .unwrap()
        .iter()
        .map(|flaw| (flaw["flaw"].as_str().unwrap(), flaw["line"].as_u64().unwrap()))
        .collect();
    assert_eq!(
        flaws,
        [
            ("twice", 9),
            ("contradicts", 10),
            ("contradicts", 11),
            ("contradicts", 16),
            ("shared", 22)
        ]
    );
    assert_eq!((&checked["ok"], &checked["items"]), (&false.into(), &5.into()));
    let never = checked["never"].as_array().unwrap();
    assert!(never.contains(&"tenders: ippopotamo".into()), "{never:?}");
    assert!(!never.contains(&"tenders: bando di gara".into()), "{never:?}");
    // What two topics share, and what never matched, is no fault.
    let fine = FLAWED.replace("  \"bandi di gara\",\n  \"gara podistica\",\n", "");
    let fine = fine.replace("hide = [\"messa al bando\"]", "").replace("unless = [\"works\"]", "");
    office.write("fine.toml", fine);
    let plain = office.at(AFTER, &["topics", "check", "fine.toml"]).done().out;
    assert!(plain.contains("\"ippopotami\" speaks for tenders and works"), "{plain}");
    assert!(plain.contains("rules match none of 5 items of 365 days"), "{plain}");
}

#[test]
fn no_rule_that_comes_with_the_program_contradicts_itself() {
    let office = Office::empty();
    let checked = office.run(&["topics", "check", "--json"]).done().json();
    assert_eq!((&checked["ok"], &checked["items"]), (&true.into(), &Value::Null));
}

#[test]
fn nonsense_is_refused_with_what_to_do() {
    let sink = SmtpSink::start();
    let office = office(sink.port, "");
    let gara = link(0);
    for args in [
        &["topics", "correct", "999", "tenders", "--is", "--by", "Maria"][..],
        &["topics", "correct", &gara, "gelato", "--is", "--by", "Maria"],
        &["topics", "correct", &gara, "--place", "atlantis", "--is", "--by", "Maria"],
        &["topics", "correct", &gara, "--is", "--by", "Maria"],
        &["topics", "correct", &gara, "tenders", "--place", "crema", "--is", "--by", "Maria"],
        &["topics", "correct", &gara, "tenders", "--is", "--is-not", "--by", "Maria"],
        &["topics", "correct", &gara, "tenders", "--by", "Maria"],
        &["topics", "correct", &gara, "tenders", "--is"],
        &["topics", "correct", &gara, "tenders", "--is", "--by", "  "],
        &["topics", "correct", &gara, "NO SUCH", "--is", "--by", "Maria"],
        &["topics", "corrections", "--json", "--labelled"],
        &["topics", "suggest", "gelato"],
        &["topics", "suggest", "pnrr", "--days", "0"],
        &["topics", "diff"],
        &["topics", "diff", "none.toml"],
        &["topics", "diff", "in.csv"],
        &["topics", "diff", "in.csv", "--days", "99999"],
        &["topics", "check", "none.toml"],
        &["topics", "check", "in.csv"],
    ] {
        let err = office.run(args).refused(2);
        assert!(err.contains("error:") && err.contains("hint:"), "{args:?}: {err}");
    }
    assert!(office.run(&["topics", "corrections"]).done().out.is_empty());
}

#[test]
fn a_topic_that_a_person_gives_brings_those_that_contain_it_and_one_that_is_taken_takes_no_other() {
    let sink = SmtpSink::start();
    let office = office(sink.port, "");
    let (gara, festa) = (link(0), link(3));
    let said = correct(&office, CORRECTED, &[&festa, "waste", "--is"]);
    assert!(said.contains("is about waste and is about environment"), "{said}");
    let (_, why) = explained(&office, CORRECTED, &festa, "carla@example.org");
    assert!(why.contains("it is about environment: Maria said so"), "{why}");
    let said = correct(&office, AFTER, &[&festa, "waste", "--is-not"]);
    assert!(!said.contains("environment"), "{said}");
    let (_, why) = explained(&office, AFTER, &festa, "carla@example.org");
    assert!(why.contains("it is about environment: Maria said so"), "{why}");
    assert!(why.contains("it is not about waste"), "{why}");
    // A person's own word about the topic that contains it stays.
    correct(&office, CORRECTED, &[&gara, "environment", "--is-not"]);
    let said = correct(&office, AFTER, &[&gara, "waste", "--is"]);
    assert!(!said.contains("environment"), "{said}");
    let (_, why) = explained(&office, AFTER, &gara, "anna@example.org");
    assert!(why.contains("it is not about environment: Maria said so"), "{why}");
}

#[test]
fn a_source_is_added_with_its_place_by_id_or_name_and_an_unknown_place_is_refused() {
    let sink = SmtpSink::start();
    let office = office(sink.port, "");
    let add = |id, place| {
        let url = "https://127.0.0.1:1/feed.xml";
        office.run(&["source", "add", id, url, "--kind", "feed", "--place", place])
    };
    add("one", "offanengo").done();
    add("two", " MONTE cremasco ").done();
    let contents = office.run(&["trace", "--json"]).done().out;
    for place in ["offanengo", "monte-cremasco"] {
        assert!(contents.contains(&format!("\"place\":\"{place}\"")), "{contents}");
    }
    let refused = add("three", "Atlantide").refused(2);
    assert!(refused.contains("there is no place \"Atlantide\""), "{refused}");
    assert!(refused.contains("hint: write one that places.toml serves: "), "{refused}");
    assert!(!office.run(&["source", "list"]).done().out.contains("three"));
}
