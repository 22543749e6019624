//! What DNS says of those who send: whether large receivers will believe a mail that it is theirs.

mod records;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};

pub use records::{Asked, DnsFinding, Standing, look};

/// How long one question may take, in seconds, and how often it is asked.
const ANSWER_SECONDS_MAX: u64 = 5;
const ATTEMPTS_MAX: usize = 2;
/// The most values of one answer that are looked at.
const VALUES_MAX: usize = 64;

/// Names that are there for examples and tests (RFC 2606, RFC 6761): nobody publishes anything
/// under them, and nobody is asked.
const RESERVED: [&str; 9] = [
    "example",
    "test",
    "invalid",
    "localhost",
    "local",
    "example.com",
    "example.net",
    "example.org",
    "internal",
];

/// Whether a name is one of those that nobody can publish anything under.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.into_iter().any(|of| is_within(name, of)) || !name.contains('.')
}

/// Whether a name is a domain, or below it.
fn is_within(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// Asks about names.
pub struct Names(TokioResolver);

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} cannot be looked up: {cause}")]
pub struct NameError {
    name: String,
    cause: String,
}

impl Names {
    /// Asks a resolver, or those of the machine where none is named.
    ///
    /// # Errors
    /// Where the machine names none that can be used.
    pub fn new(resolver: Option<SocketAddr>) -> Result<Self, NameError> {
        let failed = |error: NetError| NameError {
            name: "the resolver of this machine".to_owned(),
            cause: error.to_string(),
        };
        let mut builder = match resolver {
            None => TokioResolver::builder_tokio().map_err(failed)?,
            Some(address) => {
                let with_port = |mut connection: ConnectionConfig| {
                    connection.port = address.port();
                    connection
                };
                let mut server = NameServerConfig::udp_and_tcp(address.ip());
                server.connections = server.connections.into_iter().map(with_port).collect();
                let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        let options: &mut ResolverOpts = builder.options_mut();
        options.timeout = Duration::from_secs(ANSWER_SECONDS_MAX);
        options.attempts = ATTEMPTS_MAX;
        options.use_hosts_file = ResolveHosts::Never;
        Ok(Self(builder.build().map_err(failed)?))
    }

    /// The values under a name; none where there are none.
    async fn ask(&self, name: &str, kind: RecordType) -> Result<Vec<RData>, NameError> {
        // The dot at the end: no domain of this machine's is to be tried behind it.
        match self.0.lookup(format!("{name}."), kind).await {
            Ok(found) => {
                let values = found.answers().iter().map(|record| record.data.clone());
                let wanted = values.filter(|value| value.record_type() == kind);
                Ok(wanted.take(VALUES_MAX).collect())
            }
            Err(error) if error.is_no_records_found() => Ok(Vec::new()),
            Err(error) => Err(NameError { name: name.to_owned(), cause: error.to_string() }),
        }
    }

    /// The texts under a name, each with its strings put together (RFC 7208 3.3).
    pub async fn texts(&self, name: &str) -> Result<Vec<String>, NameError> {
        let values = self.ask(name, RecordType::TXT).await?;
        let text = |value: RData| match value {
            RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
            _ => None,
        };
        Ok(values.into_iter().filter_map(text).collect())
    }

    /// The servers that take a name's mail, the first choice first; `.` says that none does
    /// (RFC 7505 3).
    pub async fn mail_servers(&self, name: &str) -> Result<Vec<String>, NameError> {
        let values = self.ask(name, RecordType::MX).await?;
        let server = |value: RData| match value {
            RData::MX(server) => Some((server.preference, plain(&server.exchange.to_ascii()))),
            _ => None,
        };
        let mut servers: Vec<(u16, String)> = values.into_iter().filter_map(server).collect();
        servers.sort();
        Ok(servers.into_iter().map(|(_, server)| server).collect())
    }

    /// The addresses of a host.
    pub async fn addresses(&self, host: &str) -> Result<BTreeSet<IpAddr>, NameError> {
        let mut addresses = BTreeSet::new();
        for kind in [RecordType::A, RecordType::AAAA] {
            for value in self.ask(host, kind).await? {
                match value {
                    RData::A(address) => drop(addresses.insert(IpAddr::V4(address.0))),
                    RData::AAAA(address) => drop(addresses.insert(IpAddr::V6(address.0))),
                    _ => {}
                }
            }
        }
        Ok(addresses)
    }

    /// The names of an address.
    pub async fn names_of(&self, address: IpAddr) -> Result<Vec<String>, NameError> {
        let name = |value: RData| match value {
            RData::PTR(name) => Some(plain(&name.0.to_ascii())),
            _ => None,
        };
        let values = self.ask(&reverse_name(address), RecordType::PTR).await?;
        Ok(values.into_iter().filter_map(name).collect())
    }
}

/// A name without its dot at the end; the root stays one.
fn plain(name: &str) -> String {
    let stripped = name.strip_suffix('.').filter(|stripped| !stripped.is_empty());
    stripped.unwrap_or(name).to_ascii_lowercase()
}

/// Under which name an address's own is looked for (RFC 1035 3.5, RFC 3596 2.5).
fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let nibbles = address.octets().into_iter().rev();
            let name: String =
                nibbles.map(|octet| format!("{:x}.{:x}.", octet & 15, octet >> 4)).collect();
            format!("{name}ip6.arpa")
        }
    }
}
