use super::support::{GatedRelay, Town, wait_until};

/// Two connections: two contents under way, two messages claimed behind them.
const TWO_CONNECTIONS: [(&str, &str); 2] =
    [("BANDITORE__SMTP__CONNECTIONS", "2"), ("BANDITORE__DELIVERY__LEASE", "2s")];

/// A daemon in the midst of an edition: two contents have come, and wait for their replies.
fn in_the_midst(relay: &GatedRelay, people: usize) -> (Town, super::support::Served) {
    relay.open(false);
    let town = Town::on(&TWO_CONNECTIONS, relay.port, people, "");
    town.publish(2);
    let daemon = town.serve(&[]);
    wait_until("two contents are there", || relay.taken().len() == 2);
    wait_until("two more are claimed", || town.count("sending") == 4);
    (town, daemon)
}

#[test]
fn what_has_begun_ends_and_what_is_only_claimed_is_queued_again() {
    let relay = GatedRelay::start();
    let (town, daemon) = in_the_midst(&relay, 10);
    daemon.signal("TERM");
    // At once, while the contents are still under way.
    wait_until("the others are queued again", || town.count("queued") == 8);
    assert_eq!(town.count("sending"), 2);
    relay.open(true);
    let ended = daemon.end();
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    assert_eq!((town.count("accepted"), town.count("queued")), (2, 8));
    assert_eq!(relay.taken().len(), 2);
    assert_eq!(town.doubts(), 0);

    // The next one goes on, and nobody gets two.
    let daemon = town.serve(&[]);
    wait_until("everybody has their mail", || town.count("accepted") == 10);
    daemon.stop();
    let mut taken = relay.taken();
    taken.sort();
    taken.dedup();
    assert_eq!((taken.len(), relay.taken().len()), (10, 10));
}

#[test]
fn a_second_signal_ends_it_at_once_and_what_had_begun_is_named() {
    let relay = GatedRelay::start();
    let (town, daemon) = in_the_midst(&relay, 4);
    daemon.signal("TERM");
    wait_until("it is stopping", || town.log().contains("stopping"));
    daemon.signal("INT");
    assert_eq!(daemon.end().code(), Some(130));
    relay.open(true);
    let daemon = town.serve(&[]);
    wait_until("everybody has their mail", || town.count("accepted") == 4);
    daemon.stop();
    assert_eq!(town.doubts(), 2);
}

#[test]
fn an_idle_daemon_ends_at_once() {
    let relay = GatedRelay::start();
    let town = Town::new(relay.port, 1);
    let daemon = town.serve(&[]);
    town.wait_until_ready();
    let begun = std::time::Instant::now();
    daemon.signal("INT");
    assert_eq!(daemon.end().code(), Some(0));
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    // A connection that says nothing holds it up for its deadline at most.
    let daemon = town.serve(&["--only", "web"]);
    town.wait_until_ready();
    let silent = std::net::TcpStream::connect(("127.0.0.1", town.web)).unwrap();
    daemon.stop();
    drop(silent);
}
