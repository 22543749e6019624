//! Polls of sites that change their ids, links, titles, dates and order, played through the real
//! take-in: an item is told once, and a new one is not lost.

mod deciding;
mod floods;
mod histories;
mod revisions;
mod twins;
mod upgrading;
mod worth_telling;

use banditore::ingest::{ReadItem, Reading, TakenIn, Validators, keep_source, take_in};
use banditore::model::{SourceId, Timestamp};
use banditore::telling;
use chrono_tz::Tz;

use crate::support::{Ground, ZONE, at, id, rules};

/// A site that is polled again and again, an hour apart.
pub struct Site {
    pub ground: Ground,
    pub source: SourceId,
    pub now: Timestamp,
}

impl Site {
    pub async fn new() -> Self {
        Self::with("{}").await
    }

    /// With settings, as JSON text.
    pub async fn with(settings: &str) -> Self {
        let ground = Ground::new().await;
        let now = at("2026-11-02T08:00:00+01:00");
        let mut tx = ground.store.write().await.unwrap();
        let (source, url) = (id("comune"), url::Url::parse("https://www.example.org/").unwrap());
        keep_source(&mut tx, &source, &url, settings, false, now).await.unwrap();
        tx.commit().await.unwrap();
        Self { ground, source, now }
    }

    /// Polls, and tells what is to be told.
    pub async fn poll(&mut self, items: &[ReadItem]) -> TakenIn {
        self.poll_after(3_600, items).await
    }

    pub async fn poll_after(&mut self, seconds: i64, items: &[ReadItem]) -> TakenIn {
        self.now = self.now.plus(seconds);
        let reading = Reading {
            link: Some("https://www.example.org/avvisi".to_owned()),
            items: items.to_vec(),
            ..Reading::default()
        };
        let now = self.now;
        let mut tx = self.ground.store.write().await.unwrap();
        let source = tx.lock_source(&self.source).await.unwrap().unwrap();
        let none = Validators::default();
        let taken = take_in(&mut tx, &source, &reading, &none, now, now).await.unwrap();
        telling::tell(&mut tx, rules(), zone(), &source, &taken, now).await.unwrap();
        tx.commit().await.unwrap();
        taken
    }

    /// The titles that an answer told.
    pub async fn told(&mut self, items: &[ReadItem]) -> Vec<String> {
        self.poll(items).await.new.into_iter().map(|item| item.text.title).collect()
    }
}

fn zone() -> Tz {
    ZONE
}

/// An item with an id, a page and a text of its own.
pub fn item(id: &str, path: &str, title: &str) -> ReadItem {
    ReadItem {
        id: Some(id.to_owned()).filter(|id| !id.is_empty()),
        link: Some(format!("https://www.example.org/{path}")).filter(|_| !path.is_empty()),
        title: title.to_owned(),
        summary: format!("L'ufficio comunica quanto segue a proposito di: {title}."),
        ..ReadItem::default()
    }
}

fn three() -> Vec<ReadItem> {
    vec![
        item("3", "avvisi/mercato.html", "Il mercato si sposta in piazza"),
        item("2", "avvisi/strada.html", "Chiusura di via Roma per lavori"),
        item("1", "avvisi/mensa.html", "Iscrizioni alla mensa scolastica"),
    ]
}

/// What becomes of three known items when they are changed so.
async fn told_of(change: impl Fn(usize, &mut ReadItem)) -> Vec<String> {
    let mut site = Site::new().await;
    site.poll(&three()).await;
    let mut changed = three();
    for (number, item) in changed.iter_mut().enumerate() {
        change(number, item);
    }
    site.told(&changed).await
}

fn without_ids() -> Vec<ReadItem> {
    let mut items = three();
    for item in &mut items {
        item.id = None;
    }
    items
}

#[tokio::test]
async fn all_ids_changed_at_once_tell_nothing() {
    let told = told_of(|number, item| item.id = Some(format!("node-{}", 70 + number))).await;
    assert_eq!(told, Vec::<String>::new());
}

#[tokio::test]
async fn all_ids_and_links_changed_at_once_tell_nothing() {
    let told = told_of(|number, item| {
        item.id = Some(format!("node-{}", 70 + number));
        item.link = Some(format!("https://nuovo.example.org/node/{}", 70 + number));
        item.summary = String::new();
    })
    .await;
    assert_eq!(told, Vec::<String>::new());
}

#[tokio::test]
async fn a_site_without_ids_that_moves_tells_only_what_is_new() {
    let mut site = Site::new().await;
    site.poll(&without_ids()).await;
    let mut moved = without_ids();
    for item in &mut moved {
        let link = item.link.take().unwrap();
        item.link = Some(link.replace("/avvisi/", "/novita/comunicati/2026/"));
    }
    moved[1].title = "Chiusura di via Roma per lavori fino a venerdì".to_owned();
    moved.insert(0, item("", "novita/comunicati/2026/neve.html", "Neve: scuole chiuse"));
    assert_eq!(site.told(&moved).await, ["Neve: scuole chiuse"]);
    assert_eq!(site.told(&without_ids()).await, Vec::<String>::new(), "and back again");
}

#[tokio::test]
async fn links_from_http_to_https_with_sessions_and_tracking_tell_nothing() {
    let mut site = Site::new().await;
    site.poll(&without_ids()).await;
    for change in ["?p_auth=4rDCwF5c", ";jsessionid=0A1B?utm_source=rss", "?fbclid=IwY2xj", "/"] {
        let mut changed = without_ids();
        for item in &mut changed {
            let link = item.link.take().unwrap().replace("https://www.", "http://");
            item.link = Some(format!("{link}{change}"));
            item.id = item.link.clone();
        }
        assert_eq!(site.told(&changed).await, Vec::<String>::new(), "{change}");
    }
}

#[tokio::test]
async fn corrected_titles_tell_nothing_and_make_revisions() {
    let mut site = Site::new().await;
    site.poll(&without_ids()).await;
    let mut changed = without_ids();
    changed[0].title = "Mercato: si sposta in piazza Duomo".to_owned();
    changed[1].title = "Via Roma chiusa per lavori".to_owned();
    let taken = site.poll(&changed).await;
    assert_eq!((taken.new.len(), taken.revised.len()), (0, 2));
}

#[tokio::test]
async fn dates_and_order_decide_nothing() {
    let mut site = Site::new().await;
    site.poll(&three()).await;
    for day in 1..5 {
        let mut changed = three();
        changed.rotate_left(day % 3);
        for item in &mut changed {
            let date = format!("2026-11-0{day}T08:00:00Z");
            item.published = Some(date.parse().unwrap());
            item.updated = item.published;
        }
        let taken = site.poll(&changed).await;
        assert_eq!((taken.new.len(), taken.revised.len()), (0, 0));
    }
}

#[tokio::test]
async fn what_vanishes_and_returns_is_not_new() {
    let mut site = Site::new().await;
    site.poll(&three()).await;
    for answer in [&three()[..0], &three()[..1], &three()[2..], &three()[..]] {
        assert_eq!(site.told(answer).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn equal_ids_tell_nothing_apart() {
    let mut site = Site::new().await;
    let mut items = three();
    for item in &mut items {
        item.id = Some("https://www.example.org/avvisi".to_owned());
    }
    let taken = site.poll(&items).await;
    assert_eq!(taken.baseline, 3);
    let mut new = item("", "avvisi/neve.html", "Neve: scuole chiuse");
    new.id = items[0].id.clone();
    items.insert(0, new);
    assert_eq!(site.told(&items).await, ["Neve: scuole chiuse"]);
    assert_eq!(site.told(&items[..1]).await, Vec::<String>::new());
    let mut next = item("", "avvisi/gelo.html", "Gelo: attenzione alle strade");
    next.id = items[0].id.clone();
    assert_eq!(site.told(&[next]).await, ["Gelo: attenzione alle strade"]);
}

#[tokio::test]
async fn ids_that_number_places_in_the_list_lose_no_news() {
    let mut site = Site::new().await;
    let numbered = |titles: &[&str]| -> Vec<ReadItem> {
        let items = titles.iter().enumerate();
        items.map(|(n, title)| item(&format!("item-{n}"), &format!("n/{title}"), title)).collect()
    };
    site.poll(&numbered(&["Uno", "Due", "Tre", "Quattro"])).await;
    let told = site.told(&numbered(&["Sei", "Cinque", "Uno", "Due"])).await;
    assert_eq!(told, ["Cinque", "Sei"]);
    assert_eq!(site.told(&numbered(&["Sette", "Sei", "Cinque", "Uno"])).await, ["Sette"]);
}

#[tokio::test]
async fn items_that_share_a_page_and_titles_that_recur_are_different_items() {
    let mut site = Site::new().await;
    let on = |path: &str, title: &str, text: &str| {
        let mut item = item("", path, title);
        item.summary = text.to_owned();
        item
    };
    let first = [
        on("eventi.html?categoria=1", "Cena in piazza", "Sabato 7 novembre, dalle ore 19."),
        on("eventi.html?categoria=1", "Gara di corsa", "Domenica 8 novembre, dalle ore 9."),
        on("consiglio-051126.html", "Consiglio comunale", "Convocato per giovedì 5 novembre."),
    ];
    assert_eq!(site.poll(&first).await.baseline, 3);
    let second = [
        on("consiglio-031226.html", "Consiglio comunale", "Convocato per giovedì 3 dicembre."),
        on("eventi.html?categoria=1", "Mercatino di Natale", "Domenica 6 dicembre, tutto il dì."),
        first[1].clone(),
    ];
    assert_eq!(site.told(&second).await, ["Mercatino di Natale", "Consiglio comunale"]);
    assert_eq!(site.told(&first).await, Vec::<String>::new());
}

#[tokio::test]
async fn acts_of_one_title_on_one_page_are_told_apart_by_their_ids() {
    let mut site = Site::new().await;
    let act = |number: u32| {
        let mut act = item(&format!("act-{number}"), "albo", "Determinazione dirigenziale");
        act.summary = "Determinazione".to_owned();
        act
    };
    site.poll(&[act(3), act(2), act(1)]).await;
    assert_eq!(site.told(&[act(4), act(3), act(2)]).await.len(), 1);
    assert_eq!(site.told(&[act(6), act(5), act(4)]).await.len(), 2);
    assert_eq!(site.told(&[act(2), act(1)]).await.len(), 0);
}

#[tokio::test]
async fn a_page_with_neither_ids_nor_links_goes_by_title_and_text() {
    let mut site = Site::new().await;
    let on = |title: &str, text: &str| ReadItem {
        title: title.to_owned(),
        summary: format!("{text} Per ogni informazione ci si rivolga all'ufficio tecnico."),
        ..ReadItem::default()
    };
    let first = [on("Avviso", "Via Roma è chiusa."), on("Avviso", "Via Po è chiusa.")];
    assert_eq!(site.poll(&first).await.baseline, 2, "side by side they are two");
    let edited = [on("Avviso", "Via Roma è aperta."), first[1].clone()];
    let taken = site.poll(&edited).await;
    assert_eq!((taken.new.len(), taken.revised.len()), (0, 1));
    let corrected = [on("Avviso ai cittadini", "Via Roma è aperta."), first[1].clone()];
    assert_eq!(site.poll(&corrected).await.new.len(), 0);
    let more = [on("Neve", "Scuole chiuse."), corrected[0].clone(), first[1].clone()];
    assert_eq!(site.told(&more).await, ["Neve"]);
}

#[tokio::test]
async fn everything_at_once_tells_only_what_is_new() {
    let mut site = Site::new().await;
    site.poll(&three()).await;
    let mut changed = three();
    changed.reverse();
    for (number, item) in changed.iter_mut().enumerate() {
        let link = item.link.take().unwrap().replace("https://www.", "http://");
        item.id = Some(format!("urn:{number}"));
        item.link = Some(format!("{link}?utm_medium=feed&PHPSESSID={number}"));
        item.published = Some("2026-11-02T08:00:00Z".parse().unwrap());
    }
    changed[0].title = "Iscrizioni alla mensa delle scuole".to_owned();
    changed.push(item("urn:9", "avvisi/neve.html", "Neve: scuole chiuse"));
    assert_eq!(site.told(&changed).await, ["Neve: scuole chiuse"]);
}

#[tokio::test]
async fn the_same_ids_at_new_pages_with_other_titles_tell_nothing() {
    let told = told_of(|number, item| {
        item.link = Some(format!("https://nuovo.example.org/{number}"));
        item.title = format!("Titolo del tutto nuovo {number}");
    })
    .await;
    assert_eq!(told, Vec::<String>::new());
}

#[tokio::test]
async fn an_item_keeps_its_former_names_within_bounds() {
    let mut site = Site::new().await;
    for number in 0..40 {
        let mut changed = three();
        for item in &mut changed {
            item.id = Some(format!("{}-{number}", item.title));
            item.link = item.link.take().map(|link| format!("{link}?strange={number}"));
        }
        let taken = site.poll(&changed).await;
        assert_eq!(taken.new.len(), 0, "poll {number}");
    }
    let mut beside = site.ground.database.connect().await;
    let most = "SELECT CAST(max(n) AS TEXT) FROM
        (SELECT count(*) AS n FROM item_key GROUP BY item_id) AS counted";
    let most: usize = beside.texts(most).await[0].parse().unwrap();
    assert!((20..=64).contains(&most), "{most}");
}
