//! What SQLite needs for itself: opening, its one writer, its locks, and word of what other
//! processes have written.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::PathBuf;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Executor, Row as _, Sqlite as Engine, SqlitePool, Transaction};

use super::bells::Bells;
use super::engine::Durability;
use super::{Bell, StoreError};

/// How long a statement waits for another process's write before it fails.
const BUSY_MS_MAX: u64 = 30_000;
/// Connections that read beside the writer.
const READERS_MAX: u32 = 4;
/// How often it is asked whether another process has written, in milliseconds.
const LOOK_MS: u64 = 1_000;
/// How often a file that another process holds for a moment is tried again, in milliseconds.
const LOCK_AGAIN_MS: u64 = 20;

#[derive(Clone, Debug)]
pub(super) struct Sqlite {
    writer: SqlitePool,
    readers: SqlitePool,
    path: PathBuf,
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

    /// A transaction that reads one state of the database and writes temporary tables, on a
    /// connection of its own. Foreign keys are not looked at: those of temporary tables would have
    /// to refer to temporary ones.
    pub(super) async fn begin_aside(&self) -> Result<Transaction<'static, Engine>, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(&self.path)
            .read_only(true)
            .foreign_keys(false)
            .busy_timeout(Duration::from_millis(BUSY_MS_MAX));
        let aside = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        Ok(aside.begin().await?)
    }

    /// Another process cannot say that it has written; that it has, the database tells.
    pub(super) async fn hear_others(&self, bells: &Bells) -> Result<(), StoreError> {
        let mut connection = self.readers.acquire().await?;
        let mut seen: Option<i64> = None;
        loop {
            // It counts what other connections have committed, those of this process too.
            let row = sqlx::query("PRAGMA data_version").fetch_one(&mut *connection).await?;
            let version: i64 = row.try_get(0)?;
            if seen.replace(version).is_some_and(|seen| seen != version) {
                Bell::ALL.into_iter().for_each(|bell| bells.ring(bell));
            }
            tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
        }
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

    /// The file beside the database that says who delivers.
    pub(super) fn lock_delivery(&self) -> Result<File, StoreError> {
        let lock = LockFile::open(self, "delivery-lock")?;
        match lock.alone()? {
            true => Ok(lock.file),
            false => Err(StoreError::DeliveryTaken { path: lock.path }),
        }
    }

    /// The file that says which daemon serves the database.
    pub(super) fn lock_daemon(&self) -> Result<File, StoreError> {
        let lock = LockFile::open(self, "daemon-lock")?;
        match lock.alone()? {
            true => Ok(lock.file),
            false => Err(StoreError::DaemonTaken { path: lock.path }),
        }
    }

    /// The file that all who poll hold together. Whoever can have it alone for a moment knows that
    /// nobody else polls, and that claims of sources are left from a process that was killed.
    pub(super) async fn lock_polling(&self) -> Result<File, StoreError> {
        let lock = LockFile::open(self, "polling-lock")?;
        if lock.alone()? {
            let ended = sqlx::query(super::polls::RELEASE_SOURCES.sqlite);
            ended.execute(&self.writer).await?;
        }
        loop {
            match lock.file.try_lock_shared() {
                Ok(()) => return Ok(lock.file),
                Err(TryLockError::WouldBlock) => {
                    tokio::time::sleep(Duration::from_millis(LOCK_AGAIN_MS)).await;
                }
                Err(TryLockError::Error(cause)) => return Err(lock.failed(&cause)),
            }
        }
    }
}

/// A file that stays locked as long as it is open: by one process, or by all that share it.
struct LockFile {
    file: File,
    path: String,
}

impl LockFile {
    fn open(database: &Sqlite, ending: &str) -> Result<Self, StoreError> {
        let path = format!("{}.{ending}", database.path.display());
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let failed = |cause: std::io::Error| StoreError::Unreachable {
            url: path.clone(),
            cause: cause.to_string(),
        };
        Ok(Self { file: file.map_err(failed)?, path })
    }

    /// Locks it for this process alone; false where another has it.
    fn alone(&self) -> Result<bool, StoreError> {
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(cause)) => Err(self.failed(&cause)),
        }
    }

    fn failed(&self, cause: &std::io::Error) -> StoreError {
        StoreError::Unreachable { url: self.path.clone(), cause: cause.to_string() }
    }
}
