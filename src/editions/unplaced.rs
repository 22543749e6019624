//! Why an item stands in the stream without a position, or not at all.

use chrono_tz::Tz;

use crate::store::{HoldCause, ItemRow, StoreError, Tx};

/// Why an item has no entry with a position.
pub(super) async fn why_unplaced(
    tx: &mut Tx<'_>,
    item: &ItemRow,
    zone: Tz,
) -> Result<String, StoreError> {
    let Some(hold) = tx.hold(item.id).await? else {
        return Ok(if item.baseline {
            "it was in the source's first answer, which tells nobody".to_owned()
        } else {
            "it has no entry in the stream".to_owned()
        });
    };
    let since = hold.held_at.rfc3339(zone);
    let why = match hold.cause {
        HoldCause::Flood => "too many new items came at once",
        HoldCause::Old => "its date is far before its source's newest",
    };
    Ok(match hold.ended {
        None => format!("it is held for a person since {since}: {why}"),
        Some((at, ended_as, by)) => {
            format!("it was held since {since}: {why}; {ended_as} by {by} at {}", at.rfc3339(zone))
        }
    })
}
