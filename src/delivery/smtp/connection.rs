//! One connection: message after message, as long as both sides keep to the protocol.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Quit, Rcpt, Rset};
use lettre::transport::smtp::extension::MailParameter;
use lettre::transport::smtp::response::Response;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout, timeout_at};

use super::address::wire_address;
use super::content::Content;
use super::failure::{Failure, FailureKind, Stage};
use super::reply::{RawReply, Reply};
use super::wire::Seen;
use super::{Envelope, StageLimits};

/// What the server announced in its reply to EHLO (RFC 5321 4.1.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Offers {
    pub start_tls: bool,
    pub smtp_utf8: bool,
    /// SIZE was announced, so MAIL may carry it.
    pub size: bool,
    /// The largest message it takes, in octets, where it says (RFC 1870 4: 0 says nothing).
    pub size_octets_max: Option<u64>,
    /// How many messages it takes on one connection, where it says (LIMITS, RFC 9422 4.1).
    pub messages_max: Option<u32>,
}

impl Offers {
    /// From the last of `replies`, the one to EHLO.
    pub fn read(replies: &[RawReply]) -> Self {
        let mut offers = Self::default();
        // The first line is the server's name.
        for line in replies.last().iter().flat_map(|reply| reply.lines.iter().skip(1)) {
            let mut words = line.split_whitespace();
            match words.next().unwrap_or_default().to_ascii_uppercase().as_str() {
                "STARTTLS" => offers.start_tls = true,
                "SMTPUTF8" => offers.smtp_utf8 = true,
                "SIZE" => {
                    offers.size = true;
                    offers.size_octets_max =
                        words.next().and_then(|word| word.parse().ok()).filter(|max| *max > 0);
                }
                "LIMITS" => {
                    let mut limits = words.filter_map(|word| word.split_once('='));
                    let max = limits.find(|(name, _)| name.eq_ignore_ascii_case("MAILMAX"));
                    offers.messages_max =
                        max.and_then(|(_, max)| max.parse().ok()).filter(|max| *max > 0);
                }
                _ => {}
            }
        }
        offers
    }
}

/// An open connection, signed in.
///
/// After a time-out, an I/O error, an unexpected reply or a 421 it is dead and closed: a late reply
/// must never be read as the next message's. A [`Connection::send`] that is dropped half-way takes
/// the connection with it for the same reason.
pub struct Connection {
    offers: Offers,
    /// None once the connection is dead, and while a message is under way.
    talk: Option<Talk>,
}

impl Connection {
    pub(super) fn new(
        smtp: AsyncSmtpConnection,
        seen: Arc<Seen>,
        offers: Offers,
        limits: StageLimits,
    ) -> Self {
        Self { offers, talk: Some(Talk { smtp, seen, limits }) }
    }

    /// Whether another message can be sent. False after any time-out, I/O error, unexpected reply
    /// or 421.
    pub fn is_usable(&self) -> bool {
        self.talk.is_some()
    }

    /// Hands over one message: MAIL, RCPT, DATA; after the 354 it awaits `before_content`, which
    /// records durably that the content begins, and if that says yes sends content and dot and
    /// reads the reply. `content` is 7-bit with CRLF line ends; dots are doubled here.
    ///
    /// 250 after the dot is success and nothing else. Another 2yz or 3yz there may be "yes" in
    /// other words (RFC 5321 4.2.1 reads the first digit) or the reply to something else; both can
    /// be, so it is a doubt.
    ///
    /// # Errors
    /// Permanent: 5yz about the message, or a message that cannot be said to this server at all.
    /// Temporary: 4yz, or the connection broke while the final dot cannot have left. Doubt: it
    /// broke after. Refused: `before_content` said no; the connection is closed, the only way to
    /// end DATA without a message (RFC 5321 3.8).
    pub async fn send<F, Fut>(
        &mut self,
        envelope: &Envelope,
        content: &[u8],
        before_content: F,
    ) -> Result<Reply, Failure>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = bool>,
    {
        let parcel = Parcel::new(envelope, content, self.offers)?;
        let Some(mut talk) = self.talk.take() else {
            return Err(Failure::temporary(Stage::Mail, "the connection is closed"));
        };
        let (outcome, after) = match talk.up_to_data(&parcel).await {
            Err(stopped) => stopped.into_outcome(),
            Ok(()) if !before_content().await => {
                let what = "given up before the content";
                (Err(Failure::new(Stage::Data, FailureKind::Refused, what)), After::Close)
            }
            Ok(()) => talk.content(&parcel).await,
        };
        let keep = match after {
            After::Keep => true,
            After::Reset => talk.reset().await,
            After::Close => false,
        };
        self.talk = keep.then_some(talk);
        outcome
    }

    /// How many messages the server takes on one connection, where it says.
    pub fn messages_max(&self) -> Option<u32> {
        self.offers.messages_max
    }

    /// Says goodbye, if there is still someone to say it to.
    pub async fn quit(self) {
        if let Some(mut talk) = self.talk {
            let _ = timeout(talk.limits.quit, talk.smtp.command(Quit)).await;
        }
    }
}

/// A message looked over and found fit for this server.
struct Parcel<'a> {
    mail: Mail,
    rcpt: Rcpt,
    recipient: Address,
    return_path: Option<Address>,
    content: Content<'a>,
}

impl<'a> Parcel<'a> {
    fn new(envelope: &Envelope, content: &'a [u8], offers: Offers) -> Result<Self, Failure> {
        let refused = |stage, what: &dyn Display| Failure::permanent(stage, what.to_string());
        let content = Content::new(content).map_err(|error| refused(Stage::Mail, &error))?;
        let recipient =
            wire_address(&envelope.recipient).map_err(|error| refused(Stage::Rcpt, &error))?;
        let return_path = match envelope.return_path.as_str() {
            "" => None,
            path => Some(wire_address(path).map_err(|error| refused(Stage::Mail, &error))?),
        };
        if offers.size_octets_max.is_some_and(|max| content.size as u64 > max) {
            let what = format!("{} octets are more than the relay takes", content.size);
            return Err(Failure::permanent(Stage::Mail, what));
        }
        let mut parameters = Vec::new();
        if offers.size {
            parameters.push(MailParameter::Size(content.size));
        }
        let beyond_ascii = |address: &Address| !address.user().is_ascii();
        if beyond_ascii(&recipient) || return_path.as_ref().is_some_and(beyond_ascii) {
            if !offers.smtp_utf8 {
                let what = "the address needs SMTPUTF8, which the relay does not offer";
                return Err(Failure::permanent(Stage::Rcpt, what));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        let mail = Mail::new(return_path.clone(), parameters);
        let rcpt = Rcpt::new(recipient.clone(), Vec::new());
        Ok(Self { mail, rcpt, recipient, return_path, content })
    }

    /// A reply that keeps nothing of the two addresses.
    fn reply(&self, raw: &RawReply) -> Reply {
        let return_path = self.return_path.as_ref().map_or("", |address| address.user());
        Reply::from_raw(raw, &[self.recipient.user(), return_path])
    }
}

/// What becomes of the connection.
#[derive(Clone, Copy)]
enum After {
    Keep,
    Reset,
    Close,
}

/// A transaction that ended before the content.
struct Stopped {
    failure: Failure,
    after: After,
}

impl Stopped {
    fn into_outcome(self) -> (Result<Reply, Failure>, After) {
        (Err(self.failure), self.after)
    }
}

/// The conversation itself; dropping it closes the connection.
struct Talk {
    smtp: AsyncSmtpConnection,
    seen: Arc<Seen>,
    limits: StageLimits,
}

impl Talk {
    async fn up_to_data(&mut self, parcel: &Parcel<'_>) -> Result<(), Stopped> {
        self.step(Stage::Mail, &parcel.mail, &[250], parcel).await?;
        // 251: the server forwards (RFC 5321 3.4).
        self.step(Stage::Rcpt, &parcel.rcpt, &[250, 251], parcel).await?;
        self.step(Stage::Data, Data, &[354], parcel).await
    }

    async fn step(
        &mut self,
        stage: Stage,
        command: impl Display,
        expected: &[u16],
        parcel: &Parcel<'_>,
    ) -> Result<(), Stopped> {
        let limit = self.limits.command;
        let stopped = |failure, after| Err(Stopped { failure, after });
        match self.ask(limit, command).await {
            Ok(raw) if expected.contains(&raw.code) && !raw.more => Ok(()),
            Ok(raw) => {
                let reply = parcel.reply(&raw);
                let goes_on = reply.is_refusal() && !reply.closes() && !raw.more;
                let after = if goes_on { After::Reset } else { After::Close };
                stopped(Failure::replied(stage, kind_of(&reply), reply), after)
            }
            Err(what) => stopped(Failure::temporary(stage, what), After::Close),
        }
    }

    /// Says a command and waits for its reply; an error says why there is none.
    async fn ask(&mut self, limit: Duration, command: impl Display) -> Result<RawReply, String> {
        self.seen.forget();
        let ended = timeout(limit, self.smtp.command(command)).await;
        match (self.heard(&ended), ended) {
            (Some(reply), _) => Ok(reply),
            (None, Err(_)) => Err(format!("no reply within {limit:?}")),
            (None, Ok(Err(error))) => Err(error.to_string()),
            (None, Ok(Ok(_))) => Err("the reply cannot be understood".to_owned()),
        }
    }

    /// The reply to what was just said. What the stream saw is the truth: lettre takes a reply it
    /// cannot read, without text or with a code it does not know, for a broken connection.
    fn heard<E>(&self, ended: &Result<Result<Response, Error>, E>) -> Option<RawReply> {
        let mut reply = self.seen.reply()?;
        let in_step = match ended {
            Ok(Ok(_)) => true,
            // Of a reply it could not read it has read the first line.
            Ok(Err(error)) => error.status().is_some() || reply.lines.len() == 1,
            Err(_) => false,
        };
        reply.more |= !in_step;
        Some(reply)
    }

    /// Sends content and dot and reads the reply.
    async fn content(&mut self, parcel: &Parcel<'_>) -> (Result<Reply, Failure>, After) {
        self.seen.forget();
        let before = self.seen.sent();
        let ended = self.write_content(parcel, before).await;
        let Some(raw) = self.heard(&ended) else {
            let broke = match ended {
                Ok(Ok(_)) => "the reply cannot be understood".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no reply to the content in time".to_owned(),
            };
            let failure = if parcel.content.dot_may_have_left(self.seen.sent() - before) {
                Failure::new(Stage::Reply, FailureKind::Doubt, broke)
            } else {
                Failure::temporary(Stage::Content, broke)
            };
            return (Err(failure), After::Close);
        };
        let reply = parcel.reply(&raw);
        // The reply ends the transaction, a refusal too (RFC 5321 4.1.1.4): no RSET is needed.
        let after = if reply.closes() || raw.more { After::Close } else { After::Keep };
        match reply.code {
            250 => (Ok(reply), after),
            400..600 => (Err(Failure::replied(Stage::Reply, kind_of(&reply), reply)), after),
            _ => (Err(Failure::replied(Stage::Reply, FailureKind::Doubt, reply)), After::Close),
        }
    }

    /// Gives lettre the content, under the limits of content and reply.
    async fn write_content(
        &mut self,
        parcel: &Parcel<'_>,
        before: u64,
    ) -> Result<Result<Response, Error>, Elapsed> {
        let StageLimits { content: content_limit, reply: reply_limit, .. } = self.limits;
        let message = self.smtp.message(parcel.content.body);
        tokio::pin!(message);
        let ended = timeout_at(Instant::now() + content_limit, &mut message).await;
        if ended.is_err() && parcel.content.dot_may_have_left(self.seen.sent() - before) {
            let dot = self.seen.last_sent().unwrap_or_else(Instant::now);
            return timeout_at(dot + reply_limit, &mut message).await;
        }
        ended
    }

    /// Ends a transaction that was refused (RFC 5321 4.1.1.5); says whether the next may begin.
    async fn reset(&mut self) -> bool {
        let said = self.ask(self.limits.command, Rset).await;
        said.is_ok_and(|reply| reply.code == 250 && !reply.more)
    }
}

/// Refusals of whoever is talking, not of the message: the relay wants one to sign in (RFC 4954 6)
/// or takes no mail at all (RFC 7504 3). A wrong setting must not fail every message for good.
const ABOUT_THE_RELAY: [u16; 5] = [521, 530, 534, 535, 538];

/// What a reply means for the message where it is not the wanted one.
fn kind_of(reply: &Reply) -> FailureKind {
    match reply.code {
        code if ABOUT_THE_RELAY.contains(&code) => FailureKind::Temporary,
        500..600 => FailureKind::Permanent,
        _ => FailureKind::Temporary,
    }
}
