//! `messages count`

use std::process::ExitCode;

use serde_json::json;

use super::CliError;
use super::output::{print, print_json, table};
use crate::installation::Installation;
use crate::store::{DomainCount, ReasonCount};

/// How many rows of each count are shown.
const ROWS_MAX: usize = 500;

/// Counts an edition's messages by domain and by reason.
pub async fn run(
    installation: &Installation,
    edition: i64,
    json: bool,
) -> Result<ExitCode, CliError> {
    let mut tx = installation.store.read().await?;
    if tx.edition(edition).await?.is_none() {
        return Err(CliError::no_edition(edition));
    }
    // One more than is shown tells whether there are more.
    let limit = i64::try_from(ROWS_MAX + 1).unwrap_or(i64::MAX);
    let mut domains = tx.messages_by_domain(edition, limit).await?;
    let mut reasons = tx.messages_by_reason(edition, limit).await?;
    drop(tx);
    let more = domains.len().max(reasons.len()) > ROWS_MAX;
    domains.truncate(ROWS_MAX);
    reasons.truncate(ROWS_MAX);
    if json {
        print_json(&json!({
            "edition": edition,
            "domains": domains.iter().map(domain_json).collect::<Vec<_>>(),
            "reasons": reasons.iter().map(reason_json).collect::<Vec<_>>(),
            "more": more,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = domains.iter().map(domain_row).collect();
    print(&table(&["domain", "state", "messages"], &rows))?;
    let rows: Vec<Vec<String>> = reasons.iter().map(reason_row).collect();
    print("\n")?;
    print(&table(&["state", "cause", "last attempt", "messages"], &rows))?;
    if more {
        print(&format!("\nthe {ROWS_MAX} most frequent of each; there are more\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn domain_json(count: &DomainCount) -> serde_json::Value {
    json!({ "domain": count.domain, "state": count.state, "messages": count.messages })
}

fn reason_json(count: &ReasonCount) -> serde_json::Value {
    json!({ "state": count.state, "cause": count.cause, "stage": count.stage, "code": count.code,
        "messages": count.messages })
}

fn domain_row(count: &DomainCount) -> Vec<String> {
    let domain = count.domain.clone().unwrap_or_else(|| "(erased)".to_owned());
    vec![domain, count.state.clone(), count.messages.to_string()]
}

fn reason_row(count: &ReasonCount) -> Vec<String> {
    let last = match (&count.stage, count.code) {
        (Some(stage), Some(code)) => format!("{code} at {stage}"),
        (Some(stage), None) => format!("no reply at {stage}"),
        (None, _) => "none".to_owned(),
    };
    let cause = count.cause.clone().unwrap_or_default();
    vec![count.state.clone(), cause, last, count.messages.to_string()]
}
