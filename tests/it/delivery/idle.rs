//! Connections that have had nothing to do: the relay has closed them, or we do.

use std::sync::Arc;
use std::time::Duration;

use banditore::config::Smtp;
use banditore::delivery::smtp::{Relay, StageLimits};
use banditore::delivery::{Relays, Run, Totals, Until};
use banditore::round;
use tokio::sync::watch;

use super::support::Plan;
use super::*;

async fn house(port: u16, people: usize) -> House {
    Plan { port, people, ..Plan::default() }.build().await
}

#[tokio::test]
async fn a_message_that_meets_a_connection_the_relay_has_closed_goes_out_on_a_new_one_at_once() {
    let closing = format!("{OPENING}{TO_DATA}{CONTENT}{ACCEPTED}");
    let server = ScriptedRelay::start([closing, accepting()]).await;
    let house = house(server.port, 2).await;
    let totals = house.deliver().await;
    assert_eq!(totals, Totals { accepted: 2, ..Totals::default() });
    assert!(house.messages().await.iter().all(|message| message.attempts == 1));
    assert_eq!(contents(server).await.len(), 2);
}

#[tokio::test]
async fn a_relay_that_takes_so_many_messages_a_connection_gets_the_next_on_another() {
    let enough = format!(
        "{OPENING}{TO_DATA}{CONTENT}{ACCEPTED}C MAIL\nS 421 4.7.0 enough on this connection\n"
    );
    let server = ScriptedRelay::start([enough, accepting()]).await;
    let house = house(server.port, 2).await;
    assert_eq!(house.deliver().await.accepted, 2);
    assert_eq!(contents(server).await.len(), 2);
}

#[tokio::test]
async fn a_relay_that_says_goodbye_on_the_new_connection_too_is_tried_later() {
    let closing = format!("{OPENING}{TO_DATA}{CONTENT}{ACCEPTED}");
    let busy = format!("{OPENING}C MAIL\nS 421 4.3.2 shutting down\n");
    let server = ScriptedRelay::start([closing, busy]).await;
    let house = house(server.port, 2).await;
    let totals = house.deliver().await;
    assert_eq!(totals, Totals { accepted: 1, deferred: 1, ..Totals::default() });
    assert_eq!(server.heard().await.len(), 2);
}

#[tokio::test]
async fn a_connection_without_messages_is_closed_with_quit_while_the_run_goes_on() {
    let server = ScriptedRelay::start([accepting()]).await;
    let house = house(server.port, 1).await;
    let smtp = Smtp { connections: 1, ..Smtp::at("127.0.0.1", server.port) };
    let limits = StageLimits { idle: Duration::from_millis(5), ..StageLimits::default() };
    let relay = Relay::new(&smtp, "news.example.it".to_owned(), limits).unwrap();
    let mut delivery = round::delivery(&house.installation).unwrap();
    delivery.relays = Arc::new(Relays::only(&smtp, relay));
    let run = Run::of(Until::Stopped, watch::channel(Totals::default()).0);
    let stop = run.stop.clone();
    let running = tokio::spawn(async move { delivery.run(&run).await });
    // The script ends with QUIT, which only the limit can bring: nobody has stopped the run.
    let heard = server.heard().await;
    assert_eq!(heard[0].lines.last().map(String::as_str), Some("QUIT"));
    stop.cancel();
    assert_eq!(running.await.unwrap().unwrap().totals.accepted, 1);
}
