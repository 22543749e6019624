//! From a claimed message to its bytes: a function of the stored variant and the message alone.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use chrono_tz::Tz;

use crate::audience::{Keys, Mailbox};
use crate::editions::boundary;
use crate::model::Timestamp;
use crate::rendering::mime::{self, Envelope as OwnParts};
use crate::rendering::{Fragment, Templates, notice_boundary};
use crate::store::{ClaimedMessage, NoticeKind, NoticeRow, Store, VariantRow};

use super::DeliveryError;

/// The most octets of put-together bodies that are kept for the next messages.
const BODIES_OCTETS_MAX: usize = 16 << 20;

/// What a variant's messages have alike.
#[derive(Debug)]
pub struct Body {
    headers: Vec<u8>,
    body: Vec<u8>,
}

/// What one message has for itself.
#[derive(Clone, Copy, Debug)]
pub struct Own<'a> {
    /// Its edition.
    pub edition: i64,
    /// Its subscriber.
    pub subscriber: i64,
    /// Its subscription, for the link that ends it.
    pub subscription: i64,
    /// The address.
    pub address: &'a str,
    /// When it was written: the mail's Date, the same at every attempt.
    pub created_at: Timestamp,
    /// The list's mailbox.
    pub sender: &'a Mailbox,
}

impl<'a> Own<'a> {
    /// What a claimed message of an edition has, to an address.
    pub(super) fn of(
        message: &ClaimedMessage,
        (edition, subscription): (i64, i64),
        address: &'a str,
        sender: &'a Mailbox,
    ) -> Self {
        let (subscriber, created_at) = (message.subscriber_id, message.created_at);
        Self { edition, subscriber, subscription, address, created_at, sender }
    }
}

/// Puts messages together, and keeps bodies that the next ones share.
#[derive(Debug)]
pub struct Parcels {
    store: Store,
    keys: Keys,
    zone: Tz,
    /// The fragments of the edition that was asked for last.
    fragments: (i64, HashMap<i64, Fragment>),
    bodies: HashMap<i64, Arc<Body>>,
    order: VecDeque<i64>,
    octets: usize,
}

impl Parcels {
    /// With nothing kept yet.
    pub fn new(store: Store, keys: Keys, zone: Tz) -> Self {
        Self {
            store,
            keys,
            zone,
            fragments: (0, HashMap::new()),
            bodies: HashMap::new(),
            order: VecDeque::new(),
            octets: 0,
        }
    }

    /// What the messages of a variant have alike.
    ///
    /// # Errors
    /// Where the database fails, or has no such variant.
    pub async fn body(&mut self, variant: i64) -> Result<Arc<Body>, DeliveryError> {
        if let Some(body) = self.bodies.get(&variant) {
            return Ok(Arc::clone(body));
        }
        let row = self.variant(variant).await?;
        let body = Arc::new(put_together(&row, &self.fragments.1)?);
        self.keep(variant, &body);
        Ok(body)
    }

    /// A variant, whose edition's fragments are then at hand.
    async fn variant(&mut self, variant: i64) -> Result<VariantRow, DeliveryError> {
        let mut tx = self.store.read().await?;
        let row = tx.variant(variant).await?.ok_or(DeliveryError::NoVariant { variant })?;
        if self.fragments.0 != row.edition_id {
            self.fragments = (row.edition_id, by_id(tx.fragments(row.edition_id).await?));
        }
        Ok(row)
    }

    /// A mail that only tries things out, with a banner: what a message would say, addressed to
    /// `to`. Its links end nobody's subscription and open nobody's preferences, since it comes into
    /// other hands; its Message-ID is none of a real mail, so that neither hides the other.
    ///
    /// # Errors
    /// Where the database fails, or has no such variant.
    pub async fn rehearsal(
        &mut self,
        templates: &Templates,
        variant: i64,
        own: &Own<'_>,
        to: &str,
        now: Timestamp,
    ) -> Result<Vec<u8>, DeliveryError> {
        let row = self.variant(variant).await?;
        let language = row.variant.language;
        let mut parts = parts(&row, &self.fragments.1)?;
        let first = parts.first().ok_or(DeliveryError::NoVariant { variant })?;
        let opening = templates.with_banner(first, own.address, language);
        parts[0] = &opening;
        let body = mime::body(&boundary(row.edition_id, &row.variant.key), &parts);
        let headers = templates.with_banner_in_subject(&row.variant.headers, language);
        let id = self.keys.message_id(own.edition, own.subscriber);
        let (seconds, domain) = (now.0, own.sender.address.domain());
        let envelope = OwnParts {
            address: to,
            // No subscription has this id.
            token: &self.keys.unsubscribe_token(0),
            message_id: &format!("trial-{seconds}-{id}@{domain}"),
            date: now.in_zone(self.zone).fixed_offset(),
        };
        Ok(mime::assemble(&headers, &body, &envelope))
    }

    fn keep(&mut self, variant: i64, body: &Arc<Body>) {
        self.octets += body.body.len();
        self.bodies.insert(variant, Arc::clone(body));
        self.order.push_back(variant);
        while self.octets > BODIES_OCTETS_MAX && self.order.len() > 1 {
            let oldest = self.order.pop_front().and_then(|oldest| self.bodies.remove(&oldest));
            self.octets -= oldest.map_or(0, |oldest| oldest.body.len());
        }
    }

    /// The bytes of one message.
    pub fn message(&self, body: &Body, own: &Own<'_>) -> Vec<u8> {
        let Own { edition, subscriber, subscription, address, created_at, sender } = *own;
        let id = self.keys.message_id(edition, subscriber);
        let domain = sender.address.domain();
        mime::assemble(
            &body.headers,
            &body.body,
            &OwnParts {
                address,
                token: &self.keys.unsubscribe_token(subscription),
                message_id: &format!("{id}@{domain}"),
                date: created_at.in_zone(self.zone).fixed_offset(),
            },
        )
    }

    /// The bytes of a notice's message. Its link works until the message is too old to be sent, so
    /// every attempt has the same one.
    ///
    /// # Errors
    /// Where the database fails, or has no such notice.
    pub async fn notice(
        &self,
        message: &ClaimedMessage,
        notice: i64,
        sender: &Mailbox,
    ) -> Result<Vec<u8>, DeliveryError> {
        let row = self.store.read().await?.notice(notice).await?;
        let row = row.ok_or(DeliveryError::NoNotice { notice })?;
        let about = row.notice.about;
        let token = match row.notice.kind {
            NoticeKind::Confirmation => self.keys.confirmation_token(about),
            NoticeKind::Already | NoticeKind::Preferences => {
                self.keys.preferences_token(about, message.expires_at)
            }
            // It has no hole for one.
            NoticeKind::Office => String::new(),
        };
        let id = self.keys.notice_message_id(notice);
        Ok(mime::assemble(
            &row.notice.headers,
            &notice_body(&row),
            &OwnParts {
                address: message.address.as_deref().unwrap_or_default(),
                token: &token,
                message_id: &format!("{id}@{}", sender.address.domain()),
                date: message.created_at.in_zone(self.zone).fixed_offset(),
            },
        ))
    }
}

fn notice_body(row: &NoticeRow) -> Vec<u8> {
    let (html, text) = (row.notice.html.clone(), row.notice.text.clone());
    let html_bytes = html.len();
    mime::body(&notice_boundary(row.notice.kind.as_str()), &[&Fragment { html, text, html_bytes }])
}

/// The Message-ID (RFC 5322 3.6.4) of a notice, without its brackets: the same at every attempt.
pub fn notice_message_id(keys: &Keys, notice: i64, sender: &str) -> String {
    with_domain(keys.notice_message_id(notice), sender)
}

fn with_domain(id: String, sender: &str) -> String {
    match sender.parse::<Mailbox>() {
        Ok(sender) => format!("{id}@{}", sender.address.domain()),
        Err(_) => id,
    }
}

/// The Message-ID (RFC 5322 3.6.4) of a message, without its brackets: the same at every attempt.
pub fn message_id(keys: &Keys, edition: i64, subscriber: i64, sender: &str) -> String {
    with_domain(keys.message_id(edition, subscriber), sender)
}

/// Stored fragments as rendering knows them, by their ids.
pub fn by_id(fragments: Vec<crate::store::Fragment>) -> HashMap<i64, Fragment> {
    let fragment = |stored: crate::store::Fragment| {
        let html_bytes = usize::try_from(stored.html_bytes).unwrap_or(0);
        (stored.id, Fragment { html: stored.html, text: stored.text, html_bytes })
    };
    fragments.into_iter().map(fragment).collect()
}

/// A variant from its fragments, by copying.
///
/// # Errors
/// Where a fragment is missing.
pub fn put_together(
    row: &VariantRow,
    fragments: &HashMap<i64, Fragment>,
) -> Result<Body, DeliveryError> {
    let body = mime::body(&boundary(row.edition_id, &row.variant.key), &parts(row, fragments)?);
    Ok(Body { headers: row.variant.headers.clone(), body })
}

/// The fragments that a variant lists, in its order; an error where one is missing.
fn parts<'f>(
    row: &VariantRow,
    fragments: &'f HashMap<i64, Fragment>,
) -> Result<Vec<&'f Fragment>, DeliveryError> {
    let parts = row.variant.fragments.iter().map(|id| fragments.get(id));
    parts.collect::<Option<_>>().ok_or(DeliveryError::NoVariant { variant: row.id })
}
