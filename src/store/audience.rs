//! Subscribers, subscriptions, profiles, consent and suppressions. Written by
//! `audience`.

use crate::model::{CadenceId, Language, ListId, PlaceId, Timestamp, TopicId};

use super::value::{Row, json, values};
use super::{StoreError, Tx, statements};

statements! {
    SUBJECT_BY_HASH = "SELECT id, address, name FROM subscriber WHERE address_hash = $1";
    LOCK_PERSON = {
        sqlite: "",
        postgres: "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
    };
    PERSON = "SELECT coalesce(address_hash, CAST(id AS TEXT)) AS person FROM subscriber
        WHERE id = $1";
    PERSON_OF_SUBSCRIPTION = "SELECT coalesce(p.address_hash, CAST(p.id AS TEXT)) AS person
        FROM subscription s JOIN subscriber p ON p.id = s.subscriber_id WHERE s.id = $1";
    SUBJECT = "SELECT id, address, name FROM subscriber WHERE id = $1";
    INSERT_SUBJECT = "INSERT INTO subscriber (id, address, address_hash, name, created_at)
        VALUES ($1, $2, $3, $4, $5)";
    NAME_SUBJECT = "UPDATE subscriber SET name = $2 WHERE id = $1";
    ERASE_SUBJECT = "UPDATE subscriber SET address = NULL, address_hash = NULL, name = NULL,
            erased_at = $2 WHERE id = $1";
    PROFILE_BY_KEY = "SELECT id FROM profile WHERE key = $1";
    INSERT_PROFILE = "INSERT INTO profile (key, all_topics, language, topics_json, places_json)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (key) DO NOTHING";
    PROFILE = "SELECT * FROM profile WHERE id = $1";
    PROFILES_OF = "SELECT * FROM profile WHERE id IN (
            SELECT profile_id FROM subscription
                WHERE list_id = $1 AND cadence = $2 AND cursor IS NULL
            UNION SELECT profile_id FROM subscription
                WHERE list_id = $1 AND cadence = $2 AND cursor IS NOT NULL AND state = 'active')";
    SUBSCRIPTION = "SELECT * FROM subscription WHERE subscriber_id = $1 AND list_id = $2";
    SUBSCRIPTION_BY_ID = "SELECT * FROM subscription WHERE id = $1";
    LOCK_SUBSCRIPTION = {
        sqlite: "",
        postgres: "SELECT 1 FROM subscription WHERE id = $1 FOR UPDATE"
    };
    SUBSCRIPTIONS_OF = "SELECT * FROM subscription WHERE subscriber_id = $1 ORDER BY list_id";
    SUBSCRIPTIONS_AFTER = "SELECT * FROM subscription WHERE list_id = $1 AND id > $2
        ORDER BY id LIMIT $3";
    INSERT_SUBSCRIPTION = "INSERT INTO subscription (subscriber_id, list_id, cadence, profile_id,
            state, cursor, joined_position, created_at, changed_at)
        VALUES ($1, $2, $3, $4, 'active', $5, $5, $6, $6) RETURNING id";
    CHANGE_SUBSCRIPTION = "UPDATE subscription SET cadence = $2, profile_id = $3, state = $4,
            cursor = $5, changed_at = $6 WHERE id = $1";
    PIN = "UPDATE subscription SET cursor = $2 WHERE id = $1";
    FORGET_CONSENTS = "DELETE FROM consent WHERE subscription_id = $1";
    SUPPRESS = "INSERT INTO suppression (address_hash, cause, reason, since)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (address_hash) DO UPDATE SET cause = excluded.cause, reason = excluded.reason";
    UNSUPPRESS = "DELETE FROM suppression WHERE address_hash = $1";
    SUPPRESSION = "SELECT cause, reason, since FROM suppression WHERE address_hash = $1";
    SUPPRESSION_OF = "SELECT x.cause, x.reason, x.since FROM subscriber p
        JOIN suppression x ON x.address_hash = p.address_hash WHERE p.id = $1";
}

/// A subscriber, as far as it has not been erased.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The random id that all other tables use.
    pub id: i64,
    /// The address, as the person wrote it.
    pub address: Option<String>,
    /// The name, where one was given.
    pub name: Option<String>,
}

/// One distinct set of preferences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Whether every topic is wanted; then `topics` is empty.
    pub all_topics: bool,
    /// The language of what is sent.
    pub language: Language,
    /// The topics, in order of their ids.
    pub topics: Vec<TopicId>,
    /// The places, in order of their ids; none stands for the whole area.
    pub places: Vec<PlaceId>,
}

/// A subscription that nobody else can change until the transaction ends, and that no planner
/// decides meanwhile: only this can be changed.
#[derive(Clone, Debug)]
pub struct HeldSubscription(StoredSubscription);

impl std::ops::Deref for HeldSubscription {
    type Target = StoredSubscription;

    fn deref(&self) -> &StoredSubscription {
        &self.0
    }
}

impl Profile {
    /// What makes two profiles the same.
    pub fn key(&self) -> String {
        let topics = if self.all_topics { "*".to_owned() } else { json(&self.topics) };
        format!("{};{topics};{}", self.language, json(&self.places))
    }
}

/// A subscription to be made.
#[derive(Clone, Debug)]
pub struct NewSubscription {
    /// Who.
    pub subscriber: i64,
    /// Of which list.
    pub list: ListId,
    /// How often.
    pub cadence: CadenceId,
    /// With which preferences.
    pub profile: i64,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSubscription {
    /// Its id.
    pub id: i64,
    /// Whose it is.
    pub subscriber: i64,
    /// Of which list.
    pub list: ListId,
    /// How often.
    pub cadence: CadenceId,
    /// With which preferences.
    pub profile: i64,
    /// `active`, `paused` or `ended`.
    pub state: String,
    /// Its pin, where it has one.
    pub cursor: Option<i64>,
    /// The stream's head when it was made.
    pub joined_position: i64,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Why an address must not be written to.
#[derive(Clone, Debug)]
pub struct Suppression {
    /// `bounce`, `complaint`, `erasure` or `block`.
    pub cause: String,
    /// In words.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

impl Tx<'_> {
    /// The subscriber with this address, by its keyed hash.
    pub async fn subject_by_hash(&mut self, hash: &str) -> Result<Option<Subject>, StoreError> {
        self.row(SUBJECT_BY_HASH, values![hash]).await?.as_ref().map(Subject::read).transpose()
    }

    /// The same, held until the transaction ends, be it there or not: nobody else adds, changes,
    /// suppresses or erases the person of this address meanwhile.
    pub async fn hold_subject(&mut self, hash: &str) -> Result<Option<Subject>, StoreError> {
        self.lock(LOCK_PERSON, values![hash]).await?;
        self.subject_by_hash(hash).await
    }

    /// A subscriber by its id.
    pub async fn subject(&mut self, id: i64) -> Result<Option<Subject>, StoreError> {
        self.row(SUBJECT, values![id]).await?.as_ref().map(Subject::read).transpose()
    }

    /// Adds a subscriber under a random id; its person is held.
    pub async fn insert_subject(
        &mut self,
        subject: &Subject,
        hash: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let values = values![subject.id, subject.address.clone(), hash, subject.name.clone(), now];
        let done = self.execute(INSERT_SUBJECT, values).await;
        done.map(|_| ()).map_err(|e| e.or_exists("the subscriber"))
    }

    /// Gives a subscriber another name.
    pub async fn name_subject(&mut self, id: i64, name: &str) -> Result<(), StoreError> {
        self.execute(NAME_SUBJECT, values![id, name]).await?;
        Ok(())
    }

    /// Removes a subscriber's personal values; the id stays for the sums.
    pub async fn erase_subject(&mut self, id: i64, now: Timestamp) -> Result<(), StoreError> {
        self.execute(ERASE_SUBJECT, values![id, now]).await?;
        Ok(())
    }

    /// The id of a profile, made where nobody had it before.
    pub async fn intern_profile(&mut self, profile: &Profile) -> Result<i64, StoreError> {
        let key = profile.key();
        if let Some(row) = self.row(PROFILE_BY_KEY, values![&key]).await? {
            return row.int("id");
        }
        let values = values![
            &key,
            profile.all_topics,
            profile.language.tag(),
            json(&profile.topics),
            json(&profile.places),
        ];
        self.execute(INSERT_PROFILE, values).await?;
        self.one(PROFILE_BY_KEY, values![key]).await?.int("id")
    }

    /// A profile.
    pub async fn profile(&mut self, id: i64) -> Result<Option<Profile>, StoreError> {
        self.row(PROFILE, values![id]).await?.as_ref().map(Profile::read).transpose()
    }

    /// The profiles of everybody who takes part in a cadence of a list.
    pub async fn profiles_of(
        &mut self,
        list: &ListId,
        cadence: &CadenceId,
    ) -> Result<Vec<(i64, Profile)>, StoreError> {
        let rows = self.rows(PROFILES_OF, values![list, cadence]).await?;
        rows.iter().map(|row| Ok((row.int("id")?, Profile::read(row)?))).collect()
    }

    /// Somebody's subscription of a list.
    pub async fn subscription(
        &mut self,
        subscriber: i64,
        list: &ListId,
    ) -> Result<Option<StoredSubscription>, StoreError> {
        let row = self.row(SUBSCRIPTION, values![subscriber, list]).await?;
        row.as_ref().map(StoredSubscription::read).transpose()
    }

    /// A subscription by its id.
    pub async fn subscription_by_id(
        &mut self,
        id: i64,
    ) -> Result<Option<StoredSubscription>, StoreError> {
        let row = self.row(SUBSCRIPTION_BY_ID, values![id]).await?;
        row.as_ref().map(StoredSubscription::read).transpose()
    }

    /// A subscription by its id, held until the transaction ends, together with its person and its
    /// cadence.
    pub async fn hold_subscription(
        &mut self,
        id: i64,
    ) -> Result<Option<HeldSubscription>, StoreError> {
        let mut seen = self.subscription_by_id(id).await?;
        while let Some(before) = seen {
            // The person first, as whoever joins does; then the cadence, as planners do.
            let person = self.person_of(id).await?;
            self.lock(LOCK_PERSON, values![&person]).await?;
            self.share_cadence(&before.list, &before.cadence).await?;
            self.lock(LOCK_SUBSCRIPTION, values![id]).await?;
            let held = self.subscription_by_id(id).await?;
            let still = self.person_of(id).await? == person;
            match held {
                Some(held) if held.cadence == before.cadence && still => {
                    return Ok(Some(HeldSubscription(held)));
                }
                // It moved to another cadence, or was erased, before it could be held.
                held => seen = held,
            }
        }
        Ok(None)
    }

    /// Holds a person by the subscriber's id until the transaction ends, as [`Tx::hold_subject`]
    /// does by the address.
    pub async fn hold_person(&mut self, subscriber: i64) -> Result<(), StoreError> {
        if let Some(row) = self.row(PERSON, values![subscriber]).await? {
            self.lock(LOCK_PERSON, values![row.text("person")?]).await?;
        }
        Ok(())
    }

    /// By what a subscription's person is held.
    async fn person_of(&mut self, subscription: i64) -> Result<String, StoreError> {
        let row = self.row(PERSON_OF_SUBSCRIPTION, values![subscription]).await?;
        row.map_or_else(|| Ok(String::new()), |row| row.text("person"))
    }

    /// Everything somebody subscribed to.
    pub async fn subscriptions_of(
        &mut self,
        subscriber: i64,
    ) -> Result<Vec<StoredSubscription>, StoreError> {
        let rows = self.rows(SUBSCRIPTIONS_OF, values![subscriber]).await?;
        rows.iter().map(StoredSubscription::read).collect()
    }

    /// A list's subscriptions after an id, at most `limit`, in order.
    pub async fn subscriptions_after(
        &mut self,
        list: &ListId,
        id: i64,
        limit: i64,
    ) -> Result<Vec<StoredSubscription>, StoreError> {
        let rows = self.rows(SUBSCRIPTIONS_AFTER, values![list, id, limit]).await?;
        rows.iter().map(StoredSubscription::read).collect()
    }

    /// Adds a subscription, pinned at the stream's head: what is older is not told. Its cadence is
    /// held until the transaction ends: a chunk that began meanwhile would not see it, and then
    /// move its pin with the others.
    pub async fn insert_subscription(
        &mut self,
        new: &NewSubscription,
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        self.share_cadence(&new.list, &new.cadence).await?;
        let head = self.stream_head().await?;
        let values = values![new.subscriber, &new.list, &new.cadence, new.profile, head, now];
        let row = self.one(INSERT_SUBSCRIPTION, values).await;
        row.map_err(|e| e.or_exists("the subscription"))?.int("id")
    }

    /// Changes a subscription, and pins it where it has been told so far.
    pub async fn change_subscription(
        &mut self,
        changed: &StoredSubscription,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let values = values![
            changed.id,
            &changed.cadence,
            changed.profile,
            &changed.state,
            changed.cursor,
            now,
        ];
        self.execute(CHANGE_SUBSCRIPTION, values).await?;
        Ok(())
    }

    /// Pins a subscription.
    pub async fn pin(&mut self, subscription: i64, cursor: i64) -> Result<(), StoreError> {
        self.execute(PIN, values![subscription, cursor]).await?;
        Ok(())
    }

    /// Forgets the consents of a subscription whose person is erased.
    pub async fn forget_consents(&mut self, subscription: i64) -> Result<(), StoreError> {
        self.execute(FORGET_CONSENTS, values![subscription]).await?;
        Ok(())
    }

    /// Marks an address, by its keyed hash, as one that must not be written to.
    pub async fn suppress(
        &mut self,
        hash: &str,
        cause: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute(SUPPRESS, values![hash, cause, reason, now]).await?;
        Ok(())
    }

    /// Lets an address be written to again; gives whether it had been suppressed.
    pub async fn unsuppress(&mut self, hash: &str) -> Result<bool, StoreError> {
        Ok(self.execute(UNSUPPRESS, values![hash]).await? > 0)
    }

    /// Why an address must not be written to, if so.
    pub async fn suppression(&mut self, hash: &str) -> Result<Option<Suppression>, StoreError> {
        self.row(SUPPRESSION, values![hash]).await?.as_ref().map(Suppression::read).transpose()
    }

    /// The same for a subscriber by its id.
    pub async fn suppression_of(
        &mut self,
        subscriber: i64,
    ) -> Result<Option<Suppression>, StoreError> {
        let row = self.row(SUPPRESSION_OF, values![subscriber]).await?;
        row.as_ref().map(Suppression::read).transpose()
    }
}

impl Subject {
    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.int("id")?,
            address: row.text_or_none("address")?,
            name: row.text_or_none("name")?,
        })
    }
}

impl Suppression {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            cause: row.text("cause")?,
            reason: row.text("reason")?,
            since: row.time("since")?,
        })
    }
}

impl Profile {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            all_topics: row.flag("all_topics")?,
            language: row.word("language", "language")?,
            topics: row.json("topics_json", "list of topics")?,
            places: row.json("places_json", "list of places")?,
        })
    }
}

impl StoredSubscription {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.int("id")?,
            subscriber: row.int("subscriber_id")?,
            list: row.word("list_id", "list id")?,
            cadence: row.word("cadence", "cadence")?,
            profile: row.int("profile_id")?,
            state: row.text("state")?,
            cursor: row.int_or_none("cursor")?,
            joined_position: row.int("joined_position")?,
            created_at: row.time("created_at")?,
        })
    }
}
