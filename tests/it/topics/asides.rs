//! What a title says beside its subject: streets, occasions, and words that count in titles only.

use std::collections::BTreeSet;

use banditore::topics::{ItemText, Rules, Why, evaluate};

const RULES: &str = r#"
streets = ["via", "piazza"]

[[aside]]
topics = ["roads"]
after = ["in occasione"]

[weights]
lead_beside_title = 0.6
beside = 1.1

[[topic]]
id = "roads"
label = { it = "Strade", en = "Roads" }
description = { it = "Strade.", en = "Roads." }
strong = ["viabilità"]

[[topic]]
id = "crafts"
label = { it = "Artigianato", en = "Crafts" }
description = { it = "Artigianato.", en = "Crafts." }
strong = ["artigianato"]
weak = ["bottega"]
titles = ["sagra"]
categories = ["Artigianato*"]
"#;

fn found(title: &str, text: &str, categories: &[&str]) -> BTreeSet<String> {
    let rules = Rules::compile(RULES, "").expect("the rules are good");
    let categories: Vec<String> = categories.iter().map(|&c| c.to_owned()).collect();
    let item = ItemText { title, text, categories: &categories, image_alt: &[] };
    rules.classify(&item).topics.into_iter().map(|topic| topic.id.to_string()).collect()
}

fn set(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|&id| id.to_owned()).collect()
}

#[test]
fn the_name_of_a_street_says_nothing() {
    assert_eq!(found("Viabilità in via dell'Artigianato", "", &[]), set(&["roads"]));
    assert_eq!(found("VIABILITÀ IN PIAZZA ARTIGIANATO", "", &[]), set(&["roads"]));
    assert_eq!(found("Al via artigianato e musica", "", &[]), set(&["crafts"]));
}

#[test]
fn the_occasion_says_nothing_where_the_title_has_a_subject_of_the_list() {
    assert_eq!(found("Viabilità in occasione della sagra", "", &[]), set(&["roads"]));
    assert_eq!(found("Orari in occasione della sagra", "", &[]), set(&["crafts"]));
    assert_eq!(found("In occasione della sagra, viabilità", "", &[]), set(&["crafts", "roads"]));
}

#[test]
fn what_a_text_says_beside_its_title_needs_more() {
    assert_eq!(found("Avviso", "Si parla di artigianato.", &[]), set(&["crafts"]));
    assert_eq!(found("Viabilità", "Si parla di artigianato.", &[]), set(&["roads"]));
    let two = found("Viabilità", "Si parla di artigianato, bottega e sagra.", &[]);
    assert_eq!(two, set(&["crafts", "roads"]));
    assert_eq!(found("Viabilità e bottega", "", &[]), set(&["roads"]));
    assert_eq!(found("La bottega", "", &[]), set(&["crafts"]));
}

#[test]
fn words_for_titles_are_weak_in_a_text_and_categories_can_be_begun() {
    assert_eq!(found("La sagra", "", &[]), set(&["crafts"]));
    assert!(found("Avviso", "La sagra.", &[]).is_empty());
    assert_eq!(found("Avviso", "", &["ARTIGIANATO E NEGOZI"]), set(&["crafts"]));
    assert!(found("Avviso", "", &["Negozi e artigianato"]).is_empty());
}

#[test]
fn a_missed_label_shows_what_spoke_for_it_or_that_nothing_did() {
    let rules = Rules::compile(RULES, "").expect("the rules are good");
    let labelled = r#"{"title": "Avviso", "text": "La bottega.", "topics": ["crafts", "roads"]}"#;
    let (_, predictions) = evaluate(&rules, labelled).expect("labelled");
    let [crafts, roads] = &predictions[0].missed[..] else { panic!("{predictions:?}") };
    assert_eq!((crafts.id.as_str(), crafts.why), ("crafts", Why::TooLittle));
    assert_eq!(crafts.evidence[0].text, "bottega");
    assert_eq!((roads.id.as_str(), roads.why), ("roads", Why::NoRule));
    assert!(roads.evidence.is_empty());
}
