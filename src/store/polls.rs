//! Polling sources: who has which, what came of it, and how sources are. Written by `ingest` alone.

use crate::model::{SourceId, Timestamp};

use super::sources::SourceRow;
use super::value::values;
use super::{StoreError, Tx, statements};

statements! {
    LOCK_CLAIMS = { sqlite: "", postgres: "SELECT pg_advisory_xact_lock(5702901)" };
    CLAIM_SOURCES = "UPDATE source SET claimed_until = $2
        WHERE removed_at IS NULL AND gone_at IS NULL AND next_poll_at <= $1
            AND (claimed_until IS NULL OR claimed_until <= $1)
            AND id IN (SELECT id FROM (SELECT id, next_poll_at, row_number() OVER (
                        PARTITION BY coalesce(host, '/' || id) ORDER BY next_poll_at, id) AS place
                    FROM source
                    WHERE removed_at IS NULL AND gone_at IS NULL AND next_poll_at <= $1
                        AND (claimed_until IS NULL OR claimed_until <= $1)
                        AND NOT EXISTS (SELECT 1 FROM source AS other
                            WHERE other.host = source.host AND other.claimed_until > $1)) AS due
                WHERE place = 1 ORDER BY next_poll_at, id LIMIT $3)
        RETURNING *";
    RELEASE_SOURCE = "UPDATE source SET claimed_until = NULL WHERE id = $1 AND claimed_until = $2";
    RELEASE_SOURCES = "UPDATE source SET claimed_until = NULL WHERE claimed_until IS NOT NULL";
    BEING_POLLED = "SELECT count(*) AS n FROM source WHERE removed_at IS NULL AND gone_at IS NULL
            AND next_poll_at <= $1 AND claimed_until > $1";
    NEXT_POLL = "SELECT min(CASE WHEN busy.until > source.next_poll_at THEN busy.until
                ELSE source.next_poll_at END) AS at
        FROM source LEFT JOIN (SELECT coalesce(host, '/' || id) AS place,
                max(claimed_until) AS until
            FROM source WHERE claimed_until > $1 GROUP BY coalesce(host, '/' || id)) AS busy
            ON busy.place = coalesce(source.host, '/' || source.id)
        WHERE source.removed_at IS NULL AND source.gone_at IS NULL";
    POLLED = "UPDATE source SET polled_at = $2, succeeded_at = $2, next_poll_at = $3, etag = $4,
            last_modified = $5, failures = 0, last_error = NULL, claimed_until = NULL,
            title = coalesce($8, title),
            changed_at = CASE WHEN $6 = 1 THEN $2 ELSE changed_at END,
            baseline_at = CASE WHEN $7 = 1 THEN coalesce(baseline_at, $2) ELSE baseline_at END
        WHERE id = $1";
    ANSWERED = "UPDATE source SET next_poll_at = $2, validated_url = $3,
            body_digest = coalesce($4, body_digest), read_as = coalesce($5, read_as),
            site_link = coalesce($6, site_link), hints_json = coalesce($7, hints_json),
            moved_to = $8, moved_since = $9, adopted_url = $10, host = $11, last_hint = NULL,
            recovered_at = CASE WHEN bad_since IS NULL THEN recovered_at ELSE polled_at END,
            failing_since = NULL, bad_since = NULL, gone_at = NULL
        WHERE id = $1";
    POLL_FAILED = "UPDATE source SET polled_at = $2, next_poll_at = $3, failures = failures + 1,
            last_error = $4, failing_since = coalesce(failing_since, $2), claimed_until = NULL
        WHERE id = $1";
    TROUBLED = "UPDATE source SET last_hint = $2, bad_since = $3, gone_at = $4, adopted_url = $5,
            host = $6
        WHERE id = $1";
    POSTPONE_HOST = "UPDATE source SET next_poll_at = $2
        WHERE host = $1 AND removed_at IS NULL AND next_poll_at < $2";
    SOURCES_IN_TROUBLE = "SELECT * FROM source WHERE removed_at IS NULL AND bad_since IS NOT NULL
        ORDER BY id";
    COUNT_ITEMS_SINCE = "SELECT count(*) AS n FROM item
        WHERE source_id = $1 AND first_seen_at >= $2 AND baseline = 0";
}

/// A poll that went well.
#[derive(Clone, Debug)]
pub struct PollRow<'a> {
    /// Of which source.
    pub source: &'a SourceId,
    /// When.
    pub now: Timestamp,
    /// When the next is due.
    pub next: Timestamp,
    /// The answer's entity tag.
    pub etag: Option<&'a str>,
    /// The answer's date.
    pub last_modified: Option<&'a str>,
    /// The source's own title, where the answer has one.
    pub title: Option<&'a str>,
    /// Whether it had something new.
    pub changed: bool,
    /// Whether its items are the source's baseline.
    pub baseline: bool,
}

/// What an answer says besides its items. Where it says nothing new of its body (it was not
/// modified), what is known stays.
#[derive(Clone, Debug)]
pub struct AnswerRow<'a> {
    /// Of which source.
    pub source: &'a SourceId,
    /// When the next poll is due.
    pub next: Timestamp,
    /// The address that gave the validators.
    pub validated_url: &'a str,
    /// A digest of the body.
    pub body_digest: Option<&'a str>,
    /// What it was.
    pub read_as: Option<&'a str>,
    /// Whose site it belongs to.
    pub site_link: Option<&'a str>,
    /// When it asks to be read, as JSON text.
    pub hints_json: Option<&'a str>,
    /// Where it says to have moved for good.
    pub moved_to: Option<&'a str>,
    /// Since when it says so.
    pub moved_since: Option<Timestamp>,
    /// The address that is asked instead of the configured one.
    pub adopted_url: Option<&'a str>,
    /// Who is asked the next time.
    pub host: Option<&'a str>,
}

/// What a failure makes of a source.
#[derive(Clone, Debug)]
pub struct TroubleRow<'a> {
    /// Which source.
    pub source: &'a SourceId,
    /// What can be done about it.
    pub hint: &'a str,
    /// Since when the admins know.
    pub bad_since: Option<Timestamp>,
    /// When it said to be gone for good.
    pub gone_at: Option<Timestamp>,
    /// The address that is asked instead of the configured one.
    pub adopted_url: Option<&'a str>,
    /// Who is asked the next time.
    pub host: Option<&'a str>,
}

impl Tx<'_> {
    /// Claims sources that are due, at most `limit` and one of each host, the longest due first:
    /// until an instant nobody else claims them, nor another of their hosts. A record of their poll
    /// ends the claim.
    pub async fn claim_sources(
        &mut self,
        now: Timestamp,
        until: Timestamp,
        limit: i64,
    ) -> Result<Vec<SourceRow>, StoreError> {
        // Two who claim at once would each find a host free.
        self.lock(LOCK_CLAIMS, values![]).await?;
        let rows = self.rows(CLAIM_SOURCES, values![now, until, limit]).await?;
        rows.iter().map(SourceRow::read).collect()
    }

    /// Gives back a source that was claimed until an instant and not polled.
    pub async fn release_source(
        &mut self,
        id: &SourceId,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute(RELEASE_SOURCE, values![id, until]).await?;
        Ok(())
    }

    /// How many sources are due and claimed: somebody polls them.
    pub async fn being_polled(&mut self, now: Timestamp) -> Result<i64, StoreError> {
        self.one(BEING_POLLED, values![now]).await?.int("n")
    }

    /// When the next source is due that can be claimed, or the claim on it or its host ends.
    pub async fn next_poll(&mut self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.one(NEXT_POLL, values![now]).await?.time_or_none("at")
    }

    /// Records a poll that went well.
    pub async fn record_poll(&mut self, poll: &PollRow<'_>) -> Result<(), StoreError> {
        let values = values![
            poll.source,
            poll.now,
            poll.next,
            poll.etag,
            poll.last_modified,
            poll.changed,
            poll.baseline,
            poll.title,
        ];
        self.execute(POLLED, values).await?;
        Ok(())
    }

    /// Records what an answer says besides its items, after its poll was recorded. A source that
    /// failed, was bad or gone is well again.
    pub async fn record_answer(&mut self, answer: &AnswerRow<'_>) -> Result<(), StoreError> {
        let values = values![
            answer.source,
            answer.next,
            answer.validated_url,
            answer.body_digest,
            answer.read_as,
            answer.site_link,
            answer.hints_json,
            answer.moved_to,
            answer.moved_since,
            answer.adopted_url,
            answer.host,
        ];
        self.execute(ANSWERED, values).await?;
        Ok(())
    }

    /// Records a poll that failed, and why.
    pub async fn record_poll_failure(
        &mut self,
        id: &SourceId,
        now: Timestamp,
        next: Timestamp,
        error: &str,
    ) -> Result<(), StoreError> {
        self.execute(POLL_FAILED, values![id, now, next, error]).await?;
        Ok(())
    }

    /// Records what a failure makes of a source, after the failure was recorded.
    pub async fn record_trouble(&mut self, trouble: &TroubleRow<'_>) -> Result<(), StoreError> {
        let values = values![
            trouble.source,
            trouble.hint,
            trouble.bad_since,
            trouble.gone_at,
            trouble.adopted_url,
            trouble.host,
        ];
        self.execute(TROUBLED, values).await?;
        Ok(())
    }

    /// Lets no source of a host be due before an instant.
    pub async fn postpone_host(&mut self, host: &str, until: Timestamp) -> Result<(), StoreError> {
        self.execute(POSTPONE_HOST, values![host, until]).await?;
        Ok(())
    }

    /// The sources that the admins know to be bad, by id.
    pub async fn sources_in_trouble(&mut self) -> Result<Vec<SourceRow>, StoreError> {
        self.rows(SOURCES_IN_TROUBLE, values![]).await?.iter().map(SourceRow::read).collect()
    }

    /// How many items a source has brought since an instant, its baseline left out.
    pub async fn count_items_since(
        &mut self,
        source: &SourceId,
        since: Timestamp,
    ) -> Result<i64, StoreError> {
        self.one(COUNT_ITEMS_SINCE, values![source, since]).await?.int("n")
    }
}
