//! Suppressing addresses and erasing people.

use crate::model::Timestamp;
use crate::store::{StoreError, StoredSubscription, TraceSubject, Tx};

use super::limits::{DAY_SECONDS, window};
use super::traced::{
    TracedErasing, TracedReason, TracedSuppression, form, free_text, trace_subscriber,
};
use super::{EmailAddress, Keys, subscriptions};

/// The cause of a suppression that an erasure leaves.
pub(super) const ERASURE: &str = "erasure";

/// Marks an address as one that must not be written to; it need not be subscribed.
///
/// # Errors
/// Where the database fails.
pub async fn suppress(
    tx: &mut Tx<'_>,
    keys: &Keys,
    address: &EmailAddress,
    reason: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let hash = keys.address_hash(address);
    hold_subscriptions(tx, &hash).await?;
    bar(tx, &hash, "block", reason, now).await
}

/// Suppresses an address by its keyed hash. The reason stands with the suppression, and not in the
/// trace, since it goes with it.
async fn bar(
    tx: &mut Tx<'_>,
    hash: &str,
    cause: &str,
    reason: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let before = tx.suppression(hash).await?;
    tx.suppress(hash, cause, reason, now).await?;
    let before = before.map(|held| form(TracedSuppression { cause: held.cause }));
    let after = form(TracedSuppression { cause: cause.to_owned() });
    let subject = TraceSubject { kind: "address", id: hash };
    tx.trace("address.suppressed", subject, before, Some(after), now).await
}

/// Holds what the address subscribed to: a chunk that is being decided counts who is suppressed,
/// and then writes to who is not.
async fn hold_subscriptions(tx: &mut Tx<'_>, hash: &str) -> Result<(), StoreError> {
    let Some(subject) = tx.hold_subject(hash).await? else { return Ok(()) };
    for subscription in tx.subscriptions_of(subject.id).await? {
        tx.hold_subscription(subscription.id).await?;
    }
    Ok(())
}

/// Lets an address be written to again, for a reason, which the trace keeps; gives whether it had
/// been suppressed.
///
/// # Errors
/// Where the database fails.
pub async fn unsuppress(
    tx: &mut Tx<'_>,
    keys: &Keys,
    address: &EmailAddress,
    reason: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let hash = keys.address_hash(address);
    hold_subscriptions(tx, &hash).await?;
    let Some(held) = tx.suppression(&hash).await? else { return Ok(false) };
    if !tx.unsuppress(&hash).await? {
        return Ok(false);
    }
    let before = form(TracedSuppression { cause: held.cause });
    let after = form(TracedReason { reason: free_text(reason) });
    let subject = TraceSubject { kind: "address", id: &hash };
    tx.trace("address.unsuppressed", subject, Some(before), Some(after), now).await?;
    Ok(true)
}

/// Erases a person: subscriptions end, address, name, words and consents go; a keyed hash of the
/// address stays among the suppressions, so that no import brings it back, with the day (UTC) and
/// not the second. The trace then has lines of the random id, and none that has the hash. Gives
/// whether the address was known.
///
/// # Errors
/// Where the database fails.
pub async fn erase(
    tx: &mut Tx<'_>,
    keys: &Keys,
    address: &EmailAddress,
    reason: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let hash = keys.address_hash(address);
    let known = match tx.hold_subject(&hash).await? {
        None => {
            bar(tx, &hash, ERASURE, reason, now).await?;
            false
        }
        Some(subject) => {
            let found = tx.subscriptions_of(subject.id).await?;
            let subscriptions = found.len();
            for found in found {
                let Some(held) = tx.hold_subscription(found.id).await? else { continue };
                let state = subscriptions::ENDED.to_owned();
                let ended = StoredSubscription { state, ..(*held).clone() };
                let words = tx.words_of(held.id).await?;
                subscriptions::change(tx, &held, ended, Some(&[]), now).await?;
                for (key, _) in words {
                    tx.forget_word(&key).await?;
                }
                tx.forget_hits_of_subscription(held.id).await?;
                tx.forget_consents(held.id).await?;
            }
            tx.forget_sign_ups_of(subject.id).await?;
            tx.erase_subject(subject.id, now).await?;
            // No line of its own: it would name the hash beside the random id. The day alone, for
            // the second would lead to the lines of this transaction.
            let day = window(now, DAY_SECONDS);
            tx.suppress(&hash, ERASURE, reason, day).await?;
            let before = form(TracedErasing { erased: false, subscriptions });
            let after = form(TracedErasing { erased: true, subscriptions: 0 });
            let lines = (Some(before), Some(after));
            trace_subscriber(tx, "subscriber.erased", subject.id, lines, now).await?;
            true
        }
    };
    Ok(known)
}
