//! Which lists there are, what they carry and how often they write: what changes that, and its
//! lines in the trace.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;

use crate::model::{CadenceId, ListId, SourceId, Timestamp};
use crate::store::{ListRow, StoreError, TraceSubject, Tx};

/// A list as it shall be.
#[derive(Clone, Debug)]
pub struct WantedList {
    /// Its settings.
    pub row: ListRow,
    /// The sources it carries; none stands for all.
    pub sources: Vec<SourceId>,
    /// What it offers, each with its schedule.
    pub cadences: BTreeMap<CadenceId, String>,
}

/// A list as the trace has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct TracedList {
    name: String,
    /// The office's mailbox, which every mail of the list shows.
    sender: String,
    public: bool,
    in_doubt: String,
    approval: bool,
    /// None stands for all.
    sources: Vec<String>,
    from_file: bool,
}

/// A cadence as the trace has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct TracedCadence {
    cadence: CadenceId,
    schedule: String,
}

impl TracedList {
    async fn of(tx: &mut Tx<'_>, row: ListRow) -> Result<Self, StoreError> {
        let carried = tx.carried(&row.id).await?;
        let in_force = carried.into_iter().filter(|held| held.until.is_none());
        let mut sources: Vec<String> = in_force.filter_map(|held| held.source).collect();
        sources.sort();
        let ListRow { name, sender, public, in_doubt, approval, from_file, .. } = row;
        Ok(Self { name, sender, public, in_doubt, approval, sources, from_file })
    }
}

fn form(form: impl Serialize) -> Json {
    serde_json::to_value(form).expect("texts, flags and lists of them always have a JSON form")
}

/// Adds a list with its cadences, or gives them new settings. What nobody names any more ends.
/// Nothing is traced where nothing is new.
///
/// # Errors
/// Where the database fails.
pub async fn keep_list(
    tx: &mut Tx<'_>,
    wanted: &WantedList,
    now: Timestamp,
) -> Result<(), StoreError> {
    let id = &wanted.row.id;
    let held = tx.lists().await?.into_iter().find(|list| list.id == *id);
    let before = match held {
        Some(row) => Some(TracedList::of(tx, row).await?),
        None => None,
    };
    let offered = offered(tx, id).await?;
    tx.upsert_list(&wanted.row, now).await?;
    carry(tx, id, &wanted.sources).await?;
    let after = TracedList::of(tx, wanted.row.clone()).await?;
    if before.as_ref() != Some(&after) {
        let action = if before.is_some() { "list.changed" } else { "list.added" };
        let subject = TraceSubject { kind: "list", id: id.as_str() };
        tx.trace(action, subject, before.map(form), Some(form(after)), now).await?;
    }
    for (cadence, schedule) in &wanted.cadences {
        keep_cadence(tx, id, (cadence, schedule), offered.get(cadence), now).await?;
    }
    for (cadence, schedule) in offered {
        if !wanted.cadences.contains_key(&cadence) {
            tx.remove_cadence(id, &cadence, now).await?;
            let before = form(TracedCadence { cadence, schedule });
            let subject = TraceSubject { kind: "list", id: id.as_str() };
            tx.trace("cadence.removed", subject, Some(before), None, now).await?;
        }
    }
    Ok(())
}

/// Ends a list: it opens no edition any more.
///
/// # Errors
/// Where the database fails.
pub async fn end_list(tx: &mut Tx<'_>, id: &ListId, now: Timestamp) -> Result<(), StoreError> {
    let Some(row) = tx.lists().await?.into_iter().find(|list| list.id == *id) else {
        return Ok(());
    };
    let before = TracedList::of(tx, row).await?;
    tx.remove_list(id, now).await?;
    let subject = TraceSubject { kind: "list", id: id.as_str() };
    tx.trace("list.removed", subject, Some(form(before)), None, now).await
}

/// The cadences that a list offers, with their schedules.
async fn offered(
    tx: &mut Tx<'_>,
    list: &ListId,
) -> Result<BTreeMap<CadenceId, String>, StoreError> {
    let cadences = tx.cadences().await?.into_iter().filter(|row| row.list_id == *list);
    Ok(cadences.map(|row| (row.cadence, row.schedule)).collect())
}

async fn keep_cadence(
    tx: &mut Tx<'_>,
    list: &ListId,
    (cadence, schedule): (&CadenceId, &String),
    before: Option<&String>,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.upsert_cadence(list, cadence, schedule, now).await?;
    if before == Some(schedule) {
        return Ok(());
    }
    let action = if before.is_some() { "cadence.changed" } else { "cadence.added" };
    let traced = |schedule: &String| {
        form(TracedCadence { cadence: cadence.clone(), schedule: schedule.clone() })
    };
    let subject = TraceSubject { kind: "list", id: list.as_str() };
    tx.trace(action, subject, before.map(traced), Some(traced(schedule)), now).await
}

/// Lets a list carry these sources, none standing for all, and no others. Its line in the trace is
/// that of the list.
async fn carry(tx: &mut Tx<'_>, list: &ListId, sources: &[SourceId]) -> Result<(), StoreError> {
    let wanted: Vec<Option<&str>> = if sources.is_empty() {
        vec![None]
    } else {
        sources.iter().map(|source| Some(source.as_str())).collect()
    };
    let carried = tx.carried(list).await?;
    let carried: Vec<Option<&str>> = carried
        .iter()
        .filter(|held| held.until.is_none())
        .map(|held| held.source.as_deref())
        .collect();
    for source in carried.iter().filter(|source| !wanted.contains(source)) {
        tx.carry_no_more(list, *source).await?;
    }
    for source in wanted.iter().filter(|source| !carried.contains(source)) {
        tx.carry(list, *source).await?;
    }
    Ok(())
}
