//! The planner agrees with a model that decides for each subscriber alone, whatever happens, and
//! whenever. A failure prints the seed and the shortest history found that still fails.

mod events;
mod known;
mod world;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use events::History;

use crate::support::Engine;

/// How many histories run where `BANDITORE_HISTORIES` does not say another number: on SQLite, and
/// on PostgreSQL, where each makes a database first.
const HISTORIES: (u64, u64) = (200, 60);
/// Events of a history, after its people have joined; a rush of news comes on top.
const EVENTS: usize = 80;
/// Histories tried in looking for a shorter one that still fails.
const SHORTENING_TRIES: usize = 400;

fn run(history: &History) -> Result<usize, String> {
    run_explaining(history, false).map(|(messages, _)| messages)
}

fn run_explaining(history: &History, explained: bool) -> Result<(usize, usize), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(world::run(history, explained))
}

/// Runs a history and explains, when it has ended, what becomes of every item for every person.
/// Gives how many such pairs there were, or what explaining got wrong, with the shortest history.
pub fn explained(seed: u64) -> Result<usize, String> {
    let run = |history: &History| run_explaining(history, true).map(|(_, pairs)| pairs);
    let history = History::random(seed, EVENTS);
    run(&history).map_err(|why| {
        let (short, last) = shorten(history, why, run);
        format!("history {seed}: {last}\n{}", told(&short))
    })
}

fn told(history: &History) -> String {
    let events: Vec<String> = history.events.iter().map(|event| format!("  {event:?}")).collect();
    format!("chunks of {}\n{}", history.chunk, events.join("\n"))
}

/// Leaves out events as long as the history still fails.
fn shorten(
    mut history: History,
    mut why: String,
    run: impl Fn(&History) -> Result<usize, String>,
) -> (History, String) {
    let mut tries = 0;
    let mut size = history.events.len() / 2;
    while size > 0 {
        let mut start = 0;
        while start < history.events.len() && tries < SHORTENING_TRIES {
            let mut shorter = history.clone();
            let end = (start + size).min(shorter.events.len());
            shorter.events.drain(start..end);
            tries += 1;
            match run(&shorter) {
                Err(still) => (history, why) = (shorter, still),
                Ok(_) => start += size,
            }
        }
        size /= 2;
    }
    (history, why)
}

fn number(variable: &str, default: u64) -> u64 {
    let text = std::env::var(variable);
    text.map_or(default, |text| text.parse().expect("the number of histories, or a seed"))
}

#[test]
fn the_planner_agrees_with_a_model_that_decides_for_each_subscriber_alone() {
    let default = match Engine::of_this_run() {
        Engine::Sqlite => HISTORIES.0,
        Engine::Postgres => HISTORIES.1,
    };
    let histories = number("BANDITORE_HISTORIES", default);
    let first = number("BANDITORE_SEED", 1);
    let next = AtomicU64::new(first);
    let (messages, events) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let began = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + histories {
                        break;
                    }
                    let history = History::random(seed, EVENTS);
                    events.fetch_add(history.events.len(), Ordering::Relaxed);
                    match run(&history) {
                        Ok(written) => _ = messages.fetch_add(written, Ordering::Relaxed),
                        Err(why) => {
                            next.store(first + histories, Ordering::Relaxed);
                            let (short, last) = shorten(history, why.clone(), run);
                            panic!("history {seed}: {why}\nshortened: {last}\n{}", told(&short));
                        }
                    }
                }
            });
        }
    });
    println!(
        "{histories} histories from seed {first}: {} events, {} messages, none differs, {:.0} s",
        events.into_inner(),
        messages.into_inner(),
        began.elapsed().as_secs_f64()
    );
}
