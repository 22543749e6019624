//! The settings: one TOML file, every key of which can be overridden by the environment.
//!
//! What is read here is checked here: a [`Config`] that exists holds ids, addresses, zones and
//! schedules that can be used. A key that is unknown, a wrong type, a missing file are each an
//! error of their own that names the place and says what to do.

mod error;
mod mail;
mod network;
mod raw;
mod reader;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

pub use error::ConfigError;
pub use mail::{
    Auth, BOUNCE_LOCAL_OCTETS_MAX, CONNECTIONS_DEFAULT, Delivery, Dkim, DkimKey, FALLBACKS_MAX,
    IDLE_SECONDS_DEFAULT, MESSAGES_A_CONNECTION_DEFAULT, Password, Smtp, Tls, dns_name,
};
pub use network::Network;

use crate::audience::{EmailAddress, Mailbox};
use crate::delivery::dkim::{PrivateKey, Signer};
use crate::editions::Schedule;
use crate::ingest::{Headline, NewsLimits, PageSelectors, SourceKind};
use crate::model::{CadenceId, Language, ListId, PlaceId, SourceId};

/// Where the file is looked for when nobody says where.
pub const DEFAULT_FILES: [&str; 2] = ["banditore.toml", "/etc/banditore/banditore.toml"];
/// The prefix of the environment variables that override keys: `BANDITORE__SMTP__PORT`.
pub const ENVIRONMENT_PREFIX: &str = "BANDITORE__";
/// The most addresses of `[site] admins`.
pub const ADMINS_MAX: usize = 20;
/// The shortest secret accepted, in octets.
pub const SECRET_OCTETS_MIN: usize = 32;
/// The shortest and longest interval between two polls of a source.
pub const EVERY_SECONDS: std::ops::RangeInclusive<i64> = 60..=7 * 24 * 3600;
/// How long a worker that says nothing is taken to be alive, where the file does not say.
pub const LEASE_SECONDS_DEFAULT: i64 = 120;
/// The shortest and longest lease of a worker.
pub const LEASE_SECONDS: std::ops::RangeInclusive<i64> = 2..=3600;

/// The settings of an installation.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[site]`
    pub site: Site,
    /// `[database]`: the address; a relative file is beside the configuration file.
    pub database_url: String,
    /// `[web] listen`
    pub listen: String,
    /// `[web] trusted_proxies`: whose word on where a visitor comes from is believed.
    pub trusted_proxies: Vec<Network>,
    /// `[smtp]`; commands that send say when it is missing.
    pub smtp: Option<Smtp>,
    /// `[delivery]`
    pub delivery: Delivery,
    /// `[dkim]`; nothing is signed where absent.
    pub dkim: Option<Dkim>,
    /// `[dns] resolver`: who is asked about names; the machine's own where absent.
    pub dns: Option<SocketAddr>,
    /// `[topics] file`; the built-in rules where absent.
    pub topics_file: Option<PathBuf>,
    /// `[places] file`; the built-in places where absent.
    pub places_file: Option<PathBuf>,
    /// `[[source]]`
    pub sources: Vec<Source>,
    /// `[[list]]`
    pub lists: Vec<List>,
}

/// `[site]`: who runs this.
#[derive(Clone, Debug)]
pub struct Site {
    /// The body's name, as people read it.
    pub name: String,
    /// Where its pages are, without a slash at the end.
    pub public_url: String,
    /// Where a publisher can write to who asks for their pages.
    pub contact: Option<String>,
    /// Who is told when a source turns bad, when items are held, and the like.
    pub admins: Vec<EmailAddress>,
    /// The language of what has no language of its own.
    pub locale: Language,
    /// The zone of every calendar question.
    pub timezone: Tz,
    /// What tokens and hashes are keyed with.
    pub secret: Secret,
}

/// The installation's secret. It never shows itself in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret of at least [`SECRET_OCTETS_MIN`] octets; none if it is shorter.
    pub fn new(text: &str) -> Option<Self> {
        (text.len() >= SECRET_OCTETS_MIN).then(|| Self(text.to_owned()))
    }

    /// The octets, for keyed hashes alone.
    pub fn octets(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// `[[source]]`: a feed or a page.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Its id.
    pub id: SourceId,
    /// Where it is: http, https, or file.
    pub url: url::Url,
    /// How it is read.
    pub settings: SourceSettings,
}

/// How a source is read; kept with it in the database. What an older version did not write is as it
/// is by default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceSettings {
    /// Feed or page.
    pub kind: SourceKind,
    /// Seconds from one poll to the next; none where they follow how often the source changes.
    pub every_seconds: Option<i64>,
    /// Whether an address that is not public may be asked.
    pub allow_private_network: bool,
    /// Selectors, for a page.
    pub page: PageSelectors,
    /// How much of its news is told without a question.
    #[serde(skip_serializing_if = "NewsLimits::are_usual")]
    pub news: NewsLimits,
    /// Which text of an item is its headline.
    pub headline: Headline,
    /// Whether the pages of items that show only a teaser are asked for their text.
    pub full_text: bool,
    /// Where its items matter that name no place themselves; none where that is the whole area.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<PlaceId>,
}

impl Default for SourceSettings {
    fn default() -> Self {
        Self {
            kind: SourceKind::default(),
            every_seconds: None,
            allow_private_network: false,
            page: PageSelectors::default(),
            news: NewsLimits::default(),
            headline: Headline::default(),
            full_text: true,
            place: None,
        }
    }
}

/// `[[list]]`: an audience.
#[derive(Clone, Debug)]
pub struct List {
    /// Its id.
    pub id: ListId,
    /// Its name, as people read it.
    pub name: String,
    /// Who its mail is from.
    pub from: Mailbox,
    /// Whether everybody may know it.
    pub public: bool,
    /// The sources it carries; none stands for all.
    pub sources: Vec<SourceId>,
    /// What happens to a message in doubt.
    pub in_doubt: InDoubt,
    /// Whether a person looks at each edition first.
    pub approval: bool,
    /// What it offers.
    pub cadences: BTreeMap<CadenceId, Schedule>,
}

/// What happens to a message of which nobody knows whether the relay has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InDoubt {
    /// It is sent again, with the same Message-ID: nothing is lost, one may come twice. The
    /// default.
    #[default]
    Resend,
    /// It is kept until a named person decides.
    Hold,
    /// It is given up: nothing comes twice, one may be lost.
    Drop,
}

impl InDoubt {
    /// The word in configuration and database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resend => "resend",
            Self::Hold => "hold",
            Self::Drop => "drop",
        }
    }
}

impl Config {
    /// Reads the settings of a file, or of the first of [`DEFAULT_FILES`] that is there.
    ///
    /// # Errors
    /// [`ConfigError`] names the file, the place in it, and what to do.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let path = match path {
            Some(path) => path.to_owned(),
            None => DEFAULT_FILES
                .iter()
                .map(PathBuf::from)
                .find(|path| path.exists())
                .ok_or(ConfigError::NoFile)?,
        };
        let text = std::fs::read_to_string(&path).map_err(|cause| ConfigError::Unreadable {
            file: path.clone(),
            cause: cause.to_string(),
        })?;
        Self::parse(&text, &path, environment(&path)?)
    }

    /// Reads settings from text; `file` is where it came from, for messages and relative paths.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(
        text: &str,
        file: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        raw::parse(text, file, environment)
    }

    /// The relay's settings, for commands that send.
    ///
    /// # Errors
    /// Where the file has no `[smtp]`.
    pub fn require_smtp(&self) -> Result<&Smtp, ConfigError> {
        self.smtp.as_ref().ok_or(ConfigError::NoRelay)
    }

    /// What signs messages, its keys read from their files; without `[dkim]` it signs nothing.
    ///
    /// # Errors
    /// Where a file cannot be read, or holds no key of its kind.
    pub fn signer(&self) -> Result<Signer, ConfigError> {
        let Some(dkim) = &self.dkim else { return Ok(Signer::none()) };
        let mut signer = Signer::of(&dkim.domain);
        for key in &dkim.keys {
            let file = &key.file;
            let text = std::fs::read_to_string(file).map_err(|cause| ConfigError::Unreadable {
                file: file.clone(),
                cause: cause.to_string(),
            })?;
            let private = PrivateKey::from_pem(&text, key.algorithm)
                .map_err(|error| ConfigError::Key { file: file.clone(), error })?;
            signer = signer.with(&key.selector, private);
        }
        Ok(signer)
    }
}

/// The environment variables that override keys.
fn environment(file: &Path) -> Result<Vec<(String, String)>, ConfigError> {
    let named =
        std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value)));
    let ours = named.filter(|(key, _)| key.starts_with(ENVIRONMENT_PREFIX));
    ours.map(|(key, value)| match value.into_string() {
        Ok(value) => Ok((key, value)),
        Err(value) => Err(ConfigError::Invalid {
            file: file.to_owned(),
            key,
            value: value.to_string_lossy().into_owned(),
            what: "this is not UTF-8".to_owned(),
            hint: "write the value in UTF-8".to_owned(),
        }),
    })
    .collect()
}

/// Reads a duration such as `15m`, `2h`, `90s`, `1d`; gives seconds, where they are within bounds.
pub(crate) fn parse_seconds(text: &str, bounds: &std::ops::RangeInclusive<i64>) -> Option<i64> {
    let unit = text.chars().last()?;
    let number: u32 = text.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let total = Duration::from_secs(u64::from(number) * seconds).as_secs();
    i64::try_from(total).ok().filter(|total| bounds.contains(total))
}
