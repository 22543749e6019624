//! Records stages and outcomes in group commits: whatever has come up while one commit was being
//! flushed is written by the next, so durability does not cost a flush a message.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use crate::causes::chain;
use crate::clock::Clock;
use crate::pause::Pauses;
use crate::store::{OutcomeRow, Store, StoreError};

use super::Totals;
use super::places::Place;

/// The most records of one commit.
const RECORDS_A_COMMIT: usize = 1_000;
/// How long outcomes wait for company when nobody waits for them, in milliseconds. Nearly always
/// the same connection's next content comes sooner, and one flush serves both.
const OUTCOMES_WAIT_MS_MAX: u64 = 5;
/// How many records may wait; who has more waits too.
const RECORDS_WAITING_MAX: usize = 2_000;
/// The first and the longest pause after a commit that failed, in milliseconds.
const COMMIT_PAUSE_MS: (u64, u64) = (100, 5_000);
/// How long a commit that fails is tried again where the run has bounds, or the failure is none
/// that passes by itself, in seconds.
pub(super) const COMMIT_SECONDS_MAX: u64 = 60;

/// A content that is about to begin.
#[derive(Clone, Debug)]
pub(super) struct Content {
    pub message: i64,
    pub attempt: i64,
    /// The relay under whose name it is counted, where it has a share.
    pub relay: Option<String>,
}

enum Record {
    /// The content of an attempt is about to begin.
    Content { content: Content, begun: oneshot::Sender<bool> },
    /// An attempt ended; its place is given back when that is on record.
    Ended { outcome: OutcomeRow, place: Place },
}

impl Record {
    fn is_outcome(&self) -> bool {
        matches!(self, Self::Ended { .. })
    }
}

/// Where conversations report to.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    records: mpsc::Sender<Record>,
}

impl Recorder {
    /// Starts recording. The task ends when the last [`Recorder`] is gone and all is written. While
    /// the database is away it tries again: `endless`, until it is aborted.
    pub fn start(
        store: Store,
        clock: Clock,
        totals: watch::Sender<Totals>,
        endless: bool,
    ) -> (Self, tokio::task::JoinHandle<Result<(), StoreError>>) {
        let (records, waiting) = mpsc::channel(RECORDS_WAITING_MAX);
        let commits = Commits { store, clock, endless };
        (Self { records }, tokio::spawn(run(commits, totals, waiting)))
    }

    /// Whether nothing can be recorded any more: the database was away for too long.
    pub fn is_gone(&self) -> bool {
        self.records.is_closed()
    }

    /// Records durably that the content of an attempt begins; false where it must not, since the
    /// attempt is another worker's now or the record could not be made.
    pub async fn content_begins(&self, content: Content) -> bool {
        let (begun, answer) = oneshot::channel();
        let record = Record::Content { content, begun };
        self.records.send(record).await.is_ok() && answer.await.unwrap_or(false)
    }

    /// Records how an attempt ended. Records are written in order: before the same connection's
    /// next content begins, this one is durable.
    pub async fn ended(&self, outcome: OutcomeRow, place: Place) {
        // Without a recorder the attempt stays as it stands, and is taken over as what it was.
        let _ = self.records.send(Record::Ended { outcome, place }).await;
    }
}

async fn run(
    commits: Commits,
    totals: watch::Sender<Totals>,
    mut waiting: mpsc::Receiver<Record>,
) -> Result<(), StoreError> {
    let mut batch = Vec::with_capacity(RECORDS_A_COMMIT);
    while gather(&mut waiting, &mut batch).await {
        let (mut contents, mut answers) = (Vec::new(), Vec::new());
        let mut ended = Vec::new();
        let mut places = Vec::new();
        for record in batch.drain(..) {
            match record {
                Record::Content { content, begun } => {
                    contents.push(content);
                    answers.push(begun);
                }
                Record::Ended { outcome, place } => {
                    ended.push(outcome);
                    places.push(place);
                }
            }
        }
        let valid = commits.commit(&contents, &ended).await?;
        totals.send_modify(|totals| totals.add(&ended));
        places.into_iter().for_each(Place::recorded);
        for (content, begun) in contents.iter().zip(answers) {
            let _ = begun.send(valid.contains(&content.message));
        }
    }
    Ok(())
}

/// Waits for the records of the next commit; false where there will be none any more.
async fn gather(waiting: &mut mpsc::Receiver<Record>, batch: &mut Vec<Record>) -> bool {
    if waiting.recv_many(batch, RECORDS_A_COMMIT).await == 0 {
        return false;
    }
    let until = Instant::now() + Duration::from_millis(OUTCOMES_WAIT_MS_MAX);
    while batch.iter().all(Record::is_outcome) && batch.len() < RECORDS_A_COMMIT {
        let room = RECORDS_A_COMMIT - batch.len();
        let more = timeout_at(until, waiting.recv_many(batch, room)).await;
        if more.is_err() || more == Ok(0) {
            break;
        }
    }
    true
}

/// Makes commits.
struct Commits {
    store: Store,
    clock: Clock,
    endless: bool,
}

impl Commits {
    /// One commit, tried again while the database is locked or away. A commit of which the answer
    /// was lost is made again and changes nothing the second time.
    async fn commit(
        &self,
        contents: &[Content],
        ended: &[OutcomeRow],
    ) -> Result<Vec<i64>, StoreError> {
        let (first, longest) = COMMIT_PAUSE_MS;
        let mut pauses = Pauses::new(Duration::from_millis(first), Duration::from_millis(longest));
        loop {
            let error = match self.try_commit(contents, ended).await {
                Ok(valid) => return Ok(valid),
                Err(error) => error,
            };
            let pause = pauses.after_failure();
            let passes = self.endless && error.is_transient();
            if !passes && pauses.failing_for() > Duration::from_secs(COMMIT_SECONDS_MAX) {
                return Err(error);
            }
            let waiting = contents.len() + ended.len();
            tracing::warn!(
                error = chain(&error),
                waiting,
                "outcomes could not be recorded; trying again"
            );
            tokio::time::sleep(pause).await;
        }
    }

    async fn try_commit(
        &self,
        contents: &[Content],
        ended: &[OutcomeRow],
    ) -> Result<Vec<i64>, StoreError> {
        let now = self.clock.now();
        let mut tx = self.store.write().await?;
        if !ended.is_empty() {
            tx.end_attempts(ended, now).await?;
        }
        let mut valid = Vec::new();
        if !contents.is_empty() {
            let attempts: Vec<(i64, i64)> =
                contents.iter().map(|content| (content.message, content.attempt)).collect();
            valid = tx.begin_content(&attempts, now).await?;
            let mut counted: BTreeMap<&str, i64> = BTreeMap::new();
            for content in contents.iter().filter(|content| valid.contains(&content.message)) {
                if let Some(relay) = &content.relay {
                    *counted.entry(relay).or_default() += 1;
                }
            }
            for (relay, messages) in counted {
                tx.count_relayed(relay, messages, now).await?;
            }
        }
        tx.commit().await?;
        Ok(valid)
    }
}
