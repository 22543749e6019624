-- What a service needs: people who come by themselves, notices in the outbox, the trace, sources
-- that several daemons share, and sums of editions whose messages have been archived.

-- ingest ------------------------------------------------------------------------------------

-- Until when a daemon that took the source to poll it keeps the others from doing so too.
ALTER TABLE source ADD COLUMN claimed_until INTEGER;

-- audience ----------------------------------------------------------------------------------

-- The wording that people agreed to, kept as long as a consent names it.
CREATE TABLE consent_text (
    version TEXT PRIMARY KEY,
    language TEXT NOT NULL,
    text TEXT NOT NULL,
    since INTEGER NOT NULL
);

ALTER TABLE consent ADD COLUMN text_version TEXT REFERENCES consent_text (version);

-- What somebody asked for on a page and has not confirmed yet, or has. The address stands with its
-- subscriber; where nothing else is known of that one, it goes when this expires.
CREATE TABLE sign_up (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    subscriber_id INTEGER NOT NULL REFERENCES subscriber (id),
    list_id TEXT NOT NULL REFERENCES list (id),
    wanted_json TEXT NOT NULL,
    text_version TEXT NOT NULL REFERENCES consent_text (version),
    asked_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    confirmed_at INTEGER
);
CREATE INDEX sign_up_by_subscriber ON sign_up (subscriber_id);
CREATE INDEX sign_up_by_expiry ON sign_up (expires_at, id);

-- How often something that has a limit was done in one window of time. Keys are keyed hashes.
CREATE TABLE rate_limit (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    window_at INTEGER NOT NULL,
    hits INTEGER NOT NULL,
    PRIMARY KEY (scope, key, window_at)
);
CREATE INDEX rate_limit_by_window ON rate_limit (window_at);

-- editions ----------------------------------------------------------------------------------

-- When its messages and attempts were archived; what they came to stands in edition_sum.
ALTER TABLE edition ADD COLUMN archived_at INTEGER;

CREATE TABLE edition_sum (
    edition_id INTEGER NOT NULL REFERENCES edition (id),
    state TEXT NOT NULL,
    messages INTEGER NOT NULL,
    PRIMARY KEY (edition_id, state)
);

-- Variants go when their edition is archived. A foreign key would look for each of them in all
-- groups and all messages there are.
ALTER TABLE edition_group RENAME TO edition_group_before;
CREATE TABLE edition_group (
    edition_id INTEGER NOT NULL REFERENCES edition (id),
    profile_id INTEGER NOT NULL,
    since INTEGER NOT NULL,
    words TEXT NOT NULL,
    variant_id INTEGER,
    PRIMARY KEY (edition_id, profile_id, since, words)
);
INSERT INTO edition_group (edition_id, profile_id, since, words, variant_id)
    SELECT edition_id, profile_id, since, words, variant_id FROM edition_group_before;
DROP TABLE edition_group_before;

-- delivery ----------------------------------------------------------------------------------

-- A mail that is of no edition: a confirmation, a link to one's preferences. Its purpose makes it
-- unique. `about` is the id that its token names. Address and token go into holes at delivery.
CREATE TABLE notice (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('confirmation', 'already', 'preferences')),
    purpose TEXT NOT NULL UNIQUE,
    list_id TEXT NOT NULL REFERENCES list (id),
    about INTEGER NOT NULL,
    language TEXT NOT NULL,
    headers BLOB NOT NULL,
    html BLOB NOT NULL,
    text BLOB NOT NULL
);

-- A message is of an edition or is a notice. SQLite cannot loosen a column, so the table is made
-- anew; the attempts follow it.
ALTER TABLE attempt RENAME TO attempt_before;
ALTER TABLE message RENAME TO message_before;
DROP INDEX message_due;
DROP INDEX message_under_way;
DROP INDEX message_by_subscriber;

CREATE TABLE message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    edition_id INTEGER REFERENCES edition (id),
    notice_id INTEGER UNIQUE REFERENCES notice (id),
    subscriber_id INTEGER NOT NULL,
    subscription_id INTEGER,
    profile_id INTEGER,
    variant_id INTEGER,
    window_start INTEGER,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'queued', 'sending', 'deferred', 'accepted',
        'failed', 'expired', 'cancelled', 'in_doubt', 'held', 'dropped')),
    cause TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_try_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    worker_id INTEGER,
    created_at INTEGER NOT NULL,
    ended_at INTEGER,
    UNIQUE (edition_id, subscriber_id),
    CHECK ((edition_id IS NULL) <> (notice_id IS NULL)),
    CHECK (edition_id IS NULL OR (subscription_id IS NOT NULL AND profile_id IS NOT NULL
        AND variant_id IS NOT NULL AND window_start IS NOT NULL))
);

INSERT INTO message (id, edition_id, subscriber_id, subscription_id, profile_id, variant_id,
        window_start, state, cause, attempts, next_try_at, expires_at, worker_id, created_at,
        ended_at)
    SELECT id, edition_id, subscriber_id, subscription_id, profile_id, variant_id, window_start,
        state, cause, attempts, next_try_at, expires_at, worker_id, created_at, ended_at
    FROM message_before;

CREATE TABLE attempt (
    message_id INTEGER NOT NULL REFERENCES message (id),
    number INTEGER NOT NULL,
    worker_id INTEGER NOT NULL,
    claimed_at INTEGER NOT NULL,
    content_at INTEGER,
    ended_at INTEGER,
    stage TEXT NOT NULL,
    outcome TEXT CHECK (outcome IN ('accepted', 'deferred', 'failed', 'in_doubt', 'released')),
    reply_code INTEGER,
    reply TEXT,
    PRIMARY KEY (message_id, number)
);

INSERT INTO attempt (message_id, number, worker_id, claimed_at, content_at, ended_at, stage,
        outcome, reply_code, reply)
    SELECT message_id, number, worker_id, claimed_at, content_at, ended_at, stage, outcome,
        reply_code, reply
    FROM attempt_before;

DROP TABLE attempt_before;
DROP TABLE message_before;

CREATE INDEX message_due ON message (edition_id, next_try_at, id)
    WHERE state IN ('queued', 'deferred');
CREATE INDEX message_notice_due ON message (next_try_at, id)
    WHERE edition_id IS NULL AND state IN ('queued', 'deferred');
CREATE INDEX message_under_way ON message (worker_id) WHERE state = 'sending';
CREATE INDEX message_by_subscriber ON message (subscriber_id, id);

-- The few that nobody knows the end of.
CREATE INDEX attempt_in_doubt ON attempt (message_id, number) WHERE outcome = 'in_doubt';

-- the trace ---------------------------------------------------------------------------------

-- Who did what to what, before and after without personal values, and from where. Only ever added.
CREATE TABLE trace (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL CHECK (actor IN ('person', 'command', 'token', 'system')),
    name TEXT NOT NULL,
    origin TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    before_json TEXT,
    after_json TEXT
);
CREATE INDEX trace_by_subject ON trace (subject, subject_id, id);

CREATE TRIGGER trace_is_never_changed BEFORE UPDATE ON trace
BEGIN
    SELECT RAISE(ABORT, 'the trace is append-only');
END;

CREATE TRIGGER trace_is_never_shortened BEFORE DELETE ON trace
BEGIN
    SELECT RAISE(ABORT, 'the trace is append-only');
END;
