use banditore::delivery::smtp::{InvalidRelay, Stage};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::script::fixture;
use super::*;

const START_TLS: &str = "
    S 220 relay.example.it ESMTP
    C EHLO
    S 250-relay.example.it
    S 250 STARTTLS
    C STARTTLS
    S 220 go on
    tls
    C EHLO
    S 250-relay.example.it
    S 250 AUTH PLAIN LOGIN
";
const PLAIN: &str = "
    C AUTH PLAIN AHVmZmljaW8Ac2VncmV0bw==
    S 235 2.7.0 welcome
";

pub fn protected(port: u16, tls: Tls) -> Smtp {
    Smtp {
        host: "localhost".to_owned(),
        tls,
        username: Some("ufficio".to_owned()),
        password: Some("segreto".into()),
        ..config(port)
    }
}

fn trusting(config: &Smtp) -> Relay {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&fixture("ca.pem")).unwrap()).unwrap();
    Relay::trusting_only(roots, config, "mail.example.it".to_owned(), limits()).unwrap()
}

async fn failure_to_open(tls: Tls, script: &str) -> Failure {
    let server = ScriptedRelay::start([script.to_owned()]).await;
    let failure = trusting(&protected(server.port, tls)).open().await.err().unwrap();
    server.heard().await;
    assert!(failure.is_temporary(), "{failure}");
    failure
}

#[tokio::test]
async fn mail_goes_out_protected_by_starttls_after_signing_in() {
    let script = format!("{START_TLS}{PLAIN}{TO_DATA}{ACCEPTED}{TO_DATA}{ACCEPTED}{QUIT}");
    let server = ScriptedRelay::start([script]).await;
    let mut connection = trusting(&protected(server.port, Tls::Starttls)).open().await.unwrap();
    send(&mut connection).await.unwrap();
    send(&mut connection).await.unwrap();
    connection.quit().await;
    server.heard().await;
}

#[tokio::test]
async fn mail_goes_out_protected_from_the_first_octet() {
    let script = format!("tls\n{OPENING}{TO_DATA}{ACCEPTED}{QUIT}");
    let server = ScriptedRelay::start([script]).await;
    let config = Smtp { username: None, ..protected(server.port, Tls::Implicit) };
    let mut connection = trusting(&config).open().await.unwrap();
    send(&mut connection).await.unwrap();
    connection.quit().await;
    server.heard().await;
}

#[tokio::test]
async fn under_tls_too_a_cut_after_the_dot_is_a_doubt_and_one_in_the_content_is_not() {
    let script = format!("tls\n{OPENING}{TO_DATA}content\n");
    let short =
        format!("tls\n{OPENING}{TO_DATA}octets 100\n").replace("S 250 SIZE 100000", "S 250 ok");
    let server = ScriptedRelay::start([script, short]).await;
    let config = Smtp { username: None, ..protected(server.port, Tls::Implicit) };
    let relay = trusting(&config);
    let mut connection = relay.open().await.unwrap();
    assert!(send(&mut connection).await.unwrap_err().is_doubt());
    let mut connection = relay.open().await.unwrap();
    let content = b"una riga che riempie\r\n".repeat(400_000);
    let failure = connection.send(&to("anna@example.it"), &content, yes).await.unwrap_err();
    assert!(failure.is_temporary(), "{failure}");
    assert_eq!(failure.stage, Stage::Content);
    server.heard().await;
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    for (tls, script) in [(Tls::Implicit, "tls".to_owned()), (Tls::Starttls, START_TLS.to_owned())]
    {
        let server = ScriptedRelay::start([script]).await;
        let config = protected(server.port, tls);
        let hello = "mail.example.it".to_owned();
        let relay = Relay::trusting_only(RootCertStore::empty(), &config, hello, limits()).unwrap();
        let failure = relay.open().await.err().unwrap();
        assert_eq!(failure.stage, Stage::Tls, "{failure}");
        server.heard().await;
    }
}

#[tokio::test]
async fn a_certificate_of_another_name_is_refused() {
    let server = ScriptedRelay::start(["tls".to_owned()]).await;
    let config = Smtp { host: "127.0.0.1".to_owned(), ..protected(server.port, Tls::Implicit) };
    let failure = trusting(&config).open().await.err().unwrap();
    assert_eq!(failure.stage, Stage::Tls, "{failure}");
    server.heard().await;
}

#[tokio::test]
async fn a_relay_that_hides_starttls_gets_no_mail_and_no_password() {
    let failure = failure_to_open(Tls::Starttls, "S 220 hi\nC EHLO\nS 250 relay\ngone").await;
    assert_eq!(failure.stage, Stage::Tls);
    let refused = "S 220 hi\nC EHLO\nS 250-relay\nS 250 starttls\nC STARTTLS\nS 454 no\ngone";
    assert_eq!(failure_to_open(Tls::Starttls, refused).await.reply.unwrap().code, 454);
}

#[tokio::test]
async fn a_reply_slipped_in_before_the_handshake_is_not_read_after_it() {
    let script = "
        S 220 hi
        C EHLO
        S 250-relay
        S 250 STARTTLS
        C STARTTLS
        raw 220 go on\\n250 injected\\n
        gone
    ";
    assert_eq!(failure_to_open(Tls::Starttls, script).await.stage, Stage::Tls);
}

#[tokio::test]
async fn login_is_used_where_plain_is_not_offered() {
    let login = "
        C AUTH LOGIN
        S 334 VXNlcm5hbWU6
        C dWZmaWNpbw==
        S 334 UGFzc3dvcmQ6
        C c2VncmV0bw==
        S 235 welcome
    ";
    let script = format!("{START_TLS}{login}{QUIT}").replace("AUTH PLAIN LOGIN", "AUTH LOGIN");
    let server = ScriptedRelay::start([script]).await;
    trusting(&protected(server.port, Tls::Starttls)).open().await.unwrap().quit().await;
    server.heard().await;
}

#[tokio::test]
async fn a_refused_password_says_so_and_never_repeats_it() {
    let script = format!("{START_TLS}C AUTH PLAIN\nS 535 5.7.8 bad credentials\ngone");
    let failure = failure_to_open(Tls::Starttls, &script).await;
    assert_eq!(failure.stage, Stage::Auth);
    assert_eq!(failure.to_string(), "auth: 535 5.7.8 bad credentials");
    let script = START_TLS.replace("AUTH PLAIN LOGIN", "AUTH CRAM-MD5") + "gone";
    assert_eq!(failure_to_open(Tls::Starttls, &script).await.stage, Stage::Auth);
}

#[test]
fn settings_that_would_leak_the_password_make_no_relay() {
    let hello = || "mail.example.it".to_owned();
    let made = |config: &Smtp, hello| Relay::new(config, hello, limits()).err();
    let remote = Smtp { host: "relay.example.it".to_owned(), ..protected(25, Tls::None) };
    assert_eq!(
        made(&remote, hello()),
        Some(InvalidRelay::PasswordUnprotected("relay.example.it".to_owned()))
    );
    assert_eq!(made(&protected(25, Tls::None), hello()), None);
    let no_password = Smtp { password: None, ..protected(25, Tls::None) };
    assert_eq!(made(&no_password, hello()), Some(InvalidRelay::PasswordMissing));
    for name in ["", "a b", "a\r\nMAIL FROM:<>"] {
        let wrong = made(&config(25), name.to_owned());
        assert_eq!(wrong, Some(InvalidRelay::HelloName(name.to_owned())));
    }
    for name in ["192.0.2.1", "2001:db8::1", "citt\u{e0}.example"] {
        assert_eq!(made(&config(25), name.to_owned()), None);
    }
}
