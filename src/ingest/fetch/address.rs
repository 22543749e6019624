//! Which addresses of the network a source may be fetched from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

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

/// Resolves names by the system, and gives only public addresses: what is checked is what is
/// dialled, so that a name which answers differently the second time gains nothing.
pub(super) struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let (public, other): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|address| is_public(address.ip()));
            match other.first() {
                Some(address) if public.is_empty() => {
                    Err(Refused { host, address: address.ip() }.into())
                }
                _ => Ok(Box::new(public.into_iter()) as Addrs),
            }
        })
    }
}
