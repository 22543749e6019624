//! A look at what would go out, which changes and holds nothing.

use crate::model::Timestamp;

use super::value::values;
use super::{ClaimedMessage, StoreError, Tx, statements};

statements! {
    TO_COME = "SELECT m.id, m.edition_id, m.subscriber_id, m.subscription_id, m.variant_id,
            m.attempts, m.expires_at, m.created_at, e.released_at, l.in_doubt, l.sender, p.address,
            s.state AS subscription_state, x.cause AS suppressed, CAST(0 AS bigint) AS doubts
        FROM message m
        JOIN edition e ON e.id = m.edition_id
        JOIN list l ON l.id = e.list_id
        JOIN subscriber p ON p.id = m.subscriber_id
        JOIN subscription s ON s.id = m.subscription_id
        LEFT JOIN suppression x ON x.address_hash = p.address_hash
        WHERE e.state IN ('open', 'waiting') AND m.state IN ('waiting', 'queued', 'deferred')
            AND m.next_try_at <= $1 AND m.id > $2
        ORDER BY m.id LIMIT $3";
}

impl Tx<'_> {
    /// Messages of editions that are due, or wait for approval, with an id beyond `after`.
    pub async fn messages_to_come(
        &mut self,
        now: Timestamp,
        after: i64,
        limit: i64,
    ) -> Result<Vec<ClaimedMessage>, StoreError> {
        let rows = self.rows(TO_COME, values![now, after, limit]).await?;
        rows.iter().map(ClaimedMessage::read).collect()
    }
}
