//! Nobody is harassed, and nobody fills the database.

use super::town::{FILLING_IN, Town};

const TOPICS: [&str; 6] = ["school", "waste", "works", "sport", "health", "energy"];

#[tokio::test]
async fn strangers_cause_three_mails_a_day_to_an_address_whatever_the_form_and_the_network() {
    let town = Town::open().await;
    for (number, topic) in TOPICS.iter().enumerate() {
        let from = format!("192.0.{number}.1");
        let answer = town.ask_from(&from, "anna@example.org", &[("topic", topic)]).await;
        assert_eq!(answer.status, 200);
    }
    town.deliver().await;
    assert_eq!(town.mails().len(), 3);
    town.post(&town.mails()[0].link(), &[]).await;
    assert_eq!(town.ask_for_link("anna@example.org").await.status, 200);
    town.deliver().await;
    assert_eq!(town.mails().len(), 3);
    town.step(86_400);
    assert_eq!(town.ask_for_link("anna@example.org").await.status, 200);
    town.deliver().await;
    assert_eq!(town.mails().len(), 4);
}

#[tokio::test]
async fn a_form_that_is_sent_twice_causes_one_mail() {
    let town = Town::open().await;
    let time = town.time_of("/subscribe").await;
    town.step(FILLING_IN);
    let fields =
        [("email", "anna@example.org"), ("cadence", "daily"), ("language", "it"), ("time", &*time)];
    let first = town.post("/subscribe", &fields).await;
    assert_eq!(town.post("/subscribe", &fields).await, first);
    town.deliver().await;
    assert_eq!(town.mails().len(), 1);
    assert_eq!(town.count("SELECT count(*) FROM sign_up").await, 1);
}

#[tokio::test]
async fn a_network_sends_thirty_forms_an_hour_and_others_still_can() {
    let town = Town::open().await;
    let time = town.time_of("/subscribe").await;
    town.step(FILLING_IN);
    let send = async |from: &str, number: usize| {
        let email = format!("p{number}@example.org");
        let fields =
            [("email", &*email), ("cadence", "daily"), ("language", "it"), ("time", &*time)];
        town.post_from(from, "/subscribe", &fields).await.status
    };
    for number in 0..30 {
        // One network of 256 addresses, and what a visitor says of themselves is not believed.
        let from = format!("10.9.{number}.1, 203.0.113.{number}");
        assert_eq!(send(&from, number).await, 200, "{number}");
    }
    assert_eq!(send("203.0.113.200", 30).await, 429);
    assert_eq!(send("203.0.114.200", 30).await, 200);
    assert_eq!(send("2001:db8:0:1200::1", 31).await, 200);
    for number in 32..61 {
        assert_eq!(send("[2001:db8:0:12ff::1]:9", number).await, 200);
    }
    assert_eq!(send("2001:db8:0:1234::5", 61).await, 429);
    assert_eq!(send("2001:db8:0:1334::5", 61).await, 200);
    town.step(3_600);
    assert_eq!(send("203.0.113.200", 62).await, 200);
    assert_eq!(town.count("SELECT count(*) FROM rate_limit WHERE key LIKE '%203.%'").await, 0);
}

#[tokio::test]
async fn no_spelling_of_an_address_gets_a_mailbox_more_mails() {
    let town = Town::open().await;
    let spellings = [
        "victim@example.org",
        "victim+1@example.org",
        "Victim+2@example.org",
        "victim+3@example.org",
        "victim@gmail.com",
        "v.i.c.t.i.m@gmail.com",
        "vic.tim+4@googlemail.com",
        "vict.im@googlemail.com",
    ];
    for email in spellings {
        assert_eq!(town.ask_from("192.0.2.1", email, &[]).await.status, 200);
    }
    town.deliver().await;
    assert_eq!(town.mails().len(), 6);
    // Dots mean something elsewhere, and a tag alone is a name.
    for email in ["vic.tim@example.org", "+@example.org", "+1@example.org"] {
        assert_eq!(town.ask_from("192.0.2.1", email, &[]).await.status, 200);
    }
    town.deliver().await;
    assert_eq!(town.mails().len(), 9);
}

#[tokio::test]
async fn a_region_of_networks_cannot_use_up_what_all_may_send() {
    let town = Town::open().await;
    assert_eq!(town.ask_from("2001:db8:7:0100::1", "anna@example.org", &[]).await.status, 200);
    let most = banditore::audience::FORMS_A_REGION_AN_HOUR_MAX;
    town.run(&format!("UPDATE rate_limit SET hits = {most} WHERE scope = 'region'")).await;
    let rows = town.contents().await;
    for network in ["0200", "0300", "0400"] {
        let from = format!("2001:db8:7:{network}::1");
        assert_eq!(town.ask_from(&from, "bruno@example.org", &[]).await.status, 429);
    }
    // What is refused counts for nothing.
    assert_eq!(town.contents().await, rows);
    assert_eq!(town.ask_from("2001:db8:8::1", "bruno@example.org", &[]).await.status, 200);
}

#[tokio::test]
async fn sign_ups_that_flood_in_keep_nobody_from_their_preferences() {
    let town = Town::open().await;
    town.come_in("anna@example.org", &[]).await;
    let most = banditore::audience::FORMS_AN_HOUR_MAX;
    town.run(&format!("UPDATE rate_limit SET hits = {most} WHERE scope = 'forms'")).await;
    assert_eq!(town.ask_from("192.0.2.1", "bruno@example.org", &[]).await.status, 429);
    assert_eq!(town.ask_for_link("anna@example.org").await.status, 200);
    assert!(town.link_to("anna@example.org").await.starts_with("/p/"));
}

#[tokio::test]
async fn beyond_the_ceiling_of_all_nothing_is_written_but_its_counter() {
    let town = Town::open().await;
    assert_eq!(town.ask_from("192.0.2.1", "anna@example.org", &[]).await.status, 200);
    let fill = format!(
        "UPDATE rate_limit SET hits = {} WHERE scope = 'forms'",
        banditore::audience::FORMS_AN_HOUR_MAX
    );
    town.run(&fill).await;
    let rows = town.contents().await.len();
    for from in ["192.0.3.1", "192.0.4.1"] {
        assert_eq!(town.ask_from(from, "bruno@example.org", &[]).await.status, 429);
    }
    assert_eq!(town.contents().await.len(), rows);
}

#[tokio::test]
async fn a_form_that_no_person_filled_in_is_asked_for_again_or_let_go_without_a_mail() {
    let town = Town::open().await;
    let fields = |time: &str, trap: &str| {
        [
            ("email", "anna@example.org"),
            ("cadence", "daily"),
            ("language", "it"),
            ("topic", "school"),
            ("time", time),
            ("homepage", trap),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let send = async |time: &str, trap: &str| {
        let fields = fields(time, trap);
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        town.post("/subscribe", &fields).await
    };
    let time = town.time_of("/subscribe").await;
    town.step(1);
    let fast = send(&time, "").await;
    assert_eq!(fast.status, 422);
    assert!(fast.body.contains("value=\"anna@example.org\""), "{}", fast.body);
    assert!(fast.body.contains("value=\"school\" checked"), "{}", fast.body);
    assert_eq!(send("", "").await.status, 422);
    assert_eq!(send(&town.time_of("/preferences").await, "").await.status, 422);
    town.step(86_401);
    assert_eq!(send(&time, "").await.status, 422);
    let time = town.time_of("/subscribe").await;
    town.step(FILLING_IN);
    assert_eq!(send(&time, "https://spam.example").await.status, 200);
    assert_eq!(town.count("SELECT count(*) FROM notice").await, 0);
    assert_eq!(send(&time, "").await.status, 200);
    assert_eq!(town.count("SELECT count(*) FROM notice").await, 1);
}

#[tokio::test]
async fn the_same_form_and_the_same_link_many_times_at_once_do_what_one_does() {
    let town = Town::open().await;
    let time = town.time_of("/subscribe").await;
    town.step(FILLING_IN);
    let fields =
        [("email", "anna@example.org"), ("cadence", "daily"), ("language", "it"), ("time", &*time)];
    let asked = futures_util::future::join_all((0..8).map(|_| town.post("/subscribe", &fields)));
    assert!(asked.await.iter().all(|answer| answer.status == 200));
    let link = town.link_to("anna@example.org").await;
    assert_eq!(town.mails().len(), 1);
    let confirmed = futures_util::future::join_all((0..8).map(|_| town.post(&link, &[])));
    assert!(confirmed.await.iter().all(|answer| answer.status == 200));
    assert_eq!(town.count("SELECT count(*) FROM consent").await, 1);
    assert_eq!(town.count("SELECT count(*) FROM subscription").await, 1);
    assert_eq!(town.count("SELECT count(*) FROM subscriber").await, 1);
}
