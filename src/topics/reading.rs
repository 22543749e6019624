//! What one field of an item has: the rules it satisfies and the places it names, before anything
//! is weighed.

use std::collections::BTreeMap;

use super::analysis::Analysis;
use super::compile::User;
use super::cover::{Cover, Part};
use super::phrases::GAP_WORDS_MAX;
use super::places::{FieldPlaces, Mention, longest};
use super::rules::{Rules, Speaks};

/// How many words boilerplate has at most; what is longer is text after all.
const SKIP_WORDS_MAX: usize = 80;

impl Rules {
    /// One pass over a field.
    pub(crate) fn read(&self, analysis: &Analysis, title: bool) -> Found {
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
                Speaks::For { topic, weight, title: titled } => {
                    let weight = if title { titled } else { weight };
                    speak.entry(topic).or_default().push(Candidate { at, rule, weight });
                }
                Speaks::Hides { topic } => hide.entry(topic).or_default().push(at),
                Speaks::HidesFromAll => hide_all.push(at),
            }
        }
        for (aside, at) in raw.asides {
            let said = |topic: &usize| {
                speak.get(topic).is_some_and(|said| said.iter().any(|c| c.at.end <= at.first))
            };
            if title && self.asides[aside].iter().any(said) {
                hide_all.push(Part { first: at.first, end: usize::MAX });
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
}

/// A phrase found that speaks for a topic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub at: Part,
    pub rule: usize,
    pub weight: f64,
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
pub(crate) struct Found {
    /// With the topic they speak for.
    pub rules: Vec<(usize, Candidate)>,
    pub places: FieldPlaces,
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
    asides: Vec<(usize, Part)>,
}

impl Raw {
    fn take(&mut self, user: User, part: Part, analysis: &Analysis) {
        match user {
            User::Rule { rule, part: number } => self.rules.push((rule, number, part)),
            User::SkipFrom(number) => self.skips[number].from.push(part),
            User::SkipTo(number) => self.skips[number].to.push(part),
            User::Street => {
                let name = analysis.words.get(part.end).map(|&(_, token)| &analysis.tokens[token]);
                if name.is_some_and(|token| token.capital && !token.starts_sentence) {
                    self.skipped.push(Part { first: part.end, end: part.end + 1 });
                }
            }
            User::Aside(number) => self.asides.push((number, part)),
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
                let to = skips.to.get(next).filter(|to| to.end - from.first <= SKIP_WORDS_MAX);
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
        let mut areas: Vec<(usize, usize)> = std::mem::take(&mut self.areas)
            .into_iter()
            .filter(|&part| !not_areas.hides(part))
            .map(|part| (analysis.words[part.first].1, analysis.words[part.end - 1].1))
            .collect();
        areas.sort_unstable();
        FieldPlaces { mentions: longest(std::mem::take(&mut self.mentions), &hidden), areas }
    }
}

/// The stretches in which all parts stand in their order, each at most [`GAP_WORDS_MAX`] words
/// after the one before.
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
