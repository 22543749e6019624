//! What an albo says of its acts, and how long they are published; and what was found about the
//! sources they come from. Written by `ingest` alone.

use chrono::NaiveDate;

use crate::model::SourceId;

use super::value::values;
use super::{StoreError, Tx, statements};

statements! {
    SET_ACT = "UPDATE item SET publication_end = $2, act_json = $3 WHERE id = $1";
    SET_HEADLINE = "UPDATE source SET headline = $2 WHERE id = $1 AND headline IS NULL";
}

impl Tx<'_> {
    /// Keeps what an albo says of an item, as JSON text, and the last day of its publication.
    pub async fn set_act(
        &mut self,
        item: i64,
        publication_end: Option<NaiveDate>,
        act_json: &str,
    ) -> Result<(), StoreError> {
        let end = publication_end.map(|day| day.to_string());
        self.execute(SET_ACT, values![item, end, act_json]).await?;
        Ok(())
    }

    /// Keeps which text of a source's items is the headline; what was found first stays, so that
    /// no poll changes every title.
    pub async fn set_headline(
        &mut self,
        source: &SourceId,
        headline: &str,
    ) -> Result<(), StoreError> {
        self.execute(SET_HEADLINE, values![source, headline]).await?;
        Ok(())
    }
}
