//! What can be chosen on a list: topics, places, cadence, language; shown with labels and read back
//! into ids that exist.

use serde_json::{Value, json};

use super::Web;
use super::form::Fields;
use crate::audience::{Preferences, default_cadence};
use crate::model::{CadenceId, Language, ListId, PlaceId, TopicId};
use crate::store::{ListRow, StoreError};

/// Cadences in the order in which people read them; others come after.
const CADENCES: [&str; 4] = [CadenceId::IMMEDIATE, "daily", "weekly", "monthly"];

/// A list that everybody may know, and what it offers.
pub(super) struct Offer {
    pub list: ListRow,
    pub cadences: Vec<CadenceId>,
}

/// The lists that everybody may know and that offer something.
pub(super) async fn offers(web: &Web) -> Result<Vec<Offer>, StoreError> {
    let lists = web.installation.store.read().await?.lists().await?;
    let mut offers = Vec::new();
    for list in lists.into_iter().filter(|list| list.public) {
        let cadences = cadences(web, &list.id).await?;
        if !cadences.is_empty() {
            offers.push(Offer { list, cadences });
        }
    }
    Ok(offers)
}

/// What a list offers, in reading order.
pub(super) async fn cadences(web: &Web, list: &ListId) -> Result<Vec<CadenceId>, StoreError> {
    let rows = web.installation.store.read().await?.cadences().await?;
    let rows = rows.into_iter().filter(|row| row.list_id == *list);
    let mut cadences: Vec<CadenceId> = rows.map(|row| row.cadence).collect();
    cadences.sort_by_key(|cadence| {
        CADENCES.iter().position(|known| *known == cadence.as_str()).unwrap_or(CADENCES.len())
    });
    Ok(cadences)
}

/// What is chosen in a form before it is read: texts that may be anything.
#[derive(Debug)]
pub(super) struct Chosen {
    topics: Vec<String>,
    places: Vec<String>,
    cadence: String,
    language: String,
}

impl Chosen {
    /// Nothing yet.
    pub fn fresh(cadences: &[CadenceId], language: Language) -> Self {
        let cadence = default_cadence(cadences).map_or_else(String::new, ToString::to_string);
        let language = language.tag().to_owned();
        Self { topics: Vec::new(), places: Vec::new(), cadence, language }
    }

    /// What somebody has now.
    pub fn held(wanted: &Preferences) -> Self {
        Self {
            topics: wanted.topics.iter().map(ToString::to_string).collect(),
            places: wanted.places.iter().map(ToString::to_string).collect(),
            cadence: wanted.cadence.to_string(),
            language: wanted.language.tag().to_owned(),
        }
    }

    /// What a form brings.
    pub fn sent(fields: &Fields) -> Self {
        let all = |name| fields.all(name).map(str::to_owned).collect();
        Self {
            topics: all("topic"),
            places: all("place"),
            cadence: fields.one("cadence").to_owned(),
            language: fields.one("language").to_owned(),
        }
    }

    /// As preferences, or the names of the fields in which something is not offered.
    pub fn read(
        &self,
        web: &Web,
        cadences: &[CadenceId],
    ) -> Result<Preferences, Vec<&'static str>> {
        let rules = &web.installation.rules;
        let topics: Option<Vec<TopicId>> = self
            .topics
            .iter()
            .map(|id| rules.topics().iter().find(|topic| topic.id.as_str() == id))
            .map(|topic| topic.map(|topic| topic.id.clone()))
            .collect();
        let places: Option<Vec<PlaceId>> = self
            .places
            .iter()
            .map(|id| rules.places().iter().find(|place| place.id.as_str() == id))
            .map(|place| place.map(|place| place.id.clone()))
            .collect();
        let cadence = cadences.iter().find(|cadence| cadence.as_str() == self.cadence).cloned();
        let language: Option<Language> = self.language.parse().ok();
        match (topics, places, cadence, language) {
            (Some(topics), Some(places), Some(cadence), Some(language)) => {
                Ok(Preferences { cadence, topics, places, language, words: Vec::new() })
            }
            (topics, places, cadence, language) => {
                let wrong = [
                    ("topics", topics.is_none()),
                    ("places", places.is_none()),
                    ("cadence", cadence.is_none()),
                    ("language", language.is_none()),
                ];
                Err(wrong.into_iter().filter(|(_, wrong)| *wrong).map(|(name, _)| name).collect())
            }
        }
    }

    /// The fields of a form, in a language. `prefix` keeps the ids of several forms apart; `wrong`
    /// names fields that have to be chosen again.
    pub fn show(
        &self,
        web: &Web,
        cadences: &[CadenceId],
        language: Language,
        prefix: &str,
        wrong: &[&str],
    ) -> Value {
        let (rules, words) = (&web.installation.rules, web.words(language));
        let topics = rules.topics().iter().map(|topic| {
            json!({
                "value": topic.id,
                "label": topic.label(language),
                "note": topic.description(language),
                "chosen": self.topics.iter().any(|id| id == topic.id.as_str()),
            })
        });
        let places = rules.places().iter().map(|place| {
            json!({
                "value": place.id,
                "label": place.name,
                "chosen": self.places.iter().any(|id| id == place.id.as_str()),
            })
        });
        let cadences = cadences.iter().map(|cadence| {
            json!({
                "value": cadence,
                "label": words.cadence(cadence),
                "chosen": self.cadence == cadence.as_str(),
            })
        });
        let languages = Language::ALL.into_iter().map(|language| {
            json!({
                "value": language.tag(),
                "label": web.words(language).say("common", "this_language", &[]),
                "chosen": self.language == language.tag(),
            })
        });
        let error = |name: &str| {
            wrong.contains(&name).then(|| words.say("choices", &format!("{name}_error"), &[]))
        };
        json!({
            "prefix": prefix,
            "t": words.section("choices", &[]),
            "topics": topics.collect::<Vec<_>>(),
            "topics_error": error("topics"),
            "places": places.collect::<Vec<_>>(),
            "places_error": error("places"),
            "places_open": !self.places.is_empty() || wrong.contains(&"places"),
            "cadences": cadences.collect::<Vec<_>>(),
            "cadence_error": error("cadence"),
            "languages": languages.collect::<Vec<_>>(),
            "language_error": error("language"),
        })
    }
}

/// The lines of an error summary: each leads to its field.
pub(super) fn errors(web: &Web, language: Language, section: &str, wrong: &[&str]) -> Vec<Value> {
    let words = web.words(language);
    let line = |name: &&str| {
        let chosen = ["topics", "places", "cadence", "language"].contains(name);
        let section = if chosen { "choices" } else { section };
        // When the form was given out stands in no field that people see.
        let field = if *name == "time" { "send" } else { name };
        let text = words.say(section, &format!("{name}_error"), &[]);
        json!({ "href": format!("#{field}"), "text": text })
    };
    wrong.iter().map(line).collect()
}
