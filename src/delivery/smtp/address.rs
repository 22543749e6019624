//! Envelope addresses as the wire wants them.

use lettre::Address;
use url::Host;

/// An address that cannot be said to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidAddress {
    #[error("no address: no local part or no domain")]
    Parts,
    #[error("no address: its domain is none")]
    Domain,
    #[error("no address: its local part is none")]
    LocalPart,
}

/// Reads an address and turns its domain into A-labels (RFC 5891 4.4), so that a server needs
/// SMTPUTF8 (RFC 6531 3.2) only for a local part outside ASCII.
pub(super) fn wire_address(text: &str) -> Result<Address, InvalidAddress> {
    let (user, domain) = text.rsplit_once('@').ok_or(InvalidAddress::Parts)?;
    let domain = if domain.starts_with('[') { domain.to_owned() } else { a_labels(domain)? };
    // Quoted pairs and control characters: lettre lets some through, and none is worth the risk of
    // a second command in the first one.
    if user.chars().any(char::is_control) {
        return Err(InvalidAddress::LocalPart);
    }
    Address::new(user, &domain).map_err(|error| match error {
        lettre::address::AddressError::InvalidDomain => InvalidAddress::Domain,
        _ => InvalidAddress::LocalPart,
    })
}

/// A domain name in A-labels.
pub(super) fn a_labels(domain: &str) -> Result<String, InvalidAddress> {
    // `Host` reads URLs: it would decode `%`, and take `1.2.3.4` for an address.
    if domain.contains('%') {
        return Err(InvalidAddress::Domain);
    }
    match Host::parse(domain) {
        Ok(Host::Domain(name)) if !name.is_empty() => Ok(name),
        _ => Err(InvalidAddress::Domain),
    }
}
