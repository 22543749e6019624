//! Sources and messages that several processes share: who has what, and until when.

use banditore::model::SourceId;
use banditore::store::{GivingBack, Store};

use crate::support::{Engine, Ground, at, id};

const NOW: &str = "2026-11-25T07:00:00+01:00";

async fn claim(store: &Store, seconds: i64) -> Vec<String> {
    let now = at(NOW).plus(seconds);
    let mut tx = store.write().await.unwrap();
    let claimed = tx.claim_sources(now, now.plus(90), 8).await.unwrap();
    tx.commit().await.unwrap();
    let mut ids: Vec<String> = claimed.iter().map(|source| source.id.to_string()).collect();
    ids.sort();
    ids
}

async fn with_sources(ids: &[&str]) -> Ground {
    let ground = Ground::new().await;
    let mut tx = ground.store.write().await.unwrap();
    for source in ids {
        let url = format!("https://{source}.example.org/");
        tx.upsert_source(&id(source), &url, "{}", false).await.unwrap();
    }
    tx.commit().await.unwrap();
    ground
}

#[tokio::test]
async fn a_source_is_claimed_by_one_until_its_poll_is_recorded_or_the_claim_ends() {
    let ground = with_sources(&["a", "b"]).await;
    assert_eq!(claim(&ground.store, 0).await, ["a", "b"]);
    assert!(claim(&ground.store, 89).await.is_empty());
    let next = |seconds| {
        let store = ground.store.clone();
        async move { store.read().await.unwrap().next_poll(at(NOW).plus(seconds)).await.unwrap() }
    };
    assert_eq!(next(1).await, Some(at(NOW).plus(90)));
    // A poll's record ends the claim.
    let a: SourceId = id("a");
    let mut tx = ground.store.write().await.unwrap();
    tx.record_poll_failure(&a, at(NOW), at(NOW).plus(60), "refused").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(next(1).await, Some(at(NOW).plus(60)));
    assert_eq!(claim(&ground.store, 61).await, ["a"]);
    assert_eq!(claim(&ground.store, 90).await, ["b"]);
    // A claim that is given back is the one that was made, and no later one.
    let mut tx = ground.store.write().await.unwrap();
    tx.release_source(&a, at(NOW)).await.unwrap();
    tx.release_source(&id("b"), at(NOW).plus(180)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(claim(&ground.store, 91).await, ["b"]);
}

#[tokio::test]
async fn one_source_of_a_host_is_claimed_at_a_time() {
    let ground = with_sources(&["a"]).await;
    let mut tx = ground.store.write().await.unwrap();
    for (source, url) in [
        ("b", "https://a.example.org/b"),
        ("c", "https://user@a.example.org/c"),
        ("d", "https://a.example.org:8443/d"),
        ("e", "file:///srv/e.xml"),
        ("f", "file:///srv/f.xml"),
    ] {
        tx.upsert_source(&id(source), url, "{}", false).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(claim(&ground.store, 0).await, ["a", "d", "e", "f"]);
    assert!(claim(&ground.store, 1).await.is_empty());
    let next = ground.store.read().await.unwrap().next_poll(at(NOW).plus(1)).await.unwrap();
    assert_eq!(next, Some(at(NOW).plus(90)), "what waits for its host is not due before");
    let mut tx = ground.store.write().await.unwrap();
    tx.record_poll_failure(&id("a"), at(NOW), at(NOW).plus(60), "refused").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(claim(&ground.store, 2).await, ["b"]);
    // A host that asks for time is left alone, whatever is due there.
    let mut tx = ground.store.write().await.unwrap();
    tx.postpone_host("a.example.org", at(NOW).plus(3600)).await.unwrap();
    tx.record_poll_failure(&id("b"), at(NOW), at(NOW).plus(4000), "refused").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(claim(&ground.store, 3599).await, ["d", "e", "f"]);
    assert_eq!(claim(&ground.store, 3600).await, ["a"]);
}

#[tokio::test]
async fn on_a_file_claims_of_a_killed_process_end_as_soon_as_nobody_polls() {
    if Engine::of_this_run() == Engine::Postgres {
        return;
    }
    let ground = with_sources(&["a"]).await;
    let (first, second) = (ground.database.open().await, ground.database.open().await);
    let polling = first.lock_polling().await.unwrap();
    assert_eq!(claim(&first, 0).await, ["a"]);
    // Somebody polls: the claim may be theirs.
    let _other = second.lock_polling().await.unwrap();
    assert!(claim(&second, 1).await.is_empty());
    drop((polling, _other));
    let _alone = second.lock_polling().await.unwrap();
    assert_eq!(claim(&second, 1).await, ["a"]);
}

#[tokio::test]
async fn a_lease_that_lapsed_is_renewed_by_a_claim_and_not_taken_over_after() {
    let ground = Ground::new().await;
    let now = at(NOW);
    let mut tx = ground.store.write().await.unwrap();
    tx.insert_worker(1, now, now.plus(10)).await.unwrap();
    // It slept for a day, and somebody else has begun; its row is gone.
    let later = now.plus(24 * 3600);
    tx.insert_worker(2, later, later.plus(10)).await.unwrap();
    tx.hold_lease(1, later, 10).await.unwrap();
    tx.hold_lease(2, later, 10).await.unwrap();
    assert_eq!(tx.take_over_lapsed(1, later.plus(10)).await.unwrap(), 0);
    tx.commit().await.unwrap();
    let rows = workers(&ground).await;
    let until = later.plus(10).0;
    assert_eq!(rows, [format!("1 {until}"), format!("2 {until}")]);
    // Whose lease runs, or ended a moment ago, is never forgotten; whoever ends is.
    let mut tx = ground.store.write().await.unwrap();
    assert_eq!(tx.forget_workers(later.plus(3600)).await.unwrap(), 0);
    tx.remove_worker(2).await.unwrap();
    assert_eq!(tx.forget_workers(later.plus(3611)).await.unwrap(), 1);
    assert_eq!(tx.give_back(1, GivingBack::All, later).await.unwrap(), 0);
    tx.commit().await.unwrap();
    assert!(workers(&ground).await.is_empty());
}

/// Workers and the ends of their leases.
async fn workers(ground: &Ground) -> Vec<String> {
    let mut beside = ground.database.connect().await;
    beside.texts("SELECT id || ' ' || lease_until FROM worker ORDER BY id").await
}
