//! Seeing and changing one's own preferences.

use banditore::model::Timestamp;

use super::town::{Answer, Town};

async fn opened(town: &Town, email: &str) -> String {
    assert_eq!(town.ask_for_link(email).await.status, 200);
    let link = town.link_to(email).await;
    assert!(link.starts_with("/p/"), "{link}");
    link
}

fn id_in(page: &Answer) -> String {
    let (_, rest) = page.body.split_once("name=\"subscription\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn all_of_it_can_be_changed_by_the_link_and_holds_at_once() {
    let town = Town::open().await;
    town.come_in("anna@example.org", &[("topic", "school")]).await;
    let link = opened(&town, "anna@example.org").await;
    let page = town.get(&link).await;
    assert!(page.body.contains("value=\"school\" checked"), "{}", page.body);
    let id = id_in(&page);
    let fields = [
        ("subscription", &*id),
        ("action", "save"),
        ("topic", "waste"),
        ("topic", "sport"),
        ("place", "crema"),
        ("cadence", "immediate"),
        ("language", "en"),
    ];
    let saved = town.post(&link, &fields).await;
    assert_eq!(saved.status, 200);
    for chosen in ["\"waste\"", "\"sport\"", "\"crema\"", "\"immediate\"", "\"en\""] {
        assert!(saved.body.contains(&format!("value={chosen} checked")), "{chosen}");
    }
    assert!(!saved.body.contains("value=\"school\" checked"));
    assert!(saved.body.contains("Done: your choices"), "{}", saved.body);

    for (action, state) in [("pause", "paused"), ("resume", "active"), ("leave", "ended")] {
        let done = town.post(&link, &[("subscription", &id), ("action", action)]).await;
        assert_eq!(done.status, 200, "{action}");
        assert!(done.body.contains("role=\"status\""), "{}", done.body);
        assert_eq!(town.state("anna@example.org", "residents").await.as_deref(), Some(state));
    }
    let again = town.post(&link, &[("subscription", &id), ("action", "resume")]).await;
    assert_eq!(again.status, 422);
    assert_eq!(town.state("anna@example.org", "residents").await.as_deref(), Some("ended"));
}

#[tokio::test]
async fn fifty_changes_a_day_are_enough_and_leaving_is_always_possible() {
    let town = Town::open().await;
    town.come_in("anna@example.org", &[]).await;
    let link = opened(&town, "anna@example.org").await;
    let id = id_in(&town.get(&link).await);
    let change =
        async |action: &str| town.post(&link, &[("subscription", &id), ("action", action)]).await;
    let lines = "SELECT count(*) FROM trace WHERE subject = 'subscription'";
    let before = town.count(lines).await;
    for turn in 0..50 {
        let action = ["pause", "resume"][turn % 2];
        assert_eq!(change(action).await.status, 200, "{turn}");
    }
    let contents = town.contents().await;
    let refused = change("pause").await;
    assert_eq!(refused.status, 429);
    assert!(refused.body.contains("Troppe modifiche"), "{}", refused.body);
    assert_eq!(town.contents().await, contents);
    assert_eq!(town.count(lines).await, before + 50);
    assert_eq!(change("leave").await.status, 200);
    assert_eq!(town.state("anna@example.org", "residents").await.as_deref(), Some("ended"));
}

#[tokio::test]
async fn changes_from_one_network_have_a_limit_too() {
    let town = Town::open().await;
    town.come_in("anna@example.org", &[]).await;
    let link = opened(&town, "anna@example.org").await;
    let id = id_in(&town.get(&link).await);
    let pause = [("subscription", &*id), ("action", "pause")];
    assert_eq!(town.post(&link, &pause).await.status, 200);
    let most = banditore::audience::CHANGES_A_NETWORK_AN_HOUR_MAX;
    town.run(&format!("UPDATE rate_limit SET hits = {most} WHERE scope = 'changes'")).await;
    let resume = [("subscription", &*id), ("action", "resume")];
    assert_eq!(town.post(&link, &resume).await.status, 429);
    assert_eq!(town.post_from("192.0.2.1", &link, &resume).await.status, 200);
}

#[tokio::test]
async fn what_is_so_already_is_neither_changed_nor_traced_nor_counted() {
    let town = Town::open().await;
    town.come_in("anna@example.org", &[("topic", "school")]).await;
    let link = opened(&town, "anna@example.org").await;
    let id = id_in(&town.get(&link).await);
    let before = town.contents().await;
    let save = [
        ("subscription", &*id),
        ("action", "save"),
        ("topic", "school"),
        ("cadence", "daily"),
        ("language", "it"),
    ];
    for _ in 0..3 {
        assert_eq!(town.post(&link, &save).await.status, 200);
        let resume = [("subscription", &*id), ("action", "resume")];
        assert_eq!(town.post(&link, &resume).await.status, 200);
    }
    assert_eq!(town.contents().await, before);
}

#[tokio::test]
async fn a_link_opens_nobody_elses_subscriptions() {
    let town = Town::open().await;
    town.come_in("anna@example.org", &[]).await;
    town.come_in("bruno@example.org", &[]).await;
    let anna = opened(&town, "anna@example.org").await;
    let bruno = opened(&town, "bruno@example.org").await;
    let id = id_in(&town.get(&bruno).await);
    for action in ["leave", "pause", "save"] {
        let answer = town.post(&anna, &[("subscription", &id), ("action", action)]).await;
        assert_eq!(answer.status, 422);
    }
    assert_eq!(town.state("bruno@example.org", "residents").await.as_deref(), Some("active"));
}

#[tokio::test]
async fn a_link_works_for_a_day_and_never_for_who_was_erased() {
    let town = Town::open().await;
    town.come_in("anna@example.org", &[]).await;
    let link = opened(&town, "anna@example.org").await;
    let id = id_in(&town.get(&link).await);
    town.step(86_400);
    let over = town.get(&link).await;
    assert_eq!(over.status, 410);
    assert!(over.body.contains("href=\"/preferences\""), "{}", over.body);
    let leave = [("subscription", &*id), ("action", "leave")];
    assert_eq!(town.post(&link, &leave).await.status, 410);
    assert_eq!(town.state("anna@example.org", "residents").await.as_deref(), Some("active"));

    let link = opened(&town, "anna@example.org").await;
    town.erase("anna@example.org").await;
    assert_eq!(town.get(&link).await.status, 410);
    assert_eq!(town.post(&link, &leave).await.status, 410);
}

#[tokio::test]
async fn followed_words_stay_when_the_rest_is_changed() {
    let town = Town::open().await;
    town.come_in("anna@example.org", &[]).await;
    let mut tx = town.installation.store.write().await.unwrap();
    tx.follow_words(1, &[("asil nid".to_owned(), "asilo nido".to_owned())]).await.unwrap();
    tx.commit().await.unwrap();
    let link = opened(&town, "anna@example.org").await;
    let page = town.get(&link).await;
    assert!(page.body.contains("«asilo nido»"), "{}", page.body);
    let id = id_in(&page);
    let fields = [
        ("subscription", &*id),
        ("action", "save"),
        ("topic", "waste"),
        ("cadence", "daily"),
        ("language", "it"),
    ];
    assert_eq!(town.post(&link, &fields).await.status, 200);
    assert_eq!(town.count("SELECT count(*) FROM subscription_word").await, 1);
}

#[tokio::test]
async fn who_has_left_everything_or_is_suppressed_gets_no_link() {
    let town = Town::open().await;
    town.come_in("anna@example.org", &[]).await;
    town.come_in("bruno@example.org", &[]).await;
    town.post(&town.leaving("anna@example.org").await, &[]).await;
    town.suppress("bruno@example.org").await;
    town.deliver().await;
    let before = town.mails().len();
    town.ask_for_link("anna@example.org").await;
    town.ask_for_link("bruno@example.org").await;
    town.deliver().await;
    assert_eq!(town.mails().len(), before);
    // One that was mailed before still lets its person leave.
    let subject = town.count("SELECT subscriber_id FROM subscription WHERE id = 2").await;
    let expires = Timestamp(town.now().0 + 60);
    let link = format!("/p/{}", town.installation.keys.preferences_token(subject, expires));
    let id = id_in(&town.get(&link).await);
    let fields = [
        ("subscription", &*id),
        ("action", "save"),
        ("cadence", "daily"),
        ("language", "it"),
        ("topic", "waste"),
    ];
    assert_eq!(town.post(&link, &fields).await.status, 422);
    let left = town.post(&link, &[("subscription", &id), ("action", "leave")]).await;
    assert_eq!(left.status, 200);
    assert_eq!(town.state("bruno@example.org", "residents").await.as_deref(), Some("ended"));
}
