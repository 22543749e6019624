//! How often something that has a limit was done. Written by `audience`, and by `delivery` for what
//! relays take.

use crate::model::Timestamp;

use super::value::values;
use super::{StoreError, Tx, statements};

statements! {
    HIT = "INSERT INTO rate_limit (scope, key, window_at, hits) VALUES ($1, $2, $3, 1)
        ON CONFLICT (scope, key, window_at) DO UPDATE SET hits = rate_limit.hits + 1
        RETURNING hits";
    COUNT_RELAYED = "INSERT INTO rate_limit (scope, key, window_at, hits)
        VALUES ('relay', $1, $2, $3)
        ON CONFLICT (scope, key, window_at) DO UPDATE SET hits = rate_limit.hits + $3";
    RELAYED = "SELECT window_at, hits FROM rate_limit
        WHERE scope = 'relay' AND key = $1 AND window_at > $2";
    FORGET_HITS_BEFORE = "DELETE FROM rate_limit WHERE (scope, key, window_at) IN
        (SELECT scope, key, window_at FROM rate_limit WHERE window_at < $1 LIMIT $2)";
}

/// How finely it is counted what a relay takes, in seconds: an hour is six of them and the one that
/// is under way, so that in no hour, wherever it begins, a share is passed.
const RELAY_WINDOW_SECONDS: i64 = 600;
const HOUR_SECONDS: i64 = 3_600;
const DAY_SECONDS: i64 = 24 * HOUR_SECONDS;

/// What a relay has taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelayUse {
    /// Messages in the last hour.
    pub hour: i64,
    /// Messages in the last day.
    pub day: i64,
}

impl Tx<'_> {
    /// Counts messages whose content a relay is about to get.
    pub async fn count_relayed(
        &mut self,
        relay: &str,
        messages: i64,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let window = now.0 - now.0.rem_euclid(RELAY_WINDOW_SECONDS);
        self.execute(COUNT_RELAYED, values![relay, window, messages]).await?;
        Ok(())
    }

    /// What a relay has taken until now.
    pub async fn relayed(&mut self, relay: &str, now: Timestamp) -> Result<RelayUse, StoreError> {
        let since = |seconds: i64| now.0 - seconds - RELAY_WINDOW_SECONDS;
        let mut used = RelayUse::default();
        for row in self.rows(RELAYED, values![relay, since(DAY_SECONDS)]).await? {
            let hits = row.int("hits")?;
            used.day += hits;
            if row.int("window_at")? > since(HOUR_SECONDS) {
                used.hour += hits;
            }
        }
        Ok(used)
    }

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
