//! Editions, their messages, and what becomes of these.

use banditore::store::{EditionRow, MessageOf, MessageRow};

use super::*;

/// An edition for the first three subscriptions, one of them without a pin; gives its messages.
pub async fn editions(store: &Store, people: &[StoredSubscription]) -> Vec<MessageRow> {
    let mut tx = store.write().await.unwrap();
    let (list, cadence) = (list(), cadence());
    let new = NewEdition {
        list: &list,
        cadence: &cadence,
        slot: "2026-11-25T07:00:00",
        slot_at: t(60),
        since: 1,
        cut: 2,
        ruleset: "rules",
        approval: true,
    };
    let edition = tx.insert_edition(&new, t(61)).await.unwrap().unwrap();
    assert_eq!(tx.insert_edition(&new, t(62)).await.unwrap(), None);
    opened(&tx.edition(edition).await.unwrap().unwrap(), &new);
    sums(&mut tx, edition).await;
    let position = tx.edition_of_position(&list, &cadence, 2).await.unwrap();
    assert_eq!(position.map(|edition| edition.id), Some(edition));
    assert!(tx.edition_of_position(&list, &cadence, 3).await.unwrap().is_none());
    let variant = variant(&mut tx, edition).await;
    let slice = Slice {
        edition,
        list: &list,
        cadence: &cadence,
        since: 1,
        cut: 2,
        pinned: true,
        after: 0,
        until: people[2].id,
        day_start: t(0),
        per_day_max: 5,
    };
    write(&mut tx, &slice, people, variant).await;
    let messages = tx.messages_after(0, None, 10).await.unwrap();
    let expected = people[..3].iter().zip(&messages).map(|(person, message)| MessageRow {
        id: message.id,
        edition_id: edition,
        subscriber_id: person.subscriber,
        subscription_id: person.id,
        profile_id: person.profile,
        variant_id: variant,
        window_start: if person.id == people[0].id { 0 } else { 1 },
        state: MessageState::Waiting,
        cause: None,
        attempts: 0,
        next_try_at: t(60),
        created_at: t(63),
    });
    let expected: Vec<MessageRow> = expected.collect();
    is(messages.clone(), expected);
    is(tx.message(messages[1].id).await.unwrap().unwrap(), messages[1].clone());
    let first = tx.message_of(edition, people[0].subscriber).await.unwrap().unwrap();
    is(first.clone(), messages[0].clone());
    is(tx.messages_of(people[0].subscriber).await.unwrap(), vec![first]);
    let recipients: Vec<i64> =
        tx.variants(edition).await.unwrap().into_iter().map(|(_, count)| count).collect();
    assert_eq!(recipients, [3]);
    tx.edition_planned(edition, "waiting", t(64)).await.unwrap();
    assert_eq!(tx.edition(edition).await.unwrap().unwrap().state, "waiting");
    assert!(tx.open_editions().await.unwrap().is_empty());
    tx.commit().await.unwrap();
    messages
}

async fn sums(tx: &mut banditore::store::Tx<'_>, edition: i64) {
    let counts = ChunkCounts { considered: 6, empty: 2, suppressed: 1, messages: 3 };
    tx.add_counts(edition, counts).await.unwrap();
    tx.add_counts(edition, ChunkCounts { considered: 1, empty: 1, ..Default::default() })
        .await
        .unwrap();
    let row = tx.editions_after(0, 10).await.unwrap().remove(0);
    let sums = (row.considered, row.empty, row.suppressed, row.planned_messages);
    assert_eq!(sums, (7, 3, 1, 3));
}

fn opened(row: &EditionRow, new: &NewEdition<'_>) {
    assert_eq!((&row.list_id, &row.cadence, row.slot.as_str()), (new.list, new.cadence, new.slot));
    assert_eq!((row.slot_at, row.since, row.cut), (t(60), 1, 2));
    assert_eq!((row.ruleset.as_str(), row.state.as_str()), ("rules", "planning"));
    assert_eq!(row.approval, new.approval);
}

async fn variant(tx: &mut banditore::store::Tx<'_>, edition: i64) -> i64 {
    let fragment = tx.insert_fragment(edition, "frame", b"<p>", b"p", 3).await.unwrap();
    assert_eq!(tx.fragment_keys(edition).await.unwrap(), [("frame".to_owned(), fragment, 3)]);
    let stored = tx.fragments(edition).await.unwrap().remove(0);
    assert_eq!((stored.id, stored.key.as_str(), stored.html_bytes), (fragment, "frame", 3));
    assert_eq!((stored.html.as_slice(), stored.text.as_slice()), (&b"<p>"[..], &b"p"[..]));
    let new = NewVariant {
        key: "key".into(),
        language: Language::En,
        headers: b"Subject: a\r\n".to_vec(),
        fragments: vec![fragment],
        entries: vec![2, 1],
        html_bytes: 3,
    };
    let variant = tx.intern_variant(edition, &new).await.unwrap();
    assert_eq!(tx.intern_variant(edition, &new).await.unwrap(), variant);
    let row = tx.variant(variant).await.unwrap().unwrap();
    assert_eq!((row.id, row.edition_id), (variant, edition));
    is(row.variant, new);
    variant
}

/// Writes the messages of two pinned subscriptions and of one without.
async fn write(
    tx: &mut banditore::store::Tx<'_>,
    slice: &Slice<'_>,
    people: &[StoredSubscription],
    variant: i64,
) {
    let (list, cadence) = (slice.list, slice.cadence);
    // The third says what the cadence's cut says: its pin is dropped, and no other.
    tx.pin(people[1].id, 0).await.unwrap();
    tx.pin(people[3].id, 3).await.unwrap();
    assert_eq!(tx.drop_pins(list, cadence, 10).await.unwrap(), 1);
    tx.pin(people[1].id, 1).await.unwrap();
    assert_eq!(tx.next_unpinned(list, cadence, 0, 10).await.unwrap(), Some(people[2].id));
    assert_eq!(tx.next_unpinned(list, cadence, people[2].id, 10).await.unwrap(), None);
    assert_eq!(tx.next_pinned(list, cadence, 0, 2, 1).await.unwrap(), Some(people[0].id));
    assert_eq!(tx.next_pinned(list, cadence, 0, 2, 10).await.unwrap(), Some(people[1].id));
    assert_eq!(tx.next_pinned(list, cadence, people[1].id, 2, 10).await.unwrap(), None);
    assert_eq!(tx.earliest_pin(list, cadence).await.unwrap(), Some(0));
    let words = tx.words_in_slice(slice).await.unwrap();
    assert_eq!(words.len(), 1);
    assert_eq!((words[0].0, words[0].2.as_str()), (people[0].id, "piscina"));
    tx.insert_hit(slice.edition, people[0].id, "1").await.unwrap();
    tx.forget_hits(slice).await.unwrap();
    tx.insert_hit(slice.edition, people[0].id, "2").await.unwrap();
    let unpinned = Slice { pinned: false, ..slice.clone() };
    let mut groups = tx.groups(slice).await.unwrap();
    groups.extend(tx.groups(&unpinned).await.unwrap());
    let profile = people[0].profile;
    let key = |since, words: &str| GroupKey { profile, since, words: words.into() };
    let mut keys: Vec<GroupKey> = groups.iter().map(|group| group.key.clone()).collect();
    keys.sort();
    assert_eq!(keys, [key(0, "2"), key(1, ""), key(1, "")]);
    assert!(groups.iter().all(|group| (group.subscriptions, group.suppressed) == (1, 0)));
    for key in &keys {
        tx.insert_group(slice.edition, key, None).await.unwrap();
    }
    assert_eq!(tx.write_messages(slice, "waiting", t(63), t(99)).await.unwrap(), 0);
    for key in &keys {
        tx.insert_group(slice.edition, key, Some(variant)).await.unwrap();
    }
    assert_eq!(tx.write_messages(slice, "waiting", t(63), t(99)).await.unwrap(), 2);
    assert_eq!(tx.write_messages(slice, "waiting", t(65), t(99)).await.unwrap(), 0);
    assert_eq!(tx.write_messages(&unpinned, "waiting", t(63), t(99)).await.unwrap(), 1);
    assert_eq!(tx.move_pins(slice).await.unwrap(), 2);
    let enough = Slice { edition: slice.edition + 1, per_day_max: 1, ..unpinned };
    assert_eq!(tx.pin_left_out(&enough).await.unwrap(), 1, "it has had its one message");
    assert_eq!(tx.subscription_by_id(people[2].id).await.unwrap().unwrap().cursor, Some(1));
}

/// What a named person or the reader does to messages that wait. All of it is undone but the last.
pub async fn waiting(store: &Store, messages: &[MessageRow]) {
    let (first, edition) = (&messages[0], messages[0].edition_id);
    let states = async |tx: &mut banditore::store::Tx<'_>| {
        let mut counts = tx.message_counts(edition).await.unwrap();
        counts.sort();
        counts
    };
    let mut tx = store.write().await.unwrap();
    is(tx.waiting_of(first.subscription_id).await.unwrap(), vec![first.clone()]);
    tx.cancel_waiting(first.id, "left", t(70)).await.unwrap();
    let cancelled = tx.message(first.id).await.unwrap().unwrap();
    assert_eq!(
        (cancelled.state, cancelled.cause.as_deref()),
        (MessageState::Cancelled, Some("left"))
    );
    assert!(tx.waiting_of(first.subscription_id).await.unwrap().is_empty());
    assert_eq!(tx.drop_waiting(edition, "refused by sindaco", t(71)).await.unwrap(), 2);
    assert_eq!(states(&mut tx).await, [(MessageState::Cancelled, 1), (MessageState::Dropped, 2)]);
    drop(tx);
    let mut tx = store.write().await.unwrap();
    assert!(tx.drop_by_name(first.id, "by sindaco", t(72)).await.unwrap());
    assert!(!tx.drop_by_name(first.id, "by sindaco", t(72)).await.unwrap());
    assert!(tx.decide_edition(edition, "refused", "sindaco", t(99)).await.unwrap());
    assert!(!tx.decide_edition(edition, "open", "sindaco", t(99)).await.unwrap());
    tx.pin(messages[1].subscription_id, 0).await.unwrap();
    assert_eq!(tx.return_waiting(edition, t(73)).await.unwrap(), 2);
    let cursors = async |tx: &mut banditore::store::Tx<'_>| {
        let mut cursors = Vec::new();
        for message in messages {
            let held = tx.subscription_by_id(message.subscription_id).await.unwrap().unwrap();
            cursors.push(held.cursor);
        }
        cursors
    };
    // Dropped stays told; an earlier pin stays; the others go back to the start of their window.
    assert_eq!(cursors(&mut tx).await, [Some(2), Some(0), Some(1)]);
    drop(tx);
    let mut tx = store.write().await.unwrap();
    assert!(tx.decide_edition(edition, "open", "sindaco", t(99)).await.unwrap());
    assert_eq!(tx.release_waiting(edition).await.unwrap(), 3);
    assert_eq!(states(&mut tx).await, [(MessageState::Queued, 3)]);
    tx.commit().await.unwrap();
}

fn outcome(message: &MessageRow, attempt: i64, state: &'static str) -> OutcomeRow {
    OutcomeRow {
        message: message.id,
        attempt,
        outcome: if state == "queued" { "in_doubt" } else { state },
        state,
        cause: Some("because".into()),
        next_try_at: t(84).0,
        stage: "reply",
        code: Some(250),
        reply: "250 ok".into(),
    }
}

/// Claims, stages, outcomes and doubts.
pub async fn sending(store: &Store, messages: &[MessageRow]) {
    let edition = messages[0].edition_id;
    let ids: Vec<i64> = messages.iter().map(|message| message.id).collect();
    let mut tx = store.write().await.unwrap();
    tx.insert_worker(1, t(80), t(200)).await.unwrap();
    tx.insert_worker(2, t(80), t(201)).await.unwrap();
    tx.renew_lease(2, t(80), t(202)).await.unwrap();
    let open: Vec<i64> = tx.open_editions().await.unwrap().iter().map(|row| row.id).collect();
    assert_eq!(open, [edition]);
    assert_eq!(tx.next_try().await.unwrap(), Some(t(60)));
    assert!(tx.due_messages(edition, t(59), 10).await.unwrap().is_empty());
    let due = tx.due_messages(edition, t(81), 10).await.unwrap();
    assert_eq!(due.iter().map(|due| due.id).collect::<Vec<_>>(), ids);
    let one = &due[0];
    let (subscription, variant) = (messages[0].subscription_id, messages[0].variant_id);
    assert_eq!(one.of, MessageOf::Edition { edition, subscription, variant });
    assert_eq!((one.subscriber_id, one.attempt), (messages[0].subscriber_id, 1));
    assert_eq!((one.expires_at, one.created_at), (t(99), t(63)));
    assert_eq!((one.in_doubt.as_str(), one.address.as_deref()), ("resend", Some("p1@example.org")));
    assert_eq!(one.sender, "Comune <avvisi@example.org>");
    assert_eq!(
        (one.subscription_state.as_deref(), one.suppressed.as_deref()),
        (Some("active"), None)
    );
    tx.claim(&ids[..2], 1, t(81)).await.unwrap();
    tx.claim(&ids[2..], 2, t(81)).await.unwrap();
    assert_eq!(tx.under_way().await.unwrap(), 3);
    assert_eq!(tx.other_workers(1).await.unwrap(), [(2, t(202))]);
    assert!(tx.due_messages(edition, t(81), 10).await.unwrap().is_empty());
    let begun = tx.begin_content(&[(ids[0], 1), (ids[1], 2)], t(82)).await.unwrap();
    assert_eq!(begun, [ids[0]], "an attempt that is not the message's own does not begin");
    let ended = [outcome(&messages[0], 1, "accepted"), outcome(&messages[1], 2, "failed")];
    tx.end_attempts(&ended, t(83)).await.unwrap();
    let attempt = AttemptRow {
        number: 1,
        claimed_at: t(81),
        content_at: Some(t(82)),
        ended_at: Some(t(83)),
        stage: "reply".into(),
        outcome: Some("accepted".into()),
        reply_code: Some(250),
        reply: Some("250 ok".into()),
    };
    is(tx.attempts(ids[0]).await.unwrap(), vec![attempt]);
    let accepted = tx.message(ids[0]).await.unwrap().unwrap();
    assert_eq!((accepted.state, accepted.attempts), (MessageState::Accepted, 1));
    let fenced = tx.message(ids[1]).await.unwrap().unwrap();
    assert_eq!((fenced.state, fenced.cause), (MessageState::Sending, None));
    // A worker that is gone: what had begun is in doubt, and the list has it sent again.
    tx.begin_content(&[(ids[2], 1)], t(85)).await.unwrap();
    assert_eq!(tx.take_over(2, t(86)).await.unwrap(), 1);
    let again = tx.message(ids[2]).await.unwrap().unwrap();
    assert_eq!((again.state, again.next_try_at), (MessageState::Queued, t(86)));
    let doubt = tx.doubts(edition).await.unwrap().remove(0);
    assert_eq!((doubt.message, doubt.attempt, doubt.at), (ids[2], 1, Some(t(86))));
    assert_eq!((doubt.subscriber, doubt.state), (messages[2].subscriber_id, MessageState::Queued));
    assert_eq!(tx.take_over(1, t(87)).await.unwrap(), 0);
    let released = tx.attempts(ids[1]).await.unwrap().remove(0);
    assert_eq!((released.outcome.as_deref(), released.content_at), (Some("released"), None));
    ends(&mut tx, &ids, edition).await;
    tx.commit().await.unwrap();
}

/// Every message comes to its end, and the edition with them.
async fn ends(tx: &mut banditore::store::Tx<'_>, ids: &[i64], edition: i64) {
    assert!(!tx.end_edition(edition).await.unwrap());
    tx.end_unsent(ids[0], MessageState::Cancelled, "suppressed", t(88)).await.unwrap();
    let kept = tx.message(ids[0]).await.unwrap().unwrap().state;
    assert_eq!(kept, MessageState::Accepted, "what was sent is never ended as unsent");
    tx.end_unsent(ids[1], MessageState::Expired, "too old", t(88)).await.unwrap();
    tx.end_unsent(ids[2], MessageState::Cancelled, "suppressed", t(88)).await.unwrap();
    assert!(tx.end_edition(edition).await.unwrap());
    let expired = tx.messages_after(0, Some(MessageState::Expired), 10).await.unwrap();
    assert_eq!(expired.iter().map(|row| row.id).collect::<Vec<_>>(), [ids[1]]);
    assert_eq!(expired[0].cause.as_deref(), Some("too old"));
    // Nothing goes out of an edition that has ended.
    assert!(!tx.resend_by_name(ids[1], "by sindaco", t(89), t(90)).await.unwrap());
    tx.reopen_edition(edition).await.unwrap();
    assert!(tx.resend_by_name(ids[1], "by sindaco", t(89), t(90)).await.unwrap());
    assert!(!tx.resend_by_name(ids[0], "by sindaco", t(89), t(90)).await.unwrap());
    let resent = tx.message(ids[1]).await.unwrap().unwrap();
    assert_eq!((resent.state, resent.next_try_at), (MessageState::Queued, t(89)));
    assert_eq!(tx.edition(edition).await.unwrap().unwrap().state, "open");
    assert_eq!(tx.due_messages(edition, t(89), 10).await.unwrap()[0].expires_at, t(90));
}
