//! `editions …`

use std::path::Path;
use std::process::ExitCode;

use chrono::{NaiveDate, NaiveTime};
use serde_json::json;

use super::output::{bar, print, print_json};
use super::{CliError, Context, args};
use crate::delivery::{Archive, ArchiveReport};
use crate::editions::instant;
use crate::installation::Installation;

/// Runs one of the commands.
pub async fn run(context: &Context, command: args::Editions) -> Result<ExitCode, CliError> {
    let installation = context.open().await?;
    match command {
        args::Editions::Archive { before, out, json } => {
            archive(&installation, before, out.as_deref(), json).await
        }
    }
}

async fn archive(
    installation: &Installation,
    date: NaiveDate,
    out: Option<&Path>,
    json: bool,
) -> Result<ExitCode, CliError> {
    let zone = installation.config.site.timezone;
    let before = instant(date.and_time(NaiveTime::MIN), zone).into();
    let archive = Archive { store: &installation.store, keys: &installation.keys, zone };
    let now = installation.clock.now();
    // Nobody knows the rows before they are counted, which would take as long.
    let progress = bar(0, "archiving");
    let taken = |rows| {
        progress.inc_length(rows);
        progress.inc(rows);
    };
    let report = archive.run(before, out, now, taken).await;
    progress.finish_and_clear();
    let report = report?;
    if json {
        let mut document = json!(report);
        document["before"] = json!(date);
        document["file"] = json!(out.filter(|_| report.file_sha256.is_some()));
        print_json(&document)?;
    } else {
        print(&describe(&report, out))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(report: &ArchiveReport, out: Option<&Path>) -> String {
    let mut text = String::new();
    for edition in &report.finished {
        text.push_str(&format!("edition {edition}: its archiving was finished\n"));
    }
    for edition in &report.editions {
        let messages: i64 = edition.messages.values().sum();
        let (id, list, cadence, slot) =
            (edition.id, &edition.list, &edition.cadence, &edition.slot);
        text.push_str(&format!(
            "edition {id} of {list} ({cadence}), slot {slot}: {messages} message(s) archived\n"
        ));
    }
    for edition in &report.left {
        let why = edition.left.as_deref().unwrap_or_default();
        text.push_str(&format!("edition {}: left as it is: {why}\n", edition.id));
    }
    if let Some(out) = out.filter(|_| report.file_sha256.is_some()) {
        text.push_str(&format!("{} line(s) in {}\n", report.lines, out.display()));
    }
    if text.is_empty() {
        text.push_str("nothing to archive\n");
    }
    text
}
