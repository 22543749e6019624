//! `topics check`: rules that contradict themselves, are there twice, or never match.

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use super::error::FAILED;
use super::output::{print, print_json};
use super::stored::StoredItems;
use super::topics_diff::read_rules;
use super::{CliError, Context};
use crate::installation::rules_texts;
use crate::topics::{Flaw, FlawFound, ItemText, Matched, Rules, flaws};

/// The most rules of one kind that are listed; JSON has all.
const SHOWN_MAX: usize = 40;

#[derive(Serialize)]
struct Report<'a> {
    ok: bool,
    flaws: &'a [FlawFound],
    /// How many items the rules were tried on; none without an installation.
    items: Option<usize>,
    /// Rules that match none of them.
    never: &'a [&'a str],
}

/// Checks a file of topics, or that of the configuration. Fails where a rule contradicts itself;
/// what is there twice, what two topics share, and what never matched, is only told.
pub async fn run(
    context: &Context,
    file: Option<&Path>,
    days: u32,
    json: bool,
) -> Result<ExitCode, CliError> {
    let config = context.config_if_any()?;
    let (topics, places) = match &config {
        Some(config) => rules_texts(config)?,
        None => (Rules::TOPICS.to_owned(), Rules::PLACES.to_owned()),
    };
    let topics = file.map_or(Ok(topics), read_rules)?;
    let usage =
        |error: crate::topics::RulesError| CliError::usage(error.to_string(), error.hint.clone());
    let rules = Rules::compile(&topics, &places).map_err(usage)?;
    let flaws = flaws(&topics).map_err(usage)?;
    let matched = match config {
        Some(_) => Some(matched(context, &rules, days).await?),
        None => None,
    };
    let items = matched.as_ref().map(Matched::items);
    let never = matched.filter(|matched| matched.items() > 0).map(|matched| matched.never());
    let never = never.unwrap_or_default();
    let ok = flaws.iter().all(|found| found.flaw != Flaw::Contradicts);
    let report = Report { ok, flaws: &flaws, items, never: &never };
    match json {
        true => print_json(&report)?,
        false => print(&described(&report, days))?,
    }
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

async fn matched<'a>(
    context: &Context,
    rules: &'a Rules,
    days: u32,
) -> Result<Matched<'a>, CliError> {
    let installation = context.open_to_look().await?;
    let mut matched = Matched::new(rules);
    let mut items = StoredItems::of_days(days, installation.clock.now());
    let mut tx = installation.store.read().await?;
    while let Some(item) = items.next(&mut tx).await? {
        matched.look_at(&ItemText::from(&item.text));
    }
    Ok(matched)
}

fn described(report: &Report<'_>, days: u32) -> String {
    let mut text = String::new();
    for (flaw, name) in [
        (Flaw::Contradicts, "rules contradict themselves"),
        (Flaw::Twice, "phrases are there twice in one topic"),
        (Flaw::Shared, "phrases speak for two topics, which can be meant"),
    ] {
        let found = report.flaws.iter().filter(|found| found.flaw == flaw);
        let lines = found.map(|found| format!("line {}: {}", found.line, found.what)).collect();
        section(&mut text, name, lines);
    }
    match report.items {
        None => text.push_str("no installation: the rules were tried on no item\n"),
        Some(0) => text.push_str(&format!("no item came in within {days} days\n")),
        Some(items) => {
            let name = format!("rules match none of {items} items of {days} days");
            section(&mut text, &name, report.never.iter().map(ToString::to_string).collect());
        }
    }
    text
}

/// How many of one kind there are, and the first of them.
fn section(text: &mut String, name: &str, lines: Vec<String>) {
    text.push_str(&format!("{} {name}\n", lines.len()));
    for line in lines.iter().take(SHOWN_MAX) {
        text.push_str(&format!("  {line}\n"));
    }
    if lines.len() > SHOWN_MAX {
        text.push_str(&format!("  and {} more: --json has all\n", lines.len() - SHOWN_MAX));
    }
}
