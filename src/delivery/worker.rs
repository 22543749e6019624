//! Delivers what is due: claims messages in small batches, hands them to a bounded number of
//! connections, and takes over what a worker that is gone has left.

use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use crate::audience::{Keys, Mailbox};
use crate::clock::Clock;
use crate::model::Timestamp;
use crate::store::{ClaimedMessage, DeliveryLock, MessageOf, OutcomeRow, Store};

use super::line::{Job, Line};
use super::parcels::{Own, Parcels};
use super::recorder::Recorder;
use super::smtp::{Envelope, Relay};
use super::{DeliveryError, policy};

/// How long a worker that says nothing is taken to be alive, in seconds.
pub const LEASE_SECONDS: i64 = 120;
/// How often it says something, in seconds.
const RENEW_SECONDS: u64 = 30;
/// How many messages are claimed for each connection: the one under way and the next.
const CLAIMED_A_CONNECTION: usize = 2;
/// How many connections there are for each place that must be free before more is claimed, so that
/// one flush serves several claims. The places that are not free keep every connection busy.
const CONNECTIONS_A_FREE_PLACE: usize = 2;
/// The first and the longest pause after a connection could not be opened, in seconds.
pub(super) const RELAY_PAUSE_SECONDS: (u64, u64) = (2, 60);
/// How long the worker sleeps at most before it looks again, in seconds.
const LOOK_AGAIN_SECONDS: i64 = 5;

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
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Delivered {
    /// What happened to its attempts.
    pub totals: Totals,
    /// Why the relay could not be reached at last, if so.
    pub relay_away: Option<String>,
}

impl Delivery {
    /// Delivers what is due now; with `until_empty`, also what becomes due, until nothing is
    /// queued, sending or deferred. `progress` follows the totals.
    ///
    /// # Errors
    /// [`DeliveryError`]: another process delivers from this database, or the database fails.
    pub async fn run(
        &self,
        until_empty: bool,
        progress: watch::Sender<Totals>,
    ) -> Result<Delivered, DeliveryError> {
        let lock = self.store.lock_delivery()?;
        let worker = rand::random::<i64>() & i64::MAX;
        let now = self.clock.now();
        let mut tx = self.store.write().await?;
        tx.insert_worker(worker, now, now.plus(LEASE_SECONDS)).await?;
        tx.commit().await?;
        let (recorder, recording) =
            Recorder::start(self.store.clone(), self.clock.clone(), progress.clone());
        let places = Arc::new(Semaphore::new(self.connections * CLAIMED_A_CONNECTION));
        let (jobs, waiting) = mpsc::channel(self.connections * CLAIMED_A_CONNECTION);
        let (working, ending) = watch::channel(());
        let line = Arc::new(Line::new(waiting, recorder, ending, self.clone()));
        let mut connections = JoinSet::new();
        for _ in 0..self.connections {
            connections.spawn(Arc::clone(&line).serve());
        }
        let mut claiming = Claiming {
            delivery: self,
            parcels: Parcels::new(self.store.clone(), self.keys.clone(), self.zone),
            worker,
            lock,
            places,
            line: Arc::clone(&line),
            pace: self.messages_per_second.map(Pace::new),
            pause: RELAY_PAUSE_SECONDS.0,
        };
        let claimed = claiming.run(&jobs, until_empty, &progress).await;
        drop(claiming);
        drop((jobs, working));
        while connections.join_next().await.is_some() {}
        let relay_away = line.failure();
        // The recorder ends with the last sender, which the line holds.
        drop(line);
        recording.await.map_err(|_| DeliveryError::Recorder)??;
        claimed?;
        self.end_editions().await?;
        let totals = *progress.borrow();
        Ok(Delivered { totals, relay_away })
    }

    /// Ends the editions of which nothing is on its way any more.
    async fn end_editions(&self) -> Result<(), DeliveryError> {
        let mut tx = self.store.write().await?;
        for edition in tx.open_editions().await? {
            tx.end_edition(edition.id).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Claims messages and hands them to the connections.
struct Claiming<'a> {
    delivery: &'a Delivery,
    parcels: Parcels,
    worker: i64,
    lock: DeliveryLock,
    places: Arc<Semaphore>,
    line: Arc<Line>,
    pace: Option<Pace>,
    pause: u64,
}

impl Claiming<'_> {
    async fn run(
        &mut self,
        jobs: &mpsc::Sender<Job>,
        until_empty: bool,
        progress: &watch::Sender<Totals>,
    ) -> Result<(), DeliveryError> {
        let all = self.delivery.connections * CLAIMED_A_CONNECTION;
        let enough = self.delivery.connections.div_ceil(CONNECTIONS_A_FREE_PLACE);
        let enough = u32::try_from(enough).unwrap_or(1);
        self.keep_alive(progress).await?;
        let mut renew = tokio::time::interval(Duration::from_secs(RENEW_SECONDS));
        let mut accepted = 0;
        loop {
            if self.line.recorder_is_gone() {
                return Err(DeliveryError::Recorder);
            }
            let renewing = tokio::select! {
                _ = renew.tick() => true,
                places = self.places.acquire_many(enough) => {
                    drop(places);
                    false
                }
            };
            if renewing {
                self.keep_alive(progress).await?;
            }
            if self.line.relay_is_away() {
                // What is claimed already is deferred by its connection; nothing more is claimed.
                let _ = self.places.acquire_many(u32::try_from(all).unwrap_or(1)).await;
                if !until_empty {
                    return Ok(());
                }
                let now_accepted = progress.borrow().accepted;
                if now_accepted > accepted {
                    (accepted, self.pause) = (now_accepted, RELAY_PAUSE_SECONDS.0);
                }
                tokio::time::sleep(Duration::from_secs(self.pause)).await;
                self.pause = (self.pause * 2).min(RELAY_PAUSE_SECONDS.1);
                self.line.try_again();
            }
            let free = self.places.available_permits();
            if free == 0 {
                continue;
            }
            if self.claim(jobs, free).await? > 0 {
                continue;
            }
            if self.places.available_permits() < all {
                // Something is under way, and may come back to the queue.
                let before = self.places.available_permits();
                self.wait_for_places(before).await;
                continue;
            }
            match self.next_look(until_empty).await? {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Ok(()),
            }
        }
    }

    /// Waits until one more place is free than there were.
    async fn wait_for_places(&self, before: usize) {
        let wanted = u32::try_from(before + 1).unwrap_or(1);
        let limit = Duration::from_secs(RENEW_SECONDS);
        let _ = tokio::time::timeout(limit, self.places.acquire_many(wanted)).await;
    }

    /// Renews the lease and takes over what workers that are gone have left.
    async fn keep_alive(&mut self, progress: &watch::Sender<Totals>) -> Result<(), DeliveryError> {
        let now = self.delivery.clock.now();
        let mut tx = self.delivery.store.write().await?;
        tx.renew_lease(self.worker, now.plus(LEASE_SECONDS)).await?;
        for (worker, lease_until) in tx.other_workers(self.worker).await? {
            if self.lock.is_alone() || lease_until < now {
                let doubts = tx.take_over(worker, now).await?;
                let doubts = u64::try_from(doubts).unwrap_or(0);
                progress.send_modify(|totals| totals.in_doubt += doubts);
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// Claims at most as many messages as there are places; gives how many rows it looked at.
    async fn claim(
        &mut self,
        jobs: &mpsc::Sender<Job>,
        free: usize,
    ) -> Result<usize, DeliveryError> {
        let now = self.delivery.clock.now();
        let mut tx = self.delivery.store.write().await?;
        let mut looked_at = 0;
        let mut claimed = Vec::new();
        let left = |claimed: &[ClaimedMessage]| {
            i64::try_from(free.saturating_sub(claimed.len())).unwrap_or(i64::MAX)
        };
        // Somebody sits before their mailbox and waits for a notice: no edition goes first.
        let mut due = tx.due_notices(now, left(&claimed)).await?;
        let mut editions = tx.open_editions().await?.into_iter();
        loop {
            for message in due {
                looked_at += 1;
                match policy::unsendable(&message, now) {
                    Some((state, cause)) => tx.end_unsent(message.id, state, cause, now).await?,
                    None => claimed.push(message),
                }
            }
            let next = editions.next().filter(|_| claimed.len() < free);
            let Some(edition) = next else { break };
            due = tx.due_messages(edition.id, now, left(&claimed)).await?;
        }
        if looked_at == 0 {
            return Ok(0);
        }
        let ids: Vec<i64> = claimed.iter().map(|message| message.id).collect();
        if !ids.is_empty() {
            tx.claim(&ids, self.worker, now).await?;
        }
        tx.commit().await?;
        for message in claimed {
            self.hand_over(jobs, message).await?;
        }
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
        let place = Arc::clone(&self.places).acquire_owned().await;
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
        let sender: Mailbox = message.sender.parse().map_err(DeliveryError::Sender)?;
        let recipient = message.address.clone().unwrap_or_default();
        let bytes = match message.of {
            MessageOf::Notice { notice } => self.parcels.notice(message, notice, &sender).await?,
            MessageOf::Edition { edition, subscription, variant } => {
                let body = self.parcels.body(variant).await?;
                let own = Own {
                    edition,
                    subscriber: message.subscriber_id,
                    subscription,
                    address: &recipient,
                    created_at: message.created_at,
                    sender: &sender,
                };
                self.parcels.message(&body, &own)
            }
        };
        Ok((bytes, Envelope { return_path: sender.address.to_string(), recipient }))
    }

    /// How long to wait until something may be due; none where the run is at its end.
    async fn next_look(&self, until_empty: bool) -> Result<Option<Duration>, DeliveryError> {
        if !until_empty {
            return Ok(None);
        }
        let mut tx = self.delivery.store.read().await?;
        let next = tx.next_try().await?;
        let under_way = tx.under_way().await?;
        let now = self.delivery.clock.now();
        let wait = |next: Timestamp| (next.0 - now.0).clamp(0, LOOK_AGAIN_SECONDS);
        let seconds = match next {
            Some(next) => wait(next),
            None if under_way > 0 => 1,
            None => return Ok(None),
        };
        // Never at once: a row that is due and cannot be claimed must not make the loop spin.
        let seconds = u64::try_from(seconds).unwrap_or(0);
        Ok(Some(Duration::from_secs(seconds).max(Duration::from_millis(50))))
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
