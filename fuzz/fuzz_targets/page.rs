//! Any octets read as a page: an error or items, never a panic.
#![no_main]

use banditore::ingest::{PageSelectors, SourceKind, find_selectors, read};
use banditore::model::Timestamp;
use chrono_tz::Europe::Rome;
use libfuzzer_sys::fuzz_target;
use url::Url;

fn look(data: &[u8], content_type: Option<&str>) {
    let base = Url::parse("https://www.comune.example/a/b").expect("an address");
    let (selectors, now) = (PageSelectors::default(), Timestamp(1_669_363_200));
    let _ = read(data, content_type, &base, SourceKind::Page, &selectors, Rome, now);
}

fuzz_target!(|data: &[u8]| {
    look(data, None);
    let _ = find_selectors(data, None, Rome, Timestamp(1_669_363_200));
});
