//! By what items are known again, and the last answer of each source. Written by `ingest` alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{SourceId, Timestamp};

use super::value::{Row, json, values};
use super::{NewRevision, StoreError, Tx, statements};

/// The most keys that an item keeps; beyond it the oldest go.
pub const ITEM_KEYS_MAX: usize = 64;
/// The most pairs of an item and a key that are looked at for one answer; the newest items first.
const KEYED_ROWS_MAX: i64 = 20_000;

statements! {
    ITEMS_WITH_KEYS = {
        sqlite: "SELECT item_id, key FROM item_key
            WHERE source_id = $1 AND key IN (SELECT value FROM json_each($2))
            ORDER BY item_id DESC LIMIT $3",
        postgres: "SELECT item_id, key FROM item_key
            WHERE source_id = $1
                AND key = ANY (ARRAY(SELECT value FROM json_array_elements_text($2::json)))
            ORDER BY item_id DESC LIMIT $3"
    };
    KEYED_ITEMS = {
        sqlite: "SELECT i.id, i.revision, i.digest, i.link, i.act_json, r.title
            FROM item i
            JOIN revision r ON r.item_id = i.id AND r.revision = i.revision
            WHERE i.id IN (SELECT value FROM json_each($1)) ORDER BY i.id",
        postgres: "SELECT i.id, i.revision, i.digest, i.link, i.act_json, r.title
            FROM item i
            JOIN revision r ON r.item_id = i.id AND r.revision = i.revision
            WHERE i.id = ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text($1::json)))
            ORDER BY i.id"
    };
    KEYS_OF_ITEMS = {
        sqlite: "SELECT item_id, key FROM item_key
            WHERE item_id IN (SELECT value FROM json_each($1))",
        postgres: "SELECT item_id, key FROM item_key WHERE item_id =
            ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text($1::json)))"
    };
    GIVE_KEY = "INSERT INTO item_key (source_id, key, item_id, needed_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (source_id, key, item_id) DO UPDATE SET needed_at = excluded.needed_at";
    FORGET_OLDEST_KEYS = "DELETE FROM item_key WHERE item_id = $1 AND key IN
        (SELECT key FROM item_key WHERE item_id = $1 ORDER BY needed_at, key LIMIT $2)";
    MOVE_ITEM = "UPDATE item SET link = $2 WHERE id = $1";
    KEEP_DIGEST = "UPDATE item SET digest = $2 WHERE id = $1";
    UNKEYED_ITEMS = "SELECT i.id, i.identity, r.title, r.link, r.summary, r.content, r.full_text,
            r.image_alt_json, r.categories_json, r.published_at, r.updated_at
        FROM item i JOIN revision r ON r.item_id = i.id AND r.revision = i.revision
        WHERE i.source_id = $1 AND i.id > $2 ORDER BY i.id LIMIT $3";
    ITEMS_BY_KEY = "SELECT item_id FROM item_key WHERE key = $1 ORDER BY item_id";
    ANSWER = "SELECT * FROM source_answer WHERE source_id = $1";
    KEEP_ANSWER = "INSERT INTO source_answer
            (source_id, digest, lately_json, newest_published_at, answered_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (source_id) DO UPDATE SET digest = excluded.digest,
            lately_json = excluded.lately_json,
            newest_published_at = excluded.newest_published_at,
            answered_at = excluded.answered_at";
}

/// An item as far as it is needed to know it again.
#[derive(Clone, Debug)]
pub struct KeyedItem {
    /// Its id.
    pub id: i64,
    /// Its newest revision.
    pub revision: i64,
    /// A digest of that revision's texts.
    pub digest: String,
    /// Its own page.
    pub link: Option<String>,
    /// Its title.
    pub title: String,
    /// What an albo said of it, where it is an act.
    pub act: Option<HeldAct>,
    /// By what it has been known.
    pub keys: BTreeSet<String>,
}

/// An act of an albo that is known.
#[derive(Clone, Debug)]
pub struct HeldAct {
    /// What was said of it, as JSON text.
    pub json: String,
}

/// The last answer of a source that had items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastAnswerRow {
    /// A digest of what it said.
    pub digest: String,
    /// The items that lately stood in it, each with the second when it was last seen.
    pub lately: Vec<(i64, i64)>,
    /// The newest date of publication that was believed.
    pub newest_published_at: Option<Timestamp>,
    /// When it came.
    pub answered_at: Timestamp,
}

impl Tx<'_> {
    /// The items of a source that are known by any of these keys, as (item, key), the newest
    /// items first.
    pub async fn items_with_keys(
        &mut self,
        source: &SourceId,
        keys: &[&str],
    ) -> Result<Vec<(i64, String)>, StoreError> {
        let values = values![source, json(keys), KEYED_ROWS_MAX];
        let rows = self.rows(ITEMS_WITH_KEYS, values).await?;
        rows.iter().map(|row| Ok((row.int("item_id")?, row.text("key")?))).collect()
    }

    /// Items with all their keys, by id.
    pub async fn keyed_items(&mut self, items: &[i64]) -> Result<Vec<KeyedItem>, StoreError> {
        let list = json(items);
        let mut keys: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
        for row in self.rows(KEYS_OF_ITEMS, values![&list]).await? {
            keys.entry(row.int("item_id")?).or_default().insert(row.text("key")?);
        }
        let rows = self.rows(KEYED_ITEMS, values![&list]).await?;
        let mut read = |row: &Row| {
            let id = row.int("id")?;
            Ok(KeyedItem {
                id,
                revision: row.int("revision")?,
                digest: row.text("digest")?,
                link: row.text_or_none("link")?,
                title: row.text("title")?,
                act: row.text_or_none("act_json")?.map(|json| HeldAct { json }),
                keys: keys.remove(&id).unwrap_or_default(),
            })
        };
        rows.iter().map(&mut read).collect()
    }

    /// Lets an item that has `held` other keys be known by these. Beyond `ITEM_KEYS_MAX` those
    /// are forgotten that were given longest ago.
    pub async fn give_keys(
        &mut self,
        source: &SourceId,
        item: i64,
        held: usize,
        keys: &[&str],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for key in keys {
            self.execute(GIVE_KEY, values![source, *key, item, now]).await?;
        }
        let beyond = (held + keys.len()).saturating_sub(ITEM_KEYS_MAX);
        if beyond > 0 {
            let beyond = i64::try_from(beyond).unwrap_or(i64::MAX);
            self.execute(FORGET_OLDEST_KEYS, values![item, beyond]).await?;
        }
        Ok(())
    }

    /// Notes that an item's page is at another address now.
    pub async fn move_item(&mut self, item: i64, link: &str) -> Result<(), StoreError> {
        self.execute(MOVE_ITEM, values![item, link]).await?;
        Ok(())
    }

    /// Notes another digest of texts that are the same.
    pub async fn keep_digest(&mut self, item: i64, digest: &str) -> Result<(), StoreError> {
        self.execute(KEEP_DIGEST, values![item, digest]).await?;
        Ok(())
    }

    /// Items of a source after an id, in their order, at most `limit`: id, identity of former
    /// versions, texts.
    pub async fn unkeyed_items(
        &mut self,
        source: &SourceId,
        after: i64,
        limit: i64,
    ) -> Result<Vec<(i64, String, NewRevision)>, StoreError> {
        let rows = self.rows(UNKEYED_ITEMS, values![source, after, limit]).await?;
        let read = |row: &Row| Ok((row.int("id")?, row.text("identity")?, NewRevision::read(row)?));
        rows.iter().map(read).collect()
    }

    /// The items, of all sources, that are known by a key.
    pub async fn items_by_key(&mut self, key: &str) -> Result<Vec<i64>, StoreError> {
        let rows = self.rows(ITEMS_BY_KEY, values![key]).await?;
        rows.iter().map(|row| row.int("item_id")).collect()
    }

    /// The last answer of a source that had items.
    pub async fn answer(&mut self, source: &SourceId) -> Result<Option<LastAnswerRow>, StoreError> {
        let Some(row) = self.row(ANSWER, values![source]).await? else { return Ok(None) };
        Ok(Some(LastAnswerRow {
            digest: row.text("digest")?,
            lately: row.json("lately_json", "list of items")?,
            newest_published_at: row.time_or_none("newest_published_at")?,
            answered_at: row.time("answered_at")?,
        }))
    }

    /// Keeps the last answer of a source.
    pub async fn keep_answer(
        &mut self,
        source: &SourceId,
        answer: &LastAnswerRow,
    ) -> Result<(), StoreError> {
        let LastAnswerRow { digest, lately, newest_published_at, answered_at } = answer;
        let values = values![source, digest, json(lately), *newest_published_at, *answered_at];
        self.execute(KEEP_ANSWER, values).await?;
        Ok(())
    }
}
