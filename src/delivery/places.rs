//! The places of a run: how many messages may be under way, and which are.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// A message and the number of its attempt.
type InHand = (i64, i64);

/// Places for messages under way.
#[derive(Clone, Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    all: usize,
    in_hand: Arc<Mutex<HashSet<InHand>>>,
}

impl Places {
    pub fn new(all: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(all)), all, in_hand: Arc::default() }
    }

    /// A place for an attempt, once one is free.
    pub async fn take(&self, message: i64, attempt: i64) -> Result<Place, AcquireError> {
        let permit = Arc::clone(&self.free).acquire_owned().await?;
        let attempt = (message, attempt);
        lock(&self.in_hand).insert(attempt);
        Ok(Place { attempt, in_hand: Arc::clone(&self.in_hand), _permit: permit })
    }

    /// How many are free.
    pub fn free(&self) -> usize {
        self.free.available_permits()
    }

    /// Whether nothing is under way.
    pub fn are_all_free(&self) -> bool {
        self.free() >= self.all
    }

    /// Waits until so many are free; all, where there are not so many.
    pub async fn wait_for(&self, wanted: usize) {
        let wanted = u32::try_from(wanted.min(self.all)).unwrap_or(u32::MAX);
        // The semaphore is never closed.
        let _ = self.free.acquire_many(wanted).await;
    }

    /// Waits until all are free.
    pub async fn wait_for_all(&self) {
        self.wait_for(self.all).await;
    }

    /// The attempts that have a place.
    pub fn in_hand(&self) -> Vec<InHand> {
        lock(&self.in_hand).iter().copied().collect()
    }
}

/// A place that is taken; given back when it is dropped, which is when its attempt's outcome is on
/// record, or when it is given up.
#[derive(Debug)]
pub(super) struct Place {
    attempt: InHand,
    in_hand: Arc<Mutex<HashSet<InHand>>>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.in_hand).remove(&self.attempt);
    }
}

fn lock(in_hand: &Mutex<HashSet<InHand>>) -> std::sync::MutexGuard<'_, HashSet<InHand>> {
    in_hand.lock().unwrap_or_else(PoisonError::into_inner)
}
