//! The two engines behind one face.

use std::fs::File;

use super::bells::Bells;
use super::postgres::Postgres;
use super::rehearsing::{self, Rehearsal};
use super::sqlite::Sqlite;
use super::value::{Row, Value, bind};
use super::{Bell, Sql, StoreError, migrations};

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

/// The right to deliver from a database; given back when it is dropped, or its process ends.
#[derive(Debug)]
pub struct DeliveryLock {
    alone: Option<File>,
}

impl DeliveryLock {
    /// Whether its holder is the only one that delivers, so that every other worker is gone,
    /// whatever its lease says.
    pub fn is_alone(&self) -> bool {
        self.alone.is_some()
    }
}

/// That a process polls, or is the daemon of a database; given back when it is dropped, or its
/// process ends. On PostgreSQL it holds nothing: there several share the work by claims and leases.
#[derive(Debug)]
#[must_use = "it ends when it is dropped"]
pub struct ProcessLock {
    _file: Option<File>,
}

/// For whom a transaction writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writer {
    /// The work of the rooms, and commands.
    Work,
    /// A page, which somebody sits before.
    Page,
}

#[derive(Clone, Debug)]
pub(super) enum Engine {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

#[derive(Debug)]
pub(super) enum Transaction<'a> {
    Sqlite(sqlx::Transaction<'a, sqlx::Sqlite>),
    Postgres(sqlx::Transaction<'a, sqlx::Postgres>),
}

impl Engine {
    pub async fn open(url: &str, durability: Durability) -> Result<Self, StoreError> {
        let postgres = ["postgres://", "postgresql://"].iter().any(|kind| url.starts_with(kind));
        Ok(if postgres {
            Self::Postgres(Postgres::open(url, durability).await?)
        } else {
            Self::Sqlite(Sqlite::open(url, durability).await?)
        })
    }

    pub async fn migrate(&self) -> Result<usize, StoreError> {
        match self {
            Self::Sqlite(engine) => migrations::SQLITE.run(engine.writer()).await,
            Self::Postgres(engine) => migrations::POSTGRES.run(engine.writers()).await,
        }
    }

    pub async fn require_migrated(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(engine) => migrations::SQLITE.require(engine.writer()).await,
            Self::Postgres(engine) => migrations::POSTGRES.require(engine.writers()).await,
        }
    }

    pub async fn begin_write(&self, who: Writer) -> Result<Transaction<'static>, StoreError> {
        Ok(match self {
            Self::Sqlite(engine) => Transaction::Sqlite(engine.begin_write().await?),
            Self::Postgres(engine) => Transaction::Postgres(engine.begin_write(who).await?),
        })
    }

    pub async fn begin_read(&self) -> Result<Transaction<'static>, StoreError> {
        Ok(match self {
            Self::Sqlite(engine) => Transaction::Sqlite(engine.begin_read().await?),
            Self::Postgres(engine) => Transaction::Postgres(engine.begin_read().await?),
        })
    }

    pub async fn begin_rehearsal(
        &self,
        rehearsal: Rehearsal<'_>,
    ) -> Result<Transaction<'static>, StoreError> {
        Ok(match self {
            Self::Sqlite(engine) => {
                let mut tx = engine.begin_aside().await?;
                rehearsing::build_on_sqlite(&mut tx, rehearsal).await?;
                Transaction::Sqlite(tx)
            }
            Self::Postgres(engine) => {
                let mut tx = engine.begin_aside().await?;
                rehearsing::build_on_postgres(&mut tx, rehearsal).await?;
                Transaction::Postgres(tx)
            }
        })
    }

    pub async fn hear_others(&self, bells: &Bells) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(engine) => engine.hear_others(bells).await,
            Self::Postgres(engine) => engine.hear_others(bells).await,
        }
    }

    pub fn lock_delivery(&self) -> Result<DeliveryLock, StoreError> {
        let alone = match self {
            Self::Sqlite(engine) => Some(engine.lock_delivery()?),
            Self::Postgres(_) => None,
        };
        Ok(DeliveryLock { alone })
    }

    pub fn lock_daemon(&self) -> Result<ProcessLock, StoreError> {
        let file = match self {
            Self::Sqlite(engine) => Some(engine.lock_daemon()?),
            Self::Postgres(_) => None,
        };
        Ok(ProcessLock { _file: file })
    }

    pub async fn lock_polling(&self) -> Result<ProcessLock, StoreError> {
        let file = match self {
            Self::Sqlite(engine) => Some(engine.lock_polling().await?),
            Self::Postgres(_) => None,
        };
        Ok(ProcessLock { _file: file })
    }

    pub async fn prepare(&self, sql: Sql) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) if sql.sqlite.is_empty() => Ok(()),
            Self::Sqlite(engine) => engine.prepare(sql.sqlite).await,
            Self::Postgres(engine) => engine.prepare(sql.postgres).await,
        }
    }

    pub async fn close(&self) {
        match self {
            Self::Sqlite(engine) => engine.close().await,
            Self::Postgres(engine) => engine.close().await,
        }
    }
}

impl Transaction<'_> {
    /// The step that brings tables to this version's form.
    pub fn newest_step(&self) -> i64 {
        match self {
            Self::Sqlite(_) => migrations::SQLITE.newest(),
            Self::Postgres(_) => migrations::POSTGRES.newest(),
        }
    }

    pub async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// Has other processes hear a bell when this is committed, where the engine can tell them.
    pub async fn notify(&mut self, bell: Bell) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(tx) => super::postgres::notify(tx, bell).await,
        }
    }

    pub async fn execute(&mut self, sql: Sql, values: &[Value]) -> Result<u64, StoreError> {
        Ok(match self {
            Self::Sqlite(tx) => bind!(sql.sqlite, values).execute(&mut **tx).await?.rows_affected(),
            Self::Postgres(tx) => {
                bind!(sql.postgres, values).execute(&mut **tx).await?.rows_affected()
            }
        })
    }

    pub async fn lock(&mut self, sql: Sql, values: &[Value]) -> Result<(), StoreError> {
        if let Self::Postgres(tx) = self {
            bind!(sql.postgres, values).execute(&mut **tx).await?;
        }
        Ok(())
    }

    pub async fn rows(&mut self, sql: Sql, values: &[Value]) -> Result<Vec<Row>, StoreError> {
        Ok(match self {
            Self::Sqlite(tx) => {
                let rows = bind!(sql.sqlite, values).fetch_all(&mut **tx).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Self::Postgres(tx) => {
                let rows = bind!(sql.postgres, values).fetch_all(&mut **tx).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    pub async fn row(&mut self, sql: Sql, values: &[Value]) -> Result<Option<Row>, StoreError> {
        Ok(match self {
            Self::Sqlite(tx) => {
                bind!(sql.sqlite, values).fetch_optional(&mut **tx).await?.map(Row::Sqlite)
            }
            Self::Postgres(tx) => {
                bind!(sql.postgres, values).fetch_optional(&mut **tx).await?.map(Row::Postgres)
            }
        })
    }
}
