//! The whole text of items of which their source shows only a teaser, from their own page.
//!
//! It is polite: few pages a poll, one after another, of the source's own host, through the same
//! fetcher as everything else; a host that asks for time gets it. It is done once: a page is asked
//! for again only where the teaser has changed, whatever came of it, and not without end. What is
//! no page (a PDF, an act's file) is linked and not read.

use std::collections::BTreeSet;
use std::time::Duration;

use url::Url;

use super::identity::Keys;
use super::take_in::revision;
use super::{
    FetchError, FetchRequest, Fetched, Fetcher, ReadItem, Reading, charset, clean, page, retry_at,
    significant,
};
use crate::model::Timestamp;
use crate::store::{KeyedItem, NewRevision, SourceRow, Store, StoreError};

/// How many pages are asked in one poll. Further new items keep their teaser.
pub const FULL_TEXTS_PER_POLL_MAX: usize = 15;

/// How many pages are asked for one item: a revision each, and none beyond these.
pub const FULL_TEXTS_PER_ITEM_MAX: i64 = 5;

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
    is_same_host(url, base)
        && matches!(url.scheme(), "http" | "https")
        && !FILES.iter().any(|end| path.ends_with(end))
        && url.as_str() != base.as_str()
}

/// How many items show only a teaser before a page of their own, on the host that answered.
pub fn count_teasers(reading: &Reading, answered: &Url) -> usize {
    teasers(reading, answered).len()
}

/// What came of asking for texts.
#[derive(Debug, Default)]
pub struct TextsAsked {
    /// What was not read, for a person; those items keep their teasers.
    pub warnings: Vec<String>,
    /// Until when the host asks to be left alone.
    pub retry_at: Option<Timestamp>,
}

/// Gives each item that shows only a teaser, and is new or was changed, the text of its page, where
/// that is longer: at most [`FULL_TEXTS_PER_POLL_MAX`] pages in [`FULL_TEXT_SECONDS_MAX`], of the
/// host at the address that `answered`. Nothing is asked for the first answer, which tells nobody,
/// and nothing more of a host that says it has too much to do.
///
/// # Errors
/// Where the database fails.
pub async fn full_texts(
    fetcher: &Fetcher,
    store: &Store,
    source: &SourceRow,
    reading: &mut Reading,
    answered: &Url,
    allow_private_network: bool,
    now: Timestamp,
) -> Result<TextsAsked, StoreError> {
    let mut asked = TextsAsked::default();
    if source.baseline_at.is_none() {
        return Ok(asked);
    }
    let links = new_teasers(store, source, reading, answered, now).await?;
    let mut left = links.len();
    let all = async {
        for link in links.iter().take(FULL_TEXTS_PER_POLL_MAX) {
            let Ok(url) = Url::parse(link) else { continue };
            let request = FetchRequest { allow_private_network, ..FetchRequest::new(url) };
            let read = one(fetcher, &request, answered).await;
            left -= 1;
            match read {
                Ok(Some(html)) => keep(&mut reading.items, link, &html),
                Ok(None) => {}
                Err(error) => {
                    let cause = format!("the text of {link} was not read: {error}");
                    asked.warnings.push(cause);
                    if let NotRead::Fetch(error @ FetchError::Status { code: 429 | 503, .. }) =
                        error
                    {
                        asked.retry_at = retry_at(&error.into(), now);
                        break;
                    }
                }
            }
        }
    };
    // What is not asked now is not asked later: the items are known from here on.
    let _ = tokio::time::timeout(Duration::from_secs(FULL_TEXT_SECONDS_MAX), all).await;
    if left > 0 {
        asked.warnings.push(format!("{left} more item(s) keep their teasers"));
    }
    Ok(asked)
}

/// The pages of the items that show only a teaser and of which that is not known yet. A teaser that
/// was changed may stand before a text that was, too.
async fn new_teasers(
    store: &Store,
    source: &SourceRow,
    reading: &Reading,
    answered: &Url,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let teasers = teasers(reading, answered).into_iter().take(TEASERS_LOOKED_AT_MAX);
    let teasers: Vec<(String, Keys, &str)> = teasers
        .map(|(item, link)| {
            let text = revision(item, now);
            (significant::digest(&text), Keys::new(item.id.as_deref(), &text), link)
        })
        .collect();
    let mut new: Vec<String> = Vec::new();
    if teasers.is_empty() {
        return Ok(new);
    }
    let keys: Vec<&str> = teasers.iter().flat_map(|(_, keys, _)| by_any(keys)).collect();
    let mut tx = store.read().await?;
    let ids = tx.items_with_keys(&source.id, &keys).await?.into_iter().map(|(item, _)| item);
    let ids: Vec<i64> = ids.collect::<BTreeSet<i64>>().into_iter().collect();
    let known = if ids.is_empty() { Vec::new() } else { tx.keyed_items(&ids).await? };
    for (digest, keys, link) in teasers {
        if !is_known(&known, &digest, &keys) && !new.iter().any(|other| other == link) {
            new.push(link.to_owned());
        }
    }
    Ok(new)
}

/// By what an item with such a teaser is looked for: the publisher's id, the page, the text.
/// Either of the first two may be another one at each poll.
fn by_any(keys: &Keys) -> impl Iterator<Item = &str> {
    [&keys.id, &keys.link, &keys.text].into_iter().flatten().map(String::as_str)
}

/// Whether the teaser is known, or is one more of an item whose page was asked often enough.
fn is_known(known: &[KeyedItem], digest: &str, keys: &Keys) -> bool {
    let same = known.iter().filter(|item| item.digest == digest);
    if same.into_iter().any(|item| by_any(keys).any(|key| item.keys.contains(key))) {
        return true;
    }
    let own = [&keys.id, &keys.link].into_iter().flatten().find_map(|key| {
        let with = known.iter().filter(|item| item.keys.contains(key));
        with.map(|item| item.revision).min()
    });
    own.is_some_and(|revision| revision >= FULL_TEXTS_PER_ITEM_MAX)
}

/// The text of its page that an item had, behind the teaser that it has now: nobody could ask for
/// the page again. None where its source says all of it by now.
pub(super) fn carried(item: &ReadItem, before: &NewRevision) -> Option<String> {
    let former = before.full_text.as_deref().filter(|_| is_teaser(item))?;
    let page =
        former.strip_prefix(before.summary.as_str()).and_then(|rest| rest.strip_prefix('\n'));
    Some(behind(&item.summary, page.unwrap_or(former)))
}

/// What rules and followed words look at: the teaser, which mails show, and the page's text.
fn behind(teaser: &str, page: &str) -> String {
    let begun = teaser.trim_end_matches(['…', '.', '[', ']', ' ']);
    match begun.is_empty() || page.starts_with(begun) {
        true => page.to_owned(),
        false => format!("{teaser}\n{page}"),
    }
}

fn keep(items: &mut [ReadItem], link: &str, html: &str) {
    for item in items.iter_mut().filter(|item| item.link.as_deref() == Some(link)) {
        let text = behind(&item.summary, &clean::text_of(html));
        item.full_text = (text.len() > item.summary.len()).then_some(text);
    }
}

/// Why the text of a page was not read.
#[derive(Debug, thiserror::Error)]
enum NotRead {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("more than {FULL_TEXT_BYTES_MAX} octets")]
    TooLong,
    #[error("it could not be read")]
    Broken(#[from] tokio::task::JoinError),
}

async fn one(
    fetcher: &Fetcher,
    request: &FetchRequest,
    answered: &Url,
) -> Result<Option<String>, NotRead> {
    let fetched = fetcher.fetch(request).await?;
    let Fetched::Body { bytes, content_type, base, final_url, .. } = fetched else {
        return Ok(None);
    };
    let is_html = content_type.as_deref().is_none_or(|kind| kind.contains("html"));
    if !is_html || !is_same_host(&final_url, answered) {
        return Ok(None);
    }
    if bytes.len() > FULL_TEXT_BYTES_MAX {
        return Err(NotRead::TooLong);
    }
    let read = move || page::article(&charset::decode(&bytes, content_type.as_deref()).text, &base);
    Ok(tokio::task::spawn_blocking(read).await?)
}

/// Whether two addresses are of one host and port; what a server says of itself in a
/// Content-Location decides nothing here.
fn is_same_host(url: &Url, answered: &Url) -> bool {
    url.host().is_some()
        && url.host() == answered.host()
        && url.port_or_known_default() == answered.port_or_known_default()
}
