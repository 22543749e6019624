//! Two daemons on one PostgreSQL.

use super::support::{GatedRelay, Town, free_port, wait_until};
use crate::support::Engine;

const SETTINGS: [(&str, &str); 2] =
    [("BANDITORE__SMTP__CONNECTIONS", "2"), ("BANDITORE__DELIVERY__LEASE", "2s")];

#[test]
fn two_share_the_work_and_one_that_slept_past_its_lease_changes_nothing() {
    if Engine::of_this_run() == Engine::Sqlite {
        return;
    }
    let relay = GatedRelay::start();
    relay.open(false);
    let town = Town::on(&SETTINGS, relay.port, 20, "");
    town.publish(2);
    let sleeper = town.serve(&[]);
    wait_until("two contents are there", || relay.taken().len() == 2);
    let second = format!("127.0.0.1:{}", free_port());
    let other = town.serve_with(&[], &[("BANDITORE__WEB__LISTEN", &second)]);
    wait_until("two more are", || relay.taken().len() == 4);
    wait_until("both have claimed", || town.count("sending") == 8);
    sleeper.signal("STOP");
    relay.open(true);
    wait_until("all is taken over and sent", || town.count("accepted") == 20);
    sleeper.signal("CONT");
    // What the sleeper knows is over; what comes then is everybody's.
    town.publish(3);
    town.run(&["source", "poll", "news"]).done();
    wait_until("the next edition is sent", || town.count("accepted") == 40);
    sleeper.stop();
    other.stop();
    assert_eq!(town.count("accepted"), 40);
    // What the sleeper had begun came twice, and is named; nothing else did.
    assert_eq!(town.doubts(), 2);
    assert_eq!(relay.taken().len(), 42);
    // One of them polled, and it planned once.
    let log = town.log();
    assert_eq!(log.matches("ingest: polled").count(), 1, "{log}");
    assert!(log.contains("took over what a worker has left"), "{log}");
}
