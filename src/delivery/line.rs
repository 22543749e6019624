//! The connections of a run: each takes messages from the same queue, and reports how they ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, OwnedSemaphorePermit, mpsc, watch};

use crate::store::{ClaimedMessage, OutcomeRow};

use super::policy;
use super::recorder::Recorder;
use super::smtp::{Connection, Envelope, Failure};
use super::worker::{Delivery, RELAY_PAUSE_SECONDS};

/// A message under way to a connection.
pub(super) struct Job {
    pub message: ClaimedMessage,
    pub envelope: Envelope,
    pub bytes: Vec<u8>,
    /// Given back when the message's outcome is on record.
    pub place: OwnedSemaphorePermit,
}

/// What the connections share.
pub(super) struct Line {
    jobs: Mutex<mpsc::Receiver<Job>>,
    recorder: Recorder,
    /// How many connections are open or about to be.
    alive: AtomicUsize,
    relay_away: AtomicBool,
    last_failure: std::sync::Mutex<Option<String>>,
    /// Its sender is gone when no jobs come any more.
    ending: watch::Receiver<()>,
    delivery: Delivery,
}

impl Line {
    /// A line on which nothing is open yet.
    pub fn new(
        jobs: mpsc::Receiver<Job>,
        recorder: Recorder,
        ending: watch::Receiver<()>,
        delivery: Delivery,
    ) -> Self {
        Self {
            jobs: Mutex::new(jobs),
            recorder,
            alive: AtomicUsize::new(0),
            relay_away: AtomicBool::new(false),
            last_failure: std::sync::Mutex::new(None),
            ending,
            delivery,
        }
    }

    /// Whether outcomes cannot be recorded any more; then nothing more may be claimed.
    pub fn recorder_is_gone(&self) -> bool {
        self.recorder.is_gone()
    }

    /// Whether a connection could not be opened while no other was.
    pub fn relay_is_away(&self) -> bool {
        self.relay_away.load(Ordering::SeqCst)
    }

    /// Takes the relay to be there again.
    pub fn try_again(&self) {
        self.relay_away.store(false, Ordering::SeqCst);
    }

    /// One connection's life: it opens when there is a message, and takes the next while it can.
    pub async fn serve(self: Arc<Self>) {
        let mut connection: Option<Connection> = None;
        let mut pause = RELAY_PAUSE_SECONDS.0;
        loop {
            let job = self.jobs.lock().await.recv().await;
            let Some(job) = job else { break };
            let now = || self.delivery.clock.now();
            let open = match &mut connection {
                Some(open) => open,
                None => match self.open().await {
                    Ok(open) => connection.insert(open),
                    Err((failure, alone)) => {
                        self.end(policy::failed(&job.message, &failure, now()), job.place).await;
                        if alone {
                            self.relay_away.store(true, Ordering::SeqCst);
                        } else {
                            self.rest(&mut pause).await;
                        }
                        continue;
                    }
                },
            };
            pause = RELAY_PAUSE_SECONDS.0;
            let (id, attempt) = (job.message.id, job.message.attempt);
            let begins = || self.recorder.content_begins(id, attempt);
            let outcome = match open.send(&job.envelope, &job.bytes, begins).await {
                Ok(reply) => Some(policy::accepted(&job.message, &reply, now())),
                Err(failure) => policy::failed(&job.message, &failure, now()),
            };
            if !open.is_usable() {
                connection = None;
                self.alive.fetch_sub(1, Ordering::SeqCst);
            }
            self.end(outcome, job.place).await;
        }
        if let Some(open) = connection {
            open.quit().await;
        }
    }

    /// Opens a connection. A failure comes with whether no other is alive: then the relay is away.
    async fn open(&self) -> Result<Connection, (Failure, bool)> {
        self.alive.fetch_add(1, Ordering::SeqCst);
        self.delivery.relay.open().await.map_err(|failure| {
            self.note(&failure);
            (failure, self.alive.fetch_sub(1, Ordering::SeqCst) == 1)
        })
    }

    /// Waits a little, each time longer, where the relay takes no more connections than it has.
    async fn rest(&self, pause: &mut u64) {
        let mut ending = self.ending.clone();
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(*pause)) => {}
            _ = ending.changed() => {}
        }
        *pause = (*pause * 2).min(RELAY_PAUSE_SECONDS.1);
    }

    pub async fn end(&self, outcome: Option<OutcomeRow>, place: OwnedSemaphorePermit) {
        if let Some(outcome) = outcome {
            self.recorder.ended(outcome, place).await;
        }
    }

    fn note(&self, failure: &Failure) {
        if let Ok(mut last) = self.last_failure.lock() {
            *last = Some(failure.to_string());
        }
    }

    /// Why a connection could not be opened, the last time that one could not.
    pub fn failure(&self) -> Option<String> {
        self.last_failure.lock().ok().and_then(|last| last.clone())
    }
}
