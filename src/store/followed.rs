//! The words and phrases that subscriptions follow. Written by `audience`.

use super::pins::Slice;
use super::value::values;
use super::{StoreError, Tx, statements};

statements! {
    WORDS_OF = "SELECT w.key, w.phrase FROM subscription_word s
        JOIN followed_word w ON w.id = s.word_id WHERE s.subscription_id = $1 ORDER BY w.key";
    FORGET_WORDS = "DELETE FROM subscription_word WHERE subscription_id = $1";
    WORD_BY_KEY = "SELECT id FROM followed_word WHERE key = $1" + { postgres: "FOR KEY SHARE" };
    INSERT_WORD = "INSERT INTO followed_word (key, phrase) VALUES ($1, $2)
        ON CONFLICT (key) DO NOTHING";
    LOCK_WORD = {
        sqlite: "",
        postgres: "SELECT 1 FROM followed_word WHERE key = $1 FOR UPDATE"
    };
    FOLLOW_WORD = "INSERT INTO subscription_word (word_id, subscription_id) VALUES ($1, $2)
        ON CONFLICT (word_id, subscription_id) DO NOTHING";
    WORDS_IN_SLICE = "SELECT sw.subscription_id, w.id, w.phrase FROM subscription s
        JOIN subscription_word sw ON sw.subscription_id = s.id
        JOIN followed_word w ON w.id = sw.word_id
        WHERE s.list_id = $1 AND s.cadence = $2 AND s.id > $3 AND s.id <= $4
            AND s.state = 'active' AND CASE WHEN s.cursor IS NULL THEN 0 ELSE 1 END = $5
            AND (s.cursor IS NULL OR s.cursor < $6)
        ORDER BY sw.subscription_id, w.id";
    FORGET_WORD = "DELETE FROM followed_word WHERE key = $1
        AND NOT EXISTS (SELECT 1 FROM subscription_word WHERE word_id = followed_word.id)";
}

impl Tx<'_> {
    /// The words a subscription follows, as (canonical key, phrase), in order of their keys.
    pub async fn words_of(
        &mut self,
        subscription: i64,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let rows = self.rows(WORDS_OF, values![subscription]).await?;
        rows.iter().map(|row| Ok((row.text("key")?, row.text("phrase")?))).collect()
    }

    /// Lets a subscription follow these words, given as (canonical key, phrase), and no others.
    pub async fn follow_words(
        &mut self,
        subscription: i64,
        words: &[(String, String)],
    ) -> Result<(), StoreError> {
        self.execute(FORGET_WORDS, values![subscription]).await?;
        for (key, phrase) in words {
            let word = match self.row(WORD_BY_KEY, values![key]).await? {
                Some(row) => row.int("id")?,
                None => {
                    self.execute(INSERT_WORD, values![key, phrase]).await?;
                    self.one(WORD_BY_KEY, values![key]).await?.int("id")?
                }
            };
            self.execute(FOLLOW_WORD, values![word, subscription]).await?;
        }
        Ok(())
    }

    /// The followed words of a slice's subscriptions: subscription, word, phrase.
    pub async fn words_in_slice(
        &mut self,
        slice: &Slice<'_>,
    ) -> Result<Vec<(i64, i64, String)>, StoreError> {
        let Slice { list, cadence, after, until, pinned, cut, .. } = *slice;
        let values = values![list, cadence, after, until, pinned, cut];
        let rows = self.rows(WORDS_IN_SLICE, values).await?;
        rows.iter()
            .map(|row| Ok((row.int("subscription_id")?, row.int("id")?, row.text("phrase")?)))
            .collect()
    }

    /// Forgets a phrase that nobody follows any more.
    pub async fn forget_word(&mut self, key: &str) -> Result<(), StoreError> {
        // Whoever is about to follow it is waited for.
        self.lock(LOCK_WORD, values![key]).await?;
        self.execute(FORGET_WORD, values![key]).await?;
        Ok(())
    }
}
