//! A relay of one daemon. It knows of each connection what it has heard last, so that a frozen
//! daemon's conversations can be named, and of each mail that it has it.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::delivery::support::message_id_of;

/// The longest time before any reply, in microseconds.
const REPLY_US_MAX: u64 = 4_000;
/// The longest time before the reply to a dot.
const DOT_REPLY_US_MAX: u64 = 25_000;

/// How far a conversation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Heard {
    /// Nothing but the connection.
    Connection,
    /// EHLO, and no more.
    Ehlo,
    Mail,
    Rcpt,
    /// DATA: 354 went out, or is about to, and the dot has not come.
    Data,
    /// The dot, to which nothing has been said.
    Dot,
    /// The dot, and 250 went out.
    Accepted,
}

#[derive(Debug, Default)]
struct Ledger {
    /// How often each Message-ID was taken.
    taken: Mutex<BTreeMap<String, usize>>,
    conversations: Mutex<BTreeMap<u64, Heard>>,
    next: AtomicU64,
}

#[derive(Debug)]
pub struct Relay {
    pub port: u16,
    ledger: Arc<Ledger>,
}

impl Relay {
    pub fn start() -> Self {
        let ledger = Arc::new(Ledger::default());
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let served = Arc::clone(&ledger);
        // It answers while the test waits for a daemon; it ends with the test's process.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                serve(TcpListener::from_std(listener).unwrap(), served).await;
            });
        });
        Self { port, ledger }
    }

    /// How far the open conversations have come.
    pub fn conversations(&self) -> Vec<Heard> {
        self.ledger.conversations.lock().unwrap().values().copied().collect()
    }

    /// How often each Message-ID was taken.
    pub fn taken(&self) -> BTreeMap<String, usize> {
        self.ledger.taken.lock().unwrap().clone()
    }
}

async fn serve(listener: TcpListener, ledger: Arc<Ledger>) {
    while let Ok((stream, _)) = listener.accept().await {
        let ledger = Arc::clone(&ledger);
        tokio::spawn(async move {
            let number = ledger.next.fetch_add(1, Ordering::SeqCst);
            let _ = converse(stream, &ledger, number).await;
            ledger.conversations.lock().unwrap().remove(&number);
        });
    }
}

async fn wait(us_max: u64) {
    tokio::time::sleep(Duration::from_micros(rand::random_range(0..us_max))).await;
}

async fn converse(stream: TcpStream, ledger: &Ledger, number: u64) -> io::Result<()> {
    let hears = |heard| _ = ledger.conversations.lock().unwrap().insert(number, heard);
    hears(Heard::Connection);
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    wait(REPLY_US_MAX).await;
    stream.write_all(b"220 relay.example.it ESMTP\r\n").await?;
    let mut line = Vec::new();
    loop {
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        match &verb[..] {
            b"EHLO" => hears(Heard::Ehlo),
            b"MAIL" => hears(Heard::Mail),
            b"RCPT" => hears(Heard::Rcpt),
            b"DATA" => hears(Heard::Data),
            _ => {}
        }
        wait(REPLY_US_MAX).await;
        match &verb[..] {
            b"DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let mut octets = Vec::new();
                while !octets.ends_with(b"\r\n.\r\n") {
                    if stream.read_until(b'\n', &mut octets).await? == 0 {
                        return Ok(());
                    }
                }
                hears(Heard::Dot);
                let id = message_id_of(&octets);
                *ledger.taken.lock().unwrap().entry(id).or_default() += 1;
                wait(DOT_REPLY_US_MAX).await;
                stream.write_all(b"250 2.0.0 taken\r\n").await?;
                hears(Heard::Accepted);
            }
            b"QUIT" => return stream.write_all(b"221 bye\r\n").await,
            _ => stream.write_all(b"250 ok\r\n").await?,
        }
    }
}
