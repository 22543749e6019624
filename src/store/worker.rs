//! Workers and their leases: who has the messages that are being sent, and until when that counts.

use crate::model::Timestamp;

use super::value::values;
use super::{StoreError, Tx, statements};

statements! {
    INSERT_WORKER = "INSERT INTO worker (id, started_at, lease_until) VALUES ($1, $2, $3)";
    RENEW_LEASE = "UPDATE worker SET lease_until = $2 WHERE id = $1";
    FORGET_WORKERS = "DELETE FROM worker WHERE lease_until < $1
        AND id NOT IN (SELECT worker_id FROM message WHERE state = 'sending')";
}

impl Tx<'_> {
    /// Registers a worker with its first lease, and forgets those that are long gone.
    pub async fn insert_worker(
        &mut self,
        id: i64,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute(FORGET_WORKERS, values![now]).await?;
        self.execute(INSERT_WORKER, values![id, now, lease_until]).await?;
        Ok(())
    }

    /// Moves the end of a worker's lease.
    pub async fn renew_lease(&mut self, id: i64, lease_until: Timestamp) -> Result<(), StoreError> {
        self.execute(RENEW_LEASE, values![id, lease_until]).await?;
        Ok(())
    }
}
