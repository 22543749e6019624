//! One SMTP conversation: what each way it can go means for the message.

#![allow(clippy::unwrap_used)]

mod breaks;
mod content;
mod others;
mod protection;
mod refusals;
mod replies;
pub mod script;

use std::time::Duration;

use banditore::config::{Auth, Smtp, Tls};
use banditore::delivery::smtp::{Connection, Envelope, Failure, Relay, Reply, StageLimits};

use script::ScriptedRelay;

const OPENING: &str = "
    S 220 relay.example.it ESMTP
    C EHLO mail.example.it
    S 250-relay.example.it
    S 250 SIZE 100000
";
const TO_DATA: &str = "
    C MAIL FROM:<b@example.it>
    S 250 2.1.0 ok
    C RCPT TO:<anna@example.it>
    S 250 2.1.5 ok
    C DATA
    S 354 go on
";
const ACCEPTED: &str = "
    content
    S 250 2.0.0 queued
";
const QUIT: &str = "
    C QUIT
    S 221 bye
";
const CONTENT: &[u8] = b"Subject: prova\r\n\r\nBuongiorno.\r\n";

/// A limit that a test waits out.
const SHORT: Duration = Duration::from_millis(80);
/// A limit that a test must not come to.
const LONG: Duration = Duration::from_secs(10);

fn limits() -> StageLimits {
    StageLimits { connect: LONG, command: LONG, content: LONG, reply: LONG, quit: LONG, idle: LONG }
}

fn config(port: u16) -> Smtp {
    Smtp { connections: 1, ..Smtp::at("127.0.0.1", port) }
}

fn relay(port: u16, limits: StageLimits) -> Relay {
    Relay::new(&config(port), "mail.example.it".to_owned(), limits).unwrap()
}

fn to(recipient: &str) -> Envelope {
    Envelope { return_path: "b@example.it".to_owned(), recipient: recipient.to_owned() }
}

async fn yes() -> bool {
    true
}

async fn send(connection: &mut Connection) -> Result<Reply, Failure> {
    connection.send(&to("anna@example.it"), CONTENT, yes).await
}

async fn opened<const N: usize>(scripts: [String; N]) -> (ScriptedRelay, Connection) {
    let server = ScriptedRelay::start(scripts).await;
    let connection = relay(server.port, limits()).open().await.unwrap();
    (server, connection)
}
