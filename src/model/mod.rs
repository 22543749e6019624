//! The words that all rooms share, as types. Input becomes one of these at the door, or an error.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// An instant, in whole seconds of UTC since 1970. What the database keeps; calendar questions are
/// asked in the site's zone, never of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This instant as chrono's type, clamped to what chrono can hold in every zone.
    pub fn utc(self) -> DateTime<Utc> {
        // No zone is a whole day away from UTC.
        let day = TimeDelta::days(1);
        let (first, last) = (DateTime::<Utc>::MIN_UTC + day, DateTime::<Utc>::MAX_UTC - day);
        let seconds = self.0.clamp(first.timestamp(), last.timestamp());
        DateTime::from_timestamp(seconds, 0).unwrap_or(last)
    }

    /// This instant in a zone.
    pub fn in_zone(self, zone: Tz) -> DateTime<Tz> {
        self.utc().with_timezone(&zone)
    }

    /// RFC 3339 in the zone, as every command prints times.
    pub fn rfc3339(self, zone: Tz) -> String {
        self.in_zone(zone).to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    /// The instant `seconds` later.
    #[must_use]
    pub fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }
}

impl<Z: TimeZone> From<DateTime<Z>> for Timestamp {
    fn from(time: DateTime<Z>) -> Self {
        Self(time.timestamp())
    }
}

/// A language people read. Italian first, English second.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Italian, the default.
    #[default]
    It,
    /// English.
    En,
}

impl Language {
    /// Every language with a catalogue.
    pub const ALL: [Language; 2] = [Language::It, Language::En];

    /// The BCP 47 tag, as HTML's `lang` and the database have it.
    pub fn tag(self) -> &'static str {
        match self {
            Language::It => "it",
            Language::En => "en",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

impl FromStr for Language {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Language::ALL
            .into_iter()
            .find(|language| language.tag() == text)
            .ok_or_else(|| InvalidId { what: "language", text: text.to_owned() })
    }
}

/// A name that is not an id: empty, too long, or with characters other than `a-z`, `0-9`, `-`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {what}")]
pub struct InvalidId {
    /// What it should have named.
    pub what: &'static str,
    /// What was given, cut to a readable length.
    pub text: String,
}

/// The longest id accepted, in octets.
pub const ID_OCTETS_MAX: usize = 64;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id as it stands in configuration, database and JSON.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let fits = (1..=ID_OCTETS_MAX).contains(&text.len())
                    && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
                if fits {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidId { what: $what, text: text.chars().take(ID_OCTETS_MAX).collect() })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// A source: a feed or a page that is polled.
    SourceId, "source id"
);
id!(
    /// A topic: what an item is about.
    TopicId, "topic id"
);
id!(
    /// A place: a municipality where an item matters.
    PlaceId, "place id"
);
id!(
    /// A list: an audience with a sender, cadences and sources.
    ListId, "list id"
);
id!(
    /// The name of a cadence of a list: `immediate`, `daily`, `weekly`, or one of the office's own.
    CadenceId, "cadence"
);

impl CadenceId {
    /// The cadence that has no hour: news go out as they come.
    pub const IMMEDIATE: &'static str = "immediate";

    /// Whether it is the one without an hour.
    pub fn is_immediate(&self) -> bool {
        self.0 == Self::IMMEDIATE
    }
}
