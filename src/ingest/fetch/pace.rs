//! One request at a time to a host, and a pause after each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as Turns, OwnedMutexGuard};
use tokio::time::Instant;

/// How many hosts are remembered; beyond that, those that nobody waits for and whose pause is over
/// are forgotten.
const HOSTS_KEPT: usize = 4_096;

/// From when a host may be asked again.
type FreeFrom = Option<Instant>;

/// Whose turn it is at each host.
#[derive(Debug)]
pub(super) struct Paces {
    hosts: Mutex<HashMap<String, Arc<Turns<FreeFrom>>>>,
    spacing: Duration,
}

/// The right to ask a host. Dropped, the pause begins.
pub(super) struct Turn {
    free_from: OwnedMutexGuard<FreeFrom>,
    spacing: Duration,
}

impl Paces {
    pub fn new(spacing: Duration) -> Self {
        Self { hosts: Mutex::default(), spacing }
    }

    /// Waits until a host may be asked.
    pub async fn turn(&self, host: &str) -> Turn {
        let turns = self.turns_at(host);
        let free_from = turns.lock_owned().await;
        if let Some(at) = *free_from {
            tokio::time::sleep_until(at).await;
        }
        Turn { free_from, spacing: self.spacing }
    }

    fn turns_at(&self, host: &str) -> Arc<Turns<FreeFrom>> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() >= HOSTS_KEPT {
            let now = Instant::now();
            hosts.retain(|_, turns| {
                let free = turns.try_lock().is_ok_and(|at| at.is_none_or(|at| at <= now));
                !free || Arc::strong_count(turns) > 1
            });
        }
        Arc::clone(hosts.entry(host.to_owned()).or_default())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *self.free_from = Some(Instant::now() + self.spacing);
    }
}
