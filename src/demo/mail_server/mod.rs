//! A small but real receiving mail server (RFC 5321): what the demo's mail is delivered to. It
//! relays nothing and believes everyone; it is meant for loopback.

mod lines;
mod session;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::demo::mailbox::Mailbox;
use lines::{Line, Lines};
use session::{Next, Session};

/// How many connections are served at once; one more is told to come back (421).
pub const CONNECTIONS_MAX: usize = 50;
/// The largest message taken, in octets; announced with SIZE (RFC 1870).
pub const MESSAGE_OCTETS_MAX: usize = 2 * 1024 * 1024;
/// How many recipients a message may have (RFC 5321 4.5.3.1.8 asks for a hundred).
pub const RECIPIENTS_MAX: usize = 100;
/// How long a command, or a line of content, may be awaited, in seconds (RFC 5321 4.5.3.2.7).
pub const COMMAND_SECONDS_MAX: u64 = 5 * 60;
/// How many commands in a connection may be wrong before it is closed.
pub const ERRORS_MAX: usize = 20;

/// The longest command line, with its CRLF, in octets (RFC 5321 4.5.3.1.4, and room for
/// parameters).
const COMMAND_LINE_OCTETS_MAX: usize = 1024;
/// The longest line of content, with doubled dot and CRLF, in octets (RFC 5321 4.5.3.1.6).
const CONTENT_LINE_OCTETS_MAX: usize = 1001;

/// What the server allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// See [`CONNECTIONS_MAX`].
    pub connections: usize,
    /// See [`MESSAGE_OCTETS_MAX`].
    pub message_octets: usize,
    /// See [`RECIPIENTS_MAX`].
    pub recipients: usize,
    /// See [`COMMAND_SECONDS_MAX`].
    pub command: Duration,
    /// See [`ERRORS_MAX`].
    pub errors: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS_MAX,
            message_octets: MESSAGE_OCTETS_MAX,
            recipients: RECIPIENTS_MAX,
            command: Duration::from_secs(COMMAND_SECONDS_MAX),
            errors: ERRORS_MAX,
        }
    }
}

/// A server that has its port and is ready to serve.
#[derive(Debug)]
pub struct MailServer {
    listener: TcpListener,
    limits: ServerLimits,
}

impl MailServer {
    /// Takes the port; port 0 takes any free one.
    ///
    /// # Errors
    /// The port is taken or may not be used.
    pub async fn bind(address: SocketAddr, limits: ServerLimits) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, limits })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves for ever: ends, with its connections, when it is dropped.
    pub async fn serve(self, mailbox: Arc<Mailbox>, clock: Clock) {
        let places = Arc::new(Semaphore::new(self.limits.connections));
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of descriptors, or a client that left in the queue: the next may do
                    // better, but not at once.
                    tracing::warn!(%error, "the mail server could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                turn_away(&stream);
                continue;
            };
            let (mailbox, clock, limits) = (Arc::clone(&mailbox), clock.clone(), self.limits);
            connections.spawn(async move {
                let _ = stream.set_nodelay(true);
                // An error is a client that left or was too slow; there is nobody to tell.
                let _ = converse(stream, &mailbox, &clock, limits).await;
                drop(place);
            });
        }
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Tells a client that there is no room, if that fits in the socket's buffer, and lets it go.
fn turn_away(stream: &TcpStream) {
    let _ = stream.try_write(b"421 4.3.2 Too many connections, come back later\r\n");
}

/// One connection, from greeting to goodbye.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    mailbox: &Mailbox,
    clock: &Clock,
    limits: ServerLimits,
) -> io::Result<()> {
    let mut lines = Lines::new(stream, limits.command);
    let mut session = Session::new(limits);
    say(&mut lines, "220 banditore.invalid ESMTP demo\r\n").await?;
    let mut errors = 0;
    while errors <= limits.errors {
        let answer = match lines.next(COMMAND_LINE_OCTETS_MAX).await {
            Ok(Some(Line::Whole(line))) => session.command(&line),
            Ok(Some(Line::TooLong)) => session::LINE_TOO_LONG.into(),
            Ok(Some(Line::BareLineEnd { .. })) => session::BARE_LINE_END.into(),
            Ok(None) => return Ok(()),
            Err(error) => return give_up(&mut lines, error).await,
        };
        errors += usize::from(answer.is_error());
        say(&mut lines, &answer.text).await?;
        match answer.next {
            Next::Command => {}
            Next::Quit => return Ok(()),
            Next::Content => {
                let content = match content(&mut lines, limits).await {
                    Ok(content) => content,
                    Err(error) => return give_up(&mut lines, error).await,
                };
                let reply = match (session.take(), content) {
                    (Some(mail), Ok(source)) => {
                        let number =
                            mailbox.put(clock.now(), mail.return_path, mail.recipients, source);
                        format!("250 2.0.0 Kept as number {number}\r\n")
                    }
                    (_, Err(refusal)) => refusal.to_owned(),
                    (None, _) => session::NO_TRANSACTION.to_owned(),
                };
                errors += usize::from(!reply.starts_with('2'));
                say(&mut lines, &reply).await?;
            }
        }
    }
    say(&mut lines, "421 4.7.0 Too many errors\r\n").await
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(
    lines: &mut Lines<S>,
    reply: &str,
) -> io::Result<()> {
    let limit = lines.limit();
    timeout(limit, lines.stream().write_all(reply.as_bytes())).await?
}

/// Says why the connection ends (RFC 5321 3.8), if anyone still listens.
async fn give_up<S: AsyncRead + AsyncWrite + Unpin>(
    lines: &mut Lines<S>,
    error: io::Error,
) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::TimedOut => say(lines, "421 4.4.2 Nothing heard, closing\r\n").await,
        io::ErrorKind::InvalidData => say(lines, "421 4.7.0 Too much of it, closing\r\n").await,
        _ => Err(error),
    }
}

/// Reads content up to its final dot, dots undoubled (RFC 5321 4.5.2). The inner error is the reply
/// to content that is not taken.
async fn content<S: AsyncRead + AsyncWrite + Unpin>(
    lines: &mut Lines<S>,
    limits: ServerLimits,
) -> io::Result<Result<Vec<u8>, &'static str>> {
    let mut content = Vec::new();
    let mut refusal = None;
    let mut whole_line_before = true;
    // Content that is not taken is read on to its dot, but not for ever.
    let mut octets_left = limits.message_octets.saturating_mul(4);
    loop {
        let line = lines.next(CONTENT_LINE_OCTETS_MAX).await?;
        match line {
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
            // Only CRLF . CRLF ends content: after a bare LF the dot is content, and refused.
            Some(Line::Whole(line)) if line == b"." && whole_line_before => {
                return Ok(refusal.map_or(Ok(content), Err));
            }
            Some(Line::Whole(line)) => {
                whole_line_before = true;
                octets_left = octets_left.saturating_sub(line.len() + 2);
                let line = line.strip_prefix(b".").unwrap_or(&line);
                if content.len() + line.len() + 2 > limits.message_octets {
                    refusal = refusal.or(Some(session::MESSAGE_TOO_LARGE));
                } else if refusal.is_none() {
                    content.extend_from_slice(line);
                    content.extend_from_slice(b"\r\n");
                }
            }
            Some(Line::TooLong) => {
                whole_line_before = true;
                octets_left = octets_left.saturating_sub(CONTENT_LINE_OCTETS_MAX);
                refusal = refusal.or(Some(session::CONTENT_LINE_TOO_LONG));
            }
            Some(Line::BareLineEnd { crlf }) => {
                whole_line_before = crlf;
                octets_left = octets_left.saturating_sub(CONTENT_LINE_OCTETS_MAX);
                refusal = refusal.or(Some(session::CONTENT_BARE_LINE_END));
            }
        }
        if octets_left == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}
