//! What the pages say. The texts stand in `templates/pages`, one file a language.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::model::{CadenceId, Language};
use crate::rendering::put;

/// The texts of one language: sections of named phrases.
#[derive(Debug)]
pub(super) struct Words(BTreeMap<String, BTreeMap<String, String>>);

impl Words {
    /// The texts that are embedded.
    pub fn embedded(language: Language) -> Self {
        let text = match language {
            Language::It => include_str!("../../templates/pages/it.toml"),
            Language::En => include_str!("../../templates/pages/en.toml"),
        };
        Self(toml::from_str(text).expect("an embedded catalogue is whole"))
    }

    /// A phrase with its values. One that is missing shows its name; the tests look for that.
    pub fn say(&self, section: &str, name: &str, values: &[(&str, &str)]) -> String {
        let phrase = self.0.get(section).and_then(|section| section.get(name));
        phrase.map_or_else(|| format!("{section}.{name}"), |phrase| put(phrase, values))
    }

    /// A whole section with its values, as templates read it.
    pub fn section(&self, section: &str, values: &[(&str, &str)]) -> Value {
        let phrases = self.0.get(section).into_iter().flatten();
        let said = phrases.map(|(name, phrase)| (name.clone(), put(phrase, values).into()));
        Value::Object(said.collect::<Map<_, _>>())
    }

    /// What a cadence is called: by its id, or by what stands for the office's own ones.
    pub fn cadence(&self, cadence: &CadenceId) -> String {
        let named = self.0.get("cadences");
        let phrase = named.and_then(|named| named.get(cadence.as_str()).or(named.get("other")));
        let values = [("cadence", cadence.as_str())];
        phrase.map_or_else(|| cadence.to_string(), |phrase| put(phrase, &values))
    }
}
