//! Lists, the sources they carry, and their cadences with cut and slot.

use crate::model::{CadenceId, ListId, Timestamp};

use super::value::{Row, values};
use super::{Bell, StoreError, Tx, statements};

statements! {
    UPSERT_LIST = "INSERT INTO list
            (id, name, sender, public, in_doubt, approval, from_file, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (id) DO UPDATE SET name = excluded.name, sender = excluded.sender,
            public = excluded.public, in_doubt = excluded.in_doubt, approval = excluded.approval,
            from_file = excluded.from_file, removed_at = NULL";
    REMOVE_LIST = "UPDATE list SET removed_at = $2 WHERE id = $1 AND removed_at IS NULL";
    LISTS = "SELECT * FROM list WHERE removed_at IS NULL ORDER BY id";
    LIST = "SELECT * FROM list WHERE id = $1";
    CARRIED = "SELECT source_id, since_position, until_position FROM list_source
        WHERE list_id = $1 ORDER BY since_position, source_id";
    CARRY = "INSERT INTO list_source (list_id, source_id, since_position) VALUES ($1, $2, $3)
        ON CONFLICT (list_id, source_id, since_position) DO UPDATE SET until_position = NULL";
    CARRY_NO_MORE = "UPDATE list_source SET until_position = $3
        WHERE list_id = $1 AND source_id = $2 AND until_position IS NULL";
    UPSERT_CADENCE = "INSERT INTO cadence
            (list_id, cadence, schedule, created_at, last_cut, last_slot_at)
        VALUES ($1, $2, $3, $4, $5, $4)
        ON CONFLICT (list_id, cadence) DO UPDATE SET schedule = excluded.schedule,
            removed_at = NULL";
    REMOVE_CADENCE = "UPDATE cadence SET removed_at = $3
        WHERE list_id = $1 AND cadence = $2 AND removed_at IS NULL";
    CADENCES = "SELECT c.*, c.removed_at AS ended_at FROM cadence c JOIN list l ON l.id = c.list_id
        WHERE c.removed_at IS NULL AND l.removed_at IS NULL ORDER BY c.list_id, c.cadence";
    CADENCE = "SELECT c.*, coalesce(c.removed_at, l.removed_at) AS ended_at
        FROM cadence c JOIN list l ON l.id = c.list_id
        WHERE c.list_id = $1 AND c.cadence = $2";
    LOCK_CADENCE = {
        sqlite: "",
        postgres: "SELECT 1 FROM cadence WHERE list_id = $1 AND cadence = $2 FOR UPDATE"
    };
    SHARE_CADENCE = {
        sqlite: "",
        postgres: "SELECT 1 FROM cadence WHERE list_id = $1 AND cadence = $2 FOR SHARE"
    };
    BEGIN_PLANNING = "UPDATE cadence SET edition_id = $3, planning_cut = $4, decided_until = 0
        WHERE list_id = $1 AND cadence = $2 AND edition_id IS NULL";
    DECIDED_UNTIL = "UPDATE cadence SET decided_until = $3 WHERE list_id = $1 AND cadence = $2";
    LEFT_OUT = "UPDATE cadence SET left_out_at = $3 WHERE list_id = $1 AND cadence = $2";
    MOVE_CUT = "UPDATE cadence SET last_cut = planning_cut, last_slot_at = $3, planning_cut = NULL,
            decided_until = 0, edition_id = CASE WHEN $4 = 1 THEN edition_id END
        WHERE list_id = $1 AND cadence = $2 AND planning_cut IS NOT NULL";
    END_WAITING = "UPDATE cadence SET edition_id = NULL WHERE list_id = $1 AND cadence = $2";
}

/// A list.
#[derive(Clone, Debug)]
pub struct ListRow {
    /// Its id.
    pub id: ListId,
    /// Its name, as people read it.
    pub name: String,
    /// The mailbox that its mail is from (RFC 5322 3.4), as the configuration has it.
    pub sender: String,
    /// Whether everybody may know it.
    pub public: bool,
    /// What happens to a message whose delivery is in doubt: resend, hold, drop.
    pub in_doubt: String,
    /// Whether a person looks at each edition first.
    pub approval: bool,
    /// Whether the configuration file names it.
    pub from_file: bool,
}

/// That a list carries a source: from which position on, and up to which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carrying {
    /// The source; none where the list carries all.
    pub source: Option<String>,
    /// Entries after this position are carried.
    pub since: i64,
    /// Up to this one; none while it lasts.
    pub until: Option<i64>,
}

/// A cadence of a list.
#[derive(Clone, Debug)]
pub struct CadenceRow {
    /// The list.
    pub list_id: ListId,
    /// The cadence.
    pub cadence: CadenceId,
    /// A cron expression, or `immediate`.
    pub schedule: String,
    /// When the list ceased to offer it, or was removed.
    pub ended_at: Option<Timestamp>,
    /// When the list began to offer it; no slot before that is due.
    pub created_at: Timestamp,
    /// How far its subscriptions without a pin have been told.
    pub last_cut: i64,
    /// The last slot that had its edition.
    pub last_slot_at: Timestamp,
    /// When the daily cap last left somebody out.
    pub left_out_at: Option<Timestamp>,
    /// The edition that is being planned or waits for approval.
    pub edition_id: Option<i64>,
    /// The cut of the edition being planned.
    pub planning_cut: Option<i64>,
    /// The last subscription without a pin that this edition has decided.
    pub decided_until: i64,
}

impl Tx<'_> {
    /// Adds a list, or gives it new settings.
    pub async fn upsert_list(&mut self, list: &ListRow, now: Timestamp) -> Result<(), StoreError> {
        let values = values![
            &list.id,
            &list.name,
            &list.sender,
            list.public,
            &list.in_doubt,
            list.approval,
            list.from_file,
            now,
        ];
        self.execute(UPSERT_LIST, values).await?;
        Ok(())
    }

    /// Ends a list: it opens no edition any more. What it sent stays in the ledger.
    pub async fn remove_list(&mut self, id: &ListId, now: Timestamp) -> Result<(), StoreError> {
        self.execute(REMOVE_LIST, values![id, now]).await?;
        Ok(())
    }

    /// Every list in force, by id.
    pub async fn lists(&mut self) -> Result<Vec<ListRow>, StoreError> {
        self.rows(LISTS, values![]).await?.iter().map(ListRow::read).collect()
    }

    /// One list, also when it was removed.
    pub async fn list(&mut self, id: &ListId) -> Result<Option<ListRow>, StoreError> {
        self.row(LIST, values![id]).await?.as_ref().map(ListRow::read).transpose()
    }

    /// All that a list carries and ever carried.
    pub async fn carried(&mut self, list: &ListId) -> Result<Vec<Carrying>, StoreError> {
        let rows = self.rows(CARRIED, values![list]).await?;
        rows.iter()
            .map(|row| {
                Ok(Carrying {
                    source: Some(row.text("source_id")?).filter(|source| source != ALL_SOURCES),
                    since: row.int("since_position")?,
                    until: row.int_or_none("until_position")?,
                })
            })
            .collect()
    }

    /// Lets a list carry a source (none: all) from the stream's present head on.
    pub async fn carry(&mut self, list: &ListId, source: Option<&str>) -> Result<(), StoreError> {
        let head = self.stream_head().await?;
        self.execute(CARRY, values![list, source.unwrap_or(ALL_SOURCES), head]).await?;
        Ok(())
    }

    /// Lets a list carry a source no more: what comes after the stream's present head is not told.
    pub async fn carry_no_more(
        &mut self,
        list: &ListId,
        source: Option<&str>,
    ) -> Result<(), StoreError> {
        let head = self.stream_head().await?;
        self.execute(CARRY_NO_MORE, values![list, source.unwrap_or(ALL_SOURCES), head]).await?;
        Ok(())
    }

    /// Lets a list offer a cadence, told up to the stream's present head; or gives it a new
    /// schedule. One that is offered again goes on from its old cut: nothing of between is lost.
    pub async fn upsert_cadence(
        &mut self,
        list: &ListId,
        cadence: &CadenceId,
        schedule: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let head = self.stream_head().await?;
        self.ring(Bell::Editions);
        self.execute(UPSERT_CADENCE, values![list, cadence, schedule, now, head]).await?;
        Ok(())
    }

    /// Lets a list offer a cadence no more.
    pub async fn remove_cadence(
        &mut self,
        list: &ListId,
        cadence: &CadenceId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute(REMOVE_CADENCE, values![list, cadence, now]).await?;
        Ok(())
    }

    /// Every cadence in force.
    pub async fn cadences(&mut self) -> Result<Vec<CadenceRow>, StoreError> {
        self.rows(CADENCES, values![]).await?.iter().map(CadenceRow::read).collect()
    }

    /// One cadence, also when it was removed.
    pub async fn cadence(
        &mut self,
        list: &ListId,
        cadence: &CadenceId,
    ) -> Result<Option<CadenceRow>, StoreError> {
        let row = self.row(CADENCE, values![list, cadence]).await?;
        row.as_ref().map(CadenceRow::read).transpose()
    }

    /// One cadence, held alone until the transaction ends: its marks stay what they are, and nobody
    /// changes a subscription of it meanwhile.
    pub async fn hold_cadence(
        &mut self,
        list: &ListId,
        cadence: &CadenceId,
    ) -> Result<Option<CadenceRow>, StoreError> {
        self.lock(LOCK_CADENCE, values![list, cadence]).await?;
        self.cadence(list, cadence).await
    }

    /// Holds a cadence together with others that change its subscriptions: no planner decides
    /// anybody of it until the transaction ends.
    pub async fn share_cadence(
        &mut self,
        list: &ListId,
        cadence: &CadenceId,
    ) -> Result<(), StoreError> {
        self.lock(SHARE_CADENCE, values![list, cadence]).await?;
        Ok(())
    }

    /// Marks a cadence as being planned; false where it is already, or waits for approval.
    pub async fn begin_planning(
        &mut self,
        list: &ListId,
        cadence: &CadenceId,
        edition: i64,
        cut: i64,
    ) -> Result<bool, StoreError> {
        Ok(self.execute(BEGIN_PLANNING, values![list, cadence, edition, cut]).await? > 0)
    }

    /// Records that the subscriptions without a pin have been decided up to this id.
    pub async fn decided_until(
        &mut self,
        list: &ListId,
        cadence: &CadenceId,
        subscription: i64,
    ) -> Result<(), StoreError> {
        self.execute(DECIDED_UNTIL, values![list, cadence, subscription]).await?;
        Ok(())
    }

    /// Records that the daily cap left somebody out, or (none) that nobody is left out any more.
    pub async fn left_out(
        &mut self,
        list: &ListId,
        cadence: &CadenceId,
        at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.execute(LEFT_OUT, values![list, cadence, at]).await?;
        Ok(())
    }

    /// Ends the planning: the cut moves. `waits` keeps the cadence closed until the edition is
    /// approved or refused.
    pub async fn move_cut(
        &mut self,
        list: &ListId,
        cadence: &CadenceId,
        slot_at: Timestamp,
        waits: bool,
    ) -> Result<(), StoreError> {
        self.execute(MOVE_CUT, values![list, cadence, slot_at, waits]).await?;
        Ok(())
    }

    /// Opens the cadence again after its edition was approved or refused.
    pub async fn end_waiting(
        &mut self,
        list: &ListId,
        cadence: &CadenceId,
    ) -> Result<(), StoreError> {
        self.ring(Bell::Editions);
        self.execute(END_WAITING, values![list, cadence]).await?;
        Ok(())
    }
}

/// Stands for every source of the installation, also those to come.
const ALL_SOURCES: &str = "*";

impl ListRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.word("id", "list id")?,
            name: row.text("name")?,
            sender: row.text("sender")?,
            public: row.flag("public")?,
            in_doubt: row.text("in_doubt")?,
            approval: row.flag("approval")?,
            from_file: row.flag("from_file")?,
        })
    }
}

impl CadenceRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            list_id: row.word("list_id", "list id")?,
            cadence: row.word("cadence", "cadence")?,
            schedule: row.text("schedule")?,
            ended_at: row.time_or_none("ended_at")?,
            created_at: row.time("created_at")?,
            last_cut: row.int("last_cut")?,
            last_slot_at: row.time("last_slot_at")?,
            left_out_at: row.time_or_none("left_out_at")?,
            edition_id: row.int_or_none("edition_id")?,
            planning_cut: row.int_or_none("planning_cut")?,
            decided_until: row.int("decided_until")?,
        })
    }
}
