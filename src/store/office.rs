//! What the admins are to know: written by the room in which it happens, in the transaction in
//! which it happens, and kept until `audience` writes the notices that tell it.

use serde::{Deserialize, Serialize};

use crate::model::{SourceId, Timestamp};

use super::value::values;
use super::{StoreError, Tx, statements};

statements! {
    INSERT_OFFICE_EVENT = "INSERT INTO office_event (happened_at, event_json) VALUES ($1, $2)";
    FIRST_OFFICE_EVENT = "SELECT min(happened_at) AS at FROM office_event";
    LOCK_OFFICE_EVENTS = "SELECT id, happened_at, event_json FROM office_event
        ORDER BY id LIMIT $1" + { postgres: "FOR UPDATE" };
    FORGET_OFFICE_EVENT = "DELETE FROM office_event WHERE id = $1";
    LAST_OFFICE_NOTICE = "SELECT m.created_at FROM notice n JOIN message m ON m.notice_id = n.id
        WHERE n.kind = 'office' ORDER BY n.id DESC LIMIT 1";
}

/// Something that the admins are to know. Nothing in it is of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "happened", rename_all = "snake_case")]
pub enum OfficeEvent {
    /// A source has failed for some time.
    SourceBad {
        /// Which.
        #[serde(flatten)]
        source: NamedSource,
        /// Since when it fails, in seconds of UTC.
        since: i64,
        /// Why, for whoever does not know the program.
        trouble: Trouble,
        /// Why, in the words of logs.
        error: String,
    },
    /// A source that was bad or gone answers again.
    SourceRecovered {
        /// Which.
        #[serde(flatten)]
        source: NamedSource,
        /// Since when it had failed, in seconds of UTC.
        since: Option<i64>,
    },
    /// A source says that it is gone for good, and is not polled any more.
    SourceGone {
        /// Which.
        #[serde(flatten)]
        source: NamedSource,
    },
    /// New items of a source, of which none was held before, are held for a person.
    ItemsHeld {
        /// Which.
        #[serde(flatten)]
        source: NamedSource,
    },
}

/// A source, as it is called when something happens to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedSource {
    /// Its id.
    pub source: SourceId,
    /// Its title, where it has one.
    pub title: Option<String>,
    /// The address that is asked, without what may be secret in it.
    pub url: String,
}

/// Why a source gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// Its server cannot be reached, or does not answer in time.
    Unreachable,
    /// Its address leads nowhere: 404, 410, redirects without an end, a file that is not there.
    Missing,
    /// It refuses programs: 401 and 403.
    Refused,
    /// Its server has trouble, or asks for time.
    Server,
    /// Its answer can be no news: broken, too large, a page where a feed was.
    Unreadable,
    /// Its page has no news, where there always were.
    Layout,
    /// Its settings, or this machine's.
    Settings,
}

impl Trouble {
    /// Every one.
    pub const ALL: [Trouble; 7] = [
        Self::Unreachable,
        Self::Missing,
        Self::Refused,
        Self::Server,
        Self::Unreadable,
        Self::Layout,
        Self::Settings,
    ];

    /// The word in the database, and of the phrases that explain it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Missing => "missing",
            Self::Refused => "refused",
            Self::Server => "server",
            Self::Unreadable => "unreadable",
            Self::Layout => "layout",
            Self::Settings => "settings",
        }
    }
}

/// Something that happened and has not been told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfficeEventRow {
    /// Its id.
    pub id: i64,
    /// When it happened.
    pub at: Timestamp,
    /// What.
    pub event: OfficeEvent,
}

impl Tx<'_> {
    /// Keeps what happens in this transaction for the admins.
    pub async fn happened(
        &mut self,
        event: &OfficeEvent,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let json = serde_json::to_string(event).expect("an event has a JSON form");
        self.execute(INSERT_OFFICE_EVENT, values![now, json]).await?;
        Ok(())
    }

    /// When the first of what has not been told happened.
    pub async fn first_office_event(&mut self) -> Result<Option<Timestamp>, StoreError> {
        self.one(FIRST_OFFICE_EVENT, values![]).await?.time_or_none("at")
    }

    /// When the last notice to the office was written, as far as the ledger still has it.
    pub async fn last_office_notice(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let row = self.row(LAST_OFFICE_NOTICE, values![]).await?;
        row.map(|row| row.time("created_at")).transpose()
    }

    /// What has not been told, at most `limit`, in order, held until the transaction ends: of two
    /// who tell it the second finds nothing.
    pub async fn hold_office_events(
        &mut self,
        limit: i64,
    ) -> Result<Vec<OfficeEventRow>, StoreError> {
        let rows = self.rows(LOCK_OFFICE_EVENTS, values![limit]).await?;
        rows.iter()
            .map(|row| {
                Ok(OfficeEventRow {
                    id: row.int("id")?,
                    at: row.time("happened_at")?,
                    event: row.json("event_json", "event for the office")?,
                })
            })
            .collect()
    }

    /// Forgets what has been told.
    pub async fn forget_office_events(
        &mut self,
        events: &[OfficeEventRow],
    ) -> Result<(), StoreError> {
        for event in events {
            self.execute(FORGET_OFFICE_EVENT, values![event.id]).await?;
        }
        Ok(())
    }
}
