//! The trace: who did what to what, in the transaction that did it. Only ever added to; the
//! database itself refuses anything else.

use serde_json::Value as Json;

use crate::model::Timestamp;

use super::value::{Row, values};
use super::{StoreError, Tx, statements};

statements! {
    INSERT_TRACE = "INSERT INTO trace
            (at, actor, name, origin, action, subject, subject_id, before_json, after_json)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    TRACE = "SELECT * FROM trace WHERE id < $1 ORDER BY id DESC LIMIT $2";
    TRACE_OF = "SELECT * FROM trace WHERE subject = $1 AND subject_id = $2
        ORDER BY id DESC LIMIT $3";
}

/// What kind of actor it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A named person: an admin, by name.
    Person,
    /// A command of the command line.
    Command,
    /// Whoever holds a link that was mailed, or fills in a public form.
    Token,
    /// The program itself.
    System,
}

impl ActorKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Command => "command",
            Self::Token => "token",
            Self::System => "system",
        }
    }
}

/// Who acts. It holds no personal value but the name of an admin, who acts by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// What kind.
    pub kind: ActorKind,
    /// A person's name, a command, what a token is for, a part of the program.
    pub name: String,
    /// From where: the account and machine of a command, the network of a page's visitor, masked.
    pub origin: String,
}

impl Actor {
    /// The program itself.
    pub fn system() -> Self {
        Self { kind: ActorKind::System, name: "banditore".to_owned(), origin: String::new() }
    }
}

/// What was acted on.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// What kind: `subscription`, `subscriber`, `address`, `list`, `source`, `edition`, `message`,
    /// `installation`.
    pub kind: &'a str,
    /// Which: a public id, a keyed hash, an id of the configuration; never a personal value.
    pub id: &'a str,
}

/// A line of the trace.
#[derive(Clone, Debug)]
pub struct TraceRow {
    /// Its place in the order.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// `person`, `command`, `token`, `system`.
    pub actor: String,
    /// Who.
    pub name: String,
    /// From where.
    pub origin: String,
    /// What was done.
    pub action: String,
    /// The kind of what it was done to.
    pub subject: String,
    /// Which.
    pub subject_id: String,
    /// How it was, as JSON text.
    pub before_json: Option<String>,
    /// How it is.
    pub after_json: Option<String>,
}

impl Tx<'_> {
    /// Adds a line to the trace, as done by whoever this transaction belongs to. It happens with
    /// the transaction, or not at all.
    pub async fn trace(
        &mut self,
        action: &str,
        subject: Subject<'_>,
        before: Option<Json>,
        after: Option<Json>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let actor = std::sync::Arc::clone(&self.actor);
        self.trace_by(&actor, action, subject, (before, after), now).await
    }

    /// The same, for what somebody else does than whoever this transaction belongs to: the program
    /// itself, most often, at a time that a command only set going. Given are how it was and how it
    /// is.
    pub async fn trace_by(
        &mut self,
        actor: &Actor,
        action: &str,
        subject: Subject<'_>,
        (before, after): (Option<Json>, Option<Json>),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let values = values![
            now,
            actor.kind.as_str(),
            &actor.name,
            &actor.origin,
            action,
            subject.kind,
            subject.id,
            before.map(|json| json.to_string()),
            after.map(|json| json.to_string()),
        ];
        self.execute(INSERT_TRACE, values).await?;
        Ok(())
    }

    /// Lines before an id (none: from the newest on), at most `limit`, the newest first.
    pub async fn trace_before(
        &mut self,
        id: Option<i64>,
        limit: i64,
    ) -> Result<Vec<TraceRow>, StoreError> {
        let rows = self.rows(TRACE, values![id.unwrap_or(i64::MAX), limit]).await?;
        rows.iter().map(TraceRow::read).collect()
    }

    /// The newest lines about one thing, at most `limit`, the newest first.
    pub async fn trace_of(
        &mut self,
        subject: Subject<'_>,
        limit: i64,
    ) -> Result<Vec<TraceRow>, StoreError> {
        let rows = self.rows(TRACE_OF, values![subject.kind, subject.id, limit]).await?;
        rows.iter().map(TraceRow::read).collect()
    }
}

impl TraceRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.int("id")?,
            at: row.time("at")?,
            actor: row.text("actor")?,
            name: row.text("name")?,
            origin: row.text("origin")?,
            action: row.text("action")?,
            subject: row.text("subject")?,
            subject_id: row.text("subject_id")?,
            before_json: row.text_or_none("before_json")?,
            after_json: row.text_or_none("after_json")?,
        })
    }
}
