//! Compiled rules, and the decision what an item is about.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::analysis::Analysis;
use super::compile::{User, category_key, compile};
use super::cover::{Cover, Part};
use super::file::{CodeKind, Localized, RulesError, WeightsFile};
use super::phrases::{GAP_WORDS_MAX, Index};
use super::places::{Context, FieldPlaces, Mention, Place, PlaceField, decide, longest};
use super::{Classification, Evidence, Field, ItemText, TopicMatch, codes, deadline};
use crate::model::{Language, TopicId};

/// The most pieces of evidence that a match keeps; the score counts all.
pub const EVIDENCE_MAX: usize = 12;

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
    /// By the canonical form of a category, the rules it satisfies.
    pub(crate) categories: HashMap<String, Vec<usize>>,
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
    For { topic: usize, weight: f64 },
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

/// Boilerplate.
pub(crate) struct Skip;

impl Rules {
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

    /// The places, in the order of the file.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Decides what an item is about and where it matters.
    pub fn classify(&self, item: &ItemText) -> Classification {
        let fields: Vec<(Field, &str)> = [(Field::Title, item.title), (Field::Text, item.text)]
            .into_iter()
            .chain(item.categories.iter().map(|text| (Field::Category, text.as_str())))
            .chain(item.image_alt.iter().map(|text| (Field::Image, text.as_str())))
            .collect();
        let analyses: Vec<Analysis> =
            fields.iter().map(|(_, written)| Analysis::new(written)).collect();
        let mut scores = Scores::default();
        let mut places = Vec::new();
        for (&(field, written), analysis) in fields.iter().zip(&analyses) {
            let found = self.read(analysis, field == Field::Title);
            if field == Field::Category {
                self.count_category(written, &mut scores);
            } else {
                self.count(field, written, analysis, &found, &mut scores);
            }
            places.push(PlaceField { field, written, analysis, found: found.places });
        }
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
        Classification {
            topics: self.decide(scores),
            places: decide(&self.places, &self.context, self.weights.lead_words, &places),
            codes,
            deadline: deadline::find(&fields, &analyses),
        }
    }

    /// One pass over a field.
    fn read(&self, analysis: &Analysis, title: bool) -> Found {
        let mut raw = Raw { skips: vec![Skips::default(); self.skips], ..Raw::default() };
        for hit in self.index.hits(analysis, title) {
            let part = Part { first: hit.first, end: hit.end };
            for &user in self.users.get(hit.pattern).into_iter().flatten() {
                raw.take(user, part, analysis);
            }
        }
        raw.skip();
        let mut found = Found { places: raw.places(analysis), rules: Vec::new() };
        let mut speak: BTreeMap<usize, Vec<Candidate>> = BTreeMap::new();
        let mut hide: BTreeMap<usize, Vec<Part>> = BTreeMap::new();
        let mut hide_all = std::mem::take(&mut raw.skipped);
        for (rule, at) in self.joined(std::mem::take(&mut raw.rules)) {
            match self.rules[rule].speaks {
                Speaks::For { topic, weight } => {
                    speak.entry(topic).or_default().push(Candidate { at, rule, weight });
                }
                Speaks::Hides { topic } => hide.entry(topic).or_default().push(at),
                Speaks::HidesFromAll => hide_all.push(at),
            }
        }
        let everywhere = Cover::new(hide_all);
        for (topic, mut candidates) in speak {
            let own = Cover::new(hide.remove(&topic).unwrap_or_default());
            candidates.retain(|c| !own.hides(c.at) && !everywhere.hides(c.at));
            found.rules.extend(longest_of(candidates).into_iter().map(|kept| (topic, kept)));
        }
        found
    }

    /// The stretches that satisfy whole rules.
    fn joined(&self, found: Vec<(usize, usize, Part)>) -> Vec<(usize, Part)> {
        let mut whole = Vec::new();
        let mut parts: BTreeMap<usize, Vec<Vec<Part>>> = BTreeMap::new();
        for (rule, part, at) in found {
            match self.rules[rule].parts {
                1 => whole.push((rule, at)),
                count => {
                    parts.entry(rule).or_insert_with(|| vec![Vec::new(); count])[part].push(at)
                }
            }
        }
        for (rule, parts) in parts {
            whole.extend(join(&parts).into_iter().map(|at| (rule, at)));
        }
        whole
    }

    fn count(
        &self,
        field: Field,
        written: &str,
        analysis: &Analysis,
        found: &Found,
        scores: &mut Scores,
    ) {
        for &(topic, Candidate { at, rule, weight }) in &found.rules {
            let first = analysis.words[at.first].1;
            let last = analysis.words[at.end - 1].1;
            let weight = weight * self.factor(field, first);
            let (start, end) = (analysis.tokens[first].span.start, analysis.tokens[last].span.end);
            let text = written[start..end].to_owned();
            let rule = self.rules[rule].name.clone();
            scores.add(topic, Evidence { rule, text, field, start, end }, weight);
        }
    }

    /// What a word counts where it stands: the title and the lead say what an item is about.
    fn factor(&self, field: Field, token: usize) -> f64 {
        let weights = &self.weights;
        match field {
            Field::Title if token < weights.title_words => weights.title,
            Field::Title => weights.lead,
            Field::Text if token < weights.lead_words => weights.lead,
            Field::Text => weights.body,
            Field::Category => weights.category,
            Field::Image => weights.image,
        }
    }

    fn count_category(&self, written: &str, scores: &mut Scores) {
        let key = category_key(written);
        for &number in self.categories.get(&key).into_iter().flatten() {
            let rule = &self.rules[number];
            let Speaks::For { topic, weight } = rule.speaks else { continue };
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

    fn decide(&self, scores: Scores) -> Vec<TopicMatch> {
        let mut matches: BTreeMap<usize, TopicMatch> = BTreeMap::new();
        let mut implied: Vec<(usize, usize)> = Vec::new();
        for (topic, rules) in scores.0 {
            // Sums of halves and quarters are exact; a threshold is reached or not.
            let score: f64 = rules.values().map(|(weight, _)| weight).sum();
            let entry = &self.topics[topic];
            if score < entry.threshold {
                continue;
            }
            let mut evidence: Vec<(f64, Evidence)> = rules.into_values().collect();
            evidence.sort_by(|(a, x), (b, y)| {
                b.total_cmp(a).then((x.field, x.start).cmp(&(y.field, y.start)))
            });
            evidence.truncate(EVIDENCE_MAX);
            let evidence = evidence.into_iter().map(|(_, evidence)| evidence).collect();
            matches.insert(topic, TopicMatch { id: entry.id.clone(), score, evidence });
            implied.extend(entry.implies.iter().map(|&other| (topic, other)));
        }
        for (topic, other) in implied {
            if let Some(because) = matches.get(&topic).cloned() {
                let id = self.topics[other].id.clone();
                matches.entry(other).or_insert(TopicMatch { id, ..because });
            }
        }
        let found: BTreeSet<usize> = matches.keys().copied().collect();
        matches.retain(|&topic, _| self.topics[topic].unless.is_disjoint(&found));
        matches.into_values().collect()
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

/// A phrase found that speaks for a topic.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    at: Part,
    rule: usize,
    weight: f64,
}

/// Of phrases inside each other the longest counts, of equally long ones the strongest.
fn longest_of(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    candidates.sort_by(|a, b| {
        (a.at.first, b.at.end).cmp(&(b.at.first, a.at.end)).then(b.weight.total_cmp(&a.weight))
    });
    let mut end = 0;
    candidates.retain(|candidate| {
        let outside = candidate.at.end > end;
        end = end.max(candidate.at.end);
        outside
    });
    candidates
}

/// What one field has: rules with the words that satisfy them, and places.
struct Found {
    /// With the topic they speak for.
    rules: Vec<(usize, Candidate)>,
    places: FieldPlaces,
}

#[derive(Clone, Debug, Default)]
struct Skips {
    from: Vec<Part>,
    to: Vec<Part>,
}

/// What one pass found, before anything is decided.
#[derive(Default)]
struct Raw {
    rules: Vec<(usize, usize, Part)>,
    skips: Vec<Skips>,
    skipped: Vec<Part>,
    mentions: Vec<(Part, Mention)>,
    not_place: BTreeMap<usize, Vec<Part>>,
    areas: Vec<Part>,
    not_areas: Vec<Part>,
}

impl Raw {
    fn take(&mut self, user: User, part: Part, analysis: &Analysis) {
        match user {
            User::Rule { rule, part: number } => self.rules.push((rule, number, part)),
            User::SkipFrom(number) => self.skips[number].from.push(part),
            User::SkipTo(number) => self.skips[number].to.push(part),
            User::Place { place, short } => {
                let tokens = (analysis.words[part.first].1, analysis.words[part.end - 1].1);
                self.mentions.push((part, Mention { place, short, tokens }));
            }
            User::NotPlace(place) => self.not_place.entry(place).or_default().push(part),
            User::Area => self.areas.push(part),
            User::NotArea => self.not_areas.push(part),
        }
    }

    /// Boilerplate hides everything from its first phrase to the nearest last one.
    fn skip(&mut self) {
        for skips in std::mem::take(&mut self.skips) {
            for from in skips.from {
                let next = skips.to.partition_point(|to| to.end <= from.end);
                let to = skips.to.get(next).filter(|to| to.end - from.first <= Skip::WORDS_MAX);
                if let Some(to) = to {
                    self.skipped.push(Part { first: from.first, end: to.end });
                }
            }
        }
    }

    fn places(&mut self, analysis: &Analysis) -> FieldPlaces {
        let hidden = std::mem::take(&mut self.not_place)
            .into_iter()
            .map(|(place, parts)| (place, Cover::new(parts)))
            .collect();
        let not_areas = Cover::new(std::mem::take(&mut self.not_areas));
        let mut areas: Vec<usize> = std::mem::take(&mut self.areas)
            .into_iter()
            .filter(|&part| !not_areas.hides(part))
            .map(|part| analysis.words[part.first].1)
            .collect();
        areas.sort_unstable();
        FieldPlaces { mentions: longest(std::mem::take(&mut self.mentions), &hidden), areas }
    }
}

/// The stretches in which all parts stand in their order, each at most [`GAP_WORDS_MAX`] words after
/// the one before.
fn join(parts: &[Vec<Part>]) -> Vec<Part> {
    let Some((firsts, rest)) = parts.split_first() else { return Vec::new() };
    let mut joined: Vec<Part> = firsts.clone();
    for nexts in rest {
        // Hits come in the order of their ends, and those of one pattern are equally long.
        joined = joined
            .into_iter()
            .filter_map(|so_far| {
                let at = nexts.partition_point(|next| next.first < so_far.end);
                let next = nexts.get(at).filter(|next| next.first - so_far.end <= GAP_WORDS_MAX)?;
                Some(Part { first: so_far.first, end: next.end })
            })
            .collect();
    }
    joined
}
