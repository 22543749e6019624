//! Lines, bounded in length and time.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader};
use tokio::time::timeout;

/// How much of a line that is too long is thrown away before the connection is given up, in octets.
const SKIPPED_OCTETS_MAX: usize = 1024 * 1024;

/// What stood before a line end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line without its CRLF.
    Whole(Vec<u8>),
    /// A line longer than allowed; it was thrown away up to its end.
    TooLong,
    /// A line with a CR or LF that stands alone (RFC 5321 2.3.8 forbids both); whether its own end
    /// is CRLF.
    BareLineEnd { crlf: bool },
}

/// A stream read line by line.
#[derive(Debug)]
pub(super) struct Lines<S> {
    stream: BufReader<S>,
    limit: Duration,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Lines<S> {
    pub fn new(stream: S, limit: Duration) -> Self {
        Self { stream: BufReader::new(stream), limit }
    }

    /// How long a line may take, and a reply.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// The stream, for writing.
    pub fn stream(&mut self) -> &mut S {
        self.stream.get_mut()
    }

    /// The next line of at most `octets_max` octets with its end; none where the client has closed.
    pub async fn next(&mut self, octets_max: usize) -> io::Result<Option<Line>> {
        match timeout(self.limit, self.read(octets_max)).await {
            Ok(line) => line,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    async fn read(&mut self, octets_max: usize) -> io::Result<Option<Line>> {
        let mut line = Vec::new();
        let mut skipped = 0;
        loop {
            let buffered = self.stream.fill_buf().await?;
            if buffered.is_empty() {
                return Ok(None);
            }
            let end = buffered.iter().position(|octet| *octet == b'\n');
            let taken = end.map_or(buffered.len(), |end| end + 1);
            if skipped == 0 && line.len() + taken <= octets_max {
                line.extend_from_slice(&buffered[..taken]);
            } else {
                skipped += taken;
            }
            self.stream.consume(taken);
            if skipped > SKIPPED_OCTETS_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if end.is_some() {
                return Ok(Some(if skipped > 0 { Line::TooLong } else { whole(line) }));
            }
        }
    }
}

fn whole(mut line: Vec<u8>) -> Line {
    if !line.ends_with(b"\r\n") {
        return Line::BareLineEnd { crlf: false };
    }
    line.truncate(line.len() - 2);
    if line.contains(&b'\r') { Line::BareLineEnd { crlf: true } } else { Line::Whole(line) }
}
