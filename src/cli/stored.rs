//! The items that came in, for commands that try rules on them.

use super::CliError;
use crate::editions::{classify, corrections_of, place_of};
use crate::installation::Installation;
use crate::model::{SourceId, Timestamp};
use crate::store::{NewRevision, Tx};
use crate::topics::{Classification, Correction, Rules};

/// Items read in one go.
const ITEMS_A_PAGE: i64 = 500;
/// Seconds of a day.
const DAY_SECONDS: i64 = 24 * 60 * 60;

/// An item with its newest text.
pub struct StoredItem {
    /// Its id.
    pub id: i64,
    /// Its source.
    pub source: SourceId,
    /// When it was first seen.
    pub seen: Timestamp,
    /// Its newest texts.
    pub text: NewRevision,
    /// What persons have said of it.
    pub corrections: Vec<Correction>,
}

impl StoredItem {
    /// An item by its id; none where it has no text.
    pub async fn read(
        tx: &mut Tx<'_>,
        (id, source, revision, seen): (i64, SourceId, i64, Timestamp),
    ) -> Result<Option<Self>, CliError> {
        let Some(text) = tx.revision(id, revision).await? else { return Ok(None) };
        let corrections = corrections_of(&tx.corrections_of_item(id, None).await?);
        Ok(Some(Self { id, source, seen, text, corrections }))
    }

    /// What rules find in it, corrected.
    pub async fn found(
        &self,
        tx: &mut Tx<'_>,
        installation: &Installation,
        rules: &Rules,
    ) -> Result<Classification, CliError> {
        let zone = installation.config.site.timezone;
        let place = place_of(tx, &self.source).await?;
        let found = classify(rules, &self.text, place.as_ref(), zone, self.seen);
        Ok(found.corrected(&self.corrections))
    }
}

/// Walks over the items of so many days.
pub struct StoredItems {
    since: Timestamp,
    after: i64,
}

impl StoredItems {
    /// The items first seen in so many days before a time.
    pub fn of_days(days: u32, now: Timestamp) -> Self {
        Self { since: now.plus(-i64::from(days) * DAY_SECONDS), after: 0 }
    }

    /// The next of them; empty after the last.
    pub async fn next(&mut self, tx: &mut Tx<'_>) -> Result<Vec<StoredItem>, CliError> {
        let mut items = Vec::new();
        while items.is_empty() {
            let page = tx.items_seen_since(self.since, self.after, ITEMS_A_PAGE).await?;
            let Some(last) = page.last() else { break };
            self.after = last.0;
            for row in page {
                items.extend(StoredItem::read(tx, row).await?);
            }
        }
        Ok(items)
    }
}
