//! Sources, and what was read from them: items and their revisions. Written by `ingest` alone.

use chrono::NaiveDate;

use crate::model::{SourceId, Timestamp};

use super::value::{Row, json, values};
use super::{Bell, StoreError, Tx, statements};

statements! {
    UPSERT_SOURCE = "INSERT INTO source (id, url, settings_json, from_file, next_poll_at, host)
        VALUES ($1, $2, $3, $4, 0, $5)
        ON CONFLICT (id) DO UPDATE SET url = excluded.url, settings_json = excluded.settings_json,
            from_file = excluded.from_file, removed_at = NULL,
            gone_at = CASE WHEN source.removed_at IS NULL THEN source.gone_at END,
            baseline_at = CASE WHEN source.url = excluded.url AND source.removed_at IS NULL
                THEN source.baseline_at END,
            next_poll_at = CASE WHEN source.url = excluded.url
                    AND source.settings_json = excluded.settings_json
                THEN source.next_poll_at ELSE excluded.next_poll_at END,
            claimed_until = CASE WHEN source.url = excluded.url THEN source.claimed_until END";
    FORGET_ANSWER = "UPDATE source SET etag = NULL, last_modified = NULL, validated_url = NULL,
            body_digest = NULL, read_as = NULL, hints_json = NULL
        WHERE id = $1";
    FORGET_ADDRESS = "UPDATE source SET headline = NULL, site_link = NULL, moved_to = NULL,
            moved_since = NULL, adopted_url = NULL, host = $2, failures = 0,
            last_error = NULL, last_hint = NULL, failing_since = NULL, bad_since = NULL,
            gone_at = NULL
        WHERE id = $1";
    TITLE_SOURCE = "UPDATE source SET title = coalesce(title, $2) WHERE id = $1";
    REMOVE_SOURCE = "UPDATE source SET removed_at = $2 WHERE id = $1 AND removed_at IS NULL";
    SOURCES = "SELECT * FROM source WHERE removed_at IS NULL ORDER BY id";
    SOURCE = "SELECT * FROM source WHERE id = $1";
    LOCK_SOURCE = "SELECT * FROM source WHERE id = $1 AND removed_at IS NULL"
        + { postgres: "FOR UPDATE" };
    ITEM = "SELECT * FROM item WHERE id = $1";
    ITEMS_BY_LINK = "SELECT * FROM item WHERE link = $1 ORDER BY id";
    INSERT_ITEM = "INSERT INTO item
            (source_id, identity, link, revision, digest, baseline, first_seen_at)
        VALUES ($1, $2, $3, 1, $4, $5, $6) RETURNING id";
    REVISE_ITEM = "UPDATE item SET revision = $2, link = $3, digest = $4 WHERE id = $1";
    INSERT_REVISION = "INSERT INTO revision (item_id, revision, title, link, summary, content,
            full_text, image_alt_json, categories_json, published_at, updated_at, seen_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    REVISION = "SELECT * FROM revision WHERE item_id = $1 AND revision = $2";
    COUNT_ITEMS = "SELECT count(*) AS n FROM item WHERE source_id = $1";
}

/// A source as it is kept.
#[derive(Clone, Debug)]
pub struct SourceRow {
    /// Its id.
    pub id: SourceId,
    /// Where it is polled.
    pub url: String,
    /// What it calls itself.
    pub title: Option<String>,
    /// How, as JSON text of the configuration's own form.
    pub settings_json: String,
    /// Whether the configuration file names it; then it is read-only elsewhere.
    pub from_file: bool,
    /// When its first answer with items came; that answer told nobody.
    pub baseline_at: Option<Timestamp>,
    /// The entity tag of the last answer (RFC 9110 8.8.3).
    pub etag: Option<String>,
    /// The date of the last answer (RFC 9110 8.8.2).
    pub last_modified: Option<String>,
    /// When it is due next.
    pub next_poll_at: Timestamp,
    /// When it was last polled.
    pub polled_at: Option<Timestamp>,
    /// When that last went well.
    pub succeeded_at: Option<Timestamp>,
    /// When it last had something new.
    pub changed_at: Option<Timestamp>,
    /// Polls in a row that failed.
    pub failures: i64,
    /// Why the last of them did.
    pub last_error: Option<String>,
    /// What can be done about it.
    pub last_hint: Option<String>,
    /// When the first of them was.
    pub failing_since: Option<Timestamp>,
    /// Since when the admins know that it is bad.
    pub bad_since: Option<Timestamp>,
    /// When it last ceased to be.
    pub recovered_at: Option<Timestamp>,
    /// When it said to be gone for good; it is not polled any more.
    pub gone_at: Option<Timestamp>,
    /// The address that is asked instead of `url`, since it moved there for good.
    pub adopted_url: Option<String>,
    /// Where it says to have moved, and is not believed yet.
    pub moved_to: Option<String>,
    /// Since when it says so.
    pub moved_since: Option<Timestamp>,
    /// The address that gave the tag and the date of the last answer.
    pub validated_url: Option<String>,
    /// A digest of the last body.
    pub body_digest: Option<String>,
    /// What the last answer was: `rss`, `atom`, `json` or `page`.
    pub read_as: Option<String>,
    /// The site's page that it belongs to.
    pub site_link: Option<String>,
    /// When it asks to be read, as JSON text.
    pub hints_json: Option<String>,
    /// Which text of its items is the headline, where that was found.
    pub headline: Option<String>,
}

/// An item, without its texts.
#[derive(Clone, Debug)]
pub struct ItemRow {
    /// Its id.
    pub id: i64,
    /// Where it was read.
    pub source_id: SourceId,
    /// What makes it the same item at the next poll.
    pub identity: String,
    /// Its own page.
    pub link: Option<String>,
    /// Its newest revision.
    pub revision: i64,
    /// A digest of the newest revision's texts.
    pub digest: String,
    /// Whether it belongs to its source's first answer.
    pub baseline: bool,
    /// When it was first read.
    pub first_seen_at: Timestamp,
    /// When it was withdrawn.
    pub withdrawn_at: Option<Timestamp>,
    /// The last day of its publication in an albo, in the site's zone.
    pub publication_end: Option<NaiveDate>,
    /// What an albo says of it, as JSON text; none where it is no act.
    pub act_json: Option<String>,
}

/// The texts of one revision.
#[derive(Clone, Debug)]
pub struct NewRevision {
    /// The title, one line of plain text.
    pub title: String,
    /// The item's own page.
    pub link: Option<String>,
    /// Plain text.
    pub summary: String,
    /// Clean HTML.
    pub content: String,
    /// Plain text: the summary and what the item's own page says, where that was asked for.
    pub full_text: Option<String>,
    /// Texts that stand for images.
    pub image_alt: Vec<String>,
    /// The publisher's categories.
    pub categories: Vec<String>,
    /// When it was published, as its source says.
    pub published_at: Option<Timestamp>,
    /// When it was changed, as its source says.
    pub updated_at: Option<Timestamp>,
}

impl SourceRow {
    /// The address that is asked: the one it moved to, else the configured one.
    pub fn address(&self) -> &str {
        self.adopted_url.as_deref().unwrap_or(&self.url)
    }

    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.word("id", "source id")?,
            url: row.text("url")?,
            title: row.text_or_none("title")?,
            settings_json: row.text("settings_json")?,
            from_file: row.flag("from_file")?,
            baseline_at: row.time_or_none("baseline_at")?,
            etag: row.text_or_none("etag")?,
            last_modified: row.text_or_none("last_modified")?,
            next_poll_at: row.time("next_poll_at")?,
            polled_at: row.time_or_none("polled_at")?,
            succeeded_at: row.time_or_none("succeeded_at")?,
            changed_at: row.time_or_none("changed_at")?,
            failures: row.int("failures")?,
            last_error: row.text_or_none("last_error")?,
            last_hint: row.text_or_none("last_hint")?,
            failing_since: row.time_or_none("failing_since")?,
            bad_since: row.time_or_none("bad_since")?,
            recovered_at: row.time_or_none("recovered_at")?,
            gone_at: row.time_or_none("gone_at")?,
            adopted_url: row.text_or_none("adopted_url")?,
            moved_to: row.text_or_none("moved_to")?,
            moved_since: row.time_or_none("moved_since")?,
            validated_url: row.text_or_none("validated_url")?,
            body_digest: row.text_or_none("body_digest")?,
            read_as: row.text_or_none("read_as")?,
            site_link: row.text_or_none("site_link")?,
            hints_json: row.text_or_none("hints_json")?,
            headline: row.text_or_none("headline")?,
        })
    }
}

/// Whom a web address asks: its host, and its port where it names one; none for a file.
pub fn host_of(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    let host = url.host_str()?;
    Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

impl ItemRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.int("id")?,
            source_id: row.word("source_id", "source id")?,
            identity: row.text("identity")?,
            link: row.text_or_none("link")?,
            revision: row.int("revision")?,
            digest: row.text("digest")?,
            baseline: row.flag("baseline")?,
            first_seen_at: row.time("first_seen_at")?,
            withdrawn_at: row.time_or_none("withdrawn_at")?,
            publication_end: row.word_or_none("publication_end", "day")?,
            act_json: row.text_or_none("act_json")?,
        })
    }
}

impl ItemRow {
    /// Whether search engines are asked to leave it out, as acts with personal data must be.
    pub fn noindex(&self) -> bool {
        self.act_json.is_some()
    }

    /// Whether it may stand in pages, feeds and search on a day of the site's zone: it is not
    /// withdrawn, and its publication has not ended before.
    pub fn is_public_on(&self, day: NaiveDate) -> bool {
        self.withdrawn_at.is_none() && self.publication_end.is_none_or(|end| day <= end)
    }
}

impl NewRevision {
    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            title: row.text("title")?,
            link: row.text_or_none("link")?,
            summary: row.text("summary")?,
            content: row.text("content")?,
            full_text: row.text_or_none("full_text")?,
            image_alt: row.json("image_alt_json", "list of texts")?,
            categories: row.json("categories_json", "list of texts")?,
            published_at: row.time_or_none("published_at")?,
            updated_at: row.time_or_none("updated_at")?,
        })
    }
}

impl Tx<'_> {
    /// Adds a source, or gives it new settings. A new address is due at once, whatever the clock of
    /// the command that adds it, and asked without the old one's validators; its first answer, and
    /// that of a source that comes back, tells nobody: a site that moved would otherwise tell all
    /// it has once more.
    pub async fn upsert_source(
        &mut self,
        id: &SourceId,
        url: &str,
        settings_json: &str,
        from_file: bool,
    ) -> Result<(), StoreError> {
        let host = host_of(url);
        let held = self.source(id).await?;
        let values = values![id, url, settings_json, from_file, host.as_deref()];
        self.execute(UPSERT_SOURCE, values).await?;
        if let Some(held) = held {
            let moved = held.url != url;
            if moved || held.settings_json != settings_json {
                self.execute(FORGET_ANSWER, values![id]).await?;
            }
            if moved {
                self.execute(FORGET_ADDRESS, values![id, host.as_deref()]).await?;
            }
        }
        self.ring(Bell::Ingest);
        Ok(())
    }

    /// Gives a source a title until its own is known.
    pub async fn title_source(&mut self, id: &SourceId, title: &str) -> Result<(), StoreError> {
        self.execute(TITLE_SOURCE, values![id, title]).await?;
        Ok(())
    }

    /// Ends the polling of a source; gives whether there was one. Its items stay.
    pub async fn remove_source(
        &mut self,
        id: &SourceId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(self.execute(REMOVE_SOURCE, values![id, now]).await? > 0)
    }

    /// Every source that is polled, by id.
    pub async fn sources(&mut self) -> Result<Vec<SourceRow>, StoreError> {
        self.rows(SOURCES, values![]).await?.iter().map(SourceRow::read).collect()
    }

    /// One source, also when it was removed.
    pub async fn source(&mut self, id: &SourceId) -> Result<Option<SourceRow>, StoreError> {
        self.row(SOURCE, values![id]).await?.as_ref().map(SourceRow::read).transpose()
    }

    /// One source that is polled, locked until the transaction ends, so that two polls of it come
    /// one after the other; none where it was removed.
    pub async fn lock_source(&mut self, id: &SourceId) -> Result<Option<SourceRow>, StoreError> {
        self.row(LOCK_SOURCE, values![id]).await?.as_ref().map(SourceRow::read).transpose()
    }

    /// An item by its id.
    pub async fn item(&mut self, id: i64) -> Result<Option<ItemRow>, StoreError> {
        self.row(ITEM, values![id]).await?.as_ref().map(ItemRow::read).transpose()
    }

    /// The items whose page is at this address.
    pub async fn items_by_link(&mut self, link: &str) -> Result<Vec<ItemRow>, StoreError> {
        self.rows(ITEMS_BY_LINK, values![link]).await?.iter().map(ItemRow::read).collect()
    }

    /// Adds an item with its first revision; gives its id.
    pub async fn insert_item(
        &mut self,
        source: &SourceId,
        identity: &str,
        digest: &str,
        baseline: bool,
        revision: &NewRevision,
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        let link = revision.link.as_deref();
        let values = values![source, identity, link, digest, baseline, now];
        let id = self.one(INSERT_ITEM, values).await?.int("id")?;
        self.insert_revision(id, 1, revision, now).await?;
        Ok(id)
    }

    /// Adds a later revision of an item.
    pub async fn revise_item(
        &mut self,
        id: i64,
        number: i64,
        digest: &str,
        revision: &NewRevision,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute(REVISE_ITEM, values![id, number, revision.link.as_deref(), digest]).await?;
        self.insert_revision(id, number, revision, now).await
    }

    async fn insert_revision(
        &mut self,
        id: i64,
        number: i64,
        revision: &NewRevision,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let values = values![
            id,
            number,
            &revision.title,
            revision.link.as_deref(),
            &revision.summary,
            &revision.content,
            revision.full_text.as_deref(),
            json(&revision.image_alt),
            json(&revision.categories),
            revision.published_at,
            revision.updated_at,
            now,
        ];
        self.execute(INSERT_REVISION, values).await?;
        Ok(())
    }

    /// The texts of a revision.
    pub async fn revision(
        &mut self,
        item: i64,
        number: i64,
    ) -> Result<Option<NewRevision>, StoreError> {
        let row = self.row(REVISION, values![item, number]).await?;
        row.as_ref().map(NewRevision::read).transpose()
    }

    /// How many items were ever read from a source.
    pub async fn count_items(&mut self, source: &SourceId) -> Result<i64, StoreError> {
        self.one(COUNT_ITEMS, values![source]).await?.int("n")
    }
}
