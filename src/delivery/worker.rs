//! Claims what is due in small batches, and hands it to a bounded number of connections.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::audience::Mailbox;
use crate::causes::chain;
use crate::model::Timestamp;
use crate::pause::Pauses;
use crate::store::{Bell, ClaimedMessage, GivingBack, Listener, MessageOf, Tx};

use super::domains::{Domains, InHand, Turn};
use super::line::{Job, Line};
use super::parcels::{Own, Parcels};
use super::places::Places;
use super::recorder::COMMIT_SECONDS_MAX;
use super::run::{Delivery, Run, Until};
use super::smtp::Envelope;
use super::{DeliveryError, policy};

/// How many messages are claimed for each connection: the one under way and the next.
pub(super) const CLAIMED_A_CONNECTION: usize = 2;
/// How many connections there are for each place that must be free before more is claimed, so that
/// one flush serves several claims. The places that are not free keep every connection busy.
const CONNECTIONS_A_FREE_PLACE: usize = 2;
/// The first and the longest pause after a connection could not be opened, in seconds.
const RELAY_PAUSE_SECONDS: (u64, u64) = (2, 60);
/// How long a run with an end sleeps at most before it looks again, in seconds.
const LOOK_AGAIN_SECONDS: u64 = 5;
/// How long it waits at most for a place or for work, in seconds; then it goes round once more.
const WAIT_SECONDS_MAX: u64 = 30;
/// The shortest pause before it looks again, in milliseconds: a row that is due and cannot be
/// claimed, or a bell that rings and rings, must not make the loop spin.
const LOOK_AGAIN_MS_MIN: u64 = 50;

/// Whether the loop goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Again,
    End,
}

/// Claims messages and hands them to the connections.
pub(super) struct Claiming<'a> {
    delivery: &'a Delivery,
    run: &'a Run,
    parcels: Parcels,
    worker: i64,
    places: Places,
    line: Arc<Line>,
    bell: Listener,
    pace: Option<Pace>,
    pauses: Pauses,
    /// How many were accepted when the relay was last taken to be there.
    accepted: u64,
    /// Whether this worker may have messages that are not in hand.
    strays: bool,
    domains: Domains,
    /// Whether the relays had had their share when it was claimed last; and whether that was said.
    share_used_up: bool,
    said_used_up: bool,
}

impl<'a> Claiming<'a> {
    pub fn new(delivery: &'a Delivery, run: &'a Run, worker: i64, line: Arc<Line>) -> Self {
        let Delivery { store, keys, zone, connections, messages_per_second, .. } = delivery;
        Self {
            delivery,
            run,
            parcels: Parcels::new(store.clone(), keys.clone(), *zone),
            worker,
            places: Places::new(connections * CLAIMED_A_CONNECTION),
            line,
            bell: store.listen(Bell::Delivery),
            pace: messages_per_second.map(Pace::new),
            pauses: relay_pauses(),
            accepted: 0,
            strays: false,
            domains: Domains::new(delivery.domains),
            share_used_up: false,
            said_used_up: false,
        }
    }

    /// Goes round until the run ends. While the database is away this is said, slowed and tried
    /// again; a run that has an end has bounds for that too.
    pub async fn go_on(&mut self, jobs: &mpsc::Sender<Job>) -> Result<(), DeliveryError> {
        let mut pauses = Pauses::default();
        loop {
            let turn = tokio::select! {
                biased;
                () = self.run.stop.cancelled() => return Ok(()),
                turn = self.turn(jobs) => turn,
            };
            (self.run.beat)(turn.as_ref().map(|_| ()));
            let error = match turn {
                Ok(Step::End) => return Ok(()),
                Ok(Step::Again) => {
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
            tracing::warn!(error = chain(&error), "messages could not be claimed; trying again");
            self.sleep(pause).await;
        }
    }

    /// Waits, unless the run is stopped.
    async fn sleep(&self, pause: Duration) {
        let _ = tokio::time::timeout(pause, self.run.stop.cancelled()).await;
    }

    /// Once round: waits for places, claims for them, and where nothing is due waits for that. It
    /// may be dropped while it waits.
    async fn turn(&mut self, jobs: &mpsc::Sender<Job>) -> Result<Step, DeliveryError> {
        if self.line.recorder_is_gone() {
            return Err(DeliveryError::Recorder);
        }
        let wait = Duration::from_secs(WAIT_SECONDS_MAX);
        let enough = self.delivery.connections.div_ceil(CONNECTIONS_A_FREE_PLACE);
        if tokio::time::timeout(wait, self.places.wait_for(enough)).await.is_err() {
            return Ok(Step::Again);
        }
        if self.line.relay_is_away() {
            return Ok(self.wait_for_relay().await);
        }
        let was_idle = self.places.are_all_free();
        let free = self.places.free();
        if free == 0 || self.claim(jobs, free).await? > 0 {
            return Ok(Step::Again);
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
            return Ok(Step::Again);
        }
        if !was_idle {
            // What was under way has ended since: a relay may have more of its share left than was
            // seen.
            return Ok(Step::Again);
        }
        let Some(pause) = self.next_look().await? else { return Ok(Step::End) };
        let used_up = self.share_used_up && pause.is_zero();
        let pause = if used_up { self.used_up() } else { pause };
        self.said_used_up &= used_up;
        self.sleep(Duration::from_millis(LOOK_AGAIN_MS_MIN)).await;
        let _ = tokio::time::timeout(pause, self.bell.rung()).await;
        Ok(Step::Again)
    }

    /// What is claimed already is deferred by its connection; nothing more is claimed until the
    /// relay is tried again.
    async fn wait_for_relay(&mut self) -> Step {
        let wait = Duration::from_secs(WAIT_SECONDS_MAX);
        if tokio::time::timeout(wait, self.places.wait_for_all()).await.is_err() {
            return Step::Again;
        }
        if self.run.until == Until::Tried {
            return Step::End;
        }
        let accepted = self.run.progress.borrow().accepted;
        if accepted > self.accepted {
            self.accepted = accepted;
            self.pauses.went_well();
        }
        let (cause, pause) = (self.line.failure().unwrap_or_default(), self.pauses.after_failure());
        let seconds = pause.as_secs();
        tracing::warn!("the relay cannot be reached: {cause}; trying again in {seconds} s");
        self.sleep(pause).await;
        self.line.try_again();
        Step::Again
    }

    /// The relays have had their share, and something is due: how long to wait.
    fn used_up(&mut self) -> Duration {
        if !self.said_used_up {
            tracing::warn!("the relays have had their share of the hour or the day; waiting");
            self.said_used_up = true;
        }
        Duration::from_secs(WAIT_SECONDS_MAX)
    }

    /// How many messages may be claimed where so many places are free, and how many of them may be
    /// an edition's.
    async fn room(
        &self,
        tx: &mut Tx<'_>,
        free: usize,
        now: Timestamp,
    ) -> Result<(usize, usize), DeliveryError> {
        let relays = &self.delivery.relays;
        for (relay, name) in relays.limited() {
            relays.set_used(relay, tx.relayed(name, now).await?);
        }
        let in_hand = self.places.in_hand().len();
        Ok(relays.claimable(in_hand).map_or((free, free), |(left, kept)| {
            (free.min(left), free.min(left.saturating_sub(kept)))
        }))
    }

    /// Claims at most as many messages as there are places; gives how many rows it looked at.
    async fn claim(
        &mut self,
        jobs: &mpsc::Sender<Job>,
        free: usize,
    ) -> Result<usize, DeliveryError> {
        let now = self.delivery.clock.now();
        let mut tx = self.delivery.store.write().await?;
        tx.require_current().await?;
        tx.hold_lease(self.worker, now, self.delivery.lease_seconds).await?;
        self.strays |= self.places.were_given_up();
        let mut doubts = 0;
        if self.strays {
            let in_hand = self.places.in_hand();
            doubts = tx.give_back(self.worker, GivingBack::NotInHand(&in_hand), now).await?;
        }
        let mut looked_at = 0;
        let mut claimed = Vec::new();
        let (all, of_editions) = self.room(&mut tx, free, now).await?;
        self.share_used_up = of_editions == 0;
        let left = |claimed: &[(ClaimedMessage, InHand)], room: usize| {
            i64::try_from(room.saturating_sub(claimed.len())).unwrap_or(i64::MAX)
        };
        // Somebody sits before their mailbox and waits for a notice: no edition goes first.
        let mut due = tx.due_notices(now, left(&claimed, all)).await?;
        let mut editions = tx.open_editions().await?;
        // What is urgent does not wait behind a large digest. The sort is stable.
        editions.sort_by_key(|edition| !edition.cadence.is_immediate());
        let mut editions = editions.into_iter();
        loop {
            for message in due {
                looked_at += 1;
                if let Some((state, cause)) = policy::unsendable(&message, now) {
                    tx.end_unsent(message.id, state, cause, now).await?;
                    continue;
                }
                let notice = matches!(message.of, MessageOf::Notice { .. });
                let address = message.address.as_deref().unwrap_or_default();
                match self.domains.turn(address, notice, now) {
                    Turn::Now(in_hand) => claimed.push((message, in_hand)),
                    Turn::Later(at) => tx.put_off(message.id, at).await?,
                }
            }
            let next = editions.next().filter(|_| claimed.len() < of_editions);
            let Some(edition) = next else { break };
            due = tx.due_messages(edition.id, now, left(&claimed, of_editions)).await?;
        }
        if looked_at == 0 && !self.strays {
            return Ok(0);
        }
        let ids: Vec<i64> = claimed.iter().map(|(message, _)| message.id).collect();
        if !ids.is_empty() {
            tx.claim(&ids, self.worker, now).await?;
        }
        // Until all of them are handed over: a stop, or a failure, may come between.
        self.strays = true;
        tx.commit().await?;
        let doubts = u64::try_from(doubts).unwrap_or(0);
        self.run.progress.send_if_modified(|totals| {
            totals.in_doubt += doubts;
            doubts > 0
        });
        for (message, in_hand) in claimed {
            self.hand_over(jobs, message, in_hand).await?;
        }
        self.strays = false;
        Ok(looked_at)
    }

    async fn hand_over(
        &mut self,
        jobs: &mpsc::Sender<Job>,
        message: ClaimedMessage,
        in_hand: InHand,
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
        let job = Job { message, envelope, bytes, place, _domain: in_hand };
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
                let own = Own::of(message, (edition, subscription), &recipient, &sender);
                self.parcels.message(&body, &own)
            }
        };
        let return_path = match &self.delivery.bounce_address {
            Some(bounces) => self.delivery.keys.bounce_address(bounces, message.id),
            None => sender.address.to_string(),
        };
        Ok((bytes, Envelope { return_path, recipient }))
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
        let longest = if self.run.is_endless() { WAIT_SECONDS_MAX } else { LOOK_AGAIN_SECONDS };
        let wait = |next: Timestamp| u64::try_from(next.0 - now.0).unwrap_or(0).min(longest);
        let seconds = match next {
            Some(next) => wait(next),
            None if self.run.is_endless() => WAIT_SECONDS_MAX,
            None if under_way > 0 => 1,
            None => return Ok(None),
        };
        Ok(Some(Duration::from_secs(seconds)))
    }
}

/// The pauses after connections that could not be opened.
pub(super) fn relay_pauses() -> Pauses {
    let (first, longest) = RELAY_PAUSE_SECONDS;
    Pauses::new(Duration::from_secs(first), Duration::from_secs(longest))
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
