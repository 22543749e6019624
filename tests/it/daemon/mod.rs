//! The daemon: what it does by itself, what it notices, how it stops, and what one part's failure
//! is to the others.

mod claims;
mod failures;
mod sharing;
mod stopping;
pub mod support;

use crate::support::Engine;
use support::{GatedRelay, Town, wait_until};

#[test]
fn it_polls_plans_and_delivers_by_itself_to_the_end() {
    let relay = GatedRelay::start();
    let town = Town::new(relay.port, 3);
    town.publish(3);
    let daemon = town.serve(&[]);
    wait_until("everybody has their mail", || relay.taken().len() == 3);
    wait_until("all is recorded", || town.count("accepted") == 3);
    wait_until("the edition is done", || {
        town.editions().iter().all(|edition| edition["state"] == "done")
    });
    daemon.stop();
    let log = town.log();
    for wanted in ["ingest: polled 1, new items 2, failed 0", "editions: edition ", "accepted 3"] {
        assert!(log.contains(wanted), "{wanted} in {log}");
    }
    assert!(!log.contains("@example.org"), "an address in {log}");
    let left = town.office.contents().into_iter().filter(|row| row.starts_with("worker: "));
    assert_eq!(left.count(), 0, "a worker lingers");
}

#[test]
fn what_commands_bring_in_beside_it_is_noticed() {
    let relay = GatedRelay::start();
    let town = Town::new(relay.port, 1);
    let daemon = town.serve(&[]);
    town.wait_until_ready();
    town.bring_in(2..=2);
    town.publish(2);
    town.run(&["source", "poll", "news"]).done();
    wait_until("both have their mail", || relay.taken().len() == 2);
    // A source that is added is polled at once; the file's own is not due for a minute.
    let page = "http://127.0.0.1:1/";
    town.run(&["source", "add", "more", page, "--allow-private-network"]).done();
    wait_until("the new source is polled", || {
        let sources = town.run(&["source", "list", "--json"]).done().json();
        sources.as_array().unwrap().iter().any(|source| source["failures"] == 1)
    });
    wait_until("both are recorded", || town.count("accepted") == 2);
    daemon.stop();
}

#[test]
fn a_second_daemon_on_the_same_file_is_refused_and_commands_are_not() {
    if Engine::of_this_run() == Engine::Postgres {
        return;
    }
    let relay = GatedRelay::start();
    let town = Town::new(relay.port, 1);
    let daemon = town.serve(&[]);
    town.wait_until_ready();
    let refused = town.run(&["serve", "--only", "web"]).refused(1);
    assert!(refused.contains("another daemon serves this database"), "{refused}");
    for command in [&["source", "poll"][..], &["digest", "run"], &["audit"], &["check"]] {
        town.run(command).done();
    }
    // It delivers, so nobody else does; a round polls and plans all the same.
    town.publish(2);
    let refused = town.run(&["deliver"]).refused(1);
    assert!(refused.contains("another process is delivering"), "{refused}");
    town.run(&["once"]).refused(1);
    daemon.stop();
    town.run(&["deliver"]).done();
    let daemon = town.serve(&["--only", "editions,web"]);
    town.wait_until_ready();
    town.run(&["once"]).done();
    daemon.stop();
}

#[test]
fn parts_that_are_not_there_and_a_relay_that_is_missing_are_told() {
    let relay = GatedRelay::start();
    let town = Town::new(relay.port, 0);
    let unknown = town.run(&["serve", "--only", "ingest,post"]).refused(2);
    assert!(unknown.contains("ingest, editions, delivery, web"), "{unknown}");
    let text = town.office.read("banditore.toml");
    let (before, rest) = text.split_once("[smtp]").unwrap();
    let (_, after) = rest.split_once("[delivery]").unwrap();
    town.office.write("banditore.toml", format!("{before}[delivery]{after}"));
    let missing = town.run(&["serve", "--only", "delivery"]).refused(2);
    assert!(missing.contains("[smtp]"), "{missing}");
    // Without being named, the part that cannot be is left out.
    let daemon = town.serve(&[]);
    town.wait_until_ready();
    assert!(town.log().contains("nothing is delivered"), "{}", town.log());
    daemon.stop();
}

#[test]
fn the_service_manager_is_told_when_it_is_ready_alive_and_stopping() {
    let relay = GatedRelay::start();
    let town = Town::new(relay.port, 0);
    let socket = town.office.file("notify");
    let manager = std::os::unix::net::UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
    let socket = socket.to_str().unwrap().to_owned();
    let daemon = town.serve_with(&[], &[("NOTIFY_SOCKET", &socket), ("WATCHDOG_USEC", "400000")]);
    let mut told = String::new();
    let mut wait_for = |wanted: &str| {
        let mut octets = [0; 1024];
        while !told.contains(wanted) {
            let length = manager.recv(&mut octets).unwrap();
            told.push_str(std::str::from_utf8(&octets[..length]).unwrap());
        }
    };
    wait_for("READY=1\n");
    wait_for("WATCHDOG=1\n");
    wait_for("STATUS=ingest ok; editions ok; delivery ok; web ok\n");
    daemon.signal("TERM");
    wait_for("STOPPING=1\n");
    assert_eq!(daemon.end().code(), Some(0));
}
