//! What is cleared away now and then. Each room says itself what of its own has had its time; this
//! only asks them.

use crate::audience;
use crate::delivery::{Archive, ArchiveError};
use crate::installation::Installation;
use crate::model::Timestamp;
use crate::store::{StoreError, retrying};

/// How many short transactions of expiring there are in one go; what is left waits for the next.
const EXPIRING_TURNS_MAX: usize = 100;

/// How many hits of planned editions one transaction forgets.
const HITS_A_TRANSACTION: i64 = 10_000;

/// How many editions are archived in one go: the planner waits meanwhile.
const ARCHIVED_EDITIONS_MAX: usize = 5;

const DAY_SECONDS: i64 = 24 * 3600;

/// Keeps the house: each room's leftovers, in short transactions. Gives what was done, in words.
///
/// # Errors
/// Where the database fails; what was done stays so.
pub async fn keep_house(
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
    forget_left_hits(installation).await?;
    let mut expired = 0;
    for _ in 0..EXPIRING_TURNS_MAX {
        match retrying(|| audience::expire_sign_ups(&installation.store, now)).await? {
            0 => break,
            rows => expired += rows,
        }
    }
    if expired > 0 {
        did.push(format!(
            "forgot {expired} sign-up(s), counter(s), notice(s) or texts of notices that are over"
        ));
    }
    let archived = archive_old(installation, now).await?;
    if archived > 0 {
        did.push(format!("archived {archived} edition(s)"));
    }
    Ok(did)
}

/// Takes out of the database who got what, when it has been kept as long as the settings say.
async fn archive_old(installation: &Installation, now: Timestamp) -> Result<usize, StoreError> {
    let Some(days) = installation.config.delivery.keep_days else { return Ok(0) };
    let zone = installation.config.site.timezone;
    let archive = Archive { store: &installation.store, keys: &installation.keys, zone };
    let before = now.plus(-i64::from(days) * DAY_SECONDS);
    match archive.run_some(before, ARCHIVED_EDITIONS_MAX, None, now, |_| ()).await {
        Ok(report) => Ok(report.editions.len() + report.finished.len()),
        Err(ArchiveError::Store(error)) => Err(error),
        // No file is written, and the settings allow no time that is too near.
        Err(error) => {
            tracing::error!(%error, "old editions cannot be archived");
            Ok(0)
        }
    }
}

/// Forgets whose followed words stood where, in editions whose planner was killed just before it
/// would have done so.
async fn forget_left_hits(installation: &Installation) -> Result<(), StoreError> {
    loop {
        let mut tx = installation.store.write().await?;
        let forgotten = tx.forget_left_hits(HITS_A_TRANSACTION).await?;
        tx.commit().await?;
        if i64::try_from(forgotten).unwrap_or(i64::MAX) < HITS_A_TRANSACTION {
            return Ok(());
        }
    }
}
