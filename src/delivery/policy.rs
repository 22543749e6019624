//! What the end of a conversation means for a message: its next state, and when it is tried again.

use crate::editions::DIGEST_LIFETIME_SECONDS;
use crate::model::Timestamp;
use crate::store::{
    ClaimedMessage, DOUBTS_OF_DIGEST_MAX, DOUBTS_OF_NOTICE_MAX, MessageOf, MessageState, Outcome,
    OutcomeRow,
};

use super::smtp::{Failure, FailureKind, Reply, Stage};

/// The delay before the second attempt, in seconds; each further one doubles it.
pub const RETRY_SECONDS_FIRST: i64 = 60;
/// The longest delay between two attempts, in seconds.
pub const RETRY_SECONDS_MAX: i64 = 4 * 3600;
/// By how much of itself a delay is moved, so that messages refused together do not return
/// together.
const JITTER_PERCENT: i64 = 20;

/// Why a claimed message is not sent after all, if so: looked at again at the last moment.
pub fn unsendable(
    message: &ClaimedMessage,
    now: Timestamp,
) -> Option<(MessageState, &'static str)> {
    if message.address.is_none() {
        return Some((MessageState::Cancelled, "erased"));
    }
    if message.suppressed.is_some() {
        return Some((MessageState::Cancelled, "suppressed"));
    }
    if message.subscription_state.as_deref() == Some(crate::audience::ENDED) {
        return Some((MessageState::Cancelled, "left"));
    }
    // An edition that waited for a person, or was planned with a long break, is news from when it
    // could go out.
    let released = message.released_at.map(|at| at.plus(DIGEST_LIFETIME_SECONDS));
    let expires = released.map_or(message.expires_at, |at| at.max(message.expires_at));
    (expires <= now).then_some((MessageState::Expired, "too old"))
}

/// The record of a message that the relay accepted.
pub fn accepted(message: &ClaimedMessage, reply: &Reply, now: Timestamp) -> OutcomeRow {
    OutcomeRow {
        message: message.id,
        attempt: message.attempt,
        outcome: Outcome::Accepted.as_str(),
        state: MessageState::Accepted.as_str(),
        cause: None,
        next_try_at: now.0,
        stage: Stage::Reply.as_str(),
        code: Some(i64::from(reply.code)),
        reply: reply.to_string(),
    }
}

/// The record of a message that was not accepted; none where the attempt is another worker's now.
pub fn failed(message: &ClaimedMessage, failure: &Failure, now: Timestamp) -> Option<OutcomeRow> {
    let later = retry_at(message, now);
    let (outcome, state) = match failure.kind {
        FailureKind::Refused => return None,
        FailureKind::Temporary => (Outcome::Deferred, MessageState::Deferred),
        FailureKind::Permanent => (Outcome::Failed, MessageState::Failed),
        FailureKind::Doubt => (Outcome::InDoubt, in_doubt(message)),
    };
    let final_cause = matches!(state, MessageState::Failed | MessageState::Dropped);
    Some(OutcomeRow {
        message: message.id,
        attempt: message.attempt,
        outcome: outcome.as_str(),
        state: state.as_str(),
        cause: final_cause.then(|| outcome.as_str().to_owned()),
        next_try_at: later.0,
        stage: failure.stage.as_str(),
        code: failure.reply.as_ref().map(|reply| i64::from(reply.code)),
        reply: failure.what.clone(),
    })
}

/// The record of a message that could not be put together: nothing of it was said to the relay.
pub fn unmade(message: &ClaimedMessage, why: String, now: Timestamp) -> OutcomeRow {
    OutcomeRow {
        message: message.id,
        attempt: message.attempt,
        outcome: Outcome::Failed.as_str(),
        state: MessageState::Failed.as_str(),
        cause: Some(why.clone()),
        next_try_at: now.0,
        stage: "claimed",
        code: None,
        reply: why,
    }
}

/// What a message in doubt becomes: a notice is sent again, others as their list's policy says; not
/// for ever, since each doubt may be a copy that has arrived.
fn in_doubt(message: &ClaimedMessage) -> MessageState {
    let doubts = message.doubts + 1;
    let notice = matches!(message.of, MessageOf::Notice { .. });
    match message.in_doubt.as_str() {
        _ if notice && doubts < DOUBTS_OF_NOTICE_MAX => MessageState::Queued,
        _ if notice => MessageState::Failed,
        "resend" if doubts < DOUBTS_OF_DIGEST_MAX => MessageState::Queued,
        "resend" | "hold" => MessageState::Held,
        _ => MessageState::Dropped,
    }
}

/// When a message is tried again: doubling delays, moved a little by what only depends on the
/// message, so that the same history gives the same times.
fn retry_at(message: &ClaimedMessage, now: Timestamp) -> Timestamp {
    let doublings = u32::try_from(message.attempt.saturating_sub(1)).unwrap_or(0).min(30);
    let delay = RETRY_SECONDS_FIRST.saturating_mul(1 << doublings).min(RETRY_SECONDS_MAX);
    let spread = (delay * JITTER_PERCENT / 100).max(1);
    now.plus(delay + (message.id.wrapping_mul(31) + message.attempt).rem_euclid(spread))
}
