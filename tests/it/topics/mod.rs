//! What an item is about: the promises of the rules that come with the program, and of the files.

mod asides;
mod hostile;
mod sentences;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use banditore::model::Language;
use banditore::topics::{
    Classification, Evidence, Field, FollowedWords, ItemText, Rules, evaluate, phrase_key,
};
use chrono::NaiveDate;

/// Real data beside the checkout, where there is any.
fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(path);
    path.exists().then_some(path)
}

pub fn rules() -> &'static Rules {
    static RULES: std::sync::OnceLock<Rules> = std::sync::OnceLock::new();
    RULES.get_or_init(Rules::built_in)
}

pub fn classify(title: &str, text: &str) -> Classification {
    rules().classify(&ItemText { title, text, categories: &[], image_alt: &[] })
}

pub fn topics(found: &Classification) -> BTreeSet<&str> {
    found.topics.iter().map(|topic| topic.id.as_str()).collect()
}

fn places(found: &Classification) -> Vec<&str> {
    found.places.iter().map(|place| place.id.as_str()).collect()
}

/// Rules of two topics, small enough to see through.
pub const SMALL: &str = r#"
[[topic]]
id = "tenders"
label = { it = "Gare", en = "Tenders" }
description = { it = "Gare.", en = "Tenders." }
strong = ["bando di gara", "procedura ... lavori", "vaccin*"]
weak = ["gara", "offerta"]
not = ["gara podistica"]

[[topic]]
id = "waste"
label = { it = "Rifiuti", en = "Waste" }
description = { it = "Rifiuti.", en = "Waste." }
strong = ["raccolta rifiuti", "~chiudere", "=banda"]
categories = ["Gestione rifiuti"]
implies = ["tenders"]
"#;

fn small(title: &str, text: &str, categories: &[&str]) -> Vec<String> {
    let rules = Rules::compile(SMALL, "").expect("the small rules are good");
    let categories: Vec<String> = categories.iter().map(|&c| c.to_owned()).collect();
    let item = ItemText { title, text, categories: &categories, image_alt: &[] };
    rules.classify(&item).topics.into_iter().map(|topic| topic.id.to_string()).collect()
}

#[test]
fn every_topic_of_the_vocabulary_is_there_with_label_description_and_rules() {
    let ids: Vec<&str> = rules().topics().iter().map(|topic| topic.id.as_str()).collect();
    let expected = [
        "pnrr",
        "tenders",
        "funding",
        "jobs",
        "environment",
        "waste",
        "energy",
        "works",
        "planning",
        "mobility",
        "school",
        "social",
        "health",
        "culture",
        "events",
        "sport",
        "tourism",
        "business",
        "agriculture",
        "digital",
        "taxes",
        "registry",
        "civil-protection",
        "safety",
        "council",
        "participation",
        "youth",
        "services",
    ];
    assert_eq!(ids, expected);
    for topic in rules().topics() {
        assert!(topic.rules > 5, "{}", topic.id);
        for language in Language::ALL {
            assert!(!topic.label(language).is_empty(), "{}", topic.id);
            assert!(topic.description(language).len() > 10, "{}", topic.id);
        }
    }
}

#[test]
fn the_version_names_the_meaning_and_not_the_writing() {
    let version = |topics: &str| Rules::compile(topics, "").expect("good").version().to_owned();
    let plain = version(SMALL);
    assert_eq!(plain.len(), 16);
    assert!(plain.bytes().all(|b| b.is_ascii_hexdigit()));
    assert_eq!(version(&format!("# a comment\n\n{SMALL}")), plain);
    assert_ne!(version(&SMALL.replace("podistica", "ciclistica")), plain);
}

#[test]
fn a_strong_rule_is_enough_and_a_weak_one_needs_the_title_or_a_second() {
    assert_eq!(small("Avviso", "Pubblicato il bando di gara.", &[]), ["tenders"]);
    assert_eq!(small("La gara", "", &[]), ["tenders"]);
    assert!(small("Avviso", "La gara è finita.", &[]).is_empty());
    assert_eq!(small("Avviso", "La gara è finita, un'offerta.", &[]), ["tenders"]);
    // Two forms of one word are not two words.
    assert!(small("Avviso", "La gara e le gare.", &[]).is_empty());
}

#[test]
fn articles_prepositions_accents_capitals_and_endings_make_no_difference() {
    for title in ["RACCOLTA DEI RIFIUTI", "Le raccolte di rifiuto", "raccolta dell’rifiuti"] {
        assert_eq!(small(title, "", &[]), ["tenders", "waste"], "{title}");
    }
    assert_eq!(small("𝗥𝗔𝗖𝗖𝗢𝗟𝗧𝗔 𝗥𝗜𝗙𝗜𝗨𝗧𝗜", "", &[]), ["tenders", "waste"]);
}

#[test]
fn marks_of_rules_mean_what_the_page_says() {
    assert_eq!(small("Procedura negoziata per i lavori", "", &[]), ["tenders"]);
    assert!(small("I lavori della procedura", "", &[]).is_empty());
    assert_eq!(small("Vaccinazioni", "", &[]), ["tenders"]);
    assert_eq!(small("Le strade chiudono", "", &[]), ["tenders", "waste"]);
    assert!(small("Il bando", "", &[]).is_empty());
    assert_eq!(small("La banda", "", &[]), ["tenders", "waste"]);
}

#[test]
fn a_forbidding_phrase_hides_the_words_inside_it_and_no_others() {
    assert!(small("Gara podistica", "", &[]).is_empty());
    assert_eq!(small("Gara podistica e gara d'asta", "", &[]), ["tenders"]);
}

#[test]
fn the_publishers_category_speaks_as_a_whole() {
    assert_eq!(small("Avviso", "", &["GESTIONE RIFIUTI"]), ["tenders", "waste"]);
    assert!(small("Avviso", "", &["Ufficio gestione rifiuti"]).is_empty());
}

#[test]
fn an_implied_topic_shows_the_evidence_of_what_implies_it() {
    let found = classify("Nuovo ecocentro", "");
    let environment = found.topics.iter().find(|t| t.id.as_str() == "environment").expect("is");
    assert_eq!(
        environment.evidence,
        [Evidence {
            rule: "waste: ecocentro".to_owned(),
            text: "ecocentro".to_owned(),
            field: Field::Title,
            start: 6,
            end: 15,
        }]
    );
}

#[test]
fn words_in_passing_deep_in_a_long_text_do_not_count() {
    let filler = "Si comunica alla cittadinanza quanto segue in merito. ".repeat(20);
    let deep = format!("{filler} Si è parlato anche di rifiuti, salute, scuola e turismo.");
    assert_eq!(topics(&classify("Convocazione del Consiglio comunale", &deep)).len(), 1);
    let lead = format!("Si parla di rifiuti. {filler}");
    assert!(topics(&classify("Avviso", &lead)).contains("waste"));
}

#[test]
fn the_hard_titles_are_understood() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/topics/hard.txt");
    let table = fs::read_to_string(path).expect("the fixture is there");
    let mut wrong = Vec::new();
    let mut lines = 0;
    for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (title, wanted) = line.split_once(" => ").expect("TITLE => topics");
        let found = classify(title, "");
        let ids = topics(&found);
        for topic in wanted.split_whitespace() {
            let (want, id) = (topic.starts_with('+'), &topic[1..]);
            if ids.contains(id) != want {
                wrong.push(format!("{title}: {topic}, found {ids:?}"));
            }
        }
        lines += 1;
    }
    assert!(lines >= 100, "{lines}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A news page of the shape that consortia publish: a long article on the plan that names all its
/// missions, a tender for one municipality, an energy community, works on a recycling centre.
#[test]
fn long_and_short_news_of_a_consortium_are_each_about_what_they_are_about() {
    let plan = format!(
        "I fondi del PNRR per la digitalizzazione arrivano nel territorio cremasco: lo ha detto \
         il presidente in apertura. {} Le missioni riguardano la transizione ecologica, la \
         mobilità sostenibile, l'istruzione, la salute, l'inclusione sociale, la cultura e il \
         turismo. Anche il Comune di Crema, come altri, segue la materia con i propri uffici. I \
         Comuni attiveranno il cloud, l'identità digitale, pagoPA e app IO.",
        "Gli enti locali hanno davanti a loro un percorso impegnativo, che chiede di pensare \
         insieme e di lavorare con metodo, un passo dopo l'altro. "
            .repeat(4)
    );
    let found = classify("Dal PNRR sei milioni ai Comuni", &plan);
    assert_eq!(topics(&found), BTreeSet::from(["pnrr", "digital"]));
    assert!(places(&found).is_empty());

    let found = classify(
        "Offanengo - Nuova scuola dell'infanzia, la gara",
        "Il Comune di Offanengo affida alla società dei comuni cremaschi la gara a procedura \
         negoziata per i lavori di costruzione della nuova scuola, pagata in parte dal PNRR.",
    );
    assert_eq!(topics(&found), BTreeSet::from(["tenders", "pnrr", "works", "school"]));
    assert_eq!(places(&found), ["offanengo"]);

    let found = classify(
        "Nasce una comunità energetica",
        "La comunità energetica della città di Crema unirà un'area industriale, l'università e \
         alcuni condomini. Vi lavora il consorzio dei comuni cremaschi.",
    );
    assert_eq!(topics(&found), BTreeSet::from(["energy", "environment"]));
    assert_eq!(places(&found), ["crema"]);

    let found = classify(
        "Sergnano: lavori alla piazzola ecologica",
        "Nella seduta del consiglio comunale il comune di Sergnano ha approvato il progetto: \
         nuova pavimentazione, una sbarra, una tettoia per i RAEE.",
    );
    assert_eq!(topics(&found), BTreeSet::from(["waste", "environment", "works"]));
    assert_eq!(places(&found), ["sergnano"]);
}

#[test]
fn the_six_news_of_the_consorzio_page_are_right() {
    let Some(path) = shared("consorzio/news.txt") else { return };
    let page = fs::read_to_string(path).expect("readable");
    let wanted: [(&str, &str, &[&str], &[&str]); 6] = [
        ("Sinergia tra Area Omogenea", "", &["business", "council"], &[]),
        ("Dal PNRR in arrivo", "pnrr", &["digital", "pnrr"], &[]),
        (
            "Monte Cremasco - Nuovo asilo",
            "Monte-Nuovo asilo nido Gara curata da Consorzio.it",
            &["pnrr", "school", "tenders", "works"],
            &["monte-cremasco"],
        ),
        ("Area omogenea, Festari", "", &["council", "health", "school"], &[]),
        ("Le comunità energetiche", "", &["energy", "environment"], &["crema"]),
        ("Quintano - Ecopiazzola", "", &["environment", "waste", "works"], &["quintano"]),
    ];
    for (title, alt, topics_wanted, places_wanted) in wanted {
        let begin = page.find(title).expect("the item is on the page");
        let (title, rest) = page[begin..].split_once('\n').expect("a title is a line");
        // The date stands after the text, alone on its line.
        let text: Vec<&str> = rest.lines().take_while(|line| !line.ends_with(" 2022")).collect();
        let alt: Vec<String> = (!alt.is_empty()).then(|| alt.to_owned()).into_iter().collect();
        let text = text.join("\n");
        let item = ItemText { title, text: &text, categories: &[], image_alt: &alt };
        let found = rules().classify(&item);
        assert_eq!(topics(&found), topics_wanted.iter().copied().collect(), "{title}: {found:#?}");
        assert_eq!(places(&found), places_wanted, "{title}: {:#?}", found.places);
    }
}

#[test]
fn the_labelled_news_are_classified_as_well_as_measured() {
    let Some(path) = shared("topics/dev.jsonl") else { return };
    let labelled = fs::read_to_string(path).expect("readable");
    let (figures, _) = evaluate(rules(), &labelled).expect("labelled items");
    println!("micro {:.3}, macro {:.3}", figures.micro_f1, figures.macro_f1);
    assert!(figures.micro_f1 >= 0.93, "micro {}", figures.micro_f1);
    assert!(figures.macro_f1 >= 0.91, "macro {}", figures.macro_f1);
    for id in ["pnrr", "tenders", "environment"] {
        assert!(figures.topics[id].figures.f1 >= 0.92, "{id}: {:?}", figures.topics[id]);
    }
}

#[test]
fn the_figures_of_an_evaluation_are_those_of_the_definition() {
    let labelled = r#"
{"title": "Bando di gara", "topics": ["tenders"], "source": "ignored"}
{"title": "Raccolta rifiuti", "text": "", "categories": [], "topics": ["waste"], "places": []}
{"title": "Niente", "topics": ["waste"]}
"#;
    let rules = Rules::compile(SMALL, "").expect("good");
    let (figures, predictions) = evaluate(&rules, labelled).expect("labelled items");
    assert_eq!(figures.items, 3);
    let json = serde_json::to_value(&figures).expect("JSON");
    assert_eq!(json["topics"]["tenders"]["tp"], 1);
    assert_eq!(json["topics"]["tenders"]["fp"], 1);
    assert_eq!(json["topics"]["waste"]["fn"], 1);
    assert_eq!(json["topics"]["waste"]["precision"], 1.0);
    assert_eq!(json["topics"]["waste"]["recall"], 0.5);
    assert!((figures.micro_f1 - 2.0 * 2.0 / (2.0 * 2.0 + 2.0)).abs() < 1e-9);
    assert!((figures.macro_f1 - 2.0 / 3.0).abs() < 1e-9);
    assert!(json["places"].is_null());
    assert_eq!(predictions[1].wrong, ["tenders"]);
    let missed = serde_json::to_value(&predictions[2].missed).expect("JSON");
    assert_eq!(missed[0]["id"], "waste");
    assert_eq!(missed[0]["why"], "no rule matched");
    assert_eq!(predictions[2].expected, BTreeSet::from(["waste".to_owned()]));
    let error = evaluate(&rules, "{\"title\": \"x\"}\nno json").expect_err("no JSON");
    assert_eq!(error.line, 2);
}

#[test]
fn a_broken_file_says_which_line_what_and_what_to_do() {
    let cases = [
        ("waek = [\"gara\", \"offerta\"]", "line 7", "unknown field `waek`", "write `weak`"),
        ("weak = [\"gara\", \"di\"]", "line 7", "no word that can be found", "at least one word"),
        ("weak = [\"gara\", \"a*b\"]", "line 7", "begins a word", "vaccin*"),
        ("weak = [\"gara\"\nstrong", "line 8", "", "comma or bracket"),
        ("implies = [\"moon\"]", "line 7", "moon, which is no topic", "id of a topic"),
        ("categories = [\"...\"]", "line 7", "no word", "at least one word"),
        ("threshold = -1.0", "line 7", "out of bounds", "0.1 to"),
        ("weak = \"gara\"", "line 7", "invalid type", "lists in [ ]"),
    ];
    for (line, place, what, hint) in cases {
        let broken = SMALL.replacen("weak = [\"gara\", \"offerta\"]", line, 1);
        let error = Rules::compile(&broken, "").expect_err(line);
        let message = error.to_string();
        assert!(message.starts_with(&format!("topics.toml {place}:")), "{line}: {message}");
        assert!(message.contains(what), "{line}: {message}");
        assert!(error.hint.contains(hint), "{line}: {}", error.hint);
    }
    let twice = SMALL.replace("id = \"waste\"", "id = \"tenders\"");
    let error = Rules::compile(&twice, "").expect_err("one id twice");
    assert!(error.to_string().contains("the topic id tenders is there twice"), "{error}");
    let bad = SMALL.replace("id = \"waste\"", "id = \"Rifiuti!\"");
    let error = Rules::compile(&bad, "").expect_err("no id");
    assert!(error.to_string().contains("is no topic id"), "{error}");
    let heavy = format!("[weights]\nstrong = nan\n{SMALL}");
    let error = Rules::compile(&heavy, "").expect_err("no weight");
    assert_eq!(error.line, Some(1));
}

#[test]
fn files_and_texts_of_any_size_and_depth_are_survived() {
    let deep = format!("hide = {}", "[".repeat(200_000));
    let error = Rules::compile(&deep, "").expect_err("no rules");
    assert!(error.to_string().starts_with("topics.toml line 1"), "{error}");
    let large = "# x\n".repeat(3_000_000);
    let error = Rules::compile("", &large).expect_err("too large");
    assert!(error.to_string().contains("longer than"), "{error}");
    let initials = "A.".repeat(500_000);
    let digits = "1.2".repeat(500_000);
    let marks = "e\u{301}".repeat(500_000);
    for text in [&initials, &digits, &marks, &"cig n. ".repeat(100_000)] {
        classify(text, text);
    }
}

#[test]
fn codes_are_found_after_their_names_and_speak_for_topics() {
    let found = classify(
        "Affidamento fornitura CIG: Z8726BB9C2 - CUP C62B17000400006",
        "PNRR, Missione 1 - Componente 1, Investimento 1.4.3, misura 1.4.1; M1C1. \
         CIG n. 8726BB9C21",
    );
    assert_eq!(found.codes.cig, ["Z8726BB9C2", "8726BB9C21"]);
    assert_eq!(found.codes.cup, ["C62B17000400006"]);
    assert_eq!(found.codes.measure, ["M1C1", "1.4.3", "1.4.1"]);
    assert!(topics(&found).is_superset(&BTreeSet::from(["tenders", "pnrr"])));

    let call = classify("1.4.4 Adozione SPID CIE - Comuni - aprile 2026", "");
    assert_eq!(call.codes.measure, ["1.4.4"]);

    for text in ["CUP: chiamare lo 0373 280000", "CIG in deroga", "misura 4.1.1 del PSR", "M1C9"] {
        let found = classify("Avviso", text);
        assert_eq!(found.codes, Default::default(), "{text}");
    }
}

#[test]
fn a_deadline_is_taken_where_it_is_plainly_one() {
    let day = |y, m, d| NaiveDate::from_ymd_opt(y, m, d);
    for (text, wanted) in [
        ("Domande entro e non oltre le ore 12.00 del 15/12/2026.", day(2026, 12, 15)),
        ("Le offerte devono pervenire entro le ore 12:00 del giorno 3.11.26", day(2026, 11, 3)),
        ("Scadenza: 15 dicembre 2026", day(2026, 12, 15)),
        ("SCADENZA PROROGATA AL 16 APRILE 2026 ORE 14:00", day(2026, 4, 16)),
        ("Termine presentazione domande: 20 aprile 2026.", day(2026, 4, 20)),
        ("Domande entro il 1° marzo 2027; scadenza chiarimenti 2027-02-10", day(2027, 3, 1)),
        ("Scadenza 15 dicembre", None),
        ("Domande entro 30 giorni dal 15/12/2026", None),
        ("La scuola sarà finita entro il 15 dicembre 2026", None),
        ("La mostra è aperta fino al 15 dicembre 2026", None),
        ("Scadenza: 31/02/2026", None),
        ("Scadenza a breve. Pubblicato il 15 dicembre 2026", None),
    ] {
        assert_eq!(classify("Avviso", text).deadline, wanted, "{text}");
    }
}

#[test]
fn followed_words_are_found_in_one_pass_whatever_their_form() {
    let phrases =
        ["asilo nido", "via Foscolo", "C62B17000400006", "comunità energetica", "di", "*"];
    let phrases = phrases.iter().enumerate().map(|(id, text)| (id as i64, (*text).to_owned()));
    let followed = FollowedWords::new(phrases.chain([(9, "ASILI NIDO".to_owned())]));
    let alt = ["Le comunità energetiche".to_owned()];
    let item = ItemText {
        title: "Chiusi gli asili nido",
        text: "In via Ugo Foscolo; CUP C62B17000400006. Area feste di Via Foscolo",
        categories: &[],
        image_alt: &alt,
    };
    assert_eq!(followed.hits(&item), BTreeSet::from([0, 1, 2, 3, 9]));
    let other = ItemText { title: "L'asilo e il nido di rondini", image_alt: &[], ..item };
    assert_eq!(followed.hits(&other), BTreeSet::from([1, 2]));
}

#[test]
fn phrases_that_find_the_same_have_the_same_key() {
    assert_eq!(phrase_key("  l'Asilo NIDO "), phrase_key("asili nido"));
    assert_ne!(phrase_key("asilo"), phrase_key("nido"));
    assert_eq!(phrase_key("della"), None);
    assert_eq!(phrase_key("…!"), None);
    assert_eq!(phrase_key(&"parola ".repeat(40)), None);
}

#[test]
fn json_has_the_shape_of_the_contract() {
    let found = classify("Nuova isola ecologica a Quintano, scadenza 15/12/2026", "");
    let json = serde_json::to_value(&found).expect("JSON");
    for key in ["id", "score", "evidence"] {
        assert!(json["topics"][0].get(key).is_some(), "{json}");
    }
    for key in ["rule", "text", "field", "start", "end"] {
        assert!(json["topics"][0]["evidence"][0].get(key).is_some(), "{json}");
    }
    assert_eq!(json["topics"][0]["evidence"][0]["field"], "title");
    assert_eq!(json["places"][0]["id"], "quintano");
    for key in ["cig", "cup", "measure"] {
        assert!(json["codes"][key].is_array(), "{json}");
    }
    assert_eq!(json["deadline"], "2026-12-15");
    let again: Classification = serde_json::from_value(json).expect("the same back");
    assert_eq!(again, found);
}
