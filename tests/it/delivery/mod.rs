//! Delivery, against real SMTP servers on loopback: told once, never silently lost, doubt named.

mod archiving;
mod counts;
mod database;
mod doubts;
mod dry_run;
mod idle;
mod outcomes;
mod postfix;
mod relays;
pub mod sink;
pub mod support;
mod surroundings;
mod takeover;

use banditore::store::MessageState;

use crate::smtp::script::ScriptedRelay;
use support::House;

const OPENING: &str = "
    S 220 relay.example.it ESMTP
    C EHLO news.example.it
    S 250-relay.example.it
    S 250 SIZE 1000000
";
const TO_DATA: &str = "
    C MAIL FROM:<news@example.it>
    S 250 2.1.0 ok
    C RCPT TO:<p
    S 250 2.1.5 ok
    C DATA
";
const CONTENT: &str = "
    S 354 go on
    content
";
const ACCEPTED: &str = "
    S 250 2.0.0 queued
";
const QUIT: &str = "
    C QUIT
    S 221 bye
";

/// A conversation in which one message is accepted.
fn accepting() -> String {
    format!("{OPENING}{TO_DATA}{CONTENT}{ACCEPTED}{QUIT}")
}

/// A conversation that the server closes between the dot and its reply.
fn closing_at_the_dot() -> String {
    format!("{OPENING}{TO_DATA}{CONTENT}")
}

/// Waits until the only message is under way and its attempt has come to a stage.
async fn under_way(house: &House, stage: &str) {
    loop {
        let message = house.message().await;
        let attempts = house.attempts(message.id).await;
        let there = attempts.last().is_some_and(|attempt| attempt.stage == stage);
        if message.state == MessageState::Sending && there {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// The contents that a scripted relay heard, over all its connections.
async fn contents(server: ScriptedRelay) -> Vec<Vec<u8>> {
    server.heard().await.into_iter().flat_map(|heard| heard.contents).collect()
}
