//! Why a source could not be fetched.

use std::net::IpAddr;

use crate::store::Trouble;

/// Why a fetch failed. No message has the credentials an address may carry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// A scheme other than `http` and `https`, or a file where none is allowed.
    #[error("{scheme}: addresses are not fetched here")]
    UnsupportedScheme {
        /// The scheme.
        scheme: String,
    },
    /// The host is no public one.
    #[error("{host} leads to {address}, which is no public address")]
    RefusedAddress {
        /// The host asked for.
        host: String,
        /// Where it leads.
        address: IpAddr,
    },
    /// The body is longer than the limit.
    #[error("the answer of {host} is larger than the limit of {limit_bytes} bytes")]
    TooLarge {
        /// The host, or the file.
        host: String,
        /// The limit.
        limit_bytes: usize,
    },
    /// The time is over.
    #[error("{host} {stage} within {seconds} seconds")]
    Timeout {
        /// The host.
        host: String,
        /// What took too long.
        stage: FetchStage,
        /// The limit that was reached.
        seconds: u64,
    },
    /// A status that is no answer.
    #[error("{host} answered with status {code}")]
    Status {
        /// The host.
        host: String,
        /// The status code.
        code: u16,
        /// When to come again.
        retry_after: Option<RetryAfter>,
    },
    /// More redirects than the limit.
    #[error("{host} redirects more than {limit} times")]
    TooManyRedirects {
        /// The last host.
        host: String,
        /// The limit.
        limit: usize,
    },
    /// A redirect to nowhere.
    #[error("{host} redirects without an address that can be followed")]
    BadRedirect {
        /// The host.
        host: String,
    },
    /// Names, connections, TLS, broken answers.
    #[error("{host} cannot be reached: {cause}")]
    Network {
        /// The host.
        host: String,
        /// What the network said.
        cause: String,
    },
    /// A file that cannot be read.
    #[error("{path} cannot be read: {cause}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        cause: String,
    },
    /// The client cannot be made: no trusted certificates on this machine, a bad User-Agent.
    #[error("no connection can be prepared: {0}")]
    Client(String),
}

/// A part of a fetch that has a time of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchStage {
    /// Until a connection stands.
    Connection,
    /// Until the head of an answer is there.
    Head,
    /// Until its body is.
    Body,
    /// All of it, redirects included.
    Whole,
}

impl std::fmt::Display for FetchStage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connection => "made no connection",
            Self::Head => "sent no answer",
            Self::Body => "did not send its answer in full",
            Self::Whole => "did not answer in full",
        })
    }
}

impl FetchError {
    /// Whether the source says that it is gone for good (RFC 9110 15.5.11).
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Status { code: 410, .. })
    }

    /// When the server asks to be left alone until, where it says so together with a status that
    /// means its whole host: 429 (RFC 6585 4) and 503 (RFC 9110 15.6.4).
    pub fn retry_at(
        &self,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Option<chrono::DateTime<chrono::Utc>> {
        let Self::Status { code: 429 | 503, retry_after: Some(after), .. } = self else {
            return None;
        };
        match after {
            RetryAfter::At(at) => Some(*at),
            RetryAfter::Seconds(seconds) => {
                let seconds = i64::try_from(*seconds).ok()?;
                now.checked_add_signed(chrono::TimeDelta::try_seconds(seconds)?)
            }
        }
    }

    /// What it is, for whoever does not know the program.
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::Timeout { .. } | Self::Network { .. } => Trouble::Unreachable,
            Self::Status { code: 404 | 410, .. }
            | Self::TooManyRedirects { .. }
            | Self::BadRedirect { .. }
            | Self::File { .. } => Trouble::Missing,
            Self::Status { code: 401 | 403, .. } => Trouble::Refused,
            Self::Status { .. } => Trouble::Server,
            Self::TooLarge { .. } => Trouble::Unreadable,
            Self::UnsupportedScheme { .. } | Self::RefusedAddress { .. } | Self::Client(_) => {
                Trouble::Settings
            }
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::UnsupportedScheme { .. } => {
                "give an http or https address; file: stands in the configuration file only"
            }
            Self::RefusedAddress { .. } => {
                "if the source really is inside your network, set allow_private_network = true"
            }
            Self::TooLarge { .. } => "ask the publisher for a feed with fewer items",
            Self::Timeout { .. } | Self::Network { .. } => {
                "check the address and the connection; it is tried again at the next poll"
            }
            Self::Status { code: 404 | 410, .. } => "the address is gone: look for its new one",
            Self::Status { code: 401 | 403, .. } => "the site refuses programs: ask its publisher",
            Self::Status { .. } => "the site has trouble; it is tried again at the next poll",
            Self::TooManyRedirects { .. } | Self::BadRedirect { .. } => {
                "open the address in a browser and give the one it ends at"
            }
            Self::File { .. } => "check the path and that this user may read it",
            Self::Client(_) => "install the system's certificates (ca-certificates)",
        }
    }
}

/// When a server asks to be left alone until (RFC 9110 10.2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// For so many seconds.
    Seconds(u64),
    /// Until an instant.
    At(chrono::DateTime<chrono::Utc>),
}
