//! Addresses come in as files, through the program: each row is taken or refused with a reason, and
//! nobody who left comes back.

use serde_json::{Value, json};

use crate::program::Office;

const TIME: &str = "2026-11-25T09:00:00+01:00";
const LISTS: &str = r#"
[[list]]
id = "residents"
name = "Notizie"
from = "news@example.org"
cadences = { immediate = true, daily = "0 0 7 * * *", weekly = "0 0 7 * * Mon" }

[[list]]
id = "mayors"
name = "Sindaci"
from = "news@example.org"
public = false
cadences = { weekly = "0 0 7 * * Mon" }
"#;

fn office() -> Office {
    let office = Office::with(1, LISTS);
    office.at(TIME, &["migrate"]).done();
    office
}

/// Imports a text; gives the report.
#[track_caller]
fn import(office: &Office, text: impl AsRef<[u8]>) -> Value {
    office.write("in.csv", text);
    let args = ["subscribers", "import", "in.csv", "--list", "residents", "--json"];
    office.at(TIME, &args).done().json()
}

fn export(office: &Office) -> String {
    office.run(&["subscribers", "export", "--list", "residents"]).done().out
}

fn show(office: &Office, email: &str) -> Value {
    office.run(&["subscribers", "show", email, "--json"]).done().json()
}

#[test]
fn every_row_is_taken_or_refused_with_its_line_and_its_reason() {
    let office = office();
    let words = (0..11).map(|n| format!("parola{n}")).collect::<Vec<_>>().join(";");
    let report = import(
        &office,
        format!(
            "email,name,topics,places,words,cadence,language\n\
             anna@example.org,\"Rossi, Anna\",pnrr;tenders,Monte Cremasco;quintano,asilo nido,weekly,en\n\
             bruno.example.org,,,,,,\n\
             ANNA@Example.ORG,,,,,,\n\
             carla@example.org,,nosuch,,,,\n\
             dario@example.org,,,atlantis,,,\n\
             elena@example.org,,,,,hourly,\n\
             fabio@example.org,,,,,,de\n\
             gina@example.org,,,,{words},,\n\
             hugo@example.org,,,,,,,too,many\n\
             ,,,,,,\n\
             irma@example.org\n"
        ),
    );
    assert_eq!((&report["rows"], &report["imported"]), (&11.into(), &2.into()));
    let reasons: Vec<(u64, &str)> = report["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["line"].as_u64().unwrap(), row["reason"].as_str().unwrap()))
        .collect();
    let expected = [
        (3, "no @"),
        (4, "earlier line"),
        (5, "no topic \"nosuch\""),
        (6, "no place \"atlantis\""),
        (7, "does not offer \"hourly\""),
        (8, "language: there is no \"de\""),
        (9, "words: more than 10"),
        (10, "more fields"),
        (11, "empty"),
    ];
    assert_eq!(reasons.len(), expected.len(), "{reasons:?}");
    for ((line, reason), (expected_line, part)) in reasons.iter().zip(expected) {
        assert!(*line == expected_line && reason.contains(part), "{line} {reason}");
    }
    let anna = show(&office, "anna@EXAMPLE.org");
    assert_eq!(anna["name"], "Rossi, Anna");
    let held = &anna["subscriptions"][0];
    assert_eq!(held["topics"], json!(["pnrr", "tenders"]));
    assert_eq!(held["places"], json!(["monte-cremasco", "quintano"]));
    assert_eq!((&held["cadence"], &held["language"]), (&"weekly".into(), &"en".into()));
    assert_eq!(held["words"], json!(["asilo nido"]));
    let irma = show(&office, "irma@example.org");
    let held = &irma["subscriptions"][0];
    assert_eq!((&held["cadence"], &held["all_topics"]), (&"daily".into(), &true.into()));
}

#[test]
fn a_file_may_come_from_any_spreadsheet() {
    for text in [
        "email;topics\r\nanna@example.org;\"pnrr;tenders\"\r\n".to_owned(),
        "\u{feff}email;topics\r\nanna@example.org;\"pnrr;tenders\"".to_owned(),
        "\u{feff}\"Email\";\"Topics\"\n\"anna@example.org\";\"pnrr; tenders\"\n".to_owned(),
        " EMAIL , Topics \n anna@example.org , pnrr;tenders \n\n".to_owned(),
        "topics,email\r\n\"pnrr|tenders\",anna@example.org\r\n".to_owned(),
    ] {
        let office = office();
        let report = import(&office, &text);
        assert_eq!(report["imported"], 1, "{text:?} {report}");
        let held = &show(&office, "anna@example.org")["subscriptions"][0];
        assert_eq!(held["topics"], json!(["pnrr", "tenders"]), "{text:?}");
    }
}

#[test]
fn a_file_that_cannot_be_used_as_a_whole_is_an_error_and_nothing_is_written() {
    let office = office();
    let before = office.contents();
    let cases: [(&[u8], &str); 6] = [
        (b"", "no column \"email\""),
        (b"name,topics\nAnna,pnrr\n", "no column \"email\"; it has name, topics"),
        (b"email,colour\nanna@example.org,red\n", "the column \"colour\" is not known"),
        (b"email,email\na@example.org,b@example.org\n", "the column \"email\" is there twice"),
        (b"anna@example.org\nbruno@example.org\n", "the column \"anna@example.org\""),
        (b"PK\x03\x04\x14\x00\x06\x00", "column"),
    ];
    for (text, expected) in cases {
        office.write("in.csv", text);
        let args = ["subscribers", "import", "in.csv", "--list", "residents", "--json"];
        let err = office.at(TIME, &args).refused(1);
        assert!(err.contains(expected), "{err}");
        assert!(err.contains("hint: the first line names the columns: email, name"), "{err}");
    }
    std::fs::create_dir(office.file("folder")).unwrap();
    let folder = ["subscribers", "import", "folder", "--list", "residents"];
    assert!(office.run(&folder).refused(2).contains("cannot be read"));
    let missing = ["subscribers", "import", "nix.csv", "--list", "residents"];
    assert!(office.run(&missing).refused(2).contains("nix.csv"));
    let list = ["subscribers", "import", "in.csv", "--list", "resident"];
    assert!(office.run(&list).refused(2).contains("the lists are mayors, residents"));
    assert_eq!(office.contents(), before);
}

#[test]
fn a_row_that_is_not_utf_8_is_refused_alone() {
    let office = office();
    let report = import(
        &office,
        b"email,name\nanna@example.org,Citt\xe0\nbr\xfcno@example.org,\ncarla@example.org,Carla\n",
    );
    assert_eq!((&report["imported"], &report["refused_rows"]), (&1.into(), &2.into()));
    assert_eq!(report["refused"][0]["reason"], "name: not UTF-8");
}

#[test]
fn a_quote_left_open_takes_no_row_in_unsaid() {
    let office = office();
    for column in ["name", "topics", "places", "words", "cadence", "language"] {
        let text = format!("email,{column}\nanna@example.org,\"x\nbruno@example.org,\n");
        let report = import(&office, text);
        assert_eq!((&report["imported"], &report["refused_rows"]), (&0.into(), &1.into()));
        let reason = report["refused"][0]["reason"].as_str().unwrap();
        assert!(reason.starts_with(column) && reason.contains("quote left open"), "{reason}");
    }
}

#[test]
fn an_import_run_twice_changes_nothing_the_second_time() {
    let office = office();
    let text = "email,topics,words,cadence\nanna@example.org,pnrr,\"asilo; asili\",daily\n\
                bruno@example.org,,,weekly\n";
    assert_eq!(import(&office, text)["imported"], 2);
    let before = office.contents();
    let again = import(&office, text);
    assert_eq!((&again["unchanged"], &again["updated"]), (&2.into(), &0.into()));
    assert_eq!(office.contents(), before);
    let changed = import(&office, text.replace("pnrr", "energy"));
    assert_eq!((&changed["unchanged"], &changed["updated"]), (&1.into(), &1.into()));
}

#[test]
fn a_dry_run_reports_the_same_and_writes_nothing() {
    let office = office();
    let rows: String = (0..2_500).map(|n| format!("r{n}@example.org\n")).collect();
    office.write("in.csv", format!("email\n{rows}r1@example.org\n"));
    let before = office.contents();
    let args = ["subscribers", "import", "in.csv", "--list", "residents", "--json"];
    let dry = office.at(TIME, &[&args[..], &["--dry-run"]].concat()).done().json();
    assert_eq!(office.contents(), before);
    assert_eq!((&dry["imported"], &dry["refused_rows"]), (&2_500.into(), &1.into()));
    let text = office.at(TIME, &[&args[..5], &["--dry-run"]].concat()).done();
    assert!(text.out.starts_with("nothing was written; it would be: rows 2501"), "{text:?}");
    assert_eq!(office.at(TIME, &args).done().json(), dry);
}

#[test]
fn what_is_exported_comes_in_again_as_it_was() {
    let office = office();
    import(
        &office,
        "email,name,topics,places,words,cadence,language\n\
         anna@example.org,\"Rossi, \"\"Anna\"\"\",pnrr;tenders,quintano,asilo nido;mensa,weekly,en\n\
         Bruno@example.org,,,,,immediate,it\n\
         città@münchen.example,Zoë,,crema,,daily,it\n",
    );
    let exported = export(&office);
    let before = office.contents();
    let again = import(&office, &exported);
    assert_eq!(again["unchanged"], 3, "{again}");
    assert_eq!(office.contents(), before);

    let other = self::office();
    assert_eq!(import(&other, &exported)["imported"], 3);
    assert_eq!(export(&other), exported);
    let out = ["subscribers", "export", "--list", "residents", "--out", "out.csv"];
    assert_eq!(other.run(&out).done().out, "");
    assert_eq!(other.read("out.csv"), exported);
    let nowhere = ["subscribers", "export", "--list", "residents", "--out", "no/where.csv"];
    other.run(&nowhere).refused(1);
    other.run(&["subscribers", "export", "--list", "nix"]).refused(2);
}

#[test]
fn nobody_who_was_suppressed_or_erased_or_has_left_is_brought_back() {
    let office = office();
    let everybody = "email\nanna@example.org\nbruno@example.org\ncarla@example.org\n";
    import(&office, everybody);
    let exported = export(&office);
    let because = ["--reason", "chiesto al telefono"];
    office.run(&[&["subscribers", "suppress", "anna@example.org"][..], &because].concat()).done();
    office.run(&[&["subscribers", "erase", "Bruno@example.org"][..], &because].concat()).done();
    office.sql(
        "UPDATE subscription SET state = 'ended', cursor = 0 WHERE subscriber_id =
             (SELECT id FROM subscriber WHERE address = 'carla@example.org')",
    );
    assert_eq!(export(&office).lines().count(), 1, "nobody is left to export");
    for text in [everybody, &exported] {
        let report = import(&office, text.replace("anna", "ANNA"));
        assert_eq!((&report["imported"], &report["updated"]), (&0.into(), &0.into()));
        let reasons = report["refused"].as_array().unwrap().iter();
        let reasons: Vec<&str> = reasons.map(|row| row["reason"].as_str().unwrap()).collect();
        assert!(reasons[0].contains("suppressed") && reasons[1].contains("suppressed"));
        assert!(reasons[2].contains("has left"), "{reasons:?}");
    }
    let bruno = show(&office, "bruno@example.org");
    assert_eq!((&bruno["known"], &bruno["address"]), (&false.into(), &Value::Null));
    assert_eq!(bruno["suppressed"]["cause"], "erasure");
    assert!(!office.contents().iter().any(|row| row.contains("bruno")), "a trace of the person");
    let anna = show(&office, "anna@example.org");
    assert_eq!(anna["suppressed"]["reason"], "chiesto al telefono");

    office.run(&[&["subscribers", "unsuppress", "anna@example.org"][..], &because].concat()).done();
    assert_eq!(import(&office, everybody)["unchanged"], 1);
    let twice = [&["subscribers", "unsuppress", "anna@example.org"][..], &because].concat();
    office.run(&twice).refused(1);
}

#[test]
fn consent_is_kept_and_shown_with_the_subscription() {
    let office = office();
    office.write("in.csv", "email\nanna@example.org\n");
    let args = ["subscribers", "import", "in.csv", "--list", "residents"];
    let consent = ["--consent", "modulo cartaceo, 3 novembre 2026"];
    office.at(TIME, &[&args[..], &consent].concat()).done();
    let held = &show(&office, "anna@example.org")["subscriptions"][0];
    let consent = json!([{
        "way": "import", "proof": "modulo cartaceo, 3 novembre 2026", "at": TIME,
        "text_version": null, "text": null,
    }]);
    assert_eq!(held["consents"], consent);
    assert_eq!((&held["since"], &held["state"]), (&TIME.into(), &"active".into()));
}

#[test]
fn all_that_is_held_about_a_person_can_be_read_by_people() {
    let office = office();
    office.write(
        "in.csv",
        "email,name,topics,words\nanna@example.org,Anna Rossi,pnrr;tenders,asilo nido\n",
    );
    let import = ["subscribers", "import", "in.csv", "--list", "residents", "--consent", "a voce"];
    office.at(TIME, &import).done();
    let shown = office.run(&["subscribers", "show", "anna@example.org"]).done().out;
    let (id, rest) = shown.split_once('\n').unwrap();
    assert!(id.starts_with("id: "), "{shown}");
    insta::assert_snapshot!(rest, @r"
    address: anna@example.org
    name: Anna Rossi
    list residents (daily, it), active, since 2026-11-25T09:00:00+01:00
      topics: pnrr, tenders
      places: the whole area
      words: asilo nido
      consent by import, 2026-11-25T09:00:00+01:00: a voce
    ");
    let nobody = office.run(&["subscribers", "show", "nobody@example.org"]).done().out;
    assert_eq!(nobody, "this address is not known\n");
}

#[test]
fn a_file_of_addresses_is_its_owner_s_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let office = office();
    let export = ["subscribers", "export", "--list", "residents", "--out", "out.csv"];
    office.run(&export).done();
    let mode = std::fs::metadata(office.file("out.csv")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0);
    assert_eq!(office.read("out.csv"), "email,name,topics,places,words,cadence,language\n");
}
