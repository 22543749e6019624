//! The one row about the installation itself.

use crate::model::Timestamp;

use super::value::values;
use super::{StoreError, Tx, statements};

statements! {
    MARKS = "SELECT secret_check, applied FROM installation WHERE id = 1";
    NEWEST_STEP = "SELECT coalesce(max(version), 0) AS version FROM _sqlx_migrations";
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

impl Tx<'_> {
    /// What this database remembers; nothing before it was first used.
    pub async fn marks(&mut self) -> Result<Option<Marks>, StoreError> {
        let row = self.row(MARKS, values![]).await?;
        row.map(|row| {
            Ok(Marks { secret_check: row.text("secret_check")?, applied: row.text("applied")? })
        })
        .transpose()
    }

    /// The newest step that brought the tables to their form.
    pub(super) async fn newest_step(&mut self) -> Result<i64, StoreError> {
        self.one(NEWEST_STEP, values![]).await?.int("version")
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
