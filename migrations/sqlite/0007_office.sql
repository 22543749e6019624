-- Mails to the admins of the office: what happened and waits to be told, and a kind of notice.

-- ingest ------------------------------------------------------------------------------------

-- What the admins are to know, written in the transaction in which it happens. Rows go in the one
-- that writes the notices telling them.
CREATE TABLE office_event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    happened_at INTEGER NOT NULL,
    event_json TEXT NOT NULL
);

-- delivery ----------------------------------------------------------------------------------

-- SQLite cannot change a condition, so the table is made anew. Its name must not change: the large
-- table of messages refers to it, and would follow. Ids go on where they were, since Message-IDs
-- come from them.
PRAGMA defer_foreign_keys = ON;
CREATE TABLE notice_before AS SELECT * FROM notice;
CREATE TABLE notice_ids AS SELECT seq FROM sqlite_sequence WHERE name = 'notice';
DROP TABLE notice;
CREATE TABLE notice (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('confirmation', 'already', 'preferences', 'office')),
    purpose TEXT NOT NULL UNIQUE,
    list_id TEXT NOT NULL REFERENCES list (id),
    about INTEGER NOT NULL,
    language TEXT NOT NULL,
    headers BLOB NOT NULL,
    html BLOB NOT NULL,
    text BLOB NOT NULL
);
INSERT INTO notice (id, kind, purpose, list_id, about, language, headers, html, text)
    SELECT id, kind, purpose, list_id, about, language, headers, html, text FROM notice_before;
DELETE FROM sqlite_sequence WHERE name = 'notice';
INSERT INTO sqlite_sequence (name, seq) SELECT 'notice', seq FROM notice_ids;
DROP TABLE notice_before;
DROP TABLE notice_ids;
CREATE INDEX notice_to_office ON notice (id) WHERE kind = 'office';
