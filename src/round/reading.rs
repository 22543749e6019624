//! Reading as work that nobody waits for without end. A thread cannot be stopped from outside: what
//! goes on is counted, and its source is not read again meanwhile.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::PollError;

/// How many seconds a poll waits until its answer is read.
pub const READING_SECONDS_MAX: u64 = 20;
/// How many answers are read at once in the process, those included for which nobody waits any
/// more.
pub const READINGS_MAX: usize = 2 * super::SOURCES_AT_ONCE;

static ROOM: Semaphore = Semaphore::const_new(READINGS_MAX);
/// The addresses of sources that are being read.
static BEING_READ: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// A reading that goes on; it ends with the thread that reads.
struct Going {
    address: String,
    _room: SemaphorePermit<'static>,
}

impl Going {
    /// None where the same source is being read already.
    fn begin(address: &str, room: SemaphorePermit<'static>) -> Option<Self> {
        let begun = being_read().insert(address.to_owned());
        begun.then(|| Self { address: address.to_owned(), _room: room })
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        being_read().remove(&self.address);
    }
}

fn being_read() -> MutexGuard<'static, BTreeSet<String>> {
    // A set of words is whole whatever happened to who held it.
    BEING_READ.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads an answer of the source at an address on a thread of its own.
///
/// # Errors
/// [`PollError::Slow`] where that takes longer than [`READING_SECONDS_MAX`], or an earlier answer
/// is being read still.
pub(super) async fn bounded<T: Send + 'static>(
    address: &str,
    read: impl FnOnce() -> T + Send + 'static,
) -> Result<T, PollError> {
    bounded_by(Duration::from_secs(READING_SECONDS_MAX), address, read).await
}

async fn bounded_by<T: Send + 'static>(
    limit: Duration,
    address: &str,
    read: impl FnOnce() -> T + Send + 'static,
) -> Result<T, PollError> {
    let slow = || PollError::Slow(READING_SECONDS_MAX);
    let reading = async {
        let room = ROOM.acquire().await.map_err(|_| slow())?;
        let going = Going::begin(address, room).ok_or_else(slow)?;
        let read = move || {
            let _going = going;
            read()
        };
        Ok(tokio::task::spawn_blocking(read).await?)
    };
    tokio::time::timeout(limit, reading).await.map_err(|_| slow())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reading_without_end_is_an_error_and_its_source_is_not_read_again_until_it_ends() {
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let address = "https://slow.example/feed";
        let endless = move || ended.recv().unwrap_or(());
        let slow = bounded_by(Duration::ZERO, address, endless).await;
        assert!(matches!(slow, Err(PollError::Slow(_))), "{slow:?}");
        let again = bounded(address, || ()).await;
        assert!(matches!(again, Err(PollError::Slow(_))), "{again:?}");
        assert!(bounded("https://other.example/feed", || ()).await.is_ok());
        drop(end);
        while being_read().contains(address) {
            tokio::task::yield_now().await;
        }
        assert!(bounded(address, || ()).await.is_ok());
    }
}
