//! The body of an answer: unpacked within bounds of octets, on the wire and after.

use std::io;
use std::pin::Pin;

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use reqwest::Response;
use reqwest::header::CONTENT_ENCODING;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncReadExt as _};
use tokio_util::io::StreamReader;

/// The packings that are asked for (RFC 9110 12.5.3).
pub(super) const ACCEPTED_ENCODINGS: &str = "zstd, br, gzip";

/// The largest window of zstd, as a power of two: 8 MiB (RFC 9659 3). A larger one would let an
/// answer say how much memory it takes.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// How many octets are unpacked at a time.
const CHUNK_OCTETS: usize = 32 * 1024;

/// Why a body could not be read.
#[derive(Debug)]
pub(super) enum BodyError {
    /// More octets than the limit, which is given.
    TooLarge(usize),
    /// What the network said.
    Network(reqwest::Error),
    /// The body cannot be unpacked, or in a way that was not asked for.
    Packing(String),
}

/// What the stream fails with when it has brought too much.
#[derive(Debug, thiserror::Error)]
#[error("more octets than the limit")]
struct TooMuch;

/// Reads and unpacks a body of at most `wire_max` octets, which may become `body_max`.
pub(super) async fn read_body(
    response: Response,
    wire_max: usize,
    body_max: usize,
) -> Result<Bytes, BodyError> {
    let encoding = response.headers().get(CONTENT_ENCODING);
    let encoding = encoding.map(|value| value.to_str().unwrap_or("?").trim().to_ascii_lowercase());
    let packed = encoding.as_deref().is_some_and(|name| !matches!(name, "" | "identity"));
    let wire_max = if packed { wire_max } else { wire_max.min(body_max) };
    if response.content_length().is_some_and(|length| length > wire_max as u64) {
        return Err(BodyError::TooLarge(wire_max));
    }
    let mut octets = 0;
    let stream = response.bytes_stream().map(move |chunk| {
        let chunk = chunk.map_err(io::Error::other)?;
        octets += chunk.len();
        // What unpacks to nothing can go on for ever all the same.
        if octets > wire_max { Err(io::Error::other(TooMuch)) } else { Ok(chunk) }
    });
    let reader = unpacking(StreamReader::new(stream), encoding.as_deref().unwrap_or_default())?;
    collect(reader, body_max).await.map_err(|error| match error {
        Collecting::TooLarge => BodyError::TooLarge(body_max),
        Collecting::Io(error) => read_error(error, wire_max),
    })
}

type Reader = Pin<Box<dyn AsyncRead + Send>>;

fn unpacking(
    packed: impl AsyncBufRead + Send + 'static,
    encoding: &str,
) -> Result<Reader, BodyError> {
    Ok(match encoding {
        "" | "identity" => Box::pin(packed),
        "gzip" | "x-gzip" => {
            let mut gzip = GzipDecoder::new(packed);
            // A file of gzip may have several members (RFC 1952 2.2).
            gzip.multiple_members(true);
            Box::pin(gzip)
        }
        "br" => Box::pin(BrotliDecoder::new(packed)),
        "zstd" => {
            let window = [DParameter::window_log_max(ZSTD_WINDOW_LOG_MAX)];
            Box::pin(ZstdDecoder::with_params(packed, &window))
        }
        other => {
            let other: String = other.chars().filter(|c| !c.is_control()).take(40).collect();
            return Err(BodyError::Packing(format!("packed as {other}, which nobody asked for")));
        }
    })
}

enum Collecting {
    TooLarge,
    Io(io::Error),
}

async fn collect(mut reader: Reader, body_max: usize) -> Result<Bytes, Collecting> {
    let mut bytes = BytesMut::new();
    loop {
        bytes.reserve(CHUNK_OCTETS);
        if reader.read_buf(&mut bytes).await.map_err(Collecting::Io)? == 0 {
            return Ok(bytes.freeze());
        }
        if bytes.len() > body_max {
            return Err(Collecting::TooLarge);
        }
    }
}

fn read_error(error: io::Error, wire_max: usize) -> BodyError {
    if error.get_ref().is_some_and(|inner| inner.is::<TooMuch>()) {
        return BodyError::TooLarge(wire_max);
    }
    match error.downcast::<reqwest::Error>() {
        Ok(error) => BodyError::Network(error),
        Err(error) => BodyError::Packing(format!("it cannot be unpacked: {error}")),
    }
}
