//! Both engines have the same tables: what one migration says, the other says too.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{Beside, Database, Engine};

/// A table, as far as both engines can tell it: each line a column, a key, a constraint, an index.
type Tables = BTreeMap<String, BTreeSet<String>>;

#[tokio::test]
async fn sqlite_and_postgres_have_the_same_tables_columns_and_constraints() {
    let sqlite = of_sqlite(&mut beside(Engine::Sqlite).await.1).await;
    let postgres = of_postgres(&mut beside(Engine::Postgres).await.1).await;
    let names = |tables: &Tables| tables.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&sqlite), names(&postgres));
    assert!(sqlite.len() > 25, "{:?}", names(&sqlite));
    for (table, said) in &sqlite {
        assert_eq!(said, &postgres[table], "table {table}: SQLite on the left");
        assert!(said.iter().any(|line| line.starts_with("key ")), "{table} has no key");
    }
}

async fn beside(engine: Engine) -> (Database, Beside) {
    let database = Database::migrated_on(engine).await;
    let connection = database.connect().await;
    (database, connection)
}

async fn of_sqlite(database: &mut Beside) -> Tables {
    let names = "SELECT name FROM sqlite_master WHERE type = 'table'
        AND name NOT LIKE 'sqlite%' AND name <> '_sqlx_migrations'";
    let mut tables = Tables::new();
    for table in database.texts(names).await {
        let lines = [
            // A primary key that is the row's own number is never absent.
            format!(
                "SELECT 'column ' || name || ' ' || lower(type)
                    || CASE WHEN \"notnull\" OR pk > 0 THEN ' not null' ELSE '' END
                    || coalesce(' default ' || dflt_value, '')
                FROM pragma_table_info('{table}')"
            ),
            format!(
                "SELECT 'key ' || group_concat(name, ', ') FROM
                    (SELECT name FROM pragma_table_info('{table}') WHERE pk > 0 ORDER BY pk)"
            ),
            format!(
                "SELECT 'unique ' || (SELECT group_concat(name, ', ') FROM
                        (SELECT name FROM pragma_index_info(l.name) ORDER BY seqno))
                FROM pragma_index_list('{table}') l WHERE origin = 'u'"
            ),
            format!(
                "SELECT 'reference ' || \"from\" || ' to ' || \"table\" || ' ' || \"to\"
                FROM pragma_foreign_key_list('{table}')"
            ),
            format!(
                "SELECT 'index ' || l.name || ' ' || (SELECT group_concat(name, ', ') FROM
                        (SELECT name FROM pragma_index_info(l.name) ORDER BY seqno))
                    || CASE WHEN l.partial THEN ' partly' ELSE '' END
                FROM pragma_index_list('{table}') l WHERE origin = 'c'"
            ),
        ];
        let mut said = BTreeSet::new();
        for sql in lines {
            said.extend(database.texts(&sql).await);
        }
        let made = format!("SELECT sql FROM sqlite_master WHERE name = '{table}'");
        let made = database.texts(&made).await.concat();
        said.extend(checks(&made));
        tables.insert(table, said);
    }
    tables
}

async fn of_postgres(database: &mut Beside) -> Tables {
    let names = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'
        AND tablename <> '_sqlx_migrations'";
    let mut tables = Tables::new();
    for table in database.texts(names).await {
        let columns = "(SELECT string_agg(attname, ', ' ORDER BY n) FROM unnest(k) WITH ORDINALITY
            AS o (number, n) JOIN pg_attribute ON attrelid = r AND attnum = number)";
        let constraints = format!(
            "SELECT contype AS t, conkey AS k, conrelid AS r, confrelid, confkey, oid
            FROM pg_constraint WHERE conrelid = '{table}'::regclass"
        );
        let lines = [
            format!(
                "SELECT 'column ' || column_name || ' ' || CASE data_type
                        WHEN 'bigint' THEN 'integer' WHEN 'bytea' THEN 'blob' ELSE data_type END
                    || CASE is_nullable WHEN 'NO' THEN ' not null' ELSE '' END
                    || coalesce(' default ' || column_default, '')
                FROM information_schema.columns WHERE table_name = '{table}'"
            ),
            format!("SELECT 'key ' || {columns} FROM ({constraints}) c WHERE t = 'p'"),
            format!("SELECT 'unique ' || {columns} FROM ({constraints}) c WHERE t = 'u'"),
            format!(
                "SELECT 'reference ' || {columns} || ' to ' || confrelid::regclass || ' ' ||
                    (SELECT attname FROM pg_attribute
                        WHERE attrelid = confrelid AND attnum = confkey[1])
                FROM ({constraints}) c WHERE t = 'f'"
            ),
            format!(
                "SELECT 'index ' || indexrelid::regclass || ' ' || {columns}
                    || CASE WHEN partly THEN ' partly' ELSE '' END
                FROM (SELECT indexrelid, indrelid AS r, indkey::int[] AS k,
                        indpred IS NOT NULL AS partly
                    FROM pg_index i WHERE indrelid = '{table}'::regclass AND NOT EXISTS
                        (SELECT 1 FROM pg_constraint WHERE conindid = i.indexrelid)) x"
            ),
        ];
        let mut said = BTreeSet::new();
        for sql in lines {
            said.extend(database.texts(&sql).await);
        }
        let made = format!("SELECT pg_get_constraintdef(oid) FROM ({constraints}) c WHERE t = 'c'");
        for check in database.texts(&made).await {
            said.extend(checks(&check));
        }
        tables.insert(table, said);
    }
    tables
}

/// The conditions of a table, by the words and values that they name: engines write them anew, each
/// in its own way.
fn checks(made: &str) -> Vec<String> {
    made.split("CHECK ")
        .skip(1)
        .map(|rest| {
            let mut depth = 0;
            let end = rest.find(|c| {
                depth += i32::from(c == '(') - i32::from(c == ')');
                depth == 0
            });
            let mut words: Vec<&str> = rest[..end.unwrap_or(rest.len())]
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .filter(|word| !["", "text", "bigint", "IN", "ANY", "ARRAY"].contains(word))
                .collect();
            words.sort_unstable();
            format!("check {}", words.join(" "))
        })
        .collect()
}
