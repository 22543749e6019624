//! The six items of the first page that is served, in words: what each is about and why, where it
//! matters and why, and the sums it names. What the page says stands with whoever wrote it; where
//! it is not there, items of the same kind are looked at.

use std::path::Path;

use banditore::topics::{Classification, Evidence, ItemText, Rules};

/// What is right of an item. Beside each topic, place and the whole area: words that say so.
struct Right {
    title: &'static str,
    topics: &'static [(&'static str, &'static str)],
    places: &'static [(&'static str, &'static str)],
    area: Option<&'static str>,
    euro: &'static [u64],
}

/// The page's items, by how their titles begin.
const PAGE: [Right; 6] = [
    Right {
        title: "Sinergia tra Area Omogenea",
        topics: &[("business", "Camera di Commercio"), ("council", "Sindaci")],
        places: &[],
        area: Some("Area Omogenea"),
        euro: &[],
    },
    Right {
        title: "Dal PNRR in arrivo",
        topics: &[("pnrr", "PNRR"), ("digital", "PagoPa")],
        places: &[],
        area: Some("territorio cremasco"),
        euro: &[10_000_000, 200_000_000_000, 30_600_000_000],
    },
    Right {
        title: "Monte Cremasco - Nuovo asilo",
        topics: &[
            ("pnrr", "PNRR"),
            ("school", "asilo nido"),
            ("tenders", "procedura negoziata"),
            ("works", "lavori"),
        ],
        places: &[("monte-cremasco", "Monte Cremasco")],
        area: None,
        euro: &[],
    },
    Right {
        title: "Area omogenea, Festari",
        topics: &[("council", "Sindaco"), ("health", "sanità"), ("school", "scuola")],
        places: &[],
        area: Some("Area omogenea"),
        euro: &[],
    },
    Right {
        title: "Le comunità energetiche",
        topics: &[("energy", "comunità energetiche"), ("environment", "comunità energetiche")],
        places: &[("crema", "Crema")],
        area: None,
        euro: &[],
    },
    Right {
        title: "Quintano - Ecopiazzola",
        topics: &[
            ("environment", "ecologica"),
            ("waste", "piazzola ecologica"),
            ("works", "pavimentazione"),
        ],
        places: &[("quintano", "Quintano")],
        area: None,
        euro: &[],
    },
];

/// Items of the same kind, of our own.
const OWN: [(Right, &str); 3] = [
    (
        Right {
            title: "Dal PNRR sei milioni ai Comuni del territorio",
            topics: &[("pnrr", "PNRR")],
            places: &[],
            area: Some("Comuni del territorio"),
            euro: &[6_000_000],
        },
        "I comuni del territorio cremasco avranno 6 milioni di euro dal PNRR.",
    ),
    (
        Right {
            title: "Offanengo - Nuova scuola dell'infanzia, la gara",
            topics: &[("tenders", "procedura negoziata"), ("school", "scuola dell'infanzia")],
            places: &[("offanengo", "Offanengo")],
            area: None,
            euro: &[],
        },
        "Il Comune di Offanengo affida alla società dei comuni cremaschi la gara a procedura \
         negoziata per i lavori della nuova scuola.",
    ),
    (
        Right {
            title: "Sergnano: lavori alla piazzola ecologica",
            topics: &[("waste", "piazzola ecologica")],
            places: &[("sergnano", "Sergnano")],
            area: None,
            euro: &[45_000],
        },
        "Nuova pavimentazione e una tettoia per i RAEE: in tutto 45.000 euro.",
    ),
];

fn says(evidence: &[Evidence], words: &str) -> bool {
    evidence.iter().any(|e| e.text.to_lowercase().contains(&words.to_lowercase()))
}

#[track_caller]
fn judge(right: &Right, found: &Classification, exact: bool) {
    let title = right.title;
    if exact {
        let mut topics: Vec<&str> = found.topics.iter().map(|topic| topic.id.as_str()).collect();
        topics.sort_unstable();
        let mut wanted: Vec<&str> = right.topics.iter().map(|(id, _)| *id).collect();
        wanted.sort_unstable();
        assert_eq!(topics, wanted, "{title}");
    }
    for (id, words) in right.topics {
        let topic = found.topics.iter().find(|topic| topic.id.as_str() == *id);
        let topic = topic.unwrap_or_else(|| panic!("{title} is about {id}"));
        assert!(says(&topic.evidence, words), "{title}: {id} by {words:?}: {topic:?}");
    }
    let places: Vec<&str> = found.places.iter().map(|place| place.id.as_str()).collect();
    let wanted: Vec<&str> = right.places.iter().map(|(id, _)| *id).collect();
    assert_eq!(places, wanted, "{title}");
    for ((id, words), place) in right.places.iter().zip(&found.places) {
        assert!(says(&place.evidence, words), "{title}: {id} by {words:?}: {place:?}");
    }
    match right.area {
        Some(words) => assert!(says(&found.area, words), "{title}: {:?}", found.area),
        None => assert!(found.area.is_empty(), "{title}: {:?}", found.area),
    }
    let euro: Vec<u64> = found.amounts.iter().map(|amount| amount.euro_cents / 100).collect();
    assert_eq!(euro, right.euro, "{title}");
    // None of them names a code or a day until which something can be handed in.
    assert_eq!((&found.codes, found.deadline), (&Default::default(), None), "{title}");
}

#[test]
fn the_six_items_of_the_page_are_right_in_topics_places_codes_and_evidence() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/consorzio/news.txt");
    let Ok(page) = std::fs::read_to_string(path) else { return };
    let rules = Rules::built_in();
    for right in &PAGE {
        let begin = page.find(right.title).expect("the item is on the page");
        let (title, rest) = page[begin..].split_once('\n').expect("a title is a line");
        // The date stands after the text, alone on its line.
        let text: Vec<&str> = rest.lines().take_while(|line| !line.ends_with(" 2022")).collect();
        let text = text.join("\n");
        let item = ItemText { title, text: &text, categories: &[], image_alt: &[] };
        judge(right, &rules.classify(&item), true);
    }
}

#[test]
fn items_of_the_same_kind_are_right_in_topics_places_codes_and_evidence() {
    let rules = Rules::built_in();
    for (right, text) in &OWN {
        let item = ItemText { title: right.title, text, categories: &[], image_alt: &[] };
        judge(right, &rules.classify(&item), false);
    }
}
