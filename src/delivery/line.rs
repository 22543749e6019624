//! The connections of a run: each takes messages from the same queue, and reports how they ended.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{Mutex, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::store::{ClaimedMessage, OutcomeRow};

use super::places::Place;
use super::policy;
use super::recorder::Recorder;
use super::run::Delivery;
use super::smtp::{Connection, Envelope, Failure, Reply};
use super::worker::RELAY_PAUSE_SECONDS;

/// A message under way to a connection.
pub(super) struct Job {
    pub message: ClaimedMessage,
    pub envelope: Envelope,
    pub bytes: Vec<u8>,
    /// Given back when the message's outcome is on record.
    pub place: Place,
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
    /// No content begins any more; one that has begun ends.
    stop: CancellationToken,
    delivery: Delivery,
}

impl Line {
    /// A line on which nothing is open yet.
    pub fn new(
        jobs: mpsc::Receiver<Job>,
        recorder: Recorder,
        ending: watch::Receiver<()>,
        stop: CancellationToken,
        delivery: Delivery,
    ) -> Self {
        Self {
            jobs: Mutex::new(jobs),
            recorder,
            alive: AtomicUsize::new(0),
            relay_away: AtomicBool::new(false),
            last_failure: std::sync::Mutex::new(None),
            ending,
            stop,
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

    /// A connection's place: what goes wrong with one message is nothing to the next.
    pub async fn keep_serving(self: Arc<Self>) {
        let mut pause = RELAY_PAUSE_SECONDS.0;
        while AssertUnwindSafe(self.serve()).catch_unwind().await.is_err() {
            tracing::error!("a conversation with the relay panicked; the next begins");
            self.rest(&mut pause).await;
        }
    }

    /// One connection's life: it opens when there is a message, and takes the next while it can.
    async fn serve(&self) {
        let mut connection: Option<(Connection, Alive<'_>)> = None;
        let mut pause = RELAY_PAUSE_SECONDS.0;
        loop {
            let job = self.jobs.lock().await.recv().await;
            let Some(job) = job else { break };
            if self.stop.is_cancelled() {
                continue;
            }
            let now = || self.delivery.clock.now();
            let (open, _) = match &mut connection {
                Some(open) => open,
                None => match self.open().await {
                    Some(Ok(open)) => connection.insert(open),
                    None => continue,
                    Some(Err((failure, alone))) => {
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
            let outcome = match self.send(open, &job).await {
                Some(Ok(reply)) => Some(policy::accepted(&job.message, &reply, now())),
                Some(Err(failure)) => policy::failed(&job.message, &failure, now()),
                None => None,
            };
            if !open.is_usable() {
                connection = None;
            }
            self.end(outcome, job.place).await;
        }
        if let Some((open, _)) = connection {
            open.quit().await;
        }
    }

    /// Opens a connection; none where the run was stopped first. A failure comes with whether no
    /// other is alive: then the relay is away.
    async fn open(&self) -> Option<Result<(Connection, Alive<'_>), (Failure, bool)>> {
        let alive = Alive::one_more(&self.alive);
        let opened = tokio::select! {
            opened = self.delivery.relay.open() => opened,
            () = self.stop.cancelled() => return None,
        };
        Some(match opened {
            Ok(open) => Ok((open, alive)),
            Err(failure) => {
                self.note(&failure);
                Err((failure, alive.was_the_last()))
            }
        })
    }

    /// Hands a message over. Where the run is stopped before the content has begun it is given up,
    /// and its connection with it: none.
    async fn send(&self, open: &mut Connection, job: &Job) -> Option<Result<Reply, Failure>> {
        let begun = AtomicBool::new(false);
        let begins = async || {
            if self.stop.is_cancelled() {
                return false;
            }
            begun.store(true, Ordering::SeqCst);
            self.recorder.content_begins(job.message.id, job.message.attempt).await
        };
        let sending = open.send(&job.envelope, &job.bytes, begins);
        tokio::pin!(sending);
        tokio::select! {
            biased;
            ended = &mut sending => return Some(ended),
            () = self.stop.cancelled() => {}
        }
        if begun.load(Ordering::SeqCst) { Some(sending.await) } else { None }
    }

    /// Waits a little, each time longer, where the relay takes no more connections than it has.
    async fn rest(&self, pause: &mut u64) {
        let mut ending = self.ending.clone();
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(*pause)) => {}
            _ = ending.changed() => {}
            () = self.stop.cancelled() => {}
        }
        *pause = (*pause * 2).min(RELAY_PAUSE_SECONDS.1);
    }

    /// Reports how a message ended; without an outcome, its place is given up.
    pub async fn end(&self, outcome: Option<OutcomeRow>, place: Place) {
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

/// A connection that is open or about to be; counted as long as this lives.
struct Alive<'a>(&'a AtomicUsize);

impl<'a> Alive<'a> {
    fn one_more(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }

    /// Ends it; says whether no other is left.
    fn was_the_last(self) -> bool {
        let last = self.0.fetch_sub(1, Ordering::SeqCst) == 1;
        std::mem::forget(self);
        last
    }
}

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
