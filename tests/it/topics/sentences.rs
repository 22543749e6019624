//! The hard sentences: a table that an office can read and add to.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use banditore::topics::ItemText;

use super::{classify, rules, topics};

#[test]
fn each_hard_sentence_has_exactly_its_topics() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/topics/sentences.tsv");
    let table = fs::read_to_string(path).expect("the fixture is there");
    let mut wrong = Vec::new();
    let mut lines = 0;
    for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (title, wanted) = line.split_once('\t').expect("TITLE, a tab, topics");
        let wanted: BTreeSet<&str> = wanted.split_whitespace().collect();
        let found = classify(title, "");
        let found = topics(&found);
        if found != wanted {
            wrong.push(format!("{title}: wanted {wanted:?}, found {found:?}"));
        }
        lines += 1;
    }
    assert!(lines >= 150, "{lines}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_official_argument_of_municipal_sites_speaks_for_a_topic() {
    let names = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/topics/argomenti.csv");
    let Ok(table) = fs::read_to_string(names) else { return };
    // Three lines of heading; names without a comma stand before the first one.
    for name in table.lines().skip(3).filter_map(|line| line.split(',').next()) {
        let categories = [name.trim_matches('"').to_owned()];
        if categories[0].is_empty() {
            continue;
        }
        let item = ItemText { title: "Avviso", text: "", categories: &categories, image_alt: &[] };
        assert!(!rules().classify(&item).topics.is_empty(), "{name}");
    }
}
