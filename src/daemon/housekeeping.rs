//! What is cleared away now and then. Each room says itself what of its own has had its time; this
//! only asks them.

use crate::installation::Installation;
use crate::model::Timestamp;
use crate::store::StoreError;

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
    Ok(did)
}
