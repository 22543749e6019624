//! Fetches what a source answers, within bounds, from public addresses only.

mod address;
mod body;
mod error;
mod head;
mod pace;

use std::error::Error;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{
    CONTENT_LOCATION, CONTENT_TYPE, ETAG, HeaderValue, LAST_MODIFIED, LOCATION, RETRY_AFTER,
};
use reqwest::{Client, Response, StatusCode, redirect};
use tokio::io::AsyncReadExt;
use url::{Host, Url};

use address::{Refused, Resolver};
use body::BodyError;
use head::{HEADER_CHARS_MAX, value};
use pace::Paces;

pub use address::{Dialling, is_public};
pub use error::{FetchError, FetchStage, RetryAfter};

use super::clean;

/// How many octets of a body are read, after it was unpacked.
pub const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How many octets of a body are read from the network, as they come.
pub const WIRE_BYTES_MAX: usize = BODY_BYTES_MAX;

/// How many seconds may pass until a connection stands.
pub const CONNECT_SECONDS_MAX: u64 = 10;

/// How many seconds may pass until the head of an answer is there, its connection included; for
/// each redirect anew.
pub const HEAD_SECONDS_MAX: u64 = 20;

/// How many seconds a body may take.
pub const BODY_SECONDS_MAX: u64 = 40;

/// How many seconds one fetch may take, redirects and body included.
pub const FETCH_SECONDS_MAX: u64 = 60;

/// How many redirects are followed.
pub const REDIRECTS_MAX: usize = 5;

/// How long a host is left alone between two fetches, in milliseconds.
pub const HOST_SPACING_MS: u64 = 1_000;

/// The bounds of one fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchLimits {
    /// See [`CONNECT_SECONDS_MAX`].
    pub connect_seconds: u64,
    /// See [`HEAD_SECONDS_MAX`].
    pub head_seconds: u64,
    /// See [`BODY_SECONDS_MAX`].
    pub body_seconds: u64,
    /// See [`FETCH_SECONDS_MAX`].
    pub total_seconds: u64,
    /// See [`REDIRECTS_MAX`].
    pub redirects: usize,
    /// See [`WIRE_BYTES_MAX`].
    pub wire_bytes: usize,
    /// See [`BODY_BYTES_MAX`].
    pub body_bytes: usize,
    /// See [`HOST_SPACING_MS`].
    pub host_spacing_ms: u64,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            connect_seconds: CONNECT_SECONDS_MAX,
            head_seconds: HEAD_SECONDS_MAX,
            body_seconds: BODY_SECONDS_MAX,
            total_seconds: FETCH_SECONDS_MAX,
            redirects: REDIRECTS_MAX,
            wire_bytes: WIRE_BYTES_MAX,
            body_bytes: BODY_BYTES_MAX,
            host_spacing_ms: HOST_SPACING_MS,
        }
    }
}

/// What to fetch, and what is known of it.
#[derive(Clone, Debug)]
pub struct FetchRequest {
    /// The source's address.
    pub url: Url,
    /// The ETag of the answer at hand (RFC 9110 13.1.2).
    pub etag: Option<String>,
    /// The Last-Modified of the answer at hand (RFC 9110 13.1.3).
    pub last_modified: Option<String>,
    /// The address that gave these two; none stands for the source's own. No other is asked with
    /// them.
    pub validated: Option<Url>,
    /// Whether addresses that are not public may be dialled, as the source's configuration says.
    pub allow_private_network: bool,
    /// Whether the address may be a `file:`: true only for what stands in the configuration file
    /// or on the command line.
    pub allow_file: bool,
}

impl FetchRequest {
    /// A first, plain request: no answer at hand, public addresses only, no files.
    pub fn new(url: Url) -> Self {
        Self {
            url,
            etag: None,
            last_modified: None,
            validated: None,
            allow_private_network: false,
            allow_file: false,
        }
    }
}

/// What came of a fetch.
#[derive(Clone, Debug)]
pub enum Fetched {
    /// The answer at hand still holds (RFC 9110 15.4.5).
    NotModified {
        /// Its ETag, where the server names one now.
        etag: Option<String>,
        /// Its Last-Modified, where the server names one now.
        last_modified: Option<String>,
        /// The address that said so.
        final_url: Url,
        /// Where the source has moved for good, if every redirect said so (301, 308).
        moved_to: Option<Url>,
        /// For how many seconds the answer is fresh, where it says so (RFC 9111 4.2).
        fresh_seconds: Option<u64>,
    },
    /// A new answer.
    Body {
        /// The body, unpacked.
        bytes: Bytes,
        /// The Content-Type.
        content_type: Option<String>,
        /// The address that answered, after redirects.
        final_url: Url,
        /// The address from which relative links count: the Content-Location where the server
        /// names one (RFC 3986 5.1.2), else the final address.
        base: Url,
        /// Where the source has moved for good, if every redirect said so (301, 308).
        moved_to: Option<Url>,
        /// The ETag, to be asked with the next time.
        etag: Option<String>,
        /// The Last-Modified, to be asked with the next time.
        last_modified: Option<String>,
        /// For how many seconds the answer is fresh, where it says so (RFC 9111 4.2).
        fresh_seconds: Option<u64>,
    },
}

/// Fetches sources. One for the process: it keeps connections, and asks each host once at a time,
/// with a pause between. Clones share both.
#[derive(Clone, Debug)]
pub struct Fetcher {
    public: Client,
    any: Client,
    limits: FetchLimits,
    dialling: Dialling,
    from: Option<HeaderValue>,
    paces: Arc<Paces>,
}

impl Fetcher {
    /// A fetcher that names itself, with its bounds.
    ///
    /// # Errors
    /// [`FetchError::Client`] if TLS cannot be set up or the name is no header's value.
    pub fn new(user_agent: &str, limits: FetchLimits) -> Result<Self, FetchError> {
        Self::dialling(user_agent, limits, Dialling::default())
    }

    /// The same, where names are resolved otherwise than by the system.
    ///
    /// # Errors
    /// As [`Fetcher::new`].
    pub fn dialling(
        user_agent: &str,
        limits: FetchLimits,
        dialling: Dialling,
    ) -> Result<Self, FetchError> {
        // Another part of the process may have chosen the same one before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = |public_only| {
            Client::builder()
                .user_agent(user_agent)
                .connect_timeout(Duration::from_secs(limits.connect_seconds))
                .timeout(Duration::from_secs(limits.total_seconds))
                // Redirects are followed here, where each is checked; a proxy would dial
                // addresses that nobody checked.
                .redirect(redirect::Policy::none())
                .no_proxy()
                .referer(false)
                .pool_max_idle_per_host(1)
                .dns_resolver(Resolver { dialling: dialling.clone(), public_only })
        };
        let made = |client: reqwest::Result<Client>| {
            client.map_err(|error| FetchError::Client(causes(&error)))
        };
        let (public, any) = (made(builder(true).build())?, made(builder(false).build())?);
        let paces = Arc::new(Paces::new(Duration::from_millis(limits.host_spacing_ms)));
        Ok(Self { public, any, limits, dialling, from: None, paces })
    }

    /// Says in every request whom a publisher can write to (RFC 9110 10.1.2); what is no header's
    /// value is left out.
    #[must_use]
    pub fn from_address(mut self, address: &str) -> Self {
        self.from = HeaderValue::from_str(address).ok();
        self
    }

    /// Fetches one source, following redirects. Waits first until the source's host may be asked;
    /// hosts that it redirects to are not waited for.
    ///
    /// # Errors
    /// See [`FetchError`]. A status other than 200 to 299 and 304 is one.
    pub async fn fetch(&self, request: &FetchRequest) -> Result<Fetched, FetchError> {
        if request.url.scheme() == "file" && request.allow_file {
            return self.file(&request.url).await;
        }
        let _turn = match request.url.host_str() {
            Some(host) => Some(self.paces.turn(host).await),
            None => None,
        };
        let follow = self.follow(request);
        self.within(self.limits.total_seconds, FetchStage::Whole, &request.url, follow).await?
    }

    /// Gives a stage its time.
    async fn within<T>(
        &self,
        seconds: u64,
        stage: FetchStage,
        url: &Url,
        work: impl Future<Output = T>,
    ) -> Result<T, FetchError> {
        let done = tokio::time::timeout(Duration::from_secs(seconds), work).await;
        done.map_err(|_| FetchError::Timeout { host: host(url), stage, seconds })
    }

    async fn follow(&self, request: &FetchRequest) -> Result<Fetched, FetchError> {
        let mut url = request.url.clone();
        let mut moved = true;
        for hop in 0..=self.limits.redirects {
            self.check(&url, request.allow_private_network)?;
            let client = if request.allow_private_network { &self.any } else { &self.public };
            let headers = head::asked(request, &url, self.from.as_ref());
            let sent = client.get(url.clone()).headers(headers).send();
            let sent = self.within(self.limits.head_seconds, FetchStage::Head, &url, sent).await?;
            let response = sent.map_err(|error| self.failed(&url, &error))?;
            let status = response.status();
            if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
                let moved_to = (hop > 0 && moved).then(|| url.clone());
                return self.answer(response, url, moved_to).await;
            }
            moved &= matches!(status.as_u16(), 301 | 308);
            let location = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            let next = location.and_then(|to| url.join(to).ok());
            url = next.ok_or_else(|| FetchError::BadRedirect { host: host(&url) })?;
        }
        Err(FetchError::TooManyRedirects { host: host(&url), limit: self.limits.redirects })
    }

    /// Refuses what must not be dialled before anything is: other schemes, and addresses written as
    /// such, which no resolver sees.
    fn check(&self, url: &Url, allow_private_network: bool) -> Result<(), FetchError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(FetchError::UnsupportedScheme { scheme: url.scheme().to_owned() });
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            _ => return Ok(()),
        };
        if allow_private_network || self.dialling.is_public(address) {
            return Ok(());
        }
        Err(FetchError::RefusedAddress { host: host(url), address })
    }

    async fn answer(
        &self,
        response: Response,
        final_url: Url,
        moved_to: Option<Url>,
    ) -> Result<Fetched, FetchError> {
        let headers = response.headers();
        let (etag, last_modified) = (value(headers, ETAG), value(headers, LAST_MODIFIED));
        let fresh_seconds = head::fresh_seconds(headers);
        let status = response.status();
        if status == StatusCode::NOT_MODIFIED {
            return Ok(Fetched::NotModified {
                etag,
                last_modified,
                final_url,
                moved_to,
                fresh_seconds,
            });
        }
        if !status.is_success() {
            let retry_after = value(headers, RETRY_AFTER);
            let retry_after = retry_after.and_then(|value| head::retry_after(&value));
            let (host, code) = (host(&final_url), status.as_u16());
            return Err(FetchError::Status { host, code, retry_after });
        }
        let content_type = value(headers, CONTENT_TYPE);
        let base = value(headers, CONTENT_LOCATION)
            .and_then(|location| clean::absolute(&final_url, &location))
            .unwrap_or_else(|| final_url.clone());
        let FetchLimits { body_seconds, wire_bytes, body_bytes, .. } = self.limits;
        let reading = body::read_body(response, wire_bytes, body_bytes);
        let read = self.within(body_seconds, FetchStage::Body, &final_url, reading).await?;
        let bytes = read.map_err(|error| match error {
            BodyError::TooLarge(limit_bytes) => {
                FetchError::TooLarge { host: host(&final_url), limit_bytes }
            }
            BodyError::Network(error) => self.failed(&final_url, &error),
            BodyError::Packing(cause) => FetchError::Network { host: host(&final_url), cause },
        })?;
        Ok(Fetched::Body {
            bytes,
            content_type,
            final_url,
            base,
            moved_to,
            etag,
            last_modified,
            fresh_seconds,
        })
    }

    async fn file(&self, url: &Url) -> Result<Fetched, FetchError> {
        let path = url.to_file_path().map_err(|()| FetchError::File {
            path: clean::line(url.path(), HEADER_CHARS_MAX),
            cause: "no path of this machine".to_owned(),
        })?;
        let bytes = self.contents(&path).await.map_err(|error| FetchError::File {
            path: path.display().to_string(),
            cause: error.to_string(),
        })?;
        if bytes.len() > self.limits.body_bytes {
            let host = path.display().to_string();
            return Err(FetchError::TooLarge { host, limit_bytes: self.limits.body_bytes });
        }
        Ok(Fetched::Body {
            bytes: bytes.into(),
            content_type: None,
            final_url: url.clone(),
            base: url.clone(),
            moved_to: None,
            etag: None,
            last_modified: None,
            fresh_seconds: None,
        })
    }

    async fn contents(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        // Opening a pipe or a device could wait for ever.
        if !tokio::fs::metadata(path).await?.is_file() {
            return Err(std::io::Error::other("not a regular file"));
        }
        let mut bytes = Vec::new();
        let limit = self.limits.body_bytes as u64 + 1;
        tokio::fs::File::open(path).await?.take(limit).read_to_end(&mut bytes).await?;
        Ok(bytes)
    }

    fn failed(&self, url: &Url, error: &reqwest::Error) -> FetchError {
        let mut source = error.source();
        while let Some(cause) = source {
            if let Some(Refused { host, address }) = cause.downcast_ref() {
                return FetchError::RefusedAddress { host: host.clone(), address: *address };
            }
            source = cause.source();
        }
        if error.is_timeout() {
            let FetchLimits { connect_seconds, total_seconds, .. } = self.limits;
            let (stage, seconds) = if error.is_connect() {
                (FetchStage::Connection, connect_seconds.min(total_seconds))
            } else {
                (FetchStage::Whole, total_seconds)
            };
            return FetchError::Timeout { host: host(url), stage, seconds };
        }
        FetchError::Network { host: host(url), cause: causes(error) }
    }
}

fn host(url: &Url) -> String {
    url.host_str().unwrap_or(url.scheme()).to_owned()
}

/// An error with all that caused it, without the address, which may carry credentials.
fn causes(error: &reqwest::Error) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !said.last().is_some_and(|last| last.contains(&text)) {
            said.push(text);
        }
        source = cause.source();
    }
    if said.is_empty() {
        said.push("the answer is broken".to_owned());
    }
    clean::line(&said.join(": "), HEADER_CHARS_MAX)
}
