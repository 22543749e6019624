//! What reading costs: items a second with the rules that come with the program, with many more
//! rules beside them, and with many followed words; and what it costs to find the profiles that an
//! item concerns. `scripts/bench topics` and `scripts/bench planning` run it; the figures are in
//! docs/benchmarks.md.

use std::fmt::Write as _;
use std::time::Instant;

use banditore::editions::{Candidate, Interests};
use banditore::model::Language;
use banditore::store::{EntryReason, Profile};
use banditore::topics::{FollowedWords, ItemText, Rules};

/// Items that are read in one run.
const ITEMS: usize = 2_000;
/// Runs of each kind, one after the other in turn.
const RUNS: usize = 5;
/// Rules beside those that come with the program.
const MORE_RULES: usize = 10_000;
/// Followed words of all subscribers together.
const FOLLOWED: usize = 100_000;
/// Distinct profiles that an item is matched with.
const PROFILES: usize = 50_000;
/// Places that profiles and items choose from.
const PLACES: usize = 50;
/// Items whose concerned profiles are found.
const CONCERNING: usize = 1_001;

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

/// Numbers that look like chance and are the same in each run (a linear congruential generator).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    /// From none to `most` different ones of `of`.
    fn some<T: Clone + Ord>(&mut self, of: &[T], most: usize) -> Vec<T> {
        let count = self.below(most + 1);
        let mut some: Vec<T> = (0..count).map(|_| of[self.below(of.len())].clone()).collect();
        some.sort();
        some.dedup();
        some
    }
}

/// The memory of this process, in KB; nothing where the system does not tell.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// How long it takes to find which of many profiles an item concerns.
fn find_concerned(rules: &Rules) {
    let mut dice = Dice(1);
    let topics: Vec<_> = rules.topics().iter().map(|topic| topic.id.clone()).collect();
    let places: Vec<_> =
        (0..PLACES).map(|at| word(at).parse().expect("a made word is an id")).collect();
    let profiles: Vec<(i64, Profile)> = (0..PROFILES as i64)
        .map(|id| {
            let topics = dice.some(&topics, 5);
            let profile = Profile {
                all_topics: topics.is_empty(),
                language: Language::It,
                topics,
                places: dice.some(&places, 3),
            };
            (id, profile)
        })
        .collect();
    let (before, begin) = (resident(), Instant::now());
    let interests = Interests::new(profiles.iter().map(|(id, profile)| (*id, profile)));
    let built = begin.elapsed().as_secs_f64() * 1e3;
    let memory = resident().saturating_sub(before);
    let (mut times, mut found) = (Vec::new(), 0);
    for position in 0..CONCERNING as i64 {
        let candidate = Candidate {
            position,
            item: position,
            reason: EntryReason::New,
            source: "news".parse().expect("this is an id"),
            topics: dice.some(&topics, 3),
            places: dice.some(&places, 1),
            over: false,
        };
        let begin = Instant::now();
        found += std::hint::black_box(interests.concerned(&candidate)).len();
        times.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    println!(
        "{PROFILES} profiles: index made in {built:.0} ms, {memory} KB; {} of them concerned by an \
         item on average, found in {:.2} ms on the median, {:.2} ms at most",
        found / CONCERNING,
        times[CONCERNING / 2],
        times[CONCERNING - 1],
    );
}

fn main() {
    let items = items();
    let octets: usize = items.iter().map(|(title, text)| title.len() + text.len()).sum();
    let built_in = Rules::built_in();
    if std::env::args().any(|argument| argument == "concerned") {
        return find_concerned(&built_in);
    }
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
