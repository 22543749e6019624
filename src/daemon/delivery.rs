//! Delivers: one run that goes on until the daemon is stopped.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::supervisor::{Failure, Round, Work};
use super::{Context, Part};
use crate::causes::chain;
use crate::delivery::{Run, Totals, Until};
use crate::round;

/// How long outcomes are gathered into one line of the log, in seconds.
const LINE_SECONDS: u64 = 5;

/// The loop of delivery.
pub(super) struct Deliveries;

impl Deliveries {
    pub fn new(_: &Context) -> Self {
        Self
    }
}

impl Work for Deliveries {
    const NAME: &'static str = Part::Delivery.as_str();

    async fn round(&mut self, context: &Context) -> Result<Round, Failure> {
        let Context { installation, status, stop } = context;
        let (progress, totals) = watch::channel(Totals::default());
        let status = Arc::clone(status);
        let run = Run {
            until: Until::Stopped,
            stop: stop.clone(),
            progress,
            beat: Arc::new(move |turn| match turn {
                Ok(()) => status.went_round(Self::NAME),
                Err(error) => status.failed(Self::NAME, chain(error)),
            }),
        };
        let delivery = round::delivery(installation)?;
        let delivering = delivery.run(&run);
        let ended = tokio::select! {
            ended = delivering => ended,
            never = log(totals.clone()) => match never {},
        };
        say(Totals::default(), *totals.borrow());
        ended?;
        if stop.is_cancelled() { Ok(Round::default()) } else { Err("the run has ended".into()) }
    }
}

/// Logs what happens, a line for some seconds in which something did.
async fn log(mut totals: watch::Receiver<Totals>) -> std::convert::Infallible {
    let mut said = Totals::default();
    loop {
        if totals.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(Duration::from_secs(LINE_SECONDS)).await;
        let now = *totals.borrow_and_update();
        say(said, now);
        said = now;
    }
}

fn say(before: Totals, now: Totals) {
    if before != now {
        let Totals { accepted, deferred, failed, in_doubt } = now;
        tracing::info!(
            target: "banditore::daemon",
            "delivery: accepted {}, deferred {}, failed {}, in doubt {}",
            accepted - before.accepted,
            deferred - before.deferred,
            failed - before.failed,
            in_doubt - before.in_doubt,
        );
    }
}
