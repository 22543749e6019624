//! The trace: whoever changes something is named, in the transaction that changed it, and nobody
//! whom it was done to.

mod commands;
mod complete;

use banditore::audience::{self, Consent, Joined, Joining, Preferences};
use banditore::delivery::{self, Decision};
use banditore::editions::{self, WantedList};
use banditore::ingest;
use banditore::model::{ListId, Timestamp};
use banditore::store::{Actor, ActorKind, Store, TraceRow};

use crate::support::{self, Engine, Ground, at, everything, id, keys};

/// What nobody may find in the trace.
const ADDRESS: &str = "lucrezia.panciatichi@example.org";
const NAME: &str = "Lucrezia Panciatichi";
const OTHER_NAME: &str = "Lucrezia Ridolfi";
const WORD: &str = "ippopotamo";
const REASON: &str = "mandato dal medico";

fn now() -> Timestamp {
    at("2026-11-25T09:00:00+01:00")
}

fn anna() -> Actor {
    let (name, origin) = ("Anna Neri".to_owned(), "anna@sportello".to_owned());
    Actor { kind: ActorKind::Person, name, origin }
}

async fn newest(store: &Store) -> Vec<TraceRow> {
    store.read().await.unwrap().trace_before(None, 1_000).await.unwrap()
}

/// A ground with a list, on which a named person acts.
async fn ground() -> (Ground, Store, ListId) {
    let ground = Ground::new().await;
    let store = ground.store.acting_as(anna());
    let list: ListId = id("residents");
    let mut tx = store.write().await.unwrap();
    editions::keep_list(&mut tx, &wanted(&list), now()).await.unwrap();
    tx.commit().await.unwrap();
    (ground, store, list)
}

fn wanted(list: &ListId) -> WantedList {
    let cadences = [("daily", "0 0 7 * * *"), ("weekly", "0 0 7 * * Mon")];
    let cadences = cadences.map(|(cadence, schedule)| (id(cadence), schedule.to_owned()));
    WantedList {
        row: support::list_row(list, true),
        sources: Vec::new(),
        cadences: cadences.into_iter().collect(),
    }
}

async fn join(store: &Store, list: &ListId, name: &str, wanted: &Preferences) -> Joined {
    let mut tx = store.write().await.unwrap();
    let (address, consent) =
        (&id(ADDRESS), Consent { way: "import", proof: REASON, text_version: None });
    let joining = Joining { address, name: Some(name), list, wanted, consent };
    let joined = audience::join(&mut tx, &keys(), &joining, now()).await.unwrap();
    tx.commit().await.unwrap();
    joined
}

/// Everything that can be done for a person, each step with the actions it is traced as.
async fn a_life(store: &Store, list: &ListId) {
    let step = async |actions: &[&str], seen: &mut i64| {
        let mut rows = newest(store).await;
        rows.retain(|row| row.id > *seen);
        rows.reverse();
        let done: Vec<&str> = rows.iter().map(|row| row.action.as_str()).collect();
        assert_eq!(done, actions);
        *seen = rows.last().map_or(*seen, |row| row.id);
    };
    let seen = &mut newest(store).await[0].id;
    let plain = everything(&id("daily"));
    let words = vec![(WORD.to_owned(), WORD.to_owned())];
    let other = Preferences { topics: vec![id("school")], words, ..everything(&id("weekly")) };
    join(store, list, NAME, &plain).await;
    step(&["subscription.joined"], seen).await;
    join(store, list, NAME, &plain).await;
    step(&[], seen).await;
    join(store, list, OTHER_NAME, &plain).await;
    step(&["subscriber.named"], seen).await;
    join(store, list, OTHER_NAME, &other).await;
    step(&["subscription.changed"], seen).await;
    let words = vec![("rana".to_owned(), "rana".to_owned())];
    join(store, list, OTHER_NAME, &Preferences { words, ..other }).await;
    step(&["subscription.changed"], seen).await;
    for (paused, action) in [(true, "subscription.paused"), (false, "subscription.resumed")] {
        let mut tx = store.write().await.unwrap();
        let hash = keys().address_hash(&id(ADDRESS));
        let subject = tx.subject_by_hash(&hash).await.unwrap().unwrap();
        let held = tx.subscription(subject.id, list).await.unwrap().unwrap();
        let held = tx.hold_subscription(held.id).await.unwrap().unwrap();
        audience::pause(&mut tx, &held, paused, now()).await.unwrap();
        tx.commit().await.unwrap();
        step(&[action], seen).await;
    }
    let mut tx = store.write().await.unwrap();
    audience::suppress(&mut tx, &keys(), &id(ADDRESS), REASON, now()).await.unwrap();
    tx.commit().await.unwrap();
    step(&["address.suppressed"], seen).await;
    let mut tx = store.write().await.unwrap();
    let reason = format!("chiesto da {ADDRESS}");
    let was = audience::unsuppress(&mut tx, &keys(), &id(ADDRESS), &reason, now()).await;
    assert!(was.unwrap());
    tx.commit().await.unwrap();
    step(&["address.unsuppressed"], seen).await;
    let mut tx = store.write().await.unwrap();
    audience::erase(&mut tx, &keys(), &id(ADDRESS), REASON, now()).await.unwrap();
    tx.commit().await.unwrap();
    step(&["subscription.left", "subscriber.erased"], seen).await;
}

#[tokio::test]
async fn whatever_is_done_for_a_person_has_its_line_and_names_who_did_it() {
    let (_ground, store, list) = ground().await;
    a_life(&store, &list).await;
    for row in newest(&store).await {
        assert_eq!((row.actor.as_str(), row.name.as_str()), ("person", "Anna Neri"), "{row:?}");
        assert_eq!((row.origin.as_str(), row.at), ("anna@sportello", now()));
    }
}

#[tokio::test]
async fn no_address_no_name_and_no_followed_word_stands_in_the_trace() {
    let (ground, store, list) = ground().await;
    a_life(&store, &list).await;
    let mut contents = ground.database.connect().await.contents().await;
    contents.retain(|row| row.starts_with("trace: "));
    assert!(contents.len() > 10);
    for row in contents {
        let row = row.to_lowercase();
        for value in [ADDRESS, "panciatichi", "ridolfi", "lucrezia", WORD, "rana", REASON] {
            assert!(!row.contains(&value.to_lowercase()), "{value} in {row}");
        }
    }
}

/// Whoever has the address can reckon its hash with the secret, so nothing may stand beside both:
/// no line of one transaction, and no time of one that the other has too.
#[tokio::test]
async fn nothing_in_the_database_leads_from_the_address_of_who_was_erased_to_their_lines() {
    let (ground, store, list) = ground().await;
    join(&store, &list, NAME, &everything(&id("daily"))).await;
    let later = Timestamp(now().0 + 5_000);
    let mut tx = store.write().await.unwrap();
    assert!(audience::erase(&mut tx, &keys(), &id(ADDRESS), REASON, later).await.unwrap());
    tx.commit().await.unwrap();
    let hash = keys().address_hash(&id(ADDRESS));
    let contents = ground.database.connect().await.contents().await;
    let named: Vec<&String> = contents.iter().filter(|row| row.contains(&hash)).collect();
    let [suppression] = &named[..] else { panic!("one row has the hash: {named:?}") };
    assert!(suppression.starts_with("suppression: "), "{suppression}");
    assert!(!suppression.contains(&later.0.to_string()), "{suppression}");
    assert!(newest(&store).await.iter().any(|row| row.action == "subscriber.erased"));
}

#[tokio::test]
async fn a_line_tells_how_it_was_and_how_it_is() {
    let (_ground, store, list) = ground().await;
    a_life(&store, &list).await;
    let mut rows = newest(&store).await;
    rows.reverse();
    let shown: Vec<String> = rows
        .iter()
        .filter(|row| row.action.starts_with("sub") || row.action.ends_with("unsuppressed"))
        .map(|row| {
            let json = |json: &Option<String>| json.clone().unwrap_or_else(|| "-".to_owned());
            let line = format!(
                "{}\n  {}\n  {}",
                row.action,
                json(&row.before_json),
                json(&row.after_json)
            );
            // Random ids.
            match line.find("\"subscriber\":\"") {
                Some(_) => mask_ids(&line),
                None => line,
            }
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
}

fn mask_ids(line: &str) -> String {
    let key = "\"subscriber\":\"";
    let parts: Vec<String> = line
        .split(key)
        .enumerate()
        .map(|(number, part)| match part.split_once('"') {
            Some((_, rest)) if number > 0 => format!("ID\"{rest}"),
            _ => part.to_owned(),
        })
        .collect();
    parts.join(key)
}

#[tokio::test]
async fn sources_lists_and_cadences_have_their_lines_and_secrets_in_addresses_none() {
    let (_ground, store, list) = ground().await;
    let mut tx = store.write().await.unwrap();
    let url = |text: &str| text.parse::<url::Url>().unwrap();
    let (old, new) = ("https://u:geheim@example.org/f", "https://example.org/f?key=geheim");
    let source = id("comune");
    for address in [old, old, new] {
        ingest::keep_source(&mut tx, &source, &url(address), "{}", false, now()).await.unwrap();
    }
    assert!(ingest::end_source(&mut tx, &source, now()).await.unwrap());
    assert!(!ingest::end_source(&mut tx, &source, now()).await.unwrap());
    let mut changed = wanted(&list);
    editions::keep_list(&mut tx, &changed, now()).await.unwrap();
    changed.sources = vec![source];
    changed.cadences.remove(&id("weekly"));
    changed.cadences.insert(id("daily"), "0 0 8 * * *".to_owned());
    editions::keep_list(&mut tx, &changed, now()).await.unwrap();
    editions::end_list(&mut tx, &list, now()).await.unwrap();
    editions::end_list(&mut tx, &list, now()).await.unwrap();
    tx.commit().await.unwrap();
    let mut rows = newest(&store).await;
    rows.reverse();
    let actions: Vec<&str> = rows.iter().map(|row| row.action.as_str()).collect();
    let expected = "list.added cadence.added cadence.added source.added source.changed \
                    source.removed list.changed cadence.changed cadence.removed list.removed";
    assert_eq!(actions.join(" "), expected);
    assert!(rows.iter().all(|row| !format!("{row:?}").contains("geheim")), "{rows:?}");
    let mut tx = store.read().await.unwrap();
    let subject = banditore::store::TraceSubject { kind: "list", id: "residents" };
    assert_eq!(tx.trace_of(subject, 2).await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_was_not_committed_left_no_line() {
    let (_ground, store, _) = ground().await;
    let before = newest(&store).await.len();
    let mut tx = store.write().await.unwrap();
    audience::suppress(&mut tx, &keys(), &id(ADDRESS), REASON, now()).await.unwrap();
    drop(tx);
    assert_eq!(newest(&store).await.len(), before);
    // A decision that is refused for its second message did nothing about the first either.
    let error = delivery::decide(&store, &[1, 2], Decision::Drop, "Anna Neri", now()).await;
    assert!(error.is_err());
    assert_eq!(newest(&store).await.len(), before);
}

/// What changes or shortens the trace, in words that every engine has.
const REFUSED: [&str; 4] = [
    "UPDATE trace SET name = 'nobody'",
    "UPDATE trace SET at = 0 WHERE id = 1",
    "DELETE FROM trace",
    "DELETE FROM trace WHERE id = 1",
];

#[tokio::test]
async fn the_database_itself_refuses_to_change_or_shorten_the_trace() {
    let (ground, store, _) = ground().await;
    let before = newest(&store).await;
    let more = match Engine::of_this_run() {
        Engine::Sqlite => None,
        Engine::Postgres => Some("TRUNCATE trace"),
    };
    for sql in REFUSED.into_iter().chain(more) {
        let error = ground.database.connect().await.try_run(sql).await.unwrap_err();
        assert!(error.contains("append-only"), "{sql}: {error}");
    }
    let lines = |rows: &[TraceRow]| rows.iter().map(|row| format!("{row:?}")).collect::<Vec<_>>();
    assert_eq!(lines(&newest(&store).await), lines(&before));
}

/// The reason is free text of an admin: an address in it, however it is written around, is masked,
/// and it stays one short line.
#[test]
fn an_address_in_a_reason_is_masked() {
    use proptest::test_runner::{Config, TestRunner};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (_ground, store, _) = runtime.block_on(ground());
    let reasons = ("\\PC{0,40}", "[ \t\n\u{a0}]", "[a-z]{5,12}", "[ \t\n\u{a0}]", "\\PC{0,400}");
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let tested = runner.run(&reasons, |(before, space, local, other, after)| {
        let reason = format!("{before}{space}{local}@example.org{other}{after}");
        // Nobody commits it: the next case begins where this one did.
        let row = runtime.block_on(async {
            let mut tx = store.write().await.unwrap();
            let (keys, address) = (keys(), id(ADDRESS));
            audience::suppress(&mut tx, &keys, &address, "", now()).await.unwrap();
            audience::unsuppress(&mut tx, &keys, &address, &reason, now()).await.unwrap();
            tx.trace_before(None, 1).await.unwrap().remove(0)
        });
        let after: serde_json::Value = serde_json::from_str(&row.after_json.unwrap()).unwrap();
        let kept = after["reason"].as_str().unwrap();
        proptest::prop_assert!(!kept.contains("@example.org"), "{kept}");
        proptest::prop_assert!(kept.chars().count() <= audience::TRACED_TEXT_CHARS_MAX);
        proptest::prop_assert!(!kept.chars().any(char::is_control));
        Ok(())
    });
    tested.unwrap();
}
