//! Statements and transactions. Nothing above this room knows which database it is.
//!
//! A statement is a constant with `$1` parameters, declared by `statements!` in the file of the
//! table it is about, in the SQL that SQLite and PostgreSQL share. What an engine needs in its own
//! words stands in `sqlite.rs`. Instants are seconds, flags are 0 and 1, ids are integers or text,
//! lists are JSON text: types that both engines have.

mod audience;
mod editions;
mod error;
mod installation;
mod lists;
mod messages;
mod migrations;
mod pins;
mod sources;
mod sqlite;
mod stream;
mod value;
mod worker;

pub use audience::{NewSubscription, Profile, StoredSubscription, Subject, Suppression};
pub use editions::{
    ChunkCounts, EditionRow, Fragment, GroupCount, GroupKey, NewEdition, NewVariant, VariantRow,
};
pub use error::StoreError;
pub use installation::Marks;
pub use lists::{CadenceRow, Carrying, ListRow};
pub use messages::{
    AttemptRow, ClaimedMessage, Doubt, MessageRow, MessageState, Outcome, OutcomeRow,
};
pub use pins::Slice;
pub use sources::{ItemRow, NewRevision, PollRow, SourceRow};
pub use sqlite::{DeliveryLock, Durability};
pub use stream::{EntryReason, EntryRow};
pub use value::Row;

use value::Value;

/// Declares statements as constants, and lists them so that a test can prepare every one.
macro_rules! statements {
    ($($(#[$meta:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$meta])* pub(super) const $name: &str = $sql;)*
        /// Every statement of this file, by name.
        pub(super) const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}
pub(crate) use statements;

/// Every statement of the room with its name, for the test that prepares them all.
pub fn all_statements() -> Vec<(&'static str, &'static str)> {
    [
        audience::ALL,
        editions::ALL,
        installation::ALL,
        lists::ALL,
        messages::ALL,
        pins::ALL,
        sources::ALL,
        sqlite::ALL,
        stream::ALL,
        worker::ALL,
    ]
    .concat()
}

/// What the database's driver calls itself in logs.
pub const DRIVER: &str = "sqlx";

/// A database, opened.
#[derive(Clone, Debug)]
pub struct Store {
    engine: sqlite::Sqlite,
}

/// A transaction: everything in it happens, or nothing. Dropped without [`Tx::commit`], nothing
/// did.
#[derive(Debug)]
pub struct Tx<'a> {
    inner: sqlx::Transaction<'a, sqlx::Sqlite>,
}

impl Store {
    /// Opens the database of a `sqlite://` address, making the file where there is none.
    ///
    /// # Errors
    /// [`StoreError::Address`] for an address of another kind, [`StoreError::Unreachable`] where
    /// the file cannot be opened.
    pub async fn open(url: &str, durability: Durability) -> Result<Self, StoreError> {
        Ok(Self { engine: sqlite::Sqlite::open(url, durability).await? })
    }

    /// Brings the tables to this version's form; gives the number of steps that were taken.
    ///
    /// # Errors
    /// [`StoreError::Newer`] where a later version of the program made the tables.
    pub async fn migrate(&self) -> Result<usize, StoreError> {
        migrations::run(self.engine.writer()).await
    }

    /// Makes the tables of a database that has none; fails where tables are there and
    /// [`Store::migrate`] has steps to take.
    ///
    /// # Errors
    /// [`StoreError::Behind`] where migrations are missing.
    pub async fn require_migrated(&self) -> Result<(), StoreError> {
        migrations::require(self.engine.writer()).await
    }

    /// A transaction that writes. On SQLite it waits for its turn and is the only one.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn write(&self) -> Result<Tx<'static>, StoreError> {
        Ok(Tx { inner: self.engine.begin_write().await? })
    }

    /// A transaction that reads one state of the database, beside the writer.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn read(&self) -> Result<Tx<'static>, StoreError> {
        Ok(Tx { inner: self.engine.begin_read().await? })
    }

    /// Takes the right to deliver from this database, for as long as the lock lives. On SQLite one
    /// process delivers at a time, so whoever holds it knows that all other workers are gone.
    ///
    /// # Errors
    /// [`StoreError::DeliveryTaken`] where another process holds it.
    pub fn lock_delivery(&self) -> Result<DeliveryLock, StoreError> {
        self.engine.lock_delivery()
    }

    /// Has the database's parser read a statement, without running it.
    ///
    /// # Errors
    /// Where the database refuses it.
    pub async fn prepare(&self, sql: &'static str) -> Result<(), StoreError> {
        self.engine.prepare(sql).await
    }

    /// Ends the connections, when what they do is done.
    pub async fn close(&self) {
        self.engine.close().await;
    }
}

impl Tx<'_> {
    /// Makes everything in the transaction happen.
    ///
    /// # Errors
    /// Where the database could not; then nothing happened.
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.inner.commit().await?)
    }

    /// Runs a statement; gives the number of rows it changed.
    async fn execute(&mut self, sql: &'static str, values: &[Value]) -> Result<u64, StoreError> {
        let done = value::bind(sql, values).execute(&mut *self.inner).await?;
        Ok(done.rows_affected())
    }

    async fn rows(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, StoreError> {
        let rows = value::bind(sql, values).fetch_all(&mut *self.inner).await?;
        Ok(rows.into_iter().map(Row::new).collect())
    }

    async fn row(
        &mut self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Option<Row>, StoreError> {
        let row = value::bind(sql, values).fetch_optional(&mut *self.inner).await?;
        Ok(row.map(Row::new))
    }

    /// The one row of a statement that always has one.
    async fn one(&mut self, sql: &'static str, values: &[Value]) -> Result<Row, StoreError> {
        Ok(Row::new(value::bind(sql, values).fetch_one(&mut *self.inner).await?))
    }
}
