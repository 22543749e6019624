//! Why a source could not be fetched.

use std::net::IpAddr;

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
    #[error("{host} did not answer in full within {seconds} seconds")]
    Timeout {
        /// The host.
        host: String,
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

impl FetchError {
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
