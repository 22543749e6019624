//! Statements and transactions. Nothing above this room knows which database it is.
//!
//! A statement is a constant with `$1` parameters, declared by `statements!` in the file of the
//! table it is about, in the SQL that SQLite and PostgreSQL share; where they cannot share it, in
//! the words of both, side by side. Instants are seconds, flags are 0 and 1, ids are integers or
//! text, lists are JSON text: types that both engines have. How each engine is opened and locked
//! stands in `sqlite.rs` and `postgres.rs`; `engine.rs` chooses.
//!
//! On SQLite one transaction writes at a time. On PostgreSQL several do, at READ COMMITTED: a
//! function that reads what it then decides upon holds it first, in the order person, cadence,
//! edition, subscription, message.

mod acts;
mod archive;
mod audience;
mod bells;
mod collisions;
mod corrections;
mod counts;
mod editions;
mod engine;
mod error;
mod followed;
mod hits;
mod holds;
mod identities;
mod installation;
mod limits;
mod lists;
mod messages;
mod migrations;
mod moving;
mod notices;
mod office;
mod outbox;
mod pins;
mod polls;
mod postgres;
mod rehearsing;
mod sign_ups;
mod sources;
mod sqlite;
mod stream;
mod to_come;
mod trace;
mod value;
mod worker;

pub use archive::Shape;
pub use audience::{
    HeldSubscription, NewSubscription, Profile, StoredSubscription, Subject, Suppression,
};
pub use bells::{Bell, Listener};
pub use collisions::{MayCollide, retrying};
pub use corrections::{CorrectionRow, NewCorrection};
pub use counts::{DomainCount, ReasonCount};
pub use editions::{
    ChunkCounts, EditionRow, Fragment, GroupCount, GroupKey, NewEdition, NewVariant, VariantRow,
};
pub use engine::{DeliveryLock, Durability, ProcessLock};
pub use error::StoreError;
pub use holds::{HeldItem, HoldCause, HoldRow};
pub use identities::{HeldAct, KeyedItem, LastAnswerRow};
pub use installation::Marks;
pub use limits::RelayUse;
pub use lists::{CadenceRow, Carrying, ListRow};
pub use messages::{
    AttemptRow, ClaimedMessage, Doubt, MessageOf, MessageRow, MessageState, Outcome, OutcomeRow,
};
pub use moving::{MoveError, MoveProgress, Moved, MovedTable, TABLES};
pub use notices::{NewNotice, NoticeKind, NoticeMessage, NoticeRow};
pub use office::{NamedSource, OfficeEvent, OfficeEventRow, Trouble};
pub use outbox::{DOUBTS_OF_DIGEST_MAX, DOUBTS_OF_NOTICE_MAX};
pub use pins::Slice;
pub use polls::{AnswerRow, PollRow, TroubleRow};
pub use postgres::without_password as shown_address;
pub use sign_ups::{Agreement, ConsentText, NewSignUp, SignUpRow};
pub use sources::{ItemRow, NewRevision, SourceRow, host_of};
pub use stream::{EntryReason, EntryRow};
pub use trace::{Actor, ActorKind, Subject as TraceSubject, TraceRow};
pub use value::Row;
pub use worker::GivingBack;

use std::sync::Arc;

use bells::Bells;
use engine::Writer;
use rehearsing::Rehearsal;
use value::Value;

use crate::model::{CadenceId, ListId, Timestamp};

/// A statement, in the words of each engine; nearly always they are the same.
#[derive(Clone, Copy, Debug)]
pub struct Sql {
    /// As SQLite reads it; empty for a lock, which it does not need.
    pub sqlite: &'static str,
    /// As PostgreSQL reads it.
    pub postgres: &'static str,
}

/// Declares statements as constants, and lists them so that a test can prepare every one. Where
/// PostgreSQL must be told more (which rows to lock), that is added; one that the engines say in
/// different words has both, side by side.
macro_rules! statements {
    ($($name:ident =
        $($sql:literal $(+ { postgres: $more:literal })?)?
        $({ sqlite: $sqlite:literal, postgres: $postgres:literal })?;)*) => {
        $(pub(super) const $name: $crate::store::Sql =
            $($crate::store::Sql { sqlite: $sql, postgres: concat!($sql $(, " ", $more)?) })?
            $($crate::store::Sql { sqlite: $sqlite, postgres: $postgres })?;)*
        /// Every statement of this file, by name.
        pub(super) const ALL: &[(&str, $crate::store::Sql)] = &[$((stringify!($name), $name)),*];
    };
}
pub(crate) use statements;

/// Every statement of the room with its name, for the test that prepares them all.
pub fn all_statements() -> Vec<(&'static str, Sql)> {
    [
        archive::ALL,
        audience::ALL,
        corrections::ALL,
        counts::ALL,
        editions::ALL,
        followed::ALL,
        holds::ALL,
        identities::ALL,
        hits::ALL,
        installation::ALL,
        limits::ALL,
        lists::ALL,
        messages::ALL,
        notices::ALL,
        office::ALL,
        outbox::ALL,
        pins::ALL,
        polls::ALL,
        sign_ups::ALL,
        acts::ALL,
        sources::ALL,
        stream::ALL,
        to_come::ALL,
        trace::ALL,
        worker::ALL,
    ]
    .concat()
}

/// What the database's driver calls itself in logs.
pub const DRIVER: &str = "sqlx";

/// A database, opened, and who acts on it.
#[derive(Clone, Debug)]
pub struct Store {
    engine: engine::Engine,
    bells: Bells,
    actor: Arc<Actor>,
    writer: Writer,
}

/// A transaction: everything in it happens, or nothing. Dropped without [`Tx::commit`], nothing
/// did.
#[derive(Debug)]
pub struct Tx<'a> {
    inner: engine::Transaction<'a>,
    bells: Bells,
    rung: Vec<Bell>,
    actor: Arc<Actor>,
}

impl Store {
    /// Opens the database of a `sqlite://` address, making the file where there is none, or of a
    /// `postgres://` address.
    ///
    /// # Errors
    /// [`StoreError::Address`] for an address of another kind, [`StoreError::Unreachable`] where
    /// the database cannot be opened.
    pub async fn open(url: &str, durability: Durability) -> Result<Self, StoreError> {
        let engine = engine::Engine::open(url, durability).await?;
        let actor = Arc::new(Actor::system());
        Ok(Self { engine, bells: Bells::default(), actor, writer: Writer::Work })
    }

    /// The same database, on which somebody else acts: the trace names them.
    #[must_use]
    pub fn acting_as(&self, actor: Actor) -> Self {
        Self { actor: Arc::new(actor), ..self.clone() }
    }

    /// The same database for pages. On PostgreSQL they write on a few connections of their own, and
    /// wait for a few seconds only: with many of them waiting, the work goes on. On SQLite all wait
    /// for one writer.
    #[must_use]
    pub fn for_pages(&self) -> Self {
        Self { writer: Writer::Page, ..self.clone() }
    }

    /// Brings the tables to this version's form; gives the number of steps that were taken.
    ///
    /// # Errors
    /// [`StoreError::Newer`] where a later version of the program made the tables.
    pub async fn migrate(&self) -> Result<usize, StoreError> {
        self.engine.migrate().await
    }

    /// Makes the tables of a database that has none; fails where tables are there and
    /// [`Store::migrate`] has steps to take.
    ///
    /// # Errors
    /// [`StoreError::Behind`] where migrations are missing.
    pub async fn require_migrated(&self) -> Result<(), StoreError> {
        self.engine.require_migrated().await
    }

    /// A transaction that writes. On SQLite it waits for its turn and is the only one.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn write(&self) -> Result<Tx<'static>, StoreError> {
        Ok(self.tx(self.engine.begin_write(self.writer).await?))
    }

    /// A transaction that reads one state of the database, beside those that write.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn read(&self) -> Result<Tx<'static>, StoreError> {
        Ok(self.tx(self.engine.begin_read().await?))
    }

    /// A transaction to plan a cadence's next edition in, for a look at it. It works on copies, at
    /// one state of the database: it waits for nobody, and nobody waits for it. Whatever is done in
    /// it is gone with it.
    ///
    /// # Errors
    /// Where the database cannot be reached, or has no room for the copies.
    pub async fn rehearse(
        &self,
        list: &ListId,
        cadence: &CadenceId,
        now: Timestamp,
    ) -> Result<Tx<'static>, StoreError> {
        Ok(self.tx(self.engine.begin_rehearsal(Rehearsal { list, cadence, now }).await?))
    }

    fn tx(&self, inner: engine::Transaction<'static>) -> Tx<'static> {
        let Self { bells, actor, .. } = self;
        Tx { inner, bells: bells.clone(), rung: Vec::new(), actor: Arc::clone(actor) }
    }

    /// Listens to a bell: somebody has made work for a room. Rung in this process it is heard at
    /// once; rung elsewhere, where [`Store::hear_others`] runs.
    pub fn listen(&self, bell: Bell) -> Listener {
        self.bells.listen(bell)
    }

    /// Passes on the bells that other processes ring, until the database cannot be reached.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn hear_others(&self) -> Result<(), StoreError> {
        self.engine.hear_others(&self.bells).await
    }

    /// Takes the right to deliver from this database, for as long as the lock lives. On SQLite one
    /// process delivers at a time, so whoever holds it knows that all other workers are gone.
    ///
    /// # Errors
    /// [`StoreError::DeliveryTaken`] where another process holds it.
    pub fn lock_delivery(&self) -> Result<DeliveryLock, StoreError> {
        self.engine.lock_delivery()
    }

    /// Takes the right to be the daemon of this database, for as long as the lock lives. On
    /// PostgreSQL several daemons share the work.
    ///
    /// # Errors
    /// [`StoreError::DaemonTaken`] where another process is the daemon of a SQLite file.
    pub fn lock_daemon(&self) -> Result<ProcessLock, StoreError> {
        self.engine.lock_daemon()
    }

    /// Says that this process polls, for as long as the lock lives: several may. On SQLite, where
    /// nobody else does, claims of sources that a killed process has left are ended.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn lock_polling(&self) -> Result<ProcessLock, StoreError> {
        self.engine.lock_polling().await
    }

    /// Whether the database can be reached and its tables are of this version. It only reads.
    ///
    /// # Errors
    /// Why not.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.read().await?.require_current().await
    }

    /// Rings every bell of this process, where word of others may have been missed.
    pub fn ring_all(&self) {
        Bell::ALL.into_iter().for_each(|bell| self.bells.ring(bell));
    }

    /// Has the database's parser read a statement, without running it.
    ///
    /// # Errors
    /// Where the database refuses it.
    pub async fn prepare(&self, sql: Sql) -> Result<(), StoreError> {
        self.engine.prepare(sql).await
    }

    /// Ends the connections, when what they do is done.
    pub async fn close(&self) {
        self.engine.close().await;
    }
}

impl Tx<'_> {
    /// Makes everything in the transaction happen, and rings the bells that were rung in it.
    ///
    /// # Errors
    /// Where the database could not; then nothing happened.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        for bell in &self.rung {
            self.inner.notify(*bell).await?;
        }
        self.inner.commit().await?;
        for bell in &self.rung {
            self.bells.ring(*bell);
        }
        Ok(())
    }

    /// Says that this transaction makes work for a room; heard when it is committed.
    pub fn ring(&mut self, bell: Bell) {
        if !self.rung.contains(&bell) {
            self.rung.push(bell);
        }
    }

    /// Runs a statement; gives the number of rows it changed.
    async fn execute(&mut self, sql: Sql, values: &[Value]) -> Result<u64, StoreError> {
        self.inner.execute(sql, values).await
    }

    /// Runs a statement that only locks: nothing on SQLite, where a writing transaction is alone.
    async fn lock(&mut self, sql: Sql, values: &[Value]) -> Result<(), StoreError> {
        self.inner.lock(sql, values).await
    }

    async fn rows(&mut self, sql: Sql, values: &[Value]) -> Result<Vec<Row>, StoreError> {
        self.inner.rows(sql, values).await
    }

    async fn row(&mut self, sql: Sql, values: &[Value]) -> Result<Option<Row>, StoreError> {
        self.inner.row(sql, values).await
    }

    /// The one row of a statement that always has one.
    async fn one(&mut self, sql: Sql, values: &[Value]) -> Result<Row, StoreError> {
        let row = self.row(sql, values).await?;
        row.ok_or_else(|| StoreError::Sql(sqlx::Error::RowNotFound))
    }
}
