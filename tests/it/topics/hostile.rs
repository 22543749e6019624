//! Any text, any file of rules, any followed phrase: no panic, and evidence that can be shown.

use banditore::topics::{Evidence, Field, FollowedWords, ItemText, Rules, phrase_key};
use proptest::prelude::*;

use super::{SMALL, rules};

/// Texts that provoke: markup of all kinds of letters between words that match.
fn hostile() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("raccolta differenziata".to_owned()),
        Just("DELL’ASILO nido".to_owned()),
        Just("via Crema".to_owned()),
        Just("Comune di Crema, Offanengo e Soncino".to_owned()),
        Just("entro e non oltre il 15/12/2026".to_owned()),
        Just("CIG: Z8726BB9C2".to_owned()),
        Just("𝗔𝗟𝗕𝗘𝗥𝗜 e perche\u{300}\u{ad}".to_owned()),
        "\\PC{0,12}",
        any::<String>(),
    ];
    proptest::collection::vec(word, 0..12).prop_map(|words| words.join(" "))
}

fn check(evidence: &Evidence, item: &ItemText) {
    let within = |field: &str| field.get(evidence.start..evidence.end) == Some(&evidence.text);
    let found = match evidence.field {
        Field::Title => within(item.title),
        Field::Text => within(item.text),
        Field::Category => item.categories.iter().any(|field| within(field)),
        Field::Image => item.image_alt.iter().any(|field| within(field)),
    };
    assert!(found, "{evidence:?} is not in {item:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn evidence_points_into_its_field_for_any_text(
        title in hostile(), text in hostile(), category in hostile(), alt in hostile(),
    ) {
        let (categories, image_alt) = ([category, "Gestione rifiuti".to_owned()], [alt]);
        let item = ItemText {
            title: &title, text: &text, categories: &categories, image_alt: &image_alt,
        };
        let found = rules().classify(&item);
        for evidence in found.topics.iter().flat_map(|topic| &topic.evidence) {
            check(evidence, &item);
        }
        for evidence in found.places.iter().flat_map(|place| &place.evidence) {
            check(evidence, &item);
        }
    }

    #[test]
    fn no_file_of_rules_makes_the_program_panic(
        topics in any::<String>(), places in any::<String>(), phrase in hostile(),
    ) {
        let _ = Rules::compile(&topics, &places);
        let phrase = toml::Value::String(phrase).to_string();
        let rules = SMALL.replacen("\"gara\"", &phrase, 1);
        let _ = Rules::compile(&rules, "");
    }

    #[test]
    fn a_followed_phrase_is_found_in_its_own_text(phrase in hostile()) {
        let followed = FollowedWords::new([(1, phrase.clone())]);
        let item = ItemText { title: &phrase, text: "", categories: &[], image_alt: &[] };
        let _ = followed.hits(&item);
        let _ = phrase_key(&phrase);
    }
}
