//! Messages and attempts: the outbox and the ledger. Written by `delivery`; `editions` writes new
//! messages and cancels waiting ones.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::model::Timestamp;

use super::value::{Row, json, values};
use super::{Bell, StoreError, Tx, outbox, statements};

statements! {
    DUE = "SELECT m.id, m.edition_id, m.subscriber_id, m.subscription_id, m.variant_id,
            m.attempts, m.expires_at, m.created_at, e.released_at, l.in_doubt, l.sender, p.address,
            s.state AS subscription_state, x.cause AS suppressed,
            (SELECT count(*) FROM attempt a
                WHERE a.message_id = m.id AND a.outcome = 'in_doubt') AS doubts
        FROM message m
        JOIN edition e ON e.id = m.edition_id
        JOIN list l ON l.id = e.list_id
        JOIN subscriber p ON p.id = m.subscriber_id
        JOIN subscription s ON s.id = m.subscription_id
        LEFT JOIN suppression x ON x.address_hash = p.address_hash
        WHERE m.edition_id = $1 AND m.state IN ('queued', 'deferred') AND m.next_try_at <= $2
        ORDER BY m.next_try_at, m.id LIMIT $3" + { postgres: "FOR UPDATE OF m SKIP LOCKED" };
    END_UNSENT = "UPDATE message SET state = $2, cause = $3, ended_at = $4
        WHERE id = $1 AND state IN ('waiting', 'queued', 'deferred')";
    PUT_OFF = "UPDATE message SET next_try_at = $2
        WHERE id = $1 AND state IN ('queued', 'deferred')";
    NEXT_TRY = "SELECT min(d.at) AS at FROM (
            SELECT min(m.next_try_at) AS at FROM edition e JOIN message m ON m.edition_id = e.id
                WHERE e.state = 'open' AND m.state IN ('queued', 'deferred')
            UNION ALL SELECT min(next_try_at) AS at FROM message
                WHERE edition_id IS NULL AND state IN ('queued', 'deferred')) d";
    UNDER_WAY = "SELECT count(*) AS n FROM message WHERE state = 'sending'";
    COUNTS = "SELECT state, count(*) AS n FROM message WHERE edition_id = $1 GROUP BY state";
    MESSAGES = "SELECT * FROM message WHERE edition_id IS NOT NULL AND id > $1
        ORDER BY id LIMIT $2";
    MESSAGES_IN_STATE = "SELECT * FROM message WHERE edition_id IS NOT NULL AND state = $3
        AND id > $1 ORDER BY id LIMIT $2";
    MESSAGE = "SELECT * FROM message WHERE id = $1 AND edition_id IS NOT NULL";
    MESSAGE_OF = "SELECT * FROM message WHERE edition_id = $1 AND subscriber_id = $2";
    MESSAGES_OF_SUBSCRIBER = "SELECT * FROM message WHERE subscriber_id = $1
        AND edition_id IS NOT NULL ORDER BY id";
    ATTEMPTS = "SELECT * FROM attempt WHERE message_id = $1 ORDER BY number";
    DOUBTS = "SELECT a.message_id, a.number, a.ended_at, m.subscriber_id, m.edition_id, m.state
        FROM attempt a JOIN message m ON m.id = a.message_id
        WHERE a.outcome = 'in_doubt' AND m.edition_id = $1 ORDER BY a.message_id, a.number";
    CANCEL_WAITING = "UPDATE message SET state = 'cancelled', cause = $2, ended_at = $3
        WHERE id = $1 AND state = 'waiting'";
    WAITING_OF = "SELECT m.* FROM subscription s
        JOIN message m ON m.subscriber_id = s.subscriber_id AND m.subscription_id = s.id
        WHERE s.id = $1 AND m.state = 'waiting' ORDER BY m.id";
    RELEASE_WAITING = "UPDATE message SET state = 'queued' WHERE edition_id = $1
        AND state = 'waiting'";
    DROP_WAITING = "UPDATE message SET state = 'dropped', cause = $2, ended_at = $3
        WHERE edition_id = $1 AND state = 'waiting'";
    PIN_REFUSED = "UPDATE subscription SET cursor = (SELECT m.window_start FROM message m
            WHERE m.edition_id = $1 AND m.subscriber_id = subscription.subscriber_id)
        WHERE id IN (SELECT subscription_id FROM message WHERE edition_id = $1
            AND state = 'waiting')
            AND (cursor IS NULL OR cursor > (SELECT m.window_start FROM message m
                WHERE m.edition_id = $1 AND m.subscriber_id = subscription.subscriber_id))";
    CANCEL_REFUSED = "UPDATE message SET state = 'cancelled', cause = 'refused', ended_at = $2
        WHERE edition_id = $1 AND state = 'waiting'";
    RESEND_BY_NAME = "UPDATE message SET state = 'queued', cause = $2, next_try_at = $3,
            expires_at = $4, ended_at = NULL
        WHERE id = $1 AND state IN ('held', 'failed', 'expired', 'dropped')
            AND EXISTS (SELECT 1 FROM edition e
                WHERE e.id = message.edition_id AND e.state = 'open')";
    DROP_BY_NAME = "UPDATE message SET state = 'dropped', cause = $2, ended_at = $3
        WHERE id = $1 AND state IN ('held', 'waiting')";
}

/// Where a message stands; the design's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageState {
    /// Written, and its edition waits for approval.
    Waiting,
    /// To be sent.
    Queued,
    /// A worker has it.
    Sending,
    /// Refused for now; tried again later.
    Deferred,
    /// The relay has it.
    Accepted,
    /// Refused for good.
    Failed,
    /// Too old to be sent.
    Expired,
    /// Not to be sent: left, erased, suppressed, withdrawn, changed, refused.
    Cancelled,
    /// Nobody knows whether the relay has it; the list's policy decides at once.
    InDoubt,
    /// In doubt, and kept for a person to decide.
    Held,
    /// Given up, by a named person or by the list's policy.
    Dropped,
}

impl MessageState {
    /// Every state.
    pub const ALL: [MessageState; 11] = [
        Self::Waiting,
        Self::Queued,
        Self::Sending,
        Self::Deferred,
        Self::Accepted,
        Self::Failed,
        Self::Expired,
        Self::Cancelled,
        Self::InDoubt,
        Self::Held,
        Self::Dropped,
    ];

    /// The word in the database, in commands and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Deferred => "deferred",
            Self::Accepted => "accepted",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::InDoubt => "in_doubt",
            Self::Held => "held",
            Self::Dropped => "dropped",
        }
    }
}

impl fmt::Display for MessageState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for MessageState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            format!("{text:?} is no state of a message; the states are {known}")
        })
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// 250 after the dot.
    Accepted,
    /// A refusal for now, or a failure before the content.
    Deferred,
    /// A refusal for good.
    Failed,
    /// The dot may have been written and no reply was read.
    InDoubt,
    /// Its worker ended before the content began.
    Released,
}

impl Outcome {
    /// The word in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Deferred => "deferred",
            Self::Failed => "failed",
            Self::InDoubt => "in_doubt",
            Self::Released => "released",
        }
    }
}

/// What a message tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageOf {
    /// An edition, to a subscription.
    Edition {
        /// Which.
        edition: i64,
        /// Whose.
        subscription: i64,
        /// What it says to them.
        variant: i64,
    },
    /// A notice.
    Notice {
        /// Which.
        notice: i64,
    },
}

/// A message that is due, with all that its delivery asks for.
#[derive(Clone, Debug)]
pub struct ClaimedMessage {
    /// Its id.
    pub id: i64,
    /// What it tells.
    pub of: MessageOf,
    /// Its subscriber.
    pub subscriber_id: i64,
    /// The number of the attempt that this claim begins.
    pub attempt: i64,
    /// When it is too old to be sent.
    pub expires_at: Timestamp,
    /// When its edition's messages could go out for the first time.
    pub released_at: Option<Timestamp>,
    /// When it was written; the mail's Date.
    pub created_at: Timestamp,
    /// The list's policy for doubt.
    pub in_doubt: String,
    /// How many attempts of it have ended in doubt so far.
    pub doubts: i64,
    /// The address; none where it was erased.
    pub address: Option<String>,
    /// The mailbox that the list's mail is from.
    pub sender: String,
    /// `active`, `paused` or `ended`; none for a notice.
    pub subscription_state: Option<String>,
    /// Why the address is suppressed, if so.
    pub suppressed: Option<String>,
}

/// What an attempt came to, to be recorded.
#[derive(Clone, Debug, Serialize)]
pub struct OutcomeRow {
    /// The message.
    pub message: i64,
    /// The attempt's number: the fence. An outcome of another attempt changes nothing.
    pub attempt: i64,
    /// How it ended.
    pub outcome: &'static str,
    /// The message's state from now on.
    pub state: &'static str,
    /// Why, where the state is final.
    pub cause: Option<String>,
    /// When it is tried again.
    pub next_try_at: i64,
    /// The stage that was reached.
    pub stage: &'static str,
    /// The relay's reply code.
    pub code: Option<i64>,
    /// The relay's reply, or what broke, with addresses masked.
    pub reply: String,
}

/// A message of an edition, in the ledger.
#[derive(Clone, Debug)]
pub struct MessageRow {
    /// Its id.
    pub id: i64,
    /// Its edition.
    pub edition_id: i64,
    /// Its subscriber.
    pub subscriber_id: i64,
    /// Its subscription.
    pub subscription_id: i64,
    /// The profile that decided it.
    pub profile_id: i64,
    /// What it says.
    pub variant_id: i64,
    /// How far its subscription had been told before it.
    pub window_start: i64,
    /// Where it stands.
    pub state: MessageState,
    /// Why.
    pub cause: Option<String>,
    /// How many attempts began.
    pub attempts: i64,
    /// When it is tried next.
    pub next_try_at: Timestamp,
    /// When it was written.
    pub created_at: Timestamp,
}

/// An attempt in the ledger.
#[derive(Clone, Debug)]
pub struct AttemptRow {
    /// Its number.
    pub number: i64,
    /// When a worker took the message.
    pub claimed_at: Timestamp,
    /// When the content began, durably recorded before it did.
    pub content_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The stage that was reached.
    pub stage: String,
    /// How it ended; none while it lasts.
    pub outcome: Option<String>,
    /// The relay's reply code.
    pub reply_code: Option<i64>,
    /// The relay's reply, or what broke.
    pub reply: Option<String>,
}

/// An attempt of which nobody knows whether the relay has the message.
#[derive(Clone, Debug)]
pub struct Doubt {
    /// The message.
    pub message: i64,
    /// The attempt.
    pub attempt: i64,
    /// The subscriber.
    pub subscriber: i64,
    /// When the doubt was found.
    pub at: Option<Timestamp>,
    /// Where the message stands now.
    pub state: MessageState,
}

impl Tx<'_> {
    /// The messages of an edition that are due, at most `limit`. They are claimed by
    /// [`Tx::claim`] in the same transaction.
    pub async fn due_messages(
        &mut self,
        edition: i64,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<ClaimedMessage>, StoreError> {
        let rows = self.rows(DUE, values![edition, now, limit]).await?;
        rows.iter().map(ClaimedMessage::read).collect()
    }

    /// Gives messages to a worker and begins an attempt of each.
    pub async fn claim(
        &mut self,
        messages: &[i64],
        worker: i64,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let ids = json(messages);
        self.execute(outbox::CLAIM, values![&ids, worker]).await?;
        self.execute(outbox::BEGIN_ATTEMPTS, values![ids, worker, now]).await?;
        Ok(())
    }

    /// Puts a message off that may not go yet; nothing of it was tried.
    pub async fn put_off(&mut self, message: i64, until: Timestamp) -> Result<(), StoreError> {
        self.execute(PUT_OFF, values![message, until]).await?;
        Ok(())
    }

    /// Ends a message that has not been sent: `cancelled`, `expired`, `dropped`.
    pub async fn end_unsent(
        &mut self,
        message: i64,
        state: MessageState,
        cause: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute(END_UNSENT, values![message, state.as_str(), cause, now]).await?;
        Ok(())
    }

    /// Records that the content of these attempts, given as (message, number), begins; gives the
    /// messages for which that holds. Another is no longer this attempt's and must not be sent.
    pub async fn begin_content(
        &mut self,
        attempts: &[(i64, i64)],
        now: Timestamp,
    ) -> Result<Vec<i64>, StoreError> {
        let rows = self.rows(outbox::BEGIN_CONTENT, values![json(attempts), now]).await?;
        rows.iter().map(|row| row.int("message_id")).collect()
    }

    /// Records how attempts ended. What another worker has taken over meanwhile stays as it is.
    pub async fn end_attempts(
        &mut self,
        outcomes: &[OutcomeRow],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let outcomes = json(outcomes);
        // Message before attempt, as everybody locks them.
        self.execute(outbox::END_SENDING, values![&outcomes, now]).await?;
        self.execute(outbox::END_ATTEMPTS, values![outcomes, now]).await?;
        Ok(())
    }

    /// When the next message is due, over all open editions.
    pub async fn next_try(&mut self) -> Result<Option<Timestamp>, StoreError> {
        self.one(NEXT_TRY, values![]).await?.time_or_none("at")
    }

    /// How many messages are with a worker.
    pub async fn under_way(&mut self) -> Result<i64, StoreError> {
        self.one(UNDER_WAY, values![]).await?.int("n")
    }

    /// How many messages of an edition stand in each state.
    pub async fn message_counts(
        &mut self,
        edition: i64,
    ) -> Result<Vec<(MessageState, i64)>, StoreError> {
        let rows = self.rows(COUNTS, values![edition]).await?;
        rows.iter()
            .map(|row| Ok((row.word("state", "state of a message")?, row.int("n")?)))
            .collect()
    }

    /// Messages of editions after an id, at most `limit`, in one state or in all.
    pub async fn messages_after(
        &mut self,
        id: i64,
        state: Option<MessageState>,
        limit: i64,
    ) -> Result<Vec<MessageRow>, StoreError> {
        let rows = match state {
            None => self.rows(MESSAGES, values![id, limit]).await?,
            Some(state) => self.rows(MESSAGES_IN_STATE, values![id, limit, state.as_str()]).await?,
        };
        rows.iter().map(MessageRow::read).collect()
    }

    /// A message by its id.
    pub async fn message(&mut self, id: i64) -> Result<Option<MessageRow>, StoreError> {
        self.row(MESSAGE, values![id]).await?.as_ref().map(MessageRow::read).transpose()
    }

    /// What a subscriber got of an edition.
    pub async fn message_of(
        &mut self,
        edition: i64,
        subscriber: i64,
    ) -> Result<Option<MessageRow>, StoreError> {
        let row = self.row(MESSAGE_OF, values![edition, subscriber]).await?;
        row.as_ref().map(MessageRow::read).transpose()
    }

    /// Everything a subscriber got.
    pub async fn messages_of(&mut self, subscriber: i64) -> Result<Vec<MessageRow>, StoreError> {
        let rows = self.rows(MESSAGES_OF_SUBSCRIBER, values![subscriber]).await?;
        rows.iter().map(MessageRow::read).collect()
    }

    /// The attempts of a message, in order.
    pub async fn attempts(&mut self, message: i64) -> Result<Vec<AttemptRow>, StoreError> {
        let rows = self.rows(ATTEMPTS, values![message]).await?;
        rows.iter().map(AttemptRow::read).collect()
    }

    /// The attempts of an edition that ended in doubt.
    pub async fn doubts(&mut self, edition: i64) -> Result<Vec<Doubt>, StoreError> {
        let rows = self.rows(DOUBTS, values![edition]).await?;
        rows.iter().map(Doubt::read).collect()
    }

    /// The messages of a subscription that wait for approval.
    pub async fn waiting_of(&mut self, subscription: i64) -> Result<Vec<MessageRow>, StoreError> {
        let rows = self.rows(WAITING_OF, values![subscription]).await?;
        rows.iter().map(MessageRow::read).collect()
    }

    /// Cancels a message that waits for approval.
    pub async fn cancel_waiting(
        &mut self,
        message: i64,
        cause: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute(CANCEL_WAITING, values![message, cause, now]).await?;
        Ok(())
    }

    /// Lets the waiting messages of an approved edition go out.
    pub async fn release_waiting(&mut self, edition: i64) -> Result<u64, StoreError> {
        self.ring(Bell::Delivery);
        self.execute(RELEASE_WAITING, values![edition]).await
    }

    /// Drops the waiting messages of a refused edition: what they told is not told any more.
    pub async fn drop_waiting(
        &mut self,
        edition: i64,
        cause: &str,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        self.execute(DROP_WAITING, values![edition, cause, now]).await
    }

    /// Cancels the waiting messages of a refused edition and gives their entries back: each
    /// subscription is pinned at the start of its message's window, or left at an earlier pin.
    pub async fn return_waiting(
        &mut self,
        edition: i64,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        self.execute(PIN_REFUSED, values![edition]).await?;
        self.execute(CANCEL_REFUSED, values![edition, now]).await
    }

    /// Queues a message again because a named person wants it; false where its state forbids it, or
    /// its edition is not open, so that nothing of it goes out.
    pub async fn resend_by_name(
        &mut self,
        message: i64,
        cause: &str,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<bool, StoreError> {
        self.ring(Bell::Delivery);
        Ok(self.execute(RESEND_BY_NAME, values![message, cause, now, expires]).await? > 0)
    }

    /// Drops a message because a named person wants it; false where its state forbids it.
    pub async fn drop_by_name(
        &mut self,
        message: i64,
        cause: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(self.execute(DROP_BY_NAME, values![message, cause, now]).await? > 0)
    }
}

impl ClaimedMessage {
    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.int("id")?,
            of: MessageOf::Edition {
                edition: row.int("edition_id")?,
                subscription: row.int("subscription_id")?,
                variant: row.int("variant_id")?,
            },
            subscriber_id: row.int("subscriber_id")?,
            attempt: row.int("attempts")? + 1,
            expires_at: row.time("expires_at")?,
            released_at: row.time_or_none("released_at")?,
            created_at: row.time("created_at")?,
            in_doubt: row.text("in_doubt")?,
            doubts: row.int("doubts")?,
            address: row.text_or_none("address")?,
            sender: row.text("sender")?,
            subscription_state: Some(row.text("subscription_state")?),
            suppressed: row.text_or_none("suppressed")?,
        })
    }
}

impl Doubt {
    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            message: row.int("message_id")?,
            attempt: row.int("number")?,
            subscriber: row.int("subscriber_id")?,
            at: row.time_or_none("ended_at")?,
            state: row.word("state", "state of a message")?,
        })
    }
}

impl MessageRow {
    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.int("id")?,
            edition_id: row.int("edition_id")?,
            subscriber_id: row.int("subscriber_id")?,
            subscription_id: row.int("subscription_id")?,
            profile_id: row.int("profile_id")?,
            variant_id: row.int("variant_id")?,
            window_start: row.int("window_start")?,
            state: row.word("state", "state of a message")?,
            cause: row.text_or_none("cause")?,
            attempts: row.int("attempts")?,
            next_try_at: row.time("next_try_at")?,
            created_at: row.time("created_at")?,
        })
    }
}

impl AttemptRow {
    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            number: row.int("number")?,
            claimed_at: row.time("claimed_at")?,
            content_at: row.time_or_none("content_at")?,
            ended_at: row.time_or_none("ended_at")?,
            stage: row.text("stage")?,
            outcome: row.text_or_none("outcome")?,
            reply_code: row.int_or_none("reply_code")?,
            reply: row.text_or_none("reply")?,
        })
    }
}
