//! Delivers what is due: claims messages in small batches and hands them to a bounded number of
//! connections, once or until it is stopped.

use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::audience::{Keys, Mailbox};
use crate::clock::Clock;
use crate::model::Timestamp;
use crate::pause::Pauses;
use crate::store::{Bell, ClaimedMessage, GivingBack, Listener, OutcomeRow, Store};

use super::lease::Keeper;
use super::line::{Job, Line};
use super::parcels::{Own, Parcels};
use super::places::Places;
use super::recorder::{COMMIT_SECONDS_MAX, Recorder};
use super::smtp::{Envelope, Relay};
use super::{DeliveryError, policy};

/// How many messages are claimed for each connection: the one under way and the next.
const CLAIMED_A_CONNECTION: usize = 2;
/// How many connections there are for each place that must be free before more is claimed, so that
/// one flush serves several claims. The places that are not free keep every connection busy.
const CONNECTIONS_A_FREE_PLACE: usize = 2;
/// The first and the longest pause after a connection could not be opened, in seconds.
pub(super) const RELAY_PAUSE_SECONDS: (u64, u64) = (2, 60);
/// How long the worker sleeps at most before it looks again, in seconds.
const LOOK_AGAIN_SECONDS: i64 = 5;
/// How long it waits at most for a place or for work, in seconds; then it goes round once more.
const WAIT_SECONDS_MAX: u64 = 30;
/// The shortest pause before it looks again, in milliseconds: a row that is due and cannot be
/// claimed, or a bell that rings and rings, must not make the loop spin.
const LOOK_AGAIN_MS_MIN: u64 = 50;
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
    /// The relay.
    pub relay: Arc<Relay>,
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

    fn is_endless(&self) -> bool {
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
        let places = Places::new(self.connections * CLAIMED_A_CONNECTION);
        let (jobs, waiting) = mpsc::channel(self.connections * CLAIMED_A_CONNECTION);
        let (working, ending) = watch::channel(());
        let line = Arc::new(Line::new(waiting, recorder, ending, stop.clone(), self.clone()));
        let mut connections = JoinSet::new();
        for _ in 0..self.connections {
            connections.spawn(Arc::clone(&line).serve());
        }
        let mut claiming = Claiming {
            delivery: self,
            run,
            parcels: Parcels::new(self.store.clone(), self.keys.clone(), self.zone),
            worker,
            places,
            line: Arc::clone(&line),
            bell: self.store.listen(Bell::Delivery),
            pace: self.messages_per_second.map(Pace::new),
            pause: RELAY_PAUSE_SECONDS.0,
            accepted: 0,
            strays: false,
        };
        let claimed = claiming.go_on(&jobs).await;
        drop(claiming);
        drop((jobs, working));
        let relay_away = {
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
            within_deadline(stop, ended).await
        };
        // Past the deadline nothing of this run may go on behind its back.
        connections.shutdown().await;
        recording.abort();
        keeping.shutdown().await;
        self.depart(worker, progress).await;
        let relay_away = relay_away?;
        claimed?;
        self.end_editions().await?;
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
            tracing::warn!(%error, "what was claimed could not be queued again");
        }
    }

    async fn give_back(&self, worker: i64, which: GivingBack<'_>) -> Result<i64, DeliveryError> {
        let mut tx = self.store.write().await?;
        let doubts = tx.give_back(worker, which, self.clock.now()).await?;
        tx.commit().await?;
        Ok(doubts)
    }

    /// Leaves nothing behind: nothing of the worker goes on, so what it still has is what a worker
    /// that is gone leaves, and its row goes. Where that fails its lease ends by itself.
    async fn depart(&self, worker: i64, progress: &watch::Sender<Totals>) {
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
            }
            Ok(Err(error)) => tracing::warn!(%error, "the worker could not be signed off"),
            Err(_) => tracing::warn!("the worker could not be signed off: the database is busy"),
        }
    }

    /// Ends the editions of which nothing is on its way any more.
    async fn end_editions(&self) -> Result<(), DeliveryError> {
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

/// Whether the loop goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Again,
    End,
}

/// Claims messages and hands them to the connections.
struct Claiming<'a> {
    delivery: &'a Delivery,
    run: &'a Run,
    parcels: Parcels,
    worker: i64,
    places: Places,
    line: Arc<Line>,
    bell: Listener,
    pace: Option<Pace>,
    pause: u64,
    /// How many were accepted when the relay was last taken to be there.
    accepted: u64,
    /// Whether this worker may have messages that are not in hand.
    strays: bool,
}

impl Claiming<'_> {
    /// Goes round until the run ends. While the database is away this is said, slowed and tried
    /// again; a run that has an end has bounds for that too.
    async fn go_on(&mut self, jobs: &mpsc::Sender<Job>) -> Result<(), DeliveryError> {
        let mut pauses = Pauses::default();
        loop {
            let turn = tokio::select! {
                biased;
                () = self.run.stop.cancelled() => return Ok(()),
                turn = self.turn(jobs) => turn,
            };
            (self.run.beat)(turn.as_ref().map(|_| ()));
            let error = match turn {
                Ok(Turn::End) => return Ok(()),
                Ok(Turn::Again) => {
                    pauses.went_well();
                    continue;
                }
                Err(error) => error,
            };
            // A claim may have been committed although its answer never came.
            self.strays = true;
            let pause = pauses.after_failure();
            let passes = matches!(&error, DeliveryError::Store(cause) if cause.is_transient());
            let bounded = !self.run.is_endless();
            if !passes || bounded && pauses.failing_for().as_secs() > COMMIT_SECONDS_MAX {
                return Err(error);
            }
            tracing::warn!(%error, "messages could not be claimed; trying again");
            self.sleep(pause).await;
        }
    }

    /// Waits, unless the run is stopped.
    async fn sleep(&self, pause: Duration) {
        let _ = tokio::time::timeout(pause, self.run.stop.cancelled()).await;
    }

    /// Once round: waits for places, claims for them, and where nothing is due waits for that. It
    /// may be dropped while it waits.
    async fn turn(&mut self, jobs: &mpsc::Sender<Job>) -> Result<Turn, DeliveryError> {
        if self.line.recorder_is_gone() {
            return Err(DeliveryError::Recorder);
        }
        let wait = Duration::from_secs(WAIT_SECONDS_MAX);
        let enough = self.delivery.connections.div_ceil(CONNECTIONS_A_FREE_PLACE);
        if tokio::time::timeout(wait, self.places.wait_for(enough)).await.is_err() {
            return Ok(Turn::Again);
        }
        if self.line.relay_is_away() {
            return Ok(self.wait_for_relay().await);
        }
        let free = self.places.free();
        if free == 0 || self.claim(jobs, free).await? > 0 {
            return Ok(Turn::Again);
        }
        (self.run.beat)(Ok(()));
        if !self.places.are_all_free() {
            // Something is under way, and may come back to the queue.
            let before = self.places.free();
            tokio::select! {
                () = self.places.wait_for(before + 1) => {}
                () = self.bell.rung() => self.sleep(Duration::from_millis(LOOK_AGAIN_MS_MIN)).await,
                () = tokio::time::sleep(wait) => {}
            }
            return Ok(Turn::Again);
        }
        let Some(pause) = self.next_look().await? else { return Ok(Turn::End) };
        self.sleep(Duration::from_millis(LOOK_AGAIN_MS_MIN)).await;
        let _ = tokio::time::timeout(pause, self.bell.rung()).await;
        Ok(Turn::Again)
    }

    /// What is claimed already is deferred by its connection; nothing more is claimed until the
    /// relay is tried again.
    async fn wait_for_relay(&mut self) -> Turn {
        let wait = Duration::from_secs(WAIT_SECONDS_MAX);
        if tokio::time::timeout(wait, self.places.wait_for_all()).await.is_err() {
            return Turn::Again;
        }
        if self.run.until == Until::Tried {
            return Turn::End;
        }
        let accepted = self.run.progress.borrow().accepted;
        if accepted > self.accepted {
            (self.accepted, self.pause) = (accepted, RELAY_PAUSE_SECONDS.0);
        }
        let (cause, seconds) = (self.line.failure().unwrap_or_default(), self.pause);
        tracing::warn!("the relay cannot be reached: {cause}; trying again in {seconds} s");
        self.sleep(Duration::from_secs(seconds)).await;
        self.pause = (self.pause * 2).min(RELAY_PAUSE_SECONDS.1);
        self.line.try_again();
        Turn::Again
    }

    /// Claims at most as many messages as there are places; gives how many rows it looked at.
    async fn claim(
        &mut self,
        jobs: &mpsc::Sender<Job>,
        free: usize,
    ) -> Result<usize, DeliveryError> {
        let now = self.delivery.clock.now();
        let mut tx = self.delivery.store.write().await?;
        tx.hold_lease(self.worker, now, self.delivery.lease_seconds).await?;
        self.strays |= self.line.gave_up();
        if self.strays {
            let in_hand = self.places.in_hand();
            tx.give_back(self.worker, GivingBack::NotInHand(&in_hand), now).await?;
        }
        let mut looked_at = 0;
        let mut claimed = Vec::new();
        for edition in tx.open_editions().await? {
            if claimed.len() >= free {
                break;
            }
            let limit = i64::try_from(free - claimed.len()).unwrap_or(i64::MAX);
            for message in tx.due_messages(edition.id, now, limit).await? {
                looked_at += 1;
                match policy::unsendable(&message, now) {
                    Some((state, cause)) => tx.end_unsent(message.id, state, cause, now).await?,
                    None => claimed.push(message),
                }
            }
        }
        if looked_at == 0 && !self.strays {
            return Ok(0);
        }
        let ids: Vec<i64> = claimed.iter().map(|message| message.id).collect();
        if !ids.is_empty() {
            tx.claim(&ids, self.worker, now).await?;
        }
        // Until all of them are handed over: a stop, or a failure, may come between.
        self.strays = true;
        tx.commit().await?;
        for message in claimed {
            self.hand_over(jobs, message).await?;
        }
        self.strays = false;
        Ok(looked_at)
    }

    async fn hand_over(
        &mut self,
        jobs: &mpsc::Sender<Job>,
        message: ClaimedMessage,
    ) -> Result<(), DeliveryError> {
        if let Some(pace) = &mut self.pace {
            pace.next().await;
        }
        let place = self.places.take(message.id, message.attempt).await;
        let place = place.map_err(|_| DeliveryError::Recorder)?;
        let (bytes, envelope) = match self.put_together(&message).await {
            Ok(made) => made,
            Err(DeliveryError::Store(error)) => return Err(error.into()),
            Err(error) => {
                // The others shall not wait for one that cannot be made.
                let failed = policy::unmade(&message, error.to_string(), self.delivery.clock.now());
                self.line.end(Some(failed), place).await;
                return Ok(());
            }
        };
        let job = Job { message, envelope, bytes, place };
        jobs.send(job).await.map_err(|_| DeliveryError::Recorder)
    }

    async fn put_together(
        &mut self,
        message: &ClaimedMessage,
    ) -> Result<(Vec<u8>, Envelope), DeliveryError> {
        let body = self.parcels.body(message.variant_id).await?;
        let sender: Mailbox = message.sender.parse().map_err(DeliveryError::Sender)?;
        let recipient = message.address.clone().unwrap_or_default();
        let bytes = self.parcels.message(
            &body,
            &Own {
                edition: message.edition_id,
                subscriber: message.subscriber_id,
                subscription: message.subscription_id,
                address: &recipient,
                created_at: message.created_at,
                sender: &sender,
            },
        );
        Ok((bytes, Envelope { return_path: sender.address.to_string(), recipient }))
    }

    /// How long to wait until something may be due; none where the run is at its end.
    async fn next_look(&self) -> Result<Option<Duration>, DeliveryError> {
        if self.run.until == Until::Tried {
            return Ok(None);
        }
        if self.run.is_endless() {
            self.delivery.end_editions().await?;
        }
        let mut tx = self.delivery.store.read().await?;
        let next = tx.next_try().await?;
        let under_way = tx.under_way().await?;
        let now = self.delivery.clock.now();
        let wait = |next: Timestamp| (next.0 - now.0).clamp(0, LOOK_AGAIN_SECONDS);
        let seconds = match next {
            Some(next) => u64::try_from(wait(next)).unwrap_or(0),
            None if self.run.is_endless() => WAIT_SECONDS_MAX,
            None if under_way > 0 => 1,
            None => return Ok(None),
        };
        Ok(Some(Duration::from_secs(seconds)))
    }
}

/// Spaces the beginnings of messages.
struct Pace {
    every: Duration,
    next: tokio::time::Instant,
}

impl Pace {
    fn new(messages_per_second: u32) -> Self {
        let every = Duration::from_secs(1) / messages_per_second.max(1);
        Self { every, next: tokio::time::Instant::now() }
    }

    async fn next(&mut self) {
        tokio::time::sleep_until(self.next).await;
        self.next = self.next.max(tokio::time::Instant::now()) + self.every;
    }
}
