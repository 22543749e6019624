//! The one clock. Time comes into every room as a value that was read here.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use crate::model::Timestamp;

/// Tells the time: the system's, one that was started elsewhere (`--at`), or one that a test steps.
#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    System,
    Started { at: Timestamp, since: Instant, speed: u32 },
    Stepped(Arc<AtomicI64>),
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Kind::System)
    }

    /// A clock that shows `at` now and runs on from there.
    pub fn started_at(at: Timestamp) -> Self {
        Self::running(at, 1)
    }

    /// A clock that shows `at` now and runs on `speed` times as fast as others: the demo's, in
    /// which a day passes in minutes.
    pub fn running(at: Timestamp, speed: u32) -> Self {
        Self(Kind::Started { at, since: Instant::now(), speed })
    }

    /// A clock that stands still until [`Clock::step`].
    pub fn stepped(at: Timestamp) -> Self {
        Self(Kind::Stepped(Arc::new(AtomicI64::new(at.0))))
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Kind::System => chrono::Utc::now().into(),
            Kind::Started { at, since, speed } => {
                let elapsed = since.elapsed().saturating_mul(*speed).as_secs();
                at.plus(i64::try_from(elapsed).unwrap_or(i64::MAX))
            }
            Kind::Stepped(seconds) => Timestamp(seconds.load(Ordering::SeqCst)),
        }
    }

    /// Moves a stepped clock on; other clocks move by themselves and stay as they are.
    pub fn step(&self, seconds: i64) {
        if let Kind::Stepped(now) = &self.0 {
            now.fetch_add(seconds, Ordering::SeqCst);
        }
    }
}
