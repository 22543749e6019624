//! Who looks at a page, as far as that matters: from which network, and in which language.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};

use super::Web;
use super::form::Fields;
use crate::audience::Origin;
use crate::config::Network;
use crate::model::Language;

/// The bits of an address (IPv4, IPv6) by which a network is counted: a household, a school, a
/// street behind one address.
const NETWORK_BITS: (u8, u8) = (24, 56);
/// The bits by which a region of networks is counted: what one customer may have as a whole.
const REGION_BITS: (u8, u8) = (16, 48);
/// The bits that the trace keeps, for good: a provider, and no household.
const TRACED_BITS: (u8, u8) = (16, 32);
/// The most addresses of `X-Forwarded-For` that are looked at, from the last.
const FORWARDED_MAX: usize = 20;
/// The most languages of `Accept-Language` that are looked at.
const LANGUAGES_MAX: usize = 20;
/// What stands for a network where nobody says from where a request comes.
const UNKNOWN: &str = "unknown";

/// A visitor of a page.
#[derive(Clone, Debug)]
pub(super) struct Visitor {
    /// Their network, masked; it is counted under a keyed hash, and forgotten after two days.
    network: String,
    /// The region of it, counted likewise.
    region: String,
    /// Their provider's network; nothing more of their address is ever written down.
    pub traced: String,
    /// The language that the page's address names.
    pub asked: Option<Language>,
    /// The language that their browser names.
    pub accepted: Option<Language>,
}

impl Visitor {
    /// Where they come from, as limits count it.
    pub fn origin(&self) -> Origin<'_> {
        Origin { network: &self.network, region: &self.region }
    }

    /// The language of a page: the one its address names, or else what is fitting, or else what the
    /// browser names, or else the site's.
    pub fn language(&self, fitting: Option<Language>, site: Language) -> Language {
        self.asked.or(fitting).or(self.accepted).unwrap_or(site)
    }
}

impl FromRequestParts<Web> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
        let trusted = &web.installation.config.trusted_proxies;
        let address = peer.map(|peer| origin(peer, trusted, &parts.headers));
        let masked = |bits: (u8, u8)| match address {
            Some(address) => Network::of(address, bits.0, bits.1).to_string(),
            None => UNKNOWN.to_owned(),
        };
        let (network, region) = (masked(NETWORK_BITS), masked(REGION_BITS));
        let query = Fields::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let asked = query.one("lang").parse().ok();
        let traced = masked(TRACED_BITS);
        Ok(Self { network, region, traced, asked, accepted: accepted(&parts.headers) })
    }
}

/// Where a request comes from: the peer, or, where that is a trusted proxy, the last address of
/// `X-Forwarded-For` that is none. Everything before it can be made up by whoever sends it.
fn origin(peer: IpAddr, trusted: &[Network], headers: &HeaderMap) -> IpAddr {
    let is_trusted = |address| trusted.iter().any(|network| network.contains(address));
    let mut origin = peer;
    let named = headers.get_all(HeaderName::from_static("x-forwarded-for")).iter().rev();
    let named = named.flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
    for text in named.take(FORWARDED_MAX) {
        if !is_trusted(origin) {
            break;
        }
        match read_address(text.trim()) {
            Some(address) => origin = address,
            None => break,
        }
    }
    origin
}

/// An address, with or without a port.
fn read_address(text: &str) -> Option<IpAddr> {
    let address = text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|at| at.ip()));
    address.or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
}

/// The language of `Accept-Language` (RFC 9110 12.5.4) that is liked best and that there is.
fn accepted(headers: &HeaderMap) -> Option<Language> {
    let text = headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
    let mut best: Option<(f32, Language)> = None;
    for range in text.split(',').take(LANGUAGES_MAX) {
        let (tag, quality) = range.split_once(';').unwrap_or((range, "q=1"));
        let primary = tag.trim().split('-').next().unwrap_or_default().to_ascii_lowercase();
        let Ok(language) = primary.parse::<Language>() else { continue };
        let quality = quality.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok());
        let quality = quality.filter(|q| *q > 0.0);
        if quality.is_some_and(|quality| best.is_none_or(|(most, _)| quality > most)) {
            best = quality.map(|quality| (quality, language));
        }
    }
    best.map(|(_, language)| language)
}
