//! Writers wait for each other, and positions appear in order whoever writes.

use std::time::Duration;

use banditore::model::{SourceId, Timestamp};
use banditore::store::{EntryReason, Store};

use crate::support::{self, Ground, id};

const NOW: Timestamp = Timestamp(1_795_000_000);

async fn publish(store: &Store, identity: &str, entries: usize) {
    let source: SourceId = id("comune");
    let mut tx = store.write().await.unwrap();
    let mut new = Vec::new();
    for number in 0..entries {
        let text = support::revision("Avviso");
        let identity = format!("{identity}-{number}");
        let item = tx.insert_item(&source, &identity, "", false, &text, NOW).await.unwrap();
        new.push((item, 1, source.clone()));
    }
    tx.append_entries(&new, EntryReason::New, NOW).await.unwrap();
    tx.commit().await.unwrap();
}

async fn with_source() -> Ground {
    let ground = Ground::new().await;
    let mut tx = ground.store.write().await.unwrap();
    tx.upsert_source(&id("comune"), "https://example.org/", "{}", false).await.unwrap();
    tx.commit().await.unwrap();
    ground
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn positions_appear_in_order_whoever_writes() {
    const WRITERS: usize = 4;
    const ROUNDS: usize = 15;
    let ground = with_source().await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        // Two stores on the file, as two processes have.
        let store =
            if writer % 2 == 0 { ground.store.clone() } else { ground.database.open().await };
        writers.spawn(async move {
            for round in 0..ROUNDS {
                publish(&store, &format!("{writer}-{round}"), 1 + round % 3).await;
            }
        });
    }
    let expected: i64 = (WRITERS * (0..ROUNDS).map(|round| 1 + round % 3).sum::<usize>()) as i64;
    // A reader that saw a position must never see a lower one appear later.
    let mut seen = 0;
    loop {
        let mut tx = ground.store.read().await.unwrap();
        let head = tx.stream_head().await.unwrap();
        let positions = tx.window(0, head, "rules").await.unwrap();
        let positions: Vec<i64> = positions.iter().map(|entry| entry.position).collect();
        assert_eq!(positions, (1..=head).collect::<Vec<_>>(), "every position up to the head");
        assert!(head >= seen);
        seen = head;
        if head == expected {
            break;
        }
        drop(tx);
        tokio::task::yield_now().await;
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_a_write_waits_for_the_transaction_of_another_process() {
    let ground = with_source().await;
    let other = ground.database.open().await;
    let mut first = ground.store.write().await.unwrap();
    assert_eq!(first.stream_head().await.unwrap(), 0);
    let second = tokio::spawn(async move {
        publish(&other, "second", 1).await;
        other
    });
    // It reads before it writes, which a deferred transaction would not survive.
    let mut waits = second;
    let early = tokio::time::timeout(Duration::from_millis(100), &mut waits).await;
    assert!(early.is_err(), "the second writer did not wait");
    let text = support::revision("Avviso");
    let source: SourceId = id("comune");
    let item = first.insert_item(&source, "first", "", false, &text, NOW).await.unwrap();
    first.append_entries(&[(item, 1, source)], EntryReason::New, NOW).await.unwrap();
    first.commit().await.unwrap();
    let other = waits.await.unwrap();
    let mut tx = other.read().await.unwrap();
    assert_eq!(tx.stream_head().await.unwrap(), 2);
    assert_eq!(tx.item_at(1).await.unwrap().unwrap().0, item);
}

#[tokio::test]
async fn reading_goes_on_while_another_process_writes() {
    let ground = with_source().await;
    let other = ground.database.open().await;
    let first = ground.store.write().await.unwrap();
    let mut reading = other.read().await.unwrap();
    assert_eq!(reading.sources().await.unwrap().len(), 1);
    drop(first);
    publish(&other, "after", 1).await;
}
