//! A mail server that keeps a ledger of its own, to be compared with ours: of each content that
//! came, whether its final dot came, whether a 250 went out, and over which connection. It delays
//! its reply to the dot. It runs in a thread of its own and outlives every client.

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use super::support::message_id_of;

/// Longer than anything a test waits for.
const WAIT: Duration = Duration::from_secs(60);

/// A message of which the final dot came: the server has it.
#[derive(Clone, Debug)]
pub struct Taken {
    pub message_id: String,
    /// When the 250 was written; a server cannot see whether the client was still there.
    pub replied: Option<Instant>,
}

#[derive(Debug, Default)]
struct Ledger {
    taken: Mutex<Vec<Taken>>,
    opened: AtomicUsize,
    open: AtomicUsize,
    /// Connections that ended without QUIT.
    broken: AtomicUsize,
    reply_delay_ms_max: AtomicU64,
}

#[derive(Debug)]
pub struct Sink {
    pub port: u16,
    ledger: Arc<Ledger>,
    _runtime: Runtime,
}

impl Sink {
    /// Starts it; each reply to a dot comes after a random delay of at most so many milliseconds.
    pub fn start(reply_delay_ms_max: u64) -> Self {
        let ledger = Arc::new(Ledger::default());
        ledger.reply_delay_ms_max.store(reply_delay_ms_max, Ordering::SeqCst);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(serve(listener, Arc::clone(&ledger)));
        Self { port, ledger, _runtime: runtime }
    }

    /// Delays replies to the dot by at most so many milliseconds from now on.
    pub fn delay(&self, ms_max: u64) {
        self.ledger.reply_delay_ms_max.store(ms_max, Ordering::SeqCst);
    }

    /// How many connections were ever opened.
    pub fn opened(&self) -> usize {
        self.ledger.opened.load(Ordering::SeqCst)
    }

    /// How many connections ended without a goodbye.
    pub fn broken(&self) -> usize {
        self.ledger.broken.load(Ordering::SeqCst)
    }

    /// Waits until more connections than `before` were opened, or the client is gone.
    pub fn wait_for_connection(&self, before: usize, mut gone: impl FnMut() -> bool) {
        wait_until(|| self.opened() > before || gone());
    }

    /// Waits until every connection has ended, and gives all that was taken. What a client wrote
    /// before it was killed has arrived by then.
    pub fn settled(&self) -> Vec<Taken> {
        wait_until(|| self.ledger.open.load(Ordering::SeqCst) == 0);
        self.ledger.taken.lock().unwrap().clone()
    }
}

fn wait_until(mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + WAIT;
    while !holds() {
        assert!(Instant::now() < end, "waited for too long");
        std::thread::sleep(Duration::from_millis(1));
    }
}

async fn serve(listener: TcpListener, ledger: Arc<Ledger>) {
    while let Ok((stream, _)) = listener.accept().await {
        ledger.open.fetch_add(1, Ordering::SeqCst);
        ledger.opened.fetch_add(1, Ordering::SeqCst);
        let ledger = Arc::clone(&ledger);
        tokio::spawn(async move {
            if !matches!(converse(stream, &ledger).await, Ok(true)) {
                ledger.broken.fetch_add(1, Ordering::SeqCst);
            }
            ledger.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

/// A conversation; true where it ended with QUIT.
async fn converse(stream: TcpStream, ledger: &Ledger) -> io::Result<bool> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 sink.example.it ESMTP\r\n").await?;
    let mut line = Vec::new();
    loop {
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(false);
        }
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        match &verb[..] {
            b"DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                if !content(&mut stream, ledger).await? {
                    return Ok(false);
                }
            }
            b"QUIT" => {
                let _ = stream.write_all(b"221 bye\r\n").await;
                return Ok(true);
            }
            _ => stream.write_all(b"250 ok\r\n").await?,
        }
    }
}

/// Content and the reply to it; false where the client was gone before the dot.
async fn content(stream: &mut BufReader<TcpStream>, ledger: &Ledger) -> io::Result<bool> {
    let mut octets = Vec::new();
    while !octets.ends_with(b"\r\n.\r\n") {
        if stream.read_until(b'\n', &mut octets).await? == 0 {
            return Ok(false);
        }
    }
    let place = {
        let mut taken = ledger.taken.lock().unwrap();
        taken.push(Taken { message_id: message_id_of(&octets), replied: None });
        taken.len() - 1
    };
    let delay_max = ledger.reply_delay_ms_max.load(Ordering::SeqCst);
    if delay_max > 0 {
        let delay = Duration::from_micros(rand::random_range(0..delay_max * 1000));
        tokio::time::sleep(delay).await;
    }
    stream.write_all(b"250 2.0.0 taken\r\n").await?;
    ledger.taken.lock().unwrap()[place].replied = Some(Instant::now());
    Ok(true)
}
