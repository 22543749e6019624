//! The file as it is written, and what the environment puts into it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use super::reader::Reader;
use super::{Auth, Config, ConfigError, ENVIRONMENT_PREFIX, InDoubt, LEASE_SECONDS_DEFAULT, Tls};
use crate::ingest::{Headline, PageSelectors, SourceKind};
use crate::store::Durability;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConfig {
    pub site: RawSite,
    #[serde(default)]
    pub database: RawDatabase,
    #[serde(default)]
    pub web: RawWeb,
    pub smtp: Option<RawSmtp>,
    #[serde(default)]
    pub delivery: RawDelivery,
    pub dkim: Option<RawDkim>,
    #[serde(default)]
    pub dns: RawDns,
    #[serde(default)]
    pub topics: RawFile,
    #[serde(default)]
    pub places: RawFile,
    #[serde(default)]
    pub source: Vec<RawSource>,
    #[serde(default)]
    pub list: Vec<RawList>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSite {
    pub name: String,
    pub public_url: String,
    pub contact: Option<String>,
    pub admins: Option<RawTexts>,
    #[serde(default = "default_locale")]
    pub locale: String,
    #[serde(default = "default_timezone")]
    pub timezone: String,
    pub secret: Option<String>,
    pub secret_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawDatabase {
    pub url: String,
}

impl Default for RawDatabase {
    fn default() -> Self {
        Self { url: "sqlite://banditore.db".to_owned() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawWeb {
    pub listen: String,
    pub trusted_proxies: Option<RawTexts>,
}

/// A list, or, as an environment variable has it, one text with commas.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum RawTexts {
    Listed(Vec<String>),
    Text(String),
}

impl RawTexts {
    /// The texts, without white space around them; empty ones do not count.
    pub fn texts(self) -> Vec<String> {
        let texts: Vec<String> = match self {
            Self::Listed(texts) => texts,
            Self::Text(text) => text.split(',').map(str::to_owned).collect(),
        };
        let texts = texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
        texts.map(str::to_owned).collect()
    }
}

impl Default for RawWeb {
    fn default() -> Self {
        Self { listen: "127.0.0.1:8025".to_owned(), trusted_proxies: None }
    }
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSmtp {
    pub host: String,
    pub port: u16,
    #[serde(default)]
    pub tls: Tls,
    #[serde(default)]
    pub auth: Auth,
    pub username: Option<String>,
    pub password: Option<String>,
    pub password_file: Option<PathBuf>,
    pub ca_file: Option<PathBuf>,
    pub connections: Option<u32>,
    pub messages_per_second: Option<u32>,
    pub messages_per_connection: Option<u32>,
    pub idle: Option<String>,
    pub messages_per_hour: Option<u32>,
    pub messages_per_day: Option<u32>,
    #[serde(default)]
    pub fallback: Vec<RawSmtp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawDelivery {
    pub durability: Durability,
    pub lease: String,
    pub bounce_address: Option<String>,
    pub domain_connections: Option<u32>,
    pub domain_messages_per_minute: Option<u32>,
    pub keep_days: Option<u32>,
}

impl Default for RawDelivery {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            lease: format!("{LEASE_SECONDS_DEFAULT}s"),
            bounce_address: None,
            domain_connections: None,
            domain_messages_per_minute: None,
            keep_days: None,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDkim {
    pub domain: String,
    pub selector: Option<String>,
    pub key_file: Option<PathBuf>,
    pub ed25519_selector: Option<String>,
    pub ed25519_key_file: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawDns {
    pub resolver: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawFile {
    pub file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSource {
    pub id: String,
    pub url: String,
    #[serde(default)]
    pub kind: SourceKind,
    pub every: Option<String>,
    #[serde(default)]
    pub allow_private_network: bool,
    #[serde(default)]
    pub page: PageSelectors,
    pub baseline_days: Option<u32>,
    pub new_items_max: Option<u32>,
    pub older_days_max: Option<u32>,
    #[serde(default)]
    pub headline: Headline,
    #[serde(default = "yes")]
    pub full_text: bool,
    pub place: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawList {
    pub id: String,
    pub name: String,
    pub from: String,
    #[serde(default = "yes")]
    pub public: bool,
    #[serde(default)]
    pub sources: Vec<String>,
    #[serde(default)]
    pub in_doubt: InDoubt,
    #[serde(default)]
    pub approval: bool,
    #[serde(default)]
    pub quiet: Vec<String>,
    pub cadences: BTreeMap<String, RawCadence>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum RawCadence {
    Offered(bool),
    Cron(String),
}

fn default_locale() -> String {
    "it".to_owned()
}

fn default_timezone() -> String {
    "Europe/Rome".to_owned()
}

pub(super) fn yes() -> bool {
    true
}

pub(super) fn parse(
    text: &str,
    file: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let mut overridden: Vec<(String, String)> = environment.into_iter().collect();
    overridden.sort();
    // The file alone first, so that its own errors keep their lines; a variable may give what it
    // leaves out.
    let alone = toml::from_str(text).map_err(|error| explain(&error, file, Some(text), &[]));
    let raw: RawConfig = match alone {
        Ok(raw) if overridden.is_empty() => raw,
        Ok(_) | Err(ConfigError::MissingKey { .. }) if !overridden.is_empty() => {
            let mut table: Table = toml::from_str(text)
                .map_err(|error| explain(&error, file, Some(text), &overridden))?;
            for (variable, value) in &overridden {
                put(&mut table, variable, value, file)?;
            }
            table.try_into().map_err(|error| explain(&error, file, None, &overridden))?
        }
        Ok(raw) => raw,
        Err(error) => return Err(error),
    };
    Reader::new(file).config(raw)
}

/// Puts the value of an environment variable where its name says. Digits are a number and `true`
/// and `false` a flag, but for the keys that hold texts of any form.
fn put(table: &mut Table, variable: &str, value: &str, file: &Path) -> Result<(), ConfigError> {
    const TEXTS: [&str; 8] = [
        "contact",
        "secret",
        "password",
        "username",
        "name",
        "host",
        "selector",
        "ed25519_selector",
    ];
    let path = variable.trim_start_matches(ENVIRONMENT_PREFIX).to_ascii_lowercase();
    let invalid = |what: &str| ConfigError::Invalid {
        file: file.to_owned(),
        key: variable.to_owned(),
        // What stands in a variable may be a password, wherever it was meant to go.
        value: "…".to_owned(),
        what: what.to_owned(),
        hint: "the form is BANDITORE__SECTION__KEY, such as BANDITORE__SMTP__PORT".to_owned(),
    };
    let Some((section, key)) = path.split_once("__") else {
        return Err(invalid("this names no section and key"));
    };
    let value = match (value.parse::<i64>(), value.parse::<bool>()) {
        (Ok(number), _) if !TEXTS.contains(&key) => Value::Integer(number),
        (_, Ok(flag)) if !TEXTS.contains(&key) => Value::Boolean(flag),
        _ => Value::String(value.to_owned()),
    };
    let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    match section {
        Value::Table(section) => {
            section.insert(key.to_owned(), value);
            Ok(())
        }
        _ => Err(invalid("sources and lists are set in the file alone")),
    }
}

/// Tells what serde found in the words of a person who edits the file.
fn explain(
    error: &toml::de::Error,
    file: &Path,
    text: Option<&str>,
    overridden: &[(String, String)],
) -> ConfigError {
    let line = |at: usize| text.map_or(0, |text| text[..at].matches('\n').count() + 1);
    let line = error.span().map(|span| line(span.start)).filter(|line| *line > 0);
    let place = match line {
        Some(line) => format!("{}:{line}", file.display()),
        None => variable_of(error, overridden).unwrap_or(file.display().to_string()),
    };
    let message = error.message();
    let quoted = quoted(message);
    if message.starts_with("unknown field") {
        let key = quoted.first().copied().unwrap_or_default();
        let known = &quoted[1.min(quoted.len())..];
        let nearest = known
            .iter()
            .map(|candidate| (strsim::damerau_levenshtein(key, candidate), *candidate))
            .min()
            .filter(|(distance, _)| *distance <= 1 + key.len() / 3)
            .map(|(_, candidate)| candidate.to_owned());
        let key = key.to_owned();
        return ConfigError::UnknownKey { place, key, nearest, known: known.join(", ") };
    }
    if message.starts_with("missing field") {
        let key = quoted.first().copied().unwrap_or_default().to_owned();
        return ConfigError::MissingKey { place, key };
    }
    let typed = ["invalid type", "invalid value", "unknown variant", "data did not match"];
    if typed.iter().any(|start| message.starts_with(start)) || line.is_none() {
        return ConfigError::WrongType { place, what: message.replace('\n', " ") };
    }
    ConfigError::Syntax {
        file: file.to_owned(),
        line: line.unwrap_or_default(),
        what: message.replace('\n', ", "),
    }
}

/// The variable that an error is about, if it is about one.
fn variable_of(error: &toml::de::Error, overridden: &[(String, String)]) -> Option<String> {
    // The path of the key stands in the error's last line; an unknown key only in its message.
    let text = error.to_string();
    let path = text.lines().rev().find_map(|line| line.strip_prefix("in `"));
    let path = path.map(|path| path.trim_end_matches('`').replace('.', "__"));
    let key = quoted(error.message()).first().map(ToString::to_string);
    let names = overridden.iter().map(|(name, _)| name);
    let is_about = |name: &&String| {
        let own = name.trim_start_matches(ENVIRONMENT_PREFIX).to_ascii_lowercase();
        let mut parts = own.split("__");
        path.as_ref() == Some(&own) || parts.any(|part| Some(part) == key.as_deref())
    };
    names.clone().find(is_about).cloned()
}

/// The words of serde's messages that stand in backquotes.
fn quoted(message: &str) -> Vec<&str> {
    message.split('`').skip(1).step_by(2).collect()
}
