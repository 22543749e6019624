//! The whole text of items of which their source shows only a teaser, from their own page.
//!
//! It is polite: few pages a poll, one after another, of the source's own host, through the same
//! fetcher as everything else. It is done once: a page is asked for again only where the teaser has
//! changed, whatever came of it. What is no page (a PDF, an act's file) is linked and not read.

use std::time::Duration;

use url::Url;

use super::take_in::revision;
use super::{
    FetchRequest, Fetched, Fetcher, ReadItem, Reading, charset, clean, link_key, page, significant,
};
use crate::model::Timestamp;
use crate::store::{SourceRow, Store, StoreError};

/// How many pages are asked in one poll. Further new items keep their teaser.
pub const FULL_TEXTS_PER_POLL_MAX: usize = 5;

/// How many items of an answer are looked at for new ones; the newest stand first.
const TEASERS_LOOKED_AT_MAX: usize = 100;

/// How many seconds a poll spends on them altogether. With what a fetch takes it stays within the
/// time for which a source is claimed.
pub const FULL_TEXT_SECONDS_MAX: u64 = 20;

/// The largest page that is read, in octets.
pub const FULL_TEXT_BYTES_MAX: usize = 1024 * 1024;

/// The longest text, in characters, that can be a teaser.
pub const TEASER_CHARS_MAX: usize = 400;

/// Ends of addresses of files that are no pages.
const FILES: [&str; 16] = [
    ".pdf", ".p7m", ".doc", ".docx", ".odt", ".rtf", ".xls", ".xlsx", ".ods", ".csv", ".zip",
    ".jpg", ".jpeg", ".png", ".mp3", ".mp4",
];

/// The items that show only a teaser, each with its page on the host that answered.
fn teasers<'a>(reading: &'a Reading, base: &Url) -> Vec<(&'a ReadItem, &'a str)> {
    let items = reading.items.iter().filter(|item| item.act.is_none() && is_teaser(item));
    let pages = items.filter_map(|item| Some((item, item.link.as_deref()?)));
    pages.filter(|(_, link)| Url::parse(link).is_ok_and(|url| is_page_of(&url, base))).collect()
}

/// Whether an item's text is short enough to be a teaser. What stands between tags counts.
fn is_teaser(item: &ReadItem) -> bool {
    // Markup may be ten times as long as its text; nothing longer is looked at.
    if item.content.len() > 10 * TEASER_CHARS_MAX {
        return false;
    }
    let mut in_tag = false;
    let text = item.content.chars().filter(|c| {
        match c {
            '<' => in_tag = true,
            '>' => in_tag = false,
            _ => return !in_tag,
        }
        false
    });
    text.count() <= TEASER_CHARS_MAX
}

fn is_page_of(url: &Url, base: &Url) -> bool {
    let path = url.path().to_ascii_lowercase();
    let same_host = url.host().is_some() && url.host() == base.host();
    same_host
        && url.port_or_known_default() == base.port_or_known_default()
        && matches!(url.scheme(), "http" | "https")
        && !FILES.iter().any(|end| path.ends_with(end))
        && url.as_str() != base.as_str()
}

/// Gives each item that shows only a teaser, and is new or was changed, the text of its page, where
/// that is longer: at most [`FULL_TEXTS_PER_POLL_MAX`] pages in [`FULL_TEXT_SECONDS_MAX`]. Nothing
/// is asked for the first answer, which tells nobody. Gives what could not be read, for a person;
/// those items keep their teasers.
///
/// # Errors
/// Where the database fails.
pub async fn full_texts(
    fetcher: &Fetcher,
    store: &Store,
    source: &SourceRow,
    reading: &mut Reading,
    base: &Url,
    allow_private_network: bool,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    if source.baseline_at.is_none() {
        return Ok(Vec::new());
    }
    let links = new_teasers(store, source, reading, base, now).await?;
    let mut failed: Vec<String> = Vec::new();
    let all = async {
        for link in &links {
            let Ok(url) = Url::parse(link) else { continue };
            let request = FetchRequest { allow_private_network, ..FetchRequest::new(url) };
            match one(fetcher, &request, base).await {
                Ok(Some(html)) => keep(&mut reading.items, link, &html),
                Ok(None) => {}
                Err(cause) => failed.push(format!("the text of {link} was not read: {cause}")),
            }
        }
    };
    if tokio::time::timeout(Duration::from_secs(FULL_TEXT_SECONDS_MAX), all).await.is_err() {
        failed.push(format!("texts of items were not read after {FULL_TEXT_SECONDS_MAX} s"));
    }
    Ok(failed)
}

/// The pages of the items that show only a teaser and of which that is not known yet, the first
/// ones. A teaser that was changed may stand before a text that was, too.
async fn new_teasers(
    store: &Store,
    source: &SourceRow,
    reading: &Reading,
    base: &Url,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let teasers = teasers(reading, base);
    let mut new: Vec<String> = Vec::new();
    if teasers.is_empty() {
        return Ok(new);
    }
    let mut tx = store.read().await?;
    for (item, link) in teasers.into_iter().take(TEASERS_LOOKED_AT_MAX) {
        let known = tx.digests_by_key(&source.id, &link_key(link)).await?;
        let digest = significant::digest(&revision(item, now));
        if !known.contains(&digest) && !new.iter().any(|other| other == link) {
            new.push(link.to_owned());
        }
        if new.len() == FULL_TEXTS_PER_POLL_MAX {
            break;
        }
    }
    Ok(new)
}

/// What rules and followed words look at: the teaser, which mails show, and the page's text.
fn text_with_teaser(teaser: &str, html: &str) -> String {
    let text = clean::text_of(html);
    let begun = teaser.trim_end_matches(['…', '.', '[', ']', ' ']);
    match begun.is_empty() || text.starts_with(begun) {
        true => text,
        false => format!("{teaser}\n{text}"),
    }
}

fn keep(items: &mut [ReadItem], link: &str, html: &str) {
    for item in items.iter_mut().filter(|item| item.link.as_deref() == Some(link)) {
        let text = text_with_teaser(&item.summary, html);
        item.full_text = (text.len() > item.summary.len()).then_some(text);
    }
}

async fn one(
    fetcher: &Fetcher,
    request: &FetchRequest,
    source: &Url,
) -> Result<Option<String>, String> {
    let fetched = fetcher.fetch(request).await.map_err(|error| error.to_string())?;
    let Fetched::Body { bytes, content_type, base, .. } = fetched else { return Ok(None) };
    let is_html = content_type.as_deref().is_none_or(|kind| kind.contains("html"));
    if !is_html || !is_same_host(&base, source) {
        return Ok(None);
    }
    if bytes.len() > FULL_TEXT_BYTES_MAX {
        return Err(format!("more than {FULL_TEXT_BYTES_MAX} octets"));
    }
    let read = move || page::article(&charset::decode(&bytes, content_type.as_deref()).text, &base);
    tokio::task::spawn_blocking(read).await.map_err(|_| "it could not be read".to_owned())
}

fn is_same_host(url: &Url, source: &Url) -> bool {
    url.host() == source.host()
}
