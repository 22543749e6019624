//! How the database finds rows on filled tables: what runs for a million rows must not look at all
//! of them.

use banditore::store::{Sql, all_statements};
use sqlx::{Connection, PgConnection, Row, SqliteConnection};

use crate::support::{Engine, Ground};

/// The tables that grow with subscribers and with time.
const LARGE: [&str; 5] = ["message", "subscription", "attempt", "entry", "subscriber"];

/// Indexes that have only the rows that are wanted.
const PARTIAL: [&str; 6] = [
    "subscription_unpinned",
    "subscription_pinned",
    "message_due",
    "message_notice_due",
    "message_under_way",
    "attempt_in_doubt",
];

/// What runs while pages wait, while mails go out, and for every slot.
const HOT: &[&str] = &[
    // planning
    "NEXT_UNPINNED",
    "NEXT_PINNED",
    "EARLIEST_PIN",
    "GROUPS_UNPINNED",
    "GROUPS_PINNED",
    "WORDS_IN_SLICE",
    "FORGET_HITS",
    "INSERT_HIT",
    "INSERT_GROUP",
    "WRITE_UNPINNED",
    "WRITE_PINNED",
    "MOVE_PINS",
    "PIN_LEFT_OUT",
    "DROP_PINS",
    "PROFILES_OF",
    "WINDOW",
    "WITHDRAWN_IN_WINDOW",
    "FIRST_PLACED_AFTER",
    "ENTRIES_OF_ITEM",
    "CARRIED",
    "ITEM_AT",
    // delivery
    "OPEN_EDITIONS",
    "DUE",
    "CLAIM",
    "BEGIN_ATTEMPTS",
    "BEGIN_CONTENT",
    "END_ATTEMPTS",
    "END_SENDING",
    "END_UNSENT",
    "END_EDITION",
    "NEXT_TRY",
    "UNDER_WAY",
    "WORKERS_UNDER_WAY",
    "HELD_BY",
    "END_ATTEMPTS_OF",
    "RELEASE_MESSAGES",
    "DECIDE_DOUBTS",
    // approval
    "RELEASE_WAITING",
    "DROP_WAITING",
    "PIN_REFUSED",
    "CANCEL_REFUSED",
    // people and pages
    "SUBJECT_BY_HASH",
    "SUBSCRIPTION",
    "SUBSCRIPTION_BY_ID",
    "SUBSCRIPTIONS_OF",
    "SUBSCRIPTIONS_AFTER",
    "CHANGE_SUBSCRIPTION",
    "WORDS_OF",
    "FORGET_WORDS",
    "WAITING_OF",
    "CANCEL_WAITING",
    "MESSAGE",
    "MESSAGE_OF",
    "MESSAGES_OF_SUBSCRIBER",
    "ATTEMPTS",
    "COUNTS",
    "DOUBTS",
    "VARIANTS",
    // archiving
    "SHAPE",
    "LEFT_OF",
    "SUMS",
    "MESSAGES_OF_EDITION",
    "ATTEMPTS_OF_EDITION",
    "DROP_ATTEMPTS",
    "DROP_MESSAGES",
    "DROP_GROUPS",
    "DROP_HITS",
    "DROP_VARIANTS",
    "DROP_FRAGMENTS",
    // the trace
    "INSERT_TRACE",
    "TRACE",
    "TRACE_OF",
    // coming in and going out
    "HIT",
    "KEEP_SUBJECT",
    "SIGN_UP",
    "SIGN_UPS_OF",
    "EXPIRED_SIGN_UPS",
    "FORGET_SUBJECT",
    "COME_BACK",
    "NOTICE_BY_PURPOSE",
    "DUE_NOTICES",
    "NOTICE_MESSAGES_OF",
    "NOTICE_COUNTS",
    "OLD_NOTICES",
    "FINISHED_NOTICES",
    "END_OPEN_SIGN_UPS",
];

/// What every message asks for.
const EACH_MESSAGE: [&str; 9] = [
    "OPEN_EDITIONS",
    "DUE",
    "CLAIM",
    "BEGIN_ATTEMPTS",
    "BEGIN_CONTENT",
    "END_ATTEMPTS",
    "END_SENDING",
    "END_UNSENT",
    "WORKERS_UNDER_WAY",
];

/// Statements that fill the tables as a year of a middle-sized list does, in proportion.
const FILL: [&str; 13] = [
    "INSERT INTO list VALUES ('residents', 'R', 'a@example.org', 1, 'resend', 0, 0, 0, NULL)",
    "INSERT INTO list_source VALUES ('residents', '*', 0, NULL)",
    "INSERT INTO cadence (list_id, cadence, schedule, created_at, last_cut, last_slot_at)
        VALUES ('residents', 'daily', '0 0 7 * * *', 0, 0, 0)",
    "INSERT INTO source (id, url, settings_json, from_file, next_poll_at)
        VALUES ('comune', 'https://example.org/', '{}', 0, 0)",
    "INSERT INTO item (source_id, identity, revision, digest, baseline, first_seen_at)
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
        SELECT 'comune', CAST(i AS TEXT), 1, '', 0, i FROM n",
    "INSERT INTO revision (item_id, revision, title, summary, content, image_alt_json,
            categories_json, seen_at) SELECT id, 1, 'Avviso', '', '', '[]', '[]', id FROM item",
    "INSERT INTO entry (item_id, revision, reason, source_id, position, placed_at)
        SELECT id, 1, 'new', 'comune', id, id FROM item",
    "INSERT INTO profile (key, all_topics, language, topics_json, places_json)
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
        SELECT CAST(i AS TEXT), 1, 'it', '[]', '[]' FROM n",
    "INSERT INTO subscriber (id, address, address_hash, created_at)
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
        SELECT i, 'p' || i || '@example.org', 'h' || i, 0 FROM n",
    "INSERT INTO subscription (subscriber_id, list_id, cadence, profile_id, state, cursor,
            joined_position, created_at, changed_at)
        SELECT id, 'residents', 'daily', 1 + id % 50, 'active', CASE id % 20 WHEN 0 THEN 5 END,
            0, 0, 0 FROM subscriber",
    "INSERT INTO edition (list_id, cadence, slot, slot_at, since, cut, ruleset, approval, state,
            opened_at)
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20)
        SELECT 'residents', 'daily', CAST(i AS TEXT), i, 0, 0, 'r', 0,
            CASE i WHEN 20 THEN 'open' ELSE 'done' END, i
        FROM n",
    "INSERT INTO variant (edition_id, key, language, headers, fragments_json, entries_json,
            html_bytes) SELECT id, 'v', 'it', x'', '[]', '[]', 0 FROM edition",
    "INSERT INTO message (edition_id, subscriber_id, subscription_id, profile_id, variant_id,
            window_start, state, next_try_at, expires_at, created_at)
        SELECT v.edition_id, s.subscriber_id, s.id, s.profile_id, v.id, 0,
            CASE v.edition_id WHEN 20 THEN 'queued' ELSE 'accepted' END, 0, 0, 0
        FROM variant v, subscription s WHERE s.id <= 2000",
];

async fn filled(engine: Engine) -> Ground {
    let ground = Ground::on(engine).await;
    for sql in FILL {
        let sql =
            if engine == Engine::Postgres { sql.replace("x''", "''::bytea") } else { sql.into() };
        ground.run(&sql).await;
    }
    ground
        .run(
            "INSERT INTO attempt (message_id, number, worker_id, claimed_at, stage)
            SELECT id, 1, 1, 0, 'reply' FROM message",
        )
        .await;
    ground
}

fn hot() -> impl Iterator<Item = (&'static str, Sql)> {
    let statements = all_statements();
    HOT.iter().map(move |name| {
        let found = statements.iter().find(|(known, _)| known == name);
        *found.unwrap_or_else(|| panic!("there is no statement {name} any more"))
    })
}

#[tokio::test]
async fn what_runs_often_never_looks_at_a_whole_table_that_grows_on_sqlite() {
    let ground = filled(Engine::Sqlite).await;
    let mut wrong = Vec::new();
    // As it is opened for the first time, and as it is when somebody has let SQLite analyse it.
    for analysed in [false, true] {
        if analysed {
            ground.run("ANALYZE").await;
        }
        let mut connection = SqliteConnection::connect(ground.database.url()).await.unwrap();
        for (name, sql) in hot() {
            let sql = sql.sqlite;
            let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
            let rows = sqlx::query(explain).fetch_all(&mut connection).await.unwrap();
            let correlated: Vec<i64> = rows
                .iter()
                .filter(|row| row.get::<&str, _>("detail").starts_with("CORRELATED"))
                .map(|row| row.get("id"))
                .collect();
            for row in rows {
                let detail: String = row.get("detail");
                // For each row all messages of an edition: slower by the square of their number.
                let again =
                    correlated.contains(&row.get("parent")) && detail.ends_with("(edition_id=?)");
                // What each message asks for is neither sorted nor indexed for the occasion.
                let built = EACH_MESSAGE.contains(&name)
                    && (detail.contains("AUTOMATIC") || detail.contains("B-TREE FOR ORDER"));
                if again || built || scans_a_large_table(&detail, sql) {
                    wrong.push(format!("{name} (analysed: {analysed}): {detail}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn what_runs_often_never_looks_at_a_whole_table_that_grows_on_postgres() {
    let ground = filled(Engine::Postgres).await;
    ground.run("ANALYZE").await;
    let mut connection = PgConnection::connect(ground.database.url()).await.unwrap();
    // Plans as they are for tables of any size, whatever the parameters.
    for setting in ["enable_seqscan = off", "plan_cache_mode = force_generic_plan"] {
        let set = sqlx::AssertSqlSafe(format!("SET {setting}"));
        sqlx::query(set).execute(&mut connection).await.unwrap();
    }
    let mut wrong = Vec::new();
    for (name, sql) in hot() {
        let sql = sql.postgres;
        let parameters = (1..20).take_while(|number| sql.contains(&format!("${number}"))).count();
        let prepare = sqlx::AssertSqlSafe(format!("PREPARE hot AS {sql}"));
        let prepared = sqlx::raw_sql(prepare).execute(&mut connection).await;
        prepared.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let nulls = vec!["NULL"; parameters].join(", ");
        let nulls = if nulls.is_empty() { String::new() } else { format!("({nulls})") };
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN EXECUTE hot{nulls}"));
        let rows = sqlx::raw_sql(explain).fetch_all(&mut connection).await.unwrap();
        let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        wrong.extend(whole_tables(&lines).map(|line| format!("{name}: {line}")));
        sqlx::raw_sql("DEALLOCATE hot").execute(&mut connection).await.unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The lines of a plan of PostgreSQL that read all rows of a large table, by itself or by an index
/// without a condition.
fn whole_tables(lines: &[String]) -> impl Iterator<Item = &str> {
    lines.iter().enumerate().filter_map(|(number, line)| {
        let (_, scan) = line.split_once("Scan ")?;
        let words: Vec<&str> = scan.split(' ').collect();
        let (index, table) = match words[..] {
            ["using", index, "on", table, ..] => (index, table),
            ["on", table, ..] => ("", table),
            _ => return None,
        };
        // A scan of a bitmap has its conditions in the lines below it.
        let bitmap = line.contains("Bitmap");
        let next = lines.get(number + 1).map_or("", |next| next.trim_start());
        let bounded = bitmap || next.starts_with("Index Cond") || next.starts_with("Recheck Cond");
        let whole = LARGE.contains(&table) && !bounded && !PARTIAL.contains(&index);
        whole.then_some(line.as_str())
    })
}

/// Whether a line of a plan reads all rows of a large table: `SCAN m`, by the alias in the
/// statement.
/// A scan of an index that has only some rows, like those under way, is none.
fn scans_a_large_table(detail: &str, sql: &str) -> bool {
    let Some(rest) = detail.strip_prefix("SCAN ") else { return false };
    let alias = rest.split(' ').next().unwrap_or_default();
    let words: Vec<&str> = sql.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let partial = PARTIAL.iter().any(|index| rest.ends_with(&format!("INDEX {index}")));
    let large = LARGE.contains(&alias)
        || words.windows(2).any(|pair| LARGE.contains(&pair[0]) && pair[1] == alias);
    large && !partial
}
