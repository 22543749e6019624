//! What can go wrong in a conversation, and what that means for the message it happened to.

use std::fmt;

use super::reply::Reply;

/// How far a conversation came; the ledger keeps it with each attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Looking up the name, connecting, waiting for the greeting.
    Connect,
    /// STARTTLS and the TLS handshake.
    Tls,
    /// EHLO.
    Hello,
    /// AUTH.
    Auth,
    /// MAIL FROM, and what is looked at before it.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA, up to the 354 and the record that the content begins.
    Data,
    /// The content, as long as its final dot cannot have left.
    Content,
    /// From the final dot, which may have left, to the reply.
    Reply,
}

impl Stage {
    /// The word the ledger keeps.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Connect => "connect",
            Stage::Tls => "tls",
            Stage::Hello => "hello",
            Stage::Auth => "auth",
            Stage::Mail => "mail",
            Stage::Rcpt => "rcpt",
            Stage::Data => "data",
            Stage::Content => "content",
            Stage::Reply => "reply",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a failure means for the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The server does not have it; trying again may help.
    Temporary,
    /// The server does not have it and, as it is, never will.
    Permanent,
    /// Nobody can know whether the server has it (RFC 1047).
    Doubt,
    /// The caller said no before the content; the server does not have it.
    Refused,
}

/// A conversation that did not end with a message accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{stage}: {what}")]
pub struct Failure {
    /// Where it happened.
    pub stage: Stage,
    /// What it means for the message.
    pub kind: FailureKind,
    /// What the server said, where it said something.
    pub reply: Option<Reply>,
    /// What happened, for a person to read; no addresses.
    pub what: String,
}

impl Failure {
    pub(super) fn new(stage: Stage, kind: FailureKind, what: impl Into<String>) -> Self {
        Self { stage, kind, reply: None, what: what.into() }
    }

    pub(super) fn temporary(stage: Stage, what: impl Into<String>) -> Self {
        Self::new(stage, FailureKind::Temporary, what)
    }

    pub(super) fn permanent(stage: Stage, what: impl Into<String>) -> Self {
        Self::new(stage, FailureKind::Permanent, what)
    }

    /// A failure by what the server said.
    pub(super) fn replied(stage: Stage, kind: FailureKind, reply: Reply) -> Self {
        let what = if reply.is_refusal() {
            reply.to_string()
        } else {
            format!("unexpected reply: {reply}")
        };
        Self { stage, kind, reply: Some(reply), what }
    }

    /// The server does not have the message; trying again may help.
    pub fn is_temporary(&self) -> bool {
        self.kind == FailureKind::Temporary
    }

    /// The server does not have the message and never will.
    pub fn is_permanent(&self) -> bool {
        self.kind == FailureKind::Permanent
    }

    /// Nobody can know whether the server has the message.
    pub fn is_doubt(&self) -> bool {
        self.kind == FailureKind::Doubt
    }

    /// The connection ended before MAIL was answered, or the server said then that it closes it
    /// (421, RFC 5321 3.8): the message had no part in that.
    pub fn is_goodbye(&self) -> bool {
        self.is_temporary()
            && self.stage == Stage::Mail
            && self.reply.as_ref().is_none_or(Reply::closes)
    }

    /// The caller said no before the content.
    pub fn is_refused(&self) -> bool {
        self.kind == FailureKind::Refused
    }
}
