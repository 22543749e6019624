//! What is cleared away now and then. Each room says itself what of its own has had its time; this
//! only asks them.

use crate::audience;
use crate::installation::Installation;
use crate::model::Timestamp;
use crate::store::{StoreError, retrying};

/// How many short transactions of expiring there are in one go; what is left waits for the next.
const EXPIRING_TURNS_MAX: usize = 100;

/// Keeps the house: each room's leftovers, in short transactions. Gives what was done, in words.
pub(super) async fn keep_house(
    installation: &Installation,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let mut did = Vec::new();
    let mut tx = installation.store.write().await?;
    let workers = tx.forget_workers(now).await?;
    tx.commit().await?;
    if workers > 0 {
        did.push(format!("forgot {workers} worker(s) that are long gone"));
    }
    let mut expired = 0;
    for _ in 0..EXPIRING_TURNS_MAX {
        match retrying(|| audience::expire_sign_ups(&installation.store, now)).await? {
            0 => break,
            rows => expired += rows,
        }
    }
    if expired > 0 {
        did.push(format!("forgot {expired} sign-up(s), notice(s) and counter(s) that are over"));
    }
    Ok(did)
}
