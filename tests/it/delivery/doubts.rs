use banditore::delivery::RETRY_SECONDS_MAX;
use banditore::store::{DOUBTS_OF_DIGEST_MAX, MessageState};

use super::support::{Plan, header};
use super::*;

/// A house whose one message ended in doubt, and the server, which takes the next.
async fn in_doubt(in_doubt: &'static str) -> (House, ScriptedRelay) {
    let server = ScriptedRelay::start([closing_at_the_dot(), accepting()]).await;
    let house = Plan { port: server.port, in_doubt, ..Plan::default() }.build().await;
    let totals = house.deliver().await;
    assert_eq!((totals.accepted, totals.in_doubt), (0, 1));
    let message = house.message().await;
    let attempts = house.attempts(message.id).await;
    assert_eq!(attempts[0].outcome.as_deref(), Some("in_doubt"));
    assert_eq!(attempts[0].stage, "reply");
    assert_eq!(house.audit().await, [message.id], "the doubt is named");
    (house, server)
}

#[tokio::test]
async fn in_doubt_under_resend_it_is_sent_again_octet_for_octet() {
    let (house, server) = in_doubt("resend").await;
    assert_eq!(house.states().await, ["queued"]);
    house.step(RETRY_SECONDS_MAX);
    assert_eq!(house.deliver().await.accepted, 1);
    assert_eq!(house.states().await, ["accepted"]);
    let message = house.message().await;
    assert_eq!(house.audit().await, [message.id], "the doubt stays named");
    let contents = contents(server).await;
    assert_eq!(contents.len(), 2);
    assert_eq!(header(&contents[0], "Date"), "Wed, 25 Nov 2026 07:00:00 +0100");
    assert_eq!(header(&contents[0], "Message-ID"), format!("<{}>", house.message_id(&message)));
    assert!(contents[0] == contents[1], "the same octets");
}

#[tokio::test]
async fn in_doubt_again_and_again_it_is_held_in_the_end_and_a_person_decides() {
    let scripts: [String; DOUBTS_OF_DIGEST_MAX as usize + 1] =
        std::array::from_fn(|_| closing_at_the_dot());
    let server = ScriptedRelay::start(scripts).await;
    let house = Plan { port: server.port, ..Plan::default() }.build().await;
    for _ in 1..DOUBTS_OF_DIGEST_MAX {
        assert_eq!(house.deliver().await.in_doubt, 1);
        assert_eq!(house.message().await.state, MessageState::Queued);
        house.step(RETRY_SECONDS_MAX);
    }
    assert_eq!(house.deliver().await.in_doubt, 1);
    assert_eq!(house.states().await, ["held"]);
    house.step(RETRY_SECONDS_MAX);
    assert_eq!(house.deliver().await, Default::default());
    // Asked for by name it goes out once more, and not again and again.
    let id = house.message().await.id.to_string();
    let output = house.run(&["messages", "resend", &id, "--by", "Ufficio stampa"]).await;
    assert!(output.status.success(), "{output:?}");
    // The command's clock went on while it ran.
    house.step(60);
    assert_eq!(house.deliver().await.in_doubt, 1);
    assert_eq!(house.message().await.state, MessageState::Held);
    assert_eq!(contents(server).await.len(), DOUBTS_OF_DIGEST_MAX as usize + 1);
    house.audit().await;
}

#[tokio::test]
async fn killed_again_and_again_within_its_content_it_is_held_in_the_end() {
    let house = Plan::default().build().await;
    let id = house.message().await.id;
    for number in 1..=DOUBTS_OF_DIGEST_MAX {
        let now = house.installation.clock.now();
        let mut tx = house.write().await;
        tx.insert_worker(number, now, now).await.unwrap();
        tx.claim(&[id], number, now).await.unwrap();
        assert_eq!(tx.begin_content(&[(id, number)], now).await.unwrap(), [id]);
        assert_eq!(tx.take_over(number, now).await.unwrap(), 1);
        tx.commit().await.unwrap();
        let held = number == DOUBTS_OF_DIGEST_MAX;
        assert_eq!(house.states().await, [if held { "held" } else { "queued" }]);
    }
}

#[tokio::test]
async fn in_doubt_under_drop_it_is_given_up() {
    let (house, _server) = in_doubt("drop").await;
    assert_eq!(house.states().await, ["dropped (in_doubt)"]);
    house.step(RETRY_SECONDS_MAX);
    assert_eq!(house.deliver().await, Default::default());
}

#[tokio::test]
async fn in_doubt_under_hold_a_person_sends_it_again_by_name() {
    let (house, server) = in_doubt("hold").await;
    assert_eq!(house.states().await, ["held"]);
    house.step(RETRY_SECONDS_MAX);
    assert_eq!(house.deliver().await, Default::default());
    let id = house.message().await.id.to_string();
    let nameless = house.run(&["messages", "resend", &id]).await;
    assert_eq!(nameless.status.code(), Some(2), "{nameless:?}");
    let output = house.run(&["messages", "resend", &id, "--by", "Ufficio stampa"]).await;
    assert!(output.status.success(), "{output:?}");
    // The command's clock went on while it ran.
    house.step(60);
    assert_eq!(house.states().await, ["queued (sent again by Ufficio stampa)"]);
    assert_eq!(house.deliver().await.accepted, 1);
    assert_eq!(house.states().await, ["accepted"]);
    let contents = contents(server).await;
    assert!(contents.len() == 2 && contents[0] == contents[1], "the same octets");
    assert_eq!(house.audit().await.len(), 1);
    let again = house.run(&["messages", "resend", &id, "--by", "Ufficio stampa"]).await;
    assert_eq!(again.status.code(), Some(1), "what is accepted is not sent again: {again:?}");
}

#[tokio::test]
async fn in_doubt_under_hold_a_person_drops_it_by_name() {
    let (house, _server) = in_doubt("hold").await;
    let id = house.message().await.id.to_string();
    let output = house.run(&["messages", "drop", &id, "--by", "Ufficio stampa"]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(house.states().await, ["dropped (dropped by Ufficio stampa)"]);
    house.step(RETRY_SECONDS_MAX);
    assert_eq!(house.deliver().await, Default::default());
    assert_eq!(house.audit().await.len(), 1);
}

#[tokio::test]
async fn a_message_of_a_refused_edition_is_not_queued_where_nothing_goes_out_any_more() {
    let (house, _server) = in_doubt("drop").await;
    let message = house.message().await;
    let mut tx = house.write().await;
    tx.edition_planned(message.edition_id, "refused", house.installation.clock.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let id = message.id.to_string();
    let output = house.run(&["messages", "resend", &id, "--by", "Ufficio stampa"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(house.states().await, ["dropped (in_doubt)"]);
}

#[tokio::test]
async fn content_that_is_refused_for_now_is_no_doubt_and_comes_again_octet_for_octet() {
    let refused = format!("{OPENING}{TO_DATA}{CONTENT}S 451 4.3.0 later\n{QUIT}");
    let server = ScriptedRelay::start([refused, accepting()]).await;
    let house = Plan { port: server.port, ..Plan::default() }.build().await;
    assert_eq!(house.deliver().await.deferred, 1);
    house.step(RETRY_SECONDS_MAX);
    assert_eq!(house.deliver().await.accepted, 1);
    assert!(house.audit().await.is_empty());
    let contents = contents(server).await;
    assert!(contents.len() == 2 && contents[0] == contents[1], "the same octets");
}
