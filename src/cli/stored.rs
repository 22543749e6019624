//! The items that came in, for commands that try rules on them.

use std::vec;

use chrono_tz::Tz;

use super::CliError;
use crate::editions::{SourcePlaces, classify, corrections_of};
use crate::model::{PlaceId, SourceId, Timestamp};
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
    /// The place of its source.
    place: Option<PlaceId>,
    /// When it was first seen.
    seen: Timestamp,
    /// Its newest texts.
    pub text: NewRevision,
    /// What persons have said of it.
    corrections: Vec<Correction>,
}

/// An item as the database lists it: id, source, newest revision, and when it was first seen.
type Listed = (i64, SourceId, i64, Timestamp);

impl StoredItem {
    /// An item by its id; none where there is none.
    pub async fn by_id(tx: &mut Tx<'_>, id: i64) -> Result<Option<Self>, CliError> {
        let Some(row) = tx.item(id).await? else { return Ok(None) };
        let listed = (row.id, row.source_id, row.revision, row.first_seen_at);
        Self::read(tx, &mut SourcePlaces::default(), listed).await
    }

    async fn read(
        tx: &mut Tx<'_>,
        places: &mut SourcePlaces,
        (id, source, revision, seen): Listed,
    ) -> Result<Option<Self>, CliError> {
        let Some(text) = tx.revision(id, revision).await? else { return Ok(None) };
        let corrections = corrections_of(&tx.corrections_of_item(id, None).await?);
        let place = places.of(tx, &source).await?;
        Ok(Some(Self { id, place, seen, text, corrections }))
    }

    /// What rules find in it, corrected.
    pub fn found(&self, rules: &Rules, zone: Tz) -> Classification {
        let found = classify(rules, &self.text, self.place.as_ref(), zone, self.seen);
        found.corrected(&self.corrections)
    }
}

/// Walks over the items of so many days.
pub struct StoredItems {
    since: Timestamp,
    after: i64,
    page: vec::IntoIter<Listed>,
    places: SourcePlaces,
}

impl StoredItems {
    /// The items first seen in so many days before a time.
    pub fn of_days(days: u32, now: Timestamp) -> Self {
        let since = now.plus(-i64::from(days) * DAY_SECONDS);
        Self { since, after: 0, page: Vec::new().into_iter(), places: SourcePlaces::default() }
    }

    /// The next of them; none after the last.
    pub async fn next(&mut self, tx: &mut Tx<'_>) -> Result<Option<StoredItem>, CliError> {
        loop {
            for listed in self.page.by_ref() {
                if let Some(item) = StoredItem::read(tx, &mut self.places, listed).await? {
                    return Ok(Some(item));
                }
            }
            let page = tx.items_seen_since(self.since, self.after, ITEMS_A_PAGE).await?;
            let Some(last) = page.last() else { return Ok(None) };
            self.after = last.0;
            self.page = page.into_iter();
        }
    }
}
