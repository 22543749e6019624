//! What is held: several processes write at once, on PostgreSQL really so, and none decides upon
//! what another is changing.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use banditore::audience::{self, Joined, PAUSED, Preferences};
use banditore::model::{CadenceId, ListId, Timestamp};
use banditore::store::{ClaimedMessage, EntryReason, Store, Tx};

use crate::delivery::support::Plan;
use crate::support::{self, Beside, Engine, Ground, id, join};

const NOW: Timestamp = Timestamp(1_795_000_000);
const ADDRESS: &str = "ada@example.org";

fn list() -> ListId {
    id("residents")
}

fn daily() -> CadenceId {
    id("daily")
}

/// A list with two cadences, and one person on it.
async fn with_somebody() -> (Ground, i64) {
    with_somebody_on(Engine::of_this_run()).await
}

async fn with_somebody_on(engine: Engine) -> (Ground, i64) {
    let ground = Ground::on(engine).await;
    let mut tx = ground.store.write().await.unwrap();
    tx.upsert_list(&support::list_row(&list(), false), NOW).await.unwrap();
    for cadence in ["daily", "weekly"] {
        tx.upsert_cadence(&list(), &id(cadence), "0 0 7 * * *", NOW).await.unwrap();
    }
    let wanted = support::everything(&daily());
    assert_eq!(join(&mut tx, ADDRESS, &list(), &wanted, NOW).await, Joined::New);
    let subscription = subscription(&mut tx).await;
    tx.commit().await.unwrap();
    (ground, subscription)
}

async fn subscription(tx: &mut Tx<'_>) -> i64 {
    let hash = support::keys().address_hash(&id(ADDRESS));
    let subject = tx.subject_by_hash(&hash).await.unwrap().unwrap();
    tx.subscription(subject.id, &list()).await.unwrap().unwrap().id
}

/// Starts work that must wait for a transaction, sees that it does, ends the transaction, and gives
/// what the work came to.
async fn waits_for<T: Send + 'static>(
    ground: &Ground,
    tx: Tx<'_>,
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    let mut work = tokio::spawn(work);
    let mut beside = ground.database.connect().await;
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        // Long enough for the work to be done, if nothing holds it.
        let early = tokio::time::timeout(Duration::from_millis(50), &mut work).await;
        assert!(early.is_err(), "it did not wait");
        let waiting = match beside {
            // One writer at a time: there is nothing to ask for.
            Beside::Sqlite(_) => true,
            Beside::Postgres(_) => !beside.texts(WAITING).await.is_empty(),
        };
        if waiting {
            break;
        }
        assert!(Instant::now() < end, "it neither waits nor ends");
    }
    tx.commit().await.unwrap();
    work.await.unwrap()
}

/// What waits for a lock in this database.
const WAITING: &str = "SELECT query FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'";

async fn pause(store: Store, subscription: i64) {
    let mut tx = store.write().await.unwrap();
    let held = tx.hold_subscription(subscription).await.unwrap().unwrap();
    audience::pause(&mut tx, &held, true, NOW).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_change_waits_for_the_chunk_that_is_being_decided() {
    let (ground, subscription) = with_somebody().await;
    let other = ground.database.open().await;
    let mut planning = ground.store.write().await.unwrap();
    let row = planning.hold_cadence(&list(), &daily()).await.unwrap().unwrap();
    assert_eq!(row.planning_cut, None);
    waits_for(&ground, planning, pause(other.clone(), subscription)).await;
    // And a chunk waits for a change; what it then sees is the changed one.
    let mut changing = other.write().await.unwrap();
    let held = changing.hold_subscription(subscription).await.unwrap().unwrap();
    assert_eq!(held.state, PAUSED);
    audience::pause(&mut changing, &held, false, NOW).await.unwrap();
    let store = ground.store.clone();
    let seen = waits_for(&ground, changing, async move {
        let mut planning = store.write().await.unwrap();
        planning.hold_cadence(&list(), &daily()).await.unwrap();
        planning.subscription_by_id(subscription).await.unwrap().unwrap().state
    });
    assert_eq!(seen.await, "active");
}

/// A chunk that does not see who has just joined must not move their pin with the others'.
#[tokio::test]
async fn joining_waits_for_the_chunk_and_the_chunk_for_who_is_joining() {
    let (ground, _) = with_somebody().await;
    let joins = async |store: &Store, address: &str| {
        let mut tx = store.write().await.unwrap();
        let wanted = support::everything(&daily());
        let joined = join(&mut tx, address, &list(), &wanted, NOW).await;
        (tx, joined)
    };
    let other = ground.database.open().await;
    let mut planning = ground.store.write().await.unwrap();
    planning.hold_cadence(&list(), &daily()).await.unwrap();
    let joining = async move {
        let (tx, joined) = joins(&other, "new@example.org").await;
        tx.commit().await.unwrap();
        joined
    };
    assert_eq!(waits_for(&ground, planning, joining).await, Joined::New);
    let (joining, _) = joins(&ground.store, "newer@example.org").await;
    let other = ground.database.open().await;
    let planning = async move {
        let mut tx = other.write().await.unwrap();
        tx.hold_cadence(&list(), &daily()).await.unwrap();
        tx.next_pinned(&list(), &daily(), 2, 1, 10).await.unwrap()
    };
    // It sees the second and the third who joined.
    assert_eq!(waits_for(&ground, joining, planning).await, Some(3));
}

/// An address that is being erased is not brought back by an import that began before that ended.
#[tokio::test]
async fn joining_waits_for_an_erasing_and_then_heeds_it() {
    let (ground, _) = with_somebody().await;
    for address in [ADDRESS, "unknown@example.org"] {
        let mut erasing = ground.store.write().await.unwrap();
        audience::erase(&mut erasing, &support::keys(), &id(address), "", NOW).await.unwrap();
        let other = ground.database.open().await;
        let joining = async move {
            let mut tx = other.write().await.unwrap();
            let wanted = support::everything(&daily());
            let joined = join(&mut tx, address, &list(), &wanted, NOW).await;
            tx.commit().await.unwrap();
            joined
        };
        assert_eq!(waits_for(&ground, erasing, joining).await, Joined::Suppressed, "{address}");
        let hash = support::keys().address_hash(&id(address));
        let mut tx = ground.store.read().await.unwrap();
        assert!(tx.subject_by_hash(&hash).await.unwrap().is_none(), "{address}");
    }
}

/// Between a look at who is in a cadence and the move of their pins nobody may come in with an
/// earlier pin: it would move, and nothing be told for it.
#[tokio::test]
async fn moving_into_a_cadence_waits_for_the_chunk_that_is_being_decided_there() {
    let (ground, _) = with_somebody().await;
    let other = ground.database.open().await;
    let mut planning = ground.store.write().await.unwrap();
    planning.hold_cadence(&list(), &id("weekly")).await.unwrap();
    let moving = async move {
        let wanted = support::everything(&id("weekly"));
        let mut tx = other.write().await.unwrap();
        let joined = join(&mut tx, ADDRESS, &list(), &wanted, NOW).await;
        tx.commit().await.unwrap();
        joined
    };
    assert_eq!(waits_for(&ground, planning, moving).await, Joined::Changed);
}

#[tokio::test]
async fn two_changes_of_one_subscription_come_one_after_the_other() {
    let (ground, subscription) = with_somebody().await;
    let mut first = ground.store.write().await.unwrap();
    let held = first.hold_subscription(subscription).await.unwrap().unwrap();
    audience::pause(&mut first, &held, true, NOW).await.unwrap();
    let other = ground.database.open().await;
    let left = async move { audience::leave(&other, subscription, NOW).await.unwrap() };
    assert!(waits_for(&ground, first, left).await);
    // Preferences that were saved at the same time do not bring back who has left.
    let mut tx = ground.store.write().await.unwrap();
    let wanted = Preferences { cadence: id("weekly"), ..support::everything(&daily()) };
    assert_eq!(join(&mut tx, ADDRESS, &list(), &wanted, NOW).await, Joined::Left);
}

#[tokio::test]
async fn one_address_that_joins_twice_at_once_is_one_person() {
    let (ground, _) = with_somebody().await;
    let wanted = support::everything(&daily());
    let mut first = ground.store.write().await.unwrap();
    assert_eq!(join(&mut first, "new@example.org", &list(), &wanted, NOW).await, Joined::New);
    let other = ground.database.open().await;
    let second = async move {
        let wanted = support::everything(&id("weekly"));
        let mut tx = other.write().await.unwrap();
        let joined = join(&mut tx, "new@example.org", &list(), &wanted, NOW).await;
        tx.commit().await.unwrap();
        joined
    };
    assert_eq!(waits_for(&ground, first, second).await, Joined::Changed);
}

#[tokio::test]
async fn a_word_that_is_being_forgotten_can_be_followed_all_the_same() {
    let (ground, subscription) = with_somebody().await;
    let word = vec![("rana".to_owned(), "rana".to_owned())];
    let mut tx = ground.store.write().await.unwrap();
    tx.follow_words(subscription, &word).await.unwrap();
    tx.commit().await.unwrap();
    let mut forgetting = ground.store.write().await.unwrap();
    forgetting.follow_words(subscription, &[]).await.unwrap();
    forgetting.forget_word("rana").await.unwrap();
    let other = ground.database.open().await;
    let following = async move {
        let wanted = Preferences {
            words: vec![("rana".to_owned(), "rana".to_owned())],
            ..support::everything(&daily())
        };
        let mut tx = other.write().await.unwrap();
        join(&mut tx, "new@example.org", &list(), &wanted, NOW).await;
        tx.commit().await.unwrap();
    };
    waits_for(&ground, forgetting, following).await;
    // The other way round: who is about to follow it keeps it.
    let mut following = ground.store.write().await.unwrap();
    following.follow_words(subscription, &word).await.unwrap();
    let other = ground.database.open().await;
    let forgetting = async move {
        let mut tx = other.write().await.unwrap();
        let hash = support::keys().address_hash(&id("new@example.org"));
        let subject = tx.subject_by_hash(&hash).await.unwrap().unwrap();
        let held = tx.subscription(subject.id, &list()).await.unwrap().unwrap();
        tx.follow_words(held.id, &[]).await.unwrap();
        tx.forget_word("rana").await.unwrap();
        tx.commit().await.unwrap();
    };
    waits_for(&ground, following, forgetting).await;
    let mut tx = ground.store.read().await.unwrap();
    assert_eq!(tx.words_of(subscription).await.unwrap(), word);
}

#[tokio::test]
async fn positions_are_given_by_one_writer_after_the_other() {
    let (ground, _) = with_somebody().await;
    let item = async |store: &Store, name: &str| {
        let mut tx = store.write().await.unwrap();
        tx.upsert_source(&id("news"), "https://example.org/", "{}", false).await.unwrap();
        let text = support::revision(name);
        let item = tx.insert_item(&id("news"), name, "", false, &text, NOW).await.unwrap();
        tx.commit().await.unwrap();
        item
    };
    let (one, two) = (item(&ground.store, "one").await, item(&ground.store, "two").await);
    let mut slow = ground.store.write().await.unwrap();
    slow.append_entries(&[(one, 1, id("news"))], EntryReason::New, NOW).await.unwrap();
    // A cut that is taken now is before both.
    assert_eq!(ground.store.read().await.unwrap().stream_head().await.unwrap(), 0);
    let other = ground.database.open().await;
    let second = async move {
        let mut tx = other.write().await.unwrap();
        tx.append_entries(&[(two, 1, id("news"))], EntryReason::New, NOW).await.unwrap();
        tx.commit().await.unwrap();
    };
    waits_for(&ground, slow, second).await;
    let mut tx = ground.store.read().await.unwrap();
    assert_eq!(tx.item_at(1).await.unwrap().unwrap().0, one);
    assert_eq!(tx.item_at(2).await.unwrap().unwrap().0, two);
}

#[tokio::test]
async fn on_postgres_a_change_in_one_cadence_does_not_wait_for_another() {
    let (ground, subscription) = with_somebody_on(Engine::Postgres).await;
    let mut planning = ground.store.write().await.unwrap();
    planning.hold_cadence(&list(), &id("weekly")).await.unwrap();
    pause(ground.database.open().await, subscription).await;
    planning.commit().await.unwrap();
}

#[tokio::test]
async fn on_postgres_two_workers_claim_different_messages_and_neither_waits() {
    let plan = Plan { people: 5, engine: Engine::Postgres, ..Plan::default() };
    let house = plan.build().await;
    let now = house.installation.clock.now();
    let other = Store::open(&house.installation.config.database_url, Default::default()).await;
    let other = other.unwrap();
    let mut first = house.write().await;
    let mut second = other.write().await.unwrap();
    let edition = first.open_editions().await.unwrap()[0].id;
    let ids = |messages: &[ClaimedMessage]| {
        messages.iter().map(|message| message.id).collect::<BTreeSet<i64>>()
    };
    let ones = ids(&first.due_messages(edition, now, 3).await.unwrap());
    let twos = ids(&second.due_messages(edition, now, 3).await.unwrap());
    assert_eq!((ones.len(), twos.len()), (3, 2));
    assert!(ones.is_disjoint(&twos), "{ones:?} {twos:?}");
    for (mut tx, claimed, worker) in [(first, ones, 1), (second, twos, 2)] {
        let claimed: Vec<i64> = claimed.into_iter().collect();
        tx.claim(&claimed, worker, now).await.unwrap();
        tx.commit().await.unwrap();
    }
    assert_eq!(house.store().read().await.unwrap().under_way().await.unwrap(), 5);
}
