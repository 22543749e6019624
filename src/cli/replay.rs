//! `source replay`: stored answers of a source, each a poll, on a database that is thrown away.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chrono::NaiveDateTime;
use chrono_tz::Tz;
use serde::Serialize;
use url::Url;

use super::output::{print, print_json};
use super::{CliError, Context, rules_and_zone};
use crate::clock::Clock;
use crate::config::Config;
use crate::ingest::{
    BODY_BYTES_MAX, Headline, PageSelectors, Reading, SourceKind, Validators, read, take_in,
};
use crate::model::{SourceId, Timestamp};
use crate::store::{Durability, Store};
use crate::telling;
use crate::topics::Rules;

/// Stands for the address that the answers came from.
const ADDRESS: &str = "https://replay.invalid/";

/// What a replay came to.
#[derive(Debug, Default, Serialize)]
struct Replayed {
    /// Answers that were played.
    polls: usize,
    /// Different items in all of them.
    items: usize,
    /// Items of the first answer that had any; they told nobody.
    baseline: usize,
    /// Items that would have been told.
    told: usize,
    /// Changed texts of items that were there.
    revisions: usize,
    /// Changed texts that would have been told again.
    corrections: usize,
    /// Items kept back for a person.
    held: usize,
    /// Answers that could not be read, in words.
    errors: Vec<String>,
}

/// Plays the files of a folder in the order of their names.
pub async fn run(context: &Context, folder: &Path, json: bool) -> Result<ExitCode, CliError> {
    let answers = answers(folder)?;
    let place = tempfile::tempdir().map_err(|error| {
        CliError::failed(format!("no temporary folder: {error}"), "is the disk full?")
    })?;
    let url = format!("sqlite://{}", place.path().join("replay.db").display());
    let store = Store::open(&url, Durability::Process).await?;
    store.migrate().await?;
    let source: SourceId = "replay".parse().expect("a word of small letters is an id");
    let mut tx = store.write().await?;
    tx.upsert_source(&source, ADDRESS, "{}", false).await?;
    tx.commit().await?;
    let mut replayed = Replayed::default();
    // As `source test`: without a configuration the built-in rules and the usual zone do.
    let config = match &context.config {
        None => Config::load(None).ok(),
        Some(path) => Some(Config::load(Some(path))?),
    };
    let (rules, zone) = rules_and_zone(config.as_ref())?;
    let player = Player { clock: &context.clock, store: &store, source: &source, rules, zone };
    for answer in answers {
        player.play(&answer, &mut replayed).await?;
    }
    store.close().await;
    if json {
        print_json(&replayed)?;
    } else {
        let Replayed { polls, items, baseline, told, revisions, corrections, held, errors } =
            &replayed;
        print(&format!(
            "polls {polls}, items {items}, baseline {baseline}, told {told}, \
             revisions {revisions}, corrections {corrections}, held {held}\n"
        ))?;
        for error in errors {
            print(&format!("not read: {error}\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn answers(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let entries = std::fs::read_dir(folder).map_err(|error| {
        let hint = "name a folder with one file for each answer";
        CliError::usage(format!("{}: {error}", folder.display()), hint)
    })?;
    let mut answers: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    answers.sort();
    Ok(answers)
}

/// What every answer is played with.
struct Player<'a> {
    clock: &'a Clock,
    store: &'a Store,
    source: &'a SourceId,
    rules: Rules,
    zone: Tz,
}

impl Player<'_> {
    async fn play(&self, answer: &Path, replayed: &mut Replayed) -> Result<(), CliError> {
        let Self { store, source, rules, zone, .. } = self;
        replayed.polls += 1;
        let now = time_of(answer).unwrap_or_else(|| self.clock.now());
        let mut reading = match read_answer(answer, *zone, now) {
            Ok(reading) => reading,
            Err(error) => {
                replayed.errors.push(format!("{}: {error}", answer.display()));
                return Ok(());
            }
        };
        let mut tx = store.write().await?;
        let Some(row) = tx.source(source).await? else { return Ok(()) };
        let headline = Headline::Auto.or_found(row.headline.as_deref());
        if let Some(found) = headline.find_and_apply(&mut reading) {
            found.keep(&mut tx, &row, &reading, now).await?;
        }
        let taken = take_in(&mut tx, &row, &reading, &Validators::default(), now, now).await?;
        let corrections = telling::tell(&mut tx, rules, *zone, &row, &taken, now).await?;
        tx.commit().await?;
        replayed.baseline += taken.baseline;
        replayed.told += taken.new.len();
        replayed.held += taken.held.len();
        replayed.items += taken.baseline + taken.new.len() + taken.held.len();
        replayed.revisions += taken.revised.len();
        replayed.corrections += corrections;
        Ok(())
    }
}

fn read_answer(answer: &Path, zone: Tz, now: Timestamp) -> Result<Reading, String> {
    let octets = std::fs::metadata(answer).map_err(|error| error.to_string())?.len();
    if octets > BODY_BYTES_MAX as u64 {
        return Err(format!("larger than the limit of {BODY_BYTES_MAX} bytes"));
    }
    let bytes = std::fs::read(answer).map_err(|error| error.to_string())?;
    let base = Url::parse(ADDRESS).map_err(|error| error.to_string())?;
    let (kind, selectors) = (SourceKind::Auto, PageSelectors::default());
    read(&bytes, None, &base, kind, &selectors, zone, now).map_err(|error| error.to_string())
}

/// The time of an answer, where its file's name begins with one: `20250817T044622Z-…`.
fn time_of(answer: &Path) -> Option<Timestamp> {
    let name = answer.file_name()?.to_str()?;
    let time = NaiveDateTime::parse_from_str(name.get(..16)?, "%Y%m%dT%H%M%SZ").ok()?;
    Some(time.and_utc().into())
}
