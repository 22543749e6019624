//! What stands in a digest, in which order, and how long it may get.

use std::fmt::Write as _;
use std::path::Path;

use banditore::audience::{self, Consent, Preferences};
use banditore::clock::Clock;
use banditore::config::Config;
use banditore::editions::{ENTRIES_MAX, FULL_ENTRIES_MAX, HTML_BYTES_MAX};
use banditore::installation::Installation;
use banditore::model::{Language, Timestamp};
use banditore::round;
use banditore::store::{EditionRow, VariantRow};

/// 24 November 2026, 12:00 in Rome; the next slot is 19 hours later.
const NOON: Timestamp = Timestamp(1_795_518_000);
const TO_THE_SLOT_SECONDS: i64 = 19 * 3600;

const SETTINGS: &str = r#"
[site]
name = "Comune di Esempio"
public_url = "https://news.example.org"
secret = "0123456789abcdef0123456789abcdef"

[[source]]
id = "news"
url = "file:feed.xml"
new_items_max = 1000

[[list]]
id = "residents"
name = "Notizie"
from = "Comune di Esempio <news@example.org>"
cadences = { daily = "0 0 7 * * *" }
"#;

/// An item of the feed: title and text.
type Item = (String, String);

fn feed(items: &[Item]) -> String {
    let mut text = String::from("<rss version=\"2.0\"><channel><title>Notizie</title>");
    for (number, (title, body)) in items.iter().enumerate() {
        let link = format!("https://news.example.org/notizie/{number}");
        let _ = write!(
            text,
            "<item><title>{title}</title><link>{link}</link><guid>{link}</guid>\
             <description>{body}</description></item>"
        );
    }
    text.push_str("</channel></rss>");
    text
}

/// An installation whose source has had its baseline, with one subscriber.
async fn installation(dir: &Path, topics: &[&str], places: &[&str]) -> Installation {
    let config = Config::parse(SETTINGS, &dir.join("banditore.toml"), []).unwrap();
    let installation = Installation::prepare(config, Clock::stepped(NOON)).await.unwrap();
    installation.migrate().await.unwrap();
    let old = ("Orari degli uffici".to_owned(), "Aperti la mattina.".to_owned());
    std::fs::write(dir.join("feed.xml"), feed(&[old])).unwrap();
    let polled = round::poll(&installation, None).await.unwrap();
    assert_eq!((polled[0].baseline, polled[0].new), (1, 0));
    let mut tx = installation.store.write().await.unwrap();
    let wanted = Preferences {
        cadence: "daily".parse().unwrap(),
        topics: topics.iter().map(|topic| topic.parse().unwrap()).collect(),
        places: places.iter().map(|place| place.parse().unwrap()).collect(),
        language: Language::It,
        words: Vec::new(),
    };
    let joining = audience::Joining {
        address: &"residente@example.org".parse().unwrap(),
        name: None,
        list: &"residents".parse().unwrap(),
        wanted: &wanted,
        consent: Consent { way: "import", proof: "test", text_version: None },
    };
    audience::join(&mut tx, &installation.keys, &joining, NOON).await.unwrap();
    tx.commit().await.unwrap();
    installation
}

/// Publishes items besides the old one and plans the next edition; gives it with its one variant.
async fn edition_of(
    dir: &Path,
    installation: &Installation,
    items: Vec<Item>,
) -> (EditionRow, VariantRow, String) {
    let old = ("Orari degli uffici".to_owned(), "Aperti la mattina.".to_owned());
    let all: Vec<Item> = std::iter::once(old).chain(items).collect();
    std::fs::write(dir.join("feed.xml"), feed(&all)).unwrap();
    installation.clock.step(TO_THE_SLOT_SECONDS);
    round::poll(installation, None).await.unwrap();
    let edition = round::plan(installation).await.unwrap().remove(0);
    let mut tx = installation.store.read().await.unwrap();
    let variants = tx.variants(edition.id).await.unwrap();
    assert_eq!(variants.len(), 1);
    let variant = variants.into_iter().next().unwrap().0;
    let fragments = banditore::delivery::by_id(tx.fragments(edition.id).await.unwrap());
    let body = banditore::delivery::put_together(&variant, &fragments).unwrap();
    let parcels = banditore::delivery::Parcels::new(
        installation.store.clone(),
        installation.keys.clone(),
        installation.config.site.timezone,
    );
    let own = banditore::delivery::Own {
        edition: edition.id,
        subscriber: 1,
        subscription: 1,
        address: "residente@example.org",
        created_at: edition.slot_at,
        sender: &"news@example.org".parse().unwrap(),
    };
    let mail = parcels.message(&body, &own);
    let parsed = mail_parser::MessageParser::default().parse(&mail).unwrap();
    (edition, variant, parsed.body_text(0).unwrap().into_owned())
}

#[tokio::test]
async fn a_day_with_three_hundred_news_stays_below_the_size_at_which_mail_is_clipped() {
    let dir = tempfile::tempdir().unwrap();
    let installation = installation(dir.path(), &[], &[]).await;
    let long = "parole che dicono molto poco e occupano molto spazio ".repeat(20);
    let items = (0..300)
        .map(|number| (format!("Avviso numero {number} sulla raccolta dei rifiuti"), long.clone()))
        .collect();
    let (_, variant, text) = edition_of(dir.path(), &installation, items).await;
    let html_bytes = variant.variant.html_bytes;
    assert!(html_bytes <= HTML_BYTES_MAX, "{html_bytes}");
    assert!(html_bytes > HTML_BYTES_MAX / 2, "{html_bytes}: there was room for more");
    let named = text.matches("Avviso numero").count();
    assert!(named <= ENTRIES_MAX && named > FULL_ENTRIES_MAX, "{named}");
    let rest = format!("Altre {} notizie sul sito", 300 - named);
    assert!(text.contains(&rest), "{rest}");
    // Whoever asks is told that each of them was told.
    assert_eq!(variant.variant.entries.len(), 300);
}

#[tokio::test]
async fn entries_stand_under_the_topic_that_is_followed_with_the_own_place_first() {
    let dir = tempfile::tempdir().unwrap();
    let installation = installation(dir.path(), &["waste", "school"], &["quintano"]).await;
    let items = vec![
        ("Quintano, chiude l'ecopiazzola".to_owned(), "Riapre lunedì.".to_owned()),
        ("Nuovo calendario della raccolta rifiuti".to_owned(), "Per tutti.".to_owned()),
        ("Madignano, chiude l'ecopiazzola".to_owned(), "Riapre lunedì.".to_owned()),
        ("Iscrizioni alla scuola materna".to_owned(), "Da gennaio.".to_owned()),
        ("Strada chiusa per asfaltatura".to_owned(), "Fino a venerdì.".to_owned()),
    ];
    let (edition, variant, text) = edition_of(dir.path(), &installation, items).await;
    let sums = (edition.considered, edition.empty, edition.planned_messages);
    assert_eq!(sums, (1, 0, 1));
    assert_eq!(variant.variant.entries.len(), 3, "{text}");
    let at = |words: &str| text.find(words).unwrap_or_else(|| panic!("{words}: {text}"));
    assert!(!text.contains("Madignano") && !text.contains("Strada chiusa"), "{text}");
    assert!(at("Quintano, chiude") < at("Nuovo calendario"), "{text}");
    assert!(at("Lo ricevi perché segui: Rifiuti, Quintano") > at("Quintano, chiude"), "{text}");
}
