//! One round of the work: poll what is due, plan what is due, deliver what is due. It joins the
//! rooms and holds no rule of its own.

mod polling;
mod reading;

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::audience::{self, AskError, Reception, office_due};
use crate::config::ConfigError;
use crate::delivery::smtp::{InvalidRelay, StageLimits};
use crate::delivery::{
    Delivered, Delivery, DeliveryError, DomainLimits, Drafts, Relays, Run, Totals, Until,
};
use crate::editions::PlanError;
use crate::ingest::{CLAIM_SECONDS, FetchError, Fetcher, Notice, PollError, claim_due, release};
use crate::installation::Installation;
use crate::model::{SourceId, Timestamp};
use crate::store::{EditionRow, SourceRow, StoreError};

use polling::poll_one;

/// How many sources are fetched at once.
pub const SOURCES_AT_ONCE: usize = 8;
pub use reading::{READING_SECONDS_MAX, READINGS_MAX};

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
    /// Items that are new and are kept for a person.
    pub held: usize,
    /// What went wrong, in words.
    pub error: Option<String>,
    /// What was repaired or left out.
    pub warnings: Vec<String>,
    /// What the admins are to know of the source, said this once.
    pub notice: Option<Notice>,
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
    /// Telling the office.
    #[error(transparent)]
    Office(#[from] AskError),
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
    // Claims and polls go on side by side: a claim that was waited for alone would wait for the
    // turn to write of a poll that nobody lets go on.
    let mut steps: FuturesUnordered<Pin<Box<dyn Future<Output = Step> + Send + '_>>> =
        FuturesUnordered::new();
    let mut claimed: Vec<(SourceId, Timestamp)> = Vec::new();
    let (mut polling, mut claiming, mut look, mut more) = (0, false, true, false);
    let mut failed = None;
    loop {
        let stopped = stop.is_cancelled();
        if look && !claiming && failed.is_none() && !stopped && polling < SOURCES_AT_ONCE {
            let (store, now) = (&installation.store, installation.clock.now());
            let room = SOURCES_AT_ONCE - polling;
            let claim = claim_due(store, room, more, now);
            steps.push(Box::pin(async move { Step::Claimed(room, claim.await) }));
            (claiming, look) = (true, false);
        }
        let step = tokio::select! {
            biased;
            // A claim that was begun is waited for, so that it can be given back.
            () = stop.cancelled(), if !claiming => None,
            step = steps.next() => step,
        };
        match step {
            None => break,
            Some(Step::Claimed(room, Ok((sources, until)))) => {
                // Where as many were due as there was room for, more are.
                (claiming, more) = (false, sources.len() == room);
                for source in sources {
                    claimed.push((source.id.clone(), until));
                    polling += 1;
                    steps.push(Box::pin(async move {
                        let polled = poll_one(installation, fetcher, &source).await;
                        Step::Polled(source.id, polled.map(Box::new))
                    }));
                }
            }
            Some(Step::Claimed(_, Err(error))) => {
                (claiming, failed) = (false, failed.or(Some(error)));
            }
            Some(Step::Polled(source, polled)) => {
                (polling, look) = (polling - 1, true);
                match polled {
                    Ok(polled) => {
                        claimed.retain(|(id, _)| *id != source);
                        seen(*polled);
                    }
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
        }
    }
    drop(steps);
    if !claimed.is_empty() {
        let released = release(&installation.store, &claimed).await;
        failed = failed.or(released.err());
    }
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// What is done while sources are polled.
enum Step {
    /// Sources were claimed, until an instant, where there was room for so many.
    Claimed(usize, Result<(Vec<SourceRow>, Timestamp), StoreError>),
    /// One was polled.
    Polled(SourceId, Result<Box<Polled>, StoreError>),
}

/// When the next source is due, or the office is to be told what happened.
///
/// # Errors
/// Where the database fails.
pub async fn next_poll_at(installation: &Installation) -> Result<Option<Timestamp>, RoundError> {
    let now = installation.clock.now();
    let mut tx = installation.store.read().await?;
    let (poll, office) = (tx.next_poll(now).await?, office_due(&mut tx).await?);
    Ok(poll.into_iter().chain(office).min())
}

/// Queues mails to the admins where something happened and its time has come; gives how many.
///
/// # Errors
/// Where the database fails, or a mail cannot be made.
pub async fn tell_office(installation: &Installation) -> Result<usize, RoundError> {
    let Installation { config, store, keys, templates, .. } = installation;
    let site = &config.site;
    let drafts = Drafts { site, templates };
    let reception = Reception { store, keys, site, drafts: &drafts };
    Ok(audience::tell_office(&reception, installation.clock.now()).await?)
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
    let config = &installation.config;
    let smtp = config.require_smtp()?;
    let host = host_name(installation);
    let limits = StageLimits::default();
    Ok(Delivery {
        store: installation.store.clone(),
        keys: installation.keys.clone(),
        zone: config.site.timezone,
        clock: installation.clock.clone(),
        relays: Arc::new(Relays::new(smtp, &host, limits)?),
        signer: Arc::new(config.signer()?),
        bounce_address: config.delivery.bounce_address.clone(),
        domains: DomainLimits {
            at_once: config.delivery.domain_connections,
            per_minute: config.delivery.domain_messages_per_minute,
        },
        connections: smtp.connections,
        messages_per_second: smtp.messages_per_second,
        lease_seconds: config.delivery.lease_seconds,
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
    tell_office(installation).await?;
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
