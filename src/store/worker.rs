//! Workers and their leases: who has the messages that are being sent, and until when that counts.
//!
//! Locks are taken in the order worker, message, attempt: a claim holds its own worker's row, who
//! takes over holds the row of the worker that is gone, so that neither happens in the midst of the
//! other.

use crate::model::Timestamp;

use super::value::{json, values};
use super::{Bell, StoreError, Tx, outbox, statements};

/// How long after the end of its lease a worker is remembered, in seconds. Its messages are taken
/// over long before; until then its row may be renewed by a process that slept.
const FORGET_AFTER_SECONDS: i64 = 3600;

statements! {
    RENEW_LEASE = "INSERT INTO worker (id, started_at, lease_until) VALUES ($1, $2, $3)
        ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until";
    LEASE = "SELECT lease_until FROM worker WHERE id = $1" + { postgres: "FOR UPDATE" };
    FORGET_WORKERS = "DELETE FROM worker WHERE lease_until < $1 AND NOT EXISTS
        (SELECT 1 FROM message WHERE state = 'sending' AND worker_id = worker.id)";
    REMOVE_WORKER = "DELETE FROM worker WHERE id = $1";
    WORKERS_UNDER_WAY = "SELECT DISTINCT m.worker_id, coalesce(w.lease_until, 0) AS lease_until
        FROM message m LEFT JOIN worker w ON w.id = m.worker_id
        WHERE m.state = 'sending' AND m.worker_id <> $1";
    HELD_BY = "SELECT id, attempts FROM message WHERE state = 'sending' AND worker_id = $1"
        + { postgres: "ORDER BY id FOR UPDATE" };
}

/// Which of a worker's messages it gives back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivingBack<'a> {
    /// All: the worker is gone. What had begun is in doubt.
    All,
    /// Those whose content has not begun: the worker sends no more, and ends what it has begun.
    NotBegun,
    /// Those of which no attempt, given as (message, number), is in hand: a claim was committed and
    /// its answer never came, or what was claimed was given up. What had begun is in doubt.
    NotInHand(&'a [(i64, i64)]),
}

impl Tx<'_> {
    /// Registers a worker with its first lease, and forgets those that are long gone.
    pub async fn insert_worker(
        &mut self,
        id: i64,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<(), StoreError> {
        self.forget_workers(now).await?;
        self.renew_lease(id, now, lease_until).await
    }

    /// Moves the end of a worker's lease; registers anew a worker that was forgotten meanwhile.
    pub async fn renew_lease(
        &mut self,
        id: i64,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute(RENEW_LEASE, values![id, now, lease_until]).await?;
        Ok(())
    }

    /// Makes sure, before a claim and in its transaction, that the worker's lease runs for half of
    /// `seconds` at least; where it does not, since the process slept, it is renewed. Until the
    /// transaction ends nobody takes over what the worker has.
    pub async fn hold_lease(
        &mut self,
        id: i64,
        now: Timestamp,
        seconds: i64,
    ) -> Result<(), StoreError> {
        let held = self.row(LEASE, values![id]).await?;
        let until = held.map(|row| row.time("lease_until")).transpose()?;
        if until.is_none_or(|until| until < now.plus(seconds / 2)) {
            self.renew_lease(id, now, now.plus(seconds)).await?;
        }
        Ok(())
    }

    /// Forgets workers whose lease ended long ago and that have no message. One whose lease runs
    /// is never forgotten.
    pub async fn forget_workers(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        self.execute(FORGET_WORKERS, values![now.plus(-FORGET_AFTER_SECONDS)]).await
    }

    /// Forgets a worker that has ended: what it may still have is taken over at once.
    pub async fn remove_worker(&mut self, id: i64) -> Result<(), StoreError> {
        self.execute(REMOVE_WORKER, values![id]).await?;
        Ok(())
    }

    /// Other workers that have messages, each with the end of its lease.
    pub async fn other_workers(
        &mut self,
        worker: i64,
    ) -> Result<Vec<(i64, Timestamp)>, StoreError> {
        let rows = self.rows(WORKERS_UNDER_WAY, values![worker]).await?;
        rows.iter().map(|row| Ok((row.int("worker_id")?, row.time("lease_until")?))).collect()
    }

    /// Takes over the messages of a worker whose lease ended before `now`; nothing where it was
    /// renewed meanwhile. Gives how many are in doubt.
    pub async fn take_over_lapsed(
        &mut self,
        worker: i64,
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        let held = self.row(LEASE, values![worker]).await?;
        let until = held.map(|row| row.time("lease_until")).transpose()?;
        if until.is_some_and(|until| until >= now) {
            return Ok(0);
        }
        self.take_over(worker, now).await
    }

    /// Takes the messages of a worker that is gone: not begun, they are sent again; begun, they are
    /// in doubt and their list's policy decides. Gives how many are in doubt.
    pub async fn take_over(&mut self, worker: i64, now: Timestamp) -> Result<i64, StoreError> {
        self.give_back(worker, GivingBack::All, now).await
    }

    /// Gives back messages of a worker: not begun, they are queued again; begun, where those are
    /// given back too, they are in doubt and their list's policy decides. Of two who do this at
    /// once one finds nothing. Gives how many are in doubt.
    pub async fn give_back(
        &mut self,
        worker: i64,
        which: GivingBack<'_>,
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        let mut attempts = Vec::new();
        for row in self.rows(HELD_BY, values![worker]).await? {
            let attempt = (row.int("id")?, row.int("attempts")?);
            if !matches!(which, GivingBack::NotInHand(in_hand) if in_hand.contains(&attempt)) {
                attempts.push(attempt);
            }
        }
        if attempts.is_empty() {
            return Ok(0);
        }
        let values = values![json(&attempts), now, which != GivingBack::NotBegun];
        let (mut released, mut doubts) = (Vec::new(), Vec::new());
        for row in self.rows(outbox::END_ATTEMPTS_OF, values).await? {
            let in_doubt = row.text("outcome")? == "in_doubt";
            let ended = if in_doubt { &mut doubts } else { &mut released };
            ended.push(row.int("message_id")?);
        }
        if !released.is_empty() {
            self.execute(outbox::RELEASE_MESSAGES, values![json(&released), worker, now]).await?;
        }
        if !doubts.is_empty() {
            let values = values![
                json(&doubts),
                worker,
                now,
                outbox::DOUBTS_OF_NOTICE_MAX,
                outbox::DOUBTS_OF_DIGEST_MAX,
            ];
            self.execute(outbox::DECIDE_DOUBTS, values).await?;
        }
        self.ring(Bell::Delivery);
        Ok(i64::try_from(doubts.len()).unwrap_or(i64::MAX))
    }
}
