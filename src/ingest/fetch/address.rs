//! Which addresses of the network a source may be fetched from.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// A name or address that leads to no public host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{host} leads to {address}, which is no public address")]
pub(super) struct Refused {
    pub host: String,
    pub address: IpAddr,
}

/// Whether an address is one of the public network (IANA's registries of special-purpose
/// addresses, RFC 6890): not this host, a private or shared network, a link, a document or a
/// group.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !matches!(
        address.octets(),
        // This network, loopback, and from 224 on groups and what is reserved.
        [0 | 10 | 127 | 224.., ..]
            | [100, 64..=127, ..]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 168, ..]
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    let [a, b, c, d, e, f, high, low] = address.segments();
    if [a, b, c, d, e, f] == [0x64, 0xff9b, 0, 0, 0, 0] {
        // A translated IPv4 address (RFC 6052 2.1) is as public as that one.
        let embedded = (u32::from(high) << 16) | u32::from(low);
        return is_public_v4(Ipv4Addr::from_bits(embedded));
    }
    // Global unicast is 2000::/3 alone (RFC 4291 2.4); in it stand the protocols' own 2001::/23,
    // 6to4 with an IPv4 address inside, and addresses for documents.
    let global = a & 0xe000 == 0x2000;
    let special = matches!((a, b), (0x2001, 0..=0x1ff | 0xdb8) | (0x2002, _) | (0x3fff, 0..=0xfff));
    global && !special
}

/// The addresses of a name, when they are known.
type Addresses = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// How names become addresses, and which of these are public: the system's resolver and
/// [`is_public`], unless a test says otherwise.
#[derive(Clone)]
pub struct Dialling {
    lookup: Arc<dyn Fn(String) -> Addresses + Send + Sync>,
    public: fn(IpAddr) -> bool,
}

impl Default for Dialling {
    fn default() -> Self {
        let lookup = |host: String| -> Addresses {
            Box::pin(async move {
                let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
                Ok(found.map(|address| address.ip()).collect())
            })
        };
        Self { lookup: Arc::new(lookup), public: is_public }
    }
}

impl Dialling {
    /// Another resolver and another idea of what is public, for tests that stay on loopback.
    #[doc(hidden)]
    pub fn by(
        lookup: impl Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static,
        public: fn(IpAddr) -> bool,
    ) -> Self {
        let lookup =
            move |host: String| -> Addresses { Box::pin(std::future::ready(Ok(lookup(&host)))) };
        Self { lookup: Arc::new(lookup), public }
    }

    pub(super) fn is_public(&self, address: IpAddr) -> bool {
        (self.public)(address)
    }
}

impl fmt::Debug for Dialling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dialling")
    }
}

/// Resolves names and, where it shall, gives only public addresses: what is checked is what is
/// dialled, so that a name which answers differently the second time gains nothing.
pub(super) struct Resolver {
    pub dialling: Dialling,
    pub public_only: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let (dialling, public_only) = (self.dialling.clone(), self.public_only);
        Box::pin(async move {
            let found = (dialling.lookup)(host.clone()).await?;
            let (public, other): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|address| !public_only || dialling.is_public(*address));
            match other.first() {
                Some(address) if public.is_empty() => {
                    Err(Refused { host, address: *address }.into())
                }
                // The client puts the port of the address in the place of 0.
                _ => Ok(Box::new(public.into_iter().map(|ip| SocketAddr::new(ip, 0))) as Addrs),
            }
        })
    }
}
