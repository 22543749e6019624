//! How a source is: what a poll makes of it, when it is due again, and what the admins are told of
//! it, once.

use serde::Serialize;
use serde_json::json;
use url::Url;

use super::hints::FeedHints;
use super::schedule::Due;
use super::sources::masked;
use super::{FetchError, Fetched, ReadError, Reading, ReadingKind, said};
use crate::config::SourceSettings;
use crate::model::Timestamp;
use crate::store::{
    Actor, AnswerRow, NamedSource, OfficeEvent, SourceRow, StoreError, TraceSubject, Trouble,
    TroubleRow, Tx, host_of,
};

/// How long a source fails before the admins are told, in seconds: not at once.
pub const BAD_AFTER_SECONDS: i64 = 6 * 3600;
/// How often in a row it fails before they are.
pub const BAD_FAILURES_MIN: i64 = 3;
/// How long a source says without a break that it has moved for good before its new address is
/// adopted, in days.
pub const MOVE_HELD_DAYS: i64 = 7;
/// How often in a row an adopted address fails before the configured one is asked again.
pub const ADOPTED_FAILURES_MAX: i64 = 3;

/// What one source could not give.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// It could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Its answer could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Its page has no news, where there always were.
    #[error("no news where there always were: the layout may have changed ({0})")]
    Layout(String),
    /// A page came where a feed was.
    #[error("the answer is a web page where there always was a feed")]
    PageForFeed,
    /// Its address.
    #[error("its address cannot be used: {0}")]
    Address(#[from] url::ParseError),
    /// Its settings.
    #[error("its settings cannot be read: {0}")]
    Settings(#[from] serde_json::Error),
    /// Reading it takes longer than the limit, or goes on since an earlier poll.
    #[error("it could not be read within {0} seconds")]
    Slow(u64),
    /// Reading it was broken off.
    #[error("it could not be read to its end")]
    Broken(#[from] tokio::task::JoinError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PollError {
    /// What it is, for whoever does not know the program.
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::Fetch(error) => error.trouble(),
            Self::Read(
                ReadError::Selector { .. } | ReadError::NothingSelected(_) | ReadError::NotAFeed,
            )
            | Self::Address(_)
            | Self::Settings(_)
            | Self::Store(_) => Trouble::Settings,
            Self::Read(_) | Self::PageForFeed | Self::Slow(_) | Self::Broken(_) => {
                Trouble::Unreadable
            }
            Self::Layout(_) => Trouble::Layout,
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Fetch(error) if error.is_gone() => {
                "it is not polled any more; give its new address, or `banditore source poll` it \
                 by name: where it answers, polling goes on"
            }
            Self::Fetch(error) => error.hint(),
            Self::Read(error) => error.hint(),
            Self::Layout(_) => {
                "look at it with `banditore source test`, and name selectors under [source.page]"
            }
            Self::PageForFeed => {
                "the site may be down or the feed has moved; set kind = \"page\" if it is one now"
            }
            Self::Slow(_) => "tell the publisher: the answer is built in an unusual way",
            Self::Address(_) | Self::Settings(_) => "look at the source in the configuration",
            Self::Broken(_) | Self::Store(_) => "it is tried again at the next poll",
        }
    }
}

/// What the admins are to know of a source, each said once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Notice {
    /// It has failed for some time.
    Bad,
    /// It was bad or gone, and answers again.
    Recovered,
    /// It says that it is gone for good, and is not polled any more.
    Gone,
    /// Its new address was adopted.
    Moved,
    /// The adopted address failed; the configured one is asked again.
    Returned,
}

impl Notice {
    /// For logs.
    pub fn words(self) -> &'static str {
        match self {
            Self::Bad => "has failed for some time",
            Self::Recovered => "answers again",
            Self::Gone => "is gone for good and not polled any more",
            Self::Moved => "has moved for good: its new address is asked from now on",
            Self::Returned => "does not answer where it moved: its old address is asked again",
        }
    }
}

/// What an answer says besides its items. None of what a body tells stands for what is known: it
/// was not modified.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The address that answered.
    pub final_url: Url,
    /// Where the source says to have moved for good.
    pub moved_to: Option<Url>,
    /// For how many seconds it is fresh.
    pub fresh_seconds: Option<u64>,
    /// A digest of what the body says.
    pub digest: Option<String>,
    /// When it asks to be read.
    pub hints: Option<FeedHints>,
    /// What it was.
    pub read_as: Option<ReadingKind>,
    /// Whose site it belongs to.
    pub site_link: Option<String>,
}

impl Answer {
    /// What a fetch says; a body with its digest.
    pub fn of(fetched: &Fetched) -> Self {
        let (final_url, moved_to, fresh_seconds) = match fetched {
            Fetched::NotModified { final_url, moved_to, fresh_seconds, .. }
            | Fetched::Body { final_url, moved_to, fresh_seconds, .. } => {
                (final_url.clone(), moved_to.clone(), *fresh_seconds)
            }
        };
        let digest = match fetched {
            Fetched::NotModified { .. } => None,
            Fetched::Body { bytes, .. } => Some(said::digest(bytes)),
        };
        let (hints, read_as, site_link) = (None, None, None);
        Self { final_url, moved_to, fresh_seconds, digest, hints, read_as, site_link }
    }

    /// Whether the body says, octet for octet, what the one that was taken in last did.
    pub fn is_known(&self, source: &SourceRow) -> bool {
        self.digest.is_some() && self.digest == source.body_digest
    }
}

/// Whether an answer can be what a source says: not a page where a feed was, and a page that always
/// had items has some.
///
/// # Errors
/// [`PollError::PageForFeed`] and [`PollError::Layout`].
pub fn expected(
    source: &SourceRow,
    read: Result<Reading, ReadError>,
) -> Result<Reading, PollError> {
    let had_items = source.baseline_at.is_some();
    let reading = match read {
        Err(error @ (ReadError::NoList | ReadError::NothingSelected(_))) if had_items => {
            if source.read_as.as_deref().is_some_and(|kind| kind != "page") {
                return Err(PollError::PageForFeed);
            }
            return Err(PollError::Layout(error.to_string()));
        }
        read => read?,
    };
    if reading.kind != ReadingKind::Page || !had_items {
        return Ok(reading);
    }
    match source.read_as.as_deref() {
        Some("rss" | "atom" | "json") => Err(PollError::PageForFeed),
        _ if reading.items.is_empty() => {
            Err(PollError::Layout("its list of news is empty".to_owned()))
        }
        _ => Ok(reading),
    }
}

/// Records what an answer says besides its items, after the poll itself was recorded in the same
/// transaction; `source` is as it was before. Gives what the admins are to know.
///
/// # Errors
/// Where the database fails.
pub async fn take_answer(
    tx: &mut Tx<'_>,
    source: &SourceRow,
    answer: &Answer,
    changed: bool,
    now: Timestamp,
) -> Result<Option<Notice>, StoreError> {
    let moved = Move::of(source, answer.moved_to.as_ref(), now);
    let held = || serde_json::from_str(source.hints_json.as_deref()?).ok();
    let hints = answer.hints.clone().or_else(held).unwrap_or_default();
    let changed_at = if changed { Some(now) } else { source.changed_at };
    let due = Due { source: &source.id, every_seconds: every(source), changed_at, now };
    let hints_json = answer.hints.as_ref();
    let hints_json = hints_json.and_then(|hints| serde_json::to_string(hints).ok());
    let read_as = answer.read_as.map(ReadingKind::as_str);
    let address = moved.adopted.as_deref().unwrap_or(&source.url);
    let host = host_of(address);
    let row = AnswerRow {
        source: &source.id,
        next: due.after_answer(answer.fresh_seconds, &hints),
        validated_url: answer.final_url.as_str(),
        body_digest: answer.digest.as_deref(),
        read_as,
        site_link: answer.site_link.as_deref(),
        hints_json: hints_json.as_deref(),
        moved_to: moved.to.as_deref(),
        moved_since: moved.since,
        adopted_url: moved.adopted.as_deref(),
        host: host.as_deref(),
    };
    tx.record_answer(&row).await?;
    if source.bad_since.is_some() {
        let forms = (bad_form(source.failing_since, source.failures), bad_form(None, 0));
        trace(tx, source, "source.recovered", forms, now).await?;
        let since = source.failing_since.map(|at| at.0);
        tx.happened(&OfficeEvent::SourceRecovered { source: named(source), since }, now).await?;
    }
    if moved.adopted != source.adopted_url {
        let forms = (json!({"url": masked(source.address())}), json!({"url": masked(address)}));
        trace(tx, source, "source.moved", forms, now).await?;
        return Ok(Some(Notice::Moved));
    }
    Ok(source.bad_since.map(|_| Notice::Recovered))
}

/// Where a source says to have moved, and whether it is believed.
struct Move {
    to: Option<String>,
    since: Option<Timestamp>,
    adopted: Option<String>,
}

impl Move {
    fn of(source: &SourceRow, moved_to: Option<&Url>, now: Timestamp) -> Self {
        let adopted = source.adopted_url.clone();
        // Nobody moves from a protected connection to an open one for good.
        let open = |url: &Url| url.scheme() == "http" && source.address().starts_with("https:");
        let Some(to) = moved_to.filter(|url| !open(url)).map(Url::as_str) else {
            return Self { to: None, since: None, adopted };
        };
        let since = source.moved_since.filter(|_| source.moved_to.as_deref() == Some(to));
        let since = since.unwrap_or(now);
        if now.0 - since.0 < MOVE_HELD_DAYS * 24 * 3600 {
            return Self { to: Some(to.to_owned()), since: Some(since), adopted };
        }
        Self { to: None, since: None, adopted: Some(to.to_owned()) }
    }
}

/// Records a poll that failed and what that makes of the source, which is locked; gives what the
/// admins are to know.
///
/// # Errors
/// Where the database fails.
pub async fn take_failure(
    tx: &mut Tx<'_>,
    source: &SourceRow,
    error: &PollError,
    now: Timestamp,
) -> Result<Option<Notice>, StoreError> {
    let failures = source.failures + 1;
    let since = source.failing_since.unwrap_or(now);
    let due = Due {
        source: &source.id,
        every_seconds: every(source),
        changed_at: source.changed_at,
        now,
    };
    let next = due.after_failure(failures, retry_at(error, now));
    tx.record_poll_failure(&source.id, now, next, &error.to_string()).await?;
    let says_gone = matches!(error, PollError::Fetch(error) if error.is_gone());
    let returned = source.adopted_url.is_some() && (says_gone || failures >= ADOPTED_FAILURES_MAX);
    let gone = says_gone && !returned;
    let is_bad = failures >= BAD_FAILURES_MIN && now.0 - since.0 >= BAD_AFTER_SECONDS;
    let adopted = source.adopted_url.as_deref().filter(|_| !returned);
    let address = adopted.unwrap_or(&source.url);
    let host = host_of(address);
    let trouble = TroubleRow {
        source: &source.id,
        hint: error.hint(),
        bad_since: source.bad_since.or((is_bad || gone).then_some(now)),
        gone_at: source.gone_at.or(gone.then_some(now)),
        adopted_url: adopted,
        host: host.as_deref(),
    };
    tx.record_trouble(&trouble).await?;
    let before = bad_form(source.failing_since, source.failures);
    let after = bad_form(Some(since), failures);
    if gone && source.gone_at.is_none() {
        trace(tx, source, "source.gone", (before, after), now).await?;
        tx.happened(&OfficeEvent::SourceGone { source: named(source) }, now).await?;
        return Ok(Some(Notice::Gone));
    }
    if is_bad && source.bad_since.is_none() {
        trace(tx, source, "source.turned_bad", (before, after), now).await?;
        let bad = OfficeEvent::SourceBad {
            source: named(source),
            since: since.0,
            trouble: error.trouble(),
            error: error.to_string(),
        };
        tx.happened(&bad, now).await?;
        return Ok(Some(Notice::Bad));
    }
    if returned {
        let forms = (json!({"url": masked(source.address())}), json!({"url": masked(address)}));
        trace(tx, source, "source.moved", forms, now).await?;
        return Ok(Some(Notice::Returned));
    }
    Ok(None)
}

/// Until when a failure asks that the whole host be left alone, within bounds.
pub fn retry_at(error: &PollError, now: Timestamp) -> Option<Timestamp> {
    let PollError::Fetch(error) = error else { return None };
    let at = Timestamp::from(error.retry_at(now.utc())?);
    Some(at.min(now.plus(super::schedule::RETRY_AFTER_SECONDS_MAX))).filter(|at| *at > now)
}

fn every(source: &SourceRow) -> Option<i64> {
    let settings: Option<SourceSettings> = serde_json::from_str(&source.settings_json).ok();
    settings.and_then(|settings| settings.every_seconds)
}

fn bad_form(since: Option<Timestamp>, failures: i64) -> serde_json::Value {
    json!({"failures": failures, "failing_since": since.map(|at| at.0)})
}

/// A source as the admins know it.
pub fn named(source: &SourceRow) -> NamedSource {
    let url = masked(source.address());
    NamedSource { source: source.id.clone(), title: source.title.clone(), url }
}

/// The program itself judges, whoever set the poll going.
async fn trace(
    tx: &mut Tx<'_>,
    source: &SourceRow,
    action: &str,
    (before, after): (serde_json::Value, serde_json::Value),
    now: Timestamp,
) -> Result<(), StoreError> {
    let subject = TraceSubject { kind: "source", id: source.id.as_str() };
    tx.trace_by(&Actor::system(), action, subject, (Some(before), Some(after)), now).await
}
