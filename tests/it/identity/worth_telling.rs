//! Which changes are worth telling again.

use banditore::ingest::is_worth_telling;
use banditore::store::NewRevision;
use chrono::NaiveDate;

use super::{Site, item, three};
use crate::support::revision;

fn text(title: &str, summary: &str) -> NewRevision {
    NewRevision { summary: summary.to_owned(), ..revision(title) }
}

fn day(text: &str) -> Option<NaiveDate> {
    Some(text.parse().unwrap())
}

#[test]
fn what_the_office_says_it_corrects_is_worth_telling_again() {
    let today = day("2026-11-25").unwrap();
    let worth = |before: (&str, &str), after: (&str, &str)| {
        let (before, after) = (text(before.0, before.1), text(after.0, after.1));
        is_worth_telling(&before, &after, (None, None), today)
    };
    let bando = "Bando per l'assegnazione di alloggi.";
    for after in [
        ("RETTIFICA - Bando alloggi", bando),
        ("Bando alloggi - ANNULLATO", bando),
        ("Bando alloggi: proroga dei termini", bando),
        ("Bando alloggi", "Bando per l'assegnazione di alloggi. Errata corrige: art. 3."),
        ("Bando alloggi", "Rinviato a data da destinarsi."),
    ] {
        assert!(worth(("Bando alloggi", bando), after), "{after:?}");
    }
    for (before, after) in [
        (("Bando alloggi", bando), ("Bando per alloggi", bando)),
        (("Bando alloggi", bando), ("Bando alloggi", "Bando per assegnare alloggi.")),
        (("Proroga del bando", bando), ("Proroga del bando", "La proroga è di un mese.")),
        (("Rinvio della seduta", ""), ("Rinviata la seduta", "")),
        (("Bando", bando), ("Bando", &"La proroga è una di molte parole. ".repeat(20))),
    ] {
        assert!(!worth(before, after), "{before:?} {after:?}");
    }
}

#[test]
fn a_deadline_that_moved_is_worth_telling_again_while_it_can_be_met() {
    let (before, after) = (text("Bando", "Entro"), text("Bando", "Entro il"));
    let today = day("2026-11-25").unwrap();
    let worth = |old, new| is_worth_telling(&before, &after, (old, new), today);
    assert!(worth(day("2026-11-30"), day("2026-12-15")));
    assert!(worth(day("2026-12-15"), day("2026-11-30")));
    assert!(!worth(day("2026-11-30"), day("2026-11-30")));
    assert!(!worth(day("2026-11-20"), day("2026-11-24")), "it has passed");
    assert!(!worth(None, day("2026-12-15")), "it was not said before");
    assert!(!worth(day("2026-12-15"), None));
}

/// Whether a change of a call's teaser and of the text of its page is told as a correction. The
/// first teaser is one of the first answer, of which no page is asked.
async fn told_again(before: (&str, Option<&str>), after: (&str, Option<&str>)) -> bool {
    let mut site = Site::new().await;
    let mut items = three();
    let call = |(teaser, page): (&str, Option<&str>)| {
        let mut call = item("9", "bandi/alloggi.html", "Bando per gli alloggi");
        call.summary = teaser.to_owned();
        call.full_text = page.map(|page| format!("{teaser}\n{page}"));
        call
    };
    items.insert(0, call(before));
    site.poll(&items).await;
    items[0] = call(after);
    let revised = site.poll(&items).await.revised;
    assert_eq!(revised.len(), 1);
    let mut tx = site.ground.store.read().await.unwrap();
    !tx.entries_of_item(revised[0].item.id).await.unwrap().is_empty()
}

#[tokio::test]
async fn deadlines_are_compared_in_texts_of_the_same_kind() {
    let old = "Le domande vanno presentate entro il 30/12/2026.";
    let more = "Le domande vanno presentate entro il 30/12/2026. Modulo allegato";
    let new = "Le domande vanno presentate entro il 15/12/2026.";
    let other = "Le offerte vanno presentate entro il 31/12/2026.";
    assert!(!told_again((old, None), (more, Some(other))).await, "a page read the first time");
    assert!(!told_again((more, Some(other)), (old, None)).await, "a page that was not read again");
    assert!(told_again((old, None), (new, Some(other))).await, "the teaser says it");
    assert!(told_again((old, Some(old)), (new, None)).await, "the teaser says it");
    assert!(told_again(("Bando", Some(old)), ("Bando.2", Some(other))).await, "the page says it");
}
