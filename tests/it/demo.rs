//! The demo is the whole way, once, for real: news site, database, SMTP, mailbox, pages.

use std::path::Path;

use banditore::clock::Clock;
use banditore::demo::{CycleReport, Demo, DemoSettings, start_of_clock};
use banditore::model::Timestamp;
use mail_parser::MessageParser;

/// 25 November 2026, a Wednesday, some time in the morning.
const MORNING: Timestamp = Timestamp(1_795_600_000);
const DAY_SECONDS: i64 = 24 * 3600;

async fn start(dir: &Path) -> Demo {
    let settings =
        DemoSettings { port: 0, bind: std::net::Ipv4Addr::LOCALHOST, dir: dir.to_owned() };
    Demo::start(&settings, Clock::stepped(start_of_clock(MORNING))).await.unwrap()
}

/// Who got which mail: (recipient, subject, text).
fn mails(demo: &Demo) -> Vec<(String, String, String)> {
    let mut mails: Vec<_> = demo
        .mailbox
        .newest(100)
        .iter()
        .map(|mail| {
            let parsed = MessageParser::default().parse(&mail.source).unwrap();
            let text = parsed.body_text(0).unwrap().into_owned();
            (mail.recipients[0].clone(), parsed.subject().unwrap().to_owned(), text)
        })
        .collect();
    mails.sort();
    mails
}

#[tokio::test]
async fn the_first_digests_bring_each_subscriber_what_they_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let demo = start(dir.path()).await;
    let report = demo.cycle().await.unwrap();
    assert_eq!(
        report,
        CycleReport { items: 6, subscribers: 3, editions: 3, messages: 3, accepted: 3 }
    );
    let mails = mails(&demo);
    let got = |who: &str| mails.iter().find(|mail| mail.0 == who).unwrap();
    let family = got("famiglia@posta.example");
    assert!(family.2.contains("asilo nido"), "{family:?}");
    assert!(!family.2.contains("ecopiazzola"), "{family:?}");
    let environment = got("ambiente@posta.example");
    assert!(environment.2.contains("ecopiazzola"), "{environment:?}");
    assert!(!environment.2.contains("asilo nido"), "{environment:?}");
    let mayor = got("sindaco@monte-cremasco.example");
    assert!(mayor.1.ends_with("e altre 4 notizie"), "{mayor:?}");
    // What stood on the page at first is told to nobody.
    assert!(mails.iter().all(|mail| !mail.2.contains("Gli orari degli uffici")));
}

#[tokio::test]
async fn a_second_turn_at_the_same_time_sends_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let demo = start(dir.path()).await;
    demo.cycle().await.unwrap();
    let again = demo.turn().await.unwrap();
    assert_eq!((again.new_items, again.editions, again.messages), (0, 0, 0));
    assert_eq!(demo.mailbox.len(), 3);
}

#[tokio::test]
async fn the_link_of_a_mail_asks_on_get_and_ends_the_subscription_on_post() {
    let dir = tempfile::tempdir().unwrap();
    let demo = start(dir.path()).await;
    demo.cycle().await.unwrap();
    let mail = demo
        .mailbox
        .newest(100)
        .into_iter()
        .find(|mail| mail.recipients[0] == "ambiente@posta.example")
        .unwrap();
    let parsed = MessageParser::default().parse(&mail.source).unwrap();
    let header = parsed.header_raw("List-Unsubscribe").unwrap();
    let link = header.trim().trim_matches(['<', '>']).to_owned();
    let client = reqwest::Client::new();

    // A mail scanner follows the link, twice: nothing changes.
    for _ in 0..2 {
        let answer = client.get(&link).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.text().await.unwrap().contains("Cancellare l’iscrizione?"));
    }
    let token = link.rsplit('/').next().unwrap();
    let subscription = demo.installation.keys.read_unsubscribe_token(token).unwrap();
    assert_eq!(state(&demo, subscription).await, "active");

    // RFC 8058 3.2: one POST, no cookie, no question; a second one does no harm.
    for _ in 0..2 {
        let answer = client.post(&link).body("List-Unsubscribe=One-Click").send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.text().await.unwrap().contains("Iscrizione cancellata"));
    }
    assert_eq!(state(&demo, subscription).await, "ended");

    // The next day has news that they would have got.
    while demo.publish().is_some() {}
    let mut messages = 0;
    for _ in 0..2 {
        demo.installation.clock.step(DAY_SECONDS / 2);
        messages += demo.turn().await.unwrap().messages;
    }
    let all = mails(&demo);
    assert_eq!(messages, 2, "{all:?}");
    assert_eq!(all.iter().filter(|mail| mail.0 == "ambiente@posta.example").count(), 1);
    assert!(all.iter().any(|mail| mail.2.contains("Olio da cucina")), "{all:?}");
}

async fn state(demo: &Demo, subscription: i64) -> String {
    let mut tx = demo.installation.store.read().await.unwrap();
    tx.subscription_by_id(subscription).await.unwrap().unwrap().state
}

#[tokio::test]
async fn a_link_that_was_not_made_here_ends_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let demo = start(dir.path()).await;
    demo.cycle().await.unwrap();
    let keys = &demo.installation.keys;
    let token = keys.unsubscribe_token(1);
    assert_eq!(keys.read_unsubscribe_token(&token), Some(1));
    let client = reqwest::Client::new();
    let mut altered = token.clone().into_bytes();
    altered[20] = if altered[20] == b'a' { b'b' } else { b'a' };
    let altered = String::from_utf8(altered).unwrap();
    let long = "a".repeat(5_000);
    for wrong in [altered.as_str(), "x", "%00", "..%2f..", &long, &token[..30]] {
        let link = format!("{}/u/{wrong}", demo.pages);
        assert_eq!(client.get(&link).send().await.unwrap().status(), 404, "{wrong}");
        assert_eq!(client.post(&link).send().await.unwrap().status(), 404, "{wrong}");
    }
    let mut tx = demo.installation.store.read().await.unwrap();
    assert_eq!(tx.subscription_by_id(1).await.unwrap().unwrap().state, "active");
}
