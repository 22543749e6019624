//! What is keyed with the installation's secret: hashes of addresses, and tokens in links.

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::EmailAddress;
use crate::config::Secret;
use crate::model::Timestamp;

/// Octets of a token's MAC: 128 bits, so that guessing is hopeless at any rate.
const TOKEN_MAC_OCTETS: usize = 16;
/// Octets of the MAC in an address for bounces: 80 bits, so that the local part stays short.
const BOUNCE_MAC_OCTETS: usize = 10;
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

    /// A token: what it names, and a MAC that binds it to its purpose. It stands in a path: small
    /// letters and digits alone.
    fn token(&self, purpose: &str, named: &[u8]) -> String {
        let mac = self.mac(purpose, named);
        let octets = [named, &mac[..TOKEN_MAC_OCTETS]].concat();
        BASE32_NOPAD.encode(&octets).to_ascii_lowercase()
    }

    /// What a token names; none for one that was not made here for this purpose.
    fn read_token<const N: usize>(&self, purpose: &str, token: &str) -> Option<[u8; N]> {
        let octets = BASE32_NOPAD.decode(token.to_ascii_uppercase().as_bytes()).ok()?;
        let (named, _) = octets.split_first_chunk::<N>()?;
        // Compared as a whole and in constant time by the MAC of both.
        let expected = self.mac("compare", self.token(purpose, named).as_bytes());
        let given = self.mac("compare", token.to_ascii_lowercase().as_bytes());
        (expected == given).then_some(*named)
    }

    /// The token that ends a subscription. It never expires.
    pub fn unsubscribe_token(&self, subscription: i64) -> String {
        self.token("unsubscribe", &subscription.to_be_bytes())
    }

    /// The subscription that a token ends.
    pub fn read_unsubscribe_token(&self, token: &str) -> Option<i64> {
        self.read_token("unsubscribe", token).map(i64::from_be_bytes)
    }

    /// The token that confirms what somebody asked for; it expires with its sign-up.
    pub fn confirmation_token(&self, sign_up: i64) -> String {
        self.token("confirmation", &sign_up.to_be_bytes())
    }

    /// The sign-up that a token confirms.
    pub fn read_confirmation_token(&self, token: &str) -> Option<i64> {
        self.read_token("confirmation", token).map(i64::from_be_bytes)
    }

    /// The token that opens a subscriber's preferences until it expires.
    pub fn preferences_token(&self, subscriber: i64, expires: Timestamp) -> String {
        self.token("preferences", &two(subscriber, expires.0))
    }

    /// The subscriber whose preferences a token opens, and until when.
    pub fn read_preferences_token(&self, token: &str) -> Option<(i64, Timestamp)> {
        let named: [u8; 2 * ID_OCTETS] = self.read_token("preferences", token)?;
        let (id, expires) = named.split_first_chunk::<ID_OCTETS>()?;
        let expires = expires.first_chunk::<ID_OCTETS>()?;
        Some((i64::from_be_bytes(*id), Timestamp(i64::from_be_bytes(*expires))))
    }

    /// The address that bounces of a message go to (VERP): `bounces+TAG@example.it`. The tag is
    /// small letters and digits, since some servers change the case, and tells outsiders nothing
    /// that they could use.
    pub fn bounce_address(&self, bounces: &EmailAddress, message: i64) -> String {
        let (local, domain) = (bounces.local_part(), bounces.domain());
        format!("{local}+{}@{domain}", self.bounce_tag(message))
    }

    fn bounce_tag(&self, message: i64) -> String {
        let named = message.to_be_bytes();
        let octets = [&named[..], &self.mac("bounce", &named)[..BOUNCE_MAC_OCTETS]].concat();
        BASE32_NOPAD.encode(&octets).to_ascii_lowercase()
    }

    /// The message that an address names to which a bounce came; none for one that was not made
    /// here.
    pub fn read_bounce_address(&self, bounces: &EmailAddress, address: &str) -> Option<i64> {
        let (local, domain) = address.rsplit_once('@')?;
        let (ours, tag) = local.rsplit_once('+')?;
        let same = ours.eq_ignore_ascii_case(bounces.local_part())
            && domain.eq_ignore_ascii_case(bounces.domain());
        let octets = BASE32_NOPAD.decode(tag.to_ascii_uppercase().as_bytes()).ok()?;
        let message = i64::from_be_bytes(*octets.first_chunk::<ID_OCTETS>()?);
        let expected = self.mac("compare", self.bounce_tag(message).as_bytes());
        let given = self.mac("compare", tag.to_ascii_lowercase().as_bytes());
        (same && expected == given).then_some(message)
    }

    /// What a form carries so that it is known when it was given out.
    pub fn form_token(&self, form: &str, now: Timestamp) -> String {
        self.token(&format!("form {form}"), &now.0.to_be_bytes())
    }

    /// When a form was given out.
    pub fn read_form_token(&self, form: &str, token: &str) -> Option<Timestamp> {
        let at = self.read_token(&format!("form {form}"), token)?;
        Some(Timestamp(i64::from_be_bytes(at)))
    }

    /// The keyed hash under which what has a limit is counted.
    pub fn limit_key(&self, scope: &str, value: &str) -> String {
        HEXLOWER.encode(&self.mac(&format!("limit {scope}"), value.as_bytes())[..16])
    }

    /// The left part of the Message-ID of a notice.
    pub fn notice_message_id(&self, notice: i64) -> String {
        let mac = self.mac("notice message-id", &notice.to_be_bytes());
        BASE32_NOPAD.encode(&mac[..15]).to_ascii_lowercase()
    }

    /// The left part of the Message-ID of a message: a function of edition and subscriber that
    /// tells outsiders nothing.
    pub fn message_id(&self, edition: i64, subscriber: i64) -> String {
        let data = [edition.to_be_bytes(), subscriber.to_be_bytes()].concat();
        BASE32_NOPAD.encode(&self.mac("message-id", &data)[..15]).to_ascii_lowercase()
    }
}

fn two(first: i64, second: i64) -> [u8; 2 * ID_OCTETS] {
    let mut octets = [0; 2 * ID_OCTETS];
    octets[..ID_OCTETS].copy_from_slice(&first.to_be_bytes());
    octets[ID_OCTETS..].copy_from_slice(&second.to_be_bytes());
    octets
}
