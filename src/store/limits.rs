//! How often something that has a limit was done. Written by `audience`.

use crate::model::Timestamp;

use super::value::values;
use super::{StoreError, Tx, statements};

statements! {
    HIT = "INSERT INTO rate_limit (scope, key, window_at, hits) VALUES ($1, $2, $3, 1)
        ON CONFLICT (scope, key, window_at) DO UPDATE SET hits = rate_limit.hits + 1
        RETURNING hits";
    FORGET_HITS_BEFORE = "DELETE FROM rate_limit WHERE (scope, key, window_at) IN
        (SELECT scope, key, window_at FROM rate_limit WHERE window_at < $1 LIMIT $2)";
}

impl Tx<'_> {
    /// Counts one more in a window; gives how many there are with it. Others who count the same
    /// wait for this transaction.
    pub async fn hit(
        &mut self,
        scope: &str,
        key: &str,
        window: Timestamp,
    ) -> Result<i64, StoreError> {
        self.one(HIT, values![scope, key, window]).await?.int("hits")
    }

    /// Forgets windows that began before `before`, at most `limit`; gives how many.
    pub async fn forget_hits_before(
        &mut self,
        before: Timestamp,
        limit: i64,
    ) -> Result<u64, StoreError> {
        self.execute(FORGET_HITS_BEFORE, values![before, limit]).await
    }
}
