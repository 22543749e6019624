use std::sync::Arc;

use banditore::store::{Durability, Store, all_statements};
use sqlx::{Connection, Row, SqliteConnection};

use super::support::{Plan, Post};
use super::*;

#[tokio::test]
async fn no_outcome_is_lost_while_another_process_locks_the_database() {
    let script = format!("{OPENING}{TO_DATA}{CONTENT}deaf\n{ACCEPTED}mark\n{QUIT}");
    let server = ScriptedRelay::start([script]).await;
    let house = Arc::new(Plan { port: server.port, ..Plan::default() }.build().await);
    let other = Store::open(&house.installation.config.database_url, Durability::Power);
    let other = other.await.unwrap();
    let running = Arc::clone(&house);
    let running = tokio::spawn(async move { running.deliver().await });
    under_way(&house, "content").await;
    let lock = other.write().await.unwrap();
    server.marked().await;
    // The relay has said yes, and that cannot be written down yet.
    assert_eq!(house.states().await, ["sending"]);
    drop(lock);
    assert_eq!(running.await.unwrap().accepted, 1);
    assert_eq!(house.states().await, ["accepted"]);
    assert_eq!(house.message().await.attempts, 1);
    assert_eq!(contents(server).await.len(), 1);
    assert!(house.audit().await.is_empty());
}

#[tokio::test]
async fn never_more_messages_are_under_way_than_two_for_each_connection() {
    let post = Post::open().await;
    let plan = Plan { port: post.port, people: 400, connections: 3, ..Plan::default() };
    let house = Arc::new(plan.build().await);
    let running = Arc::clone(&house);
    let running = tokio::spawn(async move { running.deliver().await });
    let mut most = 0;
    while !running.is_finished() {
        let mut tx = house.store().read().await.unwrap();
        most = most.max(tx.under_way().await.unwrap());
        tokio::task::yield_now().await;
    }
    assert_eq!(running.await.unwrap().accepted, 400);
    assert!((1..=6).contains(&most), "{most} were under way");
}

#[tokio::test]
async fn claiming_and_recording_look_up_rows_and_scan_no_table() {
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
    let house = Plan::default().build().await;
    let url = &house.installation.config.database_url;
    let mut connection = SqliteConnection::connect(url).await.unwrap();
    let statements: Vec<_> =
        all_statements().into_iter().filter(|(name, _)| EACH_MESSAGE.contains(name)).collect();
    assert_eq!(statements.len(), EACH_MESSAGE.len());
    for (name, sql) in statements {
        let sql = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", sql.sqlite));
        let plan = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
        for step in &plan {
            // A list of ids that came as a parameter is walked through; indexes of open editions
            // and of messages under way hold nothing else.
            let short = ["VIRTUAL TABLE", "edition_open", "message_under_way"];
            let walks = step.starts_with("SCAN") && !short.iter().any(|name| step.contains(name));
            let sorts = step.contains("TEMP B-TREE FOR ORDER");
            let builds = step.contains("AUTOMATIC");
            assert!(!walks && !sorts && !builds, "{name}: {plan:#?}");
        }
    }
}
