//! The relays of a run, in the order in which they are asked: which can be reached, which has had
//! its share of the hour or the day, and how many connections it bears at the moment.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::smtp::{Connection, Failure, InvalidRelay, Relay, Stage, StageLimits};
use super::worker::relay_pauses;
use crate::config::Smtp;
use crate::pause::Pauses;
use crate::store::RelayUse;

/// The part of a relay's share that digests leave to notices, in percent: who signs up in the hour
/// of a large edition shall not wait for the next.
const NOTICES_PERCENT: i64 = 5;
/// How many messages must be accepted for each connection before one more is tried.
const ACCEPTED_A_STEP: usize = 5;

/// One relay, and how it is with it.
struct One {
    relay: Relay,
    name: String,
    per_hour: Option<i64>,
    per_day: Option<i64>,
    messages_per_connection: u32,
    /// What was left of its share when that was last read from the database.
    left: AtomicI64,
    /// Messages that are being handed over; they may not be counted in the database yet.
    taken: AtomicI64,
    /// Until when it is left alone, after it could not be reached.
    rest: Mutex<(Option<Instant>, Pauses)>,
}

impl One {
    fn of(config: &Smtp, relay: Relay) -> Self {
        Self {
            relay,
            name: config.name(),
            per_hour: config.messages_per_hour.map(i64::from),
            per_day: config.messages_per_day.map(i64::from),
            messages_per_connection: config.messages_per_connection,
            // Unknown until it is read; whoever claims reads it first.
            left: AtomicI64::new(i64::MAX / 2),
            taken: AtomicI64::new(0),
            rest: Mutex::new((None, relay_pauses())),
        }
    }

    fn is_limited(&self) -> bool {
        self.per_hour.is_some() || self.per_day.is_some()
    }

    fn share(&self) -> i64 {
        let least = self.per_hour.into_iter().chain(self.per_day).min();
        least.unwrap_or(0)
    }

    /// What is left of its share; none where it has no limit.
    fn left(&self) -> Option<i64> {
        let taken = self.taken.load(Ordering::SeqCst);
        self.is_limited().then(|| (self.left.load(Ordering::SeqCst) - taken).max(0))
    }

    fn has_left(&self) -> bool {
        self.left().is_none_or(|left| left > 0)
    }

    fn rests(&self) -> bool {
        let rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        rest.0.is_some_and(|until| Instant::now() < until)
    }

    fn note(&self, reached: bool) {
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        if reached {
            rest.0 = None;
            rest.1.went_well();
        } else if rest.0.is_none_or(|until| Instant::now() >= until) {
            let pause = rest.1.after_failure();
            rest.0 = Some(Instant::now() + pause);
        }
    }
}

/// Why no connection was opened.
pub(super) enum NotOpened {
    /// None could be reached.
    Failed(Failure),
    /// Those that can be reached have had their share.
    ShareUsedUp,
}

/// The relays of a run.
pub struct Relays {
    all: Vec<One>,
}

impl Relays {
    /// The relays of the settings: the first and its fallbacks. `hello_name` as for
    /// [`Relay::new`].
    ///
    /// # Errors
    /// As [`Relay::new`], for any of them.
    pub fn new(config: &Smtp, hello_name: &str, limits: StageLimits) -> Result<Self, InvalidRelay> {
        let configs = std::iter::once(config).chain(&config.fallbacks);
        let made = configs.map(|config| {
            let idle = std::time::Duration::from_secs(config.idle_seconds.unsigned_abs());
            let limits = StageLimits { idle, ..limits };
            Ok(One::of(config, Relay::new(config, hello_name.to_owned(), limits)?))
        });
        Ok(Self { all: made.collect::<Result<_, InvalidRelay>>()? })
    }

    /// One relay, with everything else as the settings say: for what makes its relay itself.
    pub fn only(config: &Smtp, relay: Relay) -> Self {
        Self { all: vec![One::of(config, relay)] }
    }

    /// How long a connection to one of them waits for the next message.
    pub(super) fn idle(&self, relay: usize) -> std::time::Duration {
        self.all[relay].relay.limits().idle
    }

    /// How many messages a connection to one of them carries.
    pub(super) fn messages_per_connection(&self, relay: usize) -> u32 {
        self.all[relay].messages_per_connection
    }

    /// The name under which what one of them takes is counted; none where nothing is to be counted.
    pub(super) fn counted_as(&self, relay: usize) -> Option<String> {
        let one = &self.all[relay];
        one.is_limited().then(|| one.name.clone())
    }

    /// Those that have a share, with their names.
    pub(super) fn limited(&self) -> impl Iterator<Item = (usize, &str)> {
        let limited = self.all.iter().enumerate().filter(|(_, one)| one.is_limited());
        limited.map(|(at, one)| (at, one.name.as_str()))
    }

    /// Notes what the database says one of them has taken.
    pub(super) fn set_used(&self, relay: usize, used: RelayUse) {
        let one = &self.all[relay];
        let hour = one.per_hour.map(|limit| limit - used.hour);
        let day = one.per_day.map(|limit| limit - used.day);
        let left = hour.into_iter().chain(day).min().unwrap_or(0);
        one.left.store(left, Ordering::SeqCst);
    }

    /// How many more messages may be claimed while so many are in hand, and how many of them are
    /// kept for notices; no limit where a relay has none.
    pub(super) fn claimable(&self, in_hand: usize) -> Option<(usize, usize)> {
        let mut left = 0;
        let mut waiting = i64::try_from(in_hand).unwrap_or(i64::MAX);
        let mut kept = 0;
        for one in &self.all {
            left += one.left()?;
            waiting -= one.taken.load(Ordering::SeqCst);
            kept += (one.share() * NOTICES_PERCENT / 100).max(1);
        }
        let number = |n: i64| usize::try_from(n.max(0)).unwrap_or(usize::MAX);
        Some((number(left - waiting.max(0)), number(kept)))
    }

    /// Takes one message of a relay's share; none where nothing is left of it.
    pub(super) fn take(&self, relay: usize) -> Option<Taken<'_>> {
        let one = &self.all[relay];
        one.taken.fetch_add(1, Ordering::SeqCst);
        let taken = Taken(&one.taken);
        let left = one.left.load(Ordering::SeqCst) - one.taken.load(Ordering::SeqCst);
        (!one.is_limited() || left >= 0).then_some(taken)
    }

    /// Opens a connection to the first that has something left and can be reached. One that could
    /// not be reached is left alone for a while, unless it is the last hope.
    pub(super) async fn open(&self) -> Result<(Connection, usize), NotOpened> {
        let mut failure = None;
        let with_share = || self.all.iter().enumerate().filter(|(_, one)| one.has_left());
        let awake = with_share().filter(|(_, one)| !one.rests());
        let resting = with_share().filter(|(_, one)| one.rests());
        for (at, one) in awake.chain(resting) {
            match one.relay.open().await {
                Ok(connection) => {
                    one.note(true);
                    return Ok((connection, at));
                }
                Err(error) => {
                    one.note(false);
                    if self.all.len() > 1 {
                        tracing::warn!("relay {}: {error}", one.name);
                    }
                    failure.get_or_insert(error);
                }
            }
        }
        Err(failure.map_or(NotOpened::ShareUsedUp, NotOpened::Failed))
    }

    /// A connection for what is no message of the outbox, such as a dry run.
    ///
    /// # Errors
    /// Why none could be opened, in words.
    pub async fn open_aside(&self) -> Result<Connection, String> {
        match self.open().await {
            Ok((connection, _)) => Ok(connection),
            Err(NotOpened::Failed(failure)) => Err(failure.to_string()),
            Err(NotOpened::ShareUsedUp) => Err("it has had its share".to_owned()),
        }
    }
}

/// A message of a relay's share that is being handed over.
pub(super) struct Taken<'a>(&'a AtomicI64);

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// How many messages may be handed over at once at the moment. Half as many after a relay has said
/// "not now" of itself; one more after it has accepted some for each.
pub(super) struct Tempo {
    most: usize,
    allowed: AtomicUsize,
    under_way: AtomicUsize,
    accepted: AtomicUsize,
    changed: Notify,
}

impl Tempo {
    pub fn new(most: usize) -> Self {
        Self {
            most,
            allowed: AtomicUsize::new(most),
            under_way: AtomicUsize::new(0),
            accepted: AtomicUsize::new(0),
            changed: Notify::new(),
        }
    }

    /// Waits until one more may be handed over. May be dropped while it waits.
    pub async fn begin(&self) -> UnderWay<'_> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Before the look, so that what changes after it is heard.
            changed.as_mut().enable();
            let allowed = self.allowed.load(Ordering::SeqCst);
            let more = |now: usize| (now < allowed).then_some(now + 1);
            if self.under_way.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).is_ok() {
                return UnderWay(self);
            }
            changed.await;
        }
    }

    /// A message was accepted.
    pub fn went_well(&self) {
        let allowed = self.allowed.load(Ordering::SeqCst);
        if allowed < self.most
            && self.accepted.fetch_add(1, Ordering::SeqCst) + 1 >= allowed * ACCEPTED_A_STEP
        {
            self.accepted.store(0, Ordering::SeqCst);
            self.allowed.store(allowed + 1, Ordering::SeqCst);
            self.changed.notify_waiters();
        }
    }

    /// A message was not accepted: slower, where it was for the relay's sake.
    pub fn failed(&self, failure: &Failure) {
        if is_too_fast(failure) {
            let half = |allowed: usize| Some((allowed / 2).max(1));
            let _ = self.allowed.fetch_update(Ordering::SeqCst, Ordering::SeqCst, half);
            self.accepted.store(0, Ordering::SeqCst);
        }
    }

    /// How many may be handed over at once.
    #[cfg(test)]
    fn allowed(&self) -> usize {
        self.allowed.load(Ordering::SeqCst)
    }
}

/// Whether a relay means itself: 4yz, where not about one recipient (greylisting says 450 and 451
/// to RCPT), and 421 and 452 wherever they come (RFC 5321 4.2.2, 4.5.3.1.10).
fn is_too_fast(failure: &Failure) -> bool {
    let Some(reply) = &failure.reply else { return false };
    match reply.code {
        421 | 452 => true,
        400..500 => failure.stage != Stage::Rcpt,
        _ => false,
    }
}

/// A message that is being handed over.
pub(super) struct UnderWay<'a>(&'a Tempo);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
        self.0.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::super::smtp::{FailureKind, Reply};
    use super::*;

    fn said(stage: Stage, code: u16) -> Failure {
        let reply = Reply { code, enhanced: None, text: String::new() };
        Failure { stage, kind: FailureKind::Temporary, reply: Some(reply), what: String::new() }
    }

    #[test]
    fn a_relay_that_says_not_now_gets_half_and_more_again_as_it_accepts() {
        let tempo = Tempo::new(8);
        tempo.failed(&said(Stage::Mail, 451));
        assert_eq!(tempo.allowed(), 4);
        tempo.failed(&said(Stage::Rcpt, 450));
        assert_eq!(tempo.allowed(), 4, "that is one recipient's");
        for _ in 0..5 {
            tempo.failed(&said(Stage::Rcpt, 421));
        }
        assert_eq!(tempo.allowed(), 1, "something always goes on");
        for _ in 0..ACCEPTED_A_STEP * (1 + 2 + 3 + 4 + 5 + 6 + 7) {
            tempo.went_well();
        }
        assert_eq!(tempo.allowed(), 8);
        tempo.went_well();
        assert_eq!(tempo.allowed(), 8);
    }

    #[tokio::test]
    async fn no_more_are_handed_over_at_once_than_are_allowed() {
        let tempo = Tempo::new(2);
        let first = tempo.begin().await;
        let _second = tempo.begin().await;
        let mut third = Box::pin(tempo.begin());
        assert!(futures_util::poll!(third.as_mut()).is_pending());
        drop(first);
        assert!(futures_util::poll!(third.as_mut()).is_ready());
    }
}
