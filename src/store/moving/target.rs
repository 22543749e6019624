//! Both ends of a move: what the tables are, by the target's own catalogue, and how rows go from
//! one end to the other.

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, PgConnection, Postgres as Engine, Row as _, Sqlite, Transaction};

use super::cells::{Cell, Digest, Kind};
use super::{MoveError, MoveProgress, Sums, TABLES};
use crate::store::StoreError;
use crate::store::postgres::Postgres;

/// Octets that are sent at once.
const SENT_OCTETS: usize = 256 << 10;
/// Rows after which it is told how far the work is.
const ROWS_A_WORD: u64 = 1_000;
/// The table in which migrations are noted. It is the engine's own.
const MIGRATIONS: &str = "_sqlx_migrations";

/// A table.
#[derive(Clone, Debug)]
pub(super) struct Table {
    name: &'static str,
    /// In the order of their names, since the engines have theirs in different orders.
    columns: Vec<(String, Kind)>,
    key: Vec<String>,
    /// Whether the database gives its ids.
    identity: bool,
}

/// The database that is moved to, held against everybody else.
pub(super) struct Target {
    tx: Transaction<'static, Engine>,
    pub(super) tables: Vec<Table>,
}

/// What makes an installation: its secret's check, and when it was made.
pub(super) type Identity = Option<(String, i64)>;

const INSTALLATION: &str = "SELECT secret_check, created_at FROM installation WHERE id = 1";

/// Fails where a database has tables that are not ours.
pub(super) async fn refuse_foreign(postgres: &Postgres) -> Result<(), MoveError> {
    let sql = "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()
        ORDER BY tablename";
    let tables: Vec<String> = sqlx::query_scalar(sql).fetch_all(postgres.writers()).await?;
    let ours = |table: &String| TABLES.contains(&table.as_str()) || table == MIGRATIONS;
    let foreign: Vec<String> = tables.into_iter().filter(|table| !ours(table)).collect();
    if foreign.is_empty() { Ok(()) } else { Err(MoveError::Foreign(foreign)) }
}

/// Has the database look at what it holds now, so that its first plans are good ones.
pub(super) async fn analyse(postgres: &Postgres) -> Result<(), MoveError> {
    sqlx::query("ANALYZE").execute(postgres.writers()).await?;
    Ok(())
}

/// The identity of the installation that is moved.
pub(super) async fn installation_of(
    here: &mut Transaction<'static, Sqlite>,
) -> Result<Identity, MoveError> {
    let row = sqlx::query(INSTALLATION).fetch_optional(&mut **here).await?;
    let identity = row.map(|row| Ok::<_, sqlx::Error>((row.try_get(0)?, row.try_get(1)?)));
    Ok(identity.transpose()?)
}

/// The rows of every table here, counted and digested.
pub(super) async fn sums_of(
    here: &mut Transaction<'static, Sqlite>,
    tables: &[Table],
    progress: &mut impl FnMut(MoveProgress),
) -> Result<Sums, MoveError> {
    let mut told = Told::new(count(here, tables).await?, progress);
    let mut sums = Sums::new();
    for table in tables {
        let mut digest = Digest::new();
        let mut rows = sqlx::query(AssertSqlSafe(table.select(""))).fetch(&mut **here);
        while let Some(row) = rows.try_next().await? {
            digest.add(&table.row_of_sqlite(&row)?);
            told.row(table.name);
        }
        sums.insert(table.name, digest);
    }
    Ok(sums)
}

async fn count(
    here: &mut Transaction<'static, Sqlite>,
    tables: &[Table],
) -> Result<u64, MoveError> {
    let mut total: i64 = 0;
    for table in tables {
        let sql = AssertSqlSafe(format!("SELECT count(*) FROM {}", table.name));
        total += sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut **here).await?;
    }
    Ok(u64::try_from(total).unwrap_or(0))
}

/// Tells how far the work is, now and then.
struct Told<'a, F> {
    done: u64,
    total: u64,
    progress: &'a mut F,
}

impl<'a, F: FnMut(MoveProgress)> Told<'a, F> {
    fn new(total: u64, progress: &'a mut F) -> Self {
        Self { done: 0, total, progress }
    }

    fn row(&mut self, table: &'static str) {
        self.done += 1;
        if self.done.is_multiple_of(ROWS_A_WORD) || self.done == self.total {
            (self.progress)(MoveProgress { table, done: self.done, total: self.total });
        }
    }
}

impl Table {
    async fn read(there: &mut PgConnection, name: &'static str) -> Result<Self, MoveError> {
        let sql = "SELECT column_name::text, data_type::text, is_identity::text
            FROM information_schema.columns
            WHERE table_schema = current_schema() AND table_name = $1 ORDER BY column_name";
        let (mut columns, mut identity) = (Vec::new(), false);
        for row in sqlx::query(sql).bind(name).fetch_all(&mut *there).await? {
            let (column, data_type): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let kind = Kind::of(&data_type);
            let kind =
                kind.ok_or(StoreError::Unreadable { what: "type of a column", text: data_type })?;
            identity |= row.try_get::<String, _>(2)? == "YES";
            columns.push((column, kind));
        }
        let sql = "SELECT a.attname::text FROM pg_index i
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
            WHERE i.indrelid = $1::regclass AND i.indisprimary ORDER BY a.attname";
        let key = sqlx::query_scalar(sql).bind(name).fetch_all(&mut *there).await?;
        Ok(Self { name, columns, key, identity })
    }

    fn column_list(&self) -> String {
        let names: Vec<String> =
            self.columns.iter().map(|(column, _)| format!("\"{column}\"")).collect();
        names.join(", ")
    }

    /// Every row in the order of the key. `collation` goes with texts, so that both engines compare
    /// octets.
    fn select(&self, collation: &str) -> String {
        let is_text = |key: &String| {
            self.columns.iter().any(|(column, kind)| column == key && *kind == Kind::Text)
        };
        let order: Vec<String> = self
            .key
            .iter()
            .map(|key| format!("\"{key}\"{}", if is_text(key) { collation } else { "" }))
            .collect();
        let (columns, table, order) = (self.column_list(), self.name, order.join(", "));
        format!("SELECT {columns} FROM {table} ORDER BY {order}")
    }

    fn row_of_sqlite(&self, row: &SqliteRow) -> Result<Vec<Cell>, sqlx::Error> {
        let columns = self.columns.iter().enumerate();
        columns.map(|(index, (_, kind))| Cell::of_sqlite(row, index, *kind)).collect()
    }
}

impl Target {
    /// Holds the tables against everybody who writes, and learns what they are.
    pub(super) async fn open(mut tx: Transaction<'static, Engine>) -> Result<Self, MoveError> {
        let lock = format!("LOCK TABLE {} IN EXCLUSIVE MODE", TABLES.join(", "));
        sqlx::query(AssertSqlSafe(lock)).execute(&mut *tx).await?;
        let mut tables = Vec::with_capacity(TABLES.len());
        for name in TABLES {
            tables.push(Table::read(&mut tx, name).await?);
        }
        Ok(Self { tx, tables })
    }

    /// Whether nothing is there but what migrations put there: the stream's head, at its start.
    pub(super) async fn is_empty(&mut self) -> Result<bool, MoveError> {
        for table in TABLES {
            let fresh = if table == "stream_head" { " WHERE position > 0" } else { "" };
            let sql = format!("SELECT 1 FROM {table}{fresh} LIMIT 1");
            let row = sqlx::query(AssertSqlSafe(sql)).fetch_optional(&mut *self.tx).await?;
            if row.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The identity of the installation that is there.
    pub(super) async fn installation(&mut self) -> Result<Identity, MoveError> {
        let row = sqlx::query(INSTALLATION).fetch_optional(&mut *self.tx).await?;
        let identity = row.map(|row| Ok::<_, sqlx::Error>((row.try_get(0)?, row.try_get(1)?)));
        Ok(identity.transpose()?)
    }

    /// Takes every row away. The trace refuses that by a trigger, which is put aside for this one
    /// transaction, and in no other place of the program.
    pub(super) async fn empty(&mut self) -> Result<(), MoveError> {
        let tables = TABLES.join(", ");
        for sql in [
            "ALTER TABLE trace DISABLE TRIGGER trace_is_append_only".to_owned(),
            format!("TRUNCATE {tables}"),
            "ALTER TABLE trace ENABLE TRIGGER trace_is_append_only".to_owned(),
        ] {
            sqlx::query(AssertSqlSafe(sql)).execute(&mut *self.tx).await?;
        }
        Ok(())
    }

    /// The rows of every table there, counted and digested.
    pub(super) async fn sums(
        &mut self,
        progress: &mut impl FnMut(MoveProgress),
    ) -> Result<Sums, MoveError> {
        let mut total: i64 = 0;
        for table in TABLES {
            let sql = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
            total += sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut *self.tx).await?;
        }
        let mut told = Told::new(u64::try_from(total).unwrap_or(0), progress);
        let mut sums = Sums::new();
        for table in &self.tables {
            let mut digest = Digest::new();
            let select = AssertSqlSafe(table.select(" COLLATE \"C\""));
            let mut rows = sqlx::query(select).fetch(&mut *self.tx);
            while let Some(row) = rows.try_next().await? {
                let cells = table.columns.iter().enumerate();
                let cells = cells.map(|(index, (_, kind))| Cell::of_postgres(&row, index, *kind));
                digest.add(&cells.collect::<Result<Vec<_>, _>>()?);
                told.row(table.name);
            }
            sums.insert(table.name, digest);
        }
        Ok(sums)
    }

    /// Copies every row of every table; gives what was read, counted and digested.
    pub(super) async fn copy(
        &mut self,
        here: &mut Transaction<'static, Sqlite>,
        progress: &mut impl FnMut(MoveProgress),
    ) -> Result<Sums, MoveError> {
        // The row that migrations put there comes with the others.
        sqlx::query("DELETE FROM stream_head").execute(&mut *self.tx).await?;
        let mut told = Told::new(count(here, &self.tables).await?, progress);
        let mut sums = BTreeMap::new();
        for table in &self.tables {
            let digest = copy_table(&mut self.tx, here, table, &mut told).await?;
            sums.insert(table.name, digest);
            if table.identity {
                go_on_counting(&mut self.tx, here, table).await?;
            }
        }
        Ok(sums)
    }

    pub(super) async fn commit(self) -> Result<(), MoveError> {
        Ok(self.tx.commit().await?)
    }
}

async fn copy_table<F: FnMut(MoveProgress)>(
    there: &mut PgConnection,
    here: &mut Transaction<'static, Sqlite>,
    table: &Table,
    told: &mut Told<'_, F>,
) -> Result<Digest, MoveError> {
    let into = format!("COPY {} ({}) FROM STDIN", table.name, table.column_list());
    let mut copy = there.copy_in_raw(&into).await?;
    let mut send = async || -> Result<Digest, sqlx::Error> {
        let (mut digest, mut octets) = (Digest::new(), Vec::with_capacity(SENT_OCTETS));
        let mut rows = sqlx::query(AssertSqlSafe(table.select(""))).fetch(&mut **here);
        while let Some(row) = rows.try_next().await? {
            let cells = table.row_of_sqlite(&row)?;
            for (index, cell) in cells.iter().enumerate() {
                if index > 0 {
                    octets.push(b'\t');
                }
                cell.copy_into(&mut octets);
            }
            octets.push(b'\n');
            digest.add(&cells);
            told.row(table.name);
            if octets.len() >= SENT_OCTETS {
                copy.send(octets.as_slice()).await?;
                octets.clear();
            }
        }
        copy.send(octets.as_slice()).await?;
        Ok(digest)
    };
    let sent = send().await;
    match sent {
        Ok(digest) => {
            copy.finish().await?;
            Ok(digest)
        }
        Err(error) => {
            // What stopped it is what is told.
            let _ = copy.abort("it could not be read").await;
            Err(error.into())
        }
    }
}

/// Has the ids that the database gives go on after those that were ever given here: one that was
/// taken away is not given again.
async fn go_on_counting(
    there: &mut PgConnection,
    here: &mut Transaction<'static, Sqlite>,
    table: &Table,
) -> Result<(), MoveError> {
    let given = format!(
        "SELECT max(coalesce((SELECT max(seq) FROM sqlite_sequence WHERE name = '{0}'), 0),
            coalesce((SELECT max(id) FROM {0}), 0))",
        table.name
    );
    let given: i64 = sqlx::query_scalar(AssertSqlSafe(given)).fetch_one(&mut **here).await?;
    sqlx::query("SELECT setval(pg_get_serial_sequence($1, 'id'), $2, $3)")
        .bind(table.name)
        .bind(given.max(1))
        .bind(given > 0)
        .execute(there)
        .await?;
    Ok(())
}
