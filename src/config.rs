//! The settings: one TOML file, every key of which can be overridden by the environment.

use serde::Deserialize;

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

/// `[smtp]`: the relay that mail is handed to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    /// Name or address of the relay.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    #[serde(default)]
    pub tls: Tls,
    /// Name to sign in with; without it there is no AUTH.
    pub username: Option<String>,
    /// Its password.
    pub password: Option<String>,
    /// How many connections may be open at once.
    #[serde(default = "default_connections")]
    pub connections: usize,
    /// How many messages may begin in a second, over all connections; no limit where absent.
    pub messages_per_second: Option<u32>,
}

fn default_connections() -> usize {
    10
}
