//! Keeps a worker's lease, on a timer of its own so that neither pace nor a slow relay delays it,
//! and takes over what workers that are gone have left.

use std::time::Duration;

use tokio::sync::watch;

use crate::causes::chain;
use crate::clock::Clock;
use crate::store::{Store, StoreError};

use super::Totals;

/// A lease is renewed so many times while it runs.
const RENEWALS_A_LEASE: u32 = 4;
/// How long after a failure it is tried again, in milliseconds; never longer than a renewal takes.
const AGAIN_MS: u64 = 1_000;

/// Keeps a lease.
pub(super) struct Keeper {
    pub store: Store,
    pub clock: Clock,
    pub worker: i64,
    pub lease_seconds: i64,
    /// Whether all other workers are known to be gone, whatever their leases say.
    pub alone: bool,
    /// Doubts that are found are counted here.
    pub progress: watch::Sender<Totals>,
}

impl Keeper {
    /// Renews the lease, then takes over what others have left, each in a transaction of its own:
    /// nobody waits for a worker's row while holding another's.
    pub async fn keep(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut tx = self.store.write().await?;
        tx.renew_lease(self.worker, now, now.plus(self.lease_seconds)).await?;
        let others = tx.other_workers(self.worker).await?;
        tx.commit().await?;
        for (worker, lease_until) in others {
            if self.alone || lease_until < now {
                self.take_over(worker).await?;
            }
        }
        Ok(())
    }

    async fn take_over(&self, worker: i64) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut tx = self.store.write().await?;
        let doubts = if self.alone {
            tx.take_over(worker, now).await?
        } else {
            tx.take_over_lapsed(worker, now).await?
        };
        tx.commit().await?;
        tracing::info!(worker, doubts, "took over what a worker has left");
        let doubts = u64::try_from(doubts).unwrap_or(0);
        self.progress.send_modify(|totals| totals.in_doubt += doubts);
        Ok(())
    }

    /// Keeps it until it is aborted. A failure is tried again; whether the lease still runs is
    /// looked at in each claim.
    pub async fn run(self) {
        let lease = Duration::from_secs(self.lease_seconds.unsigned_abs());
        let every = lease / RENEWALS_A_LEASE;
        let mut pause = every;
        loop {
            tokio::time::sleep(pause).await;
            pause = match self.keep().await {
                Ok(()) => every,
                Err(error) => {
                    let error = chain(&error);
                    tracing::warn!(error, "the lease could not be renewed; trying again");
                    every.min(Duration::from_millis(AGAIN_MS))
                }
            };
        }
    }
}
