//! What goes to one recipients' domain: how many messages at once, and how many in a minute.
//!
//! A message that is one too many is put off, once: the k-th of them by k intervals. So a queue of
//! 100,000 messages to one provider keeps nobody else's waiting, and is not looked at again and
//! again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::Timestamp;

/// How many domains are kept in mind; beyond, those of which nothing is known to be soon are
/// forgotten, and the limits are as if they were new.
const DOMAINS_MAX: usize = 10_000;
/// How long it is saved up for what was not sent, in seconds: so many messages may go at once after
/// a pause.
const BURST_SECONDS: f64 = 10.0;
/// How long a message is taken to be under way where there is only a limit of how many at once, in
/// seconds.
const UNDER_WAY_SECONDS: f64 = 1.0;

/// The limits of each recipients' domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DomainLimits {
    /// How many messages to it may be under way at once; no limit where absent.
    pub at_once: Option<u32>,
    /// How many to it may begin in a minute; no limit where absent.
    pub per_minute: Option<u32>,
}

/// How it is with one domain.
#[derive(Clone, Copy, Debug)]
struct Standing {
    in_hand: u32,
    /// How many may begin now; and when that was so, in seconds.
    saved: f64,
    at: f64,
    /// Up to when messages have been put off, in seconds.
    horizon: f64,
}

type Standings = HashMap<String, Standing>;

/// The domains of a run.
#[derive(Clone, Debug)]
pub(super) struct Domains {
    limits: DomainLimits,
    standings: Arc<Mutex<Standings>>,
}

/// Whether a message may go now.
pub(super) enum Turn {
    /// It may; it counts as long as this lives.
    Now(InHand),
    /// It is put off until then.
    Later(Timestamp),
}

impl Domains {
    pub fn new(limits: DomainLimits) -> Self {
        Self { limits, standings: Arc::default() }
    }

    /// Whether there is anything to limit.
    fn is_limited(&self) -> bool {
        self.limits != DomainLimits::default()
    }

    /// The turn of a message to an address. One that is `urgent` is counted and goes.
    pub fn turn(&self, address: &str, urgent: bool, now: Timestamp) -> Turn {
        if !self.is_limited() {
            return Turn::Now(InHand { domain: None, standings: Arc::clone(&self.standings) });
        }
        let domain = address.rsplit_once('@').map_or(address, |(_, domain)| domain);
        let domain = domain.to_ascii_lowercase();
        let seconds = now.0 as f64;
        let mut standings = lock(&self.standings);
        if standings.len() >= DOMAINS_MAX && !standings.contains_key(&domain) {
            standings.retain(|_, known| known.in_hand > 0 || known.horizon > seconds);
        }
        let a_second = self.limits.per_minute.map(|limit| f64::from(limit) / 60.0);
        let burst = a_second.map_or(1.0, |rate| (rate * BURST_SECONDS).max(1.0));
        let new = Standing { in_hand: 0, saved: burst, at: seconds, horizon: seconds };
        let known = standings.entry(domain.clone()).or_insert(new);
        if let Some(rate) = a_second {
            known.saved = (known.saved + (seconds - known.at).max(0.0) * rate).min(burst);
        }
        known.at = seconds;
        let has_saved = a_second.is_none() || known.saved >= 1.0;
        let has_room = self.limits.at_once.is_none_or(|limit| known.in_hand < limit);
        if urgent || has_saved && has_room {
            known.in_hand += 1;
            known.saved = (known.saved - 1.0).max(0.0);
            let standings = Arc::clone(&self.standings);
            return Turn::Now(InHand { domain: Some(domain), standings });
        }
        let between = a_second.map_or(0.0, |rate| 1.0 / rate);
        let each = self.limits.at_once.map_or(0.0, |limit| UNDER_WAY_SECONDS / f64::from(limit));
        known.horizon = known.horizon.max(seconds) + between.max(each);
        // At least a second, the clock's own step: the queue is not asked again before.
        Turn::Later(now.plus(((known.horizon - seconds).ceil() as i64).max(1)))
    }
}

/// A message to a domain that is under way.
#[derive(Debug)]
pub(super) struct InHand {
    domain: Option<String>,
    standings: Arc<Mutex<Standings>>,
}

impl Drop for InHand {
    fn drop(&mut self) {
        let Some(domain) = &self.domain else { return };
        if let Some(known) = lock(&self.standings).get_mut(domain) {
            known.in_hand = known.in_hand.saturating_sub(1);
        }
    }
}

fn lock(standings: &Mutex<Standings>) -> MutexGuard<'_, Standings> {
    standings.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_582_800);

    fn of(at_once: Option<u32>, per_minute: Option<u32>) -> Domains {
        Domains::new(DomainLimits { at_once, per_minute })
    }

    fn later(turn: Turn) -> Option<i64> {
        match turn {
            Turn::Now(_) => None,
            Turn::Later(at) => Some(at.0 - NOW.0),
        }
    }

    #[test]
    fn what_is_too_much_for_a_domain_is_put_off_one_after_the_other_and_goes_then() {
        let domains = of(None, Some(6));
        let turns = (0..5).map(|_| later(domains.turn("a@example.it", false, NOW)));
        assert_eq!(turns.collect::<Vec<_>>(), [None, Some(10), Some(20), Some(30), Some(40)]);
        assert_eq!(later(domains.turn("a@EXAMPLE.com", false, NOW)), None, "another domain");
        for step in 1..=4 {
            let then = NOW.plus(10 * step);
            assert!(matches!(domains.turn("a@Example.IT", false, then), Turn::Now(_)), "{step}");
        }
    }

    #[test]
    fn no_more_are_under_way_to_a_domain_than_may_be_and_a_notice_always_goes() {
        let domains = of(Some(1), None);
        let Turn::Now(first) = domains.turn("a@example.it", false, NOW) else {
            panic!("the first")
        };
        assert_eq!(later(domains.turn("b@example.it", false, NOW)), Some(1));
        assert_eq!(later(domains.turn("c@example.it", true, NOW)), None);
        drop(first);
        assert_eq!(later(domains.turn("b@example.it", false, NOW)), None);
    }
}
