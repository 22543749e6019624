//! The way in, and back in.

use banditore::audience::{Consent, Joining};

use super::town::Town;
use crate::support::everything;

#[tokio::test]
async fn from_the_form_to_the_digest_by_way_of_one_mail_and_one_click() {
    let town = Town::open().await;
    town.publish(&["Il primo avviso"]);
    town.work().await;

    let answer = town.ask("Anna@example.org").await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("Controlla la posta"), "{}", answer.body);
    assert!(!answer.body.to_lowercase().contains("anna@example.org"));
    assert_eq!(town.state("anna@example.org", "residents").await, None);

    let link = town.link_to("Anna@example.org").await;
    assert!(link.starts_with("/confirm/"), "{link}");
    let asked = town.get(&link).await;
    assert_eq!(asked.status, 200);
    assert!(asked.body.contains("Confermi l’iscrizione?"), "{}", asked.body);
    assert_eq!(town.state("anna@example.org", "residents").await, None);

    for _ in 0..2 {
        let done = town.post(&link, &[]).await;
        assert_eq!(done.status, 200);
        assert!(done.body.contains("Sei fra gli iscritti"), "{}", done.body);
        assert_eq!(town.state("anna@example.org", "residents").await.as_deref(), Some("active"));
    }
    assert_eq!(town.count("SELECT count(*) FROM consent").await, 1);

    town.publish(&["Il primo avviso", "La scuola apre il nido"]);
    town.step(1800);
    town.work().await;
    town.step(3600);
    town.work().await;
    let mails = town.mails();
    let [confirmation, digest] = &mails[..] else { panic!("two mails: {mails:?}") };
    assert_eq!(confirmation.to, digest.to);
    assert!(digest.subject.contains("La scuola apre il nido"), "{digest:?}");
    assert!(!digest.text.contains("Il primo avviso"), "{digest:?}");
    assert!(digest.text.contains("https://news.example.it/preferences\n"), "{digest:?}");
}

#[tokio::test]
async fn what_was_agreed_to_is_kept_word_for_word_with_the_subscription() {
    let town = Town::open().await;
    let page = town.get("/subscribe?lang=it").await.body;
    town.come_in("anna@example.org", &[("topic", "school"), ("place", "crema")]).await;
    let mut tx = town.installation.store.read().await.unwrap();
    let hash = town.installation.keys.address_hash(&"anna@example.org".parse().unwrap());
    let subject = tx.subject_by_hash(&hash).await.unwrap().unwrap();
    let [held] = &tx.subscriptions_of(subject.id).await.unwrap()[..] else { panic!("one list") };
    let profile = tx.profile(held.profile).await.unwrap().unwrap();
    assert_eq!(profile.topics, ["school".parse().unwrap()]);
    assert_eq!(profile.places, ["crema".parse().unwrap()]);
    let [agreed] = &tx.agreements_of(held.id).await.unwrap()[..] else { panic!("one consent") };
    assert_eq!(agreed.way, "page");
    assert!(agreed.proof.contains("2026-11-25T06:00:20+01:00"), "{agreed:?}");
    let text = agreed.text.as_deref().unwrap();
    assert!(text.contains("acconsenti") && page.contains(text), "{text}");
    assert_eq!(agreed.text_version.as_deref().map(str::len), Some(12));
    drop(tx);

    let config = town.folder.path().join("banditore.toml");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_banditore"));
    command.arg("--config").arg(config).args(["subscribers", "show", "anna@example.org"]);
    let shown = command.output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("consent by page") && shown.contains(text), "{shown}");
    assert!(shown.contains("notice confirmation"), "{shown}");
    let asked = shown.split_once("asked for list residents (daily, it)").unwrap().1;
    assert!(asked.contains("\n  topics: school\n  places: crema\n"), "{shown}");
}

#[tokio::test]
async fn who_left_comes_back_only_by_confirming_and_is_told_nothing_of_between() {
    let town = Town::open().await;
    town.publish(&["Il primo avviso"]);
    town.work().await;
    town.come_in("anna@example.org", &[]).await;
    let left = town.leaving("anna@example.org").await;
    assert_eq!(town.post(&left, &[]).await.status, 200);
    assert_eq!(town.state("anna@example.org", "residents").await.as_deref(), Some("ended"));

    town.publish(&["Il primo avviso", "Uscito mentre non c’era"]);
    town.step(1800);
    town.work().await;
    // The link that was used once brings nobody back.
    let used = town.mails()[0].link();
    assert_eq!(town.get(&used).await.status, 410);
    assert_eq!(town.post(&used, &[]).await.status, 410);
    assert_eq!(town.state("anna@example.org", "residents").await.as_deref(), Some("ended"));

    assert_eq!(town.ask("anna@example.org").await.status, 200);
    assert_eq!(town.state("anna@example.org", "residents").await.as_deref(), Some("ended"));
    let link = town.link_to("anna@example.org").await;
    assert!(link.starts_with("/confirm/"), "{link}");
    assert_eq!(town.get(&link).await.status, 200);
    assert_eq!(town.state("anna@example.org", "residents").await.as_deref(), Some("ended"));
    assert_eq!(town.post(&link, &[]).await.status, 200);
    assert_eq!(town.state("anna@example.org", "residents").await.as_deref(), Some("active"));
    assert_eq!(town.count("SELECT count(*) FROM consent").await, 2);

    town.publish(&["Il primo avviso", "Uscito mentre non c’era", "Uscito dopo"]);
    town.step(1800);
    town.work().await;
    town.step(86_400);
    town.work().await;
    let mails = town.mails();
    let digest = mails.last().unwrap();
    assert!(digest.text.contains("Uscito dopo"), "{digest:?}");
    assert!(!digest.text.contains("Uscito mentre"), "{digest:?}");
}

#[tokio::test]
async fn an_address_in_special_letters_keeps_nobody_from_signing_up() {
    let town = Town::open().await;
    // Full-width letters are refused; the Kelvin sign is a K (UAX 15 1.1).
    let refused = town.ask_from("192.0.2.1", "ｋａｔｅ@example.org", &[]).await;
    assert_eq!(refused.status, 422);
    assert_eq!(town.ask_from("192.0.2.1", "\u{212a}ate@example.org", &[]).await.status, 200);
    town.deliver().await;
    assert_eq!(town.mails()[0].to, "Kate@example.org");
    town.ask_from("192.0.2.1", "kate@example.org", &[("topic", "waste")]).await;
    let link = town.link_to("kate@example.org").await;
    assert_eq!(town.post(&link, &[]).await.status, 200);
    assert_eq!(town.state("kate@example.org", "residents").await.as_deref(), Some("active"));
    // Whoever is subscribed is written to as they were.
    town.post(&town.leaving("kate@example.org").await, &[]).await;
    town.ask_from("192.0.2.1", "KATE@example.org", &[]).await;
    town.deliver().await;
    assert_eq!(town.mails().last().unwrap().to, "kate@example.org");
}

#[test]
fn addresses_are_told_apart_as_mail_servers_do() {
    let read = |text: &str| text.parse::<banditore::audience::EmailAddress>();
    let canonical = |text: &str| read(text).unwrap().canonical();
    assert_eq!(canonical("Anna.Rossi@Example.ORG"), "anna.rossi@example.org");
    assert_eq!(canonical("nicol\u{f2}@example.org"), canonical("nicolo\u{300}@example.org"));
    assert_ne!(canonical("\u{c9}ve@example.org"), canonical("\u{e9}ve@example.org"));
    for text in ["\u{fb01}ore@example.org", "anna\u{b9}@example.org", "\u{2170}@example.org"] {
        assert_eq!(read(text), Err(banditore::audience::InvalidAddress::Compatibility), "{text}");
    }
}

#[tokio::test]
async fn an_older_link_brings_back_nobody_who_has_left() {
    let town = Town::open().await;
    town.ask_from("192.0.2.1", "anna@example.org", &[("topic", "school")]).await;
    let older = town.link_to("anna@example.org").await;
    town.step(60);
    town.ask_from("192.0.2.1", "anna@example.org", &[("topic", "waste")]).await;
    let newer = town.link_to("anna@example.org").await;
    assert_eq!(town.post(&newer, &[]).await.status, 200);
    assert_eq!(town.get(&older).await.status, 410);
    assert_eq!(town.count("SELECT count(*) FROM sign_up").await, 1);
    assert_eq!(town.post(&town.leaving("anna@example.org").await, &[]).await.status, 200);
    for link in [&older, &newer] {
        assert_eq!(town.post(link, &[]).await.status, 410);
    }
    assert_eq!(town.state("anna@example.org", "residents").await.as_deref(), Some("ended"));
}

#[tokio::test]
async fn leaving_ends_what_was_asked_for_and_not_confirmed() {
    let town = Town::open().await;
    town.ask("anna@example.org").await;
    let open = town.link_to("anna@example.org").await;
    join_at_the_desk(&town, "anna@example.org").await;
    assert_eq!(town.post(&town.leaving("anna@example.org").await, &[]).await.status, 200);
    assert_eq!(town.post(&open, &[]).await.status, 410);
    assert_eq!(town.state("anna@example.org", "residents").await.as_deref(), Some("ended"));
}

#[tokio::test]
async fn confirming_lets_a_paused_subscription_go_on() {
    let town = Town::open().await;
    town.ask("anna@example.org").await;
    let open = town.link_to("anna@example.org").await;
    join_at_the_desk(&town, "anna@example.org").await;
    let mut tx = town.installation.store.write().await.unwrap();
    let held = tx.hold_subscription(1).await.unwrap().unwrap();
    banditore::audience::pause(&mut tx, &held, true, town.now()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(town.state("anna@example.org", "residents").await.as_deref(), Some("paused"));
    let done = town.post(&open, &[]).await;
    assert!(done.body.contains("Sei fra gli iscritti"), "{}", done.body);
    assert_eq!(town.state("anna@example.org", "residents").await.as_deref(), Some("active"));
}

/// Subscribes an address as an import does.
async fn join_at_the_desk(town: &Town, email: &str) {
    let (address, list) = (email.parse().unwrap(), "residents".parse().unwrap());
    let wanted = everything(&"daily".parse().unwrap());
    let consent = Consent { way: "desk", proof: "modulo di carta", text_version: None };
    let joining = Joining { address: &address, name: None, list: &list, wanted: &wanted, consent };
    let mut tx = town.installation.store.write().await.unwrap();
    let keys = &town.installation.keys;
    banditore::audience::join(&mut tx, keys, &joining, town.now()).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn who_was_erased_may_ask_anew_and_confirming_lifts_that_alone() {
    let town = Town::open().await;
    town.come_in("anna@example.org", &[]).await;
    town.erase("anna@example.org").await;
    assert_eq!(town.ask("anna@example.org").await.status, 200);
    let link = town.link_to("anna@example.org").await;
    assert_eq!(town.count("SELECT count(*) FROM suppression").await, 1);
    assert_eq!(town.post(&link, &[]).await.status, 200);
    assert_eq!(town.state("anna@example.org", "residents").await.as_deref(), Some("active"));
    assert_eq!(town.count("SELECT count(*) FROM suppression").await, 0);
}

#[tokio::test]
async fn erasing_forgets_what_somebody_asked_for_and_the_mail_about_it() {
    let town = Town::open().await;
    town.ask("anna@example.org").await;
    town.erase("anna@example.org").await;
    assert_eq!(town.count("SELECT count(*) FROM sign_up").await, 0);
    town.deliver().await;
    assert!(town.mails().is_empty());
    let states = "SELECT count(*) FROM message WHERE state = 'cancelled' AND cause = 'erased'";
    assert_eq!(town.count(states).await, 1);
    assert!(town.contents().await.iter().all(|row| !row.contains("anna@example.org")));
}

#[tokio::test]
async fn who_does_not_confirm_is_forgotten_wholly_after_seven_days() {
    let town = Town::open().await;
    town.come_in("bruno@example.org", &[]).await;
    town.ask("anna@example.org").await;
    let link = town.link_to("anna@example.org").await;
    town.step(7 * 86_400);
    let gone = town.post(&link, &[]).await;
    assert_eq!(gone.status, 410);
    assert!(gone.body.contains("href=\"/subscribe\""), "{}", gone.body);
    let store = &town.installation.store;
    while banditore::audience::expire_sign_ups(store, town.now()).await.unwrap() > 0 {}
    assert_eq!(town.post(&link, &[]).await.status, 410);
    assert_eq!(town.count("SELECT count(*) FROM sign_up").await, 0);
    assert_eq!(town.count("SELECT count(*) FROM rate_limit").await, 0);
    assert!(town.contents().await.iter().all(|row| !row.contains("anna@example.org")));
    assert_eq!(town.state("bruno@example.org", "residents").await.as_deref(), Some("active"));

    let said = "SELECT sum(length(html) + length(text) + length(headers)) FROM notice";
    assert_eq!(town.count("SELECT count(*) FROM notice").await, 2);
    assert_eq!(town.count(said).await, 0);

    town.step(90 * 86_400);
    while banditore::audience::expire_sign_ups(store, town.now()).await.unwrap() > 0 {}
    assert_eq!(town.count("SELECT count(*) FROM notice").await, 0);
    assert_eq!(town.count("SELECT count(*) FROM message").await, 0);
}

#[tokio::test]
async fn what_is_done_by_links_stands_in_the_trace_without_address_and_with_the_network_masked() {
    let town = Town::open().await;
    town.come_in("anna@example.org", &[]).await;
    let mut tx = town.installation.store.read().await.unwrap();
    let lines = tx.trace_before(None, 100).await.unwrap();
    let of = |action: &str| lines.iter().find(|line| line.action == action).unwrap();
    let asked = of("sign_up.asked");
    assert_eq!((asked.actor.as_str(), asked.name.as_str()), ("token", "sign-up"));
    assert_eq!(asked.origin, "198.51.0.0/16");
    let confirmed = of("sign_up.confirmed");
    assert_eq!(
        (confirmed.name.as_str(), confirmed.origin.as_str()),
        ("confirmation", "203.0.0.0/16")
    );
    for line in &lines {
        assert!(!format!("{line:?}").contains("anna@"), "{line:?}");
    }
}
