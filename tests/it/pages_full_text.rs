//! The text behind a teaser: asked once, of few pages, of the source's own host. All on loopback.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use banditore::ingest::{
    FULL_TEXTS_PER_ITEM_MAX, FULL_TEXTS_PER_POLL_MAX, FetchLimits, Fetcher, PageSelectors, Reading,
    SourceKind, TextsAsked, Validators, full_texts, read, take_in,
};
use banditore::model::{SourceId, Timestamp};
use banditore::store::NewRevision;
use chrono_tz::Europe::Rome;
use tokio::net::TcpListener;
use url::Url;

use crate::support::{Ground, at, id};

fn now() -> Timestamp {
    at("2022-11-25T08:00:00Z")
}

const BODY: &str = "Il Comune ha pubblicato la graduatoria. Chi ha fatto domanda la trova in \
                    municipio, all'albo e su queste pagine fino alla fine dell'anno.";

/// A site whose pages have an article in a frame; gives its address and what was asked.
async fn site() -> (Url, Arc<Mutex<Vec<String>>>) {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = asked.clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let page = move |Path(name): Path<String>| async move {
        log.lock().unwrap().push(name.clone());
        if name == "broken" {
            return StatusCode::NOT_FOUND.into_response();
        }
        if name == "busy" {
            return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "3600")])
                .into_response();
        }
        if name == "elsewhere" {
            let elsewhere =
                [(header::LOCATION, format!("http://localhost:{}/n/x", address.port()))];
            return (StatusCode::FOUND, elsewhere).into_response();
        }
        let html = format!(
            "<html><body><nav><a href=/>Menu</a></nav><main><article><h1>Titolo</h1>\
             <div class=social-share>Condividi</div><p>{BODY}</p><p><a href=g.pdf>Atto</a></p>\
             <script>x()</script></article></main><footer>Comune</footer></body></html>"
        );
        let base = format!("http://{address}/feed");
        let head =
            [(header::CONTENT_TYPE, "text/html".to_owned()), (header::CONTENT_LOCATION, base)];
        (head, html).into_response()
    };
    let router = Router::new().route("/n/{name}", get(page));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (format!("http://{address}/feed").parse().unwrap(), asked)
}

fn feed(base: &Url, teaser: &str, links: &[&str]) -> Reading {
    let items: String = links
        .iter()
        .map(|link| {
            let name = link.split('?').next().unwrap();
            format!(
                "<item><guid isPermaLink=\"false\">{name}</guid><title>Notizia {name}</title><link>{link}</link>\
                 <description>{teaser}</description></item>"
            )
        })
        .collect();
    let body = format!("<rss version=\"2.0\"><channel>{items}</channel></rss>");
    let selectors = PageSelectors::default();
    read(body.as_bytes(), None, base, SourceKind::Feed, &selectors, Rome, now()).unwrap()
}

struct Desk {
    ground: Ground,
    base: Url,
    source: SourceId,
    fetcher: Fetcher,
    /// Until when the host asked to be left alone, at the last poll.
    retry_at: Mutex<Option<Timestamp>>,
}

impl Desk {
    async fn new(base: &Url) -> Self {
        let ground = Ground::new().await;
        let source: SourceId = id("news");
        let mut tx = ground.store.write().await.unwrap();
        tx.upsert_source(&source, base.as_str(), "{}", true).await.unwrap();
        tx.commit().await.unwrap();
        let limits = FetchLimits { host_spacing_ms: 1, ..FetchLimits::default() };
        let fetcher = Fetcher::new("Banditore/test", limits).unwrap();
        Self { ground, base: base.clone(), source, fetcher, retry_at: Mutex::default() }
    }

    /// A poll with such an answer; gives what could not be read.
    async fn poll(&self, links: &[&str]) -> Vec<String> {
        self.poll_saying("Graduatoria…", links).await
    }

    /// The same, where every item has another teaser.
    async fn poll_saying(&self, teaser: &str, links: &[&str]) -> Vec<String> {
        let store = &self.ground.store;
        let row = store.read().await.unwrap().source(&self.source).await.unwrap().unwrap();
        let mut reading = feed(&self.base, teaser, links);
        let failed = full_texts(&self.fetcher, store, &row, &mut reading, &self.base, true, now());
        let TextsAsked { warnings: failed, retry_at } = failed.await.unwrap();
        *self.retry_at.lock().unwrap() = retry_at;
        let mut tx = store.write().await.unwrap();
        let validators = Validators::default();
        take_in(&mut tx, &row, &reading, &validators, now(), now().plus(900)).await.unwrap();
        tx.commit().await.unwrap();
        failed
    }

    /// The number of the newest revision of the item at a link, its teaser and its full text.
    async fn text(&self, link: &str) -> (i64, String, Option<String>) {
        let (number, revision) = self.newest(link).await;
        (number, revision.summary, revision.full_text)
    }

    async fn newest(&self, link: &str) -> (i64, NewRevision) {
        let mut tx = self.ground.store.read().await.unwrap();
        let link = self.base.join(link).unwrap();
        let item = tx.items_by_link(link.as_str()).await.unwrap().remove(0);
        let revision = tx.revision(item.id, item.revision).await.unwrap().unwrap();
        (item.revision, revision)
    }
}

#[tokio::test]
async fn a_new_teaser_gets_the_text_of_its_own_page_once_and_the_first_answer_asks_nothing() {
    let (base, asked) = site().await;
    let desk = Desk::new(&base).await;
    assert_eq!(desk.poll(&["/n/old"]).await, Vec::<String>::new());
    assert!(asked.lock().unwrap().is_empty());
    desk.poll(&["/n/new", "/n/old"]).await;
    let (revision, teaser, full) = desk.text("/n/new").await;
    // Mails show the teaser; topics and followed words are looked for in all of it.
    assert_eq!((revision, teaser.as_str()), (1, "Graduatoria…"));
    let full = full.unwrap();
    assert_eq!(full, format!("Graduatoria…\n{BODY}\nAtto"), "without the frame of the page");
    assert_eq!(desk.text("/n/old").await.2, None);
    desk.poll(&["/n/new", "/n/old"]).await;
    assert_eq!(*asked.lock().unwrap(), ["new"]);
    assert_eq!(desk.text("/n/new").await.0, 1, "a text that was asked for is no change");
}

#[tokio::test]
async fn a_teaser_that_was_changed_has_its_page_asked_once_more_and_the_full_text_is_no_change() {
    let (base, asked) = site().await;
    let desk = Desk::new(&base).await;
    desk.poll(&["/n/old"]).await;
    desk.poll(&["/n/new", "/n/old"]).await;
    for _ in 0..2 {
        desk.poll_saying("Graduatoria definitiva…", &["/n/new", "/n/old"]).await;
        let (revision, teaser, full) = desk.text("/n/new").await;
        assert_eq!((revision, teaser.as_str()), (2, "Graduatoria definitiva…"));
        assert!(full.unwrap().starts_with("Graduatoria definitiva…\nIl Comune ha pubblicato"));
    }
    assert_eq!(*asked.lock().unwrap(), ["new", "new", "old"]);
}

#[tokio::test]
async fn a_site_whose_addresses_have_all_changed_is_not_asked_for_texts_that_are_known() {
    let (base, asked) = site().await;
    let desk = Desk::new(&base).await;
    desk.poll(&["/n/old"]).await;
    desk.poll(&["/n/new?utm_source=rss", "/n/old?utm_source=rss"]).await;
    assert_eq!(*asked.lock().unwrap(), ["new"], "a page is known under its canonical address");
}

#[tokio::test]
async fn other_hosts_and_files_are_not_asked_and_few_pages_in_one_poll() {
    let (base, asked) = site().await;
    let desk = Desk::new(&base).await;
    desk.poll(&["/n/old"]).await;
    let elsewhere = format!("http://localhost:{}/n/x", base.port().unwrap());
    let names: Vec<String> = (0..FULL_TEXTS_PER_POLL_MAX + 2).map(|n| format!("/n/{n}")).collect();
    let mut links = vec![elsewhere.as_str(), "/n/atto.PDF", "/n/atto.pdf.p7m"];
    links.extend(names.iter().map(String::as_str));
    let said = desk.poll(&links).await;
    assert_eq!(said, ["2 more item(s) keep their teasers"]);
    let expected: Vec<String> = (0..FULL_TEXTS_PER_POLL_MAX).map(|n| n.to_string()).collect();
    assert_eq!(*asked.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_page_that_fails_leaves_the_teaser_and_says_so() {
    let (base, asked) = site().await;
    let desk = Desk::new(&base).await;
    desk.poll(&["/n/old"]).await;
    let failed = desk.poll(&["/n/broken"]).await;
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0].contains("/n/broken was not read: "), "{failed:?}");
    let (_, teaser, full) = desk.text("/n/broken").await;
    assert_eq!((teaser.as_str(), full), ("Graduatoria…", None));
    desk.poll(&["/n/broken"]).await;
    assert_eq!(*asked.lock().unwrap(), ["broken"]);
}

#[tokio::test]
async fn a_page_whose_address_is_another_at_each_poll_is_asked_once() {
    let (base, asked) = site().await;
    let desk = Desk::new(&base).await;
    desk.poll(&["/n/old"]).await;
    for turn in 0..4 {
        desk.poll(&[&format!("/n/new?k={turn}"), "/n/old"]).await;
    }
    assert_eq!(*asked.lock().unwrap(), ["new"]);
}

#[tokio::test]
async fn a_teaser_that_is_never_the_same_does_not_have_its_page_asked_without_end() {
    let (base, asked) = site().await;
    let desk = Desk::new(&base).await;
    desk.poll(&["/n/old"]).await;
    for turn in 0..3 * FULL_TEXTS_PER_ITEM_MAX {
        let teaser = ["Aperto oggi…", "Chiuso oggi…"][usize::from(turn % 2 == 1)];
        desk.poll_saying(teaser, &["/n/new"]).await;
    }
    let asked = asked.lock().unwrap().len();
    assert_eq!(i64::try_from(asked).unwrap(), FULL_TEXTS_PER_ITEM_MAX);
}

#[tokio::test]
async fn a_changed_teaser_whose_page_is_not_read_keeps_the_text_of_the_page() {
    let (base, asked) = site().await;
    let desk = Desk::new(&base).await;
    desk.poll(&["/n/old"]).await;
    desk.poll(&["/n/new"]).await;
    let many: Vec<String> = (0..FULL_TEXTS_PER_POLL_MAX).map(|n| format!("/n/{n}")).collect();
    let mut links: Vec<&str> = many.iter().map(String::as_str).collect();
    links.push("/n/new");
    desk.poll_saying("Graduatoria definitiva…", &links).await;
    let (revision, _, full) = desk.text("/n/new").await;
    assert_eq!(revision, 2);
    assert_eq!(full.unwrap(), format!("Graduatoria definitiva…\n{BODY}\nAtto"));
    let asked = asked.lock().unwrap();
    assert_eq!(asked.iter().filter(|name| *name == "new").count(), 1);
}

#[tokio::test]
async fn a_host_that_asks_for_time_is_asked_nothing_more_and_one_that_leads_elsewhere_not_read() {
    let (base, asked) = site().await;
    let desk = Desk::new(&base).await;
    desk.poll(&["/n/old"]).await;
    desk.poll(&["/n/elsewhere"]).await;
    assert_eq!(desk.text("/n/elsewhere").await.2, None, "whatever its Content-Location says");
    asked.lock().unwrap().clear();
    let said = desk.poll(&["/n/busy", "/n/one", "/n/two"]).await;
    assert_eq!(*asked.lock().unwrap(), ["busy"]);
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!(*desk.retry_at.lock().unwrap(), Some(now().plus(3600)));
}
