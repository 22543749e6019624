//! What the trace says of an edition that the planner opens.

use serde::Serialize;

use crate::model::{CadenceId, ListId, Timestamp};
use crate::store::{Actor, NewEdition, StoreError, TraceSubject, Tx};

/// An edition as the trace has it.
#[derive(Serialize)]
struct TracedEdition<'a> {
    list: &'a ListId,
    cadence: &'a CadenceId,
    slot: &'a str,
    since: i64,
    cut: i64,
    approval: bool,
}

/// Adds the line of an edition that was opened. A slot opens it, whoever set the planner going.
pub(super) async fn trace_opened(
    tx: &mut Tx<'_>,
    edition: i64,
    new: &NewEdition<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let NewEdition { list, cadence, slot, since, cut, approval, .. } = *new;
    let after = TracedEdition { list, cadence, slot, since, cut, approval };
    let subject = TraceSubject { kind: "edition", id: &edition.to_string() };
    let lines = (None, Some(serde_json::json!(after)));
    tx.trace_by(&Actor::system(), "edition.opened", subject, lines, now).await
}
