//! A changed text makes a revision; noise makes none; and what the office itself corrects is told
//! again.

use banditore::store::EntryReason;

use super::{Site, item, three};

/// What stands in the stream of the one item that was revised.
async fn entries(site: &Site, item: i64) -> Vec<(i64, EntryReason)> {
    let mut tx = site.ground.store.read().await.unwrap();
    let entries = tx.entries_of_item(item).await.unwrap();
    entries.into_iter().map(|(_, revision, reason, ..)| (revision, reason)).collect()
}

#[tokio::test]
async fn counters_and_times_of_the_page_make_no_revision() {
    let mut site = Site::new().await;
    site.poll(&three()).await;
    for noise in ["Visite: 12", "Letto 15 volte", "Ultimo aggiornamento: 2 novembre 2026, 10:31"] {
        let mut items = three();
        for item in &mut items {
            item.summary = format!("{}\n{noise}", item.summary);
            item.content = format!("<p>{}</p><p>{noise}</p>", item.summary);
        }
        site.poll(&items).await;
        let taken = site.poll(&items).await;
        assert_eq!(taken.revised.len(), 0, "{noise}");
    }
}

#[tokio::test]
async fn a_deadline_that_moved_is_told_again_and_other_changes_are_not() {
    let mut site = Site::new().await;
    site.poll(&three()).await;
    let mut items = three();
    let mut tender = item("9", "bandi/alloggi.html", "Bando per gli alloggi");
    tender.summary = "Le domande vanno presentate entro il 30 novembre 2026.".to_owned();
    items.insert(0, tender);
    let id = site.poll(&items).await.new[0].id;
    items[0].summary = "Le domande vanno presentate entro il 30 novembre 2026 alle 12.".to_owned();
    assert_eq!(site.poll(&items).await.revised.len(), 1);
    assert_eq!(entries(&site, id).await, [(1, EntryReason::New)]);
    items[0].summary = "Le domande vanno presentate entro il 15 dicembre 2026 alle 12.".to_owned();
    site.poll(&items).await;
    let told = [(1, EntryReason::New), (3, EntryReason::Correction)];
    assert_eq!(entries(&site, id).await, told);
    site.poll(&items).await;
    assert_eq!(entries(&site, id).await, told, "once");
}

#[tokio::test]
async fn a_correction_that_comes_and_goes_is_told_once() {
    let mut site = Site::new().await;
    site.poll(&three()).await;
    let mut corrected = three();
    corrected[1].title = "ANNULLATO - Chiusura di via Roma per lavori".to_owned();
    let id = site.poll(&corrected).await.revised[0].item.id;
    assert_eq!(entries(&site, id).await, [(2, EntryReason::Correction)]);
    for _ in 0..3 {
        site.poll(&three()).await;
        site.poll(&corrected).await;
    }
    assert_eq!(entries(&site, id).await, [(2, EntryReason::Correction)]);
}

#[tokio::test]
async fn a_site_that_writes_all_its_texts_anew_tells_nothing_again() {
    let mut site = Site::new().await;
    let numbered = |more: &str| -> Vec<_> {
        let items = (0..30).map(|n| {
            item(&n.to_string(), &format!("avvisi/{n}-avviso.html"), &format!("Avviso {n}{more}"))
        });
        items.collect()
    };
    site.poll(&numbered("")).await;
    let taken = site.poll(&numbered(" (proroga)")).await;
    assert_eq!(taken.revised.len(), 30);
    let mut tx = site.ground.store.read().await.unwrap();
    assert_eq!(tx.stream_head().await.unwrap(), 0);
}
