//! The stream beneath lettre. It counts the octets that may have left, keeps what the server really
//! said, bounds it, and refuses to speak when the server has spoken out of turn.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

use super::reply::{RawReply, Reply};

/// The longest reply read, in octets, all its lines together.
const REPLY_OCTETS_MAX: usize = 64 * 1024;
/// How many replies of one operation are kept; opening needs three, signing in about as many.
const REPLIES_MAX: usize = 16;

/// The octets' way to the relay.
#[derive(Debug)]
pub(super) enum Line {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// What is known of a conversation, shared by the stream and the connection.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<Sight>);

#[derive(Debug, Default)]
struct Sight {
    /// Octets that may have left since the connection was opened. Never too few.
    sent: u64,
    last_sent: Option<Instant>,
    /// Replies since [`Seen::forget`], each as it came. A reply ends where we speak again.
    replies: Vec<Vec<u8>>,
    /// Whether we were the last to speak, so that what comes next begins a new reply.
    spoke_last: bool,
}

impl Seen {
    fn sight(&self) -> MutexGuard<'_, Sight> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the replies so far; the next operation begins.
    pub fn forget(&self) {
        self.sight().replies.clear();
    }

    /// How many octets may have left so far.
    pub fn sent(&self) -> u64 {
        self.sight().sent
    }

    /// When the last of them left.
    pub fn last_sent(&self) -> Option<Instant> {
        self.sight().last_sent
    }

    /// The replies of this operation that came whole, in their order.
    pub fn replies(&self) -> Vec<RawReply> {
        self.sight().replies.iter().filter_map(|octets| RawReply::parse(octets)).collect()
    }

    /// The one reply of this operation; none where it did not come whole.
    pub fn reply(&self) -> Option<RawReply> {
        self.sight().replies.first().and_then(|octets| RawReply::parse(octets))
    }

    /// The octets of the first reply of this operation.
    pub fn octets(&self) -> Vec<u8> {
        self.sight().replies.first().cloned().unwrap_or_default()
    }

    fn note_sent(&self, octets: usize) {
        let mut sight = self.sight();
        sight.sent += octets as u64;
        sight.last_sent = Some(Instant::now());
        sight.spoke_last = true;
    }

    fn note_heard(&self, octets: &[u8]) -> io::Result<()> {
        let mut sight = self.sight();
        if sight.spoke_last || sight.replies.is_empty() {
            if sight.replies.len() == REPLIES_MAX {
                sight.replies.remove(0);
            }
            sight.replies.push(Vec::with_capacity(octets.len()));
            sight.spoke_last = false;
        }
        let Some(reply) = sight.replies.last_mut() else { return Ok(()) };
        if reply.len() + octets.len() > REPLY_OCTETS_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the server's reply never ends",
            ));
        }
        reply.extend_from_slice(octets);
        Ok(())
    }
}

/// The stream that lettre is given.
#[derive(Debug)]
pub(super) struct Wire {
    line: Line,
    /// What is read before anything from the line: the greeting, when it came before TLS, for
    /// lettre waits for one.
    replay: Vec<u8>,
    seen: Arc<Seen>,
}

impl Wire {
    pub fn new(line: Line, replay: Vec<u8>) -> Self {
        Self { line, replay, seen: Arc::default() }
    }

    pub fn seen(&self) -> Arc<Seen> {
        Arc::clone(&self.seen)
    }

    pub fn into_line(self) -> Line {
        self.line
    }

    /// The first thing we say in our turn. If the server has said anything that nobody asked for, a
    /// late or second reply, then from here on each reply would be taken for the next one's.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.seen.sight().spoke_last {
            return Ok(());
        }
        let mut octets = [0; 512];
        let mut unasked = ReadBuf::new(&mut octets);
        match self.line.poll_read(cx, &mut unasked) {
            Poll::Pending => Ok(()),
            Poll::Ready(Err(error)) => Err(error),
            Poll::Ready(Ok(())) if unasked.filled().is_empty() => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the server closed the connection",
            )),
            Poll::Ready(Ok(())) => {
                // Not noted as heard: it must not be taken for a reply. Often a 421 before closing.
                let what = match RawReply::parse(unasked.filled()) {
                    Some(raw) => {
                        format!("the server spoke out of turn: {}", Reply::from_raw(&raw, &[]))
                    }
                    None => "the server spoke out of turn".to_owned(),
                };
                Err(io::Error::new(io::ErrorKind::InvalidData, what))
            }
        }
    }
}

impl Line {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Line::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Line::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if self.replay.is_empty() {
            ready!(self.line.poll_read(cx, buf))?;
        } else {
            let octets = self.replay.len().min(buf.remaining());
            buf.put_slice(&self.replay[..octets]);
            self.replay.drain(..octets);
        }
        let heard = &mut buf.filled_mut()[before..];
        if !heard.is_empty() {
            self.seen.note_heard(heard)?;
        }
        // lettre takes a reply that is not UTF-8 for a broken connection; a Latin-1 "è" after a 250
        // must not make a doubt. The reply is read from what was seen, so nothing is lost here.
        for octet in heard.iter_mut().filter(|octet| !octet.is_ascii()) {
            *octet = b'?';
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_silence(cx)?;
        let (written, left_on_error) = match &mut self.line {
            Line::Plain(stream) => (ready!(Pin::new(stream).poll_write(cx, buf)), 0),
            // TLS may have sent some of it before it failed.
            Line::Tls(stream) => (ready!(Pin::new(stream.as_mut()).poll_write(cx, buf)), buf.len()),
        };
        self.seen.note_sent(*written.as_ref().unwrap_or(&left_on_error));
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.line {
            Line::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Line::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.line {
            Line::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Line::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.line {
            Line::Plain(stream) => stream.peer_addr(),
            Line::Tls(stream) => stream.get_ref().0.peer_addr(),
        }
    }
}
