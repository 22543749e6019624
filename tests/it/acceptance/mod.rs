//! From a news page to the inbox: the whole way, with the program itself and a real relay.

mod hostile;

use std::collections::{BTreeMap, BTreeSet};

use banditore::clock::Clock;
use banditore::editions;
use banditore::installation::Installation;
use banditore::store::Actor;
use serde_json::Value;

use crate::program::{Dice, Mail, Office, SmtpSink, fold, shared};

const OWN_PAGE: &str = include_str!("../../fixtures/pages/union.html");
const SUBSCRIBERS: usize = 1_000;
/// How many of the newest items come after the baseline.
const NEW: usize = 3;
/// How many pairs of a subscriber and an item are explained.
const PAIRS: usize = 1_000;
/// The seed of the audience; the number means nothing.
const SEED: u64 = 0xBA_0D17;

/// A Wednesday morning: the first answer.
const BASELINE: &str = "2026-11-25T09:00:00+01:00";
/// Before the next slot: the page has grown.
const GROWN: &str = "2026-11-26T06:30:00+01:00";
/// The next slot of the daily cadence. What came at [`GROWN`] has been gathered as well.
const SLOT: &str = "2026-11-26T07:00:00+01:00";
/// The next slot of the weekly cadence, a Monday.
const MONDAY: &str = "2026-11-30T07:00:00+01:00";

const LIST: &str = r#"
[[source]]
id = "news"
url = "file:news.html"

[[list]]
id = "residents"
name = "Notizie per i residenti"
from = "Unione dei Comuni <news@example.org>"
cadences = { immediate = true, daily = "0 0 7 * * *", weekly = "0 0 7 * * Mon" }
"#;

/// What the residents of the sample are interested in: some of it has news, some has none.
const TOPICS: [&str; 9] =
    ["pnrr", "digital", "tenders", "works", "school", "energy", "environment", "sport", "health"];
const PLACES: [&str; 4] = ["monte-cremasco", "quintano", "crema", "vaiano-cremasco"];

/// An item as the test knows it.
struct Item {
    title: String,
    link: String,
    text: String,
    topics: Vec<String>,
    places: Vec<String>,
    new: bool,
}

/// A subscriber as the test made them.
struct Resident {
    email: String,
    topics: Vec<&'static str>,
    places: Vec<&'static str>,
    words: Vec<&'static str>,
    cadence: &'static str,
    language: &'static str,
}

impl Resident {
    /// Whether they asked for an item: the rule of the contract, said again for one person.
    fn asked_for(&self, item: &Item) -> bool {
        let shared = |theirs: &[&str], its: &[String]| its.iter().any(|id| theirs.contains(&&**id));
        let about = self.topics.is_empty() || shared(&self.topics, &item.topics);
        let near =
            item.places.is_empty() || self.places.is_empty() || shared(&self.places, &item.places);
        let word = self.words.iter().any(|word| has_word(&item.text, word));
        item.new && (word || (about && near))
    }

    fn csv_line(&self) -> String {
        let Self { email, topics, places, words, cadence, language } = self;
        let (topics, places, words) = (topics.join(";"), places.join(";"), words.join(";"));
        format!("{email},,{topics},{places},{words},{cadence},{language}\n")
    }
}

fn has_word(text: &str, wanted: &str) -> bool {
    text.to_lowercase().split(|c: char| !c.is_alphanumeric()).any(|word| word == wanted)
}

/// Residents with tastes that are different, and the same in every run.
fn residents(words: &[&'static str]) -> Vec<Resident> {
    let mut dice = Dice(SEED);
    let mut residents = Vec::with_capacity(SUBSCRIBERS);
    for number in 0..SUBSCRIBERS {
        residents.push(Resident {
            email: format!("resident-{number}@example.org"),
            topics: dice.some(&TOPICS, 3),
            places: dice.some(&PLACES, 2),
            words: if dice.below(6) == 0 { dice.some(words, 2) } else { Vec::new() },
            cadence: ["immediate", "weekly", "daily", "daily", "daily", "daily"][dice.below(6)],
            language: ["it", "it", "it", "en"][dice.below(4)],
        });
    }
    residents
}

/// The page without its newest items.
fn without_newest(page: &str) -> String {
    let mut parts: Vec<&str> = page.split("<article").collect();
    parts.drain(1..=NEW);
    parts.join("<article")
}

/// The items of the page, with the topics and places that the rules give them.
fn items(office: &Office) -> Vec<Item> {
    let tested = office.run(&["source", "test", "news.html", "--source", "news", "--json"]).done();
    let strings = |value: &Value| -> Vec<String> {
        let values = value.as_array().unwrap().iter();
        values.map(|value| value.as_str().unwrap().to_owned()).collect()
    };
    let document = tested.json();
    let items = document["items"].as_array().unwrap().iter().enumerate();
    let item = |(index, item): (usize, &Value)| {
        let title = item["title"].as_str().unwrap().to_owned();
        Item {
            link: item["link"].as_str().unwrap().to_owned(),
            text: format!("{title} {}", item["summary"].as_str().unwrap()),
            title,
            topics: strings(&item["topics"]),
            places: strings(&item["places"]),
            new: index < NEW,
        }
    };
    items.map(item).collect()
}

/// Demands that everybody in these cadences has exactly one mail with exactly what they asked for,
/// in both parts, and that nobody else has any.
fn each_got_what_they_asked_for(
    mails: &[Mail],
    residents: &[Resident],
    items: &[Item],
    cadences: &[&str],
) {
    let mut by_recipient: BTreeMap<&str, Vec<&Mail>> = BTreeMap::new();
    for mail in mails {
        assert_eq!(mail.recipients.len(), 1, "{mail:?}");
        by_recipient.entry(&mail.recipients[0]).or_default().push(mail);
    }
    for resident in residents {
        let expected: BTreeSet<&str> = items
            .iter()
            .filter(|item| cadences.contains(&resident.cadence) && resident.asked_for(item))
            .map(|item| item.title.as_str())
            .collect();
        let mails = by_recipient.remove(resident.email.as_str()).unwrap_or_default();
        assert_eq!(mails.len(), usize::from(!expected.is_empty()), "{}", resident.email);
        for mail in mails {
            for part in [mail.html_text(), mail.text()] {
                let titles: BTreeSet<&str> = items
                    .iter()
                    .map(|item| item.title.as_str())
                    .filter(|title| part.contains(&fold(title)))
                    .collect();
                assert_eq!(titles, expected, "{} in {part}", resident.email);
            }
            let html = mail.parsed().body_html(0).unwrap().into_owned();
            assert!(html.contains(&format!("lang=\"{}\"", resident.language)));
        }
    }
    assert!(by_recipient.is_empty(), "mails to nobody: {:?}", by_recipient.keys());
}

/// The whole way for one page. `words` are followed by some; each stands in the page as it is.
fn the_whole_way(page: &str, words: &[&'static str], known: &[(&str, &[&str])]) {
    let sink = SmtpSink::start();
    let office = Office::with(sink.port, LIST);
    office.write("news.html", without_newest(page));
    office.at(BASELINE, &["migrate"]).done();
    let residents = residents(words);
    let rows: String = residents.iter().map(Resident::csv_line).collect();
    let header = "email,name,topics,places,words,cadence,language\n";
    office.write("residents.csv", format!("{header}{rows}"));
    let import = ["subscribers", "import", "residents.csv", "--list", "residents", "--json"];
    let imported = office.at(BASELINE, &import).done().json();
    assert_eq!(imported["imported"], SUBSCRIBERS, "{imported}");

    let baseline = office.at(BASELINE, &["once", "--json"]).done().json();
    assert_eq!((&baseline["polled"], &baseline["new_items"]), (&1.into(), &0.into()));
    assert_eq!((&baseline["editions"], &baseline["accepted"]), (&0.into(), &0.into()));

    office.write("news.html", page);
    let items = items(&office);
    for (title, topics) in known {
        let item = items.iter().find(|item| item.title.contains(title)).unwrap();
        let missing: Vec<&&str> =
            topics.iter().filter(|topic| !item.topics.iter().any(|id| id == **topic)).collect();
        assert!(missing.is_empty(), "{title} is not about {missing:?}");
    }
    let polled = office.at(GROWN, &["source", "poll", "news", "--json"]).done().json();
    assert_eq!(polled[0]["new"], NEW);

    let asked = |cadences: &[&str]| {
        let asks = |resident: &&Resident| items.iter().any(|item| resident.asked_for(item));
        let theirs = residents.iter().filter(|resident| cadences.contains(&resident.cadence));
        theirs.filter(asks).count()
    };
    let planned = a_plan_writes_nothing(&office);
    let at_slot = asked(&["daily", "immediate"]);
    assert!((100..SUBSCRIBERS).contains(&at_slot), "the sample is no test: {at_slot}");
    let sent = office.at(SLOT, &["once", "--json"]).done().json();
    assert_eq!((&sent["editions"], &sent["messages"]), (&2.into(), &at_slot.into()));
    assert_eq!((&sent["accepted"], &sent["failed"]), (&at_slot.into(), &0.into()));
    each_got_what_they_asked_for(&sink.mails(), &residents, &items, &["daily", "immediate"]);

    let again = office.at(SLOT, &["once", "--json"]).done().json();
    assert_eq!((&again["editions"], &again["accepted"]), (&0.into(), &0.into()));
    assert_eq!(sink.mails().len(), at_slot);
    what_was_planned_happened(&office, &planned);

    let monday = office.at(MONDAY, &["once", "--json"]).done().json();
    assert_eq!(monday["accepted"], asked(&["weekly"]));
    let all = ["daily", "immediate", "weekly"];
    each_got_what_they_asked_for(&sink.mails(), &residents, &items, &all);
    explaining_agrees(&office, &residents, &items);
}

/// Plans the daily edition, and gives the plan.
fn a_plan_writes_nothing(office: &Office) -> Value {
    let before = office.contents();
    let plan =
        ["digest", "plan", "--list", "residents", "--cadence", "daily", "--at", SLOT, "--json"];
    let planned = office.run(&plan).done().json();
    assert_eq!(office.contents(), before);
    planned
}

/// Demands that the daily edition was what the plan said, and that the ledger balances.
fn what_was_planned_happened(office: &Office, planned: &Value) {
    let audit = office.run(&["audit", "--json"]).done().json();
    assert_eq!(audit["balanced"], true);
    let editions = audit["editions"].as_array().unwrap();
    let daily = editions.iter().find(|edition| edition["cadence"] == "daily").unwrap();
    for sum in ["considered", "empty", "suppressed", "slot"] {
        assert_eq!(daily[sum], planned[sum], "{sum}");
    }
    assert_eq!(daily["messages"]["accepted"], planned["messages"]);
    let variants = planned["variants"].as_array().unwrap().iter();
    let recipients: i64 = variants.map(|variant| variant["recipients"].as_i64().unwrap()).sum();
    assert_eq!(planned["messages"], recipients);
}

/// Demands that `explain` says of some pairs what the test knows of them: of a few by the command,
/// of many by the function behind it.
fn explaining_agrees(office: &Office, residents: &[Resident], items: &[Item]) {
    let mut dice = Dice(SEED + 1);
    let mut pair = || (&residents[dice.below(residents.len())], &items[dice.below(items.len())]);
    for (resident, item) in (0..10).map(|_| pair()) {
        let explain = ["explain", "--item", &item.link, "--subscriber", &resident.email, "--json"];
        let explained = office.at(MONDAY, &explain).done().json();
        agrees(resident, item, &explained);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let monday = chrono::DateTime::parse_from_rfc3339(MONDAY).unwrap();
        let clock = Clock::stepped(monday.into());
        let file = office.file("banditore.toml");
        let installation = Installation::open(Some(&file), clock, Actor::system()).await.unwrap();
        let mut tx = installation.store.read().await.unwrap();
        for (resident, item) in (0..PAIRS).map(|_| pair()) {
            let address = resident.email.parse().unwrap();
            let hash = installation.keys.address_hash(&address);
            let subject = tx.subject_by_hash(&hash).await.unwrap().unwrap();
            let known = tx.items_by_link(&item.link).await.unwrap().remove(0);
            let (rules, zone) = (&installation.rules, installation.config.site.timezone);
            let explained =
                editions::explain(&mut tx, rules, zone, &known, &subject, monday.into());
            let explained = serde_json::to_value(explained.await.unwrap()).unwrap();
            agrees(resident, item, &explained);
        }
    });
}

fn agrees(resident: &Resident, item: &Item, explained: &Value) {
    let expected = if resident.asked_for(item) { "told" } else { "not told" };
    assert_eq!(explained["verdict"], expected, "{} {}", resident.email, item.title);
    let mut steps = explained["steps"].as_array().unwrap().iter();
    let broken = steps.any(|step| step["holds"] == false);
    assert_eq!(broken, expected == "not told", "{explained}");
}

#[test]
fn each_subscriber_gets_exactly_what_they_asked_for_from_a_page() {
    let known: [(&str, &[&str]); 3] = [
        ("Nuova palestra", &["tenders", "works", "pnrr"]),
        ("Dal PNRR", &["pnrr", "digital"]),
        ("Comunità energetica", &["energy", "environment"]),
    ];
    the_whole_way(OWN_PAGE, &["tribuna", "calendario", "sole", "pavimentazione"], &known);
}

#[test]
fn each_subscriber_gets_exactly_what_they_asked_for_from_the_consortium_s_page() {
    // The page is not the project's own; where it is not beside it, the page above stands for it.
    let Some(page) = shared("consorzio/news.html") else { return };
    let known: [(&str, &[&str]); 2] = [
        ("Dal PNRR", &["pnrr", "digital"]),
        ("Monte Cremasco", &["tenders", "pnrr", "works", "school"]),
    ];
    the_whole_way(&page, &["stanghellini", "burocrazia", "madia", "tettoia"], &known);
}

#[test]
fn a_preview_shows_each_variant_as_three_files_and_sends_nothing() {
    let sink = SmtpSink::start();
    let office = Office::with(sink.port, LIST);
    office.write("news.html", without_newest(OWN_PAGE));
    office.at(BASELINE, &["migrate"]).done();
    office.write(
        "residents.csv",
        "email;topics;language\nanna@example.org;energy;it\nbruno@example.org;pnrr;en\n\
         carla@example.org;health;it\n",
    );
    office.at(BASELINE, &["subscribers", "import", "residents.csv", "--list", "residents"]).done();
    office.at(BASELINE, &["once"]).done();
    office.write("news.html", OWN_PAGE);
    office.at(GROWN, &["source", "poll"]).done();
    let before = office.contents();
    let preview = ["digest", "preview", "--list", "residents", "--cadence", "daily", "--out", "p"];
    office.at(SLOT, &preview).done();
    let mut names: Vec<String> = std::fs::read_dir(office.file("p"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let name = |number: u8, ending: &str| format!("residents-daily-{number:03}.{ending}");
    let all = [1, 2].into_iter().flat_map(|number| ["eml", "html", "txt"].map(|e| name(number, e)));
    assert_eq!(names, all.collect::<Vec<_>>());
    let texts =
        office.read("p/residents-daily-001.txt") + &office.read("p/residents-daily-002.txt");
    assert!(texts.contains("Comunità energetica") && texts.contains("Dal PNRR"), "{texts}");
    assert!(office.read("p/residents-daily-001.html").contains("<html"));
    assert!(office.read("p/residents-daily-001.eml").contains("List-Unsubscribe:"));

    let one = [&preview[..7], &["one", "--subscriber", "Anna@Example.org"]].concat();
    office.at(SLOT, &one).done();
    assert_eq!(std::fs::read_dir(office.file("one")).unwrap().count(), 3);
    assert!(office.read("one/residents-daily-001.txt").contains("Comunità energetica"));
    let none = [&preview[..7], &["none", "--subscriber", "carla@example.org"]].concat();
    office.at(SLOT, &none).refused(1);
    assert!(!office.file("none").exists());
    assert_eq!(office.contents(), before);
    assert!(sink.mails().is_empty());
}

#[test]
fn two_rounds_at_the_same_time_tell_everybody_once() {
    let sink = SmtpSink::start();
    let office = Office::with(sink.port, LIST);
    office.write("news.html", without_newest(OWN_PAGE));
    office.at(BASELINE, &["migrate"]).done();
    let rows: String = (0..300).map(|number| format!("r{number}@example.org\n")).collect();
    office.write("residents.csv", format!("email\n{rows}"));
    office.at(BASELINE, &["subscribers", "import", "residents.csv", "--list", "residents"]).done();
    office.at(BASELINE, &["once"]).done();
    office.write("news.html", OWN_PAGE);
    let rounds: Vec<_> = std::thread::scope(|scope| {
        let round = || office.at(SLOT, &["once", "--json"]);
        let started: Vec<_> = (0..3).map(|_| scope.spawn(round)).collect();
        started.into_iter().map(|round| round.join().unwrap()).collect()
    });
    // Whoever comes while another delivers is told so; one of them does the work.
    assert!(rounds.iter().any(|round| round.code == 0), "{rounds:?}");
    for round in rounds.iter().filter(|round| round.code != 0) {
        assert!(round.err.contains("another process is delivering"), "{round:?}");
    }
    office.at(SLOT, &["deliver", "--until-empty"]).done();
    let mut recipients: Vec<String> =
        sink.mails().iter().map(|mail| mail.recipients[0].clone()).collect();
    assert_eq!(recipients.len(), 300);
    recipients.sort();
    recipients.dedup();
    assert_eq!(recipients.len(), 300);
    assert_eq!(office.run(&["audit", "--json"]).done().json()["editions"][0]["considered"], 300);
}
