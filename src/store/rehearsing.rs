//! A stage for rehearsals: copies of what planning writes, as temporary tables that stand before
//! the real ones of the same names, in a transaction that nobody commits. Who plans on it does
//! exactly what would be done, and neither waits for those who work on the real tables nor keeps
//! them waiting: nothing of theirs is written or locked.
//!
//! Both engines look for a table's name among temporary ones first. PostgreSQL keeps that in mind
//! with each statement it knows, so a rehearsal has a connection of its own.

use sqlx::{AssertSqlSafe, Postgres, Row as _, Sqlite, Transaction};

use crate::model::{CadenceId, ListId, Timestamp};

use super::StoreError;

/// How far before the slot messages are needed, in seconds: the daily cap counts those of the day
/// of the slot.
const CAPPED_SECONDS: i64 = 2 * 24 * 3600;

/// A table that planning writes, and which of its rows a rehearsal of cadence $2 of list $1 needs.
/// `{real}` stands before names of real tables, `{planned}` for the edition that is being planned.
struct Stage {
    table: &'static str,
    rows: &'static str,
    /// Whether planning has the database give ids.
    gives_ids: bool,
}

const fn stage(table: &'static str, rows: &'static str, gives_ids: bool) -> Stage {
    Stage { table, rows, gives_ids }
}

const OF_CADENCE: &str = "list_id = $1 AND cadence = $2";
const OF_PLANNED: &str = "edition_id IN ({planned})";
const PLANNED: &str = "SELECT c.edition_id FROM {real}cadence c
    WHERE c.list_id = $1 AND c.cadence = $2 AND c.planning_cut IS NOT NULL";
/// Of an immediate cadence also what the daily cap counts, before the slot or before $3.
const MESSAGES: &str = "edition_id IN ({planned} UNION SELECT e.id FROM {real}edition e
    WHERE e.list_id = $1 AND e.cadence = $2 AND $2 = 'immediate' AND e.slot_at >= coalesce(
        (SELECT min(p.slot_at) FROM {real}edition p WHERE p.id IN ({planned})), $3) - $4)";
/// What was found in the items of the window, beginning where somebody has been told least.
const MATCHES: &str = "item_id IN (SELECT n.item_id FROM {real}entry n WHERE n.position > (
    SELECT min(told.at) FROM (
        SELECT c.last_cut AS at FROM {real}cadence c WHERE c.list_id = $1 AND c.cadence = $2
        UNION ALL SELECT min(s.cursor) AS at FROM {real}subscription s WHERE s.list_id = $1
            AND s.cadence = $2 AND s.cursor IS NOT NULL AND s.state = 'active') told))";
/// A table that is only added to.
const NONE: &str = "";

const STAGES: [Stage; 10] = [
    stage("cadence", OF_CADENCE, false),
    stage("subscription", OF_CADENCE, false),
    stage("item_match", MATCHES, false),
    stage("edition", OF_CADENCE, true),
    stage("fragment", OF_PLANNED, true),
    stage("variant", OF_PLANNED, true),
    stage("edition_group", OF_PLANNED, false),
    stage("edition_hit", OF_PLANNED, false),
    stage("message", MESSAGES, true),
    stage("trace", NONE, true),
];

/// What is rehearsed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rehearsal<'a> {
    pub list: &'a ListId,
    pub cadence: &'a CadenceId,
    pub now: Timestamp,
}

impl Stage {
    /// Copies the rows that are needed; none for a table that is only added to.
    fn copy(&self, to: &str, real: &str) -> Option<AssertSqlSafe<String>> {
        let Self { table, rows, .. } = self;
        let rows = rows.replace("{planned}", PLANNED).replace("{real}", real);
        (!rows.is_empty()).then(|| {
            AssertSqlSafe(format!("INSERT INTO {to} SELECT * FROM {real}{table} WHERE {rows}"))
        })
    }
}

/// Binds what a copy asks for: its list, its cadence, and where it needs them the instant and the
/// seconds before it.
macro_rules! copying {
    ($copy:expr, $rehearsal:expr, $rows:expr) => {{
        let Rehearsal { list, cadence, now } = $rehearsal;
        let query = sqlx::query($copy).bind(list.to_string()).bind(cadence.to_string());
        if $rows == MESSAGES { query.bind(now.0).bind(CAPPED_SECONDS) } else { query }
    }};
}

/// Builds the stage on SQLite.
pub(super) async fn build_on_sqlite(
    tx: &mut Transaction<'_, Sqlite>,
    rehearsal: Rehearsal<'_>,
) -> Result<(), StoreError> {
    for stage in &STAGES {
        let made = "SELECT type, sql FROM main.sqlite_master WHERE tbl_name = $1
            AND type IN ('table', 'index') AND sql IS NOT NULL ORDER BY type DESC";
        for row in sqlx::query(made).bind(stage.table).fetch_all(&mut **tx).await? {
            let (kind, sql): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let sql = match kind.as_str() {
                "table" => sql.replacen("CREATE TABLE ", "CREATE TEMP TABLE ", 1),
                _ => sql.replacen(" INDEX ", " INDEX temp.", 1),
            };
            sqlx::query(AssertSqlSafe(sql)).execute(&mut **tx).await?;
        }
        if let Some(copy) = stage.copy(&format!("temp.{}", stage.table), "main.") {
            copying!(copy, rehearsal, stage.rows).execute(&mut **tx).await?;
        }
    }
    Ok(())
}

/// Builds the stage on PostgreSQL. The copies get their names when all are made, so that until then
/// names are those of real tables.
pub(super) async fn build_on_postgres(
    tx: &mut Transaction<'_, Postgres>,
    rehearsal: Rehearsal<'_>,
) -> Result<(), StoreError> {
    for Stage { table, .. } in &STAGES {
        let make = format!(
            "CREATE TEMPORARY TABLE rehearsed_{table} (LIKE {table} INCLUDING ALL) ON COMMIT DROP"
        );
        sqlx::query(AssertSqlSafe(make)).execute(&mut **tx).await?;
    }
    for stage in &STAGES {
        let name = format!("rehearsed_{}", stage.table);
        let Some(copy) = stage.copy(&name, "") else { continue };
        copying!(copy, rehearsal, stage.rows).execute(&mut **tx).await?;
        // Nobody else looks at what temporary tables hold.
        sqlx::query(AssertSqlSafe(format!("ANALYZE {name}"))).execute(&mut **tx).await?;
        if stage.gives_ids {
            let next = format!(
                "SELECT setval(pg_get_serial_sequence('{name}', 'id'),
                    (SELECT coalesce(max(id), 0) + 1 FROM {name}), false)"
            );
            sqlx::query(AssertSqlSafe(next)).execute(&mut **tx).await?;
        }
    }
    for Stage { table, .. } in &STAGES {
        let rename = format!("ALTER TABLE rehearsed_{table} RENAME TO {table}");
        sqlx::query(AssertSqlSafe(rename)).execute(&mut **tx).await?;
    }
    Ok(())
}
