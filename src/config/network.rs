//! Networks as settings name them: an address, or a prefix of addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network: all addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// The machine itself: what is trusted where nothing else is named.
    pub fn loopback() -> Vec<Self> {
        vec![
            Self { address: Ipv4Addr::LOCALHOST.into(), bits: 8 }.masked(),
            Self { address: Ipv6Addr::LOCALHOST.into(), bits: 128 },
        ]
    }

    /// The network of `bits` bits that an address is in; an IPv4 address in IPv6 clothes (RFC 4291
    /// 2.5.5.2) is one of IPv4.
    pub fn of(address: IpAddr, bits_v4: u8, bits_v6: u8) -> Self {
        let address = address.to_canonical();
        let bits = if address.is_ipv4() { bits_v4.min(32) } else { bits_v6.min(128) };
        Self { address, bits }.masked()
    }

    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4()
            && Self { address, bits: self.bits }.masked() == *self
    }

    fn masked(self) -> Self {
        let address = match self.address {
            IpAddr::V4(address) => {
                let keep = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                Ipv4Addr::from_bits(address.to_bits() & keep).into()
            }
            IpAddr::V6(address) => {
                let keep = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                Ipv6Addr::from_bits(address.to_bits() & keep).into()
            }
        };
        Self { address, ..self }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no address and no prefix of addresses");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits > most {
            return Err(wrong());
        }
        Ok(Self { address, bits }.masked())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}
