//! A run of delivery: signs a worker on, lets it claim and its connections talk, and leaves nothing
//! behind when it ends or is stopped.

use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::audience::{EmailAddress, Keys};
use crate::causes::chain;
use crate::clock::Clock;
use crate::store::{GivingBack, OutcomeRow, Store};

use super::DeliveryError;
use super::dkim::Signer;
use super::domains::DomainLimits;
use super::lease::Keeper;
use super::line::Line;
use super::recorder::Recorder;
use super::relays::Relays;
use super::worker::{CLAIMED_A_CONNECTION, Claiming};

/// How long a worker tries at most to sign off, in seconds.
const DEPART_SECONDS_MAX: u64 = 10;
/// How long a run that is stopped waits for conversations whose content has begun, in seconds.
pub const STOP_SECONDS_MAX: u64 = 30;

/// What happened to the attempts of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Totals {
    /// The relay has them.
    pub accepted: u64,
    /// Refused for now.
    pub deferred: u64,
    /// Refused for good.
    pub failed: u64,
    /// Nobody knows; the lists' policies have decided.
    pub in_doubt: u64,
}

impl Totals {
    pub(super) fn add(&mut self, ended: &[OutcomeRow]) {
        for outcome in ended {
            match outcome.outcome {
                "accepted" => self.accepted += 1,
                "deferred" => self.deferred += 1,
                "failed" => self.failed += 1,
                _ => self.in_doubt += 1,
            }
        }
    }
}

/// What delivering needs.
#[derive(Clone)]
pub struct Delivery {
    /// The database.
    pub store: Store,
    /// Tokens and ids.
    pub keys: Keys,
    /// The site's zone, for Date fields.
    pub zone: Tz,
    /// The time.
    pub clock: Clock,
    /// The relays.
    pub relays: Arc<Relays>,
    /// What signs messages.
    pub signer: Arc<Signer>,
    /// Where bounces go, each to an address of its own; to the list's sender where absent.
    pub bounce_address: Option<EmailAddress>,
    /// What goes to one recipients' domain at once.
    pub domains: DomainLimits,
    /// How many connections may be open at once.
    pub connections: usize,
    /// How many messages may begin in a second; no limit where absent.
    pub messages_per_second: Option<u32>,
    /// How long this worker is taken to be alive without a sign of life, in seconds.
    pub lease_seconds: i64,
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Delivered {
    /// What happened to its attempts.
    pub totals: Totals,
    /// Why the relay could not be reached at last, if so.
    pub relay_away: Option<String>,
}

/// When a run ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// When what is due has been tried.
    Tried,
    /// When nothing is queued, sending or deferred.
    Empty,
    /// Never: it goes on, also while the database is away, until it is stopped.
    Stopped,
}

/// Hears after each turn of a run how it went.
pub type Beat = Arc<dyn Fn(Result<(), &DeliveryError>) + Send + Sync>;

/// What a run is told from outside, and tells.
#[derive(Clone)]
pub struct Run {
    /// When it ends by itself.
    pub until: Until,
    /// Stops it: nothing more is claimed, what is claimed and not begun is queued again, contents
    /// that have begun end, within [`STOP_SECONDS_MAX`].
    pub stop: CancellationToken,
    /// Follows the totals.
    pub progress: watch::Sender<Totals>,
    /// Hears how it goes.
    pub beat: Beat,
}

impl Run {
    /// A run that nobody stops or listens to but for its totals.
    pub fn of(until: Until, progress: watch::Sender<Totals>) -> Self {
        Self { until, stop: CancellationToken::new(), progress, beat: Arc::new(|_| {}) }
    }

    pub(super) fn is_endless(&self) -> bool {
        self.until == Until::Stopped
    }
}

impl Delivery {
    /// Delivers what is due, until when the run says.
    ///
    /// # Errors
    /// [`DeliveryError`]: another process delivers from this database, or the database fails; for
    /// longer than a minute, where it is away.
    pub async fn run(&self, run: &Run) -> Result<Delivered, DeliveryError> {
        let lock = self.store.lock_delivery()?;
        let Run { stop, progress, .. } = run;
        let worker = rand::random::<i64>() & i64::MAX;
        let keeper = Keeper {
            store: self.store.clone(),
            clock: self.clock.clone(),
            worker,
            lease_seconds: self.lease_seconds,
            alone: lock.is_alone(),
            progress: progress.clone(),
        };
        self.register(worker).await?;
        keeper.keep().await?;
        let mut keeping = JoinSet::new();
        keeping.spawn(keeper.run());
        let (recorder, mut recording) = Recorder::start(
            self.store.clone(),
            self.clock.clone(),
            progress.clone(),
            run.is_endless(),
        );
        let (jobs, waiting) = mpsc::channel(self.connections * CLAIMED_A_CONNECTION);
        let (working, ending) = watch::channel(());
        let line = Arc::new(Line::new(waiting, recorder, ending, stop.clone(), self.clone()));
        let mut connections = JoinSet::new();
        for _ in 0..self.connections {
            connections.spawn(Arc::clone(&line).keep_serving());
        }
        let mut claiming = Claiming::new(self, run, worker, Arc::clone(&line));
        let claimed = claiming.go_on(&jobs).await;
        drop(claiming);
        drop((jobs, working));
        let ended = async {
            if stop.is_cancelled() {
                self.release_not_begun(worker).await;
            }
            while connections.join_next().await.is_some() {}
            let relay_away = line.failure();
            // The recorder ends with the last sender, which the line holds.
            drop(line);
            let recorded = (&mut recording).await.map_err(|_| DeliveryError::Recorder);
            recorded?.map(|()| relay_away).map_err(DeliveryError::from)
        };
        let relay_away = within_deadline(stop, ended).await;
        // Past the deadline nothing of this run may go on behind its back.
        connections.shutdown().await;
        recording.abort();
        keeping.shutdown().await;
        let departed = self.depart(worker, progress).await;
        let relay_away = relay_away?;
        claimed?;
        // Where the database is away, a run that is stopped leaves it to the next.
        if departed || !stop.is_cancelled() {
            self.end_editions().await?;
        }
        let totals = *progress.borrow();
        Ok(Delivered { totals, relay_away })
    }

    async fn register(&self, worker: i64) -> Result<(), DeliveryError> {
        let now = self.clock.now();
        let mut tx = self.store.write().await?;
        tx.insert_worker(worker, now, now.plus(self.lease_seconds)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Queues again what is claimed and not begun, as soon as the run is stopped. Where the
    /// database is away, whoever takes over does it.
    async fn release_not_begun(&self, worker: i64) {
        if let Err(error) = self.give_back(worker, GivingBack::NotBegun).await {
            tracing::warn!(error = chain(&error), "what was claimed could not be queued again");
        }
    }

    async fn give_back(&self, worker: i64, which: GivingBack<'_>) -> Result<i64, DeliveryError> {
        let mut tx = self.store.write().await?;
        let doubts = tx.give_back(worker, which, self.clock.now()).await?;
        tx.commit().await?;
        Ok(doubts)
    }

    /// Leaves nothing behind: nothing of the worker goes on, so what it still has is what a worker
    /// that is gone leaves, and its row goes. Where that fails, which is false, its lease ends by
    /// itself.
    async fn depart(&self, worker: i64, progress: &watch::Sender<Totals>) -> bool {
        let departed = async {
            let mut tx = self.store.write().await?;
            let doubts = tx.take_over(worker, self.clock.now()).await?;
            tx.remove_worker(worker).await?;
            tx.commit().await?;
            Ok::<i64, DeliveryError>(doubts)
        };
        let limit = Duration::from_secs(DEPART_SECONDS_MAX);
        match tokio::time::timeout(limit, departed).await {
            Ok(Ok(doubts)) => {
                let doubts = u64::try_from(doubts).unwrap_or(0);
                progress.send_modify(|totals| totals.in_doubt += doubts);
                return true;
            }
            Ok(Err(error)) => {
                tracing::warn!(error = chain(&error), "the worker could not be signed off");
            }
            Err(_) => tracing::warn!("the worker could not be signed off: the database is busy"),
        }
        false
    }

    /// Ends the editions of which nothing is on its way any more.
    pub(super) async fn end_editions(&self) -> Result<(), DeliveryError> {
        if self.store.read().await?.open_editions().await?.is_empty() {
            return Ok(());
        }
        let mut tx = self.store.write().await?;
        for edition in tx.open_editions().await? {
            tx.end_edition(edition.id).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Lets a run come to its end; one that is stopped has a deadline.
async fn within_deadline(
    stop: &CancellationToken,
    ending: impl Future<Output = Result<Option<String>, DeliveryError>>,
) -> Result<Option<String>, DeliveryError> {
    let deadline = async {
        stop.cancelled().await;
        tokio::time::sleep(Duration::from_secs(STOP_SECONDS_MAX)).await;
    };
    tokio::select! {
        ended = ending => ended,
        () = deadline => {
            tracing::warn!("conversations were given up at the deadline");
            Ok(None)
        }
    }
}
