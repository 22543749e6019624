use std::sync::Arc;

use banditore::delivery::Totals;
use banditore::store::OutcomeRow;
use tokio::task::JoinHandle;

use super::support::{Plan, Post};
use super::*;
use crate::support::Engine;

/// A worker that nobody has heard of since.
const DEAD: i64 = 7;

/// Has a worker claim messages and begin the content of some, and leaves them so.
async fn die(house: &House, claimed: &[i64], begun: &[i64]) {
    let now = house.installation.clock.now();
    let mut tx = house.write().await;
    // On SQLite its lease is far from over: whoever holds the delivery lock knows better.
    let lease = if Engine::of_this_run() == Engine::Sqlite { 3600 } else { -1 };
    tx.insert_worker(DEAD, now, now.plus(lease)).await.unwrap();
    tx.claim(claimed, DEAD, now).await.unwrap();
    let begun: Vec<(i64, i64)> = begun.iter().map(|message| (*message, 1)).collect();
    assert_eq!(tx.begin_content(&begun, now).await.unwrap().len(), begun.len());
    tx.commit().await.unwrap();
}

/// The outcomes of a message's attempts.
async fn outcomes(house: &House, message: i64) -> Vec<String> {
    let attempts = house.attempts(message).await;
    attempts.into_iter().map(|attempt| attempt.outcome.unwrap_or_default()).collect()
}

#[tokio::test]
async fn a_dead_workers_messages_are_sent_again_or_in_doubt_by_how_far_they_came() {
    let wanted = [
        ("resend", "accepted", &["in_doubt", "accepted"][..], 3),
        ("hold", "held", &["in_doubt"], 2),
        ("drop", "dropped (in_doubt)", &["in_doubt"], 2),
    ];
    for (in_doubt, state, attempts, received) in wanted {
        let post = Post::open().await;
        let plan = Plan { port: post.port, people: 3, in_doubt, ..Plan::default() };
        let house = plan.build().await;
        let ids: Vec<i64> = house.messages().await.iter().map(|message| message.id).collect();
        die(&house, &ids[..2], &ids[1..2]).await;
        let totals = house.deliver().await;
        assert_eq!((totals.accepted, totals.in_doubt), (received, 1));
        assert_eq!(house.states().await, ["accepted", state, "accepted"]);
        assert_eq!(outcomes(&house, ids[0]).await, ["released", "accepted"]);
        assert_eq!(outcomes(&house, ids[1]).await, attempts);
        assert_eq!(outcomes(&house, ids[2]).await, ["accepted"]);
        assert_eq!(post.mails().len() as u64, received);
        assert_eq!(house.audit().await, [ids[1]]);
    }
}

fn outcome(message: i64, attempt: i64) -> OutcomeRow {
    OutcomeRow {
        message,
        attempt,
        outcome: "accepted",
        state: "accepted",
        cause: None,
        next_try_at: 0,
        stage: "reply",
        code: Some(250),
        reply: "250 ok".to_owned(),
    }
}

/// Where the only message and its last attempt stand, with the worker that has it.
async fn standing(house: &House) -> (String, Vec<String>) {
    let message = house.message().await;
    (message.state.to_string(), outcomes(house, message.id).await)
}

#[tokio::test]
async fn what_was_taken_over_is_changed_by_its_new_attempt_alone() {
    let house = Plan::default().build().await;
    let id = house.message().await.id;
    let now = house.installation.clock.now();
    die(&house, &[id], &[]).await;
    let mut tx = house.write().await;
    assert_eq!(tx.take_over(DEAD, now).await.unwrap(), 0);
    tx.commit().await.unwrap();

    late_worker_changes_nothing(&house, id).await;
    assert_eq!(standing(&house).await, ("queued".to_owned(), vec!["released".to_owned()]));

    // The same when another worker has begun its own attempt.
    let mut tx = house.write().await;
    tx.insert_worker(8, now, now.plus(120)).await.unwrap();
    tx.claim(&[id], 8, now).await.unwrap();
    tx.commit().await.unwrap();
    late_worker_changes_nothing(&house, id).await;
    let sending = vec!["released".to_owned(), String::new()];
    assert_eq!(standing(&house).await, ("sending".to_owned(), sending));

    let mut tx = house.write().await;
    assert_eq!(tx.begin_content(&[(id, 2)], now).await.unwrap(), [id]);
    tx.end_attempts(&[outcome(id, 2)], now).await.unwrap();
    tx.commit().await.unwrap();
    let accepted = vec!["released".to_owned(), "accepted".to_owned()];
    assert_eq!(standing(&house).await, ("accepted".to_owned(), accepted));
}

/// The first attempt's worker wakes up, begins its content and reports an outcome.
async fn late_worker_changes_nothing(house: &House, message: i64) {
    let now = house.installation.clock.now();
    let mut tx = house.write().await;
    assert!(tx.begin_content(&[(message, 1)], now).await.unwrap().is_empty(), "not to be sent");
    tx.end_attempts(&[outcome(message, 1)], now).await.unwrap();
    tx.commit().await.unwrap();
}

/// Delivers in a task of its own.
fn delivering(house: &Arc<House>) -> JoinHandle<Totals> {
    let house = Arc::clone(house);
    tokio::spawn(async move { house.deliver().await })
}

/// Takes over all that the running worker has, as another would whose lease it has missed.
async fn take_over_all(house: &House) {
    let mut tx = house.write().await;
    let workers = tx.other_workers(0).await.unwrap();
    assert_eq!(workers.len(), 1);
    tx.take_over(workers[0].0, house.installation.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_worker_whose_message_was_taken_over_gives_up_before_the_content() {
    let slow = format!("{OPENING}{TO_DATA}deaf\nS 354 go on\ngone");
    let server = ScriptedRelay::start([slow, accepting()]).await;
    let house = Arc::new(Plan { port: server.port, ..Plan::default() }.build().await);
    let running = delivering(&house);
    under_way(&house, "claimed").await;
    take_over_all(&house).await;
    // The relay wakes up; its first connection hears no content, its second all of it.
    let contents = contents(server).await;
    assert_eq!(contents.len(), 1);
    running.await.unwrap();
    let wanted = vec!["released".to_owned(), "accepted".to_owned()];
    assert_eq!(standing(&house).await, ("accepted".to_owned(), wanted));
    assert!(house.audit().await.is_empty());
}

#[tokio::test]
async fn a_reply_that_comes_after_the_takeover_changes_nothing() {
    let slow = format!("{OPENING}{TO_DATA}{CONTENT}deaf\n{ACCEPTED}{QUIT}");
    let server = ScriptedRelay::start([slow]).await;
    let plan = Plan { port: server.port, in_doubt: "hold", ..Plan::default() };
    let house = Arc::new(plan.build().await);
    let running = delivering(&house);
    under_way(&house, "content").await;
    take_over_all(&house).await;
    assert_eq!(contents(server).await.len(), 1);
    running.await.unwrap();
    assert_eq!(standing(&house).await, ("held".to_owned(), vec!["in_doubt".to_owned()]));
    assert_eq!(house.audit().await.len(), 1);
}

#[tokio::test]
async fn a_second_deliverer_on_the_same_sqlite_file_is_refused() {
    let post = Post::open().await;
    let house = Plan { port: post.port, ..Plan::default() }.build().await;
    let lock = house.store().lock_delivery().unwrap();
    let output = house.run(&["deliver"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    let wanted = "error: another process is delivering from this database";
    assert!(said.starts_with(wanted), "{said}");
    assert!(said.contains("\nhint: wait until it has finished, or stop it first"), "{said}");
    assert_eq!(house.states().await, ["queued"]);
    drop(lock);
    assert!(house.run(&["deliver"]).await.status.success());
    assert_eq!(house.states().await, ["accepted"]);
}
