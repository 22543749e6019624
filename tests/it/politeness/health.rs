//! How sources are, and what the admins are told: once.

use banditore::ingest::Notice;

use super::publisher::{Answer, Office, Publisher, feed};
use crate::program::Office as Program;

fn page(items: usize) -> String {
    let block = |n: usize| {
        format!(
            "<article class=\"card\"><h3><a href=\"/novita/avviso-{n}\">Avviso numero {n} del \
             comune</a></h3><time datetime=\"2026-11-{:02}\">{n} novembre 2026</time>\
             <p>Il comune informa i cittadini, avviso {n}.</p></article>",
            n + 1
        )
    };
    let blocks: String = (0..items).map(block).collect();
    format!("<!doctype html><html><head><title>Novità</title></head><body>{blocks}</body></html>")
}

#[tokio::test]
async fn admins_are_told_once_that_a_source_is_bad_and_once_that_it_has_recovered() {
    let publisher = Publisher::start(Answer::ok(feed("", &["a"]))).await;
    let url = format!("{}/feed", publisher.address);
    let office = Office::with(&[("news", &url, "")]).await;
    office.poll_one("news").await;
    publisher.answers(Answer::status(500));
    let mut notices = Vec::new();
    for _ in 0..9 {
        notices.push(office.poll_when_due("news").await.notice);
    }
    let said: Vec<usize> = (0..9).filter(|n| notices[*n].is_some()).collect();
    assert_eq!(said.len(), 1, "{notices:?}");
    assert_eq!(notices[said[0]], Some(Notice::Bad));
    assert!(said[0] >= 2, "not at once: {notices:?}");
    let source = office.source("news").await;
    let (since, bad) = (source.failing_since.unwrap(), source.bad_since.unwrap());
    assert!(bad.0 - since.0 >= 6 * 3600 && source.failures == 9, "{source:?}");
    let mut tx = office.installation.store.read().await.unwrap();
    assert_eq!(tx.sources_in_trouble().await.unwrap().len(), 1);
    drop(tx);
    publisher.answers(Answer::ok(feed("", &["b", "a"])));
    let polled = office.poll_when_due("news").await;
    assert_eq!((polled.new, polled.notice), (1, Some(Notice::Recovered)));
    let source = office.source("news").await;
    assert_eq!((source.failing_since, source.bad_since, source.last_hint), (None, None, None));
    assert_eq!(source.recovered_at, Some(office.now()));
    assert_eq!(office.poll_when_due("news").await.notice, None);
    assert_eq!(office.traced("news").await, ["source.turned_bad", "source.recovered"]);
    // A short failure is nobody's business.
    publisher.answers(Answer::status(500));
    assert_eq!(office.poll_when_due("news").await.notice, None);
    publisher.answers(Answer::ok(feed("", &["b", "a"])));
    assert_eq!(office.poll_when_due("news").await.notice, None);
}

#[tokio::test]
async fn a_page_that_always_had_news_and_now_has_none_has_failed() {
    let publisher = Publisher::start(Answer::ok(page(6)).with("content-type", "text/html")).await;
    let url = format!("{}/novita", publisher.address);
    let office = Office::with(&[("news", &url, "")]).await;
    assert_eq!(office.poll_one("news").await.baseline, 6);
    publisher.answers(Answer::ok(page(0)).with("content-type", "text/html"));
    let error = office.poll_one("news").await.error.unwrap();
    assert!(error.contains("the layout may have changed"), "{error}");
    let source = office.source("news").await;
    assert_eq!(source.failures, 1);
    assert!(source.last_hint.unwrap().contains("source test"));
}

#[tokio::test]
async fn a_web_page_where_a_feed_was_is_a_failure_and_no_news() {
    let publisher = Publisher::start(Answer::ok(feed("", &["a"]))).await;
    let url = format!("{}/feed", publisher.address);
    let office = Office::with(&[("news", &url, "")]).await;
    office.poll_one("news").await;
    for body in [page(6), page(0)] {
        publisher.answers(Answer::ok(body).with("content-type", "text/html"));
        let polled = office.poll_one("news").await;
        assert_eq!((polled.new, polled.error.is_some()), (0, true), "{polled:?}");
        assert!(polled.error.unwrap().contains("where there always was a feed"));
    }
    // A feed may be empty for a while.
    publisher.answers(Answer::ok(feed("", &[])));
    assert_eq!(office.poll_one("news").await.error, None);
}

#[test]
fn the_list_of_sources_says_how_each_is_and_what_to_do() {
    let office = Program::with(1, "[[source]]\nid = \"news\"\nurl = \"file:news.xml\"\n");
    let list = |time: &str| office.at(time, &["source", "list", "--json"]).done().json()[0].clone();
    office.run(&["migrate"]).done();
    assert_eq!(list("2026-11-25T07:00:00+01:00")["state"], "new");
    office.write("news.xml", feed("", &["a"]));
    office.at("2026-11-25T07:00:00+01:00", &["source", "poll"]).done();
    office.write("news.xml", feed("", &["b", "a"]));
    office.at("2026-11-26T07:00:00+01:00", &["source", "poll"]).done();
    let well = list("2026-11-26T07:00:00+01:00");
    assert_eq!((&well["state"], &well["items"]), (&"ok".into(), &2.into()));
    assert_eq!((&well["items_30_days"], &well["failures"]), (&1.into(), &0.into()));
    assert_eq!(well["interval_seconds"], 900);
    assert_eq!(list("2026-12-27T07:00:00+01:00")["items_30_days"], 0);
    std::fs::remove_file(office.file("news.xml")).unwrap();
    let poll = |time: &str| {
        let ran = office.at(time, &["source", "poll", "news"]);
        assert_eq!(ran.code, 1, "{ran:?}");
        ran.err
    };
    poll("2026-11-26T08:00:00+01:00");
    let failing = list("2026-11-26T08:00:00+01:00");
    assert_eq!((&failing["state"], &failing["failures"]), (&"failing".into(), &1.into()));
    assert!(failing["last_error"].as_str().unwrap().contains("news.xml"), "{failing}");
    assert!(failing["hint"].as_str().unwrap().contains("check the path"), "{failing}");
    poll("2026-11-26T10:00:00+01:00");
    let said = poll("2026-11-26T15:00:00+01:00");
    assert!(said.contains("source news has failed for some time"), "{said}");
    let bad = list("2026-11-26T15:00:00+01:00");
    assert_eq!(bad["state"], "bad");
    assert!(bad["failing_since"].as_str().unwrap().starts_with("2026-11-26T08:00"), "{bad}");
    assert!(bad["bad_since"].as_str().unwrap().starts_with("2026-11-26T15:00"), "{bad}");
    let table = office.run(&["source", "list"]).done().out;
    assert!(table.contains("bad") && table.contains("30 days"), "{table}");
    let checked = office.run(&["check", "--offline"]).done().out;
    assert!(checked.contains("without news for some time: news"), "{checked}");
    // A run that goes on failing says no more about it.
    assert!(!poll("2026-11-28T15:00:00+01:00").contains("for some time"));
}
