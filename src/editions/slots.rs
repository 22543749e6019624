//! When editions are due. A slot is a local date and time, told exactly once: in a gap of the
//! calendar at the first instant after it, in a fold at the first of the two.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Duration, LocalResult, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;

use crate::model::{CadenceId, Timestamp};

/// The gathering time: an immediate edition is due so many seconds after its first entry, so that
/// what a source publishes together is told together.
pub const GATHERING_SECONDS: i64 = 300;
/// How far a zone's calendar is ever moved at once, in hours; the widest known is less.
const CALENDAR_JUMP_HOURS_MAX: i64 = 3;
/// How long a gap of a zone's calendar is looked through for its end.
const GAP_MINUTES_MAX: i64 = 26 * 60;

/// How often a list is sent.
#[derive(Clone, Debug)]
pub enum Schedule {
    /// As news come, gathered over [`GATHERING_SECONDS`].
    Immediate,
    /// At the local times of a cron expression.
    Cron {
        /// As it was written.
        text: String,
        /// As it is reckoned with.
        slots: Box<cron::Schedule>,
    },
}

/// A slot: its name in the site's calendar, which is unique in its cadence, and its instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// `2026-11-25T07:00:00`; with an offset where it is no hour of a calendar but a moment.
    pub name: String,
    /// When it is due.
    pub at: Timestamp,
}

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSchedule {
    /// Weekdays as numbers, which mean different days to different programs.
    #[error("weekdays are written as numbers")]
    NumberedWeekday,
    /// Anything else.
    #[error("this is no cron expression: {0}")]
    Cron(String),
}

impl InvalidSchedule {
    /// What to write instead.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NumberedWeekday => "write weekdays by name: Mon, Tue, Wed, Thu, Fri, Sat, Sun",
            Self::Cron(_) => {
                "six fields, seconds first: \"0 0 7 * * *\" is every day at 7, \
                 \"0 0 7 * * Mon\" every Monday"
            }
        }
    }
}

impl Schedule {
    /// Reads a cron expression, seconds first, weekdays by name.
    ///
    /// # Errors
    /// [`InvalidSchedule`], with a hint.
    pub fn parse(text: &str) -> Result<Self, InvalidSchedule> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        if fields.len() == 6 || fields.len() == 7 {
            // The crate reads 1 as Sunday, cron as Monday; nobody should have to know.
            if fields[5].bytes().any(|byte| byte.is_ascii_digit()) {
                return Err(InvalidSchedule::NumberedWeekday);
            }
        } else {
            let what = format!("it has {} fields", fields.len());
            return Err(InvalidSchedule::Cron(what));
        }
        let slots = cron::Schedule::from_str(text)
            .map_err(|error| InvalidSchedule::Cron(error.to_string()))?;
        Ok(Self::Cron { text: text.to_owned(), slots: Box::new(slots) })
    }

    /// Reads what [`Schedule`]'s `Display` wrote.
    ///
    /// # Errors
    /// [`InvalidSchedule`] where it is neither.
    pub fn read(text: &str) -> Result<Self, InvalidSchedule> {
        if text == CadenceId::IMMEDIATE { Ok(Self::Immediate) } else { Self::parse(text) }
    }

    /// The newest slot of a calendar after `last` and up to `now`: slots between are joined to it.
    pub fn due(&self, last: Timestamp, now: Timestamp, zone: Tz) -> Option<Slot> {
        let Self::Cron { slots, .. } = self else { return None };
        // A little further than now, since a local time may be read before its instant has come.
        let horizon = now.in_zone(zone).naive_local() + Duration::hours(CALENDAR_JUMP_HOURS_MAX);
        let before = slots.after(&Utc.from_utc_datetime(&horizon)).rev();
        before
            .map(|local| slot(local.naive_utc(), zone))
            .find(|slot| slot.at <= now)
            .filter(|slot| slot.at > last)
    }

    /// The next slot of a calendar after an instant; none for immediate, and where none comes.
    pub fn next(&self, after: Timestamp, zone: Tz) -> Option<Slot> {
        let Self::Cron { slots, .. } = self else { return None };
        let start = after.in_zone(zone).naive_local() - Duration::hours(CALENDAR_JUMP_HOURS_MAX);
        slots
            .after(&Utc.from_utc_datetime(&start))
            .map(|local| slot(local.naive_utc(), zone))
            .find(|slot| slot.at > after)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Immediate => f.write_str(CadenceId::IMMEDIATE),
            Self::Cron { text, .. } => f.write_str(text),
        }
    }
}

impl Slot {
    /// A slot that is a moment, not an hour of a calendar.
    pub fn moment(at: Timestamp, zone: Tz) -> Self {
        Self { name: at.rfc3339(zone), at }
    }
}

fn slot(local: NaiveDateTime, zone: Tz) -> Slot {
    let name = local.format("%Y-%m-%dT%H:%M:%S").to_string();
    Slot { name, at: instant(local, zone).into() }
}

/// The instant of a local time: the first of two in a fold, the end of the gap in a gap.
pub fn instant(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    let mut time = local;
    for _ in 0..=GAP_MINUTES_MAX {
        match zone.from_local_datetime(&time) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => return at.to_utc(),
            // Gaps end on a whole minute.
            LocalResult::None => {
                let seconds = Duration::seconds(time.and_utc().timestamp().rem_euclid(60));
                time = time - seconds + Duration::minutes(1);
            }
        }
    }
    Utc.from_utc_datetime(&local)
}

/// Midnight of the local day of an instant.
pub fn day_start(now: Timestamp, zone: Tz) -> Timestamp {
    let midnight = now.in_zone(zone).date_naive().and_time(chrono::NaiveTime::MIN);
    instant(midnight, zone).into()
}

/// The first midnight after an instant.
pub fn next_midnight(after: Timestamp, zone: Tz) -> Timestamp {
    let date = after.in_zone(zone).date_naive();
    let next = date.succ_opt().unwrap_or(date).and_time(chrono::NaiveTime::MIN);
    instant(next, zone).into()
}
