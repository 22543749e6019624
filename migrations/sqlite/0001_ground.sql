-- The ground floor. Instants are seconds of UTC. A column that ends in _json holds JSON text.
-- Every table belongs to one room; the others only read it.

-- One row: which secret this database was made with, so that another one is refused; and which
-- sources and lists of the file were applied last, so that they are applied only when they change.
CREATE TABLE installation (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    secret_check TEXT NOT NULL,
    applied TEXT NOT NULL,
    created_at INTEGER NOT NULL
);

-- ingest ------------------------------------------------------------------------------------

CREATE TABLE source (
    id TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    title TEXT,
    settings_json TEXT NOT NULL,
    from_file INTEGER NOT NULL,
    removed_at INTEGER,
    baseline_at INTEGER,
    etag TEXT,
    last_modified TEXT,
    next_poll_at INTEGER NOT NULL,
    polled_at INTEGER,
    succeeded_at INTEGER,
    changed_at INTEGER,
    failures INTEGER NOT NULL DEFAULT 0,
    last_error TEXT
);

CREATE TABLE item (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source_id TEXT NOT NULL REFERENCES source (id),
    identity TEXT NOT NULL,
    link TEXT,
    revision INTEGER NOT NULL,
    digest TEXT NOT NULL,
    baseline INTEGER NOT NULL,
    first_seen_at INTEGER NOT NULL,
    withdrawn_at INTEGER,
    UNIQUE (source_id, identity)
);
CREATE INDEX item_by_link ON item (link);

CREATE TABLE revision (
    item_id INTEGER NOT NULL REFERENCES item (id),
    revision INTEGER NOT NULL,
    title TEXT NOT NULL,
    link TEXT,
    summary TEXT NOT NULL,
    content TEXT NOT NULL,
    image_alt_json TEXT NOT NULL,
    categories_json TEXT NOT NULL,
    published_at INTEGER,
    updated_at INTEGER,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (item_id, revision)
);

-- topics ------------------------------------------------------------------------------------

-- What a rule set found in a revision; only ever added.
CREATE TABLE item_match (
    item_id INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    ruleset TEXT NOT NULL,
    classification_json TEXT NOT NULL,
    matched_at INTEGER NOT NULL,
    PRIMARY KEY (item_id, revision, ruleset)
);

-- editions: the stream ----------------------------------------------------------------------

-- One row, locked by whoever gives positions, so that they appear in order.
CREATE TABLE stream_head (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    position INTEGER NOT NULL
);
INSERT INTO stream_head (id, position) VALUES (1, 0);

CREATE TABLE entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    item_id INTEGER NOT NULL REFERENCES item (id),
    revision INTEGER NOT NULL,
    reason TEXT NOT NULL CHECK (reason IN ('new', 'correction', 'again')),
    source_id TEXT NOT NULL,
    position INTEGER UNIQUE,
    placed_at INTEGER,
    UNIQUE (item_id, revision, reason)
);

-- editions: lists and cadences --------------------------------------------------------------

CREATE TABLE list (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    sender TEXT NOT NULL,
    public INTEGER NOT NULL,
    in_doubt TEXT NOT NULL CHECK (in_doubt IN ('resend', 'hold', 'drop')),
    approval INTEGER NOT NULL,
    from_file INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    removed_at INTEGER
);

-- Which sources a list carries, from which stream position on and up to which; '*' is all.
CREATE TABLE list_source (
    list_id TEXT NOT NULL REFERENCES list (id),
    source_id TEXT NOT NULL,
    since_position INTEGER NOT NULL,
    until_position INTEGER,
    PRIMARY KEY (list_id, source_id, since_position)
);

-- A cadence of a list. edition_id, planning_cut and decided_until are set while an edition is
-- being planned: subscriptions without a pin and up to decided_until have been told up to
-- planning_cut, the others up to last_cut.
CREATE TABLE cadence (
    list_id TEXT NOT NULL REFERENCES list (id),
    cadence TEXT NOT NULL,
    schedule TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    removed_at INTEGER,
    last_cut INTEGER NOT NULL,
    last_slot_at INTEGER NOT NULL,
    left_out_at INTEGER,
    edition_id INTEGER,
    planning_cut INTEGER,
    decided_until INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (list_id, cadence)
);

-- audience ----------------------------------------------------------------------------------

-- The one erasable place of personal values. Other tables name a subscriber by its random id.
CREATE TABLE subscriber (
    id INTEGER PRIMARY KEY,
    address TEXT,
    address_hash TEXT UNIQUE,
    name TEXT,
    created_at INTEGER NOT NULL,
    erased_at INTEGER
);

CREATE TABLE profile (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    all_topics INTEGER NOT NULL,
    language TEXT NOT NULL,
    topics_json TEXT NOT NULL,
    places_json TEXT NOT NULL
);

-- cursor is the pin: how far this subscription has been told; without one, its cadence's cut.
-- Only an active subscription may be without.
CREATE TABLE subscription (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    subscriber_id INTEGER NOT NULL REFERENCES subscriber (id),
    list_id TEXT NOT NULL REFERENCES list (id),
    cadence TEXT NOT NULL,
    profile_id INTEGER NOT NULL REFERENCES profile (id),
    state TEXT NOT NULL CHECK (state IN ('active', 'paused', 'ended')),
    cursor INTEGER,
    joined_position INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    UNIQUE (subscriber_id, list_id),
    CHECK (cursor IS NOT NULL OR state = 'active')
);
CREATE INDEX subscription_unpinned ON subscription (list_id, cadence, id, profile_id, subscriber_id)
    WHERE cursor IS NULL;
CREATE INDEX subscription_pinned ON subscription (list_id, cadence, id)
    WHERE cursor IS NOT NULL AND state = 'active';
CREATE INDEX subscription_by_cursor ON subscription (list_id, cadence, cursor)
    WHERE cursor IS NOT NULL AND state = 'active';

CREATE TABLE followed_word (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    phrase TEXT NOT NULL
);

CREATE TABLE subscription_word (
    word_id INTEGER NOT NULL REFERENCES followed_word (id),
    subscription_id INTEGER NOT NULL REFERENCES subscription (id),
    PRIMARY KEY (word_id, subscription_id)
);
CREATE INDEX subscription_word_by_subscription ON subscription_word (subscription_id);

CREATE TABLE consent (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription_id INTEGER NOT NULL REFERENCES subscription (id),
    way TEXT NOT NULL,
    proof TEXT NOT NULL,
    given_at INTEGER NOT NULL
);
CREATE INDEX consent_by_subscription ON consent (subscription_id);

-- Keyed hashes, so that an erased person leaves nothing that can be read.
CREATE TABLE suppression (
    address_hash TEXT PRIMARY KEY,
    cause TEXT NOT NULL CHECK (cause IN ('bounce', 'complaint', 'erasure', 'block')),
    reason TEXT NOT NULL,
    since INTEGER NOT NULL
);

-- editions ----------------------------------------------------------------------------------

CREATE TABLE edition (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    list_id TEXT NOT NULL,
    cadence TEXT NOT NULL,
    slot TEXT NOT NULL,
    slot_at INTEGER NOT NULL,
    since INTEGER NOT NULL,
    cut INTEGER NOT NULL,
    ruleset TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('planning', 'waiting', 'open', 'done', 'refused')),
    opened_at INTEGER NOT NULL,
    planned_at INTEGER,
    decided_by TEXT,
    considered INTEGER NOT NULL DEFAULT 0,
    empty INTEGER NOT NULL DEFAULT 0,
    suppressed INTEGER NOT NULL DEFAULT 0,
    planned_messages INTEGER NOT NULL DEFAULT 0,
    UNIQUE (list_id, cadence, slot)
);
CREATE INDEX edition_open ON edition (slot_at, id) WHERE state = 'open';

CREATE TABLE fragment (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    edition_id INTEGER NOT NULL REFERENCES edition (id),
    key TEXT NOT NULL,
    html BLOB NOT NULL,
    text BLOB NOT NULL,
    html_bytes INTEGER NOT NULL,
    UNIQUE (edition_id, key)
);

CREATE TABLE variant (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    edition_id INTEGER NOT NULL REFERENCES edition (id),
    key TEXT NOT NULL,
    language TEXT NOT NULL,
    headers BLOB NOT NULL,
    fragments_json TEXT NOT NULL,
    entries_json TEXT NOT NULL,
    html_bytes INTEGER NOT NULL,
    UNIQUE (edition_id, key)
);

-- What an edition decided for each (profile, cursor, followed words hit): a variant, or nothing.
CREATE TABLE edition_group (
    edition_id INTEGER NOT NULL REFERENCES edition (id),
    profile_id INTEGER NOT NULL,
    since INTEGER NOT NULL,
    words TEXT NOT NULL,
    variant_id INTEGER REFERENCES variant (id),
    PRIMARY KEY (edition_id, profile_id, since, words)
);

-- The subscriptions whose followed words stand in the window of an edition, and which words.
CREATE TABLE edition_hit (
    edition_id INTEGER NOT NULL REFERENCES edition (id),
    subscription_id INTEGER NOT NULL,
    words TEXT NOT NULL,
    PRIMARY KEY (edition_id, subscription_id)
);

-- delivery ----------------------------------------------------------------------------------

CREATE TABLE message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    edition_id INTEGER NOT NULL REFERENCES edition (id),
    subscriber_id INTEGER NOT NULL,
    subscription_id INTEGER NOT NULL,
    profile_id INTEGER NOT NULL,
    variant_id INTEGER NOT NULL REFERENCES variant (id),
    window_start INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'queued', 'sending', 'deferred', 'accepted',
        'failed', 'expired', 'cancelled', 'in_doubt', 'held', 'dropped')),
    cause TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_try_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    worker_id INTEGER,
    created_at INTEGER NOT NULL,
    ended_at INTEGER,
    UNIQUE (edition_id, subscriber_id)
);
CREATE INDEX message_due ON message (edition_id, next_try_at, id)
    WHERE state IN ('queued', 'deferred');
CREATE INDEX message_under_way ON message (worker_id) WHERE state = 'sending';
CREATE INDEX message_by_subscriber ON message (subscriber_id, id);

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

CREATE TABLE worker (
    id INTEGER PRIMARY KEY,
    started_at INTEGER NOT NULL,
    lease_until INTEGER NOT NULL
);
