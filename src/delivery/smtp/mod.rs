//! One SMTP conversation at a time (RFC 5321): opens a connection to the relay, hands over one
//! message after another, and says of each exactly how far it came. The only room that knows
//! lettre.
//!
//! No database and no retries: what an outcome means for a message is decided by the outbox.
//! lettre writes commands and content and reads replies; the stream beneath it is ours ([`Relay`]
//! opens it), so that it is known which octets may have left, what the server really said, and that
//! it said nothing out of turn.

mod address;
mod connection;
mod content;
mod failure;
mod relay;
mod reply;
mod wire;

use std::time::Duration;

pub use connection::Connection;
pub use failure::{Failure, FailureKind, Stage};
pub use relay::{InvalidRelay, Relay};
pub use reply::{EnhancedCode, REPLY_TEXT_CHARS_MAX, Reply, mask_addresses};

/// Connecting, to one address of the relay, and the TLS handshake.
pub const CONNECT_SECONDS_MAX: u64 = 30;
/// Each command and its reply (RFC 5321 4.5.3.2.1 to 4.5.3.2.3).
pub const COMMAND_SECONDS_MAX: u64 = 5 * 60;
/// Writing the whole content. RFC 5321 4.5.3.2.5 gives three minutes to each block; a message of
/// this program is a few blocks.
pub const CONTENT_SECONDS_MAX: u64 = 10 * 60;
/// Waiting for the reply after the final dot (RFC 5321 4.5.3.2.6: not less than ten minutes, for
/// each message given up here may arrive twice).
pub const REPLY_SECONDS_MAX: u64 = 10 * 60;
/// QUIT and its reply; nothing depends on it any more.
pub const QUIT_SECONDS_MAX: u64 = 5;
/// How long a connection is kept for the next message. A server closes one that says nothing after
/// five minutes (RFC 5321 4.5.3.2.7), a busy Postfix after ten seconds.
pub const IDLE_SECONDS_MAX: u64 = 30;

/// How long each stage of a conversation may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageLimits {
    /// See [`CONNECT_SECONDS_MAX`].
    pub connect: Duration,
    /// See [`COMMAND_SECONDS_MAX`].
    pub command: Duration,
    /// See [`CONTENT_SECONDS_MAX`].
    pub content: Duration,
    /// See [`REPLY_SECONDS_MAX`].
    pub reply: Duration,
    /// See [`QUIT_SECONDS_MAX`].
    pub quit: Duration,
    /// See [`IDLE_SECONDS_MAX`].
    pub idle: Duration,
}

impl Default for StageLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(CONNECT_SECONDS_MAX),
            command: Duration::from_secs(COMMAND_SECONDS_MAX),
            content: Duration::from_secs(CONTENT_SECONDS_MAX),
            reply: Duration::from_secs(REPLY_SECONDS_MAX),
            quit: Duration::from_secs(QUIT_SECONDS_MAX),
            idle: Duration::from_secs(IDLE_SECONDS_MAX),
        }
    }
}

/// Who a message comes from and who it goes to, as the relay is told (RFC 5321 2.3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Where bounces go; empty for the null reverse-path `<>` (RFC 5321 4.5.5).
    pub return_path: String,
    /// The one recipient.
    pub recipient: String,
}
