//! Headers: what is asked with, and what an answer says besides its body.

use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AGE, CACHE_CONTROL, FROM, HeaderMap, HeaderName, HeaderValue,
    IF_MODIFIED_SINCE, IF_NONE_MATCH,
};
use url::Url;

use super::body::ACCEPTED_ENCODINGS;
use super::{FetchRequest, RetryAfter};

/// How many characters of a header's value are kept.
pub(super) const HEADER_CHARS_MAX: usize = 1_024;

/// What is asked for: feeds before pages.
const ACCEPTED: &str = "application/atom+xml, application/rss+xml, application/feed+json, \
                        application/xml;q=0.9, text/html;q=0.8, */*;q=0.5";

/// The headers to ask an address with. Validators go to the address alone that gave them: another
/// one of the same chain may know the same tag for something else.
pub(super) fn asked(request: &FetchRequest, url: &Url, from: Option<&HeaderValue>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED_ENCODINGS));
    if let Some(from) = from {
        headers.insert(FROM, from.clone());
    }
    if request.validated.as_ref().unwrap_or(&request.url) != url {
        return headers;
    }
    let known = [(IF_NONE_MATCH, &request.etag), (IF_MODIFIED_SINCE, &request.last_modified)];
    for (name, value) in known {
        // A stored value that is no header's any more asks for the whole answer again.
        if let Some(value) = value.as_deref().and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    }
    headers
}

pub(super) fn value(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    // A validator that is cut would never match: too long a value is none.
    (!value.is_empty() && value.len() <= HEADER_CHARS_MAX).then(|| value.to_owned())
}

pub(super) fn retry_after(value: &str) -> Option<RetryAfter> {
    if let Ok(seconds) = value.parse() {
        return Some(RetryAfter::Seconds(seconds));
    }
    let at = chrono::DateTime::parse_from_rfc2822(value).ok()?;
    Some(RetryAfter::At(at.to_utc()))
}

/// For how many seconds an answer is fresh (RFC 9111 4.2): its max-age without the age that it had
/// on arrival. None where it must not be kept, or says nothing.
pub(super) fn fresh_seconds(headers: &HeaderMap) -> Option<u64> {
    let mut max_age = None;
    for line in headers.get_all(CACHE_CONTROL) {
        for directive in line.to_str().ok()?.split(',') {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "no-store" | "no-cache" => return None,
                // The first of several counts (RFC 9111 4.2.1).
                "max-age" if max_age.is_none() => {
                    max_age = value.trim().trim_matches('"').parse().ok();
                }
                _ => {}
            }
        }
    }
    let age = value(headers, AGE).and_then(|age| age.parse().ok()).unwrap_or(0);
    max_age.map(|seconds: u64| seconds.saturating_sub(age)).filter(|seconds| *seconds > 0)
}
