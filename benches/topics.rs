//! What reading costs: items a second with the rules that come with the program, with many more
//! rules beside them, and with many followed words. `scripts/bench topics` runs it; the figures are
//! in docs/benchmarks.md.

use std::fmt::Write as _;
use std::time::Instant;

use banditore::topics::{FollowedWords, ItemText, Rules};

/// Items that are read in one run.
const ITEMS: usize = 2_000;
/// Runs of each kind, one after the other in turn.
const RUNS: usize = 5;
/// Rules beside those that come with the program.
const MORE_RULES: usize = 10_000;
/// Followed words of all subscribers together.
const FOLLOWED: usize = 100_000;

const SUBJECTS: &[&str] = &[
    "Raccolta differenziata: nuovo calendario",
    "Avviso di selezione pubblica per un istruttore contabile",
    "Modifiche alla viabilità in occasione della sagra",
    "Contributi alle famiglie per i centri estivi",
    "Convocazione del Consiglio comunale",
    "Presentazione del libro in biblioteca",
    "Allerta arancione per temporali",
    "Lavori di manutenzione delle strade comunali",
    "Interruzione idrica programmata",
    "Asilo nido: aperte le iscrizioni",
];
const SENTENCES: &[&str] = &[
    "Si comunica che gli uffici comunali sono a disposizione per ogni informazione.",
    "Le domande vanno presentate entro il termine indicato nell'avviso allegato.",
    "L'iniziativa è promossa dall'amministrazione in collaborazione con le associazioni.",
    "I cittadini possono rivolgersi allo sportello nei giorni di apertura al pubblico.",
    "Il provvedimento riguarda tutto il territorio e resta in vigore fino a nuovo avviso.",
    "La modulistica è disponibile sul sito e presso la sede municipale di piazza Garibaldi.",
];

/// Made words that no text of the run has, as most rules and followed words are in no item.
fn word(number: usize) -> String {
    const SYLLABLES: &[&str] = &["ba", "co", "du", "fe", "gi", "lo", "ma", "ne", "pi", "ro"];
    let mut word = String::new();
    let mut rest = number;
    for _ in 0..6 {
        word.push_str(SYLLABLES[rest % SYLLABLES.len()]);
        rest /= SYLLABLES.len();
    }
    word
}

fn items() -> Vec<(String, String)> {
    let item = |number: usize| {
        let title = format!("{} ({number})", SUBJECTS[number % SUBJECTS.len()]);
        let sentence = |at: usize| SENTENCES[(number + at) % SENTENCES.len()];
        (title, (0..12).map(sentence).collect::<Vec<_>>().join(" "))
    };
    (0..ITEMS).map(item).collect()
}

/// The rules that come with the program, and one topic with so many more.
fn more_rules() -> Rules {
    let mut topics = String::from(Rules::TOPICS);
    topics.push_str(
        "\n[[topic]]\nid = \"more\"\nlabel = { it = \"Altro\", en = \"More\" }\n\
         description = { it = \"Altro.\", en = \"More.\" }\nstrong = [\n",
    );
    for number in 0..MORE_RULES {
        let _ = writeln!(topics, "\"{} comunale\",", word(number));
    }
    topics.push_str("]\n");
    Rules::compile(&topics, Rules::PLACES).expect("made rules are good")
}

fn followed() -> FollowedWords {
    FollowedWords::new((0..FOLLOWED).map(|number| (number as i64, format!("via {}", word(number)))))
}

fn seconds(items: &[(String, String)], mut read: impl FnMut(&ItemText)) -> f64 {
    let begin = Instant::now();
    for (title, text) in items {
        read(&ItemText { title, text, categories: &[], image_alt: &[] });
    }
    begin.elapsed().as_secs_f64()
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

fn main() {
    let items = items();
    let octets: usize = items.iter().map(|(title, text)| title.len() + text.len()).sum();
    let built_in = Rules::built_in();
    let many = more_rules();
    let words = followed();
    let (mut few, mut more, mut both) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        few.push(seconds(&items, |item| drop(built_in.classify(item))));
        more.push(seconds(&items, |item| drop(many.classify(item))));
        both.push(seconds(&items, |item| {
            drop(built_in.classify(item));
            drop(words.hits(item));
        }));
    }
    println!("{ITEMS} items of {} octets", octets / ITEMS);
    let base = median(few);
    for (name, time) in [
        ("built-in topics", base),
        ("and 10,000 rules more", median(more)),
        ("and 100,000 followed words", median(both)),
    ] {
        println!("{name:28} {:8.0} items/s  ratio {:.2}", ITEMS as f64 / time, time / base);
    }
}
