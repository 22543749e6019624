//! Sources that move, and sources that are gone.

use banditore::ingest::{ADOPTED_FAILURES_MAX, MOVE_HELD_DAYS, Notice};

use super::publisher::{Answer, Office, Publisher, feed};
use crate::support::id;

const DAY: i64 = 24 * 3600;

#[tokio::test]
async fn a_lasting_redirect_is_followed_at_once_and_adopted_when_it_has_held_for_days() {
    let new = Publisher::at("127.0.0.2", Answer::ok(feed("", &["a"])).with("etag", "\"n\"")).await;
    let target = format!("{}/new", new.address);
    let moved = Answer::status(301).with("location", &target);
    let old = Publisher::start(moved.clone()).await;
    let url = format!("{}/old", old.address);
    let office = Office::with(&[("news", &url, "")]).await;
    assert_eq!(office.poll_one("news").await.baseline, 1);
    office.step(MOVE_HELD_DAYS * DAY - 1);
    assert_eq!(office.poll_one("news").await.notice, None);
    // Once it did not say so: the days begin anew.
    old.answers(Answer::ok(feed("", &["a"])));
    office.poll_one("news").await;
    old.answers(moved);
    office.step(DAY);
    assert_eq!(office.poll_one("news").await.notice, None);
    office.step(MOVE_HELD_DAYS * DAY);
    assert_eq!(office.source("news").await.address(), url);
    assert_eq!(office.poll_one("news").await.notice, Some(Notice::Moved));
    let source = office.source("news").await;
    assert_eq!((source.url.as_str(), source.address()), (url.as_str(), target.as_str()));
    assert_eq!(office.traced("news").await, ["source.moved"]);
    let before = old.asked().len();
    assert_eq!(office.poll_one("news").await.notice, None);
    assert_eq!(old.asked().len(), before, "the old address is not asked any more");
    // The tag is told to the address that gave it, and to no other of the chain.
    assert!(old.asked().iter().all(|asked| asked.header("if-none-match").is_none()));
    assert_eq!(new.asked().last().unwrap().header("if-none-match"), Some("\"n\""));
    // Where the new one fails, the configured one is asked again.
    new.answers(Answer::status(404));
    for failure in 1..=ADOPTED_FAILURES_MAX {
        let notice = office.poll_one("news").await.notice;
        assert_eq!(notice == Some(Notice::Returned), failure == ADOPTED_FAILURES_MAX);
    }
    assert_eq!(office.source("news").await.address(), url);
    assert_eq!(office.traced("news").await, ["source.moved", "source.moved"]);
}

#[tokio::test]
async fn a_passing_redirect_is_never_adopted() {
    let new = Publisher::at("127.0.0.2", Answer::ok(feed("", &["a"]))).await;
    let old = Publisher::start(Answer::status(302).with("location", &new.address)).await;
    let office = Office::with(&[("news", &format!("{}/old", old.address), "")]).await;
    for _ in 0..3 {
        assert_eq!(office.poll_one("news").await.notice, None);
        office.step(MOVE_HELD_DAYS * DAY);
    }
    assert_eq!(office.source("news").await.adopted_url, None);
}

#[tokio::test]
async fn what_is_gone_is_not_polled_until_its_name_or_a_new_address_revives_it() {
    let publisher = Publisher::start(Answer::ok(feed("", &["a"]))).await;
    let url = format!("{}/feed", publisher.address);
    let office = Office::with(&[("news", &url, "")]).await;
    office.poll_one("news").await;
    publisher.answers(Answer::status(410));
    assert_eq!(office.poll_when_due("news").await.notice, Some(Notice::Gone));
    office.step(30 * DAY);
    assert!(office.poll().await.is_empty());
    let store = &office.installation.store;
    assert_eq!(store.read().await.unwrap().next_poll(office.now()).await.unwrap(), None);
    // By its name it is asked once more; the admins know already.
    assert_eq!(office.poll_one("news").await.notice, None);
    publisher.answers(Answer::ok(feed("", &["b", "a"])));
    let polled = office.poll_one("news").await;
    assert_eq!((polled.new, polled.notice), (1, Some(Notice::Recovered)));
    assert_eq!(office.source("news").await.gone_at, None);
    assert_eq!(office.traced("news").await, ["source.gone", "source.recovered"]);
    publisher.answers(Answer::status(410));
    office.poll_one("news").await;
    let mut tx = store.write().await.unwrap();
    tx.upsert_source(&id("news"), &format!("{url}/other"), "{}", true).await.unwrap();
    let revived = tx.source(&id("news")).await.unwrap().unwrap();
    assert_eq!((revived.gone_at, revived.bad_since, revived.failures), (None, None, 0));
}
