//! `items …`: items that are held until a person decides.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::output::{print, print_json_line};
use super::{CliError, Context, acting};
use crate::installation::Installation;
use crate::model::SourceId;
use crate::store::{HeldItem, StoreError, Tx};
use crate::telling::{self, Decision, DecisionError};

/// `items …`
#[derive(Debug, Subcommand)]
pub enum Items {
    /// List the items that are held: too many at once, or much older than their source's newest
    Held {
        /// Only those of this source
        #[arg(long, value_name = "ID")]
        source: Option<SourceId>,
        /// Print JSON Lines
        #[arg(long)]
        json: bool,
    },
    /// Tell held items now, each once, with its newest text
    Release(HeldItems),
    /// Tell held items to nobody
    Drop(HeldItems),
}

/// Items that are held.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub struct HeldItems {
    /// Their ids
    #[arg(group = "which")]
    pub ids: Vec<i64>,
    /// All of this source
    #[arg(long, value_name = "ID", group = "which")]
    pub source: Option<SourceId>,
    /// Who decides
    #[arg(long, value_name = "NAME")]
    pub by: String,
}

/// Items read in one go, and decided in one transaction.
const ITEMS_A_PAGE: i64 = 1_000;

/// Runs one of the commands.
pub async fn run(context: &Context, command: Items) -> Result<ExitCode, CliError> {
    match command {
        Items::Held { source, json } => {
            held(&context.open_to_look().await?, source.as_ref(), json).await
        }
        Items::Release(which) => decide(context.open().await?, &which, Decision::Release).await,
        Items::Drop(which) => decide(context.open().await?, &which, Decision::Drop).await,
    }
}

async fn held(
    installation: &Installation,
    source: Option<&SourceId>,
    json: bool,
) -> Result<ExitCode, CliError> {
    let zone = installation.config.site.timezone;
    let mut tx = installation.store.read().await?;
    let mut after = 0;
    loop {
        let page = tx.held_items(source, after, ITEMS_A_PAGE).await?;
        let Some(last) = page.last() else { return Ok(ExitCode::SUCCESS) };
        after = last.item;
        for HeldItem { item, source, cause, held_at, title, link, published_at } in page {
            let (cause, held_at) = (cause.as_str(), held_at.rfc3339(zone));
            let published = published_at.map(|at| at.rfc3339(zone));
            if json {
                print_json_line(&json!({
                    "id": item, "source": source, "cause": cause, "held": held_at,
                    "title": title, "link": link, "published": published,
                }))?;
            } else {
                let published = published.as_deref().and_then(|at| at.get(..10));
                let published = published.unwrap_or("(no date)");
                print(&format!("{item} {source} {cause} {published} {title}\n"))?;
            }
        }
    }
}

/// Releases items or drops them, those that are named or all of a source.
async fn decide(
    installation: Installation,
    which: &HeldItems,
    decision: Decision,
) -> Result<ExitCode, CliError> {
    let by = which.by.as_str();
    let installation = installation.acting_as(acting::person(by));
    let now = installation.clock.now();
    let mut decided = 0;
    loop {
        let mut tx = installation.store.write().await?;
        let items = match &which.source {
            None => which.ids.clone(),
            Some(source) => of_source(&mut tx, source).await?,
        };
        let done = telling::decide(&mut tx, &items, decision, by, now).await;
        done.map_err(|error| refused(error, decided, decision))?;
        tx.commit().await?;
        decided += items.len();
        if which.source.is_none() || items.is_empty() {
            break;
        }
    }
    print(&format!("{decided} item(s) {}\n", decision.as_str()))?;
    Ok(ExitCode::SUCCESS)
}

async fn of_source(tx: &mut Tx<'_>, source: &SourceId) -> Result<Vec<i64>, StoreError> {
    // Whoever decides locks the source first: what is read here is held until this has ended.
    tx.lock_source(source).await?;
    let held = tx.held_items(Some(source), 0, ITEMS_A_PAGE).await?;
    Ok(held.into_iter().map(|held| held.item).collect())
}

/// Each page of items is a transaction of its own; those before the one that failed stay.
fn refused(error: DecisionError, decided: usize, decision: Decision) -> CliError {
    match error {
        DecisionError::Store(error) => error.into(),
        DecisionError::NotHeld(_) if decided > 0 => CliError::usage(
            format!("{error}; {decided} item(s) before it were {}", decision.as_str()),
            "`banditore items held` lists those that are held still",
        ),
        DecisionError::NotHeld(_) => CliError::usage(
            error.to_string(),
            "`banditore items held` lists those that are; nothing was changed",
        ),
    }
}
