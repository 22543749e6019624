//! Notices to the admins of the office: what happened since the last, gathered into one mail to
//! each.

use serde_json::json;

use crate::model::Timestamp;
use crate::store::{
    Actor, ListRow, OfficeEvent, OfficeEventRow, StoreError, Subject, TraceSubject, Tx, retrying,
};

use super::limits::DAY_SECONDS;
use super::notices::{AskError, Reception};
use super::subscriptions::random_id;
use super::{EmailAddress, public_id};

/// How long what follows is waited for after the first thing that happened, in seconds: where the
/// office's network is down, all sources turn bad within a while.
pub const OFFICE_GATHERING_SECONDS: i64 = 10 * 60;
/// The shortest time between two notices to the office, in seconds.
pub const OFFICE_BREAK_SECONDS: i64 = 3600;
/// After how many days a notice to the office is no news any more.
pub const OFFICE_NOTICE_DAYS: i64 = 2;
/// The most things that one notice tells; what is beyond waits for the next.
pub const OFFICE_EVENTS_MAX: i64 = 500;
/// How many titles of held items a notice names, of each source.
pub const OFFICE_TITLES_MAX: i64 = 5;

/// What a notice to the office tells.
#[derive(Clone, Debug)]
pub struct OfficeNews {
    /// When it happened.
    pub at: Timestamp,
    /// What.
    pub event: OfficeEvent,
    /// How many items are held now, and the titles of the first, where it is about those.
    pub held: (i64, Vec<String>),
}

/// When the office is to be told what happened; none where nothing waits.
///
/// # Errors
/// Where the database fails.
pub async fn office_due(tx: &mut Tx<'_>) -> Result<Option<Timestamp>, StoreError> {
    let Some(first) = tx.first_office_event().await? else { return Ok(None) };
    let gathered = first.plus(OFFICE_GATHERING_SECONDS);
    let last = tx.last_office_notice().await?;
    Ok(Some(last.map_or(gathered, |last| gathered.max(last.plus(OFFICE_BREAK_SECONDS)))))
}

/// Queues a notice to each of the site's admins, where something happened and its time has come;
/// gives how many. What it tells is forgotten in the same transaction. Where there are no admins,
/// or no list whose sender it could be from, the log has said all: whoever becomes an admin later
/// is not told what is old.
///
/// # Errors
/// [`AskError`]: the database fails, or the notice cannot be made.
pub async fn tell_office(reception: &Reception<'_>, now: Timestamp) -> Result<usize, AskError> {
    // Nearly always nothing waits: that is seen without waiting for those who write.
    let due = office_due(&mut reception.store.read().await?).await?;
    if due.is_none_or(|due| due > now) {
        return Ok(0);
    }
    retrying(|| gather(reception, now)).await
}

async fn gather(reception: &Reception<'_>, now: Timestamp) -> Result<usize, AskError> {
    let mut tx = reception.store.write().await?;
    let admins = hold_admins(&mut tx, reception).await?;
    let events = tx.hold_office_events(OFFICE_EVENTS_MAX).await?;
    // Somebody else may have told them, and what is there now may have happened since.
    let due = office_due(&mut tx).await?;
    let (Some(first), false) = (events.first(), due.is_none_or(|due| due > now)) else {
        return Ok(0);
    };
    let list = tx.lists().await?.into_iter().next();
    let news = match admins.is_empty() {
        true => Vec::new(),
        false => news(&mut tx, &events).await?,
    };
    let mut queued = 0;
    if let Some(list) = list.filter(|_| !news.is_empty()) {
        queued = queue(&mut tx, reception, &admins, &list, (first.id, &news), now).await?;
    }
    tx.forget_office_events(&events).await?;
    tx.commit().await?;
    Ok(queued)
}

/// The admins that may be written to, each held, with the hash of the address. Who was erased, or
/// is suppressed for another cause, gets no row.
async fn hold_admins<'a>(
    tx: &mut Tx<'_>,
    reception: &Reception<'a>,
) -> Result<Vec<(String, &'a EmailAddress)>, StoreError> {
    let admins = reception.site.admins.iter();
    let mut named: Vec<_> =
        admins.map(|admin| (reception.keys.address_hash(admin), admin)).collect();
    // In one order, whoever does so.
    named.sort();
    named.dedup_by(|a, b| a.0 == b.0);
    let mut held = Vec::new();
    for (hash, admin) in named {
        tx.hold_subject(&hash).await?;
        if tx.suppression(&hash).await?.is_none() {
            held.push((hash, admin));
        }
    }
    Ok(held)
}

/// What is still to be told. Of held items it is how many there are by now; where a person has
/// decided meanwhile, there is nothing to be said.
async fn news(tx: &mut Tx<'_>, events: &[OfficeEventRow]) -> Result<Vec<OfficeNews>, StoreError> {
    let mut news = Vec::new();
    for OfficeEventRow { at, event, .. } in events {
        let mut held = (0, Vec::new());
        if let OfficeEvent::ItemsHeld { source } = event {
            let items = tx.held_items(Some(&source.source), 0, OFFICE_TITLES_MAX).await?;
            if items.is_empty() {
                continue;
            }
            let titles = items.into_iter().map(|item| item.title).collect();
            held = (tx.count_held(&source.source).await?, titles);
        }
        news.push(OfficeNews { at: *at, event: event.clone(), held });
    }
    Ok(news)
}

async fn queue(
    tx: &mut Tx<'_>,
    reception: &Reception<'_>,
    admins: &[(String, &EmailAddress)],
    list: &ListRow,
    (first, news): (i64, &[OfficeNews]),
    now: Timestamp,
) -> Result<usize, AskError> {
    let draft = reception.drafts.office(list, news)?;
    let expires = now.plus(OFFICE_NOTICE_DAYS * DAY_SECONDS);
    let mut queued = 0;
    for (hash, admin) in admins {
        let new = Subject { id: random_id(), address: Some(admin.to_string()), name: None };
        let subject = tx.keep_subject(&new, hash, now).await?;
        let purpose = format!("office {first} {}", public_id(subject.id));
        let notice = draft.clone().about(first, purpose);
        queued += usize::from(tx.queue_notice(&notice, subject.id, expires, now).await?);
    }
    let after = json!({ "news": news.len(), "notices": queued });
    let subject = TraceSubject { kind: "installation", id: "office" };
    let forms = (None, Some(after));
    tx.trace_by(&Actor::system(), "office.told", subject, forms, now).await?;
    Ok(queued)
}
