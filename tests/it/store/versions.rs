//! A process lives on while another brings the tables to a later form, and what one that was killed
//! has left is cleared away.

use banditore::audience;
use banditore::store::{MessageState, StoreError};

use crate::delivery::support::{House, Plan, Post, address};
use crate::support::{self, Beside, id};

async fn beside(house: &House) -> Beside {
    Beside::to(&house.installation.config.database_url).await
}

#[tokio::test]
async fn while_the_tables_are_of_a_later_version_nothing_is_claimed_and_nothing_planned() {
    let post = Post::open().await;
    let house = Plan { port: post.port, ..Plan::default() }.build().await;
    let mut beside = beside(&house).await;
    let later = "INSERT INTO _sqlx_migrations
        (version, description, success, checksum, execution_time) VALUES (9999, 'l', true, '', 0)";
    beside.run(later).await;
    let error = house.store().ready().await.unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 9999 }), "{error:?}");
    let error = house.try_deliver().await.unwrap_err();
    assert!(error.to_string().contains("later version"), "{error}");
    assert_eq!(house.message().await.state, MessageState::Queued);
    let (planner, now) = (house.installation.planner(), house.installation.clock.now());
    let (list, daily) = (id("residents"), id("daily"));
    let error = planner.open_due(&list, &daily, now.plus(86_400)).await.unwrap_err();
    assert!(error.to_string().contains("later version"), "{error}");
    beside.run("DELETE FROM _sqlx_migrations WHERE version = 9999").await;
    assert_eq!(house.deliver().await.accepted, 1);
}

#[tokio::test]
async fn tables_that_have_lost_their_last_step_are_not_worked_on_either() {
    let house = Plan::default().build().await;
    let newest = "(SELECT max(version) FROM _sqlx_migrations)";
    beside(&house)
        .await
        .run(&format!("DELETE FROM _sqlx_migrations WHERE version = {newest}"))
        .await;
    let error = house.store().ready().await.unwrap_err();
    assert!(matches!(error, StoreError::Behind { missing: 1 }), "{error:?}");
    house.try_deliver().await.unwrap_err();
    assert_eq!(house.message().await.state, MessageState::Queued);
}

#[tokio::test]
async fn hits_that_a_killed_planner_has_left_are_forgotten_and_an_erased_persons_at_once() {
    let house = Plan { people: 3, ..Plan::default() }.build().await;
    let mut beside = beside(&house).await;
    beside
        .run(
            "INSERT INTO edition_hit (edition_id, subscription_id, words)
            SELECT edition_id, subscription_id, '1' FROM message",
        )
        .await;
    let hits = "SELECT words FROM edition_hit";
    assert_eq!(beside.texts(hits).await.len(), 3);
    let keys = &house.installation.keys;
    let now = house.installation.clock.now();
    let mut tx = house.write().await;
    audience::erase(&mut tx, keys, &support::id(&address(1)), "asked", now).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(beside.texts(hits).await.len(), 2);
    let mut tx = house.write().await;
    assert_eq!(tx.forget_left_hits(10).await.unwrap(), 2);
    tx.commit().await.unwrap();
    // Those of an edition that is being planned are needed.
    beside.run("UPDATE edition SET state = 'planning'").await;
    beside.run("INSERT INTO edition_hit SELECT id, 7, '1' FROM edition").await;
    let mut tx = house.write().await;
    assert_eq!(tx.forget_left_hits(10).await.unwrap(), 0);
}
