//! What PostgreSQL needs for itself: opening, its connections, and word between processes.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{Connection, Executor, PgConnection, PgPool, Postgres as Engine, Transaction};

use super::bells::Bells;
use super::engine::{Durability, Writer};
use super::{Bell, StoreError};

/// Connections of one process that write, besides those of pages; opened as they are needed.
const WRITERS_MAX: u32 = 10;
/// Connections on which pages write. They wait for a cadence that is being decided, and strangers
/// send them: nobody else may have to wait for one of theirs.
const PAGE_WRITERS_MAX: u32 = 4;
/// Connections that read. Who reads waits for no lock, so these are free again soon.
const READERS_MAX: u32 = 6;
/// How long it takes at most to be given one.
const ACQUIRE_MS_MAX: u64 = 10_000;
/// How long a statement waits for another transaction's lock before it fails.
const LOCK_MS_MAX: u64 = 30_000;
/// The same for a page, for a connection and for a lock: somebody sits before it.
const PAGE_WAIT_MS_MAX: u64 = 4_000;
/// The channel on which processes hear each other's bells.
const CHANNEL: &str = "banditore";

#[derive(Clone, Debug)]
pub(super) struct Postgres {
    writers: PgPool,
    page_writers: PgPool,
    readers: PgPool,
}

impl Postgres {
    pub(super) async fn open(url: &str, durability: Durability) -> Result<Self, StoreError> {
        let options: PgConnectOptions =
            url.parse().map_err(|_| StoreError::Address(without_password(url)))?;
        let synchronous = match durability {
            Durability::Power => "on",
            Durability::Process => "off",
        };
        let options = if url.contains("application_name=") {
            options
        } else {
            options.application_name("banditore")
        };
        let options = options.options([("synchronous_commit", synchronous)]);
        // One connection first: the pool would go on trying a server that is not there.
        let first = PgConnection::connect_with(&options).await;
        let unreachable = |cause: sqlx::Error| StoreError::Unreachable {
            url: without_password(url),
            cause: cause.to_string(),
        };
        first.map_err(unreachable)?.close().await?;
        let pool = |connections, acquire_ms, lock_ms: u64| {
            let options = options.clone().options([("lock_timeout", lock_ms.to_string())]);
            PgPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(Duration::from_millis(acquire_ms))
                .connect_lazy_with(options)
        };
        Ok(Self {
            writers: pool(WRITERS_MAX, ACQUIRE_MS_MAX, LOCK_MS_MAX),
            page_writers: pool(PAGE_WRITERS_MAX, PAGE_WAIT_MS_MAX, PAGE_WAIT_MS_MAX),
            readers: pool(READERS_MAX, ACQUIRE_MS_MAX, LOCK_MS_MAX),
        })
    }

    pub(super) fn writers(&self) -> &PgPool {
        &self.writers
    }

    pub(super) async fn begin_write(
        &self,
        who: Writer,
    ) -> Result<Transaction<'static, Engine>, StoreError> {
        let pool = match who {
            Writer::Work => &self.writers,
            Writer::Page => &self.page_writers,
        };
        Ok(pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?)
    }

    pub(super) async fn begin_read(&self) -> Result<Transaction<'static, Engine>, StoreError> {
        Ok(self.readers.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?)
    }

    /// A transaction on a connection of its own, for temporary tables, that reads one state of the
    /// database.
    pub(super) async fn begin_aside(&self) -> Result<Transaction<'static, Engine>, StoreError> {
        let options = (*self.writers.connect_options()).clone();
        let aside = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_millis(ACQUIRE_MS_MAX))
            .connect_lazy_with(options);
        Ok(aside.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await?)
    }

    pub(super) async fn hear_others(&self, bells: &Bells) -> Result<(), StoreError> {
        let mut listener = PgListener::connect_with(&self.readers).await?;
        listener.listen(CHANNEL).await?;
        loop {
            match listener.try_recv().await? {
                Some(notice) => {
                    let named = |bell: &Bell| bell.as_str() == notice.payload();
                    Bell::ALL.into_iter().filter(named).for_each(|bell| bells.ring(bell));
                }
                // The connection was lost and is there again: what was said meanwhile is not known.
                None => Bell::ALL.into_iter().for_each(|bell| bells.ring(bell)),
            }
        }
    }

    pub(super) async fn prepare(&self, sql: &'static str) -> Result<(), StoreError> {
        let mut connection = self.readers.acquire().await?;
        connection.prepare(sqlx::SqlSafeStr::into_sql_str(sql)).await?;
        Ok(())
    }

    pub(super) async fn close(&self) {
        for pool in [&self.readers, &self.page_writers, &self.writers] {
            pool.close().await;
        }
    }
}

/// Heard by others when the transaction is committed, once however often it was said.
pub(super) async fn notify(tx: &mut Transaction<'_, Engine>, bell: Bell) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_notify($1, $2)")
        .bind(CHANNEL)
        .bind(bell.as_str())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// An address as errors and logs may show it.
pub fn without_password(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(mut url) if url.password().is_some() => {
            let _ = url.set_password(Some("***"));
            url.to_string()
        }
        Ok(url) => url.to_string(),
        Err(_) => "postgres://…".to_owned(),
    }
}
