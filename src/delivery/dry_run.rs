//! A trial: the mails that are due, as they are, but for a banner and dead links. It reads alone:
//! no message is claimed, no attempt begins, and the ledger knows nothing of it.

use crate::audience::Mailbox;
use crate::model::Timestamp;
use crate::rendering::Templates;
use crate::store::{ClaimedMessage, MessageOf, Store};

use super::parcels::{Own, Parcels};
use super::{DeliveryError, policy};

/// How many mails a dry run makes where nobody says.
pub const DRY_RUN_MESSAGES_DEFAULT: u32 = 20;
/// How many it makes at most.
pub const DRY_RUN_MESSAGES_MAX: u32 = 10_000;
/// How many messages are looked at in one go.
const MESSAGES_A_LOOK: i64 = 500;

/// A mail of a dry run.
#[derive(Clone, Debug)]
pub struct DryMail {
    /// The message that it shows.
    pub message: i64,
    /// Whom that would go to.
    pub recipient: String,
    /// Whom it is from.
    pub return_path: String,
    /// The mail.
    pub bytes: Vec<u8>,
}

/// What a dry run needs.
pub struct DryRun<'a> {
    /// The database, from which it only reads.
    pub store: &'a Store,
    /// What mails are made of.
    pub templates: &'a Templates,
    /// What puts them together.
    pub parcels: Parcels,
    /// The time.
    pub now: Timestamp,
    /// The message that was looked at last.
    after: i64,
    /// Looked at, and not given yet, the next at the end.
    found: Vec<ClaimedMessage>,
}

impl<'a> DryRun<'a> {
    /// One that begins with the first message.
    pub fn new(
        store: &'a Store,
        templates: &'a Templates,
        parcels: Parcels,
        now: Timestamp,
    ) -> Self {
        Self { store, templates, parcels, now, after: 0, found: Vec::new() }
    }

    /// The next message that would be sent: not one to somebody who left, or that is too old.
    async fn next_message(&mut self) -> Result<Option<ClaimedMessage>, DeliveryError> {
        loop {
            while let Some(message) = self.found.pop() {
                if policy::unsendable(&message, self.now).is_none() {
                    return Ok(Some(message));
                }
            }
            let mut tx = self.store.read().await?;
            self.found = tx.messages_to_come(self.now, self.after, MESSAGES_A_LOOK).await?;
            let Some(last) = self.found.last() else { return Ok(None) };
            self.after = last.id;
            self.found.reverse();
        }
    }

    /// The next mail, addressed to `to`, or to whom the message is for; none at the end.
    ///
    /// # Errors
    /// Where the database fails, or what a message says is not there.
    pub async fn next(&mut self, to: Option<&str>) -> Result<Option<DryMail>, DeliveryError> {
        let Some(message) = self.next_message().await? else { return Ok(None) };
        let MessageOf::Edition { edition, subscription, variant } = message.of else {
            return Ok(None);
        };
        let sender: Mailbox = message.sender.parse().map_err(DeliveryError::Sender)?;
        let recipient = message.address.clone().unwrap_or_default();
        let own = Own::of(&message, (edition, subscription), &recipient, &sender);
        let to = to.unwrap_or(&recipient);
        let bytes = self.parcels.rehearsal(self.templates, variant, &own, to, self.now).await?;
        let return_path = sender.address.to_string();
        Ok(Some(DryMail { message: message.id, recipient, return_path, bytes }))
    }

    /// Whether there is another one.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn has_more(&mut self) -> Result<bool, DeliveryError> {
        let next = self.next_message().await?;
        let more = next.is_some();
        self.found.extend(next);
        Ok(more)
    }
}
