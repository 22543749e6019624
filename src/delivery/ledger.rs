//! The ledger adds up: every subscription considered ends in nothing, suppressed or a message, and
//! every message in one state.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde::Serialize;

use super::parcels::{message_id, notice_message_id};
use crate::audience::{Keys, public_id};
use crate::store::{Doubt, EditionRow, MessageState, Store, StoreError, Tx};

/// Editions read in one go.
const EDITIONS_A_PAGE: i64 = 500;

/// The sums of one edition.
#[derive(Clone, Debug, Serialize)]
pub struct EditionSums {
    /// Its id.
    pub id: i64,
    /// Its list.
    pub list: String,
    /// Its cadence.
    pub cadence: String,
    /// Its slot (RFC 3339).
    pub slot: String,
    /// `planning`, `waiting`, `open`, `done`, `refused`.
    pub state: String,
    /// Subscriptions that were looked at.
    pub considered: i64,
    /// Those with nothing for them.
    pub empty: i64,
    /// Those whose address is suppressed.
    pub suppressed: i64,
    /// When its messages were archived (RFC 3339); then their counts are those of that time, and
    /// its doubts stand in the archive.
    pub archived: Option<String>,
    /// Messages in each state.
    pub messages: BTreeMap<&'static str, i64>,
    /// Attempts of which nobody knows whether they arrived.
    pub doubts: Vec<NamedDoubt>,
    /// Whether it adds up.
    pub balanced: bool,
}

/// A doubt, by name.
#[derive(Clone, Debug, Serialize)]
pub struct NamedDoubt {
    /// The message.
    pub message: i64,
    /// Its Message-ID, as every copy of it has it.
    pub message_id: String,
    /// Its subscriber.
    pub subscriber: String,
    /// The attempt.
    pub attempt: i64,
    /// When the doubt was found.
    pub at: Option<String>,
    /// Where the message stands now.
    pub state: MessageState,
}

/// The sums of the mails that are of no edition: confirmations, links to preferences.
#[derive(Clone, Debug, Serialize)]
pub struct NoticeSums {
    /// How many were written.
    pub written: i64,
    /// Messages in each state.
    pub messages: BTreeMap<&'static str, i64>,
    /// Attempts of which nobody knows whether they arrived; a notice is sent again.
    pub doubts: Vec<NamedDoubt>,
    /// Whether each has one message.
    pub balanced: bool,
}

/// The sums of all editions, or of one.
#[derive(Clone, Debug, Serialize)]
pub struct Audit {
    /// Whether every edition adds up, and the notices.
    pub balanced: bool,
    /// The notices; none where one edition was asked for.
    pub notices: Option<NoticeSums>,
    /// The editions.
    pub editions: Vec<EditionSums>,
}

/// Adds up the ledger.
///
/// # Errors
/// Where the database fails.
pub async fn audit(
    store: &Store,
    keys: &Keys,
    only: Option<i64>,
    zone: Tz,
) -> Result<Audit, StoreError> {
    let mut tx = store.read().await?;
    let mut editions = Vec::new();
    match only {
        Some(id) => {
            if let Some(edition) = tx.edition(id).await? {
                editions.push(sums(&mut tx, keys, &edition, zone).await?);
            }
        }
        None => {
            let mut after = 0;
            loop {
                let page = tx.editions_after(after, EDITIONS_A_PAGE).await?;
                let Some(last) = page.last() else { break };
                after = last.id;
                for edition in &page {
                    editions.push(sums(&mut tx, keys, edition, zone).await?);
                }
            }
        }
    }
    let notices = match only {
        Some(_) => None,
        None => Some(notice_sums(&mut tx, keys, zone).await?),
    };
    let balanced = editions.iter().all(|edition| edition.balanced)
        && notices.as_ref().is_none_or(|notices| notices.balanced);
    Ok(Audit { balanced, notices, editions })
}

async fn notice_sums(tx: &mut Tx<'_>, keys: &Keys, zone: Tz) -> Result<NoticeSums, StoreError> {
    let (written, counts) = tx.notice_counts().await?;
    let messages = in_each_state(counts);
    let balanced = messages.values().sum::<i64>() == written;
    let doubts = tx.notice_doubts().await?.into_iter();
    let doubts = doubts.map(|(doubt, notice, sender)| {
        named(&doubt, notice_message_id(keys, notice, &sender), zone)
    });
    Ok(NoticeSums { written, messages, doubts: doubts.collect(), balanced })
}

fn in_each_state(counts: Vec<(MessageState, i64)>) -> BTreeMap<&'static str, i64> {
    let counts: BTreeMap<MessageState, i64> = counts.into_iter().collect();
    let states = MessageState::ALL.into_iter();
    states.map(|state| (state.as_str(), counts.get(&state).copied().unwrap_or(0))).collect()
}

fn named(doubt: &Doubt, message_id: String, zone: Tz) -> NamedDoubt {
    NamedDoubt {
        message: doubt.message,
        message_id,
        subscriber: public_id(doubt.subscriber),
        attempt: doubt.attempt,
        at: doubt.at.map(|at| at.rfc3339(zone)),
        state: doubt.state,
    }
}

async fn sums(
    tx: &mut Tx<'_>,
    keys: &Keys,
    edition: &EditionRow,
    zone: Tz,
) -> Result<EditionSums, StoreError> {
    let archived_at = tx.archived_at(edition.id).await?;
    let counts = match archived_at {
        Some(_) => tx.archived_sums(edition.id).await?,
        None => tx.message_counts(edition.id).await?,
    };
    let messages = in_each_state(counts);
    let total: i64 = messages.values().sum();
    // The chunks counted what they wrote; the messages are counted now. One that was lost, or that
    // came from nowhere, shows here.
    let balanced = edition.planned_messages == total
        && edition.considered == edition.empty + edition.suppressed + total;
    let sender = tx.list(&edition.list_id).await?.map(|list| list.sender).unwrap_or_default();
    let doubts = tx.doubts(edition.id).await?;
    let doubts = doubts
        .into_iter()
        .map(|doubt| named(&doubt, message_id(keys, edition.id, doubt.subscriber, &sender), zone));
    Ok(EditionSums {
        id: edition.id,
        list: edition.list_id.to_string(),
        cadence: edition.cadence.to_string(),
        slot: edition.slot_at.rfc3339(zone),
        state: edition.state.clone(),
        considered: edition.considered,
        empty: edition.empty,
        suppressed: edition.suppressed,
        archived: archived_at.map(|at| at.rfc3339(zone)),
        messages,
        doubts: doubts.collect(),
        balanced,
    })
}
