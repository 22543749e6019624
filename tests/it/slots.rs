//! A slot is a local date and time, and is told exactly once, whatever the clocks do.

use banditore::editions::{
    GATHERING_SECONDS, IMMEDIATE_A_DAY_MAX, InvalidSchedule, Schedule, day_start, next_midnight,
};
use banditore::model::{CadenceId, ListId, SourceId, Timestamp};
use banditore::store::EntryReason;

use crate::support::{self, Ground, ZONE, at, id};

/// The slots after one instant and up to another, as a planner that looks every minute has them.
fn slots(cron: &str, from: &str, until: &str) -> Vec<(String, String)> {
    let schedule = Schedule::parse(cron).unwrap();
    let (mut last, mut now) = (at(from), at(from));
    let mut found = Vec::new();
    while now <= at(until) {
        if let Some(slot) = schedule.due(last, now, ZONE) {
            assert!(slot.at > last && slot.at <= now);
            assert!(now.0 - slot.at.0 < 60, "{} came late", slot.name);
            last = slot.at;
            found.push((slot.name, slot.at.rfc3339(ZONE)));
        }
        now = now.plus(60);
    }
    // Looking ahead finds the same instants.
    let (mut after, mut ahead) = (at(from), Vec::new());
    while let Some(slot) = schedule.next(after, ZONE).filter(|slot| slot.at <= at(until)) {
        after = slot.at;
        ahead.push(slot.at.rfc3339(ZONE));
    }
    assert!(found.iter().map(|(_, at)| at).eq(&ahead), "{ahead:?}");
    found
}

fn instants(cron: &str, from: &str, until: &str) -> Vec<String> {
    slots(cron, from, until).into_iter().map(|(_, at)| at).collect()
}

#[test]
fn a_slot_in_the_gap_of_march_comes_once_at_the_first_instant_after_the_gap() {
    let found = instants("0 30 2 * * *", "2027-03-27T12:00:00Z", "2027-03-29T12:00:00Z");
    assert_eq!(found, ["2027-03-28T03:00:00+02:00", "2027-03-29T02:30:00+02:00"]);
}

#[test]
fn a_slot_in_the_fold_of_october_comes_once_at_the_first_of_the_two() {
    let found = instants("0 30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z");
    assert_eq!(found, ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]);
}

#[test]
fn every_hour_skips_the_hour_that_is_missing_and_comes_once_in_the_hour_that_is_twice() {
    let march = instants("0 0 * * * *", "2027-03-28T00:30:00+01:00", "2027-03-28T05:00:00+02:00");
    let expected = [
        "2027-03-28T01:00:00+01:00",
        // Two o'clock does not exist; its slot falls on three, and three's own is the same instant.
        "2027-03-28T03:00:00+02:00",
        "2027-03-28T04:00:00+02:00",
        "2027-03-28T05:00:00+02:00",
    ];
    assert_eq!(march, expected);
    let october = instants("0 0 * * * *", "2026-10-25T00:30:00+02:00", "2026-10-25T04:00:00+01:00");
    let expected = [
        "2026-10-25T01:00:00+02:00",
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T03:00:00+01:00",
        "2026-10-25T04:00:00+01:00",
    ];
    assert_eq!(october, expected);
}

#[test]
fn the_29th_of_february_and_the_turn_of_the_year_are_days_like_others() {
    let leap = slots("0 0 7 29 Feb *", "2026-01-01T00:00:00Z", "2026-03-02T00:00:00Z");
    assert_eq!(leap, []);
    let schedule = Schedule::parse("0 0 7 29 Feb *").unwrap();
    let next = schedule.next(at("2026-01-01T00:00:00Z"), ZONE).unwrap();
    assert_eq!(next.name, "2028-02-29T07:00:00");
    let daily = slots("0 0 7 * * *", "2028-02-28T00:00:00Z", "2028-03-01T12:00:00Z");
    let names: Vec<&str> = daily.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["2028-02-28T07:00:00", "2028-02-29T07:00:00", "2028-03-01T07:00:00"]);
    let year = slots("0 30 0 * * *", "2026-12-31T12:00:00Z", "2027-01-02T00:00:00Z");
    assert_eq!(year.len(), 2);
    assert_eq!(year[0], ("2027-01-01T00:30:00".into(), "2027-01-01T00:30:00+01:00".into()));
}

#[test]
fn a_weekly_slot_is_on_the_day_that_is_named() {
    let found = instants("0 0 7 * * Mon", "2026-11-17T00:00:00Z", "2026-12-01T00:00:00Z");
    assert_eq!(found, ["2026-11-23T07:00:00+01:00", "2026-11-30T07:00:00+01:00"]);
    assert_eq!(at("2026-11-23T07:00:00+01:00").in_zone(ZONE).format("%A").to_string(), "Monday");
}

#[test]
fn weekdays_as_numbers_are_refused_with_what_to_write() {
    for cron in ["0 0 7 * * 1", "0 0 7 * * 1-5", "0 0 7 * * */2", "0 0 7 * * Mon,3"] {
        let error = Schedule::parse(cron).unwrap_err();
        assert_eq!(error, InvalidSchedule::NumberedWeekday, "{cron}");
        assert!(error.hint().contains("Mon, Tue, Wed"));
    }
    for cron in ["", "7 * * *", "0 7 * * Mon", "0 0 25 * * *", "immediately", "0 0 7 * * Lun"] {
        let error = Schedule::parse(cron).unwrap_err();
        assert!(matches!(error, InvalidSchedule::Cron(_)), "{cron}");
        assert!(error.hint().contains("0 0 7 * * *"), "{cron}");
    }
}

#[test]
fn a_schedule_is_read_as_it_was_written() {
    for text in ["immediate", "0 0 7 * * *", "0 0 7 * * Mon", "0 0 9 1 * * 2027"] {
        assert_eq!(Schedule::read(text).unwrap().to_string(), text);
    }
}

#[test]
fn days_begin_and_end_at_local_midnight() {
    let change = at("2026-10-25T12:00:00Z");
    assert_eq!(day_start(change, ZONE).rfc3339(ZONE), "2026-10-25T00:00:00+02:00");
    assert_eq!(next_midnight(change, ZONE).rfc3339(ZONE), "2026-10-26T00:00:00+01:00");
    assert_eq!(next_midnight(change, ZONE).0 - day_start(change, ZONE).0, 25 * 3_600);
    let midnight = at("2026-11-25T00:00:00+01:00");
    assert_eq!(day_start(midnight, ZONE), midnight);
    assert_eq!(next_midnight(midnight, ZONE), midnight.plus(24 * 3_600));
}

/// A list with one cadence and one reader who wants everything.
struct House {
    ground: Ground,
    list: ListId,
    cadence: CadenceId,
    entries: i64,
}

impl House {
    async fn new(cadence: &str, schedule: &str, now: &str) -> Self {
        let (ground, now) = (Ground::new().await, at(now));
        let (list, cadence): (ListId, CadenceId) = (id("residents"), id(cadence));
        let mut tx = ground.store.write().await.unwrap();
        tx.upsert_source(&id("comune"), "https://example.org/", "{}", false).await.unwrap();
        tx.upsert_list(&support::list_row(&list, false), now).await.unwrap();
        tx.carry(&list, None).await.unwrap();
        tx.upsert_cadence(&list, &cadence, schedule, now).await.unwrap();
        let wanted = support::everything(&cadence);
        support::join(&mut tx, "anna@example.org", &list, &wanted, now).await;
        tx.commit().await.unwrap();
        Self { ground, list, cadence, entries: 0 }
    }

    async fn publish(&mut self, now: Timestamp) {
        let source: SourceId = id("comune");
        self.entries += 1;
        let mut tx = self.ground.store.write().await.unwrap();
        let (text, identity) = (support::revision("Avviso"), self.entries.to_string());
        let item = tx.insert_item(&source, &identity, "", false, &text, now).await.unwrap();
        tx.append_entries(&[(item, 1, source)], EntryReason::New, now).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// The slots, considered subscriptions and messages of what is planned at an instant.
    async fn planned(&self, now: Timestamp) -> Vec<(String, i64, i64)> {
        let planned = support::planner(&self.ground.store, 2).plan_due(now).await.unwrap();
        let row = |row: banditore::store::EditionRow| {
            assert_eq!((&row.list_id, &row.cadence), (&self.list, &self.cadence));
            (row.slot, row.considered, row.planned_messages)
        };
        planned.into_iter().map(row).collect()
    }
}

#[tokio::test]
async fn nothing_is_due_before_the_cadence_was_made() {
    let mut house = House::new("daily", "0 0 7 * * *", "2026-11-25T08:00:00+01:00").await;
    house.publish(at("2026-11-25T08:10:00+01:00")).await;
    for time in ["2026-11-25T08:30:00+01:00", "2026-11-26T06:59:59+01:00"] {
        assert_eq!(house.planned(at(time)).await, []);
    }
    let expected = [("2026-11-26T07:00:00".to_owned(), 1, 1)];
    assert_eq!(house.planned(at("2026-11-26T07:00:00+01:00")).await, expected);
    assert_eq!(house.planned(at("2026-11-26T07:00:00+01:00")).await, []);
}

#[tokio::test]
async fn a_daemon_down_from_friday_to_tuesday_sends_one_edition_for_the_newest_slot() {
    let mut house = House::new("daily", "0 0 7 * * *", "2026-11-20T06:00:00+01:00").await;
    house.publish(at("2026-11-20T06:30:00+01:00")).await;
    let friday = [("2026-11-20T07:00:00".to_owned(), 1, 1)];
    assert_eq!(house.planned(at("2026-11-20T07:00:30+01:00")).await, friday);
    house.publish(at("2026-11-20T09:00:00+01:00")).await;
    house.publish(at("2026-11-20T10:00:00+01:00")).await;
    let tuesday = [("2026-11-24T07:00:00".to_owned(), 1, 1)];
    assert_eq!(house.planned(at("2026-11-24T11:00:00+01:00")).await, tuesday);
    assert_eq!(house.planned(at("2026-11-24T11:00:00+01:00")).await, []);
    assert_eq!(house.planned(at("2026-11-25T06:00:00+01:00")).await, []);
}

#[tokio::test]
async fn a_clock_that_is_set_back_tells_no_slot_twice() {
    let mut house = House::new("daily", "0 0 7 * * *", "2026-11-20T06:00:00+01:00").await;
    house.publish(at("2026-11-20T06:30:00+01:00")).await;
    assert_eq!(house.planned(at("2026-11-21T07:00:00+01:00")).await.len(), 1);
    house.publish(at("2026-11-20T06:40:00+01:00")).await;
    assert_eq!(house.planned(at("2026-11-20T07:30:00+01:00")).await, []);
    assert_eq!(house.planned(at("2026-11-21T08:00:00+01:00")).await, []);
    assert_eq!(house.planned(at("2026-11-22T07:00:00+01:00")).await.len(), 1);
}

#[tokio::test]
async fn an_immediate_edition_waits_the_gathering_time_after_its_first_entry() {
    let start = at("2026-11-25T09:00:00+01:00");
    let mut house = House::new("immediate", "immediate", "2026-11-25T08:00:00+01:00").await;
    assert_eq!(house.planned(start).await, []);
    house.publish(start).await;
    house.publish(start.plus(GATHERING_SECONDS - 10)).await;
    assert_eq!(house.planned(start.plus(GATHERING_SECONDS - 1)).await, []);
    let expected = [("2026-11-25T09:05:00+01:00".to_owned(), 1, 1)];
    assert_eq!(house.planned(start.plus(GATHERING_SECONDS)).await, expected);
    assert_eq!(house.planned(start.plus(2 * GATHERING_SECONDS)).await, []);
    // Two that come at once have slots of their own, even when nobody looked for a while.
    house.publish(start.plus(GATHERING_SECONDS)).await;
    assert_eq!(house.planned(start.plus(10 * GATHERING_SECONDS)).await.len(), 1);
}

#[tokio::test]
async fn whoever_has_had_enough_for_a_day_is_told_the_rest_at_midnight() {
    let start = at("2026-10-24T20:00:00+02:00");
    let mut house = House::new("immediate", "immediate", "2026-10-24T19:00:00+02:00").await;
    for round in 0..IMMEDIATE_A_DAY_MAX + 2 {
        let now = start.plus(round * 2 * GATHERING_SECONDS);
        house.publish(now).await;
        let planned = house.planned(now.plus(GATHERING_SECONDS)).await;
        let told = i64::from(round < IMMEDIATE_A_DAY_MAX);
        assert_eq!(planned.len(), 1);
        assert_eq!((planned[0].1, planned[0].2), (told, told), "round {round}");
    }
    assert_eq!(house.planned(at("2026-10-24T23:59:59+02:00")).await, []);
    let midnight = [("2026-10-25T00:00:00+02:00".to_owned(), 1, 1)];
    assert_eq!(house.planned(at("2026-10-25T00:00:00+02:00")).await, midnight);
    let mut tx = house.ground.store.read().await.unwrap();
    let messages = tx.messages_after(0, None, 100).await.unwrap();
    let last = tx.variant(messages.last().unwrap().variant_id).await.unwrap().unwrap();
    assert_eq!(last.variant.entries.len(), 2, "both that were left out come together");
    drop(tx);
    assert_eq!(house.planned(at("2026-10-26T00:00:00+01:00")).await, []);
}
