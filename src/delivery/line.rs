//! The connections of a run: each takes messages from the same queue, and reports how they ended.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::FutureExt as _;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::pause::Pauses;
use crate::store::{ClaimedMessage, OutcomeRow};

use super::domains::InHand;
use super::places::Place;
use super::policy;
use super::recorder::{Content, Recorder};
use super::relays::{NotOpened, Tempo};
use super::run::Delivery;
use super::smtp::{Connection, Envelope, Failure, Reply};
use super::worker::relay_pauses;

/// A message under way to a connection.
pub(super) struct Job {
    pub message: ClaimedMessage,
    pub envelope: Envelope,
    pub bytes: Vec<u8>,
    /// Given back when the message's outcome is on record.
    pub place: Place,
    /// It is under way to its domain as long as this lives.
    pub _domain: InHand,
}

/// What the connections share.
pub(super) struct Line {
    jobs: Mutex<mpsc::Receiver<Job>>,
    recorder: Recorder,
    /// How many connections are open or about to be.
    alive: AtomicUsize,
    relay_away: AtomicBool,
    tempo: Tempo,
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
            tempo: Tempo::new(delivery.connections),
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
        let mut pauses = relay_pauses();
        while AssertUnwindSafe(self.serve()).catch_unwind().await.is_err() {
            tracing::error!("a conversation with the relay panicked; the next begins");
            self.rest(&mut pauses).await;
        }
    }

    /// One connection's life: it opens when there is a message, takes the next while it can, and is
    /// closed when there has been none for a while.
    async fn serve(&self) {
        let mut open: Option<Open<'_>> = None;
        let mut pauses = relay_pauses();
        while let Some(job) = self.next_job(&mut open).await {
            let begun = tokio::select! {
                biased;
                () = self.stop.cancelled() => continue,
                begun = self.tempo.begin() => begun,
            };
            let ended = self.converse(&mut open, &job).await;
            drop(begun);
            let now = self.delivery.clock.now();
            let outcome = match &ended {
                Ended::GivenUp => None,
                Ended::Accepted(reply) => {
                    self.tempo.went_well();
                    Some(policy::accepted(&job.message, reply, now))
                }
                Ended::Failed(failure) | Ended::NotOpened(failure, _) => {
                    self.tempo.failed(failure);
                    policy::failed(&job.message, failure, now)
                }
            };
            self.end(outcome, job.place).await;
            match ended {
                Ended::NotOpened(_, true) => self.relay_away.store(true, Ordering::SeqCst),
                Ended::NotOpened(_, false) => self.rest(&mut pauses).await,
                _ => pauses.went_well(),
            }
        }
        if let Some(open) = open {
            open.connection.quit().await;
        }
    }

    /// The next message; none where none comes any more. A connection that waits for it longer than
    /// its relay likes is closed.
    async fn next_job(&self, open: &mut Option<Open<'_>>) -> Option<Job> {
        // Both may be dropped while they wait: nothing is lost.
        let next = async || self.jobs.lock().await.recv().await;
        if let Some(current) = open.take() {
            match timeout(self.delivery.relays.idle(current.relay), next()).await {
                Ok(job) => {
                    *open = Some(current);
                    return job;
                }
                Err(_) => current.connection.quit().await,
            }
        }
        next().await
    }

    /// Hands a message over, on a connection that is opened where there is none. One that has
    /// served others may have been closed by the relay meanwhile, or be closed by it now (421):
    /// before MAIL is answered that says nothing of the message, which goes out on a new one, once.
    async fn converse<'a>(&'a self, open: &mut Option<Open<'a>>, job: &Job) -> Ended {
        let mut reused = open.is_some();
        let signed = self.delivery.signer.sign(&job.bytes, job.message.created_at);
        loop {
            let mut current = match open.take() {
                Some(current) => current,
                None => match self.open().await {
                    Some(Ok(opened)) => opened,
                    None => return Ended::GivenUp,
                    Some(Err((NotOpened::ShareUsedUp, _))) => return Ended::GivenUp,
                    Some(Err((NotOpened::Failed(failure), alone))) => {
                        return Ended::NotOpened(failure, alone);
                    }
                },
            };
            let Some(taken) = self.delivery.relays.take(current.relay) else {
                // Another one may have something left.
                current.connection.quit().await;
                continue;
            };
            let sent = self.send(&mut current, job, &signed).await;
            drop(taken);
            current.served += 1;
            let is_usable = current.connection.is_usable();
            if is_usable && current.served >= self.messages_of(&current) {
                current.connection.quit().await;
            } else if is_usable {
                *open = Some(current);
            }
            match sent {
                None => return Ended::GivenUp,
                Some(Ok(reply)) => return Ended::Accepted(reply),
                Some(Err(failure)) if reused && !is_usable && failure.is_goodbye() => {
                    tracing::debug!(%failure, "the relay closed a connection; opening another");
                    reused = false;
                }
                Some(Err(failure)) => return Ended::Failed(failure),
            }
        }
    }

    /// How many messages a connection may carry: as the settings say, and as the relay does.
    fn messages_of(&self, open: &Open<'_>) -> u32 {
        let ours = self.delivery.relays.messages_per_connection(open.relay);
        open.connection.messages_max().map_or(ours, |theirs| ours.min(theirs))
    }

    /// Opens a connection; none where the run was stopped first. A failure comes with whether no
    /// other is alive: then the relays are away.
    async fn open(&self) -> Option<Result<Open<'_>, (NotOpened, bool)>> {
        let alive = Alive::one_more(&self.alive);
        let opened = tokio::select! {
            opened = self.delivery.relays.open() => opened,
            () = self.stop.cancelled() => return None,
        };
        Some(match opened {
            Ok((connection, relay)) => Ok(Open { connection, _alive: alive, relay, served: 0 }),
            Err(error) => {
                if let NotOpened::Failed(failure) = &error {
                    self.note(failure);
                }
                Err((error, alive.was_the_last()))
            }
        })
    }

    /// Hands a message over. Where the run is stopped before the content has begun it is given up,
    /// and its connection with it: none.
    async fn send(
        &self,
        open: &mut Open<'_>,
        job: &Job,
        signed: &[u8],
    ) -> Option<Result<Reply, Failure>> {
        let begun = AtomicBool::new(false);
        let relay = self.delivery.relays.counted_as(open.relay);
        let content = Content { message: job.message.id, attempt: job.message.attempt, relay };
        let begins = async || {
            if self.stop.is_cancelled() {
                return false;
            }
            begun.store(true, Ordering::SeqCst);
            self.recorder.content_begins(content).await
        };
        let sending = open.connection.send(&job.envelope, signed, begins);
        tokio::pin!(sending);
        tokio::select! {
            biased;
            ended = &mut sending => return Some(ended),
            () = self.stop.cancelled() => {}
        }
        if begun.load(Ordering::SeqCst) { Some(sending.await) } else { None }
    }

    /// Waits a little, each time longer, where the relay takes no more connections than it has.
    async fn rest(&self, pauses: &mut Pauses) {
        let mut ending = self.ending.clone();
        tokio::select! {
            () = tokio::time::sleep(pauses.after_failure()) => {}
            _ = ending.changed() => {}
            () = self.stop.cancelled() => {}
        }
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

/// A connection that is open, and counted.
struct Open<'a> {
    connection: Connection,
    _alive: Alive<'a>,
    /// To which relay.
    relay: usize,
    /// How many messages it has carried.
    served: u32,
}

/// How it went with a message.
enum Ended {
    /// The run was stopped before its content had begun.
    GivenUp,
    Accepted(Reply),
    Failed(Failure),
    /// No connection could be opened; and whether no other is alive.
    NotOpened(Failure, bool),
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
