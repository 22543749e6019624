//! What named persons have corrected in items. Only ever added to.

use crate::model::Timestamp;

use super::value::{Row, values};
use super::{StoreError, Tx, statements};

statements! {
    LOCK_CORRECTIONS = {
        sqlite: "",
        postgres: "SELECT 1 FROM stream_head WHERE id = 1 FOR UPDATE"
    };
    CORRECT_ITEM = "INSERT INTO item_correction (item_id, kind, subject, says, said_by, said_at)
        VALUES ($1, $2, $3, $4, $5, $6) RETURNING id";
    CORRECTIONS_OF_ITEM = "SELECT * FROM item_correction WHERE item_id = $1 AND id <= $2
        ORDER BY id";
    CORRECTIONS_IN_WINDOW = "SELECT c.* FROM item_correction c WHERE c.id <= $3
        AND c.item_id IN (SELECT e.item_id FROM entry e WHERE e.position > $1 AND e.position <= $2)
        ORDER BY c.id";
    CORRECTIONS = "SELECT * FROM item_correction WHERE id > $1 ORDER BY id LIMIT $2";
    ITEMS_SEEN_SINCE = "SELECT i.id, i.source_id, i.revision, i.first_seen_at FROM item i
        WHERE i.first_seen_at >= $1 AND i.id > $2 ORDER BY i.id LIMIT $3";
}

/// What somebody says of an item.
#[derive(Clone, Copy, Debug)]
pub struct NewCorrection<'a> {
    /// The item.
    pub item: i64,
    /// `topic` or `place`.
    pub kind: &'a str,
    /// Which topic or place.
    pub subject: &'a str,
    /// Whether the item has it.
    pub is: bool,
    /// Who says so.
    pub by: &'a str,
}

/// A correction as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorrectionRow {
    /// Its place in the order.
    pub id: i64,
    /// The item.
    pub item: i64,
    /// `topic` or `place`.
    pub kind: String,
    /// Which topic or place.
    pub subject: String,
    /// Whether the item has it.
    pub is: bool,
    /// Who said so.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl Tx<'_> {
    /// Until the transaction ends nobody else keeps a correction: so what an edition knows when it
    /// opens is all that was kept before.
    pub async fn lock_corrections(&mut self) -> Result<(), StoreError> {
        self.lock(LOCK_CORRECTIONS, values![]).await
    }

    /// Keeps a correction, under [`Tx::lock_corrections`]; gives its id.
    pub async fn correct_item(
        &mut self,
        new: &NewCorrection<'_>,
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        let values = values![new.item, new.kind, new.subject, new.is, new.by, now];
        self.one(CORRECT_ITEM, values).await?.int("id")
    }

    /// The corrections of an item up to one, in their order; all of them where none is named.
    pub async fn corrections_of_item(
        &mut self,
        item: i64,
        up_to: Option<i64>,
    ) -> Result<Vec<CorrectionRow>, StoreError> {
        let values = values![item, up_to.unwrap_or(i64::MAX)];
        let rows = self.rows(CORRECTIONS_OF_ITEM, values).await?;
        rows.iter().map(CorrectionRow::read).collect()
    }

    /// The corrections up to one of items with entries after a position and up to another.
    pub async fn corrections_in_window(
        &mut self,
        after: i64,
        cut: i64,
        up_to: i64,
    ) -> Result<Vec<CorrectionRow>, StoreError> {
        let rows = self.rows(CORRECTIONS_IN_WINDOW, values![after, cut, up_to]).await?;
        rows.iter().map(CorrectionRow::read).collect()
    }

    /// Corrections after an id, at most `limit`, in their order.
    pub async fn corrections_after(
        &mut self,
        id: i64,
        limit: i64,
    ) -> Result<Vec<CorrectionRow>, StoreError> {
        let rows = self.rows(CORRECTIONS, values![id, limit]).await?;
        rows.iter().map(CorrectionRow::read).collect()
    }

    /// Items first seen at or after a time, after an id, at most `limit`: id, source, newest
    /// revision, and when they were first seen.
    pub async fn items_seen_since(
        &mut self,
        since: Timestamp,
        after: i64,
        limit: i64,
    ) -> Result<Vec<(i64, crate::model::SourceId, i64, Timestamp)>, StoreError> {
        let rows = self.rows(ITEMS_SEEN_SINCE, values![since, after, limit]).await?;
        rows.iter()
            .map(|row| {
                Ok((
                    row.int("id")?,
                    row.word("source_id", "source id")?,
                    row.int("revision")?,
                    row.time("first_seen_at")?,
                ))
            })
            .collect()
    }
}

impl CorrectionRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.int("id")?,
            item: row.int("item_id")?,
            kind: row.text("kind")?,
            subject: row.text("subject")?,
            is: row.flag("says")?,
            by: row.text("said_by")?,
            at: row.time("said_at")?,
        })
    }
}
