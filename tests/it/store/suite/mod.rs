//! Every row that is written is read back, column by column.

use std::fmt::Debug;

use banditore::model::{CadenceId, Language, ListId, SourceId, Timestamp};
use banditore::store::{
    Agreement, AttemptRow, CadenceRow, Carrying, ChunkCounts, ConsentText, EntryReason, GroupKey,
    ItemRow, ListRow, Marks, MessageState, NewEdition, NewRevision, NewSubscription, NewVariant,
    OutcomeRow, PollRow, Profile, Slice, SourceRow, Store, StoreError, StoredSubscription, Subject,
    Tx,
};

use crate::support::id;

/// Instants that differ, so that no column is read for another.
fn t(number: i64) -> Timestamp {
    Timestamp(1_795_000_000 + number)
}

/// Rows are the same when all their columns are.
#[track_caller]
fn is<T: Debug>(found: T, expected: T) {
    assert_eq!(format!("{found:?}"), format!("{expected:?}"));
}

fn list() -> ListId {
    id("residents")
}

fn cadence() -> CadenceId {
    id("daily")
}

fn source() -> SourceId {
    id("comune")
}

/// Runs the whole suite on an empty, migrated database.
pub async fn run(store: &Store) {
    installation(store).await;
    sources(store).await;
    items(store).await;
    stream(store).await;
    lists(store).await;
    let people = audience(store).await;
    let messages = editions(store, &people).await;
    waiting(store, &messages).await;
    sending(store, &messages).await;
}

async fn installation(store: &Store) {
    let mut tx = store.write().await.unwrap();
    assert_eq!(tx.marks().await.unwrap(), None);
    let marks = Marks { secret_check: "check".into(), applied: "a".into() };
    tx.set_marks(&marks, t(1)).await.unwrap();
    let later = Marks { secret_check: "other".into(), applied: "b".into() };
    tx.set_marks(&later, t(2)).await.unwrap();
    let kept = Marks { secret_check: "check".into(), applied: "b".into() };
    assert_eq!(tx.marks().await.unwrap(), Some(kept));
    tx.commit().await.unwrap();
}

/// A source that was never polled.
fn fresh_source() -> SourceRow {
    SourceRow {
        id: source(),
        url: "https://example.org/a".into(),
        title: None,
        settings_json: "{}".into(),
        from_file: true,
        baseline_at: None,
        etag: None,
        last_modified: None,
        next_poll_at: Timestamp(0),
        polled_at: None,
        succeeded_at: None,
        changed_at: None,
        failures: 0,
        last_error: None,
        last_hint: None,
        failing_since: None,
        bad_since: None,
        recovered_at: None,
        gone_at: None,
        adopted_url: None,
        moved_to: None,
        moved_since: None,
        validated_url: None,
        body_digest: None,
        read_as: None,
        site_link: None,
        hints_json: None,
        headline: None,
    }
}

async fn sources(store: &Store) {
    let mut tx = store.write().await.unwrap();
    tx.upsert_source(&source(), "https://example.org/a", "{}", true).await.unwrap();
    let mut expected = fresh_source();
    is(tx.source(&source()).await.unwrap().unwrap(), expected.clone());
    tx.record_poll_failure(&source(), t(2), t(3), "refused").await.unwrap();
    (expected.polled_at, expected.next_poll_at) = (Some(t(2)), t(3));
    (expected.failures, expected.last_error) = (1, Some("refused".into()));
    expected.failing_since = Some(t(2));
    is(tx.source(&source()).await.unwrap().unwrap(), expected.clone());
    let source_id = source();
    let poll = PollRow {
        source: &source_id,
        now: t(4),
        next: t(5),
        etag: Some("\"e\""),
        last_modified: Some("Wed"),
        title: Some("Comune"),
        changed: true,
        baseline: true,
    };
    tx.record_poll(&poll).await.unwrap();
    expected = SourceRow {
        title: Some("Comune".into()),
        baseline_at: Some(t(4)),
        etag: Some("\"e\"".into()),
        last_modified: Some("Wed".into()),
        next_poll_at: t(5),
        polled_at: Some(t(4)),
        succeeded_at: Some(t(4)),
        changed_at: Some(t(4)),
        failures: 0,
        last_error: None,
        ..expected
    };
    is(tx.source(&source()).await.unwrap().unwrap(), expected.clone());
    // An answer without news changes neither the baseline nor when there was some.
    let quiet = PollRow { now: t(6), next: t(7), title: None, changed: false, ..poll };
    tx.record_poll(&quiet).await.unwrap();
    (expected.polled_at, expected.succeeded_at) = (Some(t(6)), Some(t(6)));
    expected.next_poll_at = t(7);
    is(tx.source(&source()).await.unwrap().unwrap(), expected.clone());
    moved_source(&mut tx, expected).await;
    tx.commit().await.unwrap();
}

/// The same address with other settings is read anew; another address begins anew.
async fn moved_source(tx: &mut Tx<'_>, mut expected: SourceRow) {
    tx.upsert_source(&source(), "https://example.org/a", "{\"a\":1}", false).await.unwrap();
    (expected.settings_json, expected.from_file) = ("{\"a\":1}".into(), false);
    (expected.etag, expected.last_modified, expected.next_poll_at) = (None, None, Timestamp(0));
    is(tx.source(&source()).await.unwrap().unwrap(), expected.clone());
    tx.upsert_source(&source(), "https://example.org/b", "{}", false).await.unwrap();
    (expected.url, expected.settings_json) = ("https://example.org/b".into(), "{}".into());
    (expected.failures, expected.last_error, expected.failing_since) = (0, None, None);
    // What a site that moved has now is told to nobody.
    expected.baseline_at = None;
    is(tx.sources().await.unwrap(), vec![expected.clone()]);
    assert!(tx.remove_source(&source(), t(10)).await.unwrap());
    assert!(!tx.remove_source(&source(), t(10)).await.unwrap());
    assert!(tx.sources().await.unwrap().is_empty());
    is(tx.source(&source()).await.unwrap().unwrap(), expected.clone());
    tx.upsert_source(&source(), "https://example.org/b", "{}", false).await.unwrap();
    is(tx.sources().await.unwrap(), vec![expected]);
}

fn text(title: &str) -> NewRevision {
    NewRevision {
        title: title.into(),
        link: Some(format!("https://example.org/{title}")),
        summary: "Testo".into(),
        content: "<p>Testo</p>".into(),
        full_text: None,
        image_alt: vec!["Una foto".into()],
        categories: vec!["Avvisi".into(), "Scuola".into()],
        published_at: Some(t(20)),
        updated_at: Some(t(21)),
    }
}

async fn items(store: &Store) {
    let mut tx = store.write().await.unwrap();
    assert_eq!(tx.count_items(&source()).await.unwrap(), 0);
    let item = tx.insert_item(&source(), "one", "d1", true, &text("a"), t(22)).await.unwrap();
    let mut expected = ItemRow {
        id: item,
        source_id: source(),
        identity: "one".into(),
        link: Some("https://example.org/a".into()),
        revision: 1,
        digest: "d1".into(),
        baseline: true,
        first_seen_at: t(22),
        withdrawn_at: None,
        publication_end: None,
        act_json: None,
    };
    is(tx.item(item).await.unwrap().unwrap(), expected.clone());
    tx.revise_item(item, 2, "d2", &text("b"), t(23)).await.unwrap();
    (expected.revision, expected.digest) = (2, "d2".into());
    expected.link = Some("https://example.org/b".into());
    is(tx.item(item).await.unwrap().unwrap(), expected.clone());
    is(tx.items_by_link("https://example.org/b").await.unwrap(), vec![expected]);
    is(tx.revision(item, 1).await.unwrap().unwrap(), text("a"));
    is(tx.revision(item, 2).await.unwrap().unwrap(), text("b"));
    assert!(tx.revision(item, 3).await.unwrap().is_none());
    assert_eq!(tx.count_items(&source()).await.unwrap(), 1);
    assert!(tx.insert_item(&source(), "one", "", false, &text("c"), t(24)).await.is_err());
    drop(tx);
    let mut tx = store.write().await.unwrap();
    let item = tx.insert_item(&source(), "one", "d", false, &text("a"), t(22)).await.unwrap();
    tx.revise_item(item, 2, "d2", &text("b"), t(23)).await.unwrap();
    tx.insert_item(&source(), "two", "d", false, &text("c"), t(24)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn stream(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let one = tx.items_by_link("https://example.org/b").await.unwrap()[0].id;
    let two = tx.items_by_link("https://example.org/c").await.unwrap()[0].id;
    assert_eq!(tx.stream_head().await.unwrap(), 0);
    assert_eq!(tx.first_placed_after(0).await.unwrap(), None);
    tx.append_entries(&[], EntryReason::New, t(30)).await.unwrap();
    let entries = [(one, 1, source()), (two, 1, source())];
    tx.append_entries(&entries, EntryReason::New, t(30)).await.unwrap();
    let corrected = [(one, 2, source())];
    tx.append_entries(&corrected, EntryReason::Correction, t(31)).await.unwrap();
    assert_eq!(tx.stream_head().await.unwrap(), 3);
    tx.insert_match(one, 2, "rules", "{\"found\":1}", t(32)).await.unwrap();
    tx.insert_match(one, 2, "rules", "{\"found\":2}", t(33)).await.unwrap();
    let found = tx.item_match(one, 2, "rules").await.unwrap();
    assert_eq!(found.as_deref(), Some("{\"found\":1}"), "what was found first stays");
    assert_eq!(tx.item_match(one, 2, "other").await.unwrap(), None);
    let window = tx.window(1, 3, "rules").await.unwrap();
    let rows: Vec<_> = window
        .iter()
        .map(|row| (row.position, row.item_id, row.revision, row.reason, row.placed_at))
        .collect();
    let expected =
        [(2, two, 1, EntryReason::New, t(30)), (3, one, 2, EntryReason::Correction, t(31))];
    assert_eq!(rows, expected);
    is(&window[1].text, &NewRevision { content: String::new(), ..text("b") });
    assert_eq!(window[1].classification_json.as_deref(), Some("{\"found\":1}"));
    assert_eq!(window[0].classification_json, None);
    assert_eq!((&window[0].source_id, window[0].withdrawn_at), (&source(), None));
    assert_eq!(tx.first_placed_after(2).await.unwrap(), Some(t(31)));
    assert_eq!(tx.item_at(3).await.unwrap(), Some((one, "b".to_owned())));
    assert_eq!(tx.withdrawn_in_window(0, 3).await.unwrap(), Vec::<i64>::new());
    let of_one = tx.entries_of_item(one).await.unwrap();
    assert_eq!(of_one[0], (1, 1, EntryReason::New, source(), t(30)));
    assert_eq!(of_one[1], (3, 2, EntryReason::Correction, source(), t(31)));
    let again = tx.append_entries(&corrected, EntryReason::Correction, t(34)).await;
    assert!(matches!(again, Err(StoreError::Exists(_))), "{again:?}");
    drop(tx);
    let mut tx = store.write().await.unwrap();
    assert_eq!(tx.stream_head().await.unwrap(), 0, "a position that was not kept is given again");
    tx.append_entries(&[(one, 1, source())], EntryReason::New, t(30)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn lists(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let mut row = ListRow {
        id: list(),
        name: "Residenti".into(),
        sender: "Comune <a@example.org>".into(),
        public: true,
        in_doubt: "resend".into(),
        approval: false,
        from_file: true,
    };
    tx.upsert_list(&row, t(40)).await.unwrap();
    is(tx.list(&list()).await.unwrap().unwrap(), row.clone());
    row = ListRow {
        name: "Sindaci".into(),
        sender: "b@example.org".into(),
        public: false,
        in_doubt: "hold".into(),
        approval: true,
        from_file: false,
        ..row
    };
    tx.upsert_list(&row, t(41)).await.unwrap();
    is(tx.lists().await.unwrap(), vec![row.clone()]);
    carried(&mut tx).await;
    tx.upsert_cadence(&list(), &cadence(), "0 0 7 * * *", t(42)).await.unwrap();
    tx.upsert_cadence(&list(), &cadence(), "0 0 8 * * *", t(43)).await.unwrap();
    let mut expected = CadenceRow {
        list_id: list(),
        cadence: cadence(),
        schedule: "0 0 8 * * *".into(),
        ended_at: None,
        created_at: t(42),
        last_cut: 1,
        last_slot_at: t(42),
        left_out_at: None,
        edition_id: None,
        planning_cut: None,
        decided_until: 0,
    };
    is(tx.cadence(&list(), &cadence()).await.unwrap().unwrap(), expected.clone());
    tx.left_out(&list(), &cadence(), Some(t(44))).await.unwrap();
    assert!(tx.begin_planning(&list(), &cadence(), 7, 9).await.unwrap());
    assert!(!tx.begin_planning(&list(), &cadence(), 8, 9).await.unwrap());
    tx.decided_until(&list(), &cadence(), 5).await.unwrap();
    expected.left_out_at = Some(t(44));
    (expected.edition_id, expected.planning_cut, expected.decided_until) = (Some(7), Some(9), 5);
    is(tx.cadences().await.unwrap(), vec![expected.clone()]);
    tx.move_cut(&list(), &cadence(), t(45), true).await.unwrap();
    (expected.planning_cut, expected.decided_until) = (None, 0);
    (expected.last_cut, expected.last_slot_at) = (9, t(45));
    is(tx.cadence(&list(), &cadence()).await.unwrap().unwrap(), expected.clone());
    tx.end_waiting(&list(), &cadence()).await.unwrap();
    expected.edition_id = None;
    is(tx.cadence(&list(), &cadence()).await.unwrap().unwrap(), expected.clone());
    assert!(tx.begin_planning(&list(), &cadence(), 8, 10).await.unwrap());
    tx.move_cut(&list(), &cadence(), t(46), false).await.unwrap();
    (expected.last_cut, expected.last_slot_at) = (10, t(46));
    is(tx.cadence(&list(), &cadence()).await.unwrap().unwrap(), expected.clone());
    removed_cadence(&mut tx, expected, row).await;
    drop(tx);
    let mut tx = store.write().await.unwrap();
    let row = crate::support::list_row(&list(), true);
    tx.upsert_list(&row, t(40)).await.unwrap();
    tx.carry(&list(), None).await.unwrap();
    tx.upsert_cadence(&list(), &cadence(), "0 0 7 * * *", t(42)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn carried(tx: &mut Tx<'_>) {
    tx.carry(&list(), Some("comune")).await.unwrap();
    tx.carry(&list(), None).await.unwrap();
    tx.carry_no_more(&list(), None).await.unwrap();
    let all = Carrying { source: None, since: 1, until: Some(1) };
    let one = Carrying { source: Some("comune".into()), since: 1, until: None };
    assert_eq!(tx.carried(&list()).await.unwrap(), [all, one]);
}

/// What is offered no more, and then again, goes on where it was.
async fn removed_cadence(tx: &mut Tx<'_>, expected: CadenceRow, row: ListRow) {
    tx.remove_cadence(&list(), &cadence(), t(47)).await.unwrap();
    let ended = tx.cadence(&list(), &cadence()).await.unwrap().unwrap().ended_at;
    assert_eq!(ended, Some(t(47)));
    assert!(tx.cadences().await.unwrap().is_empty());
    tx.upsert_cadence(&list(), &cadence(), "0 0 8 * * *", t(48)).await.unwrap();
    is(tx.cadences().await.unwrap(), vec![expected]);
    tx.remove_list(&list(), t(49)).await.unwrap();
    assert!(tx.lists().await.unwrap().is_empty() && tx.cadences().await.unwrap().is_empty());
    is(tx.list(&list()).await.unwrap().unwrap(), row);
}

fn profile() -> Profile {
    Profile {
        all_topics: false,
        language: Language::En,
        topics: vec![id("school"), id("waste")],
        places: vec![id("crema")],
    }
}

/// Four subscriptions of one profile: their ids are given.
async fn audience(store: &Store) -> Vec<StoredSubscription> {
    let mut tx = store.write().await.unwrap();
    let profile_id = tx.intern_profile(&profile()).await.unwrap();
    assert_eq!(tx.intern_profile(&profile()).await.unwrap(), profile_id);
    assert_eq!(tx.profile(profile_id).await.unwrap(), Some(profile()));
    let mut made = Vec::new();
    for number in 1..=4 {
        let hash = format!("h{number}");
        let address = Some(format!("p{number}@example.org"));
        let subject = Subject { id: 100 + number, address, name: Some("Nome".into()) };
        tx.insert_subject(&subject, &hash, t(50)).await.unwrap();
        is(tx.subject(subject.id).await.unwrap().unwrap(), subject.clone());
        is(tx.subject_by_hash(&hash).await.unwrap().unwrap(), subject.clone());
        let new = NewSubscription {
            subscriber: subject.id,
            list: list(),
            cadence: cadence(),
            profile: profile_id,
        };
        let id = tx.insert_subscription(&new, t(51)).await.unwrap().id;
        let expected = StoredSubscription {
            id,
            subscriber: subject.id,
            list: list(),
            cadence: cadence(),
            profile: profile_id,
            state: "active".into(),
            cursor: Some(1),
            joined_position: 1,
            created_at: t(51),
        };
        assert_eq!(tx.subscription_by_id(id).await.unwrap().unwrap(), expected);
        assert_eq!(tx.subscription(subject.id, &list()).await.unwrap().unwrap(), expected);
        assert_eq!(tx.subscriptions_of(subject.id).await.unwrap(), vec![expected.clone()]);
        made.push(expected);
    }
    assert_eq!(tx.subscriptions_after(&list(), made[0].id, 2).await.unwrap(), made[1..3]);
    assert_eq!(tx.profiles_of(&list(), &cadence()).await.unwrap(), [(profile_id, profile())]);
    tx.name_subject(101, "Altro").await.unwrap();
    assert_eq!(tx.subject(101).await.unwrap().unwrap().name.as_deref(), Some("Altro"));
    let changed = StoredSubscription {
        state: "paused".into(),
        cadence: id("weekly"),
        cursor: Some(0),
        ..made[3].clone()
    };
    tx.change_subscription(&changed, t(52)).await.unwrap();
    assert_eq!(tx.subscription_by_id(changed.id).await.unwrap(), Some(changed));
    tx.change_subscription(&made[3], t(52)).await.unwrap();
    tx.pin(made[0].id, 0).await.unwrap();
    made[0].cursor = Some(0);
    assert_eq!(tx.subscription_by_id(made[0].id).await.unwrap().as_ref(), Some(&made[0]));
    words_and_consents(&mut tx, made[0].id).await;
    tx.suppress("h9", "block", "asked", t(56)).await.unwrap();
    tx.suppress("h9", "bounce", "5.1.1", t(57)).await.unwrap();
    let held = tx.suppression("h9").await.unwrap().unwrap();
    assert_eq!((held.cause.as_str(), held.reason.as_str(), held.since), ("bounce", "5.1.1", t(56)));
    assert!(tx.unsuppress("h9").await.unwrap() && !tx.unsuppress("h9").await.unwrap());
    tx.suppress("h4", "complaint", "arf", t(58)).await.unwrap();
    assert_eq!(tx.suppression_of(104).await.unwrap().unwrap().cause, "complaint");
    assert!(tx.suppression_of(101).await.unwrap().is_none());
    tx.unsuppress("h4").await.unwrap();
    tx.erase_subject(104, t(59)).await.unwrap();
    let erased = tx.subject(104).await.unwrap().unwrap();
    assert_eq!((erased.address, erased.name), (None, None));
    assert!(tx.subject_by_hash("h4").await.unwrap().is_none());
    tx.commit().await.unwrap();
    made
}

async fn words_and_consents(tx: &mut banditore::store::Tx<'_>, subscription: i64) {
    let words = [("mens".to_owned(), "mensa".to_owned()), ("piscin".into(), "piscina".into())];
    tx.follow_words(subscription, &words).await.unwrap();
    assert_eq!(tx.words_of(subscription).await.unwrap(), words);
    tx.follow_words(subscription, &words[1..]).await.unwrap();
    assert_eq!(tx.words_of(subscription).await.unwrap(), words[1..]);
    let text = ConsentText { version: "v1".into(), language: Language::En, text: "Yes.".into() };
    tx.keep_consent_text(&text, t(52)).await.unwrap();
    tx.keep_consent_text(&text, t(53)).await.unwrap();
    let agreement = |way: &str, proof: &str, at, text: Option<(&str, &str)>| Agreement {
        way: way.to_owned(),
        proof: proof.to_owned(),
        at,
        text_version: text.map(|(version, _)| version.to_owned()),
        text: text.map(|(_, text)| text.to_owned()),
    };
    let expected = [
        agreement("import", "letter", t(53), None),
        agreement("page", "click", t(54), Some(("v1", "Yes."))),
    ];
    for agreement in &expected {
        tx.agree(subscription, agreement).await.unwrap();
    }
    assert_eq!(tx.agreements_of(subscription).await.unwrap(), expected);
    tx.forget_consents(subscription).await.unwrap();
    assert!(tx.agreements_of(subscription).await.unwrap().is_empty());
}

mod outbox;

use outbox::{editions, sending, waiting};
