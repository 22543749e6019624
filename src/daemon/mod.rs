//! The daemon: the rooms at work on and on, each in a loop with a pace of its own.
//!
//! A loop sleeps until something it knows of is due, or until its bell rings: somebody made work
//! for it, here or in another process. An error or a panic of one loop is said, slowed and tried
//! again, and is nothing to the others. It holds no rule of its own: what a loop does, a command
//! does too, through the same function.

mod delivery;
mod editions;
mod housekeeping;
mod ingest;
mod status;
mod supervisor;
mod systemd;
mod web;

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::ConfigError;
use crate::delivery::STOP_SECONDS_MAX;
use crate::installation::Installation;
use crate::model::Timestamp;
use crate::store::{Bell, Store, StoreError};

pub use housekeeping::keep_house;
pub use status::{LoopStatus, Status};
use supervisor::{Failure, Round, Work, keep_going};

/// How long a daemon that is stopped waits for its loops, in seconds; conversations whose content
/// has begun have [`STOP_SECONDS_MAX`] of them.
pub const STOP_ALL_SECONDS_MAX: u64 = STOP_SECONDS_MAX + 15;

/// A part of the work; each is a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Polls the sources that are due.
    Ingest,
    /// Plans the editions that are due, and keeps the house.
    Editions,
    /// Delivers what is due.
    Delivery,
    /// Serves the pages.
    Web,
}

impl Part {
    /// Every part.
    pub const ALL: [Part; 4] = [Self::Ingest, Self::Editions, Self::Delivery, Self::Web];

    /// The word on the command line, in logs and in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Editions => "editions",
            Self::Delivery => "delivery",
            Self::Web => "web",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|part| part.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            format!("{text:?} is no part of the daemon; the parts are {known}")
        })
    }
}

/// Why the daemon does not start, or did not end as it should.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Another daemon serves the database, or it cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A part is asked for that the settings do not allow.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Loops had not ended at the deadline.
    #[error("it was stopped, and {0} had not ended after {STOP_ALL_SECONDS_MAX} s")]
    Unfinished(String),
}

/// Serves an installation until it is stopped: runs a loop for each of the parts. Without parts,
/// all that the settings allow: delivery needs a relay.
///
/// # Errors
/// [`DaemonError`]: it cannot start, or loops had not ended at the deadline.
pub async fn serve(
    installation: Arc<Installation>,
    parts: &[Part],
    stop: CancellationToken,
) -> Result<(), DaemonError> {
    let _only_one = installation.store.lock_daemon()?;
    let parts = allowed(&installation, parts)?;
    let status = Arc::new(Status::of(&parts));
    let mut loops = JoinSet::new();
    let context = Context { installation, status: Arc::clone(&status), stop: stop.clone() };
    let store = context.installation.store.clone();
    loops.spawn(keep_going(Ears { store: store.clone() }, None, context.clone()));
    for part in &parts {
        let bell = |bell| Some(store.listen(bell));
        match part {
            Part::Ingest => {
                let work = ingest::Ingest::new(&context);
                loops.spawn(keep_going(work, bell(Bell::Ingest), context.clone()));
            }
            Part::Editions => {
                let work = editions::Editions::new(&context);
                loops.spawn(keep_going(work, bell(Bell::Editions), context.clone()));
            }
            Part::Delivery => {
                let work = delivery::Deliveries::new(&context);
                loops.spawn(keep_going(work, None, context.clone()));
            }
            Part::Web => {
                let work = web::Pages::new(&context);
                loops.spawn(keep_going(work, None, context.clone()));
            }
        }
    }
    let words: Vec<&str> = parts.iter().map(|part| part.as_str()).collect();
    tracing::info!(parts = words.join(","), "serving");
    let mut telling = JoinSet::new();
    telling.spawn(systemd::tell(Arc::clone(&status), stop.clone()));
    stop.cancelled().await;
    tracing::info!("stopping");
    let limit = Duration::from_secs(STOP_ALL_SECONDS_MAX);
    let ended = tokio::time::timeout(limit, async { while loops.join_next().await.is_some() {} });
    let ended = ended.await;
    loops.shutdown().await;
    telling.shutdown().await;
    match ended {
        Ok(()) => {
            tracing::info!("stopped");
            Ok(())
        }
        Err(_) => Err(DaemonError::Unfinished(status.running().join(", "))),
    }
}

/// The parts that run: those that were named, or all that the settings allow.
fn allowed(installation: &Installation, named: &[Part]) -> Result<Vec<Part>, ConfigError> {
    let mut parts = if named.is_empty() { Part::ALL.to_vec() } else { named.to_vec() };
    parts.sort_unstable();
    parts.dedup();
    if let Err(error) = installation.config.require_smtp() {
        if named.contains(&Part::Delivery) {
            return Err(error);
        }
        tracing::warn!("there is no [smtp] in the configuration: nothing is delivered");
        parts.retain(|part| *part != Part::Delivery);
    }
    Ok(parts)
}

/// What every loop is given.
#[derive(Clone)]
struct Context {
    installation: Arc<Installation>,
    status: Arc<Status>,
    stop: CancellationToken,
}

/// Hears what other processes ring.
struct Ears {
    store: Store,
}

impl Work for Ears {
    const NAME: &'static str = "bells";

    async fn round(&mut self, context: &Context) -> Result<Round, Failure> {
        context.status.went_round(Self::NAME);
        // Nobody knows what was rung before, or while this failed.
        self.store.ring_all();
        context.running(Self::NAME, self.store.hear_others()).await.unwrap_or(Ok(()))?;
        Ok(Round::default())
    }
}

impl Context {
    /// How long it is until an instant.
    fn until(&self, at: Timestamp) -> Duration {
        let seconds = at.0.saturating_sub(self.installation.clock.now().0);
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    }

    /// Lets something run that goes on by itself until the daemon is stopped: none then. While it
    /// runs, its loop goes round.
    async fn running<T>(&self, name: &'static str, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            ended = work => Some(ended),
            () = self.stop.cancelled() => None,
            never = self.alive(name) => match never {},
        }
    }

    /// Says now and then that a loop goes round.
    async fn alive(&self, name: &'static str) -> Infallible {
        loop {
            tokio::time::sleep(Duration::from_secs(ALIVE_SECONDS)).await;
            self.status.still_running(name);
        }
    }
}

/// How often a loop that does one thing for ever says that it is there, in seconds.
const ALIVE_SECONDS: u64 = 20;
