//! The steps that bring a database to this version's form, one file each, embedded.

use std::borrow::Cow;

use sqlx::SqlitePool;
use sqlx::migrate::{Migrate, Migration, MigrationType, Migrator};
use sqlx::{SqlSafeStr, sqlite::SqliteConnection};

use super::StoreError;

/// In order; a step that has been published is never changed.
const STEPS: [(i64, &str, &str); 1] =
    [(1, "ground", include_str!("../../migrations/sqlite/0001_ground.sql"))];

fn migrator() -> Migrator {
    let steps = STEPS.map(|(version, name, sql)| {
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

pub(super) async fn run(pool: &SqlitePool) -> Result<usize, StoreError> {
    let missing = missing(pool).await?;
    migrator().run(pool).await?;
    Ok(missing)
}

pub(super) async fn require(pool: &SqlitePool) -> Result<(), StoreError> {
    match missing(pool).await? {
        0 => Ok(()),
        // Nothing is there that could be lost.
        missing if missing == STEPS.len() => run(pool).await.map(|_| ()),
        missing => Err(StoreError::Behind { missing }),
    }
}

async fn missing(pool: &SqlitePool) -> Result<usize, StoreError> {
    let mut connection = pool.acquire().await?;
    let connection: &mut SqliteConnection = &mut connection;
    let table = &migrator().table_name;
    connection.ensure_migrations_table(table).await?;
    let applied = connection.list_applied_migrations(table).await?;
    let newest = applied.iter().map(|step| step.version).max().unwrap_or(0);
    if newest > STEPS[STEPS.len() - 1].0 {
        return Err(StoreError::Newer { found: newest });
    }
    Ok(STEPS.len().saturating_sub(applied.len()))
}
