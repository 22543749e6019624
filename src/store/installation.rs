//! The one row about the installation itself.

use std::cmp::Ordering;

use crate::model::Timestamp;

use super::engine::Transaction;
use super::moving::{MOVED, TAKEN_BACK, TracedMove};
use super::value::values;
use super::{Store, StoreError, TraceSubject, Tx, statements};

statements! {
    MARKS = "SELECT secret_check, applied FROM installation WHERE id = 1";
    NEWEST_STEP = "SELECT coalesce(max(version), 0) AS version FROM _sqlx_migrations";
    NEWEST_MOVE = "SELECT action, after_json FROM trace
        WHERE subject = 'installation' AND subject_id = '1'
            AND action IN ('installation.moved', 'installation.taken_back')
        ORDER BY id DESC LIMIT 1";
    LOCK = {
        sqlite: "",
        postgres: "LOCK TABLE installation IN SHARE ROW EXCLUSIVE MODE"
    };
    SET_MARKS = "INSERT INTO installation (id, secret_check, applied, created_at)
        VALUES (1, $1, $2, $3) ON CONFLICT (id) DO UPDATE SET applied = excluded.applied";
}

/// What a database remembers of its installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    /// Tells whether it was made with this secret.
    pub secret_check: String,
    /// Tells which sources and lists of the file were applied last.
    pub applied: String,
}

impl Store {
    /// Whether this database is the one to work on: after a move the one that was moved from is
    /// not, or both would send.
    ///
    /// # Errors
    /// [`StoreError::Moved`] where it is not.
    pub async fn require_in_use(&self) -> Result<(), StoreError> {
        match self.read().await?.moved_to().await? {
            Some(to) => Err(StoreError::Moved { to }),
            None => Ok(()),
        }
    }

    /// Takes a database that was moved into use again; false where it is in use.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn take_back(&self, now: Timestamp) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let Some(to) = tx.moved_to().await? else { return Ok(false) };
        let before = serde_json::json!(TracedMove { to });
        let subject = TraceSubject { kind: "installation", id: "1" };
        tx.trace(TAKEN_BACK, subject, Some(before), None, now).await?;
        tx.commit().await?;
        Ok(true)
    }
}

impl Tx<'_> {
    /// What this database remembers; nothing before it was first used.
    pub async fn marks(&mut self) -> Result<Option<Marks>, StoreError> {
        let row = self.row(MARKS, values![]).await?;
        row.map(|row| {
            Ok(Marks { secret_check: row.text("secret_check")?, applied: row.text("applied")? })
        })
        .transpose()
    }

    /// Whether the tables are of this version: a process that lives on while another brings them
    /// to a later form must not work on them.
    ///
    /// # Errors
    /// [`StoreError::Newer`] or [`StoreError::Behind`] where they are not.
    pub async fn require_current(&mut self) -> Result<(), StoreError> {
        let found = self.one(NEWEST_STEP, values![]).await?.int("version")?;
        let newest = self.inner.newest_step();
        match found.cmp(&newest) {
            Ordering::Equal => Ok(()),
            Ordering::Less => {
                let missing = usize::try_from(newest - found).unwrap_or(usize::MAX);
                Err(StoreError::Behind { missing })
            }
            Ordering::Greater => Err(StoreError::Newer { found }),
        }
    }

    /// Where this database was moved to, if it is not in use any more: the trace knows. That of a
    /// PostgreSQL database knows how it came there itself.
    pub(super) async fn moved_to(&mut self) -> Result<Option<String>, StoreError> {
        if matches!(self.inner, Transaction::Postgres(_)) {
            return Ok(None);
        }
        let Some(row) = self.row(NEWEST_MOVE, values![]).await? else { return Ok(None) };
        if row.text("action")? != MOVED {
            return Ok(None);
        }
        let moved: TracedMove = row.json("after_json", "move")?;
        Ok(Some(moved.to))
    }

    /// The same, held until the transaction ends: nobody else applies a file meanwhile.
    pub async fn hold_marks(&mut self) -> Result<Option<Marks>, StoreError> {
        self.lock(LOCK, values![]).await?;
        self.marks().await
    }

    /// Remembers what was applied; the secret's check is kept from the first time.
    pub async fn set_marks(&mut self, marks: &Marks, now: Timestamp) -> Result<(), StoreError> {
        self.execute(SET_MARKS, values![&marks.secret_check, &marks.applied, now]).await?;
        Ok(())
    }
}
