//! `topics diff`: what changed rules would make of the items that came in.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use super::output::{print, print_json, table};
use super::stored::StoredItems;
use super::topics_args::Diff;
use super::{CliError, Context};
use crate::installation::rules_texts;
use crate::topics::{Difference, Evidence, RULES_FILE_OCTETS_MAX, Rules};

/// What differs in one item.
#[derive(Serialize)]
struct Changed {
    item: i64,
    title: String,
    link: Option<String>,
    #[serde(flatten)]
    difference: Difference,
}

/// How often something would be added and taken away.
#[derive(Default, Serialize)]
struct Sums {
    added: usize,
    removed: usize,
}

#[derive(Default, Serialize)]
struct Report {
    days: u32,
    items: usize,
    changed: Vec<Changed>,
    topics: BTreeMap<String, Sums>,
    places: BTreeMap<String, Sums>,
}

/// Classifies the items with the rules as they are and as they would be; writes nothing.
pub async fn run(context: &Context, args: &Diff) -> Result<ExitCode, CliError> {
    let installation = context.open_to_look().await?;
    let (topics, places) = rules_texts(&installation.config)?;
    let topics = args.topics.as_deref().map_or(Ok(topics), read_rules)?;
    let places = args.places.as_deref().map_or(Ok(places), read_rules)?;
    let changed = Rules::compile(&topics, &places)
        .map_err(|error| CliError::usage(error.to_string(), error.hint.clone()))?;
    let mut report = Report { days: args.days, ..Report::default() };
    let mut items = StoredItems::of_days(args.days, installation.clock.now());
    let mut tx = installation.store.read().await?;
    let zone = installation.config.site.timezone;
    while let Some(item) = items.next(&mut tx).await? {
        let (before, after) = (item.found(&installation.rules, zone), item.found(&changed, zone));
        report.items += 1;
        let difference = Difference::between(&before, &after);
        if !difference.is_none() {
            report.add(&difference);
            let (item, title, link) = (item.id, item.text.title, item.text.link);
            report.changed.push(Changed { item, title, link, difference });
        }
    }
    match args.json {
        true => print_json(&report)?,
        false => print(&report.described())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A file of rules, no longer than rules may be.
pub(super) fn read_rules(file: &Path) -> Result<String, CliError> {
    use std::io::Read as _;
    let failed = |error: std::io::Error| CliError::unreadable(file, error);
    let most = RULES_FILE_OCTETS_MAX as u64 + 1;
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(failed)?;
    opened.take(most).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

impl Report {
    fn add(&mut self, difference: &Difference) {
        for topic in &difference.topics_added {
            self.topics.entry(topic.id.to_string()).or_default().added += 1;
        }
        for topic in &difference.topics_removed {
            self.topics.entry(topic.id.to_string()).or_default().removed += 1;
        }
        for place in &difference.places_added {
            self.places.entry(place.id.to_string()).or_default().added += 1;
        }
        for place in &difference.places_removed {
            self.places.entry(place.id.to_string()).or_default().removed += 1;
        }
    }

    fn described(&self) -> String {
        let mut text = String::new();
        for Changed { item, title, difference, .. } in &self.changed {
            text.push_str(&format!("{item} {title}\n"));
            let topics = [('+', &difference.topics_added), ('-', &difference.topics_removed)];
            for (sign, matches) in topics {
                for topic in matches {
                    text.push_str(&line(sign, topic.id.as_str(), &topic.evidence));
                }
            }
            let places = [('+', &difference.places_added), ('-', &difference.places_removed)];
            for (sign, matches) in places {
                for place in matches {
                    text.push_str(&line(sign, place.id.as_str(), &place.evidence));
                }
            }
        }
        let sums = self.topics.iter().chain(&self.places);
        let rows: Vec<Vec<String>> = sums
            .map(|(id, sums)| {
                vec![id.clone(), format!("+{}", sums.added), format!("-{}", sums.removed)]
            })
            .collect();
        if !rows.is_empty() {
            text.push_str(&table(&["", "added", "taken away"], &rows));
        }
        let Self { days, items, changed, .. } = self;
        let changed = changed.len();
        text.push_str(&format!("{changed} of {items} items of {days} days would change\n"));
        text
    }
}

fn line(sign: char, id: &str, evidence: &[Evidence]) -> String {
    let words: Vec<String> =
        evidence.iter().map(|e| format!("{:?} by rule {}", e.text, e.rule)).collect();
    format!("  {sign} {id}: {}\n", words.join("; "))
}
