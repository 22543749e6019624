//! Editions: groups, variants, fragments, and the messages that are written from them.

use crate::model::{CadenceId, Language, ListId, Timestamp};

use super::pins::Slice;
use super::value::{Row, json, values};
use super::{Bell, StoreError, Tx, statements};

statements! {
    INSERT_EDITION = "INSERT INTO edition
            (list_id, cadence, slot, slot_at, since, cut, ruleset, approval, state, opened_at,
            corrections)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'planning', $9,
            (SELECT coalesce(max(c.id), 0) FROM item_correction c))
        ON CONFLICT (list_id, cadence, slot) DO NOTHING RETURNING id";
    EDITION = "SELECT * FROM edition WHERE id = $1";
    LOCK_EDITION = {
        sqlite: "",
        postgres: "SELECT 1 FROM edition WHERE id = $1 FOR UPDATE"
    };
    EDITIONS = "SELECT * FROM edition WHERE id > $1 ORDER BY id LIMIT $2";
    EDITION_OF_POSITION = "SELECT * FROM edition WHERE list_id = $1 AND cadence = $2
        AND since < $3 AND cut >= $3 ORDER BY id DESC LIMIT 1";
    OPEN_EDITIONS = "SELECT * FROM edition WHERE state = 'open' ORDER BY slot_at, id";
    PLANNED = "UPDATE edition SET state = $2, planned_at = $3,
        released_at = CASE WHEN $2 = 'open' THEN CAST($3 AS BIGINT) END WHERE id = $1";
    DECIDE_EDITION = "UPDATE edition SET state = $2, decided_by = $3, released_at = $4
        WHERE id = $1 AND state = 'waiting'";
    END_EDITION = "UPDATE edition SET state = 'done' WHERE id = $1 AND state = 'open'
        AND NOT EXISTS (SELECT 1 FROM message WHERE edition_id = $1
            AND state IN ('queued', 'deferred'))
        AND NOT EXISTS (SELECT 1 FROM message WHERE edition_id = $1 AND state = 'sending')";
    REOPEN_EDITION = "UPDATE edition SET state = 'open' WHERE id = $1 AND state = 'done'
        AND archived_at IS NULL";
    ADD_COUNTS = "UPDATE edition SET considered = considered + $2, empty = empty + $3,
        suppressed = suppressed + $4, planned_messages = planned_messages + $5 WHERE id = $1";
    INSERT_FRAGMENT = "INSERT INTO fragment (edition_id, key, html, text, html_bytes)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (edition_id, key) DO NOTHING RETURNING id";
    FRAGMENT_ID = "SELECT id FROM fragment WHERE edition_id = $1 AND key = $2";
    FRAGMENTS = "SELECT id, key, html, text, html_bytes FROM fragment WHERE edition_id = $1";
    FRAGMENT_KEYS = "SELECT id, key, html_bytes FROM fragment WHERE edition_id = $1";
    INSERT_VARIANT = "INSERT INTO variant
            (edition_id, key, language, headers, fragments_json, entries_json, html_bytes)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (edition_id, key) DO NOTHING";
    VARIANT_BY_KEY = "SELECT id FROM variant WHERE edition_id = $1 AND key = $2";
    VARIANT = "SELECT * FROM variant WHERE id = $1";
    INSERT_GROUP = "INSERT INTO edition_group (edition_id, profile_id, since, words, variant_id)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (edition_id, profile_id, since, words)
            DO UPDATE SET variant_id = excluded.variant_id";
    VARIANTS = "SELECT v.*, coalesce(m.recipients, 0) AS recipients FROM variant v
        LEFT JOIN (SELECT variant_id, count(*) AS recipients FROM message
            WHERE edition_id = $1 GROUP BY variant_id) m ON m.variant_id = v.id
        WHERE v.edition_id = $1 ORDER BY v.id";
    GROUPS_UNPINNED = "SELECT s.profile_id, $4 AS since, coalesce(h.words, '') AS words,
            count(*) AS subscriptions, count(x.address_hash) AS suppressed
        FROM subscription s
        JOIN subscriber p ON p.id = s.subscriber_id
        LEFT JOIN suppression x ON x.address_hash = p.address_hash
        LEFT JOIN edition_hit h ON h.edition_id = $3 AND h.subscription_id = s.id
        WHERE s.list_id = $1 AND s.cadence = $2 AND s.cursor IS NULL AND s.id > $5 AND s.id <= $6
        GROUP BY s.profile_id, coalesce(h.words, '')";
    GROUPS_PINNED = "SELECT s.profile_id, s.cursor AS since, coalesce(h.words, '') AS words,
            count(*) AS subscriptions, count(x.address_hash) AS suppressed
        FROM subscription s
        JOIN subscriber p ON p.id = s.subscriber_id
        LEFT JOIN suppression x ON x.address_hash = p.address_hash
        LEFT JOIN edition_hit h ON h.edition_id = $3 AND h.subscription_id = s.id
        WHERE s.list_id = $1 AND s.cadence = $2 AND s.cursor IS NOT NULL AND s.state = 'active'
            AND s.cursor < $4 AND s.id > $5 AND s.id <= $6
            AND NOT EXISTS (SELECT 1 FROM message o
                WHERE o.edition_id = $3 AND o.subscriber_id = s.subscriber_id)
            AND s.subscriber_id NOT IN (SELECT m.subscriber_id FROM message m
                JOIN edition e ON e.id = m.edition_id
                WHERE e.list_id = $1 AND e.cadence = $2 AND e.slot_at >= $7 AND e.id <> $3
                    AND m.edition_id >= (SELECT min(f.id) FROM edition f WHERE f.list_id = $1
                        AND f.cadence = $2 AND f.slot_at >= $7)
                    AND m.state <> 'cancelled'
                GROUP BY m.subscriber_id HAVING count(*) >= $8)
        GROUP BY s.profile_id, s.cursor, coalesce(h.words, '')";
    WRITE_UNPINNED = "INSERT INTO message (edition_id, subscriber_id, subscription_id, profile_id,
            variant_id, window_start, state, next_try_at, expires_at, created_at)
        SELECT $3, s.subscriber_id, s.id, s.profile_id, g.variant_id, $4, $7,
            (SELECT slot_at FROM edition WHERE id = $3), $9, $8
        FROM subscription s
        JOIN subscriber p ON p.id = s.subscriber_id
        LEFT JOIN suppression x ON x.address_hash = p.address_hash
        LEFT JOIN edition_hit h ON h.edition_id = $3 AND h.subscription_id = s.id
        JOIN edition_group g ON g.edition_id = $3 AND g.profile_id = s.profile_id
            AND g.since = $4 AND g.words = coalesce(h.words, '')
        WHERE s.list_id = $1 AND s.cadence = $2 AND s.cursor IS NULL AND s.id > $5 AND s.id <= $6
            AND g.variant_id IS NOT NULL AND x.address_hash IS NULL
        ORDER BY s.id
        ON CONFLICT (edition_id, subscriber_id) DO NOTHING";
    WRITE_PINNED = "INSERT INTO message (edition_id, subscriber_id, subscription_id, profile_id,
            variant_id, window_start, state, next_try_at, expires_at, created_at)
        SELECT $3, s.subscriber_id, s.id, s.profile_id, g.variant_id, s.cursor, $7,
            (SELECT slot_at FROM edition WHERE id = $3), $9, $8
        FROM subscription s
        JOIN subscriber p ON p.id = s.subscriber_id
        LEFT JOIN suppression x ON x.address_hash = p.address_hash
        LEFT JOIN edition_hit h ON h.edition_id = $3 AND h.subscription_id = s.id
        JOIN edition_group g ON g.edition_id = $3 AND g.profile_id = s.profile_id
            AND g.since = s.cursor AND g.words = coalesce(h.words, '')
        WHERE s.list_id = $1 AND s.cadence = $2 AND s.cursor IS NOT NULL AND s.state = 'active'
            AND s.cursor < $4 AND s.id > $5 AND s.id <= $6
            AND g.variant_id IS NOT NULL AND x.address_hash IS NULL
            AND NOT EXISTS (SELECT 1 FROM message o
                WHERE o.edition_id = $3 AND o.subscriber_id = s.subscriber_id)
            AND s.subscriber_id NOT IN (SELECT m.subscriber_id FROM message m
                JOIN edition e ON e.id = m.edition_id
                WHERE e.list_id = $1 AND e.cadence = $2 AND e.slot_at >= $10 AND e.id <> $3
                    AND m.edition_id >= (SELECT min(f.id) FROM edition f WHERE f.list_id = $1
                        AND f.cadence = $2 AND f.slot_at >= $10)
                    AND m.state <> 'cancelled'
                GROUP BY m.subscriber_id HAVING count(*) >= $11)
        ORDER BY s.id
        ON CONFLICT (edition_id, subscriber_id) DO NOTHING";
}

/// An edition to be opened.
#[derive(Clone, Debug)]
pub struct NewEdition<'a> {
    /// The list.
    pub list: &'a ListId,
    /// The cadence.
    pub cadence: &'a CadenceId,
    /// The slot as the site's calendar names it, `2026-11-25T07:00`: told exactly once.
    pub slot: &'a str,
    /// The instant at which it is due.
    pub slot_at: Timestamp,
    /// The cadence's last cut.
    pub since: i64,
    /// Where it stops.
    pub cut: i64,
    /// The version of the rules that decide it.
    pub ruleset: &'a str,
    /// Whether a person looks at it first.
    pub approval: bool,
}

/// An edition.
#[derive(Clone, Debug)]
pub struct EditionRow {
    /// Its id.
    pub id: i64,
    /// The list.
    pub list_id: ListId,
    /// The cadence.
    pub cadence: CadenceId,
    /// The slot as the site's calendar names it.
    pub slot: String,
    /// The instant at which it was due.
    pub slot_at: Timestamp,
    /// The cut before it.
    pub since: i64,
    /// Its cut.
    pub cut: i64,
    /// The version of the rules that decided it.
    pub ruleset: String,
    /// The newest correction of an item that it knows.
    pub corrections: i64,
    /// Whether a person looks at it first.
    pub approval: bool,
    /// `planning`, `waiting`, `open`, `done` or `refused`.
    pub state: String,
    /// Subscriptions it looked at.
    pub considered: i64,
    /// Those it had nothing for.
    pub empty: i64,
    /// Those whose address is suppressed.
    pub suppressed: i64,
    /// Messages its chunks wrote.
    pub planned_messages: i64,
}

/// What an edition decides once for everyone alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKey {
    /// The profile.
    pub profile: i64,
    /// How far it has been told.
    pub since: i64,
    /// The followed words that stand in the window: their ids, ordered, with commas; usually none.
    pub words: String,
}

/// A group of a slice.
#[derive(Clone, Debug)]
pub struct GroupCount {
    /// Who they are.
    pub key: GroupKey,
    /// How many.
    pub subscriptions: i64,
    /// How many of them have a suppressed address.
    pub suppressed: i64,
}

/// What a chunk adds to its edition's sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChunkCounts {
    /// Subscriptions looked at.
    pub considered: i64,
    /// Those with nothing for them.
    pub empty: i64,
    /// Those whose address is suppressed.
    pub suppressed: i64,
    /// Messages written.
    pub messages: i64,
}

/// A stored fragment.
#[derive(Clone, Debug)]
pub struct Fragment {
    /// Its id.
    pub id: i64,
    /// What it is of, unique in its edition.
    pub key: String,
    /// The encoded piece of the HTML body.
    pub html: Vec<u8>,
    /// The encoded piece of the text body.
    pub text: Vec<u8>,
    /// The size of the decoded HTML, in octets.
    pub html_bytes: i64,
}

/// A variant to be stored.
#[derive(Clone, Debug)]
pub struct NewVariant {
    /// What makes two variants of an edition the same.
    pub key: String,
    /// Its language.
    pub language: Language,
    /// The header fields that everybody gets alike.
    pub headers: Vec<u8>,
    /// The fragments, in order.
    pub fragments: Vec<i64>,
    /// The positions of the entries it tells, in the order in which it tells them.
    pub entries: Vec<i64>,
    /// The size of the decoded HTML, in octets.
    pub html_bytes: i64,
}

/// A stored variant.
#[derive(Clone, Debug)]
pub struct VariantRow {
    /// Its id.
    pub id: i64,
    /// Its edition.
    pub edition_id: i64,
    /// What it is.
    pub variant: NewVariant,
}

impl Tx<'_> {
    /// Opens an edition; none where this slot of the cadence has had its own.
    pub async fn insert_edition(
        &mut self,
        new: &NewEdition<'_>,
        now: Timestamp,
    ) -> Result<Option<i64>, StoreError> {
        let values = values![
            new.list,
            new.cadence,
            new.slot,
            new.slot_at,
            new.since,
            new.cut,
            new.ruleset,
            new.approval,
            now
        ];
        let row = self.row(INSERT_EDITION, values).await?;
        row.map(|row| row.int("id")).transpose()
    }

    /// An edition by its id.
    pub async fn edition(&mut self, id: i64) -> Result<Option<EditionRow>, StoreError> {
        self.row(EDITION, values![id]).await?.as_ref().map(EditionRow::read).transpose()
    }

    /// Editions after an id, at most `limit`, in order.
    pub async fn editions_after(
        &mut self,
        id: i64,
        limit: i64,
    ) -> Result<Vec<EditionRow>, StoreError> {
        let rows = self.rows(EDITIONS, values![id, limit]).await?;
        rows.iter().map(EditionRow::read).collect()
    }

    /// The edition of a cadence whose cut was the first at or after a position.
    pub async fn edition_of_position(
        &mut self,
        list: &ListId,
        cadence: &CadenceId,
        position: i64,
    ) -> Result<Option<EditionRow>, StoreError> {
        let row = self.row(EDITION_OF_POSITION, values![list, cadence, position]).await?;
        row.as_ref().map(EditionRow::read).transpose()
    }

    /// The editions whose messages may be delivered, the earliest slot first.
    pub async fn open_editions(&mut self) -> Result<Vec<EditionRow>, StoreError> {
        self.rows(OPEN_EDITIONS, values![]).await?.iter().map(EditionRow::read).collect()
    }

    /// Ends the planning of an edition: `open` for delivery, or `waiting` for approval.
    pub async fn edition_planned(
        &mut self,
        id: i64,
        state: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute(PLANNED, values![id, state, now]).await?;
        self.ring(Bell::Delivery);
        Ok(())
    }

    /// Records the decision about an edition that waits; false where it does not.
    pub async fn decide_edition(
        &mut self,
        id: i64,
        state: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(self.execute(DECIDE_EDITION, values![id, state, by, now]).await? > 0)
    }

    /// Holds an edition until the transaction ends: it is neither ended nor opened again meanwhile.
    pub async fn hold_edition(&mut self, id: i64) -> Result<(), StoreError> {
        self.lock(LOCK_EDITION, values![id]).await?;
        Ok(())
    }

    /// Ends an edition of which no message is on its way any more.
    pub async fn end_edition(&mut self, id: i64) -> Result<bool, StoreError> {
        self.hold_edition(id).await?;
        Ok(self.execute(END_EDITION, values![id]).await? > 0)
    }

    /// Opens an edition again, of which a message is to be sent again; never an archived one.
    pub async fn reopen_edition(&mut self, id: i64) -> Result<(), StoreError> {
        self.hold_edition(id).await?;
        self.execute(REOPEN_EDITION, values![id]).await?;
        Ok(())
    }

    /// Adds a chunk to its edition's sums.
    pub async fn add_counts(&mut self, id: i64, counts: ChunkCounts) -> Result<(), StoreError> {
        let ChunkCounts { considered, empty, suppressed, messages } = counts;
        self.execute(ADD_COUNTS, values![id, considered, empty, suppressed, messages]).await?;
        Ok(())
    }

    /// Stores a fragment under its key, once; gives its id. One that another process has stored
    /// meanwhile is the same and stays.
    pub async fn insert_fragment(
        &mut self,
        edition: i64,
        key: &str,
        html: &[u8],
        text: &[u8],
        html_bytes: i64,
    ) -> Result<i64, StoreError> {
        let values = values![edition, key, html, text, html_bytes];
        match self.row(INSERT_FRAGMENT, values).await? {
            Some(row) => row.int("id"),
            // Another planner has just made it, of the same things.
            None => self.one(FRAGMENT_ID, values![edition, key]).await?.int("id"),
        }
    }

    /// The fragments an edition has already: key, id, size of the decoded HTML in octets.
    pub async fn fragment_keys(
        &mut self,
        edition: i64,
    ) -> Result<Vec<(String, i64, i64)>, StoreError> {
        let rows = self.rows(FRAGMENT_KEYS, values![edition]).await?;
        rows.iter()
            .map(|row| Ok((row.text("key")?, row.int("id")?, row.int("html_bytes")?)))
            .collect()
    }

    /// Every fragment of an edition.
    pub async fn fragments(&mut self, edition: i64) -> Result<Vec<Fragment>, StoreError> {
        let rows = self.rows(FRAGMENTS, values![edition]).await?;
        rows.iter()
            .map(|row| {
                Ok(Fragment {
                    id: row.int("id")?,
                    key: row.text("key")?,
                    html: row.blob("html")?,
                    text: row.blob("text")?,
                    html_bytes: row.int("html_bytes")?,
                })
            })
            .collect()
    }

    /// The id of a variant of an edition, stored where it is new.
    pub async fn intern_variant(
        &mut self,
        edition: i64,
        variant: &NewVariant,
    ) -> Result<i64, StoreError> {
        let values = values![
            edition,
            &variant.key,
            variant.language.tag(),
            variant.headers.as_slice(),
            json(&variant.fragments),
            json(&variant.entries),
            variant.html_bytes,
        ];
        self.execute(INSERT_VARIANT, values).await?;
        self.one(VARIANT_BY_KEY, values![edition, &variant.key]).await?.int("id")
    }

    /// A variant by its id.
    pub async fn variant(&mut self, id: i64) -> Result<Option<VariantRow>, StoreError> {
        self.row(VARIANT, values![id]).await?.as_ref().map(VariantRow::read).transpose()
    }

    /// The variants of an edition, each with how many messages have it.
    pub async fn variants(&mut self, edition: i64) -> Result<Vec<(VariantRow, i64)>, StoreError> {
        let rows = self.rows(VARIANTS, values![edition]).await?;
        rows.iter().map(|row| Ok((VariantRow::read(row)?, row.int("recipients")?))).collect()
    }

    /// Keeps what an edition decides for a group, a variant or nothing, for the chunks from now on.
    pub async fn insert_group(
        &mut self,
        edition: i64,
        key: &GroupKey,
        variant: Option<i64>,
    ) -> Result<(), StoreError> {
        let values = values![edition, key.profile, key.since, &key.words, variant];
        self.execute(INSERT_GROUP, values).await?;
        Ok(())
    }

    /// The groups of a slice, with how many subscriptions each has. Those whose message in the
    /// edition was cancelled, since they paused or moved while it was being planned, are in none:
    /// the next edition tells them.
    pub async fn groups(&mut self, slice: &Slice<'_>) -> Result<Vec<GroupCount>, StoreError> {
        let Slice { list, cadence, edition, after, until, .. } = *slice;
        let rows = if slice.pinned {
            let values = values![
                list,
                cadence,
                edition,
                slice.cut,
                after,
                until,
                slice.day_start,
                slice.per_day_max,
            ];
            self.rows(GROUPS_PINNED, values).await?
        } else {
            let values = values![list, cadence, edition, slice.since, after, until];
            self.rows(GROUPS_UNPINNED, values).await?
        };
        rows.iter().map(GroupCount::read).collect()
    }

    /// Writes the messages of a slice whose groups have a variant; gives how many. What is written
    /// already stays. They are due since their slot, not since they were written: the clock of the
    /// next command (`--at`) may stand a little before that.
    pub async fn write_messages(
        &mut self,
        slice: &Slice<'_>,
        state: &str,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<u64, StoreError> {
        let Slice { list, cadence, edition, after, until, .. } = *slice;
        if slice.pinned {
            let values = values![
                list,
                cadence,
                edition,
                slice.cut,
                after,
                until,
                state,
                now,
                expires,
                slice.day_start,
                slice.per_day_max,
            ];
            self.execute(WRITE_PINNED, values).await
        } else {
            let values =
                values![list, cadence, edition, slice.since, after, until, state, now, expires];
            self.execute(WRITE_UNPINNED, values).await
        }
    }
}

impl EditionRow {
    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.int("id")?,
            list_id: row.word("list_id", "list id")?,
            cadence: row.word("cadence", "cadence")?,
            slot: row.text("slot")?,
            slot_at: row.time("slot_at")?,
            since: row.int("since")?,
            cut: row.int("cut")?,
            ruleset: row.text("ruleset")?,
            corrections: row.int("corrections")?,
            approval: row.flag("approval")?,
            state: row.text("state")?,
            considered: row.int("considered")?,
            empty: row.int("empty")?,
            suppressed: row.int("suppressed")?,
            planned_messages: row.int("planned_messages")?,
        })
    }
}

impl GroupCount {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            key: GroupKey {
                profile: row.int("profile_id")?,
                since: row.int("since")?,
                words: row.text("words")?,
            },
            subscriptions: row.int("subscriptions")?,
            suppressed: row.int("suppressed")?,
        })
    }
}

impl VariantRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.int("id")?,
            edition_id: row.int("edition_id")?,
            variant: NewVariant {
                key: row.text("key")?,
                language: row.word("language", "language")?,
                headers: row.blob("headers")?,
                fragments: row.json("fragments_json", "list of fragments")?,
                entries: row.json("entries_json", "list of entries")?,
                html_bytes: row.int("html_bytes")?,
            },
        })
    }
}
