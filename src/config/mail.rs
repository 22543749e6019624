//! The settings of sending: `[smtp]` with its fallbacks, `[delivery]`, `[dkim]`.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde::Deserialize;

use super::raw::{RawDelivery, RawDkim, RawSmtp};
use super::reader::Reader;
use super::{ConfigError, LEASE_SECONDS, parse_seconds};
use crate::audience::EmailAddress;
use crate::delivery::dkim::Algorithm;
use crate::store::Durability;

/// How many connections to relays may be open at once, where the file does not say, and at most.
pub const CONNECTIONS_DEFAULT: u32 = 10;
const CONNECTIONS: RangeInclusive<u32> = 1..=200;
/// How many messages a connection carries where the file does not say: Postfix closes after 100 at
/// some providers, and opening one anew costs little.
pub const MESSAGES_A_CONNECTION_DEFAULT: u32 = 100;
const MESSAGES_A_CONNECTION: RangeInclusive<u32> = 1..=100_000;
/// How long a connection waits for the next message where the file does not say, in seconds. A
/// server closes one that says nothing after five minutes (RFC 5321 4.5.3.2.7), a busy Postfix
/// after ten seconds.
pub const IDLE_SECONDS_DEFAULT: i64 = 30;
const IDLE_SECONDS: RangeInclusive<i64> = 1..=290;
/// How many relays there may be besides the first.
pub const FALLBACKS_MAX: usize = 4;
/// The longest local part of the address that bounces go to: with `+` and a message's tag it has at
/// most 64 octets (RFC 5321 4.5.3.1.1).
pub const BOUNCE_LOCAL_OCTETS_MAX: usize = 34;

/// For how many days it may be kept who got what. Not fewer than a week and a day: the daily cap, a
/// message's lifetime and decisions to send again look at editions of the last days.
const KEEP_DAYS: RangeInclusive<u32> = 8..=3_650;

/// How the connection to the relay is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// Not at all; for a relay on the same machine.
    None,
    /// Upgraded by STARTTLS (RFC 3207) before anything else is said; the default.
    #[default]
    Starttls,
    /// TLS from the first octet (RFC 8314 3.3).
    Implicit,
}

/// How the program signs in (RFC 4954).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// PLAIN, or LOGIN where the relay does not offer it; the default.
    #[default]
    Auto,
    /// PLAIN alone (RFC 4616).
    Plain,
    /// LOGIN alone.
    Login,
    /// XOAUTH2, with an access token in the place of the password.
    Xoauth2,
}

/// A password. It never shows itself in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// The text, for signing in alone.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Password {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// `[smtp]` or `[[smtp.fallback]]`: a relay that mail is handed to.
#[derive(Clone, Debug)]
pub struct Smtp {
    /// Name or address of the relay.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: Tls,
    /// How the program signs in.
    pub auth: Auth,
    /// Name to sign in with; without it there is no AUTH.
    pub username: Option<String>,
    /// Its password, or its access token.
    pub password: Option<Password>,
    /// A file that holds them instead, read anew for each connection: access tokens live for an
    /// hour, and whoever fetches them writes them there.
    pub password_file: Option<PathBuf>,
    /// Certificates to trust instead of the machine's, in PEM.
    pub ca_file: Option<PathBuf>,
    /// How many connections may be open at once, to all relays together.
    pub connections: usize,
    /// How many messages may begin in a second, over all connections; no limit where absent.
    pub messages_per_second: Option<u32>,
    /// How many messages one connection carries before it is closed.
    pub messages_per_connection: u32,
    /// How long a connection waits for the next message, in seconds.
    pub idle_seconds: i64,
    /// How many messages the relay takes in an hour; no limit where absent.
    pub messages_per_hour: Option<u32>,
    /// How many it takes in a day; no limit where absent.
    pub messages_per_day: Option<u32>,
    /// Relays that are asked, in this order, where those before cannot be reached or have had
    /// their share.
    pub fallbacks: Vec<Smtp>,
}

impl Smtp {
    /// A relay with everything else as it is by default, but TLS: none.
    pub fn at(host: &str, port: u16) -> Self {
        Self {
            host: host.to_owned(),
            port,
            tls: Tls::None,
            auth: Auth::Auto,
            username: None,
            password: None,
            password_file: None,
            ca_file: None,
            connections: CONNECTIONS_DEFAULT as usize,
            messages_per_second: None,
            messages_per_connection: MESSAGES_A_CONNECTION_DEFAULT,
            idle_seconds: IDLE_SECONDS_DEFAULT,
            messages_per_hour: None,
            messages_per_day: None,
            fallbacks: Vec::new(),
        }
    }

    /// How it is called in messages and in the database.
    pub fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// `[delivery]`
#[derive(Clone, Debug)]
pub struct Delivery {
    /// What a recorded stage survives.
    pub durability: Durability,
    /// How long a worker that says nothing is taken to be alive, in seconds.
    pub lease_seconds: i64,
    /// Where bounces go, each to an address of its own; the list's sender where absent.
    pub bounce_address: Option<EmailAddress>,
    /// How many messages to one recipients' domain may be under way at once.
    pub domain_connections: Option<u32>,
    /// How many messages to one recipients' domain may begin in a minute.
    pub domain_messages_per_minute: Option<u32>,
    /// After how many days the messages of an edition are taken out of the database, their sums
    /// staying; never by themselves where absent.
    pub keep_days: Option<u32>,
}

/// `[dkim]`: what messages are signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dkim {
    /// The domain that signs, in A-labels.
    pub domain: String,
    /// Its keys, one at least.
    pub keys: Vec<DkimKey>,
}

/// A key that signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DkimKey {
    /// Under which name its record stands.
    pub selector: String,
    /// The file of the private key, in PEM.
    pub file: PathBuf,
    /// Its kind.
    pub algorithm: Algorithm,
}

/// A name of one or more labels, in A-labels; none where it is none.
pub fn dns_name(text: &str) -> Option<String> {
    let name = match url::Host::parse(text.trim_end_matches('.')) {
        Ok(url::Host::Domain(name)) => name,
        _ => return None,
    };
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    (name.len() <= 253 && name.split('.').all(label)).then_some(name)
}

impl Reader<'_> {
    pub(super) fn smtp(&self, raw: RawSmtp) -> Result<Smtp, ConfigError> {
        let connections = raw.connections.unwrap_or(CONNECTIONS_DEFAULT);
        if !CONNECTIONS.contains(&connections) {
            let hint = "write a number from 1 to 200; 10 suits most relays";
            let value = connections.to_string();
            return Err(self.invalid("smtp.connections", &value, "out of bounds", hint));
        }
        if raw.fallback.len() > FALLBACKS_MAX {
            let (value, what) = (raw.fallback.len().to_string(), "these are too many");
            let hint = "name at most 4 relays besides the first";
            return Err(self.invalid("smtp.fallback", &value, what, hint));
        }
        let (rate, pending) = (raw.messages_per_second, raw.fallback.clone());
        let mut smtp = self.relay("smtp", raw)?;
        let fallbacks = pending.into_iter().map(|raw| self.fallback(raw));
        smtp.fallbacks = fallbacks.collect::<Result<_, _>>()?;
        smtp.connections = connections as usize;
        smtp.messages_per_second = self.some_messages("smtp.messages_per_second", rate)?;
        Ok(smtp)
    }

    fn fallback(&self, raw: RawSmtp) -> Result<Smtp, ConfigError> {
        let key = if raw.connections.is_some() {
            Some("connections")
        } else if raw.messages_per_second.is_some() {
            Some("messages_per_second")
        } else {
            (!raw.fallback.is_empty()).then_some("fallback")
        };
        if let Some(key) = key {
            let (key, what) = (format!("smtp.fallback.{key}"), "this is for all relays together");
            return Err(self.invalid(&key, "…", what, "write it under [smtp] alone"));
        }
        self.relay("smtp.fallback", raw)
    }

    fn relay(&self, section: &str, raw: RawSmtp) -> Result<Smtp, ConfigError> {
        let key = |name: &str| format!("{section}.{name}");
        let is_address = raw.host.parse::<std::net::IpAddr>().is_ok();
        if !is_address && url::Host::parse(&raw.host).is_err() {
            let hint = "write the name or the address of your relay";
            return Err(self.invalid(&key("host"), &raw.host, "this is no host", hint));
        }
        if raw.port == 0 {
            let hint = "write the port of your relay: 25, 465 or 587 on most";
            return Err(self.invalid(&key("port"), "0", "there is no such port", hint));
        }
        let messages = raw.messages_per_connection.unwrap_or(MESSAGES_A_CONNECTION_DEFAULT);
        if !MESSAGES_A_CONNECTION.contains(&messages) {
            let (key, value) = (key("messages_per_connection"), messages.to_string());
            let hint = "write a number from 1 to 100000; 100 suits most relays";
            return Err(self.invalid(&key, &value, "out of bounds", hint));
        }
        let idle = raw.idle.unwrap_or_else(|| format!("{IDLE_SECONDS_DEFAULT}s"));
        let idle_seconds = parse_seconds(&idle, &IDLE_SECONDS).ok_or_else(|| {
            let what = "from 1 s to 290 s: servers close after five minutes";
            self.invalid(&key("idle"), &idle, what, "write it as \"30s\"")
        })?;
        let password = self.secret(&key("password"), raw.password, raw.password_file.clone())?;
        Ok(Smtp {
            tls: raw.tls,
            auth: raw.auth,
            username: raw.username,
            password: password.map(Password),
            password_file: raw.password_file.map(|file| self.beside(&file)),
            ca_file: raw.ca_file.map(|file| self.beside(&file)),
            messages_per_connection: messages,
            idle_seconds,
            messages_per_hour: self
                .some_messages(&key("messages_per_hour"), raw.messages_per_hour)?,
            messages_per_day: self.some_messages(&key("messages_per_day"), raw.messages_per_day)?,
            ..Smtp::at(&raw.host, raw.port)
        })
    }

    fn some_messages(&self, key: &str, value: Option<u32>) -> Result<Option<u32>, ConfigError> {
        match value {
            Some(0) => {
                let hint = "leave the key out for no limit";
                Err(self.invalid(key, "0", "nothing would go out", hint))
            }
            limit => Ok(limit),
        }
    }

    pub(super) fn delivery(&self, raw: &RawDelivery) -> Result<Delivery, ConfigError> {
        let lease_seconds = parse_seconds(&raw.lease, &LEASE_SECONDS).ok_or_else(|| {
            let what = format!("from {} s to 1 hour", LEASE_SECONDS.start());
            self.invalid("delivery.lease", &raw.lease, what, "write it as \"2m\" or \"90s\"")
        })?;
        if let Some(days) = raw.keep_days.filter(|days| !KEEP_DAYS.contains(days)) {
            let what = format!("from {} to {} days", KEEP_DAYS.start(), KEEP_DAYS.end());
            let hint = "leave the key out to keep messages until `editions archive`";
            return Err(self.invalid("delivery.keep_days", &days.to_string(), what, hint));
        }
        let bounce_address = raw.bounce_address.as_ref().map(|text| self.bounces(text));
        let limit = |key: &str, value| self.some_messages(&format!("delivery.{key}"), value);
        Ok(Delivery {
            durability: raw.durability,
            lease_seconds,
            bounce_address: bounce_address.transpose()?,
            domain_connections: limit("domain_connections", raw.domain_connections)?,
            domain_messages_per_minute: limit(
                "domain_messages_per_minute",
                raw.domain_messages_per_minute,
            )?,
            keep_days: raw.keep_days,
        })
    }

    fn bounces(&self, text: &str) -> Result<EmailAddress, ConfigError> {
        let invalid = |what: &str| {
            let hint = "write it as \"bounces@comune.example.it\"; \"+\" and a tag are put \
                        before the @, so the mailbox must take such addresses";
            self.invalid("delivery.bounce_address", text, what, hint)
        };
        let address: EmailAddress = text.parse().map_err(|_| invalid("this is no address"))?;
        let local = text.rsplit_once('@').map_or("", |(local, _)| local);
        let plain = local.is_ascii() && !local.contains(['"', '+']);
        if !plain || local.len() > BOUNCE_LOCAL_OCTETS_MAX {
            return Err(invalid("before the @ it has more than 34 characters, or unusual ones"));
        }
        Ok(address)
    }

    pub(super) fn dkim(&self, raw: RawDkim) -> Result<Dkim, ConfigError> {
        let name = |key: &str, text: &str| {
            let hint = "write letters, digits, hyphens and dots, such as comune.example.it";
            dns_name(text).ok_or_else(|| self.invalid(key, text, "this is no name in DNS", hint))
        };
        let domain = name("dkim.domain", &raw.domain)?;
        let pairs = [
            (Algorithm::Rsa, "dkim.selector", raw.selector, raw.key_file),
            (
                Algorithm::Ed25519,
                "dkim.ed25519_selector",
                raw.ed25519_selector,
                raw.ed25519_key_file,
            ),
        ];
        let mut keys: Vec<DkimKey> = Vec::new();
        for (algorithm, key, selector, file) in pairs {
            match (selector, file) {
                (None, None) => {}
                (Some(selector), Some(file)) => {
                    let selector = name(key, &selector)?;
                    if keys.iter().any(|other| other.selector == selector) {
                        let hint = "make the second key under another selector";
                        return Err(self.invalid(key, &selector, "two keys have it", hint));
                    }
                    keys.push(DkimKey { selector, file: self.beside(&file), algorithm });
                }
                _ => {
                    let what = "a selector and its key file belong together";
                    let hint = "give both; `banditore dkim new` makes keys";
                    return Err(self.invalid(key, "…", what, hint));
                }
            }
        }
        if keys.is_empty() {
            let hint = "give selector and key_file, which `banditore dkim new` makes, or take the \
                        section out";
            return Err(self.invalid("dkim", "…", "there is no key", hint));
        }
        Ok(Dkim { domain, keys })
    }
}
