//! When a source is asked again. A function of what is known of it and of time; it keeps nothing.

use chrono::{Datelike as _, Timelike as _};
use sha2::{Digest as _, Sha256};

use super::hints::FeedHints;
use crate::model::{SourceId, Timestamp};

/// The interval of a source that changes often, where nobody has set one, in seconds.
pub const ADAPTED_SECONDS_MIN: i64 = 900;
/// The interval of a source that has not changed for days, where nobody has set one, in seconds.
pub const ADAPTED_SECONDS_MAX: i64 = 2 * 3600;
/// An interval that nobody has set is this fraction of how long ago the source last changed: the
/// shortest for six hours, an hour after a day, the longest after two.
pub const QUIET_FRACTION: i64 = 24;
/// How much earlier than its interval a source may be asked, in hundredths: sources that were added
/// together drift apart. Never later, so that who polls by cron as often as that finds it due.
pub const JITTER_PERCENT_MAX: i64 = 10;
/// For how long an answer may say that it need not be asked for again (max-age, `ttl`), in seconds.
pub const HINTED_SECONDS_MAX: i64 = 4 * 3600;
/// For how long `skipHours` and `skipDays` keep a source from being asked, in seconds. Who skips
/// more is asked all the same.
pub const SKIPPED_SECONDS_MAX: i64 = 72 * 3600;
/// The longest interval of a source that fails, in seconds, unless its own is longer.
pub const FAILING_SECONDS_MAX: i64 = 24 * 3600;
/// For how long a Retry-After is heeded, in seconds.
pub const RETRY_AFTER_SECONDS_MAX: i64 = 48 * 3600;

/// What decides when a source is due.
#[derive(Clone, Copy, Debug)]
pub struct Due<'a> {
    /// Which: part of its jitter.
    pub source: &'a SourceId,
    /// The interval that an admin set, in seconds.
    pub every_seconds: Option<i64>,
    /// When it last had something new.
    pub changed_at: Option<Timestamp>,
    /// When it was asked.
    pub now: Timestamp,
}

impl Due<'_> {
    /// From one poll to the next, in seconds, without jitter and hints.
    pub fn interval(&self) -> i64 {
        self.every_seconds.unwrap_or_else(|| {
            let quiet = self.changed_at.map_or(i64::MAX, |at| self.now.0 - at.0);
            (quiet / QUIET_FRACTION).clamp(ADAPTED_SECONDS_MIN, ADAPTED_SECONDS_MAX)
        })
    }

    /// After an answer: its interval, less some jitter; not while the answer is fresh, not before
    /// its `ttl`, and not in the hours and days that it skips, each within its bound.
    pub fn after_answer(&self, fresh_seconds: Option<u64>, hints: &FeedHints) -> Timestamp {
        let fresh = i64::try_from(fresh_seconds.unwrap_or(0)).unwrap_or(i64::MAX);
        let asked = fresh.max(i64::from(hints.ttl_minutes) * 60).min(HINTED_SECONDS_MAX);
        let next = self.now.plus(self.jittered(self.interval()).max(asked));
        beyond_skipped(next, hints)
    }

    /// After so many failures in a row: the interval, doubled by each up to a day, less some
    /// jitter; not before an instant that the server named, within its bound.
    pub fn after_failure(&self, failures: i64, retry_at: Option<Timestamp>) -> Timestamp {
        let every = self.every_seconds.unwrap_or(ADAPTED_SECONDS_MIN);
        let doublings = u32::try_from(failures).unwrap_or(0).min(16);
        let wait = (every << doublings).min(FAILING_SECONDS_MAX.max(every));
        let next = self.now.plus(self.jittered(wait));
        retry_at.map_or(next, |at| next.max(at.min(self.now.plus(RETRY_AFTER_SECONDS_MAX))))
    }

    /// The same for the same source at the same time, so that it can be explained.
    fn jittered(&self, seconds: i64) -> i64 {
        let digest = Sha256::digest(format!("{} {}", self.source, self.now.0));
        let number = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
        let most = seconds.saturating_mul(JITTER_PERCENT_MAX) / 100;
        seconds - i64::from(number) % (most + 1)
    }
}

/// The first instant from `at` on that no hour and no day skips; `at` itself where all are skipped
/// for longer than the bound.
fn beyond_skipped(at: Timestamp, hints: &FeedHints) -> Timestamp {
    let skipped = |at: Timestamp| {
        let Some(time) = chrono::DateTime::from_timestamp(at.0, 0) else { return false };
        let hour = u8::try_from(time.hour()).unwrap_or(0);
        let day = u8::try_from(time.weekday().num_days_from_monday()).unwrap_or(0);
        hints.skip_hours.contains(&hour) || hints.skip_days.contains(&day)
    };
    let mut tried = at;
    while skipped(tried) {
        tried = tried.plus(3600 - tried.0.rem_euclid(3600));
        if tried.0 - at.0 > SKIPPED_SECONDS_MAX {
            return at;
        }
    }
    tried
}
