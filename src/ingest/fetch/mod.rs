//! Fetches what a source answers, within bounds, from public addresses only.

mod address;
mod error;

use std::error::Error;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{
    ACCEPT, CONTENT_LOCATION, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION, RETRY_AFTER,
};
use reqwest::{Client, Response, StatusCode, redirect};
use tokio::io::AsyncReadExt;
use url::{Host, Url};

use address::{PublicOnly, Refused};

pub use address::is_public;
pub use error::{FetchError, RetryAfter};

use super::clean;

/// How many octets of a body are read, after it was unpacked.
pub const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How many seconds may pass until a connection stands.
pub const CONNECT_SECONDS_MAX: u64 = 10;

/// How many seconds one fetch may take, redirects and body included.
pub const FETCH_SECONDS_MAX: u64 = 60;

/// How many redirects are followed.
pub const REDIRECTS_MAX: usize = 5;

/// How many characters of a header's value are kept.
const HEADER_CHARS_MAX: usize = 1_024;

/// What is asked for: feeds before pages.
const ACCEPTED: &str = "application/atom+xml, application/rss+xml, application/feed+json, \
                        application/xml;q=0.9, text/html;q=0.8, */*;q=0.5";

/// The bounds of one fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchLimits {
    /// See [`CONNECT_SECONDS_MAX`].
    pub connect_seconds: u64,
    /// See [`FETCH_SECONDS_MAX`].
    pub total_seconds: u64,
    /// See [`REDIRECTS_MAX`].
    pub redirects: usize,
    /// See [`BODY_BYTES_MAX`].
    pub body_bytes: usize,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            connect_seconds: CONNECT_SECONDS_MAX,
            total_seconds: FETCH_SECONDS_MAX,
            redirects: REDIRECTS_MAX,
            body_bytes: BODY_BYTES_MAX,
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
            allow_private_network: false,
            allow_file: false,
        }
    }
}

/// What came of a fetch.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "one lives for a moment in each poll")]
pub enum Fetched {
    /// The answer at hand still holds (RFC 9110 15.4.5).
    NotModified {
        /// Its ETag, where the server names one now.
        etag: Option<String>,
        /// Its Last-Modified, where the server names one now.
        last_modified: Option<String>,
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
    },
}

/// Fetches sources. One for the process: it keeps connections.
#[derive(Clone, Debug)]
pub struct Fetcher {
    public: Client,
    any: Client,
    limits: FetchLimits,
}

impl Fetcher {
    /// A fetcher that names itself, with its bounds.
    ///
    /// # Errors
    /// [`FetchError::Client`] if TLS cannot be set up or the name is no header's value.
    pub fn new(user_agent: &str, limits: FetchLimits) -> Result<Self, FetchError> {
        // Another part of the process may have chosen the same one before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
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
        };
        let made = |client: reqwest::Result<Client>| {
            client.map_err(|error| FetchError::Client(causes(&error)))
        };
        let public = made(builder().dns_resolver(PublicOnly).build())?;
        let any = made(builder().build())?;
        Ok(Self { public, any, limits })
    }

    /// Fetches one source, following redirects.
    ///
    /// # Errors
    /// See [`FetchError`]. A status other than 200 to 299 and 304 is one.
    pub async fn fetch(&self, request: &FetchRequest) -> Result<Fetched, FetchError> {
        if request.url.scheme() == "file" && request.allow_file {
            return self.file(&request.url).await;
        }
        let limit = Duration::from_secs(self.limits.total_seconds);
        match tokio::time::timeout(limit, self.follow(request)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(self.timeout(&request.url)),
        }
    }

    async fn follow(&self, request: &FetchRequest) -> Result<Fetched, FetchError> {
        let mut url = request.url.clone();
        let mut moved = true;
        for hop in 0..=self.limits.redirects {
            check(&url, request.allow_private_network)?;
            let client = if request.allow_private_network { &self.any } else { &self.public };
            let sent = client.get(url.clone()).headers(headers(request)).send().await;
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

    async fn answer(
        &self,
        mut response: Response,
        final_url: Url,
        moved_to: Option<Url>,
    ) -> Result<Fetched, FetchError> {
        let headers = response.headers();
        let (etag, last_modified) = (value(headers, ETAG), value(headers, LAST_MODIFIED));
        let status = response.status();
        if status == StatusCode::NOT_MODIFIED {
            return Ok(Fetched::NotModified { etag, last_modified });
        }
        if !status.is_success() {
            let retry_after = value(headers, RETRY_AFTER).and_then(|value| retry_after(&value));
            let (host, code) = (host(&final_url), status.as_u16());
            return Err(FetchError::Status { host, code, retry_after });
        }
        let content_type = value(headers, CONTENT_TYPE);
        let base = value(headers, CONTENT_LOCATION)
            .and_then(|location| clean::absolute(&final_url, &location))
            .unwrap_or_else(|| final_url.clone());
        let limit = self.limits.body_bytes;
        let too_large = || FetchError::TooLarge { host: host(&final_url), limit_bytes: limit };
        if response.content_length().is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        let mut bytes = BytesMut::new();
        // What counts is the unpacked length: a small answer can unpack to an endless one.
        while let Some(chunk) =
            response.chunk().await.map_err(|error| self.failed(&final_url, &error))?
        {
            if bytes.len() + chunk.len() > limit {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        let bytes = bytes.freeze();
        Ok(Fetched::Body { bytes, content_type, final_url, base, moved_to, etag, last_modified })
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
        if error.is_timeout() && error.is_connect() {
            let seconds = self.limits.connect_seconds.min(self.limits.total_seconds);
            return FetchError::Timeout { host: host(url), seconds };
        }
        if error.is_timeout() {
            return self.timeout(url);
        }
        FetchError::Network { host: host(url), cause: causes(error) }
    }

    fn timeout(&self, url: &Url) -> FetchError {
        FetchError::Timeout { host: host(url), seconds: self.limits.total_seconds }
    }
}

/// Refuses what must not be dialled before anything is: other schemes, and addresses written as
/// such, which no resolver sees.
fn check(url: &Url, allow_private_network: bool) -> Result<(), FetchError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(FetchError::UnsupportedScheme { scheme: url.scheme().to_owned() });
    }
    let address = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
        _ => return Ok(()),
    };
    if allow_private_network || is_public(address) {
        return Ok(());
    }
    Err(FetchError::RefusedAddress { host: host(url), address })
}

fn headers(request: &FetchRequest) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
    let known = [(IF_NONE_MATCH, &request.etag), (IF_MODIFIED_SINCE, &request.last_modified)];
    for (name, value) in known {
        // A stored value that is no header's any more asks for the whole answer again.
        if let Some(value) = value.as_deref().and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    }
    headers
}

fn value(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    // A validator that is cut would never match: too long a value is none.
    (!value.is_empty() && value.len() <= HEADER_CHARS_MAX).then(|| value.to_owned())
}

fn retry_after(value: &str) -> Option<RetryAfter> {
    if let Ok(seconds) = value.parse() {
        return Some(RetryAfter::Seconds(seconds));
    }
    let at = chrono::DateTime::parse_from_rfc2822(value).ok()?;
    Some(RetryAfter::At(at.to_utc()))
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
