//! New keys.

use data_encoding::BASE64;
use rsa::pkcs8::{EncodePrivateKey as _, LineEnding};

use super::key::{Algorithm, DkimError};

/// The length of a new RSA key, in bits: what every receiver verifies (RFC 8301 3.2).
pub const RSA_BITS: usize = 2_048;
/// What stands before the seed of an Ed25519 key in PKCS #8 (RFC 8410 7).
const ED25519_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// The length of that seed, in octets.
const ED25519_SEED_OCTETS: usize = 32;

/// A new private key, in PEM.
///
/// # Errors
/// Where the machine has nothing random.
pub fn new_key(algorithm: Algorithm) -> Result<String, DkimError> {
    let failed = |error: &dyn std::fmt::Display| DkimError::Making(error.to_string());
    match algorithm {
        Algorithm::Rsa => {
            let key =
                rsa::PrivateKey::new(&mut rand::rng(), RSA_BITS).map_err(|error| failed(&error))?;
            let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|error| failed(&error))?;
            Ok(pem.as_str().to_owned())
        }
        Algorithm::Ed25519 => {
            let seed = rand::random::<[u8; ED25519_SEED_OCTETS]>();
            let der = BASE64.encode(&[&ED25519_PREFIX[..], &seed[..]].concat());
            Ok(format!("-----BEGIN PRIVATE KEY-----\n{der}\n-----END PRIVATE KEY-----\n"))
        }
    }
}
