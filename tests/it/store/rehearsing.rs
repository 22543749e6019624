//! A look at what the next edition would be: exactly that, while nobody waits for anybody.

use std::time::Duration;

use banditore::audience;
use banditore::editions::{Planner, Planning, Step};
use banditore::round;
use banditore::store::{EditionRow, Tx};

use crate::delivery::support::{House, Plan};
use crate::support::id;

const DAY: i64 = 86_400;
/// Longer than anything takes that waits for nobody.
const SOON: Duration = Duration::from_secs(5);

/// A house the day after its first edition, with news for the second, which is due.
async fn on_the_second_day() -> House {
    let house = Plan { people: 5, ..Plan::default() }.build().await;
    let item = |number: usize| {
        format!(
            "<item><guid>n{number}</guid><title>Bando numero {number}</title>\
             <link>https://www.example.it/{number}</link><description>Avviso.</description></item>"
        )
    };
    let items: String = (1..=5).map(item).collect();
    let feed = format!(
        "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>Notizie</title>\
         <link>https://www.example.it/</link><description>Prova</description>{items}\
         </channel></rss>"
    );
    std::fs::write(house.folder.path().join("news.xml"), feed).unwrap();
    round::poll(&house.installation, None).await.unwrap();
    house.step(DAY);
    house
}

/// What an edition comes to: its sums, and the recipients and entries of its variants.
async fn sums(tx: &mut Tx<'_>, edition: &EditionRow) -> Vec<String> {
    let EditionRow { slot, cut, considered, empty, planned_messages, .. } = edition;
    let mut sums = vec![format!("{slot} {cut}: {considered} {empty} {planned_messages}")];
    for (row, recipients) in tx.variants(edition.id).await.unwrap() {
        sums.push(format!("{recipients} of {:?}", row.variant.entries));
    }
    sums
}

async fn rehearsed(house: &House, planner: Planner<'_>) -> Vec<String> {
    let now = house.installation.clock.now();
    let (list, daily) = (id("residents"), id("daily"));
    let rehearsing = planner.rehearse(&list, &daily, now);
    let (mut tx, edition) = tokio::time::timeout(SOON, rehearsing).await.unwrap().unwrap();
    sums(&mut tx, &edition).await
}

#[tokio::test]
async fn a_rehearsal_shows_what_is_planned_then_and_leaves_nothing_behind() {
    let house = on_the_second_day().await;
    let before = house.messages().await.len();
    let planner = Planner { chunk: 2, ..house.installation.planner() };
    let shown = rehearsed(&house, planner).await;
    assert_eq!(rehearsed(&house, planner).await, shown, "the first has left nothing");
    assert_eq!(house.messages().await.len(), before);
    let planned = round::plan(&house.installation).await.unwrap();
    let mut tx = house.store().read().await.unwrap();
    assert_eq!(sums(&mut tx, &planned[0]).await, shown);
    assert_eq!(planned[0].planned_messages, 5);
}

#[tokio::test]
async fn an_edition_that_is_being_planned_is_shown_as_it_will_be() {
    let house = on_the_second_day().await;
    let planner = Planner { chunk: 2, ..house.installation.planner() };
    let now = house.installation.clock.now();
    let edition = planner.open_due(&id("residents"), &id("daily"), now).await.unwrap().unwrap();
    let mut planning = Planning::begin(planner, edition, now).await.unwrap();
    assert_eq!(planning.step(now).await.unwrap(), Step::More);
    let shown = rehearsed(&house, planner).await;
    while planning.step(now).await.unwrap() == Step::More {}
    let mut tx = house.store().read().await.unwrap();
    let planned = tx.edition(edition).await.unwrap().unwrap();
    assert_eq!(sums(&mut tx, &planned).await, shown);
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_does_a_rehearsal_wait_for_who_writes_nor_who_writes_for_it() {
    let house = on_the_second_day().await;
    let planner = house.installation.planner();
    let now = house.installation.clock.now();
    let (list, daily) = (id("residents"), id("daily"));
    let mut writing = house.write().await;
    writing.hold_cadence(&list, &daily).await.unwrap();
    let (mut rehearsal, edition) =
        tokio::time::timeout(SOON, planner.rehearse(&list, &daily, now)).await.unwrap().unwrap();
    drop(writing);
    let shown = sums(&mut rehearsal, &edition).await;
    // Somebody leaves, and the very edition is planned, while the rehearsal is being looked at.
    let subscription = house.messages().await[0].subscription_id;
    let work = async {
        audience::leave(&house.store().for_pages(), subscription, now).await.unwrap();
        round::plan(&house.installation).await.unwrap()
    };
    let planned = tokio::time::timeout(SOON, work).await.unwrap();
    assert_eq!(planned[0].planned_messages, 4);
    assert_eq!(sums(&mut rehearsal, &edition).await, shown, "it shows one state");
}
