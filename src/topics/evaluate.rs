//! How good rules are: their decisions against labels given by hand.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Classification, Evidence, ItemText, Rules, TopicMatch};

/// One labelled item, a line of the file; other fields are ignored.
#[derive(Debug, Deserialize)]
struct Labelled {
    title: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    categories: Vec<String>,
    #[serde(default)]
    image_alt: Vec<String>,
    #[serde(default)]
    topics: BTreeSet<String>,
    #[serde(default)]
    places: BTreeSet<String>,
}

/// A line that is no labelled item.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {source}")]
pub struct EvaluateError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub source: serde_json::Error,
}

/// Precision, recall and their harmonic mean, each 0 to 1; 0 where nothing can be divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Of what was found, the part that is right.
    pub precision: f64,
    /// Of what is right, the part that was found.
    pub recall: f64,
    /// The harmonic mean of both.
    pub f1: f64,
}

/// What became of one topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct TopicFigures {
    /// Found and right.
    pub tp: usize,
    /// Found and wrong.
    pub fp: usize,
    /// Right and not found.
    #[serde(rename = "fn")]
    pub missed: usize,
    /// The figures that follow from these.
    #[serde(flatten)]
    pub figures: Figures,
}

/// The decision on one item beside its labels.
#[derive(Clone, Debug, Serialize)]
pub struct Prediction {
    /// The item's title.
    pub title: String,
    /// The topics it is labelled with.
    pub expected: BTreeSet<String>,
    /// What the rules found, right or wrong, with the evidence.
    pub found: Classification,
    /// Topics found that are no labels; their evidence is in `found`.
    pub wrong: Vec<String>,
    /// Labels that were not found, and why not.
    pub missed: Vec<Missed>,
}

/// A label that was not found.
#[derive(Clone, Debug, Serialize)]
pub struct Missed {
    /// The topic.
    pub id: String,
    /// What was lacking.
    pub why: Why,
    /// How much spoke for it; 0 where nothing did.
    pub score: f64,
    /// What spoke for it.
    pub evidence: Vec<Evidence>,
}

/// Why a topic was not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Why {
    /// No phrase of the topic is in the item, or `not` hides those that are.
    #[serde(rename = "no rule matched")]
    NoRule,
    /// Phrases are there and count too little, or another topic stands in the way (`unless`).
    #[serde(rename = "not enough spoke for it")]
    TooLittle,
}

impl Missed {
    fn new(id: String, short: &[TopicMatch]) -> Self {
        match short.iter().find(|weighed| weighed.id.as_str() == id) {
            Some(weighed) => {
                let evidence = weighed.evidence.clone();
                Missed { id, why: Why::TooLittle, score: weighed.score, evidence }
            }
            None => Missed { id, why: Why::NoRule, score: 0.0, evidence: Vec::new() },
        }
    }
}

/// The figures of a whole file.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Evaluation {
    /// How many items there were.
    pub items: usize,
    /// By topic, those of the rules and those of the labels.
    pub topics: BTreeMap<String, TopicFigures>,
    /// F1 over all decisions.
    pub micro_f1: f64,
    /// The mean of F1 over the topics that are labelled or found anywhere.
    pub macro_f1: f64,
    /// Places; none where no item is labelled with one.
    pub places: Option<Figures>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    tp: usize,
    fp: usize,
    missed: usize,
}

impl Counts {
    fn add(&mut self, found: bool, right: bool) {
        match (found, right) {
            (true, true) => self.tp += 1,
            (true, false) => self.fp += 1,
            (false, true) => self.missed += 1,
            (false, false) => {}
        }
    }

    fn figures(self) -> Figures {
        let part = |whole: usize| if whole == 0 { 0.0 } else { self.tp as f64 / whole as f64 };
        let (precision, recall) = (part(self.tp + self.fp), part(self.tp + self.missed));
        let twice = 2 * self.tp + self.fp + self.missed;
        let f1 = if twice == 0 { 0.0 } else { 2.0 * self.tp as f64 / twice as f64 };
        Figures { precision, recall, f1 }
    }
}

/// Classifies each labelled item of a JSON Lines text and compares. Empty lines are passed over.
///
/// # Errors
/// The first line that is no labelled item.
pub fn evaluate(
    rules: &Rules,
    jsonl: &str,
) -> Result<(Evaluation, Vec<Prediction>), EvaluateError> {
    let mut topics: BTreeMap<String, Counts> =
        rules.topics().iter().map(|topic| (topic.id.to_string(), Counts::default())).collect();
    let mut places = Counts::default();
    let mut places_labelled = false;
    let mut predictions = Vec::new();
    for (number, line) in jsonl.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let item: Labelled = serde_json::from_str(line)
            .map_err(|source| EvaluateError { line: number + 1, source })?;
        let (found, short) = rules.weigh(&ItemText {
            title: &item.title,
            text: &item.text,
            categories: &item.categories,
            image_alt: &item.image_alt,
        });
        let ids: BTreeSet<String> = found.topics.iter().map(|t| t.id.to_string()).collect();
        for id in ids.union(&item.topics) {
            let counts = topics.entry(id.clone()).or_default();
            counts.add(ids.contains(id), item.topics.contains(id));
        }
        let at: BTreeSet<String> = found.places.iter().map(|p| p.id.to_string()).collect();
        for id in at.union(&item.places) {
            places.add(at.contains(id), item.places.contains(id));
        }
        places_labelled |= !item.places.is_empty();
        let wrong = ids.difference(&item.topics).cloned().collect();
        let missed =
            item.topics.difference(&ids).map(|id| Missed::new(id.clone(), &short)).collect();
        let (title, expected) = (item.title, item.topics);
        predictions.push(Prediction { title, expected, found, wrong, missed });
    }
    let evaluation = Evaluation {
        items: predictions.len(),
        places: places_labelled.then(|| places.figures()),
        ..sums(&topics)
    };
    Ok((evaluation, predictions))
}

fn sums(topics: &BTreeMap<String, Counts>) -> Evaluation {
    let mut all = Counts::default();
    let mut f1s = Vec::new();
    let mut figures = BTreeMap::new();
    for (id, counts) in topics {
        all.tp += counts.tp;
        all.fp += counts.fp;
        all.missed += counts.missed;
        let own = counts.figures();
        if counts.tp + counts.fp + counts.missed > 0 {
            f1s.push(own.f1);
        }
        let Counts { tp, fp, missed } = *counts;
        figures.insert(id.clone(), TopicFigures { tp, fp, missed, figures: own });
    }
    let macro_f1 = if f1s.is_empty() { 0.0 } else { f1s.iter().sum::<f64>() / f1s.len() as f64 };
    Evaluation { topics: figures, micro_f1: all.figures().f1, macro_f1, ..Evaluation::default() }
}
