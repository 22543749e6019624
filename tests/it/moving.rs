//! Moving from SQLite to PostgreSQL: everything, once, whole or not at all, and compared.

use std::collections::BTreeSet;

use banditore::store::{Durability, MoveError, MoveProgress, Moved, Store, StoreError, TABLES};

use crate::program::Office;
use crate::support::{Beside, Database, Engine, Ground, at};

/// Values that a careless copy would change.
const NASTY: [&str; 14] = [
    "",
    "\\",
    "\\N",
    "\\.",
    "a\tb",
    "a\nb",
    "a\r\nb",
    "\\x00",
    "'; DROP TABLE trace; --",
    "\"",
    "città è più 🎺",
    "\u{1}\u{7f}",
    "null",
    "\u{feff}",
];

/// What texts are built from that are keys, so that order and escapes meet.
const LETTERS: [&str; 11] = ["\\", "\t", "\n", "\r", "N", ".", "x", "a", "é", "\u{1}", "_"];

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A SQLite installation with rows in every table, nasty ones too.
async fn filled() -> Ground {
    let ground = Ground::on(Engine::Sqlite).await;
    ground.run(include_str!("fixtures/moving/filled.sql")).await;
    let mut keys: Vec<String> = vec![String::new()];
    for length in 0..3 {
        let longer: Vec<String> = keys
            .iter()
            .filter(|key| key.chars().count() == length)
            .flat_map(|key| LETTERS.iter().map(move |letter| format!("{key}{letter}")))
            .collect();
        keys.extend(longer);
    }
    let rows: Vec<String> =
        keys.iter().map(|key| format!("({0}, 'block', {0}, 7)", quoted(key))).collect();
    ground.run(&format!("INSERT INTO suppression VALUES {}", rows.join(", "))).await;
    let rows: Vec<String> = (2..)
        .zip(NASTY)
        .map(|(number, text)| {
            let text = quoted(text);
            format!("(1, {number}, {text}, {text}, {text}, {text}, {text}, '[]', '[]', 1)")
        })
        .collect();
    let columns = "item_id, revision, title, link, summary, content, full_text, image_alt_json, \
                   categories_json, seen_at";
    ground.run(&format!("INSERT INTO revision ({columns}) VALUES {}", rows.join(", "))).await;
    ground
}

async fn counts(beside: &mut Beside) -> Vec<(String, i64)> {
    let mut counts = Vec::new();
    for table in TABLES {
        let count = beside.texts(&format!("SELECT CAST(count(*) AS TEXT) FROM {table}")).await;
        counts.push((table.to_owned(), count[0].parse().unwrap()));
    }
    counts
}

async fn moves(
    from: &Store,
    to: &Database,
    replace: bool,
    progress: impl FnMut(MoveProgress),
) -> Result<Moved, MoveError> {
    let target = Store::open(to.url(), Durability::Power).await.unwrap();
    let now = at("2026-11-25T09:00:00Z");
    let moved = from.move_to(&target, to.url(), replace, now, progress).await;
    target.close().await;
    moved
}

#[tokio::test]
async fn no_table_of_the_migrations_is_left_behind() {
    let sqlite = Database::migrated_on(Engine::Sqlite).await;
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table'
        AND name NOT LIKE 'sqlite%' AND name <> '_sqlx_migrations'";
    let tables: BTreeSet<String> = sqlite.connect().await.texts(tables).await.into_iter().collect();
    assert_eq!(tables, TABLES.iter().map(|table| (*table).to_owned()).collect());
}

#[tokio::test]
async fn everything_is_copied_and_nothing_is_changed_on_the_way() {
    let (ground, target) = (filled().await, Database::bare_on(Engine::Postgres).await);
    let mut steps = Vec::new();
    let moved = moves(&ground.store, &target, false, |step| steps.push(step)).await.unwrap();
    assert!(moved.copied && moved.identical);
    let (mut here, mut there) = (ground.database.connect().await, target.connect().await);
    let held = counts(&mut here).await;
    assert!(held.iter().all(|(_, rows)| *rows > 0), "{held:?}");
    assert_eq!(held, counts(&mut there).await);
    let told: Vec<(String, i64)> =
        moved.tables.iter().map(|moved| (moved.table.to_owned(), moved.rows)).collect();
    assert_eq!(held, told);
    assert!(steps.len() > 3 && steps.iter().all(|step| step.done <= step.total), "{steps:?}");
    // By other means than the move's own.
    for sql in [
        "SELECT title FROM revision ORDER BY item_id, revision",
        "SELECT summary FROM revision ORDER BY item_id, revision",
        "SELECT action FROM trace ORDER BY id",
        "SELECT CAST(id AS TEXT) FROM subscriber ORDER BY id",
    ] {
        assert_eq!(here.texts(sql).await, there.texts(sql).await, "{sql}");
    }
    let of_sqlite = here.texts("SELECT lower(hex(html)) FROM fragment ORDER BY id").await;
    let octets = there.texts("SELECT encode(html, 'hex') FROM fragment ORDER BY id").await;
    assert_eq!(octets, of_sqlite);
    let keys = |texts: Vec<String>| texts.into_iter().collect::<BTreeSet<_>>();
    let sql = "SELECT address_hash FROM suppression";
    assert_eq!(keys(here.texts(sql).await), keys(there.texts(sql).await));
}

#[tokio::test]
async fn ids_go_on_after_those_that_were_ever_given() {
    let (ground, target) = (filled().await, Database::bare_on(Engine::Postgres).await);
    let head = "INSERT INTO profile (key, all_topics, language, topics_json, places_json) VALUES";
    ground.run(&format!("{head} ('gone', 1, 'it', '[]', '[]')")).await;
    ground.run("DELETE FROM profile WHERE key = 'gone'").await;
    moves(&ground.store, &target, false, |_| {}).await.unwrap();
    let new = format!("{head} ('new', 1, 'it', '[]', '[]') RETURNING CAST(id AS TEXT)");
    let (mut here, mut there) = (ground.database.connect().await, target.connect().await);
    assert_eq!(there.texts(&new).await, here.texts(&new).await);
    // The trace is append-only there too.
    let refused = there.try_run("DELETE FROM trace").await.unwrap_err();
    assert!(refused.contains("append-only"), "{refused}");
}

#[tokio::test]
async fn again_it_compares_and_what_differs_is_replaced_only_when_that_is_said() {
    let (ground, target) = (filled().await, Database::bare_on(Engine::Postgres).await);
    moves(&ground.store, &target, false, |_| {}).await.unwrap();
    let held = counts(&mut target.connect().await).await;
    let again = moves(&ground.store, &target, false, |_| {}).await.unwrap();
    assert!(again.identical && !again.copied);
    assert_eq!(counts(&mut target.connect().await).await, held);

    target.run("UPDATE source SET failures = 3").await;
    target.run("UPDATE suppression SET reason = 'x' WHERE address_hash = '\\'").await;
    let error = moves(&ground.store, &target, false, |_| {}).await.unwrap_err();
    let MoveError::Differs(tables) = &error else { panic!("{error:?}") };
    assert_eq!(tables, &["source", "suppression"]);
    let failures = "SELECT CAST(failures AS TEXT) FROM source";
    assert_eq!(target.connect().await.texts(failures).await, ["3"]);

    let replaced = moves(&ground.store, &target, true, |_| {}).await.unwrap();
    assert!(replaced.identical && replaced.copied);
    assert_eq!(target.connect().await.texts(failures).await, ["0"]);
    let again = moves(&ground.store, &target, true, |_| {}).await.unwrap();
    assert!(!again.copied, "what is the same is not replaced");
    let refused = target.connect().await.try_run("TRUNCATE trace").await.unwrap_err();
    assert!(refused.contains("append-only"), "{refused}");
}

#[tokio::test]
async fn killed_in_the_middle_nothing_remains_and_the_next_run_copies_all() {
    let (ground, target) = (filled().await, Database::bare_on(Engine::Postgres).await);
    // In the middle of a table; and when all is copied and nothing compared.
    let moments: [fn(MoveProgress) -> bool; 2] =
        [|step| step.table == "suppression", |step| step.done == step.total];
    for moment in moments {
        let (seen, mut stop) = tokio::sync::watch::channel(());
        let store = Store::open(target.url(), Durability::Power).await.unwrap();
        let stopping = |step: MoveProgress| {
            if moment(step) {
                let _ = seen.send(());
            }
        };
        let now = at("2026-11-25T09:00:00Z");
        tokio::select! {
            biased;
            _ = stop.changed() => {}
            moved = ground.store.move_to(&store, target.url(), false, now, stopping) => {
                panic!("it was not stopped: {moved:?}")
            }
        }
        store.close().await;
        let held = counts(&mut target.connect().await).await;
        let left = held.iter().filter(|(table, rows)| *rows > 0 && table != "stream_head");
        assert_eq!(left.count(), 0, "{held:?}");
    }
    assert!(moves(&ground.store, &target, false, |_| {}).await.unwrap().copied);
}

#[tokio::test]
async fn a_character_that_postgresql_has_no_place_for_is_replaced() {
    let (ground, target) = (filled().await, Database::bare_on(Engine::Postgres).await);
    ground.run("UPDATE revision SET title = 'a' || char(0) || 'b' WHERE revision = 1").await;
    moves(&ground.store, &target, false, |_| {}).await.unwrap();
    let title = "SELECT title FROM revision WHERE revision = 1";
    assert_eq!(target.connect().await.texts(title).await, ["a\u{fffd}b"]);
    assert!(!moves(&ground.store, &target, false, |_| {}).await.unwrap().copied);
}

#[tokio::test]
async fn what_is_somebody_elses_is_left_alone() {
    let ground = filled().await;
    let foreign = Database::bare_on(Engine::Postgres).await;
    foreign.run("CREATE TABLE invoices (id bigint); INSERT INTO invoices VALUES (1)").await;
    for replace in [false, true] {
        let error = moves(&ground.store, &foreign, replace, |_| {}).await.unwrap_err();
        let MoveError::Foreign(tables) = &error else { panic!("{error:?}") };
        assert_eq!(tables, &["invoices"]);
    }
    let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(foreign.connect().await.texts(tables).await, ["invoices"]);

    let other = Database::migrated_on(Engine::Postgres).await;
    other.run("INSERT INTO installation VALUES (1, 'another secret', '', 1)").await;
    for replace in [false, true] {
        let error = moves(&ground.store, &other, replace, |_| {}).await.unwrap_err();
        assert!(matches!(error, MoveError::OtherInstallation), "{error:?}");
    }

    let sqlite = Database::migrated_on(Engine::Sqlite).await;
    let error = moves(&ground.store, &sqlite, false, |_| {}).await.unwrap_err();
    assert!(matches!(error, MoveError::ToElsewhere), "{error:?}");
    let error = moves(&other.open().await, &foreign, false, |_| {}).await.unwrap_err();
    assert!(matches!(error, MoveError::FromElsewhere), "{error:?}");
}

#[tokio::test]
async fn nothing_is_moved_from_under_a_daemon_or_a_delivery() {
    let (ground, target) = (filled().await, Database::bare_on(Engine::Postgres).await);
    let other = ground.database.open().await;
    let daemon = other.lock_daemon().unwrap();
    let error = moves(&ground.store, &target, false, |_| {}).await.unwrap_err();
    assert!(matches!(error, MoveError::Store(StoreError::DaemonTaken { .. })), "{error:?}");
    drop(daemon);
    let delivery = other.lock_delivery().unwrap();
    let error = moves(&ground.store, &target, false, |_| {}).await.unwrap_err();
    assert!(matches!(error, MoveError::Store(StoreError::DeliveryTaken { .. })), "{error:?}");
    drop(delivery);
    moves(&ground.store, &target, false, |_| {}).await.unwrap();
}

#[test]
fn the_command_moves_an_office_that_goes_on_by_one_changed_line() {
    const LIST: &str = r#"
[[list]]
id = "residents"
name = "Notizie"
from = "news@example.org"
cadences = { daily = "0 0 7 * * *" }
"#;
    let office = Office::with(1, LIST);
    let sqlite = [("BANDITORE__DATABASE__URL", "sqlite://moving.db")];
    let done = |args: &[&str]| office.run_with(args, &sqlite).done();
    done(&["migrate"]);
    office.write("in.csv", "email,words\nanna@example.org,ippopotamo\n");
    done(&["subscribers", "import", "in.csv", "--list", "residents"]);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let target = runtime.block_on(Database::bare_on(Engine::Postgres));
    let command = ["move", "--to", target.url(), "--json"];
    let document = done(&command).json();
    assert_eq!((&document["identical"], &document["copied"]), (&true.into(), &true.into()));
    let rows = document["tables"].as_array().unwrap();
    assert_eq!(rows.len(), TABLES.len());
    assert!(rows.iter().any(|row| row["table"] == "subscriber" && row["rows"] == 1));
    assert_eq!(done(&command).json()["copied"], false);
    let said = done(&command[..3]).out;
    let line = format!("under [database]: url = \"{}\"", target.url());
    assert!(said.contains("it was moved before") && said.contains(&line), "{said}");

    // The file is kept, and works no more: both would send.
    for command in
        [&["serve"][..], &["once"], &["deliver"], &["digest", "run"], &["source", "poll"]]
    {
        let refused = office.run_with(command, &sqlite).refused(1);
        assert!(refused.contains("was moved to postgres://"), "{refused}");
        assert!(refused.contains("move --take-back"), "{refused}");
    }

    let moved = [("BANDITORE__DATABASE__URL", target.url())];
    office.run_with(&["source", "poll"], &moved).done();
    let shown = ["subscribers", "show", "anna@example.org", "--json"];
    let there = office.run_with(&shown, &moved).done().json();
    assert_eq!(there, done(&shown).json());
    office.run_with(&["audit"], &moved).done();
    let trace = office.run_with(&["trace", "--limit", "1", "--json"], &moved).done().json_lines();
    assert_eq!(
        (&trace[0]["action"], &trace[0]["name"]),
        (&"installation.moved".into(), &"move".into())
    );

    // Somebody goes on working there: what is here is old.
    office.write("more.csv", "email\nbruno@example.org\n");
    let import = ["subscribers", "import", "more.csv", "--list", "residents"];
    office.run_with(&import, &moved).done();
    let refused = office.run_with(&command, &sqlite).refused(1);
    assert!(refused.contains("subscriber, ") && refused.contains("--replace"), "{refused}");
    let elsewhere = ["move", "--to", "sqlite://other.db"];
    office.run_with(&elsewhere, &sqlite).refused(2);

    let take_back = ["move", "--take-back", "--json"];
    assert_eq!(done(&take_back).json()["taken_back"], true);
    assert_eq!(done(&take_back).json()["taken_back"], false);
    done(&["digest", "run"]);
    office.run_with(&["move"], &sqlite).refused(2);
}

#[test]
fn a_password_in_an_address_is_shown_as_stars() {
    let shown = banditore::store::shown_address;
    assert_eq!(shown("postgres://u:p%40w@host/news"), "postgres://u:***@host/news");
    assert_eq!(shown("postgres://u@host/news"), "postgres://u@host/news");
    assert_eq!(shown("postgres://u:pw@host:x/news"), "postgres://…");
}
