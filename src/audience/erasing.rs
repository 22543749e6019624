//! Suppressing addresses and erasing people.

use crate::model::Timestamp;
use crate::store::{StoreError, StoredSubscription, Tx};

use super::{EmailAddress, Keys, subscriptions};

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
    tx.suppress(&hash, "block", reason, now).await
}

/// Lets an address be written to again; gives whether it had been suppressed.
///
/// # Errors
/// Where the database fails.
pub async fn unsuppress(
    tx: &mut Tx<'_>,
    keys: &Keys,
    address: &EmailAddress,
) -> Result<bool, StoreError> {
    let hash = keys.address_hash(address);
    hold_subscriptions(tx, &hash).await?;
    tx.unsuppress(&hash).await
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

/// Erases a person: subscriptions end, address, name, words and consents go; a keyed hash of the
/// address stays among the suppressions, so that no import brings it back. Gives whether the
/// address was known.
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
        None => false,
        Some(subject) => {
            for found in tx.subscriptions_of(subject.id).await? {
                let Some(held) = tx.hold_subscription(found.id).await? else { continue };
                let state = subscriptions::ENDED.to_owned();
                let ended = StoredSubscription { state, ..(*held).clone() };
                subscriptions::change(tx, &held, ended, now).await?;
                let words = tx.words_of(held.id).await?;
                tx.follow_words(held.id, &[]).await?;
                for (key, _) in words {
                    tx.forget_word(&key).await?;
                }
                tx.forget_consents(held.id).await?;
            }
            tx.erase_subject(subject.id, now).await?;
            true
        }
    };
    tx.suppress(&hash, "erasure", reason, now).await?;
    Ok(known)
}
