//! One round of the work: poll what is due, plan what is due, deliver what is due. It joins the
//! rooms and holds no rule of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::{ConfigError, EVERY_SECONDS_DEFAULT, SourceSettings};
use crate::delivery::smtp::{InvalidRelay, Relay, StageLimits};
use crate::delivery::{Delivered, Delivery, DeliveryError, Run, Totals, Until};
use crate::editions::PlanError;
use crate::ingest::{
    FETCH_SECONDS_MAX, FetchError, FetchRequest, Fetched, Fetcher, NewItem, ReadError, TakenIn,
    Validators, full_texts, read, take_in,
};
use crate::installation::Installation;
use crate::model::{SourceId, Timestamp};
use crate::store::{EditionRow, EntryReason, SourceRow, StoreError, Tx};
use crate::topics::ItemText;

/// How many sources are fetched at once.
pub const SOURCES_AT_ONCE: usize = 8;
/// How long a source is claimed by whoever polls it, in seconds: what a fetch takes at most, and
/// time to read it and take it in.
pub const CLAIM_SECONDS: i64 = FETCH_SECONDS_MAX.cast_signed() + 30;

/// How often it is looked whether what others poll is in, in milliseconds.
const OTHERS_LOOK_MS: u64 = 50;

/// What a poll came to.
#[derive(Clone, Debug, Serialize)]
pub struct Polled {
    /// The source.
    pub source: String,
    /// Items that are new and will be told.
    pub new: usize,
    /// Items of the first answer, which tells nobody.
    pub baseline: usize,
    /// Items whose text has changed.
    pub revised: usize,
    /// What went wrong, in words.
    pub error: Option<String>,
    /// What was repaired or left out.
    pub warnings: Vec<String>,
}

/// What a round came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RoundReport {
    /// Sources polled.
    pub polled: usize,
    /// Items that are new and will be told.
    pub new_items: usize,
    /// Editions planned.
    pub editions: usize,
    /// Messages written.
    pub messages: i64,
    /// What happened to them.
    #[serde(flatten)]
    pub totals: Totals,
    /// What could not be read or reached, in words.
    pub errors: Vec<String>,
    /// Why the relay could not be reached, if so.
    #[serde(skip)]
    pub relay_away: Option<String>,
}

/// Why a round stopped.
#[derive(Debug, thiserror::Error)]
pub enum RoundError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Fetching cannot be set up at all.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Planning.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Delivering.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    /// The relay's settings.
    #[error(transparent)]
    Relay(#[from] InvalidRelay),
    /// The settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The relay cannot be reached.
    #[error("the relay {relay} cannot be reached: {cause}")]
    RelayAway {
        /// Which.
        relay: String,
        /// What happened.
        cause: String,
    },
}

/// What one source could not give.
#[derive(Debug, thiserror::Error)]
enum SourceError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("its address cannot be used: {0}")]
    Address(#[from] url::ParseError),
    #[error("its settings cannot be read: {0}")]
    Settings(#[from] serde_json::Error),
    #[error("it could not be read to its end")]
    Broken(#[from] tokio::task::JoinError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Polls every source that is due, and waits for those that somebody else polls: what is due is in
/// when this ends. `only` one, due or not, claimed by somebody else or not.
///
/// # Errors
/// Where the database fails. A source that fails is a line of the report, and is polled again
/// later.
pub async fn poll(
    installation: &Installation,
    only: Option<&SourceId>,
) -> Result<Vec<Polled>, RoundError> {
    let fetcher = installation.fetcher()?;
    let Some(id) = only else {
        let _polling = installation.store.lock_polling().await?;
        let mut polled = Vec::new();
        let end = Instant::now() + Duration::from_secs(CLAIM_SECONDS.unsigned_abs());
        loop {
            let never = CancellationToken::new();
            poll_due(installation, &fetcher, &never, |poll| polled.push(poll)).await?;
            let now = installation.clock.now();
            let others = installation.store.read().await?.being_polled(now).await?;
            if others == 0 || Instant::now() > end {
                break;
            }
            tokio::time::sleep(Duration::from_millis(OTHERS_LOOK_MS)).await;
        }
        polled.sort_by(|a, b| a.source.cmp(&b.source));
        return Ok(polled);
    };
    let sources = installation.store.read().await?.sources().await?;
    match sources.iter().find(|source| source.id == *id) {
        None => Ok(Vec::new()),
        Some(source) => Ok(vec![poll_one(installation, &fetcher, source).await?]),
    }
}

/// Polls every source that is due and that nobody else polls, [`SOURCES_AT_ONCE`] at once, and
/// gives each poll to `seen` when it is done. Stopped, it gives up what it fetches; what was taken
/// in stays. The caller holds the lock of those who poll.
///
/// # Errors
/// Where the database fails, after the polls that were under way.
pub async fn poll_due(
    installation: &Installation,
    fetcher: &Fetcher,
    stop: &CancellationToken,
    mut seen: impl FnMut(Polled),
) -> Result<(), RoundError> {
    let mut under_way = FuturesUnordered::new();
    let mut claimed: Vec<(SourceId, Timestamp)> = Vec::new();
    let mut failed = None;
    loop {
        if failed.is_none() && !stop.is_cancelled() {
            let room = SOURCES_AT_ONCE - under_way.len();
            match claim(installation, room).await {
                Ok((sources, until)) => {
                    for source in sources {
                        claimed.push((source.id.clone(), until));
                        under_way.push(async move {
                            let polled = poll_one(installation, fetcher, &source).await;
                            (source.id, polled)
                        });
                    }
                }
                Err(error) => failed = Some(error),
            }
        }
        let done = tokio::select! {
            biased;
            () = stop.cancelled() => None,
            done = under_way.next() => done,
        };
        let Some((source, done)) = done else { break };
        match done {
            Ok(polled) => {
                claimed.retain(|(id, _)| *id != source);
                seen(polled);
            }
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    drop(under_way);
    if !claimed.is_empty() {
        let released = release(installation, &claimed).await;
        failed = failed.or(released.err());
    }
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// Claims sources that are due, at most so many; gives them and until when they are claimed.
async fn claim(
    installation: &Installation,
    room: usize,
) -> Result<(Vec<SourceRow>, Timestamp), StoreError> {
    let now = installation.clock.now();
    let until = now.plus(CLAIM_SECONDS);
    if room == 0 {
        return Ok((Vec::new(), until));
    }
    // Nearly always nothing is due: that is seen without waiting for those who write.
    let next = installation.store.read().await?.next_poll(now).await?;
    if next.is_none_or(|next| next > now) {
        return Ok((Vec::new(), until));
    }
    let mut tx = installation.store.write().await?;
    let room = i64::try_from(room).unwrap_or(i64::MAX);
    let sources = tx.claim_sources(now, until, room).await?;
    tx.commit().await?;
    Ok((sources, until))
}

/// Gives back what was claimed and not polled.
async fn release(
    installation: &Installation,
    claimed: &[(SourceId, Timestamp)],
) -> Result<(), StoreError> {
    let mut tx = installation.store.write().await?;
    for (source, until) in claimed {
        tx.release_source(source, *until).await?;
    }
    tx.commit().await
}

async fn poll_one(
    installation: &Installation,
    fetcher: &Fetcher,
    source: &SourceRow,
) -> Result<Polled, StoreError> {
    let mut polled = Polled {
        source: source.id.to_string(),
        new: 0,
        baseline: 0,
        revised: 0,
        error: None,
        warnings: Vec::new(),
    };
    match try_poll(installation, fetcher, source, &mut polled).await {
        Ok(taken) => {
            polled.new = taken.new.len();
            polled.baseline = taken.baseline;
            polled.revised = taken.revised.len();
        }
        Err(SourceError::Store(error)) => return Err(error),
        Err(error) => {
            let now = installation.clock.now();
            let text = error.to_string();
            let mut tx = installation.store.write().await?;
            if let Some(source) = still(&mut tx, source).await? {
                let next = next_poll(&source, now, source.failures + 1);
                tx.record_poll_failure(&source.id, now, next, &text).await?;
                tx.commit().await?;
            }
            polled.error = Some(text);
        }
    }
    Ok(polled)
}

async fn try_poll(
    installation: &Installation,
    fetcher: &Fetcher,
    source: &SourceRow,
    polled: &mut Polled,
) -> Result<TakenIn, SourceError> {
    let settings: SourceSettings = serde_json::from_str(&source.settings_json)?;
    let request = FetchRequest {
        url: source.url.parse()?,
        etag: source.etag.clone(),
        last_modified: source.last_modified.clone(),
        allow_private_network: settings.allow_private_network,
        allow_file: source.from_file,
    };
    let fetched = fetcher.fetch(&request).await?;
    let now = installation.clock.now();
    let (bytes, content_type, base, validators) = match fetched {
        Fetched::Body { bytes, content_type, base, etag, last_modified, .. } => {
            (bytes, content_type, base, Validators { etag, last_modified })
        }
        Fetched::NotModified { etag, last_modified } => {
            let etag = etag.or_else(|| source.etag.clone());
            let last_modified = last_modified.or_else(|| source.last_modified.clone());
            not_modified(installation, source, &Validators { etag, last_modified }).await?;
            return Ok(TakenIn::default());
        }
    };
    let zone = installation.config.site.timezone;
    // Reading is work for a processor: other sources' answers shall not wait for it.
    let (full_text, private) = (settings.full_text, settings.allow_private_network);
    let headline = settings.headline.or_found(source.headline.as_deref());
    let (mut reading, found, base) = tokio::task::spawn_blocking(move || {
        let SourceSettings { kind, page, .. } = settings;
        let content_type = content_type.as_deref();
        let mut reading = read(&bytes, content_type, &base, kind, &page, zone, now)?;
        let found = headline.apply(&mut reading);
        Ok::<_, ReadError>((reading, found, base))
    })
    .await??;
    polled.warnings.clone_from(&reading.warnings);
    if full_text {
        let store = &installation.store;
        let failed = full_texts(fetcher, store, source, &mut reading, &base, private).await?;
        polled.warnings.extend(failed);
    }
    let mut tx = installation.store.write().await?;
    let Some(source) = still(&mut tx, source).await? else { return Ok(TakenIn::default()) };
    let next = next_poll(&source, now, 0);
    if let Some(headline) = found {
        tx.set_headline(&source.id, headline.as_str()).await?;
    }
    let taken = take_in(&mut tx, &source, &reading, &validators, now, next).await?;
    tell(&mut tx, installation, &source, &taken, now).await?;
    tx.commit().await?;
    Ok(taken)
}

/// The source as it is now, locked until the transaction ends, so that of two polls of it the
/// second knows what the first took in; none where it was removed or has moved since it was
/// fetched: then the answer is another's.
async fn still(tx: &mut Tx<'_>, fetched: &SourceRow) -> Result<Option<SourceRow>, StoreError> {
    let source = tx.lock_source(&fetched.id).await?;
    Ok(source.filter(|source| source.url == fetched.url))
}

async fn not_modified(
    installation: &Installation,
    source: &SourceRow,
    validators: &Validators,
) -> Result<(), StoreError> {
    let now = installation.clock.now();
    let mut tx = installation.store.write().await?;
    let Some(source) = still(&mut tx, source).await? else { return Ok(()) };
    tx.record_poll(&crate::store::PollRow {
        source: &source.id,
        now,
        next: next_poll(&source, now, 0),
        etag: validators.etag.as_deref(),
        last_modified: validators.last_modified.as_deref(),
        title: None,
        changed: false,
        baseline: false,
    })
    .await?;
    tx.commit().await
}

/// Matches what was taken in, and puts what is new into the stream, last of all in the transaction.
async fn tell(
    tx: &mut Tx<'_>,
    installation: &Installation,
    source: &SourceRow,
    taken: &TakenIn,
    now: Timestamp,
) -> Result<(), StoreError> {
    let rules = &installation.rules;
    let new = taken.new.iter().map(|item| (item, 1));
    let revised = taken.revised.iter().map(|(item, revision)| (item, *revision));
    for (NewItem { id, text }, revision) in new.chain(revised) {
        let found = rules.classify(&ItemText {
            title: &text.title,
            text: &text.summary,
            categories: &text.categories,
            image_alt: &text.image_alt,
        });
        let found = serde_json::to_string(&found).expect("a classification has a JSON form");
        tx.insert_match(*id, revision, rules.version(), &found, now).await?;
    }
    let entries: Vec<(i64, i64, SourceId)> =
        taken.new.iter().map(|item| (item.id, 1, source.id.clone())).collect();
    tx.append_entries(&entries, EntryReason::New, now).await
}

/// When a source is due again: after its interval, doubled by each failure up to a day.
fn next_poll(source: &SourceRow, now: Timestamp, failures: i64) -> Timestamp {
    const FAILING_SECONDS_MAX: i64 = 24 * 3600;
    let settings: Option<SourceSettings> = serde_json::from_str(&source.settings_json).ok();
    let every = settings.map_or(EVERY_SECONDS_DEFAULT, |settings| settings.every_seconds);
    let doublings = u32::try_from(failures).unwrap_or(0).min(16);
    now.plus((every << doublings).min(FAILING_SECONDS_MAX.max(every)))
}

/// When the next source is due.
///
/// # Errors
/// Where the database fails.
pub async fn next_poll_at(installation: &Installation) -> Result<Option<Timestamp>, RoundError> {
    let now = installation.clock.now();
    Ok(installation.store.read().await?.next_poll(now).await?)
}

/// Plans every edition that is due.
///
/// # Errors
/// Where planning fails.
pub async fn plan(installation: &Installation) -> Result<Vec<EditionRow>, RoundError> {
    Ok(installation.planner().plan_due(installation.clock.now()).await?)
}

/// Delivers what is due; with `until_empty`, until nothing is on its way any more.
///
/// # Errors
/// Where the relay's settings cannot be used, or delivering stops.
pub async fn deliver(
    installation: &Installation,
    until_empty: bool,
    progress: watch::Sender<Totals>,
) -> Result<Delivered, RoundError> {
    let until = if until_empty { Until::Empty } else { Until::Tried };
    Ok(delivery(installation)?.run(&Run::of(until, progress)).await?)
}

/// What delivers, by the settings.
///
/// # Errors
/// Where the relay's settings cannot be used.
pub fn delivery(installation: &Installation) -> Result<Delivery, RoundError> {
    let smtp = installation.config.require_smtp()?;
    let host = host_name(installation);
    let relay = Relay::new(smtp, host, StageLimits::default())?;
    Ok(Delivery {
        store: installation.store.clone(),
        keys: installation.keys.clone(),
        zone: installation.config.site.timezone,
        clock: installation.clock.clone(),
        relay: Arc::new(relay),
        connections: smtp.connections,
        messages_per_second: smtp.messages_per_second,
        lease_seconds: installation.config.delivery.lease_seconds,
    })
}

/// The name said in EHLO: the host of the site's pages (RFC 5321 4.1.4 asks for the machine's own
/// name; behind a relay of one's own this is the one that people can place).
fn host_name(installation: &Installation) -> String {
    let url = url::Url::parse(&installation.config.site.public_url).ok();
    let host = url.as_ref().and_then(url::Url::host_str).unwrap_or("localhost");
    host.trim_matches(['[', ']']).to_owned()
}

/// A whole round.
///
/// # Errors
/// Where a part of it cannot work at all; what was done before stays.
pub async fn once(
    installation: &Installation,
    progress: watch::Sender<Totals>,
) -> Result<RoundReport, RoundError> {
    let polled = poll(installation, None).await?;
    let planned = plan(installation).await;
    let mut report = RoundReport {
        polled: polled.len(),
        new_items: polled.iter().map(|poll| poll.new).sum(),
        ..RoundReport::default()
    };
    if let Ok(planned) = &planned {
        report.editions = planned.len();
        report.messages = planned.iter().map(|edition| edition.planned_messages).sum();
    }
    let failed = polled.into_iter().filter_map(|poll| {
        let error = poll.error?;
        Some(format!("source {}: {error}", poll.source))
    });
    report.errors = failed.collect();
    if installation.config.smtp.is_some() || report.messages > 0 {
        let delivered = deliver(installation, false, progress).await?;
        report.totals = delivered.totals;
        if let Some(cause) = &delivered.relay_away {
            let smtp = installation.config.require_smtp()?;
            report.errors.push(format!("relay {}:{}: {cause}", smtp.host, smtp.port));
        }
        report.relay_away = delivered.relay_away;
    }
    // What could be planned goes out, whatever could not.
    planned?;
    Ok(report)
}
