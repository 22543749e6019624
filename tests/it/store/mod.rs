//! What the store promises to the rooms above it. The suite takes the store as its argument: each
//! database that the program speaks runs it whole.

mod holding;
mod plans;
mod rehearsing;
mod schemas;
mod suite;
mod versions;
mod waiting;

use banditore::store::{Durability, Store, StoreError, all_statements};

use crate::support::{self, Ground};

#[tokio::test]
async fn what_is_written_is_read_back() {
    let ground = Ground::new().await;
    suite::run(&ground.store).await;
}

#[tokio::test]
async fn every_statement_is_understood_by_the_database() {
    let ground = Ground::new().await;
    let statements = all_statements();
    assert!(statements.len() > 100);
    let mut refused = Vec::new();
    for (name, sql) in statements {
        if let Err(error) = ground.store.prepare(sql).await {
            refused.push(format!("{name}: {error:?}"));
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let ground = Ground::new().await;
    assert_eq!(ground.store.migrate().await.unwrap(), 0);
    ground.store.require_migrated().await.unwrap();
}

#[tokio::test]
async fn a_database_of_a_later_version_is_left_alone() {
    let ground = Ground::new().await;
    ground
        .run(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
            VALUES (9999, 'later', true, '', 0)",
        )
        .await;
    let error = ground.store.migrate().await.unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 9999 }), "{error:?}");
}

#[tokio::test]
async fn an_address_that_is_none_and_a_folder_that_is_not_there_are_told_apart() {
    for url in ["mysql://localhost/banditore", "banditore.db", "sqlite://", ""] {
        let error = Store::open(url, Durability::Process).await.unwrap_err();
        assert!(matches!(error, StoreError::Address(_)), "{url}: {error:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/none/banditore.db", folder.path().display());
    let error = Store::open(&url, Durability::Process).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn one_process_delivers_from_a_sqlite_database_at_a_time() {
    let ground = Ground::new().await;
    let other = ground.database.open().await;
    let lock = ground.store.lock_delivery().unwrap();
    let error = other.lock_delivery().unwrap_err();
    assert!(matches!(error, StoreError::DeliveryTaken { .. }), "{error:?}");
    drop(lock);
    other.lock_delivery().unwrap();
}

#[tokio::test]
async fn a_transaction_that_is_not_committed_did_nothing() {
    let ground = Ground::new().await;
    let mut tx = ground.store.write().await.unwrap();
    tx.suppress("hash", "block", "test", support::at("2026-11-25T07:00:00Z")).await.unwrap();
    drop(tx);
    let mut tx = ground.store.read().await.unwrap();
    assert!(tx.suppression("hash").await.unwrap().is_none());
}

#[tokio::test]
async fn a_reading_transaction_sees_one_state_and_cannot_write() {
    let ground = Ground::new().await;
    let now = support::at("2026-11-25T07:00:00Z");
    let mut reading = ground.store.read().await.unwrap();
    assert!(reading.suppression("hash").await.unwrap().is_none());
    let mut tx = ground.store.write().await.unwrap();
    tx.suppress("hash", "block", "test", now).await.unwrap();
    tx.commit().await.unwrap();
    assert!(reading.suppression("hash").await.unwrap().is_none());
    assert!(reading.suppress("other", "block", "test", now).await.is_err());
    drop(reading);
    let mut reading = ground.store.read().await.unwrap();
    assert!(reading.suppression("hash").await.unwrap().is_some());
}
