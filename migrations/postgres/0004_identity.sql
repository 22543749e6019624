-- What makes an item the same at the next poll, what is held for a person, and the last answer of
-- each source.

-- ingest ------------------------------------------------------------------------------------

-- By what an item has been known: digests of its id, link, title and text, each in its canonical
-- form, with a letter in front that says which. An item keeps its former ones, so that a site that
-- changes its ids or its links, and back, is still the same site; beyond a number of them those go
-- that were not needed for the longest time.
CREATE TABLE item_key (
    source_id TEXT NOT NULL REFERENCES source (id),
    key TEXT NOT NULL,
    item_id BIGINT NOT NULL REFERENCES item (id),
    needed_at BIGINT NOT NULL,
    PRIMARY KEY (source_id, key, item_id)
);
CREATE INDEX item_key_by_item ON item_key (item_id);

-- The last answer that had items and was unlike the one before: a digest of it, the items that
-- lately stood in it, each with the time when it was last seen, and the newest date of publication
-- that was believed.
CREATE TABLE source_answer (
    source_id TEXT PRIMARY KEY REFERENCES source (id),
    digest TEXT NOT NULL,
    lately_json TEXT NOT NULL,
    newest_published_at BIGINT,
    answered_at BIGINT NOT NULL
);

-- New items that are kept back until a person looks at them, and what was decided. What they would
-- tell stands in the stream without a position.
CREATE TABLE hold (
    item_id BIGINT PRIMARY KEY REFERENCES item (id),
    source_id TEXT NOT NULL REFERENCES source (id),
    cause TEXT NOT NULL CHECK (cause IN ('flood', 'old')),
    held_at BIGINT NOT NULL,
    ended_at BIGINT,
    ended_as TEXT CHECK (ended_as IN ('released', 'dropped')),
    ended_by TEXT
);
CREATE INDEX hold_open ON hold (source_id, item_id) WHERE ended_at IS NULL;
