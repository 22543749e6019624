//! What was found in an item, from its text and from what is known beside it: where its source is,
//! when it was published, and what named persons have corrected.

use std::collections::HashMap;

use chrono_tz::Tz;
use serde::Deserialize;

use crate::model::{PlaceId, SourceId, Timestamp};
use crate::store::{CorrectionRow, EditionRow, NewRevision, SourceRow, StoreError, Tx};
use crate::topics::{Classification, Correction, CorrectionSubject, Evidence, ItemText, Rules};

/// What the rules find in a revision that was seen at a time, of a source that has a place or none.
pub fn classify(
    rules: &Rules,
    text: &NewRevision,
    source_place: Option<&PlaceId>,
    zone: Tz,
    seen: Timestamp,
) -> Classification {
    let published = text.published_at.unwrap_or(seen).in_zone(zone).date_naive();
    rules.classify(&ItemText::from(text)).published_on(published).or_at(source_place)
}

/// Keeps what a rule set found in a revision.
///
/// # Errors
/// Where the database fails.
pub async fn keep_found(
    tx: &mut Tx<'_>,
    rules: &Rules,
    (item, revision): (i64, i64),
    found: &Classification,
    now: Timestamp,
) -> Result<(), StoreError> {
    let json = serde_json::to_string(found).expect("a classification always has a JSON form");
    tx.insert_match(item, revision, rules.version(), &json, now).await
}

/// The place of a source's settings.
pub fn place_of(source: &SourceRow) -> Option<PlaceId> {
    #[derive(Deserialize)]
    struct Settings {
        place: Option<PlaceId>,
    }
    serde_json::from_str(&source.settings_json).ok().and_then(|settings: Settings| settings.place)
}

/// Corrections as they are applied. One whose topic or place is no id any more is passed over.
pub fn corrections_of<'a>(rows: impl IntoIterator<Item = &'a CorrectionRow>) -> Vec<Correction> {
    let read = |row: &CorrectionRow| {
        let subject = match row.kind.as_str() {
            "topic" => CorrectionSubject::Topic(row.subject.parse().ok()?),
            _ => CorrectionSubject::Place(row.subject.parse().ok()?),
        };
        Some(Correction { subject, is: row.is, by: row.by.clone(), at: row.at.0 })
    };
    rows.into_iter().filter_map(read).collect()
}

/// What an edition knew of a revision: what its rule set found, with the corrections that were
/// there when it opened. None where its rule set has not looked at the revision.
pub(super) async fn known_to(
    tx: &mut Tx<'_>,
    edition: &EditionRow,
    item: i64,
    revision: i64,
) -> Result<Option<Classification>, StoreError> {
    let stored = tx.item_match(item, revision, &edition.ruleset).await?;
    let Some(found) = stored.and_then(|json| serde_json::from_str(&json).ok()) else {
        return Ok(None);
    };
    let found: Classification = found;
    let corrections = tx.corrections_of_item(item, Some(edition.corrections)).await?;
    Ok(Some(found.corrected(&corrections_of(&corrections))))
}

/// What was found, a line for each topic and place, with the words or the person that made it.
pub(super) fn lines(found: &Classification, zone: Tz) -> Vec<String> {
    let mut lines = Vec::new();
    let said = |evidence: &[Evidence], subject: CorrectionSubject| {
        let words = evidence.iter().map(|e| format!("{:?} by rule {}", e.text, e.rule));
        let by = found.corrected.iter().filter(|said| said.subject == subject && said.is);
        let by = by.map(|said| format!("{} said so on {}", said.by, said.time().rfc3339(zone)));
        words.chain(by).collect::<Vec<_>>().join("; ")
    };
    for topic in &found.topics {
        let why = said(&topic.evidence, CorrectionSubject::Topic(topic.id.clone()));
        lines.push(format!("it is about {}: {why}", topic.id));
    }
    for place in &found.places {
        let mut why = said(&place.evidence, CorrectionSubject::Place(place.id.clone()));
        if why.is_empty() && found.source_place.as_ref() == Some(&place.id) {
            why = "it names no place, and that is its source's".to_owned();
        }
        lines.push(format!("it matters in {}: {why}", place.id));
    }
    for said in found.corrected.iter().filter(|said| !said.is) {
        let at = said.time().rfc3339(zone);
        lines.push(match &said.subject {
            CorrectionSubject::Topic(id) => {
                format!("it is not about {id}: {} said so on {at}", said.by)
            }
            CorrectionSubject::Place(id) => {
                format!("it does not matter in {id}: {} said so on {at}", said.by)
            }
        });
    }
    if found.places.is_empty() {
        let words: Vec<String> = found.area.iter().map(|e| format!("{:?}", e.text)).collect();
        let why = if words.is_empty() { String::new() } else { format!(": {}", words.join("; ")) };
        lines.push(format!("it matters in the whole area{why}"));
    }
    lines
}

/// The places of sources, each asked for once.
#[derive(Debug, Default)]
pub struct SourcePlaces(HashMap<SourceId, Option<PlaceId>>);

impl SourcePlaces {
    /// The place of a source; none where it has none, or is none.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn of(
        &mut self,
        tx: &mut Tx<'_>,
        source: &SourceId,
    ) -> Result<Option<PlaceId>, StoreError> {
        if let Some(known) = self.0.get(source) {
            return Ok(known.clone());
        }
        let place = tx.source(source).await?.as_ref().and_then(place_of);
        self.0.insert(source.clone(), place.clone());
        Ok(place)
    }
}
