//! The first answer tells nobody, and neither do floods, until a person decides.

use banditore::ingest::ReadItem;
use banditore::store::{EntryReason, HoldCause, StoreError};
use banditore::telling::{self, Decision, DecisionError};

use super::{Site, item, three};
use crate::support::{at, id};

fn dated(number: usize, published: &str) -> ReadItem {
    let title = format!("Avviso numero {number}");
    let mut item = item(&number.to_string(), &format!("avvisi/{number}-avviso.html"), &title);
    item.published =
        Some(published).filter(|text| !text.is_empty()).map(|text| text.parse().unwrap());
    item
}

fn many(number: usize) -> Vec<ReadItem> {
    (0..number).map(|number| dated(1_000 + number, "")).collect()
}

#[tokio::test]
async fn the_first_answer_with_items_tells_nobody_or_its_last_days() {
    let mut site = Site::new().await;
    assert_eq!(site.poll(&[]).await.baseline, 0);
    assert_eq!(site.poll(&three()).await.baseline, 3);
    let mut site = Site::with(r#"{"news":{"baseline_days":7}}"#).await;
    let first = [
        dated(1, "2026-10-30T08:00:00Z"),
        dated(2, "2026-10-01T08:00:00Z"),
        dated(3, ""),
        dated(4, "1970-01-01T00:00:00Z"),
        dated(5, "2036-01-01T00:00:00Z"),
    ];
    let taken = site.poll(&first).await;
    assert_eq!((taken.new.len(), taken.baseline), (1, 4));
    assert_eq!(taken.new[0].text.title, "Avviso numero 1");
}

#[tokio::test]
async fn more_new_items_at_once_than_usual_are_held() {
    let mut site = Site::new().await;
    site.poll(&three()).await;
    assert_eq!(site.poll(&many(50)).await.new.len(), 50);
    let mut site = Site::new().await;
    site.poll(&three()).await;
    let taken = site.poll(&many(51)).await;
    assert_eq!((taken.new.len(), taken.held.len()), (0, 51));
    assert!(taken.held.iter().all(|(_, cause)| *cause == HoldCause::Flood));
    let mut tx = site.ground.store.read().await.unwrap();
    assert_eq!(tx.stream_head().await.unwrap(), 0, "nothing has a position");
    assert_eq!(tx.count_held(&site.source).await.unwrap(), 51);
    drop(tx);
    assert_eq!(site.told(&many(51)).await, Vec::<String>::new(), "they are known");
    let mut later = many(51);
    later.insert(0, item("neve", "avvisi/neve.html", "Neve: scuole chiuse"));
    assert_eq!(site.told(&later).await, ["Neve: scuole chiuse"], "and block nothing");
}

#[tokio::test]
async fn after_days_without_an_answer_more_is_new_without_being_a_flood() {
    let mut site = Site::new().await;
    site.poll(&three()).await;
    let taken = site.poll_after(2 * 24 * 3_600, &many(120)).await;
    assert_eq!((taken.new.len(), taken.held.len()), (120, 0));
}

#[tokio::test]
async fn items_far_older_than_the_newest_known_are_held() {
    let mut site = Site::new().await;
    site.poll(&[dated(1, "2026-10-30T08:00:00Z"), dated(2, "2100-01-01T00:00:00Z")]).await;
    let next = [
        dated(3, "2016-03-01T08:00:00Z"),
        dated(4, "2026-03-01T08:00:00Z"),
        dated(5, ""),
        dated(6, "1970-01-01T00:00:00Z"),
        dated(7, "2099-01-01T00:00:00Z"),
    ];
    let taken = site.poll(&next).await;
    let held: Vec<_> =
        taken.held.iter().map(|(item, cause)| (item.text.title.as_str(), *cause)).collect();
    assert_eq!(held, [("Avviso numero 3", HoldCause::Old)]);
    assert_eq!(taken.new.len(), 4);
    let undated = taken.new.iter().filter(|new| new.text.published_at.is_none()).count();
    assert_eq!(undated, 3, "what cannot be counts as undated");
    assert!(taken.warnings.iter().any(|warning| warning.contains("undated")), "{taken:?}");
}

#[tokio::test]
async fn a_released_item_is_told_once_with_its_newest_text_and_a_dropped_one_never() {
    let mut site = Site::with(r#"{"news":{"new_items_max":2}}"#).await;
    site.poll(&three()).await;
    let mut flood = many(3);
    assert_eq!(site.poll(&flood).await.held.len(), 3);
    flood[0].title = "RETTIFICA Avviso numero 1000".to_owned();
    let taken = site.poll(&flood).await;
    let one = taken.revised[0].item.id;
    let mut tx = site.ground.store.write().await.unwrap();
    assert_eq!(tx.stream_head().await.unwrap(), 0, "its correction is held with it");
    let held = tx.held_items(Some(&site.source), 0, 10).await.unwrap();
    let two = held.iter().find(|held| held.item != one).unwrap().item;
    let refused = telling::decide(&mut tx, &[one, 999], Decision::Release, "Anna", site.now).await;
    assert!(matches!(refused, Err(DecisionError::NotHeld(999))), "{refused:?}");
    drop(tx);
    let mut tx = site.ground.store.write().await.unwrap();
    telling::decide(&mut tx, &[one], Decision::Release, "Anna", site.now).await.unwrap();
    telling::decide(&mut tx, &[two], Decision::Drop, "Anna", site.now).await.unwrap();
    let again = telling::decide(&mut tx, &[one], Decision::Release, "Anna", site.now).await;
    assert!(matches!(again, Err(DecisionError::NotHeld(_))), "{again:?}");
    let entries = tx.entries_of_item(one).await.unwrap();
    assert_eq!(entries, [(1, 2, EntryReason::New, site.source.clone(), site.now)]);
    assert_eq!(tx.entries_of_item(two).await.unwrap(), []);
    assert_eq!(tx.count_held(&id("comune")).await.unwrap(), 1);
    let ended = tx.hold(two).await.unwrap().unwrap().ended.unwrap();
    assert_eq!(ended, (site.now, "dropped".to_owned(), "Anna".to_owned()));
    tx.commit().await.unwrap();
    for item in &mut flood {
        item.title = format!("ANNULLATO: {}", item.title);
    }
    site.poll(&flood).await;
    let mut tx = site.ground.store.read().await.unwrap();
    assert_eq!(tx.entries_of_item(one).await.unwrap().len(), 2);
    assert_eq!(tx.entries_of_item(two).await.unwrap(), [], "a dropped item stays silent");
}

#[tokio::test]
async fn an_item_is_held_once_whoever_asks() -> Result<(), StoreError> {
    let site = Site::new().await;
    let mut tx = site.ground.store.write().await?;
    let now = at("2026-11-02T08:00:00+01:00");
    let text = crate::support::revision("Avviso");
    let item = tx.insert_item(&site.source, "one", "", false, &text, now).await?;
    tx.hold_item(item, &site.source, HoldCause::Old, now).await?;
    tx.hold_item(item, &site.source, HoldCause::Flood, now.plus(5)).await?;
    tx.hold_entry(item, 1, EntryReason::New, &site.source).await?;
    tx.hold_entry(item, 1, EntryReason::New, &site.source).await?;
    let hold = tx.lock_hold(item).await?.unwrap();
    assert_eq!((hold.cause, hold.held_at, hold.revision), (HoldCause::Old, now, 1));
    assert_eq!(tx.held_items(None, 0, 10).await?.len(), 1);
    Ok(())
}
