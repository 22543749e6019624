//! Any text read as a date: an instant or none, never a panic.
#![no_main]

use banditore::ingest::{date_of, parse_date};
use banditore::model::Timestamp;
use chrono_tz::Europe::Rome;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (i64, &str)| {
    let (now, text) = input;
    let _ = parse_date(text, Rome, Timestamp(now));
    let _ = date_of(text, Rome, Timestamp(now));
});
