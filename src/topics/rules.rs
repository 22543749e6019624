//! Compiled rules, and the decision what an item is about.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::analysis::Analysis;
use super::compile::{User, category_key, compile};
use super::file::{CodeKind, Localized, RulesError, WeightsFile};
use super::phrases::Index;
use super::places::{Context, Place, PlaceField, decide};
use super::reading::{Candidate, Found};
use super::{Classification, Evidence, Field, ItemText, TopicMatch, amounts, codes, deadline};
use crate::model::{Language, TopicId};

/// The most pieces of evidence that a match keeps; the score counts all.
pub const EVIDENCE_MAX: usize = 12;

/// What sums of weights may lack by rounding.
const ROUNDING: f64 = 1e-9;

/// The rules that come with the program.
const TOPICS: &str = include_str!("../../config/topics.toml");
/// The places that come with the program.
const PLACES: &str = include_str!("../../config/places.toml");

/// Compiled topics and places.
#[derive(Debug)]
pub struct Rules {
    pub(crate) version: String,
    pub(crate) weights: WeightsFile,
    pub(crate) topics: Vec<Topic>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) skips: usize,
    /// By the number of an aside, the topics that a title says before it.
    pub(crate) asides: Vec<BTreeSet<usize>>,
    /// By the canonical form of a category, the rules it satisfies.
    pub(crate) categories: HashMap<String, Vec<usize>>,
    /// The same for categories of which only the beginning is given.
    pub(crate) category_beginnings: Vec<(String, usize)>,
    pub(crate) index: Index,
    /// For each pattern of the index, what it is part of.
    pub(crate) users: Vec<Vec<User>>,
    pub(crate) places: Vec<Place>,
    pub(crate) context: Context,
}

/// A topic that items can have.
#[derive(Clone, Debug)]
pub struct Topic {
    /// Its id.
    pub id: TopicId,
    /// How many rules it has.
    pub rules: usize,
    pub(crate) label: Localized,
    pub(crate) description: Localized,
    pub(crate) threshold: f64,
    pub(crate) codes: Vec<CodeKind>,
    /// The topics that contain this one.
    pub(crate) implies: BTreeSet<usize>,
    /// The topics beside which this one is none.
    pub(crate) unless: BTreeSet<usize>,
}

impl Topic {
    /// Its name for readers.
    pub fn label(&self, language: Language) -> &str {
        self.label.of(language)
    }

    /// What it is about, in a line.
    pub fn description(&self, language: Language) -> &str {
        self.description.of(language)
    }
}

impl Localized {
    fn of(&self, language: Language) -> &str {
        match language {
            Language::It => &self.it,
            Language::En => &self.en,
        }
    }
}

/// What a phrase says where it is found.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Speaks {
    /// That the item is about a topic.
    For { topic: usize, weight: f64, title: f64 },
    /// That the words inside it say nothing about a topic.
    Hides { topic: usize },
    /// That the words inside it say nothing about any topic.
    HidesFromAll,
}

/// A phrase of the file.
#[derive(Debug)]
pub(crate) struct Rule {
    pub speaks: Speaks,
    /// The topic's id and the phrase as it stands in the file.
    pub name: String,
    /// How many parts it has; none where it is a category.
    pub parts: usize,
}

impl Rules {
    /// The topics that come with the program, as text.
    pub const TOPICS: &str = TOPICS;
    /// The places that come with the program, as text.
    pub const PLACES: &str = PLACES;

    /// Compiles the two files.
    ///
    /// # Errors
    /// The first thing that is wrong, with its file, its line and what to do.
    pub fn compile(topics_toml: &str, places_toml: &str) -> Result<Rules, RulesError> {
        compile(topics_toml, places_toml)
    }

    /// The rules that come with the program.
    pub fn built_in() -> Rules {
        Rules::compile(TOPICS, PLACES).expect("a test compiles the rules that come with it")
    }

    /// Names what the rules mean: 16 hexadecimal digits, the same for files that differ in comments
    /// or white space only.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The topics, in the order of the file.
    pub fn topics(&self) -> &[Topic] {
        &self.topics
    }

    /// The topics that contain one, and those that contain these; none for an unknown topic.
    pub fn implied_by(&self, topic: &TopicId) -> Vec<&TopicId> {
        let known = self.topics.iter().find(|known| known.id == *topic);
        let implied = known.into_iter().flat_map(|topic| &topic.implies);
        implied.map(|&number| &self.topics[number].id).collect()
    }

    /// The places, in the order of the file.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Decides what an item is about and where it matters.
    pub fn classify(&self, item: &ItemText) -> Classification {
        self.weigh(item).0
    }

    /// The decision, and beside it the topics that something speaks for and that the item does not
    /// have.
    pub(crate) fn weigh(&self, item: &ItemText) -> (Classification, Vec<TopicMatch>) {
        let fields: Vec<(Field, &str)> = [(Field::Title, item.title), (Field::Text, item.text)]
            .into_iter()
            .chain(item.categories.iter().map(|text| (Field::Category, text.as_str())))
            .chain(item.image_alt.iter().map(|text| (Field::Image, text.as_str())))
            .collect();
        let analyses: Vec<Analysis> =
            fields.iter().map(|(_, written)| Analysis::new(written)).collect();
        let mut scores = Scores::default();
        let mut places = Vec::new();
        let mut titled = false;
        for (&(field, written), analysis) in fields.iter().zip(&analyses) {
            let found = self.read(analysis, field == Field::Title);
            match field {
                Field::Category => self.count_category(written, &mut scores),
                _ => self.count((field, titled), written, analysis, &found, &mut scores),
            }
            // The title is the first field.
            titled = titled || self.says_something(&scores);
            places.push(PlaceField { field, written, analysis, found: found.places });
        }
        let places = decide(&self.places, &self.context, self.weights.lead_words, &places);
        let (codes, spoken) = codes::find(&fields, &analyses);
        for (topic, entry) in self.topics.iter().enumerate() {
            for (kind, evidence) in &spoken {
                if entry.codes.contains(kind) {
                    let rule = format!("{}: {}", entry.id, evidence.rule);
                    let evidence = Evidence { rule, ..evidence.clone() };
                    scores.add(topic, evidence, self.weights.strong);
                }
            }
        }
        let (topics, short) = self.decide(scores);
        let mut found = Classification {
            topics,
            places: places.places,
            area: places.area,
            elsewhere: places.elsewhere,
            codes,
            amounts: amounts::find(&fields, &analyses),
            ..Classification::default()
        };
        deadline::find(&fields, &analyses).put_into(&mut found);
        (found, short)
    }

    fn count(
        &self,
        (field, titled): (Field, bool),
        written: &str,
        analysis: &Analysis,
        found: &Found,
        scores: &mut Scores,
    ) {
        for &(topic, Candidate { at, rule, weight }) in &found.rules {
            let first = analysis.words[at.first].1;
            let last = analysis.words[at.end - 1].1;
            let weight = weight * self.factor(field, titled, first);
            let (start, end) = (analysis.tokens[first].span.start, analysis.tokens[last].span.end);
            let text = written[start..end].to_owned();
            let rule = self.rules[rule].name.clone();
            scores.add(topic, Evidence { rule, text, field, start, end }, weight);
        }
    }

    /// What a word counts where it stands: the title and the lead say what an item is about.
    fn factor(&self, field: Field, titled: bool, token: usize) -> f64 {
        let weights = &self.weights;
        match field {
            Field::Title if token < weights.title_words => weights.title,
            Field::Title => weights.lead,
            Field::Text if token < weights.lead_words && titled => weights.lead_beside_title,
            Field::Text if token < weights.lead_words => weights.lead,
            Field::Text => weights.body,
            Field::Category => weights.category,
            Field::Image => weights.image,
        }
    }

    /// Whether some topic has reached its threshold.
    fn says_something(&self, scores: &Scores) -> bool {
        scores.0.iter().any(|(&topic, rules)| {
            let score: f64 = rules.values().map(|(weight, _)| weight).sum();
            score + ROUNDING >= self.topics[topic].threshold
        })
    }

    fn count_category(&self, written: &str, scores: &mut Scores) {
        let key = category_key(written);
        let whole = self.categories.get(&key).into_iter().flatten().copied();
        let begun = self.category_beginnings.iter().filter(|(begin, _)| key.starts_with(begin));
        for number in whole.chain(begun.map(|&(_, number)| number)) {
            let rule = &self.rules[number];
            let Speaks::For { topic, weight, .. } = rule.speaks else { continue };
            let evidence = Evidence {
                rule: rule.name.clone(),
                text: written.to_owned(),
                field: Field::Category,
                start: 0,
                end: written.len(),
            };
            scores.add(topic, evidence, weight * self.weights.category);
        }
    }

    /// The topics that reach their thresholds, and those that do not.
    fn decide(&self, scores: Scores) -> (Vec<TopicMatch>, Vec<TopicMatch>) {
        let mut matches: BTreeMap<usize, TopicMatch> = BTreeMap::new();
        let mut short = Vec::new();
        let mut implied: Vec<(usize, usize)> = Vec::new();
        let plain = self.weights.strong * self.weights.title;
        let led =
            scores.0.values().any(|rules| rules.values().any(|(w, _)| *w + ROUNDING >= plain));
        for (topic, rules) in scores.0 {
            let score: f64 = rules.values().map(|(weight, _)| weight).sum();
            let entry = &self.topics[topic];
            let mut evidence: Vec<(f64, Evidence)> = rules.into_values().collect();
            evidence.sort_by(|(a, x), (b, y)| {
                b.total_cmp(a).then((x.field, x.start).cmp(&(y.field, y.start)))
            });
            evidence.truncate(EVIDENCE_MAX);
            let evidence = evidence.into_iter().map(|(_, evidence)| evidence).collect();
            let weighed = TopicMatch { id: entry.id.clone(), score, evidence };
            // Three weights of a third reach one.
            let threshold = entry.threshold * if led { self.weights.beside } else { 1.0 };
            if score + ROUNDING < threshold {
                short.push(weighed);
                continue;
            }
            matches.insert(topic, weighed);
            implied.extend(entry.implies.iter().map(|&other| (topic, other)));
        }
        for (topic, other) in implied {
            if let Some(because) = matches.get(&topic).cloned() {
                let id = self.topics[other].id.clone();
                matches.entry(other).or_insert(TopicMatch { id, ..because });
            }
        }
        let found: BTreeSet<usize> = matches.keys().copied().collect();
        let beside = |topic: &usize| !self.topics[*topic].unless.is_disjoint(&found);
        short.extend(matches.extract_if(.., |topic, _| beside(topic)).map(|(_, weighed)| weighed));
        (matches.into_values().collect(), short)
    }
}

/// By topic and rule, what the rule counts where it counts most.
#[derive(Default)]
struct Scores(BTreeMap<usize, BTreeMap<String, (f64, Evidence)>>);

impl Scores {
    fn add(&mut self, topic: usize, evidence: Evidence, weight: f64) {
        if weight <= 0.0 {
            return;
        }
        let rules = self.0.entry(topic).or_default();
        match rules.get_mut(&evidence.rule) {
            Some(best) if best.0 >= weight => {}
            Some(best) => *best = (weight, evidence),
            None => {
                rules.insert(evidence.rule.clone(), (weight, evidence));
            }
        }
    }
}
