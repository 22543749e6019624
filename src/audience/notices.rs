//! Mails that somebody has just asked for: a confirmation, a link to the preferences.

use crate::config::Site;
use crate::model::{Language, ListId, Timestamp};
use crate::rendering::mime::{self, HeaderError, NoticeHeaderView};
use crate::rendering::{ClosingError, NoticeAbout, NoticeView, Templates, notice_boundary};
use crate::store::{ListRow, NewNotice, NoticeKind, Store, StoreError};

use super::{EmailAddress, InvalidAddress, Keys, Mailbox};

/// Within how many seconds the same question, asked again, gets no further mail: a form that was
/// sent twice.
const REPEAT_SECONDS: i64 = 600;
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
    /// What notices are made of.
    pub templates: &'a Templates,
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
    /// A notice could not be rendered.
    #[error(transparent)]
    Notice(#[from] ClosingError),
    /// Its header could not be made.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The list's sender is no address.
    #[error("the sender of a list cannot be used")]
    Sender(#[source] InvalidAddress),
}

/// A notice without what it is about: what can be made before the database is asked.
pub(super) struct Draft {
    kind: NoticeKind,
    pub(super) purpose: String,
    list: ListId,
    language: Language,
    headers: Vec<u8>,
    html: Vec<u8>,
    text: Vec<u8>,
}

impl Draft {
    pub(super) fn about(self, about: i64) -> NewNotice {
        let Self { kind, purpose, list, language, headers, html, text } = self;
        NewNotice { kind, purpose, list, about, language, headers, html, text }
    }
}

impl Reception<'_> {
    /// Renders a notice. What is asked says the same for a while: then the purpose is the same, and
    /// there is only one notice.
    pub(super) fn draft(
        &self,
        kind: NoticeKind,
        (list, language): (&ListRow, Language),
        (address, asked): (&EmailAddress, &str),
        now: Timestamp,
    ) -> Result<Draft, AskError> {
        let turn = now.0.div_euclid(REPEAT_SECONDS);
        let asked = format!("{} {} {asked} {turn}", address.canonical(), list.id);
        let purpose = format!("{} {}", kind.as_str(), self.keys.limit_key("notice", &asked));
        let hours = PREFERENCES_LINK_HOURS;
        let (about, path) = match kind {
            NoticeKind::Confirmation => {
                (NoticeAbout::Confirmation { days: SIGN_UP_DAYS }, "confirm")
            }
            NoticeKind::Already => (NoticeAbout::Already { hours }, "p"),
            NoticeKind::Preferences => (NoticeAbout::Preferences { hours }, "p"),
        };
        let view = NoticeView {
            about,
            site_name: &self.site.name,
            list_name: &list.name,
            public_url: &self.site.public_url,
            link_base: &format!("{}/{path}", self.site.public_url),
        };
        let rendered = self.templates.notice(&view, language)?;
        let sender: Mailbox = list.sender.parse().map_err(AskError::Sender)?;
        let headers = mime::notice_headers(&NoticeHeaderView {
            from_name: sender.name.as_deref().unwrap_or(&self.site.name),
            from_address: &sender.address.to_string(),
            subject: &rendered.subject,
            language,
            boundary: &notice_boundary(&purpose),
        })?;
        let (html, text) = (rendered.body.html, rendered.body.text);
        Ok(Draft { kind, purpose, list: list.id.clone(), language, headers, html, text })
    }
}
