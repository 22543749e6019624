//! What PostgreSQL needs for itself: opening, its connections, and word between processes.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{Connection, Executor, PgConnection, PgPool, Postgres as Engine, Transaction};

use super::bells::Bells;
use super::engine::Durability;
use super::{Bell, StoreError};

/// Connections of one process.
const CONNECTIONS_MAX: u32 = 10;
/// How long it takes at most to be given one.
const ACQUIRE_MS_MAX: u64 = 10_000;
/// How long a statement waits for another transaction's lock before it fails.
const LOCK_MS_MAX: u64 = 30_000;
/// The channel on which processes hear each other's bells.
const CHANNEL: &str = "banditore";

#[derive(Clone, Debug)]
pub(super) struct Postgres {
    pool: PgPool,
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
        let options = options.options([
            ("synchronous_commit", synchronous),
            ("lock_timeout", &LOCK_MS_MAX.to_string()),
        ]);
        // One connection first: the pool would go on trying a server that is not there.
        let first = PgConnection::connect_with(&options).await;
        let unreachable = |cause: sqlx::Error| StoreError::Unreachable {
            url: without_password(url),
            cause: cause.to_string(),
        };
        first.map_err(unreachable)?.close().await?;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(Duration::from_millis(ACQUIRE_MS_MAX))
            .connect_lazy_with(options);
        Ok(Self { pool })
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(super) async fn begin_write(&self) -> Result<Transaction<'static, Engine>, StoreError> {
        Ok(self.pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?)
    }

    pub(super) async fn begin_read(&self) -> Result<Transaction<'static, Engine>, StoreError> {
        Ok(self.pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?)
    }

    pub(super) async fn hear_others(&self, bells: &Bells) -> Result<(), StoreError> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
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
        let mut connection = self.pool.acquire().await?;
        connection.prepare(sqlx::SqlSafeStr::into_sql_str(sql)).await?;
        Ok(())
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
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
