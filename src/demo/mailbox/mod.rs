//! The demo's mailbox: what the mail server took, in memory, newest kept.

mod pages;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::model::Timestamp;
pub use pages::router;

/// How many mails are kept; the oldest make room.
pub const MAILS_MAX: usize = 500;
/// How many octets they may have together; the oldest make room.
pub const OCTETS_MAX: usize = 64 * 1024 * 1024;

/// A mail as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedMail {
    /// Counts from 1, in the order of arrival.
    pub number: u64,
    /// When it came.
    pub at: Timestamp,
    /// The envelope's sender; empty for the null one.
    pub return_path: String,
    /// The envelope's recipients.
    pub recipients: Vec<String>,
    /// Header and body, octet for octet.
    pub source: Vec<u8>,
}

/// Mails, newest last, and a counter of all that ever came.
#[derive(Debug)]
pub struct Mailbox {
    mails: Mutex<Shelf>,
    mails_max: usize,
    arrivals: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Shelf {
    mails: VecDeque<Arc<ReceivedMail>>,
    octets: usize,
    came: u64,
}

impl Default for Mailbox {
    fn default() -> Self {
        Self::keeping(MAILS_MAX)
    }
}

impl Mailbox {
    /// An empty mailbox that keeps the newest `mails_max` mails, and at least one.
    pub fn keeping(mails_max: usize) -> Self {
        Self {
            mails: Mutex::default(),
            mails_max: mails_max.max(1),
            arrivals: watch::Sender::new(0),
        }
    }

    /// Keeps a mail and tells who waits for one; gives back its number.
    pub fn put(
        &self,
        at: Timestamp,
        return_path: String,
        recipients: Vec<String>,
        source: Vec<u8>,
    ) -> u64 {
        let mut shelf = self.shelf();
        shelf.came += 1;
        let number = shelf.came;
        shelf.octets += source.len();
        shelf.mails.push_back(Arc::new(ReceivedMail {
            number,
            at,
            return_path,
            recipients,
            source,
        }));
        while shelf.mails.len() > self.mails_max
            || (shelf.octets > OCTETS_MAX && shelf.mails.len() > 1)
        {
            let Some(oldest) = shelf.mails.pop_front() else { break };
            shelf.octets -= oldest.source.len();
        }
        // Under the lock, so that the counter never goes back.
        self.arrivals.send_replace(number);
        number
    }

    /// One mail; none where it never came or had to make room.
    pub fn get(&self, number: u64) -> Option<Arc<ReceivedMail>> {
        let shelf = self.shelf();
        let at = shelf.mails.binary_search_by_key(&number, |mail| mail.number).ok()?;
        shelf.mails.get(at).map(Arc::clone)
    }

    /// The newest `count` mails, newest first.
    pub fn newest(&self, count: usize) -> Vec<Arc<ReceivedMail>> {
        self.shelf().mails.iter().rev().take(count).map(Arc::clone).collect()
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.shelf().mails.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Counts all mails that ever came; changes when one comes.
    pub fn arrivals(&self) -> watch::Receiver<u64> {
        self.arrivals.subscribe()
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
