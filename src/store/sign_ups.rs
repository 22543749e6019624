//! What people asked for on a page until they confirm it, and the wording that they agreed to.
//! Written by `audience`.

use crate::model::{Language, ListId, Timestamp};

use super::value::{Row, values};
use super::{HeldSubscription, StoreError, Subject, Tx, statements};

statements! {
    KEEP_SUBJECT = "INSERT INTO subscriber (id, address, address_hash, created_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (address_hash) DO UPDATE SET address = CASE
            WHEN EXISTS (SELECT 1 FROM subscription WHERE subscriber_id = subscriber.id)
            THEN subscriber.address ELSE excluded.address END
        RETURNING id, address, name";
    KEEP_CONSENT_TEXT = "INSERT INTO consent_text (version, language, text, since)
        VALUES ($1, $2, $3, $4) ON CONFLICT (version) DO NOTHING";
    CONSENT_TEXT = "SELECT text FROM consent_text WHERE version = $1";
    INSERT_SIGN_UP = "INSERT INTO sign_up
            (subscriber_id, list_id, wanted_json, text_version, asked_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6) RETURNING id";
    SIGN_UP = "SELECT * FROM sign_up WHERE id = $1";
    SIGN_UP_TO_CONFIRM = "SELECT * FROM sign_up WHERE id = $1" + { postgres: "FOR UPDATE" };
    CONFIRM_SIGN_UP = "UPDATE sign_up SET confirmed_at = $2
        WHERE id = $1 AND confirmed_at IS NULL";
    SIGN_UPS_OF = "SELECT * FROM sign_up WHERE subscriber_id = $1 ORDER BY id";
    END_OPEN_SIGN_UPS = "DELETE FROM sign_up
        WHERE subscriber_id = $1 AND list_id = $2 AND confirmed_at IS NULL";
    FORGET_SIGN_UPS_OF = "DELETE FROM sign_up WHERE subscriber_id = $1";
    EXPIRED_SIGN_UPS = "SELECT id, subscriber_id FROM sign_up WHERE expires_at <= $1
        ORDER BY expires_at, id LIMIT $2";
    FORGET_SIGN_UP = "DELETE FROM sign_up WHERE id = $1 AND expires_at <= $2";
    FORGET_SUBJECT = "DELETE FROM subscriber WHERE id = $1 AND erased_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM sign_up WHERE subscriber_id = subscriber.id)
        AND NOT EXISTS (SELECT 1 FROM subscription WHERE subscriber_id = subscriber.id)
        AND NOT EXISTS (SELECT 1 FROM message m JOIN notice n ON n.id = m.notice_id
            WHERE m.subscriber_id = subscriber.id AND n.kind = 'office')";
    COME_BACK = "UPDATE subscription SET state = 'active', cadence = $2, profile_id = $3,
            cursor = $4, joined_position = $4, changed_at = $5
        WHERE id = $1 AND state = 'ended'";
    AGREE = "INSERT INTO consent (subscription_id, way, proof, given_at, text_version)
        VALUES ($1, $2, $3, $4, $5)";
    AGREEMENTS_OF = "SELECT c.way, c.proof, c.given_at, c.text_version, t.text
        FROM consent c LEFT JOIN consent_text t ON t.version = c.text_version
        WHERE c.subscription_id = $1 ORDER BY c.id";
}

/// The wording that somebody agreed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentText {
    /// A short hash of the wording.
    pub version: String,
    /// Its language.
    pub language: Language,
    /// The wording.
    pub text: String,
}

/// A sign-up to be kept until it is confirmed.
#[derive(Clone, Debug)]
pub struct NewSignUp<'a> {
    /// Who, by the random id.
    pub subscriber: i64,
    /// Of which list.
    pub list: &'a ListId,
    /// With which preferences, as JSON text.
    pub wanted_json: &'a str,
    /// What they agreed to.
    pub text_version: &'a str,
    /// Until when it can be confirmed.
    pub expires: Timestamp,
}

/// A sign-up.
#[derive(Clone, Debug)]
pub struct SignUpRow {
    /// Its id.
    pub id: i64,
    /// Who, by the random id.
    pub subscriber: i64,
    /// Of which list.
    pub list: ListId,
    /// With which preferences, as JSON text.
    pub wanted_json: String,
    /// What they agreed to.
    pub text_version: String,
    /// When.
    pub asked_at: Timestamp,
    /// Until when it can be confirmed.
    pub expires_at: Timestamp,
    /// When it was.
    pub confirmed_at: Option<Timestamp>,
}

/// How a subscription was agreed to, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The way: `import`, `page`, `desk`.
    pub way: String,
    /// The proof, in words.
    pub proof: String,
    /// When.
    pub at: Timestamp,
    /// Which wording, where one was shown.
    pub text_version: Option<String>,
    /// The wording.
    pub text: Option<String>,
}

impl Tx<'_> {
    /// The subscriber with an address, made under a random id where there is none. As long as they
    /// have never been subscribed, they are written to as the newest question spells it: nobody has
    /// shown yet that another spelling is theirs. Others who ask for the same one wait for this
    /// transaction.
    pub async fn keep_subject(
        &mut self,
        subject: &Subject,
        hash: &str,
        now: Timestamp,
    ) -> Result<Subject, StoreError> {
        let values = values![subject.id, subject.address.clone(), hash, now];
        Subject::read(&self.one(KEEP_SUBJECT, values).await?)
    }

    /// Keeps a wording, where it is not kept yet.
    pub async fn keep_consent_text(
        &mut self,
        text: &ConsentText,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let values = values![&text.version, text.language.tag(), &text.text, now];
        self.execute(KEEP_CONSENT_TEXT, values).await?;
        Ok(())
    }

    /// A wording by its version.
    pub async fn consent_text(&mut self, version: &str) -> Result<Option<String>, StoreError> {
        let row = self.row(CONSENT_TEXT, values![version]).await?;
        row.map(|row| row.text("text")).transpose()
    }

    /// Keeps a sign-up; gives its id.
    pub async fn insert_sign_up(
        &mut self,
        new: &NewSignUp<'_>,
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        let NewSignUp { subscriber, list, wanted_json, text_version, expires } = *new;
        let values = values![subscriber, list, wanted_json, text_version, now, expires];
        self.one(INSERT_SIGN_UP, values).await?.int("id")
    }

    /// A sign-up by its id.
    pub async fn sign_up(&mut self, id: i64) -> Result<Option<SignUpRow>, StoreError> {
        self.row(SIGN_UP, values![id]).await?.as_ref().map(SignUpRow::read).transpose()
    }

    /// The same for who will confirm it; others wait for this transaction.
    pub async fn sign_up_to_confirm(&mut self, id: i64) -> Result<Option<SignUpRow>, StoreError> {
        self.row(SIGN_UP_TO_CONFIRM, values![id]).await?.as_ref().map(SignUpRow::read).transpose()
    }

    /// Marks a sign-up as confirmed; false where it was.
    pub async fn confirm_sign_up(&mut self, id: i64, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.execute(CONFIRM_SIGN_UP, values![id, now]).await? > 0)
    }

    /// Everything somebody asked for and that has not expired.
    pub async fn sign_ups_of(&mut self, subscriber: i64) -> Result<Vec<SignUpRow>, StoreError> {
        let rows = self.rows(SIGN_UPS_OF, values![subscriber]).await?;
        rows.iter().map(SignUpRow::read).collect()
    }

    /// Ends what somebody asked for on a list and has not confirmed: no link confirms it any more.
    pub async fn end_open_sign_ups(
        &mut self,
        subscriber: i64,
        list: &ListId,
    ) -> Result<u64, StoreError> {
        self.execute(END_OPEN_SIGN_UPS, values![subscriber, list]).await
    }

    /// Forgets what a person asked for who is erased.
    pub async fn forget_sign_ups_of(&mut self, subscriber: i64) -> Result<u64, StoreError> {
        self.execute(FORGET_SIGN_UPS_OF, values![subscriber]).await
    }

    /// Forgets sign-ups that have expired, at most `limit`, and subscribers of whom nothing else is
    /// known; gives how many of each.
    pub async fn forget_expired_sign_ups(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<(u64, u64), StoreError> {
        let (mut sign_ups, mut subjects) = (0, 0);
        for row in self.rows(EXPIRED_SIGN_UPS, values![now, limit]).await? {
            let (id, subscriber) = (row.int("id")?, row.int("subscriber_id")?);
            // Held first, so that whoever asks for something just now is not forgotten.
            self.hold_person(subscriber).await?;
            sign_ups += self.execute(FORGET_SIGN_UP, values![id, now]).await?;
            subjects += self.execute(FORGET_SUBJECT, values![subscriber]).await?;
        }
        Ok((sign_ups, subjects))
    }

    /// Lets a subscription that was left go on from the stream's head: what came between is not
    /// told. False where it was not left.
    pub async fn come_back(
        &mut self,
        held: &HeldSubscription,
        cadence: &crate::model::CadenceId,
        profile: i64,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        // As for one that joins: no chunk there is half done.
        self.share_cadence(&held.list, cadence).await?;
        let head = self.stream_head().await?;
        let values = values![held.id, cadence, profile, head, now];
        Ok(self.execute(COME_BACK, values).await? > 0)
    }

    /// Keeps how a subscription was agreed to.
    pub async fn agree(
        &mut self,
        subscription: i64,
        agreement: &Agreement,
    ) -> Result<(), StoreError> {
        let Agreement { way, proof, at, text_version, .. } = agreement;
        let values = values![subscription, way, proof, *at, text_version.clone()];
        self.execute(AGREE, values).await?;
        Ok(())
    }

    /// How a subscription was agreed to, each time.
    pub async fn agreements_of(&mut self, subscription: i64) -> Result<Vec<Agreement>, StoreError> {
        let rows = self.rows(AGREEMENTS_OF, values![subscription]).await?;
        rows.iter()
            .map(|row| {
                Ok(Agreement {
                    way: row.text("way")?,
                    proof: row.text("proof")?,
                    at: row.time("given_at")?,
                    text_version: row.text_or_none("text_version")?,
                    text: row.text_or_none("text")?,
                })
            })
            .collect()
    }
}

impl SignUpRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.int("id")?,
            subscriber: row.int("subscriber_id")?,
            list: row.word("list_id", "list id")?,
            wanted_json: row.text("wanted_json")?,
            text_version: row.text("text_version")?,
            asked_at: row.time("asked_at")?,
            expires_at: row.time("expires_at")?,
            confirmed_at: row.time_or_none("confirmed_at")?,
        })
    }
}
