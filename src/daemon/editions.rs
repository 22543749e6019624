//! Plans editions when they are due, and keeps the house.

use std::time::{Duration, Instant};

use super::housekeeping::keep_house;
use super::supervisor::{Failure, Round, Work};
use super::{Context, Part};
use crate::store::EditionRow;

/// How often the house is kept, in seconds.
const HOUSEKEEPING_SECONDS: u64 = 3600;
/// How long the loop waits where something is due and cannot be planned, in seconds.
const STUCK_SECONDS: u64 = 10;

/// How long the first editions wait at most for the first poll, in seconds: what was published
/// while nothing ran shall be in them.
const FIRST_POLL_SECONDS_MAX: u64 = 60;
/// How often it is looked whether that poll is done, in milliseconds.
const FIRST_POLL_LOOK_MS: u64 = 250;

/// The loop of editions.
pub(super) struct Editions {
    started: Instant,
    kept: Option<Instant>,
}

impl Editions {
    pub fn new(_: &Context) -> Self {
        Self { started: Instant::now(), kept: None }
    }
}

impl Work for Editions {
    const NAME: &'static str = Part::Editions.as_str();

    async fn round(&mut self, context: &Context) -> Result<Round, Failure> {
        let Context { installation, status, stop } = context;
        installation.store.ready().await?;
        let waited = self.started.elapsed() > Duration::from_secs(FIRST_POLL_SECONDS_MAX);
        if !waited && status.is_starting(Part::Ingest.as_str()) {
            let next = Some(Duration::from_millis(FIRST_POLL_LOOK_MS));
            return Ok(Round { did: None, next });
        }
        let planner = installation.planner();
        let now = installation.clock.now();
        let mut planned = Vec::new();
        // Nearly always nothing is due: that is seen without waiting for those who write.
        let due = planner.next_due(now).await?.is_some_and(|at| at <= now);
        if due {
            let going_on = || {
                status.still_running(Self::NAME);
                !stop.is_cancelled()
            };
            planned = planner.plan_while(now, going_on).await?;
        }
        let often = Duration::from_secs(HOUSEKEEPING_SECONDS);
        let mut did = words(&planned);
        if self.kept.is_none_or(|kept| kept.elapsed() >= often) {
            did.extend(keep_house(installation, now).await?);
            self.kept = Some(Instant::now());
        }
        let next = planner.next_due(now).await?.map(|at| context.until(at));
        let next = match next {
            Some(next) if due && planned.is_empty() => {
                Some(next.max(Duration::from_secs(STUCK_SECONDS)))
            }
            next => next,
        };
        Ok(Round { did: (!did.is_empty()).then(|| did.join(", ")), next })
    }
}

fn words(planned: &[EditionRow]) -> Vec<String> {
    let edition = |edition: &EditionRow| {
        let EditionRow { id, list_id, cadence, slot, planned_messages, .. } = edition;
        format!("edition {id} of {list_id} {cadence} {slot}: {planned_messages} message(s)")
    };
    planned.iter().map(edition).collect()
}
