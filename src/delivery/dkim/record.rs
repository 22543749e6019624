//! The record in which receivers find the public half of a key (RFC 6376 3.6.2).

use data_encoding::BASE64;

use super::key::{Algorithm, PrivateKey};

/// The longest string of a TXT record, in octets; a longer text is several (RFC 1035 3.3.14).
pub const TXT_STRING_OCTETS_MAX: usize = 255;
/// The algorithm of an RSA key in a SubjectPublicKeyInfo (RFC 8017 A.1): rsaEncryption and NULL.
const RSA_ENCRYPTION: [u8; 15] =
    [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// The name of a key's record.
pub fn record_name(selector: &str, domain: &str) -> String {
    format!("{selector}._domainkey.{domain}")
}

/// The text of a key's record, in one piece.
pub fn record_text(key: &PrivateKey) -> String {
    let algorithm = key.algorithm();
    let public = match algorithm {
        Algorithm::Rsa => BASE64.encode(&subject_public_key_info(key.public())),
        // RFC 8463 4.2: the key alone.
        Algorithm::Ed25519 => BASE64.encode(key.public()),
    };
    format!("v=DKIM1; k={algorithm}; p={public}")
}

/// A TXT record as a zone file has it, its text in strings that are not too long.
pub fn zone_line(name: &str, text: &str) -> String {
    let strings: Vec<String> = text
        .as_bytes()
        .chunks(TXT_STRING_OCTETS_MAX)
        .map(|string| format!("\"{}\"", String::from_utf8_lossy(string)))
        .collect();
    match &strings[..] {
        [only] => format!("{name}. IN TXT {only}"),
        several => format!("{name}. IN TXT (\n    {}\n)", several.join("\n    ")),
    }
}

/// A SubjectPublicKeyInfo (RFC 5280 4.1), which is what receivers read (RFC 6376, erratum 3017).
fn subject_public_key_info(rsa_public_key: &[u8]) -> Vec<u8> {
    let bits = [&[0][..], rsa_public_key].concat();
    let inside = [&RSA_ENCRYPTION[..], &der(0x03, &bits)].concat();
    der(0x30, &inside)
}

/// A value of ASN.1 in DER.
fn der(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = value.len().to_be_bytes();
    let first = length.iter().position(|octet| *octet > 0).unwrap_or(length.len() - 1);
    let length = &length[first..];
    let mut out = vec![tag];
    if let [short @ 0..0x80] = length {
        out.push(*short);
    } else {
        out.push(0x80 | u8::try_from(length.len()).expect("a length has at most eight octets"));
        out.extend_from_slice(length);
    }
    out.extend_from_slice(value);
    out
}
