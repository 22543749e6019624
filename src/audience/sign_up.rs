//! Coming in by oneself: asking on a page, and confirming by the link of a mail. Only the second
//! makes a subscription, so nobody is subscribed by somebody else.

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::model::{CadenceId, Language, ListId, PlaceId, Timestamp, TopicId};
use crate::store::{
    Agreement, ConsentText, ListRow, NewSignUp, NoticeKind, SignUpRow, StoreError,
    StoredSubscription, Subject, TraceSubject, Tx, retrying,
};

use super::erasing::ERASURE;
use super::limits::{DAY_SECONDS, Form, Origin, admit_form, admit_mail};
use super::notices::{AskError, Asked, Draft, REPEAT_SECONDS, Reception, SIGN_UP_DAYS};
use super::subscriptions::{self, Consent, ENDED, Joined, Joining, PAUSED, Preferences};
use super::traced::{TracedSubscription, trace_subscription};
use super::{EmailAddress, public_id};

/// Octets of the hash that names a wording.
const VERSION_OCTETS: usize = 6;

/// What somebody asks for on a page.
#[derive(Clone, Copy, Debug)]
pub struct SignUp<'a> {
    /// For which address; nobody knows yet whether it is theirs.
    pub address: &'a EmailAddress,
    /// Which list.
    pub list: &'a ListRow,
    /// With which preferences.
    pub wanted: &'a Preferences,
    /// What they were told they agree to.
    pub text: &'a ConsentText,
    /// Where they come from.
    pub origin: Origin<'a>,
}

/// What a confirmation link leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// A sign-up that can be confirmed.
    Open {
        /// To this list.
        list: ListId,
        /// In this language.
        language: Language,
    },
    /// It is confirmed; the subscription is there.
    Done {
        /// To this list.
        list: ListId,
        /// In this language.
        language: Language,
    },
    /// It has expired, or was used for a subscription that has been left since.
    Over,
    /// The address must not be written to: it bounced, complained, or was blocked by a person.
    Suppressed,
    /// The token was not made here.
    Unknown,
}

/// Preferences as a sign-up keeps them. Followed words are not asked for on pages.
#[derive(Serialize, Deserialize)]
struct Wanted {
    cadence: CadenceId,
    topics: Vec<TopicId>,
    places: Vec<PlaceId>,
    language: Language,
}

/// The wording of a consent, under a version that is a short hash of it.
pub fn consent_text(language: Language, text: &str) -> ConsentText {
    let version = data_encoding::HEXLOWER.encode(&Sha256::digest(text)[..VERSION_OCTETS]);
    ConsentText { version, language, text: text.to_owned() }
}

impl Reception<'_> {
    /// Looks at what somebody asks for. If the address may be written to, it gets a mail: with a
    /// link that confirms, or, where it is subscribed, with one that opens the preferences.
    ///
    /// # Errors
    /// [`AskError`]: the database fails, or a notice cannot be made.
    pub async fn ask_to_join(&self, asked: &SignUp<'_>, now: Timestamp) -> Result<Asked, AskError> {
        retrying(|| self.try_ask_to_join(asked, now)).await
    }

    async fn try_ask_to_join(&self, asked: &SignUp<'_>, now: Timestamp) -> Result<Asked, AskError> {
        let SignUp { address, list, wanted, .. } = *asked;
        let wanted_json = wanted_json(wanted);
        // Both are made for everybody, so that an answer takes as long for one who is known.
        let confirmation = self.drafts.draft(NoticeKind::Confirmation, list, wanted.language)?;
        let already = self.drafts.draft(NoticeKind::Already, list, wanted.language)?;
        let hash = self.keys.address_hash(address);
        let mut tx = self.store.write().await?;
        if !admit_form(&mut tx, self.keys, Form::SignUp, &asked.origin, now).await? {
            return Ok(Asked::TooMany);
        }
        let subject = tx.hold_subject(&hash).await?;
        let suppressed = tx.suppression(&hash).await?;
        let held = match &subject {
            Some(subject) => tx.subscription(subject.id, &list.id).await?,
            None => None,
        };
        let held = held.filter(|held| held.state != ENDED);
        if suppressed.is_some_and(|held| held.cause != ERASURE) {
            // Nothing is sent, and nothing says so.
        } else if let Some(held) = held {
            self.mail_link(&mut tx, already, (held.subscriber, address), now).await?;
        } else if !repeats(&mut tx, subject.as_ref(), &list.id, &wanted_json, now).await?
            && admit_mail(&mut tx, self.keys, address, now).await?
        {
            self.keep(&mut tx, asked, (&hash, &wanted_json), confirmation, now).await?;
        }
        tx.commit().await?;
        Ok(Asked::Taken)
    }

    /// Keeps a sign-up until it is confirmed or expires, and mails the link that confirms it.
    async fn keep(
        &self,
        tx: &mut Tx<'_>,
        asked: &SignUp<'_>,
        (hash, wanted_json): (&str, &str),
        confirmation: Draft,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let address = Some(asked.address.to_string());
        let new = Subject { id: subscriptions::random_id(), address, name: None };
        let subject = tx.keep_subject(&new, hash, now).await?;
        tx.keep_consent_text(asked.text, now).await?;
        let expires = now.plus(SIGN_UP_DAYS * DAY_SECONDS);
        let new = NewSignUp {
            subscriber: subject.id,
            list: &asked.list.id,
            wanted_json,
            text_version: &asked.text.version,
            expires,
        };
        let id = tx.insert_sign_up(&new, now).await?;
        let after = json!({
            "subscriber": public_id(subject.id),
            "list": asked.list.id,
            "cadence": asked.wanted.cadence,
            "topics": asked.wanted.topics,
            "places": asked.wanted.places,
            "language": asked.wanted.language,
            "text_version": asked.text.version,
        });
        trace(tx, "sign_up.asked", id, None, Some(after), now).await?;
        let notice = confirmation.about(id, format!("confirmation {}", public_id(id)));
        tx.queue_notice(&notice, subject.id, expires, now).await?;
        Ok(())
    }

    /// What a confirmation link leads to; looking changes nothing.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn confirmation(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Confirmation, StoreError> {
        let Some(id) = self.keys.read_confirmation_token(token) else {
            return Ok(Confirmation::Unknown);
        };
        let mut tx = self.store.read().await?;
        let Some(sign_up) = tx.sign_up(id).await? else { return Ok(Confirmation::Over) };
        stands(&mut tx, &sign_up, now).await
    }

    /// Confirms a sign-up: the person is subscribed as they asked. One who had left is back, and is
    /// told what comes from now on; one who was erased is written to again. Twice does no harm.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn confirm(&self, token: &str, now: Timestamp) -> Result<Confirmation, StoreError> {
        retrying(|| self.try_confirm(token, now)).await
    }

    async fn try_confirm(&self, token: &str, now: Timestamp) -> Result<Confirmation, StoreError> {
        let Some(id) = self.keys.read_confirmation_token(token) else {
            return Ok(Confirmation::Unknown);
        };
        let mut tx = self.store.write().await?;
        if let Some(asked) = tx.sign_up(id).await? {
            tx.hold_person(asked.subscriber).await?;
        }
        let Some(sign_up) = tx.sign_up_to_confirm(id).await? else {
            return Ok(Confirmation::Over);
        };
        let stands = stands(&mut tx, &sign_up, now).await?;
        let Confirmation::Open { list, language } = stands else { return Ok(stands) };
        let Some(lifted) = self.subscribe(&mut tx, &sign_up, now).await? else {
            return Ok(Confirmation::Suppressed);
        };
        tx.confirm_sign_up(id, now).await?;
        // One answer counts: what else was asked for and not confirmed ends with it.
        tx.end_open_sign_ups(sign_up.subscriber, &list).await?;
        let subscriber = public_id(sign_up.subscriber);
        let after = json!({ "subscriber": subscriber, "list": list, "erasure_lifted": lifted });
        trace(&mut tx, "sign_up.confirmed", id, None, Some(after), now).await?;
        tx.commit().await?;
        Ok(Confirmation::Done { list, language })
    }

    /// Makes the subscription of a sign-up, or changes the one that is there, and lets it go on
    /// where it pauses. Gives whether that lifted an erasure; none where the address must not be
    /// written to.
    async fn subscribe(
        &self,
        tx: &mut Tx<'_>,
        sign_up: &SignUpRow,
        now: Timestamp,
    ) -> Result<Option<bool>, StoreError> {
        let Some(address) = address_of(tx, sign_up.subscriber).await? else { return Ok(None) };
        let mut wanted = asked_for(sign_up)?;
        wanted.cadence = offered(tx, &sign_up.list, wanted.cadence).await?;
        let lifted = self.lift_erasure(tx, &address).await?;
        let proof = format!(
            "asked on the page on {}, confirmed by the link mailed to the address",
            sign_up.asked_at.rfc3339(self.site.timezone)
        );
        let text_version = Some(sign_up.text_version.as_str());
        let consent = Consent { way: "page", proof: &proof, text_version };
        let list = &sign_up.list;
        let joining = Joining { address: &address, name: None, list, wanted: &wanted, consent };
        let joined = subscriptions::join(tx, self.keys, &joining, now).await?;
        if joined == Joined::Suppressed {
            return Ok(None);
        }
        let Some(held) = tx.subscription(sign_up.subscriber, list).await? else { return Ok(None) };
        if joined == Joined::Left {
            come_back(tx, &held, &wanted, now).await?;
        } else if held.state == PAUSED
            && let Some(held) = tx.hold_subscription(held.id).await?
        {
            subscriptions::pause(tx, &held, false, now).await?;
        }
        if joined != Joined::New {
            tx.agree(held.id, &consent.given(now)).await?;
            let id = public_id(held.id);
            let subject = TraceSubject { kind: "subscription", id: &id };
            let after = json!({ "way": consent.way, "text_version": consent.text_version });
            tx.trace("subscription.agreed", subject, None, Some(after), now).await?;
        }
        Ok(Some(lifted))
    }

    /// Who was only erased may come back: nobody but them can confirm. The line of the sign-up says
    /// that it was; one of its own would name the hash beside the random id.
    async fn lift_erasure(
        &self,
        tx: &mut Tx<'_>,
        address: &EmailAddress,
    ) -> Result<bool, StoreError> {
        let hash = self.keys.address_hash(address);
        let erased = tx.suppression(&hash).await?.is_some_and(|held| held.cause == ERASURE);
        Ok(erased && tx.unsuppress(&hash).await?)
    }
}

impl Consent<'_> {
    /// This consent, given now.
    pub(super) fn given(&self, now: Timestamp) -> Agreement {
        Agreement {
            way: self.way.to_owned(),
            proof: self.proof.to_owned(),
            at: now,
            text_version: self.text_version.map(str::to_owned),
            text: None,
        }
    }
}

fn wanted_json(wanted: &Preferences) -> String {
    let Preferences { cadence, topics, places, language, .. } = wanted.clone();
    serde_json::to_string(&Wanted { cadence, topics, places, language })
        .expect("ids and languages always have a JSON form")
}

/// What somebody asked for; followed words are not asked for on pages.
///
/// # Errors
/// Where the row says nothing that can be read.
pub fn asked_for(sign_up: &SignUpRow) -> Result<Preferences, StoreError> {
    let wanted: Wanted = serde_json::from_str(&sign_up.wanted_json).map_err(|_| {
        StoreError::Unreadable { what: "sign-up", text: sign_up.wanted_json.clone() }
    })?;
    let Wanted { cadence, topics, places, language } = wanted;
    Ok(Preferences { cadence, topics, places, language, words: Vec::new() })
}

/// Whether the same was asked just now and waits to be confirmed: a form that was sent twice.
async fn repeats(
    tx: &mut Tx<'_>,
    subject: Option<&Subject>,
    list: &ListId,
    wanted_json: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(subject) = subject else { return Ok(false) };
    Ok(tx.sign_ups_of(subject.id).await?.iter().any(|sign_up| {
        let open = sign_up.confirmed_at.is_none();
        let same = sign_up.list == *list && sign_up.wanted_json == wanted_json;
        open && same && now.0 - sign_up.asked_at.0 < REPEAT_SECONDS
    }))
}

/// What can be done with a sign-up.
async fn stands(
    tx: &mut Tx<'_>,
    sign_up: &SignUpRow,
    now: Timestamp,
) -> Result<Confirmation, StoreError> {
    let list = sign_up.list.clone();
    let language = asked_for(sign_up)?.language;
    if sign_up.confirmed_at.is_some() {
        let held = tx.subscription(sign_up.subscriber, &list).await?;
        let there = held.is_some_and(|held| held.state != ENDED);
        return Ok(match there {
            true => Confirmation::Done { list, language },
            false => Confirmation::Over,
        });
    }
    let offered = tx.cadences().await?.iter().any(|cadence| cadence.list_id == list);
    if sign_up.expires_at <= now || !offered {
        return Ok(Confirmation::Over);
    }
    let suppressed = tx.suppression_of(sign_up.subscriber).await?;
    if suppressed.is_some_and(|held| held.cause != ERASURE) {
        return Ok(Confirmation::Suppressed);
    }
    Ok(Confirmation::Open { list, language })
}

async fn address_of(tx: &mut Tx<'_>, subscriber: i64) -> Result<Option<EmailAddress>, StoreError> {
    let Some(text) = tx.subject(subscriber).await?.and_then(|subject| subject.address) else {
        return Ok(None);
    };
    let address = text.parse().map_err(|_| StoreError::Unreadable { what: "address", text })?;
    Ok(Some(address))
}

/// The cadence that was asked for, or the one nearest to it where the list has ceased to offer it.
async fn offered(
    tx: &mut Tx<'_>,
    list: &ListId,
    wanted: CadenceId,
) -> Result<CadenceId, StoreError> {
    let cadences = tx.cadences().await?.into_iter().filter(|row| row.list_id == *list);
    let cadences: Vec<CadenceId> = cadences.map(|row| row.cadence).collect();
    if cadences.contains(&wanted) {
        return Ok(wanted);
    }
    Ok(default_cadence(&cadences).cloned().unwrap_or(wanted))
}

/// The cadence of who chose none: `daily`, or else the first with an hour, or else what there is.
pub fn default_cadence(offered: &[CadenceId]) -> Option<&CadenceId> {
    let named = |name: &str| offered.iter().find(|cadence| cadence.as_str() == name);
    let calendar = offered.iter().find(|cadence| !cadence.is_immediate());
    named("daily").or(calendar).or(offered.first())
}

/// Lets a subscription that was left go on, as its person asks for it now.
async fn come_back(
    tx: &mut Tx<'_>,
    held: &StoredSubscription,
    wanted: &Preferences,
    now: Timestamp,
) -> Result<(), StoreError> {
    let profile = tx.intern_profile(&wanted.profile()).await?;
    let Some(held) = tx.hold_subscription(held.id).await? else { return Ok(()) };
    let words = tx.words_of(held.id).await?.len();
    let before = TracedSubscription::of(tx, &held, words).await?;
    if tx.come_back(&held, &wanted.cadence, profile, now).await? {
        tx.follow_words(held.id, &wanted.words).await?;
        let (cadence, state) = (wanted.cadence.clone(), subscriptions::ACTIVE.to_owned());
        let back = StoredSubscription { cadence, profile, state, ..(*held).clone() };
        let after = TracedSubscription::of(tx, &back, wanted.words.len()).await?;
        let (before, after) = (Some(before), Some(after));
        trace_subscription(tx, "subscription.returned", held.id, before, after, now).await?;
    }
    Ok(())
}

async fn trace(
    tx: &mut Tx<'_>,
    action: &str,
    sign_up: i64,
    before: Option<serde_json::Value>,
    after: Option<serde_json::Value>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let id = public_id(sign_up);
    tx.trace(action, TraceSubject { kind: "sign_up", id: &id }, before, after, now).await
}
