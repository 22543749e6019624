//! From the two files to rules that can be asked.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::str::FromStr;

use sha2::{Digest, Sha256};
use toml::Spanned;

use super::analysis::{Analysis, italian};
use super::file::{PlacesFile, RulesError, RulesFile, Text, TopicFile, TopicsFile, WeightsFile};
use super::phrases::{Index, Pattern, PhraseError, parse};
use super::rules::{Rule, Rules, Speaks, Topic};
use crate::model::{InvalidId, TopicId};

/// The most phrases of both files together.
pub const RULES_MAX: usize = 200_000;

/// The largest weight or threshold.
const WEIGHT_MAX: f64 = 100.0;

/// The largest number of words that can be said to be the lead or the beginning of a title.
const LEAD_WORDS_MAX: usize = 10_000;

/// Goes up whenever the same files come to decide otherwise, so that what was decided before stays
/// told apart from what is decided now.
const ENGINE_VERSION: u32 = 2;

/// How many hexadecimal digits of the digest name a version.
const VERSION_DIGITS: usize = 16;

/// What a pattern is part of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum User {
    /// A part of a rule.
    Rule { rule: usize, part: usize },
    /// Begins boilerplate.
    SkipFrom(usize),
    /// Ends boilerplate.
    SkipTo(usize),
    /// Stands before the name of a street.
    Street,
    /// Begins what is only the occasion.
    Aside(usize),
    /// Names a place.
    Place { place: usize, short: bool },
    /// Hides the words inside it from a place.
    NotPlace(usize),
    /// Means the whole area.
    Area,
    /// Hides the words inside it from what means the whole area.
    NotArea,
}

/// Turns a bad id into an error of the file.
pub(crate) fn id<T: FromStr<Err = InvalidId>>(
    text: Text<'_>,
    written: &Spanned<String>,
) -> Result<T, RulesError> {
    written.as_ref().parse().map_err(|error: InvalidId| {
        let hint = "ids have small letters, digits and hyphens, at most 64 of them";
        text.error(written.span().start, error.to_string(), hint)
    })
}

/// Turns a bad phrase into an error of the file.
pub(crate) fn phrase_error<'a>(
    text: Text<'a>,
    phrase: &'a Spanned<String>,
) -> impl FnOnce(PhraseError) -> RulesError + 'a {
    move |error| {
        let hint = match error {
            PhraseError::Empty => "write at least one word that is no article or preposition",
            PhraseError::Long => "shorten it to the words that matter",
            PhraseError::Mark => "write `vaccin*`, `=banda` or plain words",
        };
        let shown: String = phrase.as_ref().chars().take(60).collect();
        text.error(phrase.span().start, format!("{shown:?}: {error}"), hint)
    }
}

/// Compiles both files.
pub(crate) fn compile(topics_toml: &str, places_toml: &str) -> Result<Rules, RulesError> {
    let topics_text = Text { file: RulesFile::Topics, text: topics_toml };
    let places_text = Text { file: RulesFile::Places, text: places_toml };
    let topics_file: TopicsFile = topics_text.parse()?;
    let places_file: PlacesFile = places_text.parse()?;
    let mut compiler = Compiler::new(topics_text, weights(topics_text, &topics_file)?);
    compiler.hidden(&topics_file)?;
    compiler.topics(&topics_file)?;
    let (places, context) = super::served::compile(
        places_text,
        &places_file,
        &mut compiler.index,
        &mut compiler.users,
    )?;
    let mut users: Vec<Vec<User>> = Vec::new();
    for (pattern, user) in compiler.users {
        if users.len() <= pattern {
            users.resize_with(pattern + 1, Vec::new);
        }
        users[pattern].push(user);
    }
    let whole =
        |what: &str| topics_text.error(0, what.to_owned(), "divide the topics among installations");
    if users.len() > RULES_MAX {
        return Err(whole("the two files have too many phrases"));
    }
    if !compiler.index.build() {
        return Err(whole("the phrases are too long altogether"));
    }
    Ok(Rules {
        version: version(&topics_file, &compiler.weights, &places_file),
        weights: compiler.weights,
        topics: compiler.topics,
        rules: compiler.rules,
        skips: compiler.skips,
        asides: compiler.asides,
        categories: compiler.categories,
        category_beginnings: compiler.category_beginnings,
        index: compiler.index,
        users,
        places,
        context,
    })
}

/// Names what the files mean: comments, white space and the order of keys change nothing.
fn version(topics: &TopicsFile, weights: &WeightsFile, places: &PlacesFile) -> String {
    let meaning = (ENGINE_VERSION, topics, weights, places);
    let meaning = serde_json::to_vec(&meaning).expect("texts and numbers become JSON");
    let digest = Sha256::digest(meaning);
    let mut version = data_encoding::HEXLOWER.encode(&digest);
    version.truncate(VERSION_DIGITS);
    version
}

/// The form in which categories are compared.
pub(crate) fn category_key(category: &str) -> String {
    Analysis::new(category).stream
}

/// The weights of the file, or the usual ones.
fn weights(text: Text<'_>, file: &TopicsFile) -> Result<WeightsFile, RulesError> {
    let Some(written) = &file.weights else { return Ok(WeightsFile::default()) };
    let (at, w) = (written.span().start, written.as_ref());
    let all = [
        [w.strong, w.weak, w.hint, w.title],
        [w.lead, w.lead_beside_title, w.body, w.category],
        [w.image; 4],
    ];
    if let Some(bad) = all.iter().flatten().find(|weight| !(0.0..=WEIGHT_MAX).contains(*weight)) {
        let what = format!("the weight {bad} is out of bounds");
        return Err(text.error(at, what, format!("use 0 to {WEIGHT_MAX}")));
    }
    if w.lead_words.max(w.title_words) > LEAD_WORDS_MAX {
        let what = format!("more than {LEAD_WORDS_MAX} words are no lead");
        return Err(text.error(at, what, "80 words are a usual lead"));
    }
    Ok(w.clone())
}

struct Compiler<'a> {
    text: Text<'a>,
    weights: WeightsFile,
    index: Index,
    users: Vec<(usize, User)>,
    topics: Vec<Topic>,
    rules: Vec<Rule>,
    skips: usize,
    asides: Vec<BTreeSet<usize>>,
    categories: HashMap<String, Vec<usize>>,
    category_beginnings: Vec<(String, usize)>,
}

impl<'a> Compiler<'a> {
    fn new(text: Text<'a>, weights: WeightsFile) -> Self {
        Self {
            text,
            weights,
            index: Index::default(),
            users: Vec::new(),
            topics: Vec::new(),
            rules: Vec::new(),
            skips: 0,
            asides: Vec::new(),
            categories: HashMap::new(),
            category_beginnings: Vec::new(),
        }
    }

    fn hidden(&mut self, file: &TopicsFile) -> Result<(), RulesError> {
        for phrase in &file.hide {
            let parts = self.parse(phrase)?;
            self.rule(Speaks::HidesFromAll, phrase.as_ref().clone(), parts);
        }
        for (number, skip) in file.skip.iter().enumerate() {
            for (phrase, user) in
                [(&skip.from, User::SkipFrom(number)), (&skip.to, User::SkipTo(number))]
            {
                self.users.push((self.index.add(single(self.text, phrase)?), user));
            }
        }
        self.skips = file.skip.len();
        for word in &file.streets {
            self.users.push((self.index.add(single(self.text, word)?), User::Street));
        }
        Ok(())
    }

    fn parse(&self, phrase: &Spanned<String>) -> Result<Vec<Pattern>, RulesError> {
        parse(phrase.as_ref(), &italian()).map_err(phrase_error(self.text, phrase))
    }

    fn topics(&mut self, file: &TopicsFile) -> Result<(), RulesError> {
        let mut numbers: BTreeMap<TopicId, usize> = BTreeMap::new();
        for (number, entry) in file.topic.iter().enumerate() {
            let id: TopicId = id(self.text, &entry.id)?;
            if numbers.insert(id.clone(), number).is_some() {
                let what = format!("the topic id {id} is there twice");
                let hint = "give each topic its own id, or put the rules together";
                return Err(self.text.error(entry.id.span().start, what, hint));
            }
        }
        for (number, entry) in file.topic.iter().enumerate() {
            let id = id(self.text, &entry.id)?;
            let before = self.rules.len();
            self.rules(number, entry)?;
            self.topics.push(Topic {
                id,
                label: entry.label.clone(),
                description: entry.description.clone(),
                rules: self.rules.len() - before - entry.hidden.len() + entry.codes.len(),
                threshold: self.threshold(entry)?,
                codes: entry.codes.clone(),
                implies: self.others(entry.id.as_ref(), "implies", &entry.implies, &numbers)?,
                unless: self.others(entry.id.as_ref(), "unless", &entry.unless, &numbers)?,
            });
        }
        self.close_implications();
        for (number, aside) in file.aside.iter().enumerate() {
            self.asides.push(self.others("an aside", "names", &aside.topics, &numbers)?);
            for phrase in &aside.after {
                let pattern = self.index.add(single(self.text, phrase)?);
                self.users.push((pattern, User::Aside(number)));
            }
        }
        Ok(())
    }

    fn threshold(&self, entry: &TopicFile) -> Result<f64, RulesError> {
        let Some(threshold) = &entry.threshold else { return Ok(1.0) };
        let value = *threshold.as_ref();
        if value > 0.0 && value <= WEIGHT_MAX {
            return Ok(value);
        }
        let what = format!("the threshold {value} is out of bounds");
        Err(self.text.error(threshold.span().start, what, format!("use 0.1 to {WEIGHT_MAX}")))
    }

    /// The topics that an entry names under a key.
    fn others(
        &self,
        who: &str,
        key: &str,
        written: &[Spanned<String>],
        numbers: &BTreeMap<TopicId, usize>,
    ) -> Result<BTreeSet<usize>, RulesError> {
        let mut others = BTreeSet::new();
        for written in written {
            let other: TopicId = id(self.text, written)?;
            let Some(&number) = numbers.get(&other) else {
                let what = format!("{who} {key} {other}, which is no topic");
                let hint = "write the id of a topic of this file";
                return Err(self.text.error(written.span().start, what, hint));
            };
            others.insert(number);
        }
        Ok(others)
    }

    /// What an implied topic implies is implied too.
    fn close_implications(&mut self) {
        for number in 0..self.topics.len() {
            let mut open: Vec<usize> = self.topics[number].implies.iter().copied().collect();
            let mut all = BTreeSet::new();
            while let Some(next) = open.pop() {
                if next != number && all.insert(next) {
                    open.extend(&self.topics[next].implies);
                }
            }
            self.topics[number].implies = all;
        }
    }

    fn rules(&mut self, topic: usize, entry: &TopicFile) -> Result<(), RulesError> {
        let name = |phrase: &Spanned<String>| format!("{}: {}", entry.id.as_ref(), phrase.as_ref());
        for phrase in &entry.hidden {
            let parts = self.parse(phrase)?;
            self.rule(Speaks::Hides { topic }, name(phrase), parts);
        }
        // `asilo nido` and `asili nido` are one rule: two weak words must be two words.
        let mut known = BTreeSet::new();
        let WeightsFile { strong, weak, hint, .. } = self.weights;
        let grades = [
            (&entry.strong, strong, strong),
            (&entry.titles, weak, strong),
            (&entry.weak, weak, weak),
            (&entry.hints, hint, hint),
        ];
        for (phrases, weight, title) in grades {
            for phrase in phrases {
                let parts = self.parse(phrase)?;
                if known.insert(parts.clone()) {
                    self.rule(Speaks::For { topic, weight, title }, name(phrase), parts);
                }
            }
        }
        for category in &entry.categories {
            let speaks = Speaks::For { topic, weight: strong, title: strong };
            let rule = self.rule(speaks, name(category), Vec::new());
            let (written, begins) = match category.as_ref().strip_suffix('*') {
                Some(begin) => (begin, true),
                None => (category.as_ref().as_str(), false),
            };
            let key = category_key(written);
            if key.trim().is_empty() {
                return Err(phrase_error(self.text, category)(PhraseError::Empty));
            }
            match begins {
                true => self.category_beginnings.push((key, rule)),
                false => self.categories.entry(key).or_default().push(rule),
            }
        }
        Ok(())
    }

    /// Takes a rule and the patterns that are its parts.
    fn rule(&mut self, speaks: Speaks, name: String, parts: Vec<Pattern>) -> usize {
        let rule = self.rules.len();
        self.rules.push(Rule { speaks, name, parts: parts.len() });
        for (part, pattern) in parts.into_iter().enumerate() {
            self.users.push((self.index.add(pattern), User::Rule { rule, part }));
        }
        rule
    }
}

/// A phrase where `...` means nothing.
pub(crate) fn single(text: Text<'_>, phrase: &Spanned<String>) -> Result<Pattern, RulesError> {
    let mut parts = parse(phrase.as_ref(), &italian()).map_err(phrase_error(text, phrase))?;
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => Ok(only),
        _ => {
            let what = format!("{:?}: `...` is not understood here", phrase.as_ref());
            Err(text.error(phrase.span().start, what, "write words that follow each other"))
        }
    }
}
