//! `source list`: the sources and how they are.

use std::process::ExitCode;

use serde::Serialize;

use super::output::{print, print_json, table};
use super::{CliError, Context};
use crate::config::SourceSettings;
use crate::ingest::Due;
use crate::model::{SourceId, Timestamp};
use crate::store::SourceRow;

/// The days of which items are counted.
const RECENT_DAYS: i64 = 30;

/// A source as it is listed. Times are RFC 3339.
#[derive(Serialize)]
struct Listed {
    id: SourceId,
    /// As it was configured.
    url: String,
    /// The address that is asked instead, since it moved there for good.
    adopted_url: Option<String>,
    /// Where it says to have moved, and is not believed yet.
    moving_to: Option<String>,
    title: Option<String>,
    from_file: bool,
    /// `new`, `ok`, `failing`, `bad` or `gone`.
    state: &'static str,
    /// Items that were ever read.
    items: i64,
    /// Items of the last 30 days, the baseline left out.
    items_30_days: i64,
    /// Items that wait for a person.
    held: i64,
    baseline: Option<String>,
    last_poll: Option<String>,
    last_success: Option<String>,
    last_change: Option<String>,
    next_poll: Option<String>,
    /// From one poll to the next, in seconds, as things are; a server may ask for more.
    interval_seconds: i64,
    /// Polls in a row that failed.
    failures: i64,
    failing_since: Option<String>,
    /// Since when it was said to be bad.
    bad_since: Option<String>,
    /// When it last ceased to be.
    recovered: Option<String>,
    gone_since: Option<String>,
    /// Why the last poll failed.
    last_error: Option<String>,
    /// What can be done about it.
    hint: Option<String>,
}

/// How a source is, in a word.
fn state(source: &SourceRow) -> &'static str {
    match source {
        SourceRow { gone_at: Some(_), .. } => "gone",
        SourceRow { bad_since: Some(_), .. } => "bad",
        SourceRow { failures: 1.., .. } => "failing",
        SourceRow { polled_at: None, .. } => "new",
        _ => "ok",
    }
}

/// Prints the sources.
pub async fn run(context: &Context, json: bool) -> Result<ExitCode, CliError> {
    let installation = context.open_to_look().await?;
    let zone = installation.config.site.timezone;
    let now = installation.clock.now();
    let mut tx = installation.store.read().await?;
    let mut listed = Vec::new();
    for source in tx.sources().await? {
        let items = tx.count_items(&source.id).await?;
        let since = now.plus(-RECENT_DAYS * 24 * 3600);
        let recent = tx.count_items_since(&source.id, since).await?;
        let held = tx.count_held(&source.id).await?;
        listed.push(of(source, (items, recent, held), now, |at| at.rfc3339(zone)));
    }
    if json {
        print_json(&listed)?;
        return Ok(ExitCode::SUCCESS);
    }
    let header =
        ["source", "state", "items", "30 days", "held", "last success", "next poll", "failures"];
    let header = [&header[..], &["address or last error"]].concat();
    let rows: Vec<Vec<String>> = listed.iter().map(row).collect();
    print(&table(&header, &rows))?;
    Ok(ExitCode::SUCCESS)
}

fn of(
    source: SourceRow,
    (items, items_30_days, held): (i64, i64, i64),
    now: Timestamp,
    shown: impl Fn(Timestamp) -> String,
) -> Listed {
    let time = |time: Option<Timestamp>| time.map(&shown);
    let settings: Option<SourceSettings> = serde_json::from_str(&source.settings_json).ok();
    let every_seconds = settings.and_then(|settings| settings.every_seconds);
    let due = Due { source: &source.id, every_seconds, changed_at: source.changed_at, now };
    let next = Some(source.next_poll_at).filter(|at| at.0 > 0 && source.gone_at.is_none());
    Listed {
        interval_seconds: due.interval(),
        state: state(&source),
        items,
        items_30_days,
        held,
        baseline: time(source.baseline_at),
        last_poll: time(source.polled_at),
        last_success: time(source.succeeded_at),
        last_change: time(source.changed_at),
        next_poll: time(next),
        failures: source.failures,
        failing_since: time(source.failing_since),
        bad_since: time(source.bad_since),
        recovered: time(source.recovered_at),
        gone_since: time(source.gone_at),
        last_error: source.last_error,
        hint: source.last_hint,
        id: source.id,
        url: source.url,
        adopted_url: source.adopted_url,
        moving_to: source.moved_to,
        title: source.title,
        from_file: source.from_file,
    }
}

fn row(source: &Listed) -> Vec<String> {
    let address = source.adopted_url.as_ref().unwrap_or(&source.url);
    vec![
        source.id.to_string(),
        source.state.to_owned(),
        source.items.to_string(),
        source.items_30_days.to_string(),
        source.held.to_string(),
        source.last_success.clone().unwrap_or_else(|| "never".to_owned()),
        source.next_poll.clone().unwrap_or_else(|| "-".to_owned()),
        source.failures.to_string(),
        source.last_error.as_ref().unwrap_or(address).clone(),
    ]
}
