//! When a source is asked again.

use banditore::ingest::{
    ADAPTED_SECONDS_MAX, ADAPTED_SECONDS_MIN, Due, FeedHints, HINTED_SECONDS_MAX,
    JITTER_PERCENT_MAX, RETRY_AFTER_SECONDS_MAX,
};
use banditore::model::{SourceId, Timestamp};

use super::publisher::{Answer, Office, Publisher, feed};
use crate::support::{at, id};

fn due<'a>(source: &'a SourceId, every: Option<i64>, quiet: Option<i64>) -> Due<'a> {
    let now = at("2026-11-27T21:30:00+00:00");
    let changed_at = quiet.map(|seconds| now.plus(-seconds));
    Due { source, every_seconds: every, changed_at, now }
}

#[test]
fn a_source_that_changes_is_asked_often_and_one_that_does_not_more_seldom_within_bounds() {
    let source: SourceId = id("news");
    let hour = 3600;
    for (quiet, interval) in [
        (Some(0), ADAPTED_SECONDS_MIN),
        (Some(6 * hour), ADAPTED_SECONDS_MIN),
        (Some(24 * hour), hour),
        (Some(48 * hour), ADAPTED_SECONDS_MAX),
        (Some(400 * 24 * hour), ADAPTED_SECONDS_MAX),
        (None, ADAPTED_SECONDS_MAX),
        // A clock that was put back.
        (Some(-hour), ADAPTED_SECONDS_MIN),
    ] {
        assert_eq!(due(&source, None, quiet).interval(), interval, "{quiet:?}");
        assert_eq!(due(&source, Some(60), quiet).interval(), 60, "what an admin wrote stands");
    }
}

#[test]
fn jitter_is_a_function_of_source_and_time_and_makes_nothing_later() {
    let none = FeedHints::default();
    let mut seen = std::collections::BTreeSet::new();
    for number in 0..200 {
        let source: SourceId = id(&format!("s{number}"));
        let due = due(&source, Some(3_000), None);
        let wait = due.after_answer(None, &none).0 - due.now.0;
        assert_eq!(due.after_answer(None, &none).0 - due.now.0, wait, "the same again");
        assert!((3_000 - 3_000 * JITTER_PERCENT_MAX / 100..=3_000).contains(&wait), "{wait}");
        seen.insert(wait);
        let later = Due { now: due.now.plus(1), ..due };
        seen.insert(later.after_answer(None, &none).0 - later.now.0);
    }
    assert!(seen.len() > 100, "they drift apart: {}", seen.len());
}

#[test]
fn what_an_answer_says_makes_the_next_poll_later_within_bounds() {
    let source: SourceId = id("news");
    let due = due(&source, Some(600), None);
    let wait = |fresh, hints: &FeedHints| due.after_answer(fresh, hints).0 - due.now.0;
    let none = FeedHints::default();
    assert_eq!(wait(Some(1_800), &none), 1_800);
    assert_eq!(wait(Some(u64::MAX), &none), HINTED_SECONDS_MAX);
    assert!(wait(Some(1), &none) <= 600);
    assert_eq!(wait(None, &FeedHints { ttl_minutes: 60, ..none.clone() }), 3_600);
    let ttl = FeedHints { ttl_minutes: u32::MAX, ..none.clone() };
    assert_eq!(wait(None, &ttl), HINTED_SECONDS_MAX);
    // It is Friday, 21:30 in Greenwich.
    let hours = FeedHints { skip_hours: vec![0, 21, 22, 23], ..none.clone() };
    let at_one = at("2026-11-28T01:00:00+00:00");
    assert_eq!(due.after_answer(None, &hours), at_one);
    let weekend = FeedHints { skip_hours: vec![21, 22, 23], skip_days: vec![5, 6], ..none.clone() };
    assert_eq!(due.after_answer(None, &weekend), at("2026-11-30T00:00:00+00:00"));
    let never = FeedHints { skip_days: (0..7).collect(), ..none };
    assert!(wait(None, &never) <= 600, "who skips all is asked all the same");
}

#[test]
fn failures_double_the_wait_up_to_a_day_and_a_server_may_ask_for_more() {
    let source: SourceId = id("news");
    let due = due(&source, None, Some(0));
    let wait = |failures, retry: Option<i64>| {
        due.after_failure(failures, retry.map(|seconds| due.now.plus(seconds))).0 - due.now.0
    };
    let around = |wait: i64, full: i64| (full - full / 10..=full).contains(&wait);
    assert!(around(wait(1, None), 1_800) && around(wait(3, None), 7_200));
    assert!(around(wait(60, None), 86_400), "{}", wait(60, None));
    assert_eq!(wait(1, Some(40_000)), 40_000);
    assert!(around(wait(1, Some(10)), 1_800), "not sooner than it would have been");
    assert_eq!(wait(1, Some(i64::MAX / 2)), RETRY_AFTER_SECONDS_MAX);
    let seldom = Due { every_seconds: Some(7 * 86_400), ..due };
    assert!(around(seldom.after_failure(2, None).0 - due.now.0, 7 * 86_400));
}

#[tokio::test]
async fn hints_of_a_feed_hold_while_it_is_not_modified() {
    let body = feed("<ttl>90</ttl>", &["a"]);
    let tagged = Answer::ok(body).with("etag", "\"one\"").with("cache-control", "max-age=1");
    let publisher = Publisher::start(tagged).await;
    let url = format!("{}/feed", publisher.address);
    let office = Office::with(&[("news", &url, "every = \"5m\"")]).await;
    assert_eq!(office.poll_one("news").await.baseline, 1);
    assert_eq!(office.due_in("news").await, 5_400);
    publisher.answers(Answer::status(304).with("etag", "\"two\""));
    assert_eq!(office.poll_when_due("news").await.error, None);
    assert_eq!(office.due_in("news").await, 5_400);
    // Fresh for longer than that, less what a cache on the way has used of it.
    let fresh =
        Answer::status(304).with("cache-control", "public, max-age=9000").with("age", "400");
    publisher.answers(fresh);
    office.poll_when_due("news").await;
    assert_eq!(office.due_in("news").await, 8_600);
    let tags = publisher.asked();
    let tags: Vec<_> = tags.iter().map(|asked| asked.header("if-none-match")).collect();
    assert_eq!(tags, [None, Some("\"one\""), Some("\"two\"")], "a 304 may change the tag");
}

#[tokio::test]
async fn a_busy_host_is_left_alone_by_all_its_sources() {
    let busy = Answer::status(503).with("retry-after", "7200");
    let publisher = Publisher::start(busy).await;
    let (one, two) = (format!("{}/1", publisher.address), format!("{}/2", publisher.address));
    let office = Office::with(&[("one", &one, ""), ("two", &two, "")]).await;
    let polled = office.poll().await;
    assert_eq!(polled.len(), 1, "the other one was not asked any more");
    assert_eq!((office.due_in("one").await, office.due_in("two").await), (7_200, 7_200));
    assert_eq!((office.source("one").await.failures, office.source("two").await.failures), (1, 0));
    // A date is heeded as seconds are.
    office.step(7_200);
    let date = "Wed, 25 Nov 2026 12:00:00 GMT";
    publisher.answers(Answer::status(429).with("retry-after", date));
    office.poll().await;
    let noon: Timestamp = at("2026-11-25T12:00:00+00:00");
    assert_eq!(office.source("two").await.next_poll_at, noon);
    // Of other failures such words mean nothing for others.
    office.step(noon.0 - office.now().0);
    publisher.answers(Answer::status(500).with("retry-after", "90000"));
    assert_eq!(office.poll().await.len(), 2);
    assert!(office.due_in("one").await < 90_000);
}

#[tokio::test]
async fn a_page_behind_a_teaser_that_asks_for_time_postpones_all_sources_of_its_host() {
    let publisher = Publisher::start(Answer::ok(feed("", &["a"]))).await;
    let (one, two) = (format!("{}/1", publisher.address), format!("{}/2", publisher.address));
    let every = "every = \"30m\"";
    let office = Office::with(&[("one", &one, every), ("two", &two, every)]).await;
    assert_eq!(office.poll().await.len(), 2);
    office.step(1_800);
    let news = format!(
        "<rss version=\"2.0\"><channel><title>Comune</title><item><title>Neve</title>\
         <link>{}/n/neve</link></item></channel></rss>",
        publisher.address
    );
    publisher.answers(Answer::ok(news));
    publisher.answers_at("/n/neve", Answer::status(429).with("retry-after", "7200"));
    let polled = office.poll().await;
    assert_eq!((polled.len(), polled[0].new), (1, 1), "told as it is: {polled:?}");
    assert!(polled[0].warnings.iter().any(|warning| warning.contains("429")), "{polled:?}");
    assert_eq!((office.due_in("one").await, office.due_in("two").await), (7_200, 7_200));
    assert_eq!(office.source("one").await.failures, 0, "the source itself did not fail");
    office.step(7_199);
    assert_eq!(office.poll().await.len(), 0);
    office.step(1);
    publisher.answers_at("/n/neve", Answer::ok("<html><body><p>Testo</p></body></html>"));
    assert_eq!(office.poll().await.len(), 2);
    let asked = publisher.asked();
    let paths: Vec<&str> = asked.iter().map(|asked| asked.path.as_str()).collect();
    assert_eq!(paths.iter().filter(|path| **path == "/n/neve").count(), 2, "{paths:?}");
}

#[tokio::test]
async fn a_feed_that_dates_itself_anew_at_each_poll_is_read_once() {
    let dated = |at: &str, items: &[&str]| {
        Answer::ok(feed(&format!("<lastBuildDate>{at}</lastBuildDate>"), items))
    };
    let publisher = Publisher::start(dated("09:00", &["a"])).await;
    let url = format!("{}/feed", publisher.address);
    let office = Office::with(&[("news", &url, "")]).await;
    office.poll_one("news").await;
    let known = office.source("news").await.body_digest;
    publisher.answers(dated("10:00", &["a"]));
    let polled = office.poll_one("news").await;
    assert_eq!((polled.new, polled.error), (0, None));
    assert_eq!(office.source("news").await.body_digest, known);
    publisher.answers(dated("11:00", &["b", "a"]));
    assert_eq!(office.poll_one("news").await.new, 1);
}

#[tokio::test]
async fn a_host_is_asked_once_at_a_time_with_a_pause_and_told_whom_to_write_to() {
    let publisher = Publisher::start(Answer::ok(feed("", &["a"]))).await;
    let urls: Vec<String> = (0..3).map(|n| format!("{}/{n}", publisher.address)).collect();
    let sources = [("a", urls[0].as_str(), ""), ("b", &urls[1], ""), ("c", &urls[2], "")];
    let office = Office::with(&sources).await;
    assert_eq!(office.poll().await.len(), 3);
    let asked = publisher.asked();
    for pair in asked.windows(2) {
        let between = pair[1].at.duration_since(pair[0].at);
        assert!(between >= std::time::Duration::from_millis(900), "{between:?}");
    }
    let agent = asked[0].header("user-agent").unwrap();
    assert!(agent.starts_with("Banditore/"), "{agent}");
    assert!(agent.ends_with(" (+https://news.example.org; web@comune.example.org)"), "{agent}");
    assert_eq!(asked[0].header("from"), Some("web@comune.example.org"));
}

#[tokio::test]
async fn the_same_body_again_is_not_read_again_and_other_settings_read_it_anew() {
    let publisher = Publisher::start(Answer::ok(feed("", &["a"]))).await;
    let url = format!("{}/feed", publisher.address);
    let office = Office::with(&[("news", &url, "")]).await;
    office.poll_one("news").await;
    let mut tx = office.installation.store.write().await.unwrap();
    let known = tx.source(&id("news")).await.unwrap().unwrap();
    assert!(known.body_digest.is_some());
    tx.upsert_source(&id("news"), &url, "{\"every_seconds\":60}", true).await.unwrap();
    let changed = tx.source(&id("news")).await.unwrap().unwrap();
    assert_eq!((changed.body_digest, changed.next_poll_at), (None, Timestamp(0)));
}
