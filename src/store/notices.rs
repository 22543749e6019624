//! Notices: mails of no edition, unique by their purpose, in the same outbox before all others.
//! Written by `audience`, delivered by `delivery`.

use crate::model::{Language, ListId, Timestamp};

use super::messages::{ClaimedMessage, MessageOf, MessageState};
use super::sign_ups::FORGET_SUBJECT;
use super::value::{Row, values};
use super::{Bell, Doubt, StoreError, Tx, statements};

statements! {
    INSERT_NOTICE = "INSERT INTO notice
            (kind, purpose, list_id, about, language, headers, html, text)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (purpose) DO NOTHING RETURNING id";
    QUEUE_NOTICE = "INSERT INTO message
            (notice_id, subscriber_id, state, next_try_at, expires_at, created_at)
        VALUES ($1, $2, 'queued', $3, $4, $3)";
    NOTICE = "SELECT * FROM notice WHERE id = $1";
    NOTICE_BY_PURPOSE = "SELECT id FROM notice WHERE purpose = $1";
    DUE_NOTICES = "SELECT m.id, m.notice_id, m.subscriber_id, m.attempts, m.expires_at,
            m.created_at, l.sender, p.address, x.cause AS suppressed, n.kind,
            (SELECT count(*) FROM attempt a
                WHERE a.message_id = m.id AND a.outcome = 'in_doubt') AS doubts
        FROM message m
        JOIN notice n ON n.id = m.notice_id
        JOIN list l ON l.id = n.list_id
        LEFT JOIN subscriber p ON p.id = m.subscriber_id
        LEFT JOIN suppression x ON x.address_hash = p.address_hash
        WHERE m.edition_id IS NULL AND m.state IN ('queued', 'deferred') AND m.next_try_at <= $1
        ORDER BY m.next_try_at, m.id LIMIT $2" + { postgres: "FOR UPDATE OF m SKIP LOCKED" };
    NOTICE_MESSAGES = "SELECT m.*, n.kind, l.sender FROM message m
        JOIN notice n ON n.id = m.notice_id JOIN list l ON l.id = n.list_id
        WHERE m.edition_id IS NULL AND m.id > $1 ORDER BY m.id LIMIT $2";
    NOTICE_MESSAGE = "SELECT m.*, n.kind, l.sender FROM message m
        JOIN notice n ON n.id = m.notice_id JOIN list l ON l.id = n.list_id WHERE m.id = $1";
    NOTICE_MESSAGES_OF = "SELECT m.*, n.kind, l.sender FROM message m
        JOIN notice n ON n.id = m.notice_id JOIN list l ON l.id = n.list_id
        WHERE m.subscriber_id = $1 ORDER BY m.id";
    RESEND_NOTICE = "UPDATE message SET state = 'queued', cause = $2, next_try_at = $3,
            ended_at = NULL
        WHERE id = $1 AND edition_id IS NULL AND expires_at > $3
            AND state IN ('failed', 'expired', 'dropped')";
    NOTICES_WRITTEN = "SELECT count(*) AS n FROM notice";
    NOTICE_COUNTS = "SELECT state, count(*) AS n FROM message WHERE edition_id IS NULL
        GROUP BY state";
    NOTICE_DOUBTS = "SELECT a.message_id, a.number, a.ended_at, m.subscriber_id, m.notice_id,
            m.state, l.sender
        FROM message m
        JOIN attempt a ON a.message_id = m.id
        JOIN notice n ON n.id = m.notice_id
        JOIN list l ON l.id = n.list_id
        WHERE m.edition_id IS NULL AND a.outcome = 'in_doubt'
        ORDER BY a.message_id, a.number";
    OLD_NOTICES = "SELECT m.id, m.notice_id, m.subscriber_id, n.kind
        FROM message m JOIN notice n ON n.id = m.notice_id
        WHERE m.edition_id IS NULL AND m.created_at < $1
            AND m.state IN ('accepted', 'failed', 'expired', 'cancelled', 'dropped')
        ORDER BY m.id LIMIT $2";
    FINISHED_NOTICES = "SELECT n.id FROM message m JOIN notice n ON n.id = m.notice_id
        WHERE m.edition_id IS NULL AND length(n.text) > 0 AND (m.state IN ('accepted', 'cancelled')
            OR (m.state IN ('failed', 'expired', 'dropped') AND m.expires_at <= $1))
        ORDER BY n.id LIMIT $2";
    EMPTY_NOTICE = "UPDATE notice SET headers = $2, html = $2, text = $2 WHERE id = $1";
    FORGET_ATTEMPTS = "DELETE FROM attempt WHERE message_id = $1";
    FORGET_NOTICE_MESSAGE = "DELETE FROM message WHERE id = $1 AND edition_id IS NULL";
    FORGET_NOTICE = "DELETE FROM notice WHERE id = $1";
}

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// Somebody asked for a subscription; its link confirms that.
    Confirmation,
    /// Somebody asked for a subscription that is there; its link opens the preferences.
    Already,
    /// Somebody asked for the link that opens their preferences.
    Preferences,
    /// The admins are to know of something that happened. It has no link of its reader's own.
    Office,
}

impl NoticeKind {
    /// Every kind.
    pub const ALL: [NoticeKind; 4] =
        [Self::Confirmation, Self::Already, Self::Preferences, Self::Office];

    /// The word in the database, in commands and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirmation => "confirmation",
            Self::Already => "already",
            Self::Preferences => "preferences",
            Self::Office => "office",
        }
    }
}

impl std::str::FromStr for NoticeKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let kind = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        kind.ok_or_else(|| format!("{text:?} is no kind of a notice"))
    }
}

/// A notice to be written. Nothing in it belongs to a person.
#[derive(Clone, Debug)]
pub struct NewNotice {
    /// What it is about.
    pub kind: NoticeKind,
    /// What makes it unique.
    pub purpose: String,
    /// The list whose sender it is from.
    pub list: ListId,
    /// The id that its token names: a sign-up or a subscriber; of one to the office, the first
    /// event that it tells.
    pub about: i64,
    /// Its language.
    pub language: Language,
    /// The part of the header that is not its message's own.
    pub headers: Vec<u8>,
    /// Its HTML, encoded, with holes.
    pub html: Vec<u8>,
    /// Its text, encoded, with holes.
    pub text: Vec<u8>,
}

/// A notice.
#[derive(Clone, Debug)]
pub struct NoticeRow {
    /// Its id.
    pub id: i64,
    /// What it says.
    pub notice: NewNotice,
}

/// The message of a notice, in the ledger.
#[derive(Clone, Debug)]
pub struct NoticeMessage {
    /// Its id among the messages.
    pub id: i64,
    /// Its notice.
    pub notice: i64,
    /// What that is about.
    pub kind: NoticeKind,
    /// The mailbox it is from.
    pub sender: String,
    /// Its subscriber.
    pub subscriber_id: i64,
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

impl Tx<'_> {
    /// Writes a notice and queues its message to a subscriber; false where one of the same purpose
    /// is there.
    pub async fn queue_notice(
        &mut self,
        notice: &NewNotice,
        subscriber: i64,
        expires: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let values = values![
            notice.kind.as_str(),
            &notice.purpose,
            &notice.list,
            notice.about,
            notice.language.tag(),
            &notice.headers[..],
            &notice.html[..],
            &notice.text[..],
        ];
        let Some(row) = self.row(INSERT_NOTICE, values).await? else { return Ok(false) };
        let id = row.int("id")?;
        self.execute(QUEUE_NOTICE, values![id, subscriber, now, expires]).await?;
        self.ring(Bell::Delivery);
        Ok(true)
    }

    /// A notice by its id.
    pub async fn notice(&mut self, id: i64) -> Result<Option<NoticeRow>, StoreError> {
        self.row(NOTICE, values![id]).await?.as_ref().map(NoticeRow::read).transpose()
    }

    /// Whether a notice of this purpose is there.
    pub async fn has_notice(&mut self, purpose: &str) -> Result<bool, StoreError> {
        Ok(self.row(NOTICE_BY_PURPOSE, values![purpose]).await?.is_some())
    }

    /// The notices that are due, at most `limit`. They are claimed by [`Tx::claim`] in the same
    /// transaction.
    pub async fn due_notices(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<ClaimedMessage>, StoreError> {
        let rows = self.rows(DUE_NOTICES, values![now, limit]).await?;
        rows.iter().map(claimed).collect()
    }

    /// Messages of notices after an id, at most `limit`.
    pub async fn notice_messages_after(
        &mut self,
        id: i64,
        limit: i64,
    ) -> Result<Vec<NoticeMessage>, StoreError> {
        let rows = self.rows(NOTICE_MESSAGES, values![id, limit]).await?;
        rows.iter().map(NoticeMessage::read).collect()
    }

    /// The message of a notice by its id.
    pub async fn notice_message(&mut self, id: i64) -> Result<Option<NoticeMessage>, StoreError> {
        let row = self.row(NOTICE_MESSAGE, values![id]).await?;
        row.as_ref().map(NoticeMessage::read).transpose()
    }

    /// Every notice to a subscriber.
    pub async fn notice_messages_of(
        &mut self,
        subscriber: i64,
    ) -> Result<Vec<NoticeMessage>, StoreError> {
        let rows = self.rows(NOTICE_MESSAGES_OF, values![subscriber]).await?;
        rows.iter().map(NoticeMessage::read).collect()
    }

    /// Queues the message of a notice again because a named person wants it; false where its state
    /// forbids it, or its link works no more.
    pub async fn resend_notice_by_name(
        &mut self,
        message: i64,
        cause: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(self.execute(RESEND_NOTICE, values![message, cause, now]).await? > 0)
    }

    /// How many notices were written, and how many of their messages stand in each state.
    pub async fn notice_counts(&mut self) -> Result<(i64, Vec<(MessageState, i64)>), StoreError> {
        let written = self.one(NOTICES_WRITTEN, values![]).await?.int("n")?;
        let rows = self.rows(NOTICE_COUNTS, values![]).await?;
        let counts = rows
            .iter()
            .map(|row| Ok((row.word("state", "state of a message")?, row.int("n")?)))
            .collect::<Result<_, StoreError>>()?;
        Ok((written, counts))
    }

    /// The attempts of notices that ended in doubt, each with its notice and its list's sender.
    pub async fn notice_doubts(&mut self) -> Result<Vec<(Doubt, i64, String)>, StoreError> {
        let rows = self.rows(NOTICE_DOUBTS, values![]).await?;
        rows.iter()
            .map(|row| Ok((Doubt::read(row)?, row.int("notice_id")?, row.text("sender")?)))
            .collect()
    }

    /// Empties notices that nobody can send again, at most `limit`: the row stays for the sums.
    /// Gives how many.
    pub async fn empty_notices(&mut self, now: Timestamp, limit: i64) -> Result<u64, StoreError> {
        let rows = self.rows(FINISHED_NOTICES, values![now, limit]).await?;
        let nothing: &[u8] = &[];
        for row in &rows {
            self.execute(EMPTY_NOTICE, values![row.int("id")?, nothing]).await?;
        }
        Ok(rows.len() as u64)
    }

    /// Forgets notices that ended and are older than `before`, with message and attempts, at most
    /// `limit`; and admins of whom nothing else is known. Gives how many notices.
    pub async fn forget_notices(
        &mut self,
        before: Timestamp,
        limit: i64,
    ) -> Result<u64, StoreError> {
        let rows = self.rows(OLD_NOTICES, values![before, limit]).await?;
        for row in &rows {
            let (message, notice) = (row.int("id")?, row.int("notice_id")?);
            let subscriber = row.int("subscriber_id")?;
            let to_office =
                row.word::<NoticeKind>("kind", "kind of a notice")? == NoticeKind::Office;
            if to_office {
                self.hold_person(subscriber).await?;
            }
            self.execute(FORGET_ATTEMPTS, values![message]).await?;
            self.execute(FORGET_NOTICE_MESSAGE, values![message]).await?;
            self.execute(FORGET_NOTICE, values![notice]).await?;
            if to_office {
                self.execute(FORGET_SUBJECT, values![subscriber]).await?;
            }
        }
        Ok(rows.len() as u64)
    }
}

impl NoticeRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let notice = NewNotice {
            kind: row.word("kind", "kind of a notice")?,
            purpose: row.text("purpose")?,
            list: row.word("list_id", "list id")?,
            about: row.int("about")?,
            language: row.word("language", "language")?,
            headers: row.blob("headers")?,
            html: row.blob("html")?,
            text: row.blob("text")?,
        };
        Ok(Self { id: row.int("id")?, notice })
    }
}

impl NoticeMessage {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.int("id")?,
            notice: row.int("notice_id")?,
            kind: row.word("kind", "kind of a notice")?,
            sender: row.text("sender")?,
            subscriber_id: row.int("subscriber_id")?,
            state: row.word("state", "state of a message")?,
            cause: row.text_or_none("cause")?,
            attempts: row.int("attempts")?,
            next_try_at: row.time("next_try_at")?,
            created_at: row.time("created_at")?,
        })
    }
}

fn claimed(row: &Row) -> Result<ClaimedMessage, StoreError> {
    let kind: NoticeKind = row.word("kind", "kind of a notice")?;
    // Who was only erased may come back, and only they can say so: by confirming.
    let suppressed = row.text_or_none("suppressed")?;
    let suppressed =
        suppressed.filter(|cause| kind != NoticeKind::Confirmation || cause != "erasure");
    Ok(ClaimedMessage {
        id: row.int("id")?,
        of: MessageOf::Notice { notice: row.int("notice_id")? },
        subscriber_id: row.int("subscriber_id")?,
        attempt: row.int("attempts")? + 1,
        expires_at: row.time("expires_at")?,
        released_at: None,
        created_at: row.time("created_at")?,
        // A notice that comes twice says the same twice; one that is lost leaves somebody waiting.
        in_doubt: "resend".to_owned(),
        doubts: row.int("doubts")?,
        address: row.text_or_none("address")?,
        sender: row.text("sender")?,
        subscription_state: None,
        suppressed,
    })
}
