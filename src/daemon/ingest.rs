//! Polls sources when they are due, and tells the office what happened.

use super::supervisor::{Failure, Round, Work};
use super::{Context, Part};
use crate::ingest::Fetcher;
use crate::round::{self, Polled};
use crate::store::ProcessLock;

/// The loop of ingest.
pub(super) struct Ingest {
    /// One for the process: it keeps connections.
    fetcher: Option<Fetcher>,
    polling: Option<ProcessLock>,
}

impl Ingest {
    pub fn new(_: &Context) -> Self {
        Self { fetcher: None, polling: None }
    }
}

#[derive(Default)]
struct Sums {
    polled: usize,
    new: usize,
    failed: usize,
}

impl Sums {
    fn add(&mut self, poll: &Polled) {
        self.polled += 1;
        self.new += poll.new;
        if let Some(error) = &poll.error {
            self.failed += 1;
            // Said to the admins once, when the source turns bad; here for who looks closer.
            tracing::debug!("source {}: {error}", poll.source);
        }
    }

    fn words(&self) -> Option<String> {
        let Self { polled, new, failed } = self;
        (*polled > 0).then(|| format!("polled {polled}, new items {new}, failed {failed}"))
    }
}

impl Work for Ingest {
    const NAME: &'static str = Part::Ingest.as_str();

    async fn round(&mut self, context: &Context) -> Result<Round, Failure> {
        let Context { installation, status, stop } = context;
        installation.store.ready().await?;
        if self.polling.is_none() {
            self.polling = Some(installation.store.lock_polling().await?);
        }
        let fetcher = match &self.fetcher {
            Some(fetcher) => fetcher,
            None => self.fetcher.insert(installation.fetcher()?),
        };
        let mut sums = Sums::default();
        round::poll_due(installation, fetcher, stop, |poll| {
            status.still_running(Self::NAME);
            sums.add(&poll);
        })
        .await?;
        let told = round::tell_office(installation).await?;
        let next = round::next_poll_at(installation).await?;
        let did = [sums.words(), (told > 0).then(|| format!("wrote to {told} admin(s)"))];
        let did: Vec<String> = did.into_iter().flatten().collect();
        let did = (!did.is_empty()).then(|| did.join(", "));
        Ok(Round { did, next: next.map(|at| context.until(at)) })
    }
}
