use banditore::audience::{self, EmailAddress};
use banditore::delivery::{RETRY_SECONDS_FIRST, RETRY_SECONDS_MAX, Totals};
use banditore::editions::DIGEST_LIFETIME_SECONDS;
use banditore::store::MessageState;
use tokio::net::TcpListener;

use super::support::{Plan, Post, address, header, message_id_of};
use super::*;

fn totals(accepted: u64, deferred: u64, failed: u64) -> Totals {
    Totals { accepted, deferred, failed, in_doubt: 0 }
}

#[tokio::test]
async fn what_is_accepted_is_sent_once_and_a_second_run_sends_nothing() {
    let post = Post::open().await;
    let plan = Plan { port: post.port, people: 25, connections: 3, ..Plan::default() };
    let house = plan.build().await;
    assert_eq!(house.deliver().await, totals(25, 0, 0));
    assert_eq!(house.deliver().await, totals(0, 0, 0));

    let mut received: Vec<(String, String)> = Vec::new();
    for mail in post.mails() {
        assert_eq!(mail.return_path, "news@example.it");
        assert_eq!(mail.recipients, [header(&mail.source, "To")]);
        received.push((mail.recipients[0].clone(), message_id_of(&mail.source)));
    }
    received.sort();
    let messages = house.messages().await;
    let wanted: Vec<(String, String)> = (1..)
        .zip(&messages)
        .map(|(number, message)| (address(number), house.message_id(message)))
        .collect();
    assert_eq!(received, wanted);
    assert!(messages.iter().all(|message| message.attempts == 1));
    assert!(house.audit().await.is_empty());
    let attempt = &house.attempts(messages[0].id).await[0];
    assert_eq!((attempt.stage.as_str(), attempt.reply_code), ("reply", Some(250)));
    assert!(attempt.content_at.is_some() && attempt.ended_at.is_some());
}

#[tokio::test]
async fn a_soft_refusal_is_tried_again_with_longer_and_longer_pauses_until_it_is_accepted() {
    let refusing = format!(
        "{OPENING}C MAIL\nS 250 ok\nC RCPT\nS 450 4.2.0 <p0001@example.it> is greylisted\n\
         C RSET\nS 250 ok\n{QUIT}"
    );
    let scripts = [refusing.clone(), refusing.clone(), refusing, accepting()];
    let server = ScriptedRelay::start(scripts).await;
    let house = Plan { port: server.port, ..Plan::default() }.build().await;
    let mut pause_before = 0;
    for tries in 1..=3 {
        assert_eq!(house.deliver().await, totals(0, 1, 0));
        let message = house.message().await;
        assert_eq!((message.state, message.attempts), (MessageState::Deferred, tries));
        let pause = message.next_try_at.0 - house.installation.clock.now().0;
        let first = RETRY_SECONDS_FIRST << (tries - 1);
        assert!((first..=RETRY_SECONDS_MAX).contains(&pause), "{pause} after {tries} tries");
        assert!(pause > pause_before, "{pause} after {pause_before}");
        pause_before = pause;
        house.step(pause - 1);
        assert_eq!(house.deliver().await, totals(0, 0, 0), "too early");
        house.step(1);
    }
    assert_eq!(house.deliver().await, totals(1, 0, 0));
    let message = house.message().await;
    assert_eq!(message.state, MessageState::Accepted);
    let attempts = house.attempts(message.id).await;
    let outcomes: Vec<&str> =
        attempts.iter().filter_map(|attempt| attempt.outcome.as_deref()).collect();
    assert_eq!(outcomes, ["deferred", "deferred", "deferred", "accepted"]);
    assert_eq!((attempts[0].stage.as_str(), attempts[0].reply_code), ("rcpt", Some(450)));
    let reply = attempts[0].reply.as_deref().unwrap();
    assert!(reply.contains("is greylisted") && !reply.contains("p0001"), "{reply}");
    assert_eq!(contents(server).await.len(), 1);
    assert!(house.audit().await.is_empty());
}

#[tokio::test]
async fn a_hard_refusal_fails_the_message_and_no_other() {
    let script = format!(
        "{OPENING}{TO_DATA}{CONTENT}S 554 5.7.1 not this one\n{TO_DATA}{CONTENT}{ACCEPTED}{QUIT}"
    );
    let server = ScriptedRelay::start([script]).await;
    let house = Plan { port: server.port, people: 2, ..Plan::default() }.build().await;
    assert_eq!(house.deliver().await, totals(1, 0, 1));
    assert_eq!(house.states().await, ["failed (failed)", "accepted"]);
    house.step(RETRY_SECONDS_MAX);
    assert_eq!(house.deliver().await, totals(0, 0, 0));
    assert_eq!(contents(server).await.len(), 2);
    assert!(house.audit().await.is_empty());
}

#[tokio::test]
async fn who_left_or_must_not_be_written_to_since_is_cancelled_when_it_is_claimed() {
    let post = Post::open().await;
    let house = Plan { port: post.port, people: 4, ..Plan::default() }.build().await;
    let now = house.installation.clock.now();
    let keys = &house.installation.keys;
    let messages = house.messages().await;
    audience::leave(house.store(), messages[0].subscription_id, now).await.unwrap();
    let person = |number: usize| address(number).parse::<EmailAddress>().unwrap();
    let mut tx = house.write().await;
    audience::suppress(&mut tx, keys, &person(2), "a voce", now).await.unwrap();
    audience::erase(&mut tx, keys, &person(3), "a voce", now).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(house.deliver().await, totals(1, 0, 0));
    let states = house.states().await;
    let cancelled = ["cancelled (left)", "cancelled (suppressed)", "cancelled (erased)"];
    assert_eq!(states[..3], cancelled);
    assert_eq!(states[3], "accepted");
    let mails = post.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].recipients, [address(4)]);
    assert!(house.audit().await.is_empty());
}

#[tokio::test]
async fn news_that_are_too_old_expire_instead_of_being_sent() {
    let post = Post::open().await;
    let house = Plan { port: post.port, people: 2, ..Plan::default() }.build().await;
    house.step(DIGEST_LIFETIME_SECONDS);
    assert_eq!(house.deliver().await, totals(0, 0, 0));
    assert_eq!(house.states().await, ["expired (too old)", "expired (too old)"]);
    assert!(post.mails().is_empty());
    assert!(house.audit().await.is_empty());
}

/// A port on which nobody listens.
async fn closed_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn a_relay_that_is_away_defers_what_was_claimed_and_the_command_says_so() {
    let port = closed_port().await;
    let plan = Plan { port, people: 50, connections: 2, ..Plan::default() };
    let house = plan.build().await;
    let output = house.run(&["deliver"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    let wanted = format!("error: the relay 127.0.0.1:{port} cannot be reached: connect: ");
    assert!(said.starts_with(&wanted), "{said}");
    assert!(said.contains("\nhint: look at [smtp] host and port"), "{said}");
    let deferred =
        house.messages().await.iter().filter(|m| m.state == MessageState::Deferred).count();
    assert!((1..=4).contains(&deferred), "{deferred} were claimed without a relay");
    assert!(house.audit().await.is_empty());
}

#[tokio::test]
async fn a_relay_that_takes_fewer_connections_than_we_open_gets_all_over_those_it_takes() {
    let post = Post::with_room_for(1).await;
    let plan = Plan { port: post.port, people: 60, connections: 3, ..Plan::default() };
    let house = plan.build().await;
    let first = house.deliver().await;
    assert!(first.accepted > 50 && first.accepted + first.deferred == 60, "{first:?}");
    house.step(RETRY_SECONDS_MAX);
    house.deliver().await;
    house.step(RETRY_SECONDS_MAX);
    house.deliver().await;
    assert_eq!(post.mails().len(), 60);
    assert!(house.audit().await.is_empty());
}
