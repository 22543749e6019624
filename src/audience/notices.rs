//! Mails of no edition, most of which somebody has just asked for: a confirmation, a link to the
//! preferences.

use std::fmt::Debug;

use crate::config::Site;
use crate::model::{Language, ListId, Timestamp};
use crate::store::{ListRow, MayCollide, NewNotice, NoticeKind, Store, StoreError};

use super::{Keys, OfficeNews, public_id};

/// Within how many seconds the same question, asked again, gets no further mail: a form that was
/// sent twice.
pub(super) const REPEAT_SECONDS: i64 = 600;
/// For how many days a sign-up can be confirmed; then it is forgotten.
pub const SIGN_UP_DAYS: i64 = 7;
/// For how many hours a link opens the preferences.
pub const PREFERENCES_LINK_HOURS: i64 = 24;

/// Where people come in and go out by themselves: what pages do here, another way in would do
/// through the same functions.
#[derive(Clone, Copy, Debug)]
pub struct Reception<'a> {
    /// The database, and who acts on it.
    pub store: &'a Store,
    /// Tokens and hashes.
    pub keys: &'a Keys,
    /// Who runs this.
    pub site: &'a Site,
    /// What makes notices.
    pub drafts: &'a dyn Drafting,
}

/// Makes notices. What mails look like is no business of this room.
pub trait Drafting: Debug + Sync {
    /// Makes a notice of a list in a language, without what it is about.
    ///
    /// # Errors
    /// Where a template fails, or the list's sender or the site's address cannot be used; for one
    /// to the office, which is made of what happened.
    fn draft(
        &self,
        kind: NoticeKind,
        list: &ListRow,
        language: Language,
    ) -> Result<Draft, DraftError>;

    /// Makes a notice to the office, from a list's sender, in the site's language.
    ///
    /// # Errors
    /// As [`Drafting::draft`].
    fn office(&self, list: &ListRow, news: &[OfficeNews]) -> Result<Draft, DraftError>;
}

/// What became of a question. It says nothing of the address that was given: whoever asks learns
/// the same of everyone's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It was looked at; if there is something to mail to that address, it will be.
    Taken,
    /// There are too many forms from this network, or at all; it was not looked at.
    TooMany,
}

/// Why a question could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A notice could not be made.
    #[error("a notice cannot be made: {0}")]
    Draft(#[from] DraftError),
}

impl MayCollide for AskError {
    fn is_collision(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_collision())
    }
}

/// Why a notice could not be made.
pub type DraftError = Box<dyn std::error::Error + Send + Sync>;

/// A notice without what it is about: what can be made before the database is asked.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What it is about.
    pub kind: NoticeKind,
    /// The list whose sender it is from.
    pub list: ListId,
    /// Its language.
    pub language: Language,
    /// The part of the header that is not its message's own.
    pub headers: Vec<u8>,
    /// Its HTML, encoded, with holes.
    pub html: Vec<u8>,
    /// Its text, encoded, with holes.
    pub text: Vec<u8>,
}

impl Draft {
    /// The notice about a sign-up or a subscriber, for one purpose.
    pub(super) fn about(self, about: i64, purpose: String) -> NewNotice {
        let Self { kind, list, language, headers, html, text } = self;
        NewNotice { kind, purpose, list, about, language, headers, html, text }
    }
}

/// What makes a mail with a link to the preferences unique: one subscriber's, for a while.
pub(super) fn link_purpose(kind: NoticeKind, subscriber: i64, now: Timestamp) -> String {
    let turn = now.0.div_euclid(REPEAT_SECONDS);
    format!("{} {} {turn}", kind.as_str(), public_id(subscriber))
}
