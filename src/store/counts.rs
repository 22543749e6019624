//! What became of an edition's messages, added up: by recipients' domain, and by reason.

use super::value::{Row, values};
use super::{StoreError, Tx, statements};

statements! {
    BY_DOMAIN = {
        sqlite: "SELECT lower(substr(p.address, instr(p.address, '@') + 1)) AS domain, m.state,
                count(*) AS messages
            FROM message m JOIN subscriber p ON p.id = m.subscriber_id
            WHERE m.edition_id = $1 GROUP BY 1, 2
            ORDER BY 3 DESC, min(CASE WHEN p.address IS NULL THEN 1 ELSE 0 END), 1, 2 LIMIT $2",
        postgres: "SELECT lower(split_part(p.address, '@', 2)) AS domain, m.state,
                count(*) AS messages
            FROM message m JOIN subscriber p ON p.id = m.subscriber_id
            WHERE m.edition_id = $1 GROUP BY 1, 2
            ORDER BY 3 DESC, min(CASE WHEN p.address IS NULL THEN 1 ELSE 0 END), 1, 2 LIMIT $2"
    };
    BY_REASON = "SELECT m.state, m.cause, a.stage, a.reply_code, count(*) AS messages
        FROM message m
        LEFT JOIN attempt a ON a.message_id = m.id AND a.number = m.attempts
        WHERE m.edition_id = $1
        GROUP BY m.state, m.cause, a.stage, a.reply_code
        ORDER BY 5 DESC, 1, coalesce(m.cause, ''), coalesce(a.stage, ''), coalesce(a.reply_code, 0)
        LIMIT $2";
}

/// Messages to one domain that are in one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainCount {
    /// The domain, in small letters; none for people who were erased.
    pub domain: Option<String>,
    /// The state, as the ledger has it.
    pub state: String,
    /// How many.
    pub messages: i64,
}

/// Messages that are in one state for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReasonCount {
    /// The state, as the ledger has it.
    pub state: String,
    /// The cause on record, such as `left`, if there is one.
    pub cause: Option<String>,
    /// How far the last attempt came; none where there was none.
    pub stage: Option<String>,
    /// The code of the reply that ended the last attempt (RFC 5321 4.2), if one did.
    pub code: Option<i64>,
    /// How many.
    pub messages: i64,
}

impl Tx<'_> {
    /// An edition's messages by domain and state, most first, at most `limit` rows.
    pub async fn messages_by_domain(
        &mut self,
        edition: i64,
        limit: i64,
    ) -> Result<Vec<DomainCount>, StoreError> {
        let count = |row: &Row| {
            Ok(DomainCount {
                domain: row.text_or_none("domain")?,
                state: row.text("state")?,
                messages: row.int("messages")?,
            })
        };
        self.rows(BY_DOMAIN, values![edition, limit]).await?.iter().map(count).collect()
    }

    /// An edition's messages by state and reason, most first, at most `limit` rows.
    pub async fn messages_by_reason(
        &mut self,
        edition: i64,
        limit: i64,
    ) -> Result<Vec<ReasonCount>, StoreError> {
        let count = |row: &Row| {
            Ok(ReasonCount {
                state: row.text("state")?,
                cause: row.text_or_none("cause")?,
                stage: row.text_or_none("stage")?,
                code: row.int_or_none("reply_code")?,
                messages: row.int("messages")?,
            })
        };
        self.rows(BY_REASON, values![edition, limit]).await?.iter().map(count).collect()
    }
}
