//! Rules that say nothing: those that contradict themselves, those that are there twice, and those
//! that never match what has come in.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;
use toml::Spanned;

use super::ItemText;
use super::analysis::{Analysis, italian};
use super::compile::{User, category_key};
use super::file::{RulesError, RulesFile, Text, TopicFile, TopicsFile};
use super::phrases::{Pattern, parse};
use super::rules::Rules;

/// What is wrong with rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flaw {
    /// The same phrase speaks for a topic and hides it, or two keys exclude each other.
    Contradicts,
    /// The same phrase is there twice in one topic, in other words or the same: it counts once.
    Twice,
    /// The same phrase speaks for two topics. That can be meant.
    Shared,
}

/// A flaw of a file of topics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FlawFound {
    /// Which.
    pub flaw: Flaw,
    /// The line of the file.
    pub line: usize,
    /// What it is, and what to do.
    pub what: String,
}

/// The flaws of a file of topics, in the order of its lines.
///
/// # Errors
/// As [`Rules::compile`] where the file cannot be read at all.
pub fn flaws(topics_toml: &str) -> Result<Vec<FlawFound>, RulesError> {
    let text = Text { file: RulesFile::Topics, text: topics_toml };
    let file: TopicsFile = text.parse()?;
    let mut checker = Checker { text, found: Vec::new(), speaks: HashMap::new() };
    let hidden_from_all = phrases(&file.hide);
    for topic in &file.topic {
        checker.topic(topic, &hidden_from_all);
    }
    checker.shared();
    checker.found.sort_by(|a, b| (a.line, a.flaw, &a.what).cmp(&(b.line, b.flaw, &b.what)));
    Ok(checker.found)
}

type Parts = Vec<Pattern>;

/// The phrases of a list as they are compared. Those that cannot be read are an error elsewhere.
fn phrases(written: &[Spanned<String>]) -> HashMap<Parts, usize> {
    let mut read = HashMap::new();
    for (index, phrase) in written.iter().enumerate() {
        if let Ok(parts) = parse(phrase.as_ref(), &italian()) {
            read.entry(parts).or_insert(index);
        }
    }
    read
}

struct Checker<'a> {
    text: Text<'a>,
    found: Vec<FlawFound>,
    /// For each phrase that speaks for topics: the topic, and where it stands.
    speaks: HashMap<Parts, Vec<(String, usize)>>,
}

impl Checker<'_> {
    fn line(&self, at: usize) -> usize {
        self.text.error(at, "", "").line.unwrap_or(1)
    }

    fn add(&mut self, flaw: Flaw, at: usize, what: String) {
        let line = self.line(at);
        self.found.push(FlawFound { flaw, line, what });
    }

    fn topic(&mut self, topic: &TopicFile, hidden_from_all: &HashMap<Parts, usize>) {
        let id = topic.id.as_ref();
        let hidden = phrases(&topic.hidden);
        let mut known: HashMap<Parts, (&str, usize)> = HashMap::new();
        let grades = [("strong", &topic.strong), ("weak", &topic.weak), ("hints", &topic.hints)];
        for (grade, written) in grades {
            for phrase in written {
                let Ok(parts) = parse(phrase.as_ref(), &italian()) else { continue };
                let (at, shown) = (phrase.span().start, phrase.as_ref());
                if hidden.contains_key(&parts) {
                    let what = format!(
                        "{id}: {shown:?} stands under {grade} and under not, so it never counts; \
                         take one of them out"
                    );
                    self.add(Flaw::Contradicts, at, what);
                } else if hidden_from_all.contains_key(&parts) {
                    let what = format!(
                        "{id}: {shown:?} stands under hide too, so it never counts; take one of \
                         them out"
                    );
                    self.add(Flaw::Contradicts, at, what);
                }
                match known.get(&parts) {
                    Some(&(before, line)) => {
                        let what = format!(
                            "{id}: {shown:?} under {grade} is the phrase of line {line} under \
                             {before} and adds nothing"
                        );
                        self.add(Flaw::Twice, at, what);
                    }
                    None => {
                        known.insert(parts.clone(), (grade, self.line(at)));
                        self.speaks.entry(parts).or_default().push((id.clone(), at));
                    }
                }
            }
        }
        self.keys(topic);
    }

    /// Categories twice, and topics that a topic both brings and excludes.
    fn keys(&mut self, topic: &TopicFile) {
        let id = topic.id.as_ref();
        let mut categories = BTreeMap::new();
        for category in &topic.categories {
            let at = category.span().start;
            let line = self.line(at);
            if let Some(before) = categories.insert(category_key(category.as_ref()), line) {
                let shown = category.as_ref();
                let what = format!(
                    "{id}: the category {shown:?} is that of line {before}; take one of them out"
                );
                self.add(Flaw::Twice, at, what);
            }
        }
        for other in &topic.unless {
            let both = topic.implies.iter().any(|implied| implied.as_ref() == other.as_ref());
            if both || other.as_ref() == id {
                let other_id = other.as_ref();
                let what = format!(
                    "{id} brings {other_id} and is none beside it, so it never counts; take it \
                     out of unless or of implies"
                );
                self.add(Flaw::Contradicts, other.span().start, what);
            }
        }
    }

    fn shared(&mut self) {
        let speaks = std::mem::take(&mut self.speaks);
        for topics in speaks.into_values().filter(|topics| topics.len() > 1) {
            let mut topics = topics;
            topics.sort_by_key(|(_, at)| *at);
            let at = topics[1].1;
            let shown = self.written_at(at);
            let ids: Vec<&str> = topics.iter().map(|(id, _)| id.as_str()).collect();
            let what = format!("{shown} speaks for {}", ids.join(" and "));
            self.add(Flaw::Shared, at, what);
        }
    }

    /// The phrase that stands at an offset, in its quotation marks.
    fn written_at(&self, at: usize) -> &str {
        let rest = self.text.text.get(at..).unwrap_or_default();
        let mark = rest.chars().next().unwrap_or('"');
        let end = rest.get(1..).and_then(|rest| rest.find(mark)).map_or(rest.len(), |end| end + 2);
        rest.get(..end).unwrap_or(rest)
    }
}

/// Which rules have matched anything, over many items.
#[derive(Debug)]
pub struct Matched<'a> {
    rules: &'a Rules,
    rule: BTreeSet<usize>,
    items: usize,
}

impl<'a> Matched<'a> {
    /// No item has been looked at yet.
    pub fn new(rules: &'a Rules) -> Self {
        Self { rules, rule: BTreeSet::new(), items: 0 }
    }

    /// How many items were looked at.
    pub fn items(&self) -> usize {
        self.items
    }

    /// Looks at an item. A rule of several parts has matched where one field has all of them.
    pub fn look_at(&mut self, item: &ItemText) {
        self.items += 1;
        let others = item.categories.iter().chain(item.image_alt).map(String::as_str);
        let fields = [(item.title, true), (item.text, false)].into_iter();
        for (field, title) in fields.chain(others.map(|field| (field, false))) {
            let analysis = Analysis::new(field);
            let mut parts: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
            for hit in self.rules.index.hits(&analysis, title) {
                for user in self.rules.users.get(hit.pattern).into_iter().flatten() {
                    if let User::Rule { rule, part } = *user {
                        parts.entry(rule).or_default().insert(part);
                    }
                }
            }
            let whole = |(rule, parts): (usize, BTreeSet<usize>)| {
                (parts.len() == self.rules.rules[rule].parts).then_some(rule)
            };
            self.rule.extend(parts.into_iter().filter_map(whole));
        }
        for category in item.categories {
            let key = category_key(category);
            self.rule.extend(self.rules.categories.get(&key).into_iter().flatten());
        }
    }

    /// The rules that matched nothing: the topic's id and the phrase as it stands in the file.
    pub fn never(&self) -> Vec<&'a str> {
        let rules = self.rules.rules.iter().enumerate();
        rules
            .filter(|(number, _)| !self.rule.contains(number))
            .map(|(_, rule)| rule.name.as_str())
            .collect()
    }
}
