//! Words that separate the items that persons have given a topic from those of which they said that
//! they do not have it, and from all others: proposed as rules, to be accepted or not.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

use super::ItemText;
use super::analysis::Analysis;

/// The most phrases that are proposed of one kind.
pub const SUGGESTIONS_MAX: usize = 15;

/// The least log-likelihood ratio at which a phrase separates: 3.84 is one chance in twenty.
const LIKELIHOOD_MIN: f64 = 3.84;

/// A phrase in at least so many of the corrected items is no accident of one.
const ITEMS_MIN: usize = 2;

/// The shortest word that is proposed, in letters.
const WORD_LETTERS_MIN: usize = 3;

/// A phrase that separates.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Suggestion {
    /// The phrase, as it is written most often.
    pub phrase: String,
    /// Dunning's log-likelihood ratio: how little its places can be chance.
    pub likelihood: f64,
    /// In how many items that are about the topic it stands.
    pub is: usize,
    /// In how many that are not.
    pub is_not: usize,
    /// In how many others.
    pub others: usize,
}

/// What is proposed for a topic.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Suggestions {
    /// How many items are about it, as persons say.
    pub is: usize,
    /// How many are not.
    pub is_not: usize,
    /// How many others there are.
    pub others: usize,
    /// Phrases that stand in no item but those that are about it.
    pub strong: Vec<Suggestion>,
    /// Phrases that mostly do.
    pub weak: Vec<Suggestion>,
    /// Phrases that stand only in those that are not about it.
    pub not: Vec<Suggestion>,
}

#[derive(Default)]
struct Counts {
    is: usize,
    is_not: usize,
    others: usize,
    /// How it is written, and how often.
    written: BTreeMap<String, usize>,
}

/// Counts items, one after the other; asked for at the end.
#[derive(Default)]
pub struct Suggesting {
    counts: HashMap<String, Counts>,
    sums: Suggestions,
}

impl Suggesting {
    /// Takes an item of which a person has said whether it is about the topic.
    pub fn corrected(&mut self, item: &ItemText, is: bool) {
        match is {
            true => self.sums.is += 1,
            false => self.sums.is_not += 1,
        }
        for (key, written) in phrases(item) {
            let counts = self.counts.entry(key).or_default();
            match is {
                true => counts.is += 1,
                false => counts.is_not += 1,
            }
            *counts.written.entry(written).or_default() += 1;
        }
    }

    /// Takes another item, after all those that were corrected.
    pub fn other(&mut self, item: &ItemText) {
        self.sums.others += 1;
        for key in phrases(item).into_keys() {
            if let Some(counts) = self.counts.get_mut(&key) {
                counts.others += 1;
            }
        }
    }

    /// What separates, the strongest first.
    pub fn suggestions(self) -> Suggestions {
        let Self { counts, mut sums } = self;
        let others = sums.is_not + sums.others;
        let everything_else = sums.is + sums.others;
        for counts in counts.into_values() {
            let elsewhere = counts.is_not + counts.others;
            let likelihood = likelihood((counts.is, sums.is), (elsewhere, others));
            let against = self::likelihood(
                (counts.is_not, sums.is_not),
                (counts.is + counts.others, everything_else),
            );
            let written = counts.written.iter().max_by_key(|(_, times)| **times);
            let Some((phrase, _)) = written else { continue };
            let suggestion = |likelihood| Suggestion {
                phrase: phrase.clone(),
                likelihood,
                is: counts.is,
                is_not: counts.is_not,
                others: counts.others,
            };
            if counts.is >= ITEMS_MIN && likelihood >= LIKELIHOOD_MIN {
                let list = if elsewhere == 0 { &mut sums.strong } else { &mut sums.weak };
                list.push(suggestion(likelihood));
            } else if counts.is_not >= ITEMS_MIN && counts.is == 0 && against >= LIKELIHOOD_MIN {
                sums.not.push(suggestion(against));
            }
        }
        for list in [&mut sums.strong, &mut sums.weak, &mut sums.not] {
            list.sort_by(|a, b| {
                b.likelihood.total_cmp(&a.likelihood).then_with(|| a.phrase.cmp(&b.phrase))
            });
            without_parts(list);
            list.truncate(SUGGESTIONS_MAX);
        }
        sums
    }
}

/// Of `isola` and `isola ecologica` that stand in the same items one is enough: the longer.
fn without_parts(list: &mut Vec<Suggestion>) {
    let longer: Vec<Suggestion> = list.iter().filter(|s| s.phrase.contains(' ')).cloned().collect();
    list.retain(|short| {
        short.phrase.contains(' ')
            || !longer.iter().any(|long| {
                long.phrase.split(' ').any(|word| word == short.phrase)
                    && (long.is, long.is_not, long.others) == (short.is, short.is_not, short.others)
            })
    });
}

/// The words of an item and their pairs, by form, as they are written there.
fn phrases(item: &ItemText) -> HashMap<String, String> {
    let mut found = HashMap::new();
    let others = item.categories.iter().chain(item.image_alt).map(String::as_str);
    for field in [item.title, item.text].into_iter().chain(others) {
        let analysis = Analysis::new(field);
        let forms: Vec<&str> = analysis.stream.split_whitespace().collect();
        let words: Vec<(&str, usize)> =
            forms.iter().copied().zip(analysis.words.iter().map(|word| word.1)).collect();
        let known: HashSet<usize> = words
            .iter()
            .enumerate()
            .filter(|(_, (form, token))| says_something(form, &analysis.tokens[*token].folded))
            .map(|(index, _)| index)
            .collect();
        for index in 0..words.len() {
            if !known.contains(&index) {
                continue;
            }
            let (form, token) = words[index];
            let written = analysis.tokens[token].folded.clone();
            if known.contains(&(index + 1)) {
                let (next, next_token) = words[index + 1];
                let pair = format!("{written} {}", analysis.tokens[next_token].folded);
                found.entry(format!("{form} {next}")).or_insert(pair);
            }
            found.entry(form.to_owned()).or_insert(written);
        }
    }
    found
}

/// Numbers and sentence breaks separate nothing that comes again.
fn says_something(form: &str, word: &str) -> bool {
    form != "|" && word.chars().count() >= WORD_LETTERS_MIN && word.chars().all(char::is_alphabetic)
}

/// The log-likelihood ratio of a phrase that stands in `k1` of `n1` items here and `k2` of `n2`
/// there; 0 where it is rarer here.
fn likelihood((k1, n1): (usize, usize), (k2, n2): (usize, usize)) -> f64 {
    if n1 == 0 || n2 == 0 || k1 * n2 <= k2 * n1 {
        return 0.0;
    }
    let (k1, n1, k2, n2) = (k1 as f64, n1 as f64, k2 as f64, n2 as f64);
    let log = |k: f64, n: f64, p: f64| {
        let part = |count: f64, p: f64| if count > 0.0 { count * p.ln() } else { 0.0 };
        part(k, p) + part(n - k, 1.0 - p)
    };
    let p = (k1 + k2) / (n1 + n2);
    2.0 * (log(k1, n1, k1 / n1) + log(k2, n2, k2 / n2) - log(k1, n1, p) - log(k2, n2, p))
}
