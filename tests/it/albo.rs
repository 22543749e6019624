//! Acts of an albo: what the convention says of them, and how long they are news.

use std::path::Path;

use banditore::ingest::{
    Headline, PUBLICATION_DAYS_DEFAULT, PageSelectors, Reading, SourceKind, Validators, read,
    take_in,
};
use banditore::model::{SourceId, Timestamp};
use banditore::store::{ItemRow, Store};
use chrono::{Days, NaiveDate};
use chrono_tz::Europe::Rome;
use url::Url;

use crate::support::{Ground, at, id};

fn now() -> Timestamp {
    at("2022-11-25T08:00:00Z")
}

fn reading(body: &str) -> Reading {
    let base: Url = "https://www.comune.example/albo.xml".parse().unwrap();
    let selectors = PageSelectors::default();
    read(body.as_bytes(), None, &base, SourceKind::Feed, &selectors, Rome, now()).unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn albo(items: &str) -> String {
    format!(
        "<rss version=\"2.0\" xmlns:xhtml=\"http://www.w3.org/1999/xhtml\"><channel>\
         <title>AlboPOP - Comune - Valchiara</title><xhtml:meta name=\"robots\" \
         content=\"noindex\"/><category domain=\"http://albopop.it/specs#channel-category-type\">\
         Comune</category>{items}</channel></rss>"
    )
}

fn category(name: &str, text: &str) -> String {
    format!("<category domain=\"http://albopop.it/specs#item-category-{name}\">{text}</category>")
}

#[test]
fn the_categories_of_the_convention_are_fields_and_only_what_it_is_about_is_a_category() {
    let said = [
        ("uid", "2022/117"),
        ("type", "Determina"),
        ("pubStart", "Mon, 21 Nov 2022 00:00:00 +0100"),
        ("pubEnd", "Tue, 20 Dec 2022 00:00:00 +0100"),
        ("relStart", "22/11/2022"),
        ("exeStart", "1 dicembre 2022"),
        ("chapter", "104"),
        ("unit", "Servizi demografici"),
        ("amount", "2000.00"),
        ("annotation", "Vedi allegato"),
        ("latitude", "45.1"),
    ];
    let said: String = said.iter().map(|(name, text)| category(name, text)).collect();
    let reading = reading(&albo(&format!(
        "<item><title>Trasporto alunni</title><link>/albo/117</link><guid>117</guid>\
         <pubDate>Tue, 22 Nov 2022 00:00:00 +0100</pubDate><category>Scuola</category>{said}\
         <enclosure url=\"https://www.comune.example/a.pdf\" length=\"3\" \
         type=\"application/pdf\"/></item>"
    )));
    let item = &reading.items[0];
    assert_eq!(item.categories, ["Scuola", "Determina", "Servizi demografici"]);
    let act = item.act.clone().unwrap();
    assert_eq!(act.number.as_deref(), Some("2022/117"));
    assert_eq!(act.act_type.as_deref(), Some("Determina"));
    assert_eq!(act.publication_start, Some(day("2022-11-21")));
    assert_eq!((act.publication_end, act.publication_end_given), (Some(day("2022-12-20")), true));
    assert_eq!(act.relevance_start, Some(day("2022-11-22")));
    assert_eq!(act.execution_start, Some(day("2022-12-01")));
    assert_eq!(act.chapter.as_deref(), Some("104"));
    assert_eq!(act.unit.as_deref(), Some("Servizi demografici"));
    assert_eq!((act.amount.as_deref(), act.currency.as_deref()), (Some("2000.00"), Some("EUR")));
    assert_eq!(act.annotation.as_deref(), Some("Vedi allegato"));
    assert_eq!(act.attachments, ["https://www.comune.example/a.pdf"]);
}

#[test]
fn where_nothing_is_said_an_act_is_published_for_fifteen_days() {
    let reading = reading(&albo(
        "<item><title>Uno</title><pubDate>21/11/2022</pubDate></item>\
         <item><title>Due</title></item>",
    ));
    let ends: Vec<_> = reading
        .items
        .iter()
        .map(|item| item.act.as_ref().map(|act| (act.publication_end, act.publication_end_given)))
        .collect();
    let (one, two) = (day("2022-12-06"), day("2022-12-10"));
    assert_eq!(ends, [Some((Some(one), false)), Some((Some(two), false))]);
    assert_eq!(day("2022-11-21") + Days::new(PUBLICATION_DAYS_DEFAULT), one);
}

#[test]
fn a_feed_of_news_has_no_acts() {
    let reading = reading("<rss><channel><item><title>A</title></item></channel></rss>");
    assert_eq!(reading.items[0].act, None);
}

/// Acts whose titles only say what they are.
fn register() -> String {
    let kinds = ["Ordinanze Dirigenziali", "Determine", "Ordinanze Dirigenziali", "Determine"];
    let about = [
        "Chiusura di via Mazzini",
        "Acquisto di sale",
        "Divieto di sosta al mercato",
        "Servizio di mensa",
    ];
    let items: String = kinds
        .iter()
        .zip(about)
        .zip(18..)
        .map(|((kind, about), day)| {
            format!(
                "<item><title>{day}/11/2022 | {kind}</title><link>/albo/{day}</link>\
                 <description>{about}</description></item>"
            )
        })
        .collect();
    albo(&items)
}

#[test]
fn where_titles_repeat_the_description_is_the_headline_and_the_title_the_type() {
    let mut found = reading(&register());
    assert_eq!(Headline::Auto.apply(&mut found), Some(Headline::Description));
    let item = &found.items[0];
    assert_eq!(item.title, "Chiusura di via Mazzini");
    assert_eq!(item.summary, "18/11/2022 | Ordinanze Dirigenziali");
    assert_eq!(item.categories, ["Ordinanze Dirigenziali"]);
    let act = item.act.as_ref().unwrap();
    assert_eq!(act.act_type.as_deref(), Some("Ordinanze Dirigenziali"));
    let mut kept = reading(&register());
    assert_eq!(Headline::Title.apply(&mut kept), None);
    assert_eq!(kept.items[0].title, "18/11/2022 | Ordinanze Dirigenziali");
}

#[test]
fn a_number_in_such_a_title_is_the_acts() {
    let items: String = (0..4)
        .map(|n| {
            let about = ["Bilancio", "Strade e ponti", "Nomina", "Asilo nido"][n];
            let title = format!("#DELIBERE | Pubblicazione numero 77{n}");
            format!("<item><title>{title}</title><description>{about}</description></item>")
        })
        .collect();
    let mut found = reading(&albo(&items));
    assert_eq!(Headline::Auto.apply(&mut found), Some(Headline::Description));
    let act = found.items[1].act.as_ref().unwrap();
    assert_eq!(act.number.as_deref(), Some("771"));
    assert_eq!(act.act_type.as_deref(), Some("DELIBERE"));
}

#[test]
fn titles_that_tell_the_news_stay_and_few_items_decide_nothing() {
    let item = |n: usize| {
        let title = ["Mensa scolastica", "Neve", "Mercato", "Bando strade"][n];
        format!("<item><title>{title}</title><description>Testo di {title}</description></item>")
    };
    let mut many = reading(&albo(&(0..4).map(item).collect::<String>()));
    assert_eq!(Headline::Auto.apply(&mut many), Some(Headline::Title));
    assert_eq!(many.items[0].title, "Mensa scolastica");
    let mut few = reading(&albo(&(0..2).map(item).collect::<String>()));
    assert_eq!(Headline::Auto.apply(&mut few), None);
    assert_eq!(Headline::Auto.or_found(Some("description")), Headline::Description);
    assert_eq!(Headline::Title.or_found(Some("description")), Headline::Title);
}

async fn poll(store: &Store, source: &SourceId, body: &str) -> ItemRow {
    let mut tx = store.write().await.unwrap();
    let row = tx.source(source).await.unwrap().unwrap();
    let validators = Validators::default();
    take_in(&mut tx, &row, &reading(body), &validators, now(), now().plus(900)).await.unwrap();
    let item = tx.items_by_link("https://www.comune.example/albo/1").await.unwrap().remove(0);
    tx.commit().await.unwrap();
    item
}

#[tokio::test]
async fn the_end_that_is_given_moves_with_the_albo_and_the_usual_one_stays() {
    let ground = Ground::new().await;
    let source: SourceId = id("albo");
    let mut tx = ground.store.write().await.unwrap();
    tx.upsert_source(&source, "https://www.comune.example/albo.xml", "{}", true).await.unwrap();
    tx.commit().await.unwrap();
    let act = |published: &str, said: &str| {
        albo(&format!(
            "<item><title>Atto</title><link>/albo/1</link><guid>1</guid>\
             <pubDate>{published}</pubDate>{said}</item>"
        ))
    };
    let item = poll(&ground.store, &source, &act("21/11/2022", "")).await;
    assert_eq!(item.publication_end, Some(day("2022-12-06")));
    assert!(item.noindex());
    assert!(item.is_public_on(day("2022-12-06")) && !item.is_public_on(day("2022-12-07")));
    // Some feeds give the time of each poll.
    let item = poll(&ground.store, &source, &act("24/11/2022", "")).await;
    assert_eq!(item.publication_end, Some(day("2022-12-06")));
    let said = category("pubEnd", "31/12/2022");
    let item = poll(&ground.store, &source, &act("24/11/2022", &said)).await;
    assert_eq!(item.publication_end, Some(day("2022-12-31")));
}

/// The last day of publication of an act, and whether it was given.
fn end(said: &str) -> (Option<NaiveDate>, bool) {
    let reading = reading(&albo(&format!("<item><title>Atto</title>{said}</item>")));
    let act = reading.items[0].act.clone().unwrap();
    (act.publication_end, act.publication_end_given)
}

#[test]
fn an_end_that_is_given_counts_against_a_date_of_the_item_that_is_the_polls() {
    let said = format!(
        "<pubDate>Fri, 25 Nov 2022 07:59:00 +0100</pubDate>{}",
        category("pubEnd", "20/11/2022")
    );
    assert_eq!(end(&said), (Some(day("2022-11-20")), true));
    let before = category("pubStart", "21/11/2022") + &category("pubEnd", "20/11/2022");
    assert_eq!(end(&before), (Some(day("2022-12-06")), false), "an end before the start is none");
}

#[test]
fn days_that_cannot_be_are_no_days_of_a_publication() {
    let usual_from_today = (Some(day("2022-12-10")), false);
    for said in [
        "<pubDate>Thu, 01 Jan 1970 00:00:00 +0000</pubDate>".to_owned(),
        "<pubDate>Tue, 01 Jan 2106 00:00:00 +0000</pubDate>".to_owned(),
        category("pubStart", "01/01/2062"),
        category("pubEnd", "31/12/2126"),
    ] {
        assert_eq!(end(&said), usual_from_today, "{said}");
    }
    let five_years = category("pubStart", "25/11/2022") + &category("pubEnd", "25/11/2027");
    assert_eq!(end(&five_years), (Some(day("2027-11-25")), true));
}

#[test]
fn one_act_among_news_makes_no_acts_of_the_others() {
    let news = "<item><title>Neve</title></item><item><title>Mercato</title></item>";
    let act = format!("<item><title>Ordinanza</title>{}</item>", category("type", "Ordinanza"));
    for title in ["Comune", "Notizie e Albo pretorio"] {
        let rss = format!("<rss><channel><title>{title}</title>{news}{act}</channel></rss>");
        let acts: Vec<bool> = reading(&rss).items.iter().map(|i| i.act.is_some()).collect();
        assert_eq!(acts, [false, false, true], "{title}");
    }
    let rss =
        format!("<rss><channel><title>Comune di X - Albo Pretorio</title>{news}</channel></rss>");
    assert!(reading(&rss).items.iter().all(|item| item.act.is_some()));
}

#[tokio::test]
async fn what_an_albo_corrects_of_an_act_is_kept_and_makes_no_revision() {
    let ground = Ground::new().await;
    let source: SourceId = id("albo");
    let mut tx = ground.store.write().await.unwrap();
    tx.upsert_source(&source, "https://www.comune.example/albo.xml", "{}", true).await.unwrap();
    tx.commit().await.unwrap();
    let act = |said: &str| {
        albo(&format!("<item><title>Atto</title><link>/albo/1</link><guid>1</guid>{said}</item>"))
    };
    let said = category("amount", "100") + &category("pubEnd", "31/12/2022");
    poll(&ground.store, &source, &act(&said)).await;
    let item = poll(&ground.store, &source, &act(&category("amount", "120"))).await;
    let kept: banditore::ingest::Act = serde_json::from_str(&item.act_json.unwrap()).unwrap();
    assert_eq!(kept.amount.as_deref(), Some("120"));
    assert_eq!(item.publication_end, Some(day("2022-12-31")), "an end once given stays");
    assert_eq!(item.revision, 1);
}

#[tokio::test]
async fn items_known_by_another_headline_are_told_by_no_other() {
    let ground = Ground::new().await;
    let source: SourceId = id("albo");
    let mut tx = ground.store.write().await.unwrap();
    tx.upsert_source(&source, "https://www.comune.example/albo.xml", "{}", true).await.unwrap();
    tx.commit().await.unwrap();
    let item = |n: usize| {
        let about = ["Bilancio", "Strade e ponti", "Nomina", "Asilo nido"][n];
        format!(
            "<item><title>Determine</title><link>/albo?id={n}</link>\
             <description>{about}</description></item>"
        )
    };
    let mut taken = Vec::new();
    for number in [2, 4, 4] {
        let mut tx = ground.store.write().await.unwrap();
        let row = tx.source(&source).await.unwrap().unwrap();
        let mut reading = reading(&albo(&(0..number).map(item).collect::<String>()));
        let headline = Headline::Auto.or_found(row.headline.as_deref());
        if let Some(found) = headline.find_and_apply(&mut reading) {
            found.keep(&mut tx, &row, &reading, now()).await.unwrap();
        }
        let validators = Validators::default();
        let came = take_in(&mut tx, &row, &reading, &validators, now(), now()).await.unwrap();
        let titles: Vec<String> = came.new.iter().map(|new| new.text.title.clone()).collect();
        taken.push((came.baseline, titles.join(", ")));
        tx.commit().await.unwrap();
    }
    let expected = [(2, ""), (0, "Asilo nido, Nomina"), (0, "")];
    assert_eq!(taken, expected.map(|(baseline, new)| (baseline, new.to_owned())));
}

/// Where it is at hand: a whole feed of the convention, and its own example, which is no XML.
#[test]
fn the_published_examples_give_their_acts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/albopop");
    let Ok(body) = std::fs::read_to_string(folder.join("albopop_full_example.xml")) else { return };
    let whole = reading(&body);
    assert!(whole.items.len() > 50, "{}", whole.items.len());
    for item in &whole.items {
        let act = item.act.as_ref().unwrap();
        assert!(act.number.is_some() && act.act_type.is_some() && act.publication_end_given);
        assert!(!item.title.starts_with('"'), "{}", item.title);
    }
    let name = folder.join("albopop_spec_example_MALFORMED.xml");
    let example = reading(&std::fs::read_to_string(name).unwrap());
    let act = example.items[0].act.as_ref().unwrap();
    assert_eq!(act.publication_end, Some(day("2016-09-29")));
    assert_eq!(act.amount.as_deref(), Some("2000.00"));
    assert!(example.warnings[0].starts_with("line 28: "), "{:?}", example.warnings);
}
