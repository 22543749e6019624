//! Items that are held: new, and kept back until a person looks at them. While an item is held, so
//! are its entries: they stand in the stream without positions, and block nothing.

use std::str::FromStr;

use crate::model::{SourceId, Timestamp};

use super::value::{Row, values};
use super::{EntryReason, StoreError, Tx, statements};

statements! {
    INSERT_HOLD = "INSERT INTO hold (item_id, source_id, cause, held_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (item_id) DO NOTHING";
    LOCK_HOLD = "SELECT h.*, i.revision FROM hold h JOIN item i ON i.id = h.item_id
        WHERE h.item_id = $1 AND h.ended_at IS NULL" + { postgres: "FOR UPDATE OF h" };
    END_HOLD = "UPDATE hold SET ended_at = $2, ended_as = $3, ended_by = $4
        WHERE item_id = $1 AND ended_at IS NULL";
    HOLD = "SELECT h.*, i.revision FROM hold h JOIN item i ON i.id = h.item_id
        WHERE h.item_id = $1";
    HELD_ITEMS = "SELECT h.item_id, h.source_id, h.cause, h.held_at, r.title, r.link,
            r.published_at
        FROM hold h JOIN item i ON i.id = h.item_id
        JOIN revision r ON r.item_id = i.id AND r.revision = i.revision
        WHERE h.ended_at IS NULL AND h.item_id > $1 ORDER BY h.item_id LIMIT $2";
    HELD_ITEMS_OF = "SELECT h.item_id, h.source_id, h.cause, h.held_at, r.title, r.link,
            r.published_at
        FROM hold h JOIN item i ON i.id = h.item_id
        JOIN revision r ON r.item_id = i.id AND r.revision = i.revision
        WHERE h.ended_at IS NULL AND h.source_id = $1 AND h.item_id > $2
        ORDER BY h.item_id LIMIT $3";
    COUNT_HELD = "SELECT count(*) AS n FROM hold WHERE source_id = $1 AND ended_at IS NULL";
    HOLD_ENTRY = "INSERT INTO entry (item_id, revision, reason, source_id) VALUES ($1, $2, $3, $4)
        ON CONFLICT (item_id, revision, reason) DO NOTHING";
    FORGET_HELD_ENTRIES = "DELETE FROM entry WHERE item_id = $1 AND position IS NULL";
}

/// Why an item is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HoldCause {
    /// It came with more new items than its source has at once.
    Flood,
    /// Its date is far before what is known of its source.
    Old,
}

impl HoldCause {
    /// The word in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Flood => "flood",
            Self::Old => "old",
        }
    }
}

impl FromStr for HoldCause {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Flood, Self::Old].into_iter().find(|cause| cause.as_str() == text).ok_or(())
    }
}

/// That an item is held, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRow {
    /// The item.
    pub item: i64,
    /// Its newest revision.
    pub revision: i64,
    /// Its source.
    pub source: SourceId,
    /// Why.
    pub cause: HoldCause,
    /// Since when.
    pub held_at: Timestamp,
    /// When somebody decided, what (`released` or `dropped`), and who.
    pub ended: Option<(Timestamp, String, String)>,
}

/// An item that is held, as a person sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldItem {
    /// The item.
    pub item: i64,
    /// Its source.
    pub source: SourceId,
    /// Why.
    pub cause: HoldCause,
    /// Since when.
    pub held_at: Timestamp,
    /// Its title.
    pub title: String,
    /// Its own page.
    pub link: Option<String>,
    /// When it was published, as far as that is believed.
    pub published_at: Option<Timestamp>,
}

impl Tx<'_> {
    /// Holds an item.
    pub async fn hold_item(
        &mut self,
        item: i64,
        source: &SourceId,
        cause: HoldCause,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute(INSERT_HOLD, values![item, source, cause.as_str(), now]).await?;
        Ok(())
    }

    /// An item that is held, locked until the transaction ends; none where it is not held, or no
    /// more.
    pub async fn lock_hold(&mut self, item: i64) -> Result<Option<HoldRow>, StoreError> {
        self.row(LOCK_HOLD, values![item]).await?.as_ref().map(HoldRow::read).transpose()
    }

    /// Ends the holding of an item: as `released` or `dropped`, by whom.
    pub async fn end_hold(
        &mut self,
        item: i64,
        ended_as: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute(END_HOLD, values![item, now, ended_as, by]).await?;
        Ok(())
    }

    /// That an item is held, or was; none where it never was.
    pub async fn hold(&mut self, item: i64) -> Result<Option<HoldRow>, StoreError> {
        self.row(HOLD, values![item]).await?.as_ref().map(HoldRow::read).transpose()
    }

    /// Items that are held, of one source or of all, after an id, at most `limit`.
    pub async fn held_items(
        &mut self,
        source: Option<&SourceId>,
        after: i64,
        limit: i64,
    ) -> Result<Vec<HeldItem>, StoreError> {
        let rows = match source {
            Some(source) => self.rows(HELD_ITEMS_OF, values![source, after, limit]).await?,
            None => self.rows(HELD_ITEMS, values![after, limit]).await?,
        };
        rows.iter().map(HeldItem::read).collect()
    }

    /// How many items of a source are held.
    pub async fn count_held(&mut self, source: &SourceId) -> Result<i64, StoreError> {
        self.one(COUNT_HELD, values![source]).await?.int("n")
    }

    /// Puts an entry into the stream without a position.
    pub async fn hold_entry(
        &mut self,
        item: i64,
        revision: i64,
        reason: EntryReason,
        source: &SourceId,
    ) -> Result<(), StoreError> {
        let values = values![item, revision, reason.as_str(), source];
        self.execute(HOLD_ENTRY, values).await?;
        Ok(())
    }

    /// Takes the entries of an item that have no position out of the stream.
    pub async fn forget_held_entries(&mut self, item: i64) -> Result<(), StoreError> {
        self.execute(FORGET_HELD_ENTRIES, values![item]).await?;
        Ok(())
    }
}

impl HoldRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let ended_at = row.time_or_none("ended_at")?;
        let ended_as = row.text_or_none("ended_as")?;
        let ended_by = row.text_or_none("ended_by")?;
        Ok(Self {
            item: row.int("item_id")?,
            revision: row.int("revision")?,
            source: row.word("source_id", "source id")?,
            cause: row.word("cause", "cause of a hold")?,
            held_at: row.time("held_at")?,
            ended: ended_at
                .map(|at| (at, ended_as.unwrap_or_default(), ended_by.unwrap_or_default())),
        })
    }
}

impl HeldItem {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            item: row.int("item_id")?,
            source: row.word("source_id", "source id")?,
            cause: row.word("cause", "cause of a hold")?,
            held_at: row.time("held_at")?,
            title: row.text("title")?,
            link: row.text_or_none("link")?,
            published_at: row.time_or_none("published_at")?,
        })
    }
}
