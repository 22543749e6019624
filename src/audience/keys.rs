//! What is keyed with the installation's secret: hashes of addresses, and tokens in links.

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::EmailAddress;
use crate::config::Secret;

/// Octets of a token's MAC: 128 bits, so that guessing is hopeless at any rate.
const TOKEN_MAC_OCTETS: usize = 16;
/// Octets of an id in a token.
const ID_OCTETS: usize = 8;

/// Makes and checks what is keyed with the secret. Each purpose has a key of its own.
#[derive(Clone, Debug)]
pub struct Keys {
    secret: Secret,
}

impl Keys {
    /// The keys of an installation.
    pub fn new(secret: Secret) -> Self {
        Self { secret }
    }

    fn mac(&self, purpose: &str, data: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.octets())
            .expect("HMAC takes keys of every length");
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(data);
        mac.finalize().into_bytes().into()
    }

    /// The keyed hash under which an address is known where it must not stand itself.
    pub fn address_hash(&self, address: &EmailAddress) -> String {
        HEXLOWER.encode(&self.mac("address", address.canonical().as_bytes()))
    }

    /// What tells whether a database was made with this secret.
    pub fn check(&self) -> String {
        HEXLOWER.encode(&self.mac("check", b"")[..8])
    }

    /// The token that ends a subscription. It never expires, and stands in a path: small letters
    /// and digits alone.
    pub fn unsubscribe_token(&self, subscription: i64) -> String {
        let id = subscription.to_be_bytes();
        let mac = self.mac("unsubscribe", &id);
        let octets = [&id[..], &mac[..TOKEN_MAC_OCTETS]].concat();
        BASE32_NOPAD.encode(&octets).to_ascii_lowercase()
    }

    /// The subscription that a token ends; none for a token that was not made here.
    pub fn read_unsubscribe_token(&self, token: &str) -> Option<i64> {
        let octets = BASE32_NOPAD.decode(token.to_ascii_uppercase().as_bytes()).ok()?;
        let (id, _) = octets.split_first_chunk::<ID_OCTETS>()?;
        let subscription = i64::from_be_bytes(*id);
        // Compared as a whole and in constant time by the MAC of both.
        let expected = self.mac("compare", self.unsubscribe_token(subscription).as_bytes());
        let given = self.mac("compare", token.to_ascii_lowercase().as_bytes());
        (expected == given).then_some(subscription)
    }

    /// The left part of the Message-ID of a message: a function of edition and subscriber that
    /// tells outsiders nothing.
    pub fn message_id(&self, edition: i64, subscriber: i64) -> String {
        let data = [edition.to_be_bytes(), subscriber.to_be_bytes()].concat();
        BASE32_NOPAD.encode(&self.mac("message-id", &data)[..15]).to_ascii_lowercase()
    }
}
