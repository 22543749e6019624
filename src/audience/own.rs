//! Seeing and changing one's own preferences by a link that was mailed.

use serde_json::json;

use crate::model::{Language, Timestamp};
use crate::store::{
    ListRow, NoticeKind, StoreError, StoredSubscription, TraceSubject, Tx, retrying,
};

use super::limits::{admit_form, admit_mail};
use super::notices::{AskError, Asked, Draft, PREFERENCES_LINK_HOURS, Reception, link_purpose};
use super::subscriptions::{self, Consent, ENDED, Joined, Joining, PAUSED, Preferences};
use super::{EmailAddress, public_id};

/// What a preferences link opens.
#[derive(Clone, Debug)]
pub enum Opened {
    /// Somebody's subscriptions, those that were left not among them.
    Open(Vec<Own>),
    /// The link has expired, or its person was erased.
    Over,
    /// The token was not made here.
    Unknown,
}

/// A subscription as its person sees it.
#[derive(Clone, Debug)]
pub struct Own {
    /// What forms call it.
    pub id: String,
    /// The list.
    pub list: ListRow,
    /// What they asked for.
    pub wanted: Preferences,
    /// Whether it pauses.
    pub paused: bool,
}

/// What somebody wants of a subscription of theirs.
#[derive(Clone, Debug)]
pub enum Wish {
    /// Other preferences; followed words stay as they are.
    Prefer(Preferences),
    /// No mail for the time being.
    Pause,
    /// Mail again: what came meanwhile too.
    Resume,
    /// No mail any more.
    Leave,
}

/// What became of a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granted {
    /// It is so from now on.
    Done,
    /// The link opens nothing any more, or no such subscription.
    Over,
    /// The address must not be written to, so nothing but leaving can be asked for.
    Suppressed,
}

impl Reception<'_> {
    /// Looks at an address whose person wants to change something. If it is subscribed and may be
    /// written to, it gets a mail with a link.
    ///
    /// # Errors
    /// [`AskError`]: the database fails, or the notice cannot be made.
    pub async fn ask_for_link(
        &self,
        address: &EmailAddress,
        network: &str,
        now: Timestamp,
    ) -> Result<Asked, AskError> {
        retrying(|| self.try_ask_for_link(address, network, now)).await
    }

    async fn try_ask_for_link(
        &self,
        address: &EmailAddress,
        network: &str,
        now: Timestamp,
    ) -> Result<Asked, AskError> {
        let hash = self.keys.address_hash(address);
        let mut tx = self.store.write().await?;
        if !admit_form(&mut tx, self.keys, network, now).await? {
            tx.commit().await?;
            return Ok(Asked::TooMany);
        }
        let subject = tx.hold_subject(&hash).await?;
        let suppressed = tx.suppression(&hash).await?.is_some();
        let subject = subject.filter(|_| !suppressed);
        let from = match &subject {
            Some(subject) => sender(&mut tx, subject.id).await?,
            None => None,
        };
        // Made for everybody, so that an answer takes as long for one who is not known.
        let drafted = match &from {
            Some((list, language)) => Some((list.clone(), *language)),
            None => tx.lists().await?.into_iter().next().map(|list| (list, self.site.locale)),
        };
        let draft = match &drafted {
            Some((list, language)) => {
                Some(self.drafts.draft(NoticeKind::Preferences, list, *language)?)
            }
            None => None,
        };
        if let (Some(subject), Some(_), Some(draft)) = (subject, from, draft) {
            self.mail_link(&mut tx, draft, (subject.id, address), now).await?;
        }
        tx.commit().await?;
        Ok(Asked::Taken)
    }

    /// Mails a link to the preferences, unless one has just been, or there are too many.
    pub(super) async fn mail_link(
        &self,
        tx: &mut Tx<'_>,
        draft: Draft,
        (subscriber, address): (i64, &EmailAddress),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let kind = draft.kind;
        let purpose = link_purpose(kind, subscriber, now);
        if !tx.has_notice(&purpose).await? && admit_mail(tx, self.keys, address, now).await? {
            let expires = now.plus(PREFERENCES_LINK_HOURS * 3_600);
            let notice = draft.about(subscriber, purpose);
            tx.queue_notice(&notice, subscriber, expires, now).await?;
            let id = public_id(subscriber);
            let subject = TraceSubject { kind: "subscriber", id: &id };
            let after = json!({ "notice": kind.as_str() });
            tx.trace("preferences.link_asked", subject, None, Some(after), now).await?;
        }
        Ok(())
    }

    /// What a preferences link opens; looking changes nothing.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn open(&self, token: &str, now: Timestamp) -> Result<Opened, StoreError> {
        let Some((subscriber, expires)) = self.keys.read_preferences_token(token) else {
            return Ok(Opened::Unknown);
        };
        let mut tx = self.store.read().await?;
        let known = tx.subject(subscriber).await?.is_some_and(|subject| subject.address.is_some());
        if expires <= now || !known {
            return Ok(Opened::Over);
        }
        let mut own = Vec::new();
        for held in tx.subscriptions_of(subscriber).await? {
            let Some(list) = tx.list(&held.list).await? else { continue };
            if held.state == ENDED {
                continue;
            }
            let (id, paused) = (public_id(held.id), held.state == PAUSED);
            own.push(Own { id, list, wanted: wanted(&mut tx, &held).await?, paused });
        }
        Ok(Opened::Open(own))
    }

    /// Does what somebody wants of a subscription of theirs, by a link.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn grant(
        &self,
        token: &str,
        subscription: &str,
        wish: &Wish,
        now: Timestamp,
    ) -> Result<Granted, StoreError> {
        retrying(|| self.try_grant(token, subscription, wish, now)).await
    }

    async fn try_grant(
        &self,
        token: &str,
        subscription: &str,
        wish: &Wish,
        now: Timestamp,
    ) -> Result<Granted, StoreError> {
        let opened = self.keys.read_preferences_token(token);
        let Some((subscriber, _)) = opened.filter(|(_, expires)| *expires > now) else {
            return Ok(Granted::Over);
        };
        let mut tx = self.store.write().await?;
        tx.hold_person(subscriber).await?;
        let held = tx.subscriptions_of(subscriber).await?.into_iter();
        let held = held.filter(|held| held.state != ENDED);
        let held = held.into_iter().find(|held| public_id(held.id) == subscription);
        let Some(found) = held else { return Ok(Granted::Over) };
        let held = tx.hold_subscription(found.id).await?.filter(|held| held.state != ENDED);
        let Some(held) = held else { return Ok(Granted::Over) };
        match wish {
            Wish::Leave => {
                // It has a transaction of its own, and on SQLite only one can write.
                drop(tx);
                subscriptions::leave(self.store, held.id, now).await?;
                return Ok(Granted::Done);
            }
            Wish::Pause => subscriptions::pause(&mut tx, &held, true, now).await?,
            Wish::Resume => subscriptions::pause(&mut tx, &held, false, now).await?,
            Wish::Prefer(wanted) => {
                let granted = self.prefer(&mut tx, &held, wanted, now).await?;
                if granted != Granted::Done {
                    return Ok(granted);
                }
            }
        }
        tx.commit().await?;
        Ok(Granted::Done)
    }

    async fn prefer(
        &self,
        tx: &mut Tx<'_>,
        held: &StoredSubscription,
        wanted: &Preferences,
        now: Timestamp,
    ) -> Result<Granted, StoreError> {
        let address = tx.subject(held.subscriber).await?.and_then(|subject| subject.address);
        let Some(address) = address.and_then(|text| text.parse::<EmailAddress>().ok()) else {
            return Ok(Granted::Over);
        };
        let wanted = Preferences { words: tx.words_of(held.id).await?, ..wanted.clone() };
        // Kept for a subscription that is new, which this one is not.
        let consent = Consent { way: "page", proof: "", text_version: None };
        let joining =
            Joining { address: &address, name: None, list: &held.list, wanted: &wanted, consent };
        Ok(match subscriptions::join(tx, self.keys, &joining, now).await? {
            Joined::New | Joined::Changed | Joined::Unchanged => Granted::Done,
            Joined::Suppressed => Granted::Suppressed,
            Joined::Left => Granted::Over,
        })
    }
}

/// The list that writes to somebody about their preferences, a public one first, and in which
/// language; none for who has no subscription.
async fn sender(
    tx: &mut Tx<'_>,
    subscriber: i64,
) -> Result<Option<(ListRow, Language)>, StoreError> {
    let mut found: Option<(ListRow, Language)> = None;
    for held in tx.subscriptions_of(subscriber).await? {
        let Some(list) = tx.list(&held.list).await?.filter(|_| held.state != ENDED) else {
            continue;
        };
        if found.as_ref().is_none_or(|(first, _)| list.public && !first.public) {
            let language = wanted(tx, &held).await?.language;
            found = Some((list, language));
        }
    }
    Ok(found)
}

async fn wanted(tx: &mut Tx<'_>, held: &StoredSubscription) -> Result<Preferences, StoreError> {
    let profile = tx.profile(held.profile).await?.ok_or_else(|| StoreError::Unreadable {
        what: "profile of a subscription",
        text: held.profile.to_string(),
    })?;
    Ok(Preferences {
        cadence: held.cadence.clone(),
        topics: profile.topics,
        places: profile.places,
        language: profile.language,
        words: tx.words_of(held.id).await?,
    })
}
