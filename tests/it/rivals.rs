//! Imports, people who change things by their links, and an office that suppresses and erases, all
//! at once on the same people: nobody is told that the database failed, and nothing is half done.

use banditore::audience::{self, Consent, Joining, Preferences};
use banditore::store::{Store, StoreError, retrying};

use crate::support::{self, Ground, Random, id};

const NOW: banditore::model::Timestamp = banditore::model::Timestamp(1_795_000_000);
const PEOPLE: u64 = 6;
const TURNS: u64 = 40;
const RIVALS: u64 = 5;

fn address(number: u64) -> String {
    format!("p{number}@example.org")
}

/// A profile that nobody may have had before, so that both also wait for profiles.
fn wanted(chance: &mut Random) -> Preferences {
    let topics = ["waste", "school", "works"];
    let topics = topics.into_iter().filter(|_| chance.below(2) == 0).map(id).collect();
    Preferences { topics, ..support::everything(&id(["daily", "weekly"][chance.below(2)])) }
}

/// Some people in one transaction and in any order, as imports have them.
async fn import(store: &Store, rows: &[(String, Preferences)]) -> Result<(), StoreError> {
    let mut tx = store.write().await?;
    for (address, wanted) in rows {
        let (address, list) = (&id(address), &id("residents"));
        let consent = Consent { way: "import", proof: "test", text_version: None };
        let joining = Joining { address, name: None, list, wanted, consent };
        audience::join(&mut tx, &support::keys(), &joining, NOW).await?;
    }
    tx.commit().await
}

async fn rival(store: Store, seed: u64) -> Result<(), StoreError> {
    let mut chance = Random::seeded(seed);
    for _ in 0..TURNS {
        let rows = 1 + chance.below(4);
        let mut some = || (address(chance.below(PEOPLE as usize) as u64), wanted(&mut chance));
        let rows: Vec<_> = (0..rows).map(|_| some()).collect();
        let whom = id(&rows[0].0);
        match chance.below(8) {
            0 => {
                retrying(async || {
                    let mut tx = store.write().await?;
                    audience::erase(&mut tx, &support::keys(), &whom, "", NOW).await?;
                    tx.commit().await
                })
                .await?;
                retrying(async || {
                    let mut tx = store.write().await?;
                    audience::unsuppress(&mut tx, &support::keys(), &whom, "", NOW).await?;
                    tx.commit().await
                })
                .await?;
            }
            1 => {
                let hash = support::keys().address_hash(&whom);
                let mut tx = store.read().await?;
                let subject = tx.subject_by_hash(&hash).await?;
                let held = match subject {
                    Some(subject) => tx.subscription(subject.id, &id("residents")).await?,
                    None => None,
                };
                drop(tx);
                if let Some(held) = held {
                    audience::leave(&store, held.id, NOW).await?;
                }
            }
            _ => retrying(|| import(&store, &rows)).await?,
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn those_who_meet_on_the_same_people_wait_and_none_of_them_fails() {
    let ground = Ground::new().await;
    let mut tx = ground.store.write().await.unwrap();
    tx.upsert_list(&support::list_row(&id("residents"), false), NOW).await.unwrap();
    for cadence in ["daily", "weekly"] {
        tx.upsert_cadence(&id("residents"), &id(cadence), "0 0 7 * * *", NOW).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut rivals = tokio::task::JoinSet::new();
    for seed in 1..=RIVALS {
        rivals.spawn(rival(ground.database.open().await, seed));
    }
    while let Some(ended) = rivals.join_next().await {
        ended.unwrap().unwrap();
    }
    // Whoever was erased has no address, and nobody is there twice.
    let mut tx = ground.store.read().await.unwrap();
    for number in 0..PEOPLE {
        let hash = support::keys().address_hash(&id(&address(number)));
        if let Some(subject) = tx.subject_by_hash(&hash).await.unwrap() {
            assert!(tx.suppression(&hash).await.unwrap().is_none());
            assert!(tx.subscriptions_of(subject.id).await.unwrap().len() <= 1);
        }
    }
}
