//! Moving: a SQLite installation is copied whole into a PostgreSQL database, in one transaction
//! there, and compared before that is committed. Meanwhile nobody writes here.

mod cells;
mod target;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::Sqlite;

use super::engine::{Engine, Transaction, Writer};
use super::postgres::without_password;
use super::{Store, StoreError, TraceSubject, Tx};
use crate::model::Timestamp;
use cells::Digest;
use target::{Table, Target};

/// Every table, those that are referred to before those that refer to them.
pub const TABLES: [&str; 36] = [
    "installation",
    "source",
    "item",
    "revision",
    "item_key",
    "source_answer",
    "hold",
    "item_match",
    "item_correction",
    "stream_head",
    "entry",
    "list",
    "list_source",
    "cadence",
    "subscriber",
    "profile",
    "subscription",
    "followed_word",
    "subscription_word",
    "consent_text",
    "consent",
    "suppression",
    "sign_up",
    "rate_limit",
    "edition",
    "fragment",
    "variant",
    "edition_group",
    "edition_hit",
    "edition_sum",
    "notice",
    "message",
    "attempt",
    "office_event",
    "worker",
    "trace",
];

/// A table of which both databases have the same rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MovedTable {
    /// Its name.
    pub table: &'static str,
    /// How many rows it has.
    pub rows: i64,
}

/// What a move came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// The tables, all of them compared.
    pub tables: Vec<MovedTable>,
    /// Whether both databases hold the same; a move that ends otherwise is an error.
    pub identical: bool,
    /// Whether anything was copied; not where a move had been finished before.
    pub copied: bool,
}

/// How far a move is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MoveProgress {
    /// The table that is being read.
    pub table: &'static str,
    /// Rows copied or compared.
    pub done: u64,
    /// Of how many.
    pub total: u64,
}

/// Why nothing was moved.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// A database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The installation is not on SQLite.
    #[error("the installation is not on SQLite")]
    FromElsewhere,
    /// The target is not PostgreSQL.
    #[error("the target is no postgres:// address")]
    ToElsewhere,
    /// The target has tables of something else.
    #[error("the target holds tables of something else: {}", .0.join(", "))]
    Foreign(Vec<String>),
    /// The target is another installation's.
    #[error("the target holds another installation of Banditore")]
    OtherInstallation,
    /// The target is of this installation, and differs.
    #[error(
        "the target holds this installation, and differs from it in {}; somebody has worked on \
         one of them since",
        .0.join(", ")
    )]
    Differs(Vec<&'static str>),
    /// What was copied is not what was read: nothing was committed.
    #[error("the copy of table {0} is not equal to it")]
    Unequal(&'static str),
}

impl From<sqlx::Error> for MoveError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What the trace calls a move, by which the database that was moved from is known, and its end.
pub(super) const MOVED: &str = "installation.moved";
pub(super) const TAKEN_BACK: &str = "installation.taken_back";

/// A move, as the trace has it.
#[derive(Serialize, Deserialize)]
pub(super) struct TracedMove {
    pub to: String,
}

/// The rows of a table, counted and digested in the order of its key.
type Sums = BTreeMap<&'static str, Digest>;

impl Store {
    /// Copies this SQLite installation into a PostgreSQL database, whose address is `to`, and
    /// compares them, table by table, before anything is committed there: killed in the middle,
    /// nothing of it remains. A target that holds the same already is compared alone. `replace`
    /// empties one that is of this installation and differs.
    ///
    /// No daemon may run and nobody deliver on this database meanwhile; whoever writes to it waits.
    /// Afterwards [`Store::require_in_use`] fails on it.
    ///
    /// # Errors
    /// [`MoveError`]; then nothing was changed.
    pub async fn move_to(
        &self,
        target: &Store,
        to: &str,
        replace: bool,
        now: Timestamp,
        mut progress: impl FnMut(MoveProgress),
    ) -> Result<Moved, MoveError> {
        if !matches!(self.engine, Engine::Sqlite(_)) {
            return Err(MoveError::FromElsewhere);
        }
        let Engine::Postgres(postgres) = &target.engine else {
            return Err(MoveError::ToElsewhere);
        };
        let _no_daemon = self.lock_daemon()?;
        let _no_delivery = self.lock_delivery()?;
        let mut here = self.write().await?;
        target::refuse_foreign(postgres).await?;
        target.migrate().await?;
        let mut there = Target::open(postgres.begin_write(Writer::Work).await?).await?;
        if !there.is_empty().await? {
            if there.installation().await? != target::installation_of(sqlite(&mut here)?).await? {
                return Err(MoveError::OtherInstallation);
            }
            let sums = there.sums(&mut progress).await?;
            let differ = differing(&mut here, &there.tables, &sums, &mut progress).await?;
            if differ.is_empty() {
                return Ok(moved(&sums, false));
            }
            if !replace {
                return Err(MoveError::Differs(differ));
            }
            there.empty().await?;
        }
        let subject = TraceSubject { kind: "installation", id: "1" };
        let after = serde_json::json!(TracedMove { to: without_password(to) });
        here.trace(MOVED, subject, None, Some(after), now).await?;
        let copied = there.copy(sqlite(&mut here)?, &mut progress).await?;
        let sums = there.sums(&mut progress).await?;
        if let Some(table) = TABLES.into_iter().find(|table| sums[table] != copied[table]) {
            return Err(MoveError::Unequal(table));
        }
        // Here first: a target with a line in its trace that is not here would look as if somebody
        // had worked on it.
        here.commit().await?;
        there.commit().await?;
        target::analyse(postgres).await?;
        Ok(moved(&sums, true))
    }
}

/// The tables whose rows here are not those there.
async fn differing(
    here: &mut Tx<'static>,
    tables: &[Table],
    there: &Sums,
    progress: &mut impl FnMut(MoveProgress),
) -> Result<Vec<&'static str>, MoveError> {
    let here = target::sums_of(sqlite(here)?, tables, progress).await?;
    Ok(TABLES.into_iter().filter(|table| here[table] != there[table]).collect())
}

fn moved(sums: &Sums, copied: bool) -> Moved {
    let tables = TABLES.into_iter().map(|table| MovedTable { table, rows: sums[table].rows() });
    Moved { tables: tables.collect(), identical: true, copied }
}

fn sqlite<'a>(
    tx: &'a mut Tx<'static>,
) -> Result<&'a mut sqlx::Transaction<'static, Sqlite>, MoveError> {
    match &mut tx.inner {
        Transaction::Sqlite(tx) => Ok(tx),
        Transaction::Postgres(_) => Err(MoveError::FromElsewhere),
    }
}
