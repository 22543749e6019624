//! What SQLite needs in its own words: opening, its one writer, its locks, bulk writes and claims.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::PathBuf;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Executor, Sqlite as Engine, SqlitePool, Transaction};

use super::{StoreError, statements};

// Bulk writes: one parameter carries a JSON list, which each engine unfolds in its own words.
// Claims need no more than that here, where a writing transaction is alone.
statements! {
    CLAIM = "UPDATE message SET state = 'sending', attempts = attempts + 1, worker_id = $2
        WHERE id IN (SELECT value FROM json_each($1))";
    BEGIN_ATTEMPTS = "INSERT INTO attempt (message_id, number, worker_id, claimed_at, stage)
        SELECT id, attempts, $2, $3, 'claimed' FROM message
        WHERE id IN (SELECT value FROM json_each($1))";
    BEGIN_CONTENT = "UPDATE attempt SET stage = 'content', content_at = $2
        WHERE (message_id, number) IN
                (SELECT value ->> 0, value ->> 1 FROM json_each($1))
            AND EXISTS (SELECT 1 FROM message m WHERE m.id = attempt.message_id
                AND m.state = 'sending' AND m.attempts = attempt.number)
        RETURNING message_id";
    END_ATTEMPTS = "UPDATE attempt SET ended_at = $2, outcome = o.value ->> 'outcome',
            stage = o.value ->> 'stage', reply_code = o.value ->> 'code',
            reply = o.value ->> 'reply'
        FROM json_each($1) o
        WHERE attempt.message_id = o.value ->> 'message'
            AND attempt.number = o.value ->> 'attempt' AND attempt.outcome IS NULL";
    END_SENDING = "UPDATE message SET state = o.value ->> 'state', cause = o.value ->> 'cause',
            next_try_at = o.value ->> 'next_try_at', worker_id = NULL,
            ended_at = CASE WHEN o.value ->> 'state' IN ('queued', 'deferred') THEN NULL
                ELSE $2 END
        FROM json_each($1) o
        WHERE message.id = o.value ->> 'message' AND message.attempts = o.value ->> 'attempt'
            AND message.state = 'sending'";
}

/// How long a statement waits for another process's write before it fails.
const BUSY_MS_MAX: u64 = 30_000;
/// Connections that read beside the writer.
const READERS_MAX: u32 = 4;

/// What a finished write survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// A power cut: each group of commits is flushed to the disk. The default.
    #[default]
    Power,
    /// The end of the process; after a power cut the last moments may be missing.
    Process,
}

#[derive(Clone, Debug)]
pub(super) struct Sqlite {
    writer: SqlitePool,
    readers: SqlitePool,
    path: PathBuf,
}

/// The right to deliver from a database; given back when it is dropped, or its process ends.
#[derive(Debug)]
pub struct DeliveryLock {
    _file: File,
}

impl DeliveryLock {
    /// Whether its holder is the only one that delivers, so that every other worker is gone,
    /// whatever its lease says.
    pub fn is_alone(&self) -> bool {
        true
    }
}

impl Sqlite {
    pub(super) async fn open(url: &str, durability: Durability) -> Result<Self, StoreError> {
        let path = url
            .strip_prefix("sqlite://")
            .or_else(|| url.strip_prefix("sqlite:"))
            .filter(|path| !path.is_empty())
            .map(PathBuf::from)
            .ok_or_else(|| StoreError::Address(url.to_owned()))?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .foreign_keys(true)
            .busy_timeout(Duration::from_millis(BUSY_MS_MAX))
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(match durability {
                Durability::Power => SqliteSynchronous::Full,
                Durability::Process => SqliteSynchronous::Normal,
            });
        let unreachable = |cause: sqlx::Error| StoreError::Unreachable {
            url: url.to_owned(),
            cause: cause.to_string(),
        };
        // The writer first: it makes the file, and turns on WAL, which readers only find.
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_millis(BUSY_MS_MAX))
            .connect_with(options.clone())
            .await
            .map_err(unreachable)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .connect_with(options.read_only(true).create_if_missing(false))
            .await
            .map_err(unreachable)?;
        Ok(Self { writer, readers, path })
    }

    pub(super) fn writer(&self) -> &SqlitePool {
        &self.writer
    }

    /// Immediate, since a transaction that reads before it writes would otherwise fail with
    /// SQLITE_BUSY_SNAPSHOT as soon as another process has written between.
    pub(super) async fn begin_write(&self) -> Result<Transaction<'static, Engine>, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    pub(super) async fn begin_read(&self) -> Result<Transaction<'static, Engine>, StoreError> {
        Ok(self.readers.begin().await?)
    }

    pub(super) async fn prepare(&self, sql: &'static str) -> Result<(), StoreError> {
        let mut connection = self.writer.acquire().await?;
        connection.prepare(sqlx::SqlSafeStr::into_sql_str(sql)).await?;
        Ok(())
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    pub(super) fn lock_delivery(&self) -> Result<DeliveryLock, StoreError> {
        let mut path = self.path.clone().into_os_string();
        path.push(".delivery-lock");
        let path = PathBuf::from(path);
        let failed = |cause: std::io::Error| StoreError::Unreachable {
            url: path.display().to_string(),
            cause: cause.to_string(),
        };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(DeliveryLock { _file: file }),
            Err(TryLockError::WouldBlock) => {
                Err(StoreError::DeliveryTaken { path: path.display().to_string() })
            }
            Err(TryLockError::Error(cause)) => Err(failed(cause)),
        }
    }
}
