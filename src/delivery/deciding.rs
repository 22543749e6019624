//! What a named person decides about single messages.

use serde::Serialize;

use crate::editions::DIGEST_LIFETIME_SECONDS;
use crate::model::Timestamp;
use crate::store::{MessageState, Store, StoreError, TraceSubject, Tx};

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is sent again: held, failed, expired or dropped until now.
    Resend,
    /// It is given up: held or waiting until now.
    Drop,
}

/// Why nothing was decided.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such message.
    #[error("there is no message {0}")]
    NoMessage(i64),
    /// Its edition's messages have been archived, or are being so.
    #[error("message {message} is of edition {edition}, which is archived")]
    Archived {
        /// The message.
        message: i64,
        /// Its edition.
        edition: i64,
    },
    /// Its state forbids it.
    #[error("message {message} is {state}, and that cannot be changed so")]
    State {
        /// The message.
        message: i64,
        /// Where it stands.
        state: MessageState,
    },
}

/// A message as the trace has it.
#[derive(Serialize)]
struct TracedMessage<'a> {
    edition: i64,
    state: MessageState,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
}

/// The message of a notice, likewise.
#[derive(Serialize)]
struct TracedNotice<'a> {
    notice: &'a str,
    state: MessageState,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
}

/// Sends messages again, or drops them, because a named person wants it. All of them or none.
///
/// # Errors
/// [`DecisionError`] for the first of them that cannot be decided so; then nothing was changed.
pub async fn decide(
    store: &Store,
    messages: &[i64],
    decision: Decision,
    by: &str,
    now: Timestamp,
) -> Result<(), DecisionError> {
    let mut tx = store.write().await?;
    for message in messages {
        decide_one(&mut tx, *message, decision, by, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

async fn decide_one(
    tx: &mut Tx<'_>,
    message: i64,
    decision: Decision,
    by: &str,
    now: Timestamp,
) -> Result<(), DecisionError> {
    let Some(held) = tx.message(message).await? else {
        return decide_notice(tx, message, decision, by, now).await;
    };
    let (edition, state) = (held.edition_id, held.state);
    if tx.archived_at(edition).await?.is_some() {
        return Err(DecisionError::Archived { message, edition });
    }
    let (decided, action, after) = match decision {
        Decision::Resend => {
            let expires = now.plus(DIGEST_LIFETIME_SECONDS);
            tx.reopen_edition(edition).await?;
            let cause = format!("sent again by {by}");
            let queued = tx.resend_by_name(message, &cause, now, expires).await?;
            (queued, "message.resent", MessageState::Queued)
        }
        Decision::Drop => {
            let dropped = tx.drop_by_name(message, &format!("dropped by {by}"), now).await?;
            (dropped, "message.dropped", MessageState::Dropped)
        }
    };
    if !decided {
        return Err(DecisionError::State { message, state });
    }
    let subject = TraceSubject { kind: "message", id: &message.to_string() };
    let before = serde_json::json!(TracedMessage { edition, state, by: None });
    let after = serde_json::json!(TracedMessage { edition, state: after, by: Some(by) });
    tx.trace(action, subject, Some(before), Some(after), now).await?;
    Ok(())
}

/// The same for the message of a notice, which is of no edition: while its link works it can be
/// sent again. There is nothing to drop: a notice waits for no one and is never held.
async fn decide_notice(
    tx: &mut Tx<'_>,
    message: i64,
    decision: Decision,
    by: &str,
    now: Timestamp,
) -> Result<(), DecisionError> {
    let held = tx.notice_message(message).await?.ok_or(DecisionError::NoMessage(message))?;
    let cause = format!("sent again by {by}");
    let decided =
        decision == Decision::Resend && tx.resend_notice_by_name(message, &cause, now).await?;
    if !decided {
        return Err(DecisionError::State { message, state: held.state });
    }
    let form =
        |state, by| serde_json::json!(TracedNotice { notice: held.kind.as_str(), state, by });
    let subject = TraceSubject { kind: "message", id: &message.to_string() };
    let (before, after) = (form(held.state, None), form(MessageState::Queued, Some(by)));
    tx.trace("message.resent", subject, Some(before), Some(after), now).await?;
    Ok(())
}
