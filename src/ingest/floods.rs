//! What of the news is told, what is only known from now on, and what is kept for a person: floods
//! of new items, and items much older than their source's newest.

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;
use crate::store::HoldCause;

/// New items of one source that are told without a question, for each day since its last answer.
pub const NEW_ITEMS_MAX_DEFAULT: u32 = 50;
/// The bounds of that number.
pub const NEW_ITEMS_MAX: std::ops::RangeInclusive<u32> = 1..=10_000;
/// How many days an item may be older than the newest known of its source, to be told without a
/// question.
pub const OLDER_DAYS_MAX_DEFAULT: u32 = 365;
/// The bounds of that number.
pub const OLDER_DAYS_MAX: std::ops::RangeInclusive<u32> = 1..=36_500;
/// The most days of a source's first answer that can be told.
pub const BASELINE_DAYS_MAX: u32 = 365;
/// Dates of publication before this are none: 1 January 1990, when nothing was on the web.
pub(super) const PUBLISHED_MIN: Timestamp = Timestamp(631_152_000);
/// How far a date of publication may be in the future: a day, for sites whose clock or zone is
/// wrong.
const AHEAD_SECONDS_MAX: i64 = DAY;
/// The most days without an answer that count for a flood: a site that comes back after a month may
/// have been rebuilt, which is what floods are made of.
const QUIET_DAYS_MAX: i64 = 2;
const DAY: i64 = 24 * 3600;

/// How much news of a source is told without a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NewsLimits {
    /// How many days of the first answer are told; none as a rule.
    pub baseline_days: u32,
    /// New items at once, for each day since the last answer.
    pub new_items_max: u32,
    /// Days that an item may be older than the newest known.
    pub older_days_max: u32,
}

impl Default for NewsLimits {
    fn default() -> Self {
        Self {
            baseline_days: 0,
            new_items_max: NEW_ITEMS_MAX_DEFAULT,
            older_days_max: OLDER_DAYS_MAX_DEFAULT,
        }
    }
}

impl NewsLimits {
    /// Whether they are the usual ones.
    pub fn are_usual(&self) -> bool {
        *self == Self::default()
    }

    /// Those in a source's settings, as they are kept with it.
    pub(super) fn of_settings(settings_json: &str) -> Self {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Settings {
            news: NewsLimits,
        }
        serde_json::from_str::<Settings>(settings_json).unwrap_or_default().news
    }
}

/// What becomes of an item that was not there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is known from now on, and tells nobody.
    Baseline,
    /// It is told.
    Told,
    /// It is kept until a person decides.
    Held(HoldCause),
}

/// What is known of a source when it answers.
#[derive(Clone, Copy, Debug)]
pub struct Before {
    /// Whether this is its first answer with items.
    pub first: bool,
    /// When it last answered.
    pub answered_at: Option<Timestamp>,
    /// The newest date of publication of its items.
    pub newest_published_at: Option<Timestamp>,
}

/// Whether a date of publication can be believed: neither the zero of a clock nor the future.
pub fn is_believed(published: Timestamp, now: Timestamp) -> bool {
    (PUBLISHED_MIN..=now.plus(AHEAD_SECONDS_MAX)).contains(&published)
}

/// What becomes of the new items of an answer, given by their believed dates. An item without a
/// date is neither old nor of the last days.
pub fn fates(
    limits: NewsLimits,
    before: Before,
    published: &[Option<Timestamp>],
    now: Timestamp,
) -> Vec<Fate> {
    let days = |number: u32| i64::from(number) * DAY;
    let since = |days: i64| Timestamp(now.0.saturating_sub(days));
    let mut fates: Vec<Fate> = published
        .iter()
        .map(|published| {
            let (first, newest) = (before.first, before.newest_published_at);
            let recent = published.is_some_and(|at| at >= since(days(limits.baseline_days)));
            let old = published.zip(newest).is_some_and(|(published, newest)| {
                published < Timestamp(newest.0 - days(limits.older_days_max))
            });
            match (first, recent && limits.baseline_days > 0, old) {
                (true, false, _) => Fate::Baseline,
                (false, _, true) => Fate::Held(HoldCause::Old),
                _ => Fate::Told,
            }
        })
        .collect();
    let quiet = before.answered_at.map_or(0, |at| (now.0 - at.0).max(0) / DAY);
    let at_once = i64::from(limits.new_items_max) * (1 + quiet.min(QUIET_DAYS_MAX));
    let told = fates.iter().filter(|fate| **fate == Fate::Told).count();
    if i64::try_from(told).is_ok_and(|told| told > at_once) {
        for fate in fates.iter_mut().filter(|fate| **fate == Fate::Told) {
            *fate = Fate::Held(HoldCause::Flood);
        }
    }
    fates
}
