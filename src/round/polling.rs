//! One poll of one source: fetched, read, taken in and told, or recorded as failed.

use super::{Polled, reading};
use crate::config::SourceSettings;
use crate::ingest::{
    Answer, FeedHints, FetchRequest, Fetched, Fetcher, Notice, PollError, ReadError, Reading,
    ReadingKind, TakenIn, Validators, expected, full_texts, read, retry_at, take_answer,
    take_failure, take_in,
};
use crate::installation::Installation;
use crate::model::Timestamp;
use crate::store::{PollRow, SourceRow, StoreError, Tx, host_of};
use crate::telling;

pub(super) async fn poll_one(
    installation: &Installation,
    fetcher: &Fetcher,
    source: &SourceRow,
) -> Result<Polled, StoreError> {
    let mut polled = Polled {
        source: source.id.to_string(),
        new: 0,
        baseline: 0,
        revised: 0,
        held: 0,
        error: None,
        warnings: Vec::new(),
        notice: None,
    };
    match try_poll(installation, fetcher, source, &mut polled).await {
        Ok(taken) => {
            polled.new = taken.new.len();
            polled.baseline = taken.baseline;
            polled.revised = taken.revised.len();
            polled.held = taken.held.len();
        }
        Err(PollError::Store(error)) => return Err(error),
        Err(error) => {
            polled.notice = failed(installation, source, &error).await?;
            polled.error = Some(error.to_string());
        }
    }
    if let Some(notice) = polled.notice {
        let cause = polled.error.as_ref().map_or_else(String::new, |error| format!(": {error}"));
        tracing::warn!("source {} {}{cause}", source.id, notice.words());
    }
    Ok(polled)
}

/// Records a poll that failed. A server that asks for time is left alone by all sources there.
async fn failed(
    installation: &Installation,
    source: &SourceRow,
    error: &PollError,
) -> Result<Option<Notice>, StoreError> {
    let now = installation.clock.now();
    let mut tx = installation.store.write().await?;
    let Some(held) = still(&mut tx, source).await? else { return Ok(None) };
    let notice = take_failure(&mut tx, &held, error, now).await?;
    tx.commit().await?;
    postpone(installation, source.address(), retry_at(error, now)).await?;
    Ok(notice)
}

/// Lets all sources at the host of an address alone, where it asks for it.
async fn postpone(
    installation: &Installation,
    address: &str,
    until: Option<Timestamp>,
) -> Result<(), StoreError> {
    if let (Some(until), Some(host)) = (until, host_of(address)) {
        let mut tx = installation.store.write().await?;
        tx.postpone_host(&host, until).await?;
        tx.commit().await?;
    }
    Ok(())
}

async fn try_poll(
    installation: &Installation,
    fetcher: &Fetcher,
    source: &SourceRow,
    polled: &mut Polled,
) -> Result<TakenIn, PollError> {
    let settings: SourceSettings = serde_json::from_str(&source.settings_json)?;
    let request = FetchRequest {
        url: source.address().parse()?,
        etag: source.etag.clone(),
        last_modified: source.last_modified.clone(),
        validated: source.validated_url.as_deref().and_then(|url| url.parse().ok()),
        allow_private_network: settings.allow_private_network,
        allow_file: source.from_file,
    };
    let fetched = fetcher.fetch(&request).await?;
    let now = installation.clock.now();
    let mut answer = Answer::of(&fetched);
    let known = answer.is_known(source);
    let (body, validators) = match fetched {
        Fetched::Body { bytes, content_type, base, final_url, etag, last_modified, .. } => {
            (Some((bytes, content_type, base, final_url)), Validators { etag, last_modified })
        }
        Fetched::NotModified { etag, last_modified, .. } => {
            let etag = etag.or_else(|| source.etag.clone());
            let last_modified = last_modified.or_else(|| source.last_modified.clone());
            (None, Validators { etag, last_modified })
        }
    };
    let Some((bytes, content_type, base, answered)) = body.filter(|_| !known) else {
        polled.notice = unchanged(installation, source, &answer, &validators).await?;
        return Ok(TakenIn::default());
    };
    let zone = installation.config.site.timezone;
    // Reading is work for a processor: other sources' answers shall not wait for it.
    let (full_text, private) = (settings.full_text, settings.allow_private_network);
    let headline = settings.headline.or_found(source.headline.as_deref());
    let (hints, read, found) = reading::bounded(source.address(), move || {
        let SourceSettings { kind, page, .. } = settings;
        let mut read = read(&bytes, content_type.as_deref(), &base, kind, &page, zone, now);
        let found = read.as_mut().ok().and_then(|reading| headline.find_and_apply(reading));
        (hints_of(&read, &bytes), read, found)
    })
    .await?;
    let mut reading = expected(source, read)?;
    answer.hints = Some(hints);
    answer.read_as = Some(reading.kind);
    answer.site_link.clone_from(&reading.link);
    polled.warnings.clone_from(&reading.warnings);
    let mut retry_at = None;
    if full_text {
        let store = &installation.store;
        let ask = full_texts(fetcher, store, source, &mut reading, &answered, private, now);
        let asked = ask.await?;
        polled.warnings.extend(asked.warnings);
        retry_at = asked.retry_at;
    }
    let mut tx = installation.store.write().await?;
    let Some(source) = still(&mut tx, source).await? else { return Ok(TakenIn::default()) };
    if let Some(found) = &found {
        found.keep(&mut tx, &source, &reading, now).await?;
    }
    let taken = take_in(&mut tx, &source, &reading, &validators, now, now).await?;
    polled.warnings.extend(taken.warnings.iter().cloned());
    polled.notice = take_answer(&mut tx, &source, &answer, taken.is_change(), now).await?;
    telling::tell(&mut tx, &installation.rules, zone, &source, &taken, now).await?;
    tx.commit().await?;
    postpone(installation, answered.as_str(), retry_at).await?;
    Ok(taken)
}

/// What a feed says of when to ask again.
fn hints_of(read: &Result<Reading, ReadError>, bytes: &[u8]) -> FeedHints {
    let is_rss = read.as_ref().is_ok_and(|reading| reading.kind == ReadingKind::Rss);
    if is_rss { FeedHints::of(bytes) } else { FeedHints::default() }
}

/// The source as it is now, locked until the transaction ends, so that of two polls of it the
/// second knows what the first took in; none where it was removed or has moved since it was
/// fetched: then the answer is another's.
async fn still(tx: &mut Tx<'_>, fetched: &SourceRow) -> Result<Option<SourceRow>, StoreError> {
    let source = tx.lock_source(&fetched.id).await?;
    Ok(source.filter(|source| source.url == fetched.url && source.address() == fetched.address()))
}

/// Records an answer that says, or is, what was taken in before.
async fn unchanged(
    installation: &Installation,
    source: &SourceRow,
    answer: &Answer,
    validators: &Validators,
) -> Result<Option<Notice>, StoreError> {
    let now = installation.clock.now();
    let mut tx = installation.store.write().await?;
    let Some(source) = still(&mut tx, source).await? else { return Ok(None) };
    tx.record_poll(&PollRow {
        source: &source.id,
        now,
        next: now,
        etag: validators.etag.as_deref(),
        last_modified: validators.last_modified.as_deref(),
        title: None,
        changed: false,
        baseline: false,
    })
    .await?;
    let notice = take_answer(&mut tx, &source, answer, false, now).await?;
    tx.commit().await?;
    Ok(notice)
}
