//! The steps that bring a database to this version's form, one file each, embedded. Both engines
//! have the same steps.

use std::borrow::Cow;

use sqlx::migrate::{Migrate, Migration, MigrationType, Migrator};
use sqlx::{Database, Pool, SqlSafeStr};

use super::StoreError;

/// The steps of an engine.
pub(super) struct Steps([(i64, &'static str, &'static str); 7]);

/// In order; a step that has been published is never changed.
pub(super) static SQLITE: Steps = Steps([
    (1, "ground", include_str!("../../migrations/sqlite/0001_ground.sql")),
    (2, "service", include_str!("../../migrations/sqlite/0002_service.sql")),
    (3, "polite", include_str!("../../migrations/sqlite/0003_polite.sql")),
    (4, "identity", include_str!("../../migrations/sqlite/0004_identity.sql")),
    (5, "reading", include_str!("../../migrations/sqlite/0005_reading.sql")),
    (6, "corrections", include_str!("../../migrations/sqlite/0006_corrections.sql")),
    (7, "office", include_str!("../../migrations/sqlite/0007_office.sql")),
]);
/// The same for PostgreSQL.
pub(super) static POSTGRES: Steps = Steps([
    (1, "ground", include_str!("../../migrations/postgres/0001_ground.sql")),
    (2, "service", include_str!("../../migrations/postgres/0002_service.sql")),
    (3, "polite", include_str!("../../migrations/postgres/0003_polite.sql")),
    (4, "identity", include_str!("../../migrations/postgres/0004_identity.sql")),
    (5, "reading", include_str!("../../migrations/postgres/0005_reading.sql")),
    (6, "corrections", include_str!("../../migrations/postgres/0006_corrections.sql")),
    (7, "office", include_str!("../../migrations/postgres/0007_office.sql")),
]);

impl Steps {
    fn migrator(&self) -> Migrator {
        let steps = self.0.map(|(version, name, sql)| {
            Migration::new(
                version,
                Cow::Borrowed(name),
                MigrationType::Simple,
                sql.into_sql_str(),
                false,
            )
        });
        Migrator { migrations: Cow::Owned(steps.to_vec()), ..Migrator::DEFAULT }
    }

    /// Takes the steps that are missing; gives how many. Of two processes one takes them, and the
    /// other waits.
    pub async fn run<DB: Database>(&self, pool: &Pool<DB>) -> Result<usize, StoreError>
    where
        DB::Connection: Migrate,
    {
        let missing = self.missing(pool).await?;
        self.migrator().run(pool).await?;
        Ok(missing)
    }

    pub async fn require<DB: Database>(&self, pool: &Pool<DB>) -> Result<(), StoreError>
    where
        DB::Connection: Migrate,
    {
        match self.missing(pool).await? {
            0 => Ok(()),
            // Nothing is there that could be lost.
            missing if missing == self.0.len() => self.run(pool).await.map(|_| ()),
            missing => Err(StoreError::Behind { missing }),
        }
    }

    /// The step that brings a database to this version.
    pub fn newest(&self) -> i64 {
        self.0[self.0.len() - 1].0
    }

    async fn missing<DB: Database>(&self, pool: &Pool<DB>) -> Result<usize, StoreError>
    where
        DB::Connection: Migrate,
    {
        let mut connection = pool.acquire().await?;
        let connection: &mut DB::Connection = &mut connection;
        let table = &self.migrator().table_name;
        connection.ensure_migrations_table(table).await?;
        let applied = connection.list_applied_migrations(table).await?;
        let newest = applied.iter().map(|step| step.version).max().unwrap_or(0);
        if newest > self.newest() {
            return Err(StoreError::Newer { found: newest });
        }
        Ok(self.0.len().saturating_sub(applied.len()))
    }
}
