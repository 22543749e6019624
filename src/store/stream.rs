//! The stream: entries in the one order in which they may be told, and the matches they carry.

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;

use crate::model::{SourceId, Timestamp};

use super::value::{Row, values};
use super::{Bell, NewRevision, StoreError, Tx, statements};

statements! {
    HEAD = "SELECT position FROM stream_head WHERE id = 1";
    ADVANCE_HEAD = "UPDATE stream_head SET position = position + $1 WHERE id = 1
        RETURNING position";
    INSERT_ENTRY = "INSERT INTO entry (item_id, revision, reason, source_id, position, placed_at)
        VALUES ($1, $2, $3, $4, $5, $6)";
    WINDOW = "SELECT e.position, e.item_id, e.revision, e.reason, e.source_id, e.placed_at,
            i.withdrawn_at, i.publication_end, r.title, r.link, r.summary, '' AS content,
            r.full_text, r.image_alt_json, r.categories_json, r.published_at, r.updated_at,
            m.classification_json
        FROM entry e
        JOIN item i ON i.id = e.item_id
        JOIN revision r ON r.item_id = e.item_id AND r.revision = e.revision
        LEFT JOIN item_match m
            ON m.item_id = e.item_id AND m.revision = e.revision AND m.ruleset = $3
        WHERE e.position > $1 AND e.position <= $2
        ORDER BY e.position";
    WITHDRAWN_IN_WINDOW = "SELECT e.position FROM entry e JOIN item i ON i.id = e.item_id
        WHERE e.position > $1 AND e.position <= $2 AND i.withdrawn_at IS NOT NULL
        ORDER BY e.position";
    FIRST_PLACED_AFTER = "SELECT placed_at FROM entry WHERE position > $1
        ORDER BY position LIMIT 1";
    ITEM_AT = "SELECT e.item_id, r.title FROM entry e
        JOIN revision r ON r.item_id = e.item_id AND r.revision = e.revision
        WHERE e.position = $1";
    ENTRIES_OF_ITEM = "SELECT position, revision, reason, source_id, placed_at FROM entry
        WHERE item_id = $1 AND position IS NOT NULL ORDER BY position";
    INSERT_MATCH = "INSERT INTO item_match
            (item_id, revision, ruleset, classification_json, matched_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (item_id, revision, ruleset) DO NOTHING";
    MATCH = "SELECT classification_json FROM item_match
        WHERE item_id = $1 AND revision = $2 AND ruleset = $3";
}

/// Why an entry is in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryReason {
    /// The item is new.
    New,
    /// Its text was corrected in a way worth telling.
    Correction,
    /// The office wants it told again.
    Again,
}

impl EntryReason {
    /// The word in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Correction => "correction",
            Self::Again => "again",
        }
    }
}

impl fmt::Display for EntryReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for EntryReason {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::New, Self::Correction, Self::Again]
            .into_iter()
            .find(|reason| reason.as_str() == text)
            .ok_or(())
    }
}

/// An entry of the stream with the texts of its revision and what the asked rule set found in it.
#[derive(Clone, Debug)]
pub struct EntryRow {
    /// Its place in the order.
    pub position: i64,
    /// The item.
    pub item_id: i64,
    /// The revision that is told.
    pub revision: i64,
    /// Why.
    pub reason: EntryReason,
    /// The item's source.
    pub source_id: SourceId,
    /// When it got its position.
    pub placed_at: Timestamp,
    /// When the item was withdrawn.
    pub withdrawn_at: Option<Timestamp>,
    /// The last day of the item's publication in an albo.
    pub publication_end: Option<NaiveDate>,
    /// The texts, with an empty `content`: no mail shows it, and windows are long.
    pub text: NewRevision,
    /// The match, as JSON text; none where this rule set has not seen the revision.
    pub classification_json: Option<String>,
}

impl Tx<'_> {
    /// The position of the newest entry; 0 before the first.
    pub async fn stream_head(&mut self) -> Result<i64, StoreError> {
        self.one(HEAD, values![]).await?.int("position")
    }

    /// Appends one entry an (item, revision, source), in their order. The head's row stays locked
    /// until the transaction ends, so this comes as late in it as can be: a position that were
    /// committed late would be skipped by a cut taken before.
    pub async fn append_entries(
        &mut self,
        entries: &[(i64, i64, SourceId)],
        reason: EntryReason,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let count = i64::try_from(entries.len()).unwrap_or(i64::MAX);
        if count == 0 {
            return Ok(());
        }
        self.ring(Bell::Editions);
        let head = self.one(ADVANCE_HEAD, values![count]).await?.int("position")?;
        for (position, (item, revision, source)) in (head - count + 1..).zip(entries) {
            let values = values![*item, *revision, reason.as_str(), source, position, now];
            self.execute(INSERT_ENTRY, values).await.map_err(|e| e.or_exists("the entry"))?;
        }
        Ok(())
    }

    /// The entries after one position and up to another, in order.
    pub async fn window(
        &mut self,
        after: i64,
        cut: i64,
        ruleset: &str,
    ) -> Result<Vec<EntryRow>, StoreError> {
        let rows = self.rows(WINDOW, values![after, cut, ruleset]).await?;
        rows.iter().map(EntryRow::read).collect()
    }

    /// The positions after one and up to another whose items are withdrawn.
    pub async fn withdrawn_in_window(
        &mut self,
        after: i64,
        cut: i64,
    ) -> Result<Vec<i64>, StoreError> {
        let rows = self.rows(WITHDRAWN_IN_WINDOW, values![after, cut]).await?;
        rows.iter().map(|row| row.int("position")).collect()
    }

    /// When the first entry after a position got its own.
    pub async fn first_placed_after(
        &mut self,
        position: i64,
    ) -> Result<Option<Timestamp>, StoreError> {
        let row = self.row(FIRST_PLACED_AFTER, values![position]).await?;
        row.map(|row| row.time("placed_at")).transpose()
    }

    /// The item of the entry at a position: its id and the title that is told.
    pub async fn item_at(&mut self, position: i64) -> Result<Option<(i64, String)>, StoreError> {
        let row = self.row(ITEM_AT, values![position]).await?;
        row.map(|row| Ok((row.int("item_id")?, row.text("title")?))).transpose()
    }

    /// The positions at which an item stands in the stream: position, revision, reason, source,
    /// time.
    pub async fn entries_of_item(
        &mut self,
        item: i64,
    ) -> Result<Vec<(i64, i64, EntryReason, SourceId, Timestamp)>, StoreError> {
        let rows = self.rows(ENTRIES_OF_ITEM, values![item]).await?;
        rows.iter()
            .map(|row| {
                Ok((
                    row.int("position")?,
                    row.int("revision")?,
                    row.word("reason", "reason of an entry")?,
                    row.word("source_id", "source id")?,
                    row.time("placed_at")?,
                ))
            })
            .collect()
    }

    /// Keeps what a rule set found in a revision. What is kept already stays as it is.
    pub async fn insert_match(
        &mut self,
        item: i64,
        revision: i64,
        ruleset: &str,
        classification_json: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let values = values![item, revision, ruleset, classification_json, now];
        self.execute(INSERT_MATCH, values).await?;
        Ok(())
    }

    /// What a rule set found in a revision, as JSON text.
    pub async fn item_match(
        &mut self,
        item: i64,
        revision: i64,
        ruleset: &str,
    ) -> Result<Option<String>, StoreError> {
        let row = self.row(MATCH, values![item, revision, ruleset]).await?;
        row.map(|row| row.text("classification_json")).transpose()
    }
}

impl EntryRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            position: row.int("position")?,
            item_id: row.int("item_id")?,
            revision: row.int("revision")?,
            reason: row.word("reason", "reason of an entry")?,
            source_id: row.word("source_id", "source id")?,
            placed_at: row.time("placed_at")?,
            withdrawn_at: row.time_or_none("withdrawn_at")?,
            publication_end: row.word_or_none("publication_end", "day")?,
            text: NewRevision::read(row)?,
            classification_json: row.text_or_none("classification_json")?,
        })
    }
}
