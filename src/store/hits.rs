//! Which followed words stand in the window of an edition, by subscription: kept while it is being
//! planned, and forgotten then, since they say what somebody is looking for.

use super::pins::Slice;
use super::value::values;
use super::{StoreError, Tx, statements};

statements! {
    FORGET_HITS = "DELETE FROM edition_hit WHERE edition_id = $1
        AND subscription_id > $2 AND subscription_id <= $3";
    FORGET_HITS_OF = "DELETE FROM edition_hit WHERE edition_id = $1";
    FORGET_LEFT_HITS = "DELETE FROM edition_hit WHERE (edition_id, subscription_id) IN
        (SELECT h.edition_id, h.subscription_id FROM edition_hit h
            JOIN edition e ON e.id = h.edition_id WHERE e.state <> 'planning' LIMIT $1)";
    FORGET_HITS_OF_SUBSCRIPTION = "DELETE FROM edition_hit WHERE subscription_id = $1";
    INSERT_HIT = "INSERT INTO edition_hit (edition_id, subscription_id, words)
        VALUES ($1, $2, $3)";
}

impl Tx<'_> {
    /// Forgets the hits of a slice. They may be of an earlier look, of words followed no more.
    pub async fn forget_hits(&mut self, slice: &Slice<'_>) -> Result<(), StoreError> {
        self.execute(FORGET_HITS, values![slice.edition, slice.after, slice.until]).await?;
        Ok(())
    }

    /// Forgets which followed words stood where, once an edition is planned.
    pub async fn forget_hits_of(&mut self, edition: i64) -> Result<(), StoreError> {
        self.execute(FORGET_HITS_OF, values![edition]).await?;
        Ok(())
    }

    /// Forgets at most `limit` hits of editions that are planned: whoever planned them was killed
    /// before they could be forgotten. Gives how many.
    pub async fn forget_left_hits(&mut self, limit: i64) -> Result<u64, StoreError> {
        self.execute(FORGET_LEFT_HITS, values![limit]).await
    }

    /// Forgets which followed words of a subscription stood where, in any edition.
    pub async fn forget_hits_of_subscription(&mut self, id: i64) -> Result<(), StoreError> {
        self.execute(FORGET_HITS_OF_SUBSCRIPTION, values![id]).await?;
        Ok(())
    }

    /// Keeps which followed words of a subscription stand in an edition's window.
    pub async fn insert_hit(
        &mut self,
        edition: i64,
        subscription: i64,
        words: &str,
    ) -> Result<(), StoreError> {
        self.execute(INSERT_HIT, values![edition, subscription, words]).await?;
        Ok(())
    }
}
