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
    tx.suppress(&keys.address_hash(address), "block", reason, now).await
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
    tx.unsuppress(&keys.address_hash(address)).await
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
    let known = match tx.subject_by_hash(&hash).await? {
        None => false,
        Some(subject) => {
            for held in tx.subscriptions_of(subject.id).await? {
                let state = subscriptions::ENDED.to_owned();
                let ended = StoredSubscription { state, ..held.clone() };
                subscriptions::change(tx, &held, ended, now).await?;
                let words = tx.words_of(held.id).await?;
                tx.follow_words(held.id, &[]).await?;
                for (key, _) in words {
                    tx.forget_word(&key).await?;
                }
                tx.forget_consents(held.id).await?;
            }
            tx.forget_sign_ups_of(subject.id).await?;
            tx.erase_subject(subject.id, now).await?;
            true
        }
    };
    tx.suppress(&hash, "erasure", reason, now).await?;
    Ok(known)
}
