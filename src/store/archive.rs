//! Old editions give up their messages, attempts and contents. What they came to stays, as sums.

use std::collections::BTreeMap;

use crate::model::Timestamp;

use super::value::values;
use super::{AttemptRow, EditionRow, MessageRow, MessageState, StoreError, Tx, statements};

statements! {
    ARCHIVABLE = "SELECT * FROM edition WHERE id > $1 AND state IN ('done', 'refused')
        AND slot_at < $2 AND archived_at IS NULL ORDER BY id LIMIT $3";
    ARCHIVED = "SELECT id FROM edition WHERE archived_at IS NOT NULL ORDER BY id";
    LEFT_OF = "SELECT 1 AS n WHERE EXISTS (SELECT 1 FROM message WHERE edition_id = $1)
        OR EXISTS (SELECT 1 FROM edition_group WHERE edition_id = $1)
        OR EXISTS (SELECT 1 FROM edition_hit WHERE edition_id = $1)
        OR EXISTS (SELECT 1 FROM variant WHERE edition_id = $1)
        OR EXISTS (SELECT 1 FROM fragment WHERE edition_id = $1)";
    SHAPE = "SELECT state, count(*) AS n, CAST(sum(attempts) AS BIGINT) AS attempts
        FROM message
        WHERE edition_id = $1 GROUP BY state ORDER BY state";
    MARK_ARCHIVED = "UPDATE edition SET archived_at = $2
        WHERE id = $1 AND archived_at IS NULL AND state IN ('done', 'refused')";
    ARCHIVED_AT = "SELECT archived_at FROM edition WHERE id = $1";
    INSERT_SUM = "INSERT INTO edition_sum (edition_id, state, messages) VALUES ($1, $2, $3)";
    SUMS = "SELECT state, messages AS n FROM edition_sum WHERE edition_id = $1";
    MESSAGES_OF_EDITION = "SELECT * FROM message WHERE edition_id = $1 AND subscriber_id > $2
        ORDER BY subscriber_id LIMIT $3";
    ATTEMPTS_OF_EDITION = "SELECT a.* FROM message m JOIN attempt a ON a.message_id = m.id
        WHERE m.edition_id = $1 AND m.subscriber_id > $2 AND m.subscriber_id <= $3
        ORDER BY a.message_id, a.number";
    DROP_ATTEMPTS = "DELETE FROM attempt WHERE (message_id, number) IN
        (SELECT a.message_id, a.number FROM (SELECT id FROM message WHERE edition_id = $1
                ORDER BY subscriber_id LIMIT $2) m
            JOIN attempt a ON a.message_id = m.id LIMIT $2)";
    DROP_MESSAGES = "DELETE FROM message WHERE id IN (SELECT id FROM message
        WHERE edition_id = $1 ORDER BY subscriber_id LIMIT $2)";
    DROP_GROUPS = "DELETE FROM edition_group WHERE (edition_id, profile_id, since, words) IN
        (SELECT edition_id, profile_id, since, words FROM edition_group
            WHERE edition_id = $1 LIMIT $2)";
    DROP_HITS = "DELETE FROM edition_hit WHERE (edition_id, subscription_id) IN
        (SELECT edition_id, subscription_id FROM edition_hit WHERE edition_id = $1 LIMIT $2)";
    DROP_VARIANTS = "DELETE FROM variant WHERE id IN
        (SELECT id FROM variant WHERE edition_id = $1 LIMIT $2)";
    DROP_FRAGMENTS = "DELETE FROM fragment WHERE id IN
        (SELECT id FROM fragment WHERE edition_id = $1 LIMIT $2)";
}

/// How the messages of an edition stand: for each state, how many, and how many attempts began.
pub type Shape = Vec<(MessageState, i64, i64)>;

impl Tx<'_> {
    /// Editions after an id that have ended and whose slot was before a time, at most `limit`, in
    /// order; those that are archived already not among them.
    pub async fn archivable_after(
        &mut self,
        id: i64,
        before: Timestamp,
        limit: i64,
    ) -> Result<Vec<EditionRow>, StoreError> {
        let rows = self.rows(ARCHIVABLE, values![id, before, limit]).await?;
        rows.iter().map(EditionRow::read).collect()
    }

    /// Archived editions of which something is still there, since whoever archived them was
    /// interrupted.
    pub async fn half_archived(&mut self) -> Result<Vec<i64>, StoreError> {
        let mut half = Vec::new();
        for row in self.rows(ARCHIVED, values![]).await? {
            let edition = row.int("id")?;
            if self.row(LEFT_OF, values![edition]).await?.is_some() {
                half.push(edition);
            }
        }
        Ok(half)
    }

    /// How the messages of an edition stand.
    pub async fn shape(&mut self, edition: i64) -> Result<Shape, StoreError> {
        let rows = self.rows(SHAPE, values![edition]).await?;
        rows.iter()
            .map(|row| {
                let state = row.word("state", "state of a message")?;
                Ok((state, row.int("n")?, row.int("attempts")?))
            })
            .collect()
    }

    /// Marks an edition that has ended as archived, so that nothing of it is sent any more; false
    /// where it has not, or is marked already. Its row stays locked, so that nobody opens it again
    /// before this is committed.
    pub async fn mark_archived(
        &mut self,
        edition: i64,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(self.execute(MARK_ARCHIVED, values![edition, now]).await? > 0)
    }

    /// When an edition was archived, if it was.
    pub async fn archived_at(&mut self, edition: i64) -> Result<Option<Timestamp>, StoreError> {
        let row = self.row(ARCHIVED_AT, values![edition]).await?;
        Ok(row.map(|row| row.time_or_none("archived_at")).transpose()?.flatten())
    }

    /// Keeps how many messages of an edition stood in a state.
    pub async fn insert_sum(
        &mut self,
        edition: i64,
        state: MessageState,
        messages: i64,
    ) -> Result<(), StoreError> {
        self.execute(INSERT_SUM, values![edition, state.as_str(), messages]).await?;
        Ok(())
    }

    /// How many messages of an archived edition stood in each state.
    pub async fn archived_sums(
        &mut self,
        edition: i64,
    ) -> Result<Vec<(MessageState, i64)>, StoreError> {
        let rows = self.rows(SUMS, values![edition]).await?;
        rows.iter()
            .map(|row| Ok((row.word("state", "state of a message")?, row.int("n")?)))
            .collect()
    }

    /// The messages of an edition after a subscriber, at most `limit`, in the order of their
    /// subscribers.
    pub async fn messages_of_edition(
        &mut self,
        edition: i64,
        subscriber: i64,
        limit: i64,
    ) -> Result<Vec<MessageRow>, StoreError> {
        let rows = self.rows(MESSAGES_OF_EDITION, values![edition, subscriber, limit]).await?;
        rows.iter().map(MessageRow::read).collect()
    }

    /// The attempts of an edition's messages to the subscribers after one and up to another: for
    /// each message its own, in order.
    pub async fn attempts_of_edition(
        &mut self,
        edition: i64,
        after: i64,
        until: i64,
    ) -> Result<BTreeMap<i64, Vec<AttemptRow>>, StoreError> {
        let mut attempts: BTreeMap<i64, Vec<AttemptRow>> = BTreeMap::new();
        for row in self.rows(ATTEMPTS_OF_EDITION, values![edition, after, until]).await? {
            let message = row.int("message_id")?;
            attempts.entry(message).or_default().push(AttemptRow::read(&row)?);
        }
        Ok(attempts)
    }

    /// Takes away at most `rows` rows of an archived edition, attempts before their messages and
    /// those before what they tell; gives how many: none when nothing is left.
    pub async fn drop_archived(&mut self, edition: i64, rows: i64) -> Result<u64, StoreError> {
        // The attempts of the first messages, and then these: each has its half.
        let half = rows / 2;
        let full = u64::try_from(half).unwrap_or(0);
        let attempts = self.execute(DROP_ATTEMPTS, values![edition, half]).await?;
        if attempts >= full {
            return Ok(attempts);
        }
        let messages = self.execute(DROP_MESSAGES, values![edition, half]).await?;
        if messages >= full {
            return Ok(attempts + messages);
        }
        let mut gone = attempts + messages;
        for sql in [DROP_GROUPS, DROP_HITS, DROP_VARIANTS, DROP_FRAGMENTS] {
            let left = rows - i64::try_from(gone).unwrap_or(rows);
            gone += self.execute(sql, values![edition, left]).await?;
        }
        Ok(gone)
    }
}
