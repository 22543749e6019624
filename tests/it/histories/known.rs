//! Histories that the planner once got wrong, as short as they could be made.

use super::events::{Event, History, Wish};
use super::run;

fn wish(cadence: usize, topics: &[usize], places: &[usize], words: &[usize]) -> Wish {
    let (topics, places, words) = (topics.to_vec(), places.to_vec(), words.to_vec());
    Wish { cadence, topics, places, words, english: false }
}

fn join(person: usize, list: usize, wish: Wish) -> Event {
    Event::Join { person, list, wish }
}

fn publish(source: usize, topics: &[usize], places: &[usize], words: &[usize]) -> Event {
    Event::Publish {
        source,
        topics: topics.to_vec(),
        places: places.to_vec(),
        words: words.to_vec(),
        days_left: None,
        days_published: None,
        corrects: None,
    }
}

fn agrees(chunk: i64, messages: usize, events: Vec<Event>) {
    assert_eq!(run(&History { chunk, events }), Ok(messages));
}

#[test]
fn an_item_withdrawn_between_two_chunks_is_not_told_by_the_second() {
    let (list, cadence) = (0, 1);
    let everything = || wish(cadence, &[], &[], &[]);
    agrees(
        1,
        1,
        vec![
            join(0, list, everything()),
            join(1, list, everything()),
            publish(0, &[0], &[], &[]),
            Event::Wait { seconds: 24 * 3_600 },
            Event::Open { list, cadence },
            Event::Step { list, cadence },
            Event::Withdraw { item: 0 },
            // Nor where another process goes on, which finds what the first one decided.
            Event::Crash { list, cadence },
            Event::Finish { list, cadence },
        ],
    );
}

#[test]
fn a_followed_word_is_found_in_what_only_a_subscription_that_moved_in_has_not_been_told() {
    let (list, cadence) = (0, 1);
    agrees(
        2,
        1,
        vec![
            join(5, list, wish(2, &[0], &[], &[0])),
            publish(0, &[1], &[1], &[1]),
            Event::Wait { seconds: 24 * 3_600 },
            Event::Open { list, cadence },
            Event::Finish { list, cadence },
            publish(1, &[1], &[], &[0]),
            Event::Wait { seconds: 24 * 3_600 },
            Event::Open { list, cadence },
            join(5, list, wish(cadence, &[2], &[], &[1])),
            Event::Finish { list, cadence },
        ],
    );
}

#[test]
fn whoever_moves_away_and_back_while_an_edition_is_planned_is_told_by_the_next() {
    let (list, cadence) = (1, 1);
    agrees(
        1,
        2,
        vec![
            join(4, list, wish(cadence, &[], &[], &[])),
            publish(0, &[0], &[], &[]),
            Event::Wait { seconds: 24 * 3_600 },
            Event::Open { list, cadence },
            Event::Step { list, cadence },
            join(4, list, wish(2, &[], &[], &[])),
            join(4, list, wish(cadence, &[], &[], &[])),
            Event::Finish { list, cadence },
            Event::Approve { list, cadence },
            Event::Wait { seconds: 24 * 3_600 },
            Event::Open { list, cadence },
            Event::Finish { list, cadence },
        ],
    );
}

#[test]
fn a_word_given_up_between_two_chunks_brings_nothing_any_more() {
    let (list, cadence) = (1, 1);
    agrees(
        3,
        1,
        vec![
            join(0, list, wish(cadence, &[2], &[], &[0])),
            join(5, list, wish(cadence, &[], &[], &[])),
            Event::DropPins { list, cadence, limit: 2 },
            publish(0, &[1], &[], &[0]),
            join(0, list, wish(cadence, &[2], &[1], &[0])),
            Event::Wait { seconds: 4 * 24 * 3_600 },
            Event::Open { list, cadence },
            Event::Step { list, cadence },
            join(0, list, wish(cadence, &[0, 2], &[1], &[])),
            Event::Finish { list, cadence },
        ],
    );
}

#[test]
fn two_processes_that_plan_one_edition_by_turns_write_each_message_once() {
    let (list, cadence) = (0, 1);
    let everything = || wish(cadence, &[], &[], &[]);
    let mut events: Vec<Event> = (0..6).map(|person| join(person, list, everything())).collect();
    events.extend([
        publish(0, &[0], &[], &[]),
        Event::Wait { seconds: 24 * 3_600 },
        Event::Open { list, cadence },
    ]);
    for _ in 0..6 {
        events.extend([Event::Rival { list, cadence }, Event::Step { list, cadence }]);
    }
    events.push(Event::Finish { list, cadence });
    agrees(1, 6, events);
}
