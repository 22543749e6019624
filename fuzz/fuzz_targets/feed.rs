//! Any octets read as a feed: an error or items, never a panic.
#![no_main]

use banditore::ingest::{PageSelectors, SourceKind, read};
use banditore::model::Timestamp;
use chrono_tz::Europe::Rome;
use libfuzzer_sys::fuzz_target;
use url::Url;

fn look(data: &[u8], content_type: Option<&str>) {
    let base = Url::parse("https://www.comune.example/a/b").expect("an address");
    let (selectors, now) = (PageSelectors::default(), Timestamp(1_669_363_200));
    let _ = read(data, content_type, &base, SourceKind::Feed, &selectors, Rome, now);
}

fuzz_target!(|data: &[u8]| {
    look(data, None);
    // The first octet of the rest chooses what HTTP says of the charset.
    let said = ["text/xml", "text/xml; charset=utf-16", "text/html; charset=windows-1252"];
    if let Some((first, rest)) = data.split_first() {
        look(rest, Some(said[usize::from(*first) % said.len()]));
    }
});
