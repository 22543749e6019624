use std::net::TcpListener;

use banditore::store::{Durability, Store};
use serde_json::Value;

use super::support::{GatedRelay, Town, free_port, wait_until};
use crate::support::{Beside, Engine};

#[test]
fn a_port_that_is_taken_and_a_relay_that_is_away_stop_neither_polling_nor_planning() {
    let town = Town::new(free_port(), 2);
    town.publish(2);
    let taken = TcpListener::bind(("127.0.0.1", town.web)).unwrap();
    let mut daemon = town.serve(&[]);
    wait_until("an edition is planned", || !town.editions().is_empty());
    wait_until("its messages are tried again later", || town.count("deferred") == 2);
    wait_until("the web's failure is said", || {
        town.log().contains("web: pages cannot be served on 127.0.0.1:")
    });
    wait_until("the relay's too", || town.log().contains("the relay cannot be reached"));
    assert!(daemon.runs());
    // What failed is tried again, and nothing else was lost.
    drop(taken);
    town.wait_until_ready();
    daemon.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_says_what_fails_and_that_it_is_well_again() {
    if Engine::of_this_run() == Engine::Postgres {
        // There nobody can keep a daemon from delivering.
        return;
    }
    let relay = GatedRelay::start();
    let town = Town::new(relay.port, 1);
    let other = Store::open(&town.office.database_url(), Durability::Process).await.unwrap();
    let lock = other.lock_delivery().unwrap();
    let daemon = town.serve(&[]);
    let mut last = Value::Null;
    let failing = |readiness: &Value| {
        let loops = readiness["loops"].as_array().unwrap();
        let bad = loops.iter().filter(|state| state["ok"] == false);
        bad.map(|state| state["loop"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    wait_until("only delivery fails", || {
        let Some((code, body)) = town.get("/readyz") else { return false };
        last = serde_json::from_str(&body).unwrap();
        code == 503 && failing(&last) == ["delivery"]
    });
    assert_eq!((&last["ready"], &last["database"]["ok"]), (&false.into(), &true.into()));
    wait_until("it says why", || {
        let body = town.get("/readyz").unwrap().1;
        body.contains("another process is delivering from this database")
    });
    assert_eq!(town.get("/healthz").unwrap(), (200, "ok\n".to_owned()));
    drop(lock);
    town.wait_until_ready();
    daemon.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_database_holds_it_up_and_nothing_is_lost() {
    let relay = GatedRelay::start();
    let town = Town::new(relay.port, 5);
    relay.open(false);
    town.publish(2);
    let mut daemon = town.serve(&[]);
    wait_until("contents are there", || relay.taken().len() == 5);
    let mut other = Beside::to(&town.office.database_url()).await;
    let lock = match Engine::of_this_run() {
        Engine::Sqlite => "BEGIN IMMEDIATE",
        Engine::Postgres => "BEGIN; LOCK TABLE message IN SHARE MODE",
    };
    other.run(lock).await;
    // The relay has said yes, and that cannot be written down yet.
    relay.open(true);
    wait_until("pages answer meanwhile", || town.get("/healthz").is_some());
    assert_eq!(town.count("accepted"), 0);
    let seconds = std::env::var("BANDITORE_LOCKED_SECONDS").map_or(3, |s| s.parse().unwrap());
    tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
    assert!(daemon.runs());
    assert_eq!(town.count("accepted"), 0);
    other.run("ROLLBACK").await;
    wait_until("all is recorded", || town.count("accepted") == 5);
    assert_eq!(relay.taken().len(), 5);
    daemon.stop();
    assert_eq!(town.doubts(), 0);
}
