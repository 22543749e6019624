//! Opening a connection to the relay: TCP, TLS, EHLO, AUTH.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::ClientId;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::StageLimits;
use super::address::a_labels;
use super::connection::{Connection, Offers};
use super::failure::{Failure, FailureKind, Stage};
use super::reply::{RawReply, Reply};
use super::wire::{Line, Seen, Wire};
use crate::config::{Auth, Password, Smtp, Tls};

/// How many addresses of the relay's name are tried.
const ADDRESSES_MAX: usize = 8;

/// Settings that make no relay.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRelay {
    /// The relay's host is neither a name nor an address.
    #[error("smtp.host {0:?} is neither a host name nor an address")]
    Host(String),
    /// The name to say in EHLO is neither a domain nor an address.
    #[error("{0:?} is no name to say in EHLO: neither a domain nor an address")]
    HelloName(String),
    /// A user name without a password.
    #[error("smtp.username is given, but no smtp.password")]
    PasswordMissing,
    /// The password would cross the network in the clear.
    #[error("smtp.username with tls = \"none\" would send the password unprotected to {0:?}")]
    PasswordUnprotected(String),
    /// The certificates to trust cannot be had.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// The relay that mail is handed to, ready to be connected to.
pub struct Relay {
    host: String,
    port: u16,
    tls: Tls,
    /// None where `tls` is.
    protection: Option<(TlsConnector, ServerName<'static>)>,
    hello: ClientId,
    credentials: Option<SignIn>,
    limits: StageLimits,
}

impl Relay {
    /// A relay by its settings, its certificate verified against what the machine trusts.
    /// `hello_name` is this machine's own name or address (RFC 5321 4.1.4).
    ///
    /// # Errors
    /// Settings that contradict each other, or no trusted certificates on this machine.
    pub fn new(
        config: &Smtp,
        hello_name: String,
        limits: StageLimits,
    ) -> Result<Self, InvalidRelay> {
        if let Some(file) = config.ca_file.as_ref().filter(|_| config.tls != Tls::None) {
            return Self::trusting_only(own_roots(file)?, config, hello_name, limits);
        }
        let verified = || {
            let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .and_then(BuilderVerifierExt::with_platform_verifier);
            let builder = builder.map_err(|error| InvalidRelay::Tls(error.to_string()))?;
            Ok(builder.with_no_client_auth())
        };
        Self::build(config, &hello_name, limits, verified)
    }

    /// The same, trusting `roots` and nothing else: for a relay with a certificate of one's own.
    ///
    /// # Errors
    /// Settings that contradict each other.
    pub fn trusting_only(
        roots: RootCertStore,
        config: &Smtp,
        hello_name: String,
        limits: StageLimits,
    ) -> Result<Self, InvalidRelay> {
        let verified = || {
            let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| InvalidRelay::Tls(error.to_string()))?;
            Ok(builder.with_root_certificates(roots).with_no_client_auth())
        };
        Self::build(config, &hello_name, limits, verified)
    }

    fn build(
        config: &Smtp,
        hello_name: &str,
        limits: StageLimits,
        verified: impl FnOnce() -> Result<ClientConfig, InvalidRelay>,
    ) -> Result<Self, InvalidRelay> {
        let protection = match config.tls {
            Tls::None => None,
            Tls::Starttls | Tls::Implicit => {
                let name = ServerName::try_from(config.host.clone())
                    .map_err(|_| InvalidRelay::Host(config.host.clone()))?;
                Some((TlsConnector::from(Arc::new(verified()?)), name))
            }
        };
        let credentials = match (&config.username, &config.password) {
            (None, _) => None,
            (Some(_), None) => return Err(InvalidRelay::PasswordMissing),
            (Some(_), Some(_)) if protection.is_none() && !is_loopback(&config.host) => {
                return Err(InvalidRelay::PasswordUnprotected(config.host.clone()));
            }
            (Some(user), Some(password)) => Some(SignIn {
                user: user.clone(),
                password: password.clone(),
                file: config.password_file.clone(),
                mechanisms: mechanisms(config.auth),
            }),
        };
        let hello = match hello_name.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => ClientId::Ipv4(address),
            Ok(IpAddr::V6(address)) => ClientId::Ipv6(address),
            Err(_) => ClientId::Domain(
                a_labels(hello_name)
                    .map_err(|_| InvalidRelay::HelloName(hello_name.chars().take(255).collect()))?,
            ),
        };
        let (host, port, tls) = (config.host.clone(), config.port, config.tls);
        Ok(Self { host, port, tls, protection, hello, credentials, limits })
    }

    /// How long each stage of a conversation with it may take.
    pub fn limits(&self) -> StageLimits {
        self.limits
    }

    /// Opens a connection and signs in.
    ///
    /// # Errors
    /// All temporary, whatever the relay says: it is the relay that is at fault or away, not a
    /// message. [`Failure::reply`] tells a refused password from a closed port.
    pub async fn open(&self) -> Result<Connection, Failure> {
        let mut line = Line::Plain(self.connect().await?);
        let mut greeting = Vec::new();
        match (self.tls, &self.protection) {
            (Tls::Implicit, Some(tls)) => line = self.handshake(tls, line).await?,
            (Tls::Starttls, Some(tls)) => {
                (line, greeting) = self.start_tls(line).await?;
                line = self.handshake(tls, line).await?;
            }
            _ => {}
        }
        let wire = Wire::new(line, greeting);
        let seen = wire.seen();
        let mut smtp = self.hello(wire, &seen).await?;
        let offers = Offers::read(&seen.replies());
        if let Some(credentials) = &self.credentials {
            self.sign_in(&mut smtp, &seen, credentials).await?;
        }
        Ok(Connection::new(smtp, seen, offers, self.limits))
    }

    async fn connect(&self) -> Result<TcpStream, Failure> {
        let failed = |what: String| Failure::temporary(Stage::Connect, what);
        let limit = self.limits.connect;
        let place = (self.host.as_str(), self.port);
        let addresses: Vec<SocketAddr> = match timeout(limit, tokio::net::lookup_host(place)).await
        {
            Ok(Ok(addresses)) => addresses.take(ADDRESSES_MAX).collect(),
            Ok(Err(error)) => return Err(failed(format!("cannot look up {}: {error}", self.host))),
            Err(_) => return Err(failed(format!("cannot look up {}: no answer", self.host))),
        };
        let mut last = format!("{} has no address", self.host);
        for address in addresses {
            match timeout(limit, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Content and dot are two writes: with Nagle's algorithm the second waits some
                    // 40 ms for the acknowledgement of the first.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => last = format!("{address}: {error}"),
                Err(_) => last = format!("{address}: no connection within {limit:?}"),
            }
        }
        Err(failed(last))
    }

    async fn handshake(
        &self,
        (connector, name): &(TlsConnector, ServerName<'static>),
        line: Line,
    ) -> Result<Line, Failure> {
        let Line::Plain(stream) = line else { return Ok(line) };
        match timeout(self.limits.connect, connector.connect(name.clone(), stream)).await {
            Ok(Ok(stream)) => Ok(Line::Tls(Box::new(stream))),
            Ok(Err(error)) => Err(Failure::temporary(Stage::Tls, error.to_string())),
            Err(_) => Err(Failure::temporary(Stage::Tls, "the handshake never ended")),
        }
    }

    /// Greeting, EHLO and STARTTLS (RFC 3207) in the clear; gives back the line and the greeting.
    ///
    /// Done here and not by lettre, which keeps its read buffer across the handshake: what an
    /// attacker puts behind the plain 220 would be read as a protected reply.
    async fn start_tls(&self, line: Line) -> Result<(Line, Vec<u8>), Failure> {
        let mut wire = Wire::new(line, Vec::new());
        self.ask(&mut wire, Stage::Connect, "", 220).await?;
        let greeting = wire.seen().octets();
        let hello = format!("EHLO {}\r\n", self.hello);
        let offers = Offers::read(&[self.ask(&mut wire, Stage::Hello, &hello, 250).await?]);
        if !offers.start_tls {
            return Err(Failure::temporary(Stage::Tls, "the relay does not offer STARTTLS"));
        }
        self.ask(&mut wire, Stage::Tls, "STARTTLS\r\n", 220).await?;
        Ok((wire.into_line(), greeting))
    }

    /// Says `command` and reads one reply, which must have the code `expected`.
    async fn ask(
        &self,
        wire: &mut Wire,
        stage: Stage,
        command: &str,
        expected: u16,
    ) -> Result<RawReply, Failure> {
        let seen = wire.seen();
        seen.forget();
        let conversation = async {
            wire.write_all(command.as_bytes()).await?;
            let mut octets = [0; 1024];
            while seen.reply().is_none() {
                if wire.read(&mut octets).await? == 0 {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
                }
            }
            Ok(())
        };
        let ended = timeout(self.limits.command, conversation).await;
        match seen.reply() {
            Some(reply) if reply.code == expected && !reply.more => Ok(reply),
            Some(reply) => Err(replied(stage, &reply)),
            None => Err(match ended {
                Ok(Err(error)) => Failure::temporary(stage, error.to_string()),
                Ok(Ok(())) | Err(_) => Failure::temporary(stage, "no reply in time"),
            }),
        }
    }

    /// Hands the line to lettre, which waits for the greeting and says EHLO.
    async fn hello(&self, wire: Wire, seen: &Seen) -> Result<AsyncSmtpConnection, Failure> {
        let opening = AsyncSmtpConnection::connect_with_transport(Box::new(wire), &self.hello);
        let ended = timeout(self.limits.command * 2, opening).await;
        let stage = if seen.sent() == 0 { Stage::Connect } else { Stage::Hello };
        let replies = seen.replies();
        let wanted = |(reply, code): &(&RawReply, u16)| reply.code == *code && !reply.more;
        if let Some((wrong, _)) = replies.iter().zip([220, 250]).find(|pair| !wanted(pair)) {
            return Err(replied(stage, wrong));
        }
        match ended {
            Ok(Ok(smtp)) if replies.len() == 2 => Ok(smtp),
            Ok(Ok(_)) => Err(Failure::temporary(stage, "the greeting cannot be understood")),
            Ok(Err(error)) => Err(Failure::temporary(stage, error.to_string())),
            Err(_) => Err(Failure::temporary(stage, "no reply in time")),
        }
    }

    async fn sign_in(
        &self,
        smtp: &mut AsyncSmtpConnection,
        seen: &Seen,
        sign_in: &SignIn,
    ) -> Result<(), Failure> {
        let mechanisms = sign_in.mechanisms;
        let failed = |what: &str| Failure::temporary(Stage::Auth, what);
        if smtp.server_info().get_auth_mechanism(mechanisms).is_none() {
            let names: Vec<String> = mechanisms.iter().map(ToString::to_string).collect();
            return Err(failed(&format!("the relay does not offer {}", names.join(" or "))));
        }
        let credentials = sign_in.credentials().await?;
        seen.forget();
        let ended = timeout(self.limits.command, smtp.auth(mechanisms, &credentials)).await;
        // 334 is a challenge; the first reply that is none decides (RFC 4954 6: 235).
        match seen.replies().into_iter().find(|reply| reply.code != 334) {
            Some(reply) if reply.code == 235 && !reply.more && matches!(ended, Ok(Ok(_))) => Ok(()),
            Some(reply) => Err(replied(Stage::Auth, &reply)),
            // The challenge to a token is why it was refused; nobody could answer it.
            None if mechanisms == [Mechanism::Xoauth2] && seen.reply().is_some() => {
                Err(failed("the relay refused the access token"))
            }
            None => Err(match ended {
                Ok(Err(error)) => failed(&error.to_string()),
                Ok(Ok(_)) | Err(_) => failed("no reply in time"),
            }),
        }
    }
}

/// How to sign in.
struct SignIn {
    user: String,
    password: Password,
    file: Option<PathBuf>,
    mechanisms: &'static [Mechanism],
}

impl SignIn {
    /// Name and password; from the file as it is now, where they stand in one.
    async fn credentials(&self) -> Result<Credentials, Failure> {
        let Some(file) = &self.file else {
            return Ok(Credentials::new(self.user.clone(), self.password.reveal().to_owned()));
        };
        let text = tokio::fs::read_to_string(file).await.map_err(|error| {
            Failure::temporary(Stage::Auth, format!("smtp.password_file cannot be read: {error}"))
        })?;
        let password = text.trim_end_matches(['\r', '\n']).to_owned();
        Ok(Credentials::new(self.user.clone(), password))
    }
}

fn mechanisms(auth: Auth) -> &'static [Mechanism] {
    match auth {
        Auth::Auto => &[Mechanism::Plain, Mechanism::Login],
        Auth::Plain => &[Mechanism::Plain],
        Auth::Login => &[Mechanism::Login],
        Auth::Xoauth2 => &[Mechanism::Xoauth2],
    }
}

/// The certificates of a file, in PEM, one at least.
fn own_roots(file: &Path) -> Result<RootCertStore, InvalidRelay> {
    let refused = |cause: &dyn std::fmt::Display| {
        InvalidRelay::Tls(format!("the certificates of {}: {cause}", file.display()))
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| refused(&error))? {
        let certificate = certificate.map_err(|error| refused(&error))?;
        roots.add(certificate).map_err(|error| refused(&error))?;
    }
    if roots.is_empty() { Err(refused(&"there are none")) } else { Ok(roots) }
}

fn replied(stage: Stage, reply: &RawReply) -> Failure {
    Failure::replied(stage, FailureKind::Temporary, Reply::from_raw(reply, &[]))
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
