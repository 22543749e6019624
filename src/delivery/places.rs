//! The places of a run: how many messages may be under way, and which are.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
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
    given_up: Arc<AtomicBool>,
}

impl Places {
    pub fn new(all: usize) -> Self {
        let free = Arc::new(Semaphore::new(all));
        Self { free, all, in_hand: Arc::default(), given_up: Arc::default() }
    }

    /// A place for an attempt, once one is free.
    pub async fn take(&self, message: i64, attempt: i64) -> Result<Place, AcquireError> {
        let permit = Arc::clone(&self.free).acquire_owned().await?;
        let attempt = (message, attempt);
        lock(&self.in_hand).insert(attempt);
        let (in_hand, given_up) = (Arc::clone(&self.in_hand), Arc::clone(&self.given_up));
        Ok(Place { attempt, in_hand, given_up, is_recorded: false, _permit: permit })
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

    /// Whether a place was given up without an outcome since that was last asked: its worker may
    /// still have the message, and nobody works on it.
    pub fn were_given_up(&self) -> bool {
        self.given_up.swap(false, Ordering::SeqCst)
    }

    /// The attempts that have a place.
    pub fn in_hand(&self) -> Vec<InHand> {
        lock(&self.in_hand).iter().copied().collect()
    }
}

/// A place that is taken; given back when its attempt's outcome is on record, and given up when it
/// is dropped before.
#[derive(Debug)]
pub(super) struct Place {
    attempt: InHand,
    in_hand: Arc<Mutex<HashSet<InHand>>>,
    given_up: Arc<AtomicBool>,
    is_recorded: bool,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// The outcome is on record.
    pub fn recorded(mut self) {
        self.is_recorded = true;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.in_hand).remove(&self.attempt);
        // After, so that whoever hears of it does not find it in hand any more.
        if !self.is_recorded {
            self.given_up.store(true, Ordering::SeqCst);
        }
    }
}

fn lock(in_hand: &Mutex<HashSet<InHand>>) -> std::sync::MutexGuard<'_, HashSet<InHand>> {
    in_hand.lock().unwrap_or_else(PoisonError::into_inner)
}
