//! `trace`

use std::process::ExitCode;

use chrono_tz::Tz;
use serde_json::Value as Json;
use serde_json::json;

use super::output::{print, print_json_line};
use super::subscribers::address;
use super::{CliError, Context, args};
use crate::audience::{self, Keys};
use crate::store::{TraceRow, TraceSubject, Tx};

/// Prints lines of the trace, the newest first.
pub async fn run(context: &Context, args: &args::Trace) -> Result<ExitCode, CliError> {
    let installation = context.open_to_look().await?;
    let zone = installation.config.site.timezone;
    let mut tx = installation.store.read().await?;
    let limit = i64::from(args.limit);
    let rows = if let Some(email) = &args.subscriber {
        let hash = installation.keys.address_hash(&address(email)?);
        audience::trace_of_person(&mut tx, &hash, limit).await?
    } else {
        let number = |id: Option<i64>| id.map(|id| id.to_string());
        let subject = [
            ("list", args.list.as_ref().map(ToString::to_string)),
            ("source", args.source.as_ref().map(ToString::to_string)),
            ("edition", number(args.edition)),
            ("message", number(args.message)),
        ];
        match subject.into_iter().find_map(|(kind, id)| Some((kind, id?))) {
            Some((kind, id)) => tx.trace_of(TraceSubject { kind, id: &id }, limit).await?,
            None => tx.trace_before(None, limit).await?,
        }
    };
    if rows.is_empty() {
        require_known(&mut tx, &installation.keys, args).await?;
    }
    drop(tx);
    for row in &rows {
        if args.json {
            print_json_line(&document(row, zone))?;
        } else {
            print(&describe(row, zone))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What has no line is a mistake where the database does not know it either.
async fn require_known(tx: &mut Tx<'_>, keys: &Keys, args: &args::Trace) -> Result<(), CliError> {
    let unknown = if let Some(email) = &args.subscriber {
        let hash = keys.address_hash(&address(email)?);
        let known =
            tx.subject_by_hash(&hash).await?.is_some() || tx.suppression(&hash).await?.is_some();
        (!known).then(|| format!("{email:?} is not known"))
    } else if let Some(id) = &args.list {
        tx.list(id).await?.is_none().then(|| format!("there is no list {id}"))
    } else if let Some(id) = &args.source {
        tx.source(id).await?.is_none().then(|| format!("there is no source {id}"))
    } else if let Some(id) = args.edition {
        tx.edition(id).await?.is_none().then(|| format!("there is no edition {id}"))
    } else if let Some(id) = args.message {
        let known = tx.message(id).await?.is_some() || tx.notice_message(id).await?.is_some();
        (!known).then(|| format!("there is no message {id}"))
    } else {
        None
    };
    let hint = "`banditore trace` without it shows every line, with what each is about";
    unknown.map_or(Ok(()), |what| Err(CliError::usage(what, hint)))
}

fn document(row: &TraceRow, zone: Tz) -> Json {
    json!({
        "id": row.id,
        "at": row.at.rfc3339(zone),
        "actor": row.actor,
        "name": row.name,
        "origin": row.origin,
        "action": row.action,
        "subject": row.subject,
        "subject_id": row.subject_id,
        "before": form(row.before_json.as_deref()),
        "after": form(row.after_json.as_deref()),
    })
}

/// What was written as JSON, is JSON; shown as text where somebody wrote something else.
fn form(text: Option<&str>) -> Json {
    text.map_or(Json::Null, |text| serde_json::from_str(text).unwrap_or_else(|_| json!(text)))
}

/// The same for people: a line.
fn describe(row: &TraceRow, zone: Tz) -> String {
    let TraceRow { actor, name, origin, action, subject, subject_id, .. } = row;
    let from = if origin.is_empty() { String::new() } else { format!(" ({origin})") };
    let change = match (row.before_json.as_deref(), row.after_json.as_deref()) {
        (None, None) => String::new(),
        (None, Some(after)) => format!(": {after}"),
        (Some(before), None) => format!(": was {before}"),
        (Some(before), Some(after)) => format!(": {before} -> {after}"),
    };
    let at = row.at.rfc3339(zone);
    format!("{at}  {actor} {name}{from}  {action}  {subject} {subject_id}{change}\n")
}
