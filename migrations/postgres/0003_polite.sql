-- What politeness and health need to know of a source.

-- Who is asked: name and port as the address has them; none for files. One source of a host is
-- polled at a time.
ALTER TABLE source ADD COLUMN host TEXT;
UPDATE source SET host = substring(url FROM '^https?://(?:[^/@]*@)?([^/]+)');
CREATE INDEX source_claimed ON source (host) WHERE claimed_until IS NOT NULL;

-- The address that gave etag and last_modified, and a digest of the body last taken in.
ALTER TABLE source ADD COLUMN validated_url TEXT;
ALTER TABLE source ADD COLUMN body_digest TEXT;
-- What the last answer was (rss, atom, json, page), whose site it belongs to, and what it said of
-- when to ask again (ttl, skipHours, skipDays), as JSON.
ALTER TABLE source ADD COLUMN read_as TEXT;
ALTER TABLE source ADD COLUMN site_link TEXT;
ALTER TABLE source ADD COLUMN hints_json TEXT;
-- Where it says to have moved for good, since when without a break; and the address that was adopted
-- when that had held for long enough. `url` stays what was configured.
ALTER TABLE source ADD COLUMN moved_to TEXT;
ALTER TABLE source ADD COLUMN moved_since BIGINT;
ALTER TABLE source ADD COLUMN adopted_url TEXT;
-- Health: since when it fails without a break, what can be done about it, since when the admins
-- know, when that last ended, and when it said to be gone for good; then it is not polled.
ALTER TABLE source ADD COLUMN failing_since BIGINT;
ALTER TABLE source ADD COLUMN last_hint TEXT;
ALTER TABLE source ADD COLUMN bad_since BIGINT;
ALTER TABLE source ADD COLUMN recovered_at BIGINT;
ALTER TABLE source ADD COLUMN gone_at BIGINT;

CREATE INDEX item_by_source ON item (source_id, first_seen_at);
