//! The entries of an item that is explained, with what was found in them: by what is known now, and
//! by what an edition knew.

use crate::store::{EditionRow, ItemRow, NewRevision, StoreError, Tx};
use crate::topics::Classification;

use super::classified::{SourcePlaces, classify, corrections_of, known_to, lines};
use super::explain::Chain;
use super::unplaced::why_unplaced;
use super::wants::Candidate;

/// An entry of the item with what was found in it.
#[derive(Clone)]
pub(super) struct Entry {
    pub candidate: Candidate,
    revision: i64,
    pub publication_end: Option<chrono::NaiveDate>,
    pub found: Classification,
    pub text: NewRevision,
}

impl Entry {
    /// Takes what was found for what is judged.
    fn see(&mut self) {
        let Self { candidate, found, .. } = self;
        candidate.topics = found.topics.iter().map(|topic| topic.id.clone()).collect();
        candidate.places = found.places.iter().map(|place| place.id.clone()).collect();
    }
}

impl Chain<'_> {
    /// The item's entries in the stream with what the rules found, or the reason why it has none.
    pub async fn entries(
        &mut self,
        tx: &mut Tx<'_>,
        item: &ItemRow,
    ) -> Result<Vec<Entry>, StoreError> {
        let source = &item.source_id;
        let seen = self.time(item.first_seen_at);
        self.add("item", true, format!("item {} of source {source}, first seen {seen}", item.id));
        let positions = tx.entries_of_item(item.id).await?;
        if positions.is_empty() {
            let why = why_unplaced(tx, item, self.zone).await?;
            self.add("entry", false, why);
            return Ok(Vec::new());
        }
        let corrections = corrections_of(&tx.corrections_of_item(item.id, None).await?);
        let mut places = SourcePlaces::default();
        let mut entries = Vec::new();
        for (position, revision, reason, source, placed_at) in positions {
            let text = tx.revision(item.id, revision).await?;
            let Some(text) = text else { continue };
            let stored = tx.item_match(item.id, revision, self.rules.version()).await?;
            let stored = stored.and_then(|json| serde_json::from_str(&json).ok());
            let found: Classification = match stored {
                Some(found) => found,
                None => {
                    let place = places.of(tx, &source).await?;
                    classify(self.rules, &text, place.as_ref(), self.zone, placed_at)
                }
            };
            let found = found.corrected(&corrections);
            let placed = self.time(placed_at);
            let detail = format!(
                "revision {revision} is entry {position} of the stream ({reason}), placed {placed}"
            );
            self.add("entry", true, detail);
            self.matched(&found);
            let candidate = Candidate {
                position,
                item: item.id,
                reason,
                source,
                topics: Default::default(),
                places: Default::default(),
                over: item.withdrawn_at.is_some(),
            };
            let publication_end = item.publication_end;
            let mut entry = Entry { candidate, revision, publication_end, found, text };
            entry.see();
            entries.push(entry);
        }
        Ok(entries)
    }

    /// What was found, with the words and the persons that made it.
    fn matched(&mut self, found: &Classification) {
        for line in lines(found, self.zone) {
            self.add("match", true, line);
        }
    }

    /// An entry as an edition knew it; what it knew otherwise than what is known now is said.
    pub async fn as_of(
        &mut self,
        tx: &mut Tx<'_>,
        entry: &Entry,
        edition: &EditionRow,
    ) -> Result<Entry, StoreError> {
        let mut entry = entry.clone();
        let (item, revision) = (entry.candidate.item, entry.revision);
        let Some(found) = known_to(tx, edition, item, revision).await? else { return Ok(entry) };
        if found != entry.found {
            let detail = format!("edition {} was decided by what was known then", edition.id);
            self.add("match", true, detail);
            self.matched(&found);
        }
        entry.found = found;
        entry.see();
        Ok(entry)
    }
}
