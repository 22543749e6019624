-- What named persons have corrected: this item is about a topic, or is not; it matters in a place,
-- or does not. Only ever added to; of several about one thing the newest counts. Ids follow the
-- order in which corrections were committed.
CREATE TABLE item_correction (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    item_id INTEGER NOT NULL REFERENCES item (id),
    -- 'topic' or 'place'.
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- 1: the item has it. 0: it has not.
    says INTEGER NOT NULL,
    said_by TEXT NOT NULL,
    said_at INTEGER NOT NULL
);
CREATE INDEX item_correction_by_item ON item_correction (item_id, id);

-- The newest correction when the edition was opened: later ones do not change it.
ALTER TABLE edition ADD COLUMN corrections INTEGER NOT NULL DEFAULT 0;
