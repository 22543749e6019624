//! The file as it is written, and its way into checked settings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};
use url::Url;

use super::{
    Config, ConfigError, Delivery, ENVIRONMENT_PREFIX, EVERY_SECONDS, InDoubt, List,
    SECRET_OCTETS_MIN, Secret, Site, Smtp, Source, SourceSettings, Tls, parse_every,
};
use crate::audience::Mailbox;
use crate::editions::Schedule;
use crate::ingest::{PageSelectors, SourceKind};
use crate::model::{CadenceId, Language};
use crate::store::Durability;

/// The two keys of a list's `cadences` whose value may be `true`.
const IMMEDIATE: &str = "immediate";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    site: RawSite,
    #[serde(default)]
    database: RawDatabase,
    #[serde(default)]
    web: RawWeb,
    smtp: Option<RawSmtp>,
    #[serde(default)]
    delivery: RawDelivery,
    dkim: Option<RawDkim>,
    #[serde(default)]
    topics: RawFile,
    #[serde(default)]
    places: RawFile,
    #[serde(default)]
    source: Vec<RawSource>,
    #[serde(default)]
    list: Vec<RawList>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSite {
    name: String,
    public_url: String,
    #[serde(default = "default_locale")]
    locale: String,
    #[serde(default = "default_timezone")]
    timezone: String,
    secret: Option<String>,
    secret_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawDatabase {
    url: String,
}

impl Default for RawDatabase {
    fn default() -> Self {
        Self { url: "sqlite://banditore.db".to_owned() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawWeb {
    listen: String,
}

impl Default for RawWeb {
    fn default() -> Self {
        Self { listen: "127.0.0.1:8025".to_owned() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSmtp {
    host: String,
    port: u16,
    #[serde(default)]
    tls: Tls,
    username: Option<String>,
    password: Option<String>,
    password_file: Option<PathBuf>,
    #[serde(default = "default_connections")]
    connections: u32,
    messages_per_second: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawDelivery {
    durability: Durability,
}

/// Read, so that its keys are known; using it is refused until signing is there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct RawDkim {
    selector: Option<String>,
    domain: Option<String>,
    key_file: Option<PathBuf>,
    ed25519_selector: Option<String>,
    ed25519_key_file: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawFile {
    file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSource {
    id: String,
    url: String,
    #[serde(default)]
    kind: SourceKind,
    #[serde(default = "default_every")]
    every: String,
    #[serde(default)]
    allow_private_network: bool,
    #[serde(default)]
    page: PageSelectors,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawList {
    id: String,
    name: String,
    from: String,
    #[serde(default = "yes")]
    public: bool,
    #[serde(default)]
    sources: Vec<String>,
    #[serde(default)]
    in_doubt: InDoubt,
    #[serde(default)]
    approval: bool,
    #[serde(default)]
    quiet: Vec<String>,
    cadences: BTreeMap<String, RawCadence>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawCadence {
    Offered(bool),
    Cron(String),
}

fn default_locale() -> String {
    "it".to_owned()
}

fn default_timezone() -> String {
    "Europe/Rome".to_owned()
}

fn default_every() -> String {
    "15m".to_owned()
}

fn default_connections() -> u32 {
    10
}

fn yes() -> bool {
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
    Reader { file, folder: file.parent().unwrap_or(Path::new("")) }.config(raw)
}

/// Puts the value of an environment variable where its name says. Digits are a number and `true` and
/// `false` a flag, but for the keys that hold texts of any form.
fn put(table: &mut Table, variable: &str, value: &str, file: &Path) -> Result<(), ConfigError> {
    const TEXTS: [&str; 5] = ["secret", "password", "username", "name", "host"];
    let path = variable.trim_start_matches(ENVIRONMENT_PREFIX).to_ascii_lowercase();
    let invalid = |what: &str| ConfigError::Invalid {
        file: file.to_owned(),
        key: variable.to_owned(),
        value: value.to_owned(),
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

/// What turns written values into checked ones, and knows which file they stand in.
struct Reader<'a> {
    file: &'a Path,
    folder: &'a Path,
}

impl Reader<'_> {
    fn invalid(&self, key: &str, value: &str, what: impl ToString, hint: &str) -> ConfigError {
        ConfigError::Invalid {
            file: self.file.to_owned(),
            key: key.to_owned(),
            value: value.to_owned(),
            what: what.to_string(),
            hint: hint.to_owned(),
        }
    }

    fn config(&self, raw: RawConfig) -> Result<Config, ConfigError> {
        if raw.dkim.is_some() {
            return Err(self.invalid(
                "dkim",
                "…",
                "this version does not sign mail itself",
                "let your relay sign, and take the [dkim] section out",
            ));
        }
        let sources = raw.source.into_iter().map(|source| self.source(source));
        let sources: Vec<Source> = sources.collect::<Result<_, _>>()?;
        let lists = raw.list.into_iter().map(|list| self.list(list, &sources));
        let lists: Vec<List> = lists.collect::<Result<_, _>>()?;
        self.unique("source", sources.iter().map(|source| source.id.as_str()))?;
        self.unique("list", lists.iter().map(|list| list.id.as_str()))?;
        Ok(Config {
            site: self.site(raw.site)?,
            database_url: self.database(&raw.database.url),
            listen: self.listen(raw.web.listen)?,
            smtp: raw.smtp.map(|smtp| self.smtp(smtp)).transpose()?,
            delivery: Delivery { durability: raw.delivery.durability },
            topics_file: raw.topics.file.map(|file| self.folder.join(file)),
            places_file: raw.places.file.map(|file| self.folder.join(file)),
            sources,
            lists,
        })
    }

    fn unique<'a>(
        &self,
        what: &str,
        ids: impl Iterator<Item = &'a str>,
    ) -> Result<(), ConfigError> {
        let mut seen = std::collections::BTreeSet::new();
        for id in ids {
            if !seen.insert(id) {
                let key = format!("{what}.id");
                return Err(self.invalid(
                    &key,
                    id,
                    "two have the same id",
                    "give each an id of its own",
                ));
            }
        }
        Ok(())
    }

    fn site(&self, raw: RawSite) -> Result<Site, ConfigError> {
        if raw.name.trim().is_empty() || raw.name.chars().any(char::is_control) {
            let hint = "write the name of the public body, as people read it in every mail";
            return Err(self.invalid("site.name", &raw.name, "this is no name", hint));
        }
        let key = "site.public_url";
        let url = raw.public_url.trim_end_matches('/').to_owned();
        match Url::parse(&url) {
            Ok(parsed) if matches!(parsed.scheme(), "http" | "https") && parsed.has_host() => {}
            _ => {
                let hint = "write where the pages will be, such as https://news.comune.example.it";
                return Err(self.invalid(key, &raw.public_url, "this is no web address", hint));
            }
        }
        let locale: Language = raw.locale.parse().map_err(|_| {
            let what = "no such language";
            self.invalid("site.locale", &raw.locale, what, "write \"it\" or \"en\"")
        })?;
        let timezone = raw.timezone.parse().map_err(|_| {
            let hint = "write a name of the IANA list, such as \"Europe/Rome\"";
            self.invalid("site.timezone", &raw.timezone, "no such time zone", hint)
        })?;
        let secret = self.secret("site.secret", raw.secret, raw.secret_file)?;
        let secret = secret.as_deref().and_then(Secret::new).ok_or_else(|| {
            let what = format!("it must be there and have {SECRET_OCTETS_MIN} characters at least");
            let hint = "put 64 random characters there, or their file into secret_file; \
                        `banditore init` makes some";
            self.invalid("site.secret", "…", what, hint)
        })?;
        Ok(Site { name: raw.name, public_url: url, locale, timezone, secret })
    }

    /// A text that may stand in the file or in a file of its own.
    fn secret(
        &self,
        key: &str,
        text: Option<String>,
        file: Option<PathBuf>,
    ) -> Result<Option<String>, ConfigError> {
        match (text, file) {
            (text, None) => Ok(text),
            (Some(_), Some(_)) => Err(self.invalid(
                key,
                "…",
                "both the text and its file are given",
                "keep one of the two",
            )),
            (None, Some(file)) => {
                let file = self.folder.join(file);
                let text = std::fs::read_to_string(&file).map_err(|cause| {
                    ConfigError::Unreadable { file: file.clone(), cause: cause.to_string() }
                })?;
                Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
            }
        }
    }

    fn listen(&self, text: String) -> Result<String, ConfigError> {
        let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty());
        if port.is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
            return Ok(text);
        }
        let hint = "write an address of this machine and a port, such as \"127.0.0.1:8025\"";
        Err(self.invalid("web.listen", &text, "this is no address with a port", hint))
    }

    fn database(&self, url: &str) -> String {
        let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"));
        match path {
            Some(path) if !path.is_empty() => {
                format!("sqlite://{}", self.folder.join(path).display())
            }
            _ => url.to_owned(),
        }
    }

    fn smtp(&self, raw: RawSmtp) -> Result<Smtp, ConfigError> {
        const CONNECTIONS: std::ops::RangeInclusive<u32> = 1..=200;
        if !CONNECTIONS.contains(&raw.connections) {
            let value = raw.connections.to_string();
            let hint = "write a number from 1 to 200; 10 suits most relays";
            return Err(self.invalid("smtp.connections", &value, "out of bounds", hint));
        }
        let is_address = raw.host.parse::<std::net::IpAddr>().is_ok();
        if !is_address && url::Host::parse(&raw.host).is_err() {
            let hint = "write the name or the address of your relay";
            return Err(self.invalid("smtp.host", &raw.host, "this is no host", hint));
        }
        if raw.port == 0 {
            let hint = "write the port of your relay: 25, 465 or 587 on most";
            return Err(self.invalid("smtp.port", "0", "there is no such port", hint));
        }
        if raw.messages_per_second == Some(0) {
            let hint = "leave the key out for no limit";
            return Err(self.invalid(
                "smtp.messages_per_second",
                "0",
                "nothing would go out",
                hint,
            ));
        }
        Ok(Smtp {
            host: raw.host,
            port: raw.port,
            tls: raw.tls,
            username: raw.username,
            password: self.secret("smtp.password", raw.password, raw.password_file)?,
            connections: raw.connections as usize,
            messages_per_second: raw.messages_per_second,
        })
    }

    fn source(&self, raw: RawSource) -> Result<Source, ConfigError> {
        let id = raw.id.parse().map_err(|cause| {
            let hint = "small letters, digits and hyphens, such as \"comune-news\"";
            self.invalid("source.id", &raw.id, cause, hint)
        })?;
        let every_seconds = parse_every(&raw.every).ok_or_else(|| {
            let what = format!("from {} s to 7 days", EVERY_SECONDS.start());
            self.invalid("source.every", &raw.every, what, "write it as \"15m\", \"2h\" or \"1d\"")
        })?;
        Ok(Source {
            id,
            url: self.source_url(&raw.url)?,
            settings: SourceSettings {
                kind: raw.kind,
                every_seconds,
                allow_private_network: raw.allow_private_network,
                page: raw.page,
            },
        })
    }

    fn source_url(&self, text: &str) -> Result<Url, ConfigError> {
        let invalid = |what: &str| {
            let hint = "write an address that begins with https://, http:// or file:";
            self.invalid("source.url", text, what, hint)
        };
        // A file without a slash in front is beside the configuration file.
        if let Some(path) = text.strip_prefix("file:").filter(|path| !path.starts_with('/')) {
            let path = std::path::absolute(self.folder.join(path));
            let url = path.ok().and_then(|path| Url::from_file_path(path).ok());
            return url.ok_or_else(|| invalid("no such path can be"));
        }
        let url = Url::parse(text).map_err(|cause| invalid(&cause.to_string()))?;
        match url.scheme() {
            "http" | "https" | "file" => Ok(url),
            _ => Err(invalid("sources are read over http, https, or from a file")),
        }
    }

    fn list(&self, raw: RawList, sources: &[Source]) -> Result<List, ConfigError> {
        let id = raw.id.parse().map_err(|cause| {
            let hint = "small letters, digits and hyphens, such as \"residents\"";
            self.invalid("list.id", &raw.id, cause, hint)
        })?;
        let from: Mailbox = raw.from.parse().map_err(|cause| {
            let hint = "write it as \"Name <news@comune.example.it>\", or the address alone";
            self.invalid("list.from", &raw.from, cause, hint)
        })?;
        if !raw.quiet.is_empty() {
            return Err(self.invalid(
                "list.quiet",
                &raw.quiet.join(", "),
                "this version has no quiet ranges yet",
                "take the key out",
            ));
        }
        let carried = raw.sources.iter().map(|name| {
            let known = sources.iter().find(|source| source.id.as_str() == name);
            known.map(|source| source.id.clone()).ok_or_else(|| {
                let hint = "name the id of a [[source]], or leave sources = [] for all";
                self.invalid("list.sources", name, "there is no such source", hint)
            })
        });
        let sources = carried.collect::<Result<_, _>>()?;
        Ok(List {
            id,
            name: raw.name,
            from,
            public: raw.public,
            sources,
            in_doubt: raw.in_doubt,
            approval: raw.approval,
            cadences: self.cadences(raw.cadences)?,
        })
    }

    fn cadences(
        &self,
        raw: BTreeMap<String, RawCadence>,
    ) -> Result<BTreeMap<CadenceId, Schedule>, ConfigError> {
        let mut cadences = BTreeMap::new();
        for (name, value) in raw {
            let key = format!("list.cadences.{name}");
            let id: CadenceId = name.parse().map_err(|cause| {
                let hint = "small letters, digits and hyphens, such as \"daily\"";
                self.invalid("list.cadences", &name, cause, hint)
            })?;
            let schedule = match value {
                RawCadence::Offered(false) => continue,
                RawCadence::Offered(true) if name == IMMEDIATE => Schedule::Immediate,
                RawCadence::Cron(cron) if name != IMMEDIATE => Schedule::parse(&cron)
                    .map_err(|error| self.invalid(&key, &cron, &error, error.hint()))?,
                RawCadence::Cron(cron) => {
                    let what = "news go out as they come; there is no hour";
                    return Err(self.invalid(&key, &cron, what, "write true or false"));
                }
                RawCadence::Offered(true) => {
                    let hint = "write a cron expression, such as \"0 0 7 * * *\" for 7 o'clock";
                    return Err(self.invalid(&key, "true", "at which hour?", hint));
                }
            };
            cadences.insert(id, schedule);
        }
        if cadences.is_empty() {
            let hint = "offer one at least, such as daily = \"0 0 7 * * *\"";
            return Err(self.invalid("list.cadences", "{}", "the list offers nothing", hint));
        }
        Ok(cadences)
    }
}
