//! Mail to a server that somebody else wrote: aiosmtpd, protected and with a password.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::Child;

use serde_json::Value;

use super::protection::protected;
use super::*;
use crate::support::python::python;

/// The server, until it is asked what it took.
struct Server {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
    port: u16,
}

fn certificates() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/smtp")
}

impl Server {
    fn start(mode: &str) -> Self {
        let (certificate, key) =
            (certificates().join("relay.pem"), certificates().join("relay.key"));
        let mut child = python("server.py").arg(mode).arg(certificate).arg(key).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut port = String::new();
        said.read_line(&mut port).unwrap();
        Self { child, said, port: port.trim().parse().expect("it says its port") }
    }

    fn taken(mut self) -> Value {
        drop(self.child.stdin.take());
        let mut text = String::new();
        self.said.read_to_string(&mut text).unwrap();
        self.child.wait().unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn aiosmtpd_takes_mail_protected_both_ways_signed_in_both_ways_and_in_smtputf8() {
    for (mode, tls) in [("starttls", Tls::Starttls), ("implicit", Tls::Implicit)] {
        for auth in [Auth::Plain, Auth::Login] {
            let server = Server::start(mode);
            let own = Some(certificates().join("ca.pem"));
            let config = Smtp { auth, ca_file: own, ..protected(server.port, tls) };
            let relay = Relay::new(&config, "mail.example.it".to_owned(), limits()).unwrap();
            let mut connection = relay.open().await.unwrap();
            send(&mut connection).await.unwrap();
            let envelope = to("jos\u{e8}@citt\u{e0}.example");
            connection.send(&envelope, CONTENT, yes).await.unwrap();
            let large = b"una riga che riempie\r\n".repeat(10_000);
            let failure = connection.send(&envelope, &large, yes).await.unwrap_err();
            assert!(failure.is_permanent(), "{failure}");
            connection.quit().await;
            let taken = server.taken();
            let taken = taken.as_array().unwrap();
            assert_eq!(taken.len(), 2, "{taken:?}");
            assert_eq!(taken[0]["content"], String::from_utf8_lossy(CONTENT).as_ref());
            assert_eq!(taken[0]["options"][0], format!("SIZE={}", CONTENT.len()));
            assert_eq!((&taken[0]["utf8"], &taken[1]["utf8"]), (&false.into(), &true.into()));
            assert_eq!(taken[1]["to"][0], "jos\u{e8}@xn--citt-3na.example");
            if mode == "starttls" {
                assert_eq!(taken[0]["signed_in"], true);
            }
        }
    }
}
