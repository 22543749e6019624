use std::sync::Arc;

use banditore::store::{Durability, Store};

use super::support::{Plan, Post};
use super::*;

#[tokio::test]
async fn no_outcome_is_lost_while_another_process_locks_the_sqlite_database() {
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
