//! The pauses of something that fails and is tried again: each twice as long as the one before, up
//! to a limit.

use std::time::{Duration, Instant};

/// The first and the longest pause after a failure, in seconds.
pub const FAILURE_PAUSE_SECONDS: (u64, u64) = (1, 60);

/// Pauses that grow while it goes wrong, and begin anew when it goes well.
#[derive(Clone, Debug)]
pub struct Pauses {
    first: Duration,
    longest: Duration,
    next: Duration,
    failing_since: Option<Instant>,
}

impl Pauses {
    /// Pauses from `first` up to `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first, failing_since: None }
    }

    /// It went well.
    pub fn went_well(&mut self) {
        (self.next, self.failing_since) = (self.first, None);
    }

    /// It failed: how long to wait before it is tried again.
    pub fn after_failure(&mut self) -> Duration {
        self.failing_since.get_or_insert_with(Instant::now);
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        pause
    }

    /// How long it has been failing without a break.
    pub fn failing_for(&self) -> Duration {
        self.failing_since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

impl Default for Pauses {
    /// As [`FAILURE_PAUSE_SECONDS`] says.
    fn default() -> Self {
        let (first, longest) = FAILURE_PAUSE_SECONDS;
        Self::new(Duration::from_secs(first), Duration::from_secs(longest))
    }
}
