-- The albo and its acts: how long each is published, what its publisher says of it, and which text
-- of a source's items is the headline where that was left to be found. The text behind a teaser.

-- The last day of its publication in the site's zone (YYYY-MM-DD); none where it has no end. After
-- it the item is told to nobody and stands in no page, feed or search.
ALTER TABLE item ADD COLUMN publication_end TEXT;
-- The fields of an act, as JSON; none for what is no act. Acts are not for search engines.
ALTER TABLE item ADD COLUMN act_json TEXT;

-- Where a source's setting is `auto`: title or description, from the first answer that tells.
ALTER TABLE source ADD COLUMN headline TEXT;

-- What an item's own page says, as plain text behind the teaser that its source shows; none where
-- the page was not asked for.
ALTER TABLE revision ADD COLUMN full_text TEXT;
