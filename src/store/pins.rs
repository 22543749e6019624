//! Cursors of subscriptions, as the planner moves them: slices that one transaction decides, pins
//! that move to a cut, and pins that a cut makes needless.

use crate::model::{CadenceId, ListId, Timestamp};

use super::value::{Value, values};
use super::{StoreError, Tx, statements};

statements! {
    NEXT_UNPINNED = "SELECT max(id) AS bound FROM (SELECT id FROM subscription
        WHERE list_id = $1 AND cadence = $2 AND cursor IS NULL AND id > $3
        ORDER BY id LIMIT $4) AS next";
    NEXT_PINNED = "SELECT max(id) AS bound FROM (SELECT id FROM subscription
        WHERE list_id = $1 AND cadence = $2 AND cursor IS NOT NULL AND state = 'active'
            AND id > $3 AND cursor < $4 ORDER BY id LIMIT $5) AS next";
    EARLIEST_PIN = "SELECT min(cursor) AS cursor FROM subscription
        WHERE list_id = $1 AND cadence = $2 AND cursor IS NOT NULL AND state = 'active'";
    MOVE_PINS = "UPDATE subscription SET cursor = $5
        WHERE list_id = $1 AND cadence = $2 AND cursor IS NOT NULL AND state = 'active'
            AND id > $3 AND id <= $4 AND cursor < $5
            AND NOT EXISTS (SELECT 1 FROM message o WHERE o.edition_id = $6
                AND o.subscriber_id = subscription.subscriber_id AND o.state = 'cancelled')
            AND subscriber_id NOT IN (SELECT m.subscriber_id FROM message m
                JOIN edition e ON e.id = m.edition_id
                WHERE e.list_id = $1 AND e.cadence = $2 AND e.slot_at >= $7 AND e.id <> $6
                    AND m.edition_id >= (SELECT min(f.id) FROM edition f WHERE f.list_id = $1
                        AND f.cadence = $2 AND f.slot_at >= $7)
                    AND m.state <> 'cancelled'
                GROUP BY m.subscriber_id HAVING count(*) >= $8)";
    PIN_LEFT_OUT = "UPDATE subscription SET cursor = $5
        WHERE list_id = $1 AND cadence = $2 AND cursor IS NULL AND id > $3 AND id <= $4
            AND subscriber_id IN (SELECT m.subscriber_id FROM message m
                JOIN edition e ON e.id = m.edition_id
                WHERE e.list_id = $1 AND e.cadence = $2 AND e.slot_at >= $7 AND e.id <> $6
                    AND m.edition_id >= (SELECT min(f.id) FROM edition f WHERE f.list_id = $1
                        AND f.cadence = $2 AND f.slot_at >= $7)
                    AND m.state <> 'cancelled'
                GROUP BY m.subscriber_id HAVING count(*) >= $8)";
    DROP_PINS = "UPDATE subscription SET cursor = NULL WHERE id IN (SELECT s.id FROM subscription s
            JOIN cadence c ON c.list_id = s.list_id AND c.cadence = s.cadence
            WHERE s.list_id = $1 AND s.cadence = $2 AND s.cursor IS NOT NULL
                AND s.state = 'active' AND s.cursor = c.last_cut AND c.planning_cut IS NULL
            LIMIT $3)";
}

/// A range of a cadence's subscriptions, by their ids, that an edition decides in one transaction.
#[derive(Clone, Debug)]
pub struct Slice<'a> {
    /// The edition.
    pub edition: i64,
    /// Its list.
    pub list: &'a ListId,
    /// Its cadence.
    pub cadence: &'a CadenceId,
    /// Where its subscriptions without a pin have been told so far.
    pub since: i64,
    /// Where it stops.
    pub cut: i64,
    /// Whether the slice is of the subscriptions with a pin, or of those without.
    pub pinned: bool,
    /// Ids after this one,
    pub after: i64,
    /// and up to this one.
    pub until: i64,
    /// The start of the day for the daily cap.
    pub day_start: Timestamp,
    /// How many messages of this cadence somebody may get in a day.
    pub per_day_max: i64,
}

impl Tx<'_> {
    /// The last of the next `limit` subscriptions without a pin after an id; none after the last.
    pub async fn next_unpinned(
        &mut self,
        list: &ListId,
        cadence: &CadenceId,
        after: i64,
        limit: i64,
    ) -> Result<Option<i64>, StoreError> {
        let row = self.one(NEXT_UNPINNED, values![list, cadence, after, limit]).await?;
        row.int_or_none("bound")
    }

    /// The last of the next `limit` active subscriptions pinned before a cut, after an id.
    pub async fn next_pinned(
        &mut self,
        list: &ListId,
        cadence: &CadenceId,
        after: i64,
        cut: i64,
        limit: i64,
    ) -> Result<Option<i64>, StoreError> {
        let row = self.one(NEXT_PINNED, values![list, cadence, after, cut, limit]).await?;
        row.int_or_none("bound")
    }

    /// The earliest pin of an active subscription.
    pub async fn earliest_pin(
        &mut self,
        list: &ListId,
        cadence: &CadenceId,
    ) -> Result<Option<i64>, StoreError> {
        self.one(EARLIEST_PIN, values![list, cadence]).await?.int_or_none("cursor")
    }

    /// Moves the pins of a slice that are before its edition's cut to that cut, but for those whom
    /// the daily cap leaves out, and those whose message in the edition was cancelled.
    pub async fn move_pins(&mut self, slice: &Slice<'_>) -> Result<u64, StoreError> {
        self.execute(MOVE_PINS, &slice.values(slice.cut)).await
    }

    /// Pins those of a slice without a pin whom the daily cap leaves out, where they have been told
    /// so far; gives how many.
    pub async fn pin_left_out(&mut self, slice: &Slice<'_>) -> Result<u64, StoreError> {
        self.execute(PIN_LEFT_OUT, &slice.values(slice.since)).await
    }

    /// Drops at most `limit` pins that say what the cadence's cut says; gives how many. While an
    /// edition is being planned none is dropped: its two groups of subscriptions stay what they
    /// are.
    pub async fn drop_pins(
        &mut self,
        list: &ListId,
        cadence: &CadenceId,
        limit: i64,
    ) -> Result<u64, StoreError> {
        self.execute(DROP_PINS, values![list, cadence, limit]).await
    }
}

impl Slice<'_> {
    fn values(&self, cursor: i64) -> [Value; 8] {
        [
            self.list.into(),
            self.cadence.into(),
            self.after.into(),
            self.until.into(),
            cursor.into(),
            self.edition.into(),
            self.day_start.into(),
            self.per_day_max.into(),
        ]
    }
}
