//! Signatures, verified by dkimpy, and the keys that make them.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use banditore::delivery::dkim::{Algorithm, PrivateKey, Signer, new_key};
use banditore::model::Timestamp;

use crate::delivery::support::{House, Plan, Post};
use crate::program::Office;
use crate::support::python::read;

/// The header fields of a digest, from the first to the last.
const PLANNED: [&str; 16] = [
    "DKIM-Signature",
    "DKIM-Signature",
    "Date",
    "Message-ID",
    "To",
    "From",
    "Subject",
    "List-Id",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Feedback-ID",
    "Auto-Submitted",
    "Precedence",
    "Content-Language",
    "MIME-Version",
    "Content-Type",
];

fn signer() -> Signer {
    let mut signer = Signer::of("example.it");
    for (selector, algorithm) in [("r", Algorithm::Rsa), ("e", Algorithm::Ed25519)] {
        let key = PrivateKey::from_pem(&new_key(algorithm).unwrap(), algorithm).unwrap();
        signer = signer.with(selector, key);
    }
    signer
}

/// A house that signs, and the records of its keys.
async fn signing(port: u16, people: usize) -> (House, Vec<(String, String)>) {
    let keys = tempfile::tempdir().unwrap();
    let mut more = "[dkim]\ndomain = \"example.it\"\n".to_owned();
    for (key, selector, algorithm) in
        [("", "r2026", Algorithm::Rsa), ("ed25519_", "e2026", Algorithm::Ed25519)]
    {
        let file = keys.path().join(selector);
        std::fs::write(&file, new_key(algorithm).unwrap()).unwrap();
        more.push_str(&format!("{key}selector = {selector:?}\n{key}key_file = {file:?}\n"));
    }
    let house = Plan { port, people, more, ..Plan::default() }.build().await;
    let records = house.installation.config.signer().unwrap().records();
    // Delivering reads the keys again.
    let _ = keys.keep();
    (house, records)
}

#[tokio::test]
async fn each_mail_of_an_edition_carries_two_signatures_that_dkimpy_verifies() {
    let post = Post::open().await;
    let (house, records) = signing(post.port, 3).await;
    assert_eq!(house.deliver().await.accepted, 3);
    for mail in post.mails() {
        let seen = read(&mail.source, &records);
        assert_eq!(seen["verified"], json!([true, true]), "{seen:#}");
        assert_eq!(seen["headers"], json!(PLANNED));
        assert_eq!(seen["defects"], json!([]));
        assert_eq!(seen["parts"], json!(["multipart/alternative", "text/plain", "text/html"]));
        let source = String::from_utf8(mail.source.clone()).unwrap().replace("\r\n ", "");
        let signed = source.lines().find(|line| line.starts_with("DKIM-Signature")).unwrap();
        for name in ["From:From:", "List-Unsubscribe:", "List-Unsubscribe-Post:", "List-Id:"] {
            assert!(signed.contains(name), "{name} in {signed}");
        }
        assert!(!signed.contains(" l="), "{signed}");
    }
}

#[test]
fn a_message_that_is_signed_again_has_the_same_octets_and_one_that_is_changed_does_not_verify() {
    let signer = signer();
    let message = "From: a@example.it\r\nSubject: prova\r\n  di piu'\r\nTo: b@example.it\r\n\
                   Content-Type: text/plain\r\n\r\nBuongiorno. \r\n\r\na  b\t\r\n\r\n";
    let at = Timestamp(1_795_582_800);
    let signed = signer.sign(message.as_bytes(), at).into_owned();
    assert_eq!(signed, signer.sign(message.as_bytes(), at).into_owned());
    assert_eq!(read(&signed, &signer.records())["verified"], json!([true, true]));
    let signed = String::from_utf8(signed).unwrap();
    assert!(signed.lines().all(|line| line.len() <= 78), "{signed}");
    let changes = [
        ("Buongiorno", "Buonasera"),
        ("Subject: prova", "Subject: altro"),
        ("\r\nFrom: a@", "\r\nFrom: eve@example.it\r\nFrom: a@"),
        ("\r\nFrom: a@", "\r\nReply-To: eve@example.it\r\nFrom: a@"),
    ];
    for (from, to) in changes {
        let changed = signed.replacen(from, to, 1);
        assert_ne!(changed, signed);
        let seen = read(changed.as_bytes(), &signer.records());
        let verified = seen["verified"].as_array().unwrap();
        assert!(verified.iter().all(|one| one != &Value::Bool(true)), "{to:?}: {seen}");
    }
    // What relays may change on the way is nothing to a relaxed signature.
    let folded = signed.replacen("Subject: prova\r\n  di", "subject:  prova   di", 1);
    let folded = folded.replacen("a  b\t\r\n", "a b\r\n", 1);
    assert_ne!(folded, signed);
    let seen = read(folded.as_bytes(), &signer.records());
    assert_eq!(seen["verified"], json!([true, true]), "{seen}");
}

#[test]
fn dkim_new_makes_a_key_that_its_owner_alone_reads_and_never_overwrites_one() {
    let office = Office::empty();
    for (algorithm, file) in [("rsa", "dkim-s1.pem"), ("ed25519", "dkim-s2.pem")] {
        let selector = if algorithm == "rsa" { "s1" } else { "s2" };
        let arguments = ["dkim", "new", "--selector", selector, "--domain", "Comune.example.it"];
        let arguments = [&arguments[..], &["--algorithm", algorithm, "--json"]].concat();
        let made = office.run(&arguments).done().json();
        assert_eq!(made["record"]["name"], format!("{selector}._domainkey.comune.example.it"));
        let path = office.path().join(file);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let pem = std::fs::read_to_string(&path).unwrap();
        let zone = made["record"]["zone"].as_str().unwrap();
        assert!(zone.lines().all(|line| line.trim().len() <= 257 + 60), "{zone}");
        assert_eq!(zone.matches('"').count(), if algorithm == "rsa" { 4 } else { 2 });
        let error = office.run(&arguments).refused(1);
        assert!(error.contains("is there already"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), pem);
    }
    let said = ["dkim", "new", "--selector", "s3", "--domain", "comune.example.it"];
    let said = office.run(&[&said[..], &["--algorithm", "ed25519"]].concat()).done().out;
    for part in ["s3._domainkey.comune.example.it", "k=ed25519", "ed25519_key_file"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    for wrong in [["--selector", "a b"], ["--selector", "a/../b"], ["--selector", ""]] {
        let arguments = [&["dkim", "new", "--domain", "example.it"][..], &wrong[..]].concat();
        office.run(&arguments).refused(2);
    }
}

#[test]
fn a_key_file_that_is_none_is_told_before_anything_is_sent() {
    let rsa = new_key(Algorithm::Rsa).unwrap();
    let ed25519 = new_key(Algorithm::Ed25519).unwrap();
    for (text, wanted) in [
        ("", Algorithm::Rsa),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", Algorithm::Rsa),
        (&rsa, Algorithm::Ed25519),
        (&ed25519, Algorithm::Rsa),
    ] {
        let error = PrivateKey::from_pem(text, wanted).unwrap_err().to_string();
        assert!(error.contains("no private key") || error.contains(wanted.as_str()), "{error}");
    }
}
