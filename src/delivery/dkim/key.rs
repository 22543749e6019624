//! Private keys, as they stand in a file.

use std::fmt;

use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// RSA with SHA-256 (RFC 8301 3.1), which every receiver knows.
    Rsa,
    /// Ed25519 with SHA-256 (RFC 8463), which some do not know yet.
    Ed25519,
}

impl Algorithm {
    /// The word in settings, and `k=` of a record (RFC 6376 3.6.1, RFC 8463 4.1).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rsa => "rsa",
            Self::Ed25519 => "ed25519",
        }
    }

    /// `a=` of a signature.
    pub(super) fn signature_tag(self) -> &'static str {
        match self {
            Self::Rsa => "rsa-sha256",
            Self::Ed25519 => "ed25519-sha256",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A key that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DkimError {
    /// It is not in PEM.
    #[error("this is no private key in PEM form: {0}")]
    Pem(String),
    /// It is of another kind, too short, or damaged.
    #[error("this is no {wanted} key that can sign: {cause}")]
    Key {
        /// The kind that is wanted.
        wanted: Algorithm,
        /// What is wrong.
        cause: String,
    },
    /// None could be made.
    #[error("no key could be made: {0}")]
    Making(String),
}

/// A key that signs. It never shows itself.
pub struct PrivateKey(Pair);

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({}, …)", self.algorithm())
    }
}

impl PrivateKey {
    /// From PEM: PKCS #8, for RSA also PKCS #1. RSA keys have 2,048 to 4,096 bits: receivers take
    /// shorter ones for none (RFC 8301 3.2), and longer ones fit no DNS answer.
    ///
    /// # Errors
    /// Where it is none of the wanted kind.
    pub fn from_pem(text: &str, wanted: Algorithm) -> Result<Self, DkimError> {
        let der = PrivateKeyDer::from_pem_slice(text.as_bytes());
        let der = der.map_err(|error| DkimError::Pem(error.to_string()))?;
        let refused = |cause: String| DkimError::Key { wanted, cause };
        let rejected = |error: ring::error::KeyRejected| refused(error.to_string());
        let pair = match (wanted, &der) {
            (Algorithm::Rsa, PrivateKeyDer::Pkcs1(der)) => {
                Pair::Rsa(Box::new(RsaKeyPair::from_der(der.secret_pkcs1_der()).map_err(rejected)?))
            }
            (Algorithm::Rsa, PrivateKeyDer::Pkcs8(der)) => {
                let pair = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(rejected)?;
                Pair::Rsa(Box::new(pair))
            }
            (Algorithm::Ed25519, PrivateKeyDer::Pkcs8(der)) => {
                // "Maybe unchecked": OpenSSL writes keys without their public half.
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der());
                Pair::Ed25519(Box::new(pair.map_err(rejected)?))
            }
            _ => return Err(refused("it is a key of another kind".to_owned())),
        };
        Ok(Self(pair))
    }

    /// How it signs.
    pub fn algorithm(&self) -> Algorithm {
        match &self.0 {
            Pair::Rsa(_) => Algorithm::Rsa,
            Pair::Ed25519(_) => Algorithm::Ed25519,
        }
    }

    /// The public half: an RSAPublicKey in DER (RFC 8017 A.1.1), or the 32 octets of Ed25519.
    pub(super) fn public(&self) -> &[u8] {
        match &self.0 {
            Pair::Rsa(pair) => pair.public_key().as_ref(),
            Pair::Ed25519(pair) => pair.public_key().as_ref(),
        }
    }

    /// The signature of canonical octets.
    pub(super) fn sign(&self, data: &[u8]) -> Vec<u8> {
        match &self.0 {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                // PKCS #1 v1.5 takes nothing random into the signature (RFC 8017 8.2.1).
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), data, &mut signature)
                    .expect("a buffer of the modulus's length is what signing wants");
                signature
            }
            Pair::Ed25519(pair) => {
                // RFC 8463 3: what is signed is the hash of the data.
                let hash = ring::digest::digest(&ring::digest::SHA256, data);
                pair.sign(hash.as_ref()).as_ref().to_vec()
            }
        }
    }
}
