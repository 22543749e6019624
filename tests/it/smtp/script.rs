//! A relay that plays a script: a line a step.
//!
//! - `S text`: says the line.
//! - `C text`: hears a line that begins so.
//! - `raw text`: says it without a line end; `\n` in it stands for one.
//! - `latin1 text`: says the line in that encoding.
//! - `content`: hears content to its final dot.
//! - `octets N`: hears N octets and no more.
//! - `tls`: shakes hands.
//! - `gone`: hears nothing more until the client has closed.
//! - `late`: lets [`LATE`] go by.
//! - `mark`: tells who waits at [`ScriptedRelay::marked`] that it has come so far.
//! - `deaf`: neither hears nor says anything until the test asks for what was heard or
//!   for the mark.
//!
//! At its end the relay closes the connection; the next script plays on the next one.

use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// Longer than any test; a script that is not followed ends here instead of hanging.
const SCRIPT_SECONDS_MAX: u64 = 20;

/// How late a relay is that is late; longer than the limits that a test waits out.
pub const LATE: Duration = Duration::from_millis(250);

/// What one connection brought.
#[derive(Debug, Default)]
pub struct Heard {
    /// Command lines, without CRLF.
    pub lines: Vec<String>,
    /// Contents as they came, up to and with the final dot.
    pub contents: Vec<Vec<u8>>,
}

pub struct ScriptedRelay {
    pub port: u16,
    task: JoinHandle<Vec<Heard>>,
    asked: watch::Sender<bool>,
    mark: watch::Receiver<bool>,
}

impl ScriptedRelay {
    pub async fn start<const N: usize>(scripts: [String; N]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, ask) = watch::channel(false);
        let (marked, mark) = watch::channel(false);
        let task = tokio::spawn(async move {
            let mut heard = Vec::new();
            for script in scripts {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                heard.push(play(stream, &script, ask.clone(), &marked).await);
            }
            heard
        });
        Self { port, task, asked, mark }
    }

    /// Lets a deaf relay go on, to its mark, and waits until what it said has arrived.
    pub async fn marked(&self) {
        self.asked.send_replace(true);
        self.mark.clone().wait_for(|mark| *mark).await.unwrap();
        // The runtime looks for input only every so many turns of its tasks.
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }

    /// What was heard, a connection each, once all scripts have been played.
    pub async fn heard(self) -> Vec<Heard> {
        self.asked.send_replace(true);
        let limit = Duration::from_secs(SCRIPT_SECONDS_MAX);
        tokio::time::timeout(limit, self.task).await.expect("the script ends").unwrap()
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

async fn play(
    stream: TcpStream,
    script: &str,
    mut ask: watch::Receiver<bool>,
    marked: &watch::Sender<bool>,
) -> Heard {
    let mut heard = Heard::default();
    let mut stream: BufReader<Box<dyn Stream>> = BufReader::new(Box::new(stream));
    for step in script.lines().map(str::trim).filter(|step| !step.is_empty()) {
        let (word, text) = step.split_once(' ').unwrap_or((step, ""));
        match word {
            // The client may be gone already; a late reply goes nowhere.
            "S" => drop(stream.get_mut().write_all(format!("{text}\r\n").as_bytes()).await),
            "raw" => drop(stream.get_mut().write_all(text.replace("\\n", "\r\n").as_bytes()).await),
            "latin1" => {
                let octets: Vec<u8> = text.chars().map(|c| c as u8).chain(*b"\r\n").collect();
                stream.get_mut().write_all(&octets).await.unwrap();
            }
            "C" => {
                let line = until(&mut stream, b"\r\n").await;
                let line = String::from_utf8(line).unwrap().trim_end().to_owned();
                assert!(line.starts_with(text), "heard {line:?} where {text:?} was due");
                heard.lines.push(line);
            }
            "content" => heard.contents.push(until(&mut stream, b"\r\n.\r\n").await),
            "octets" => {
                let mut octets = vec![0; text.parse().unwrap()];
                stream.read_exact(&mut octets).await.unwrap();
                heard.contents.push(octets);
            }
            "tls" => {
                let plain =
                    std::mem::replace(&mut stream, BufReader::new(Box::new(tokio::io::empty())));
                match acceptor().accept(plain.into_inner()).await {
                    Ok(protected) => stream = BufReader::new(Box::new(protected)),
                    Err(_) => return heard,
                }
            }
            "gone" => {
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest).await;
                assert_eq!(String::from_utf8_lossy(&rest), "", "the client said more");
            }
            "late" => tokio::time::sleep(LATE).await,
            "mark" => drop(marked.send_replace(true)),
            "deaf" => drop(ask.wait_for(|asked| *asked).await),
            _ => panic!("no step: {step:?}"),
        }
    }
    heard
}

async fn until(stream: &mut BufReader<Box<dyn Stream>>, end: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    while !octets.ends_with(end) {
        match stream.read_u8().await {
            Ok(octet) => octets.push(octet),
            Err(_) => panic!("closed after {:?}", String::from_utf8_lossy(&octets)),
        }
    }
    octets
}

fn acceptor() -> TlsAcceptor {
    let chain = vec![CertificateDer::from_pem_slice(fixture("relay.pem").as_slice()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(fixture("relay.key").as_slice()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// A file of `tests/fixtures/smtp`.
pub fn fixture(name: &str) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/smtp");
    std::fs::read(folder.join(name)).unwrap()
}
