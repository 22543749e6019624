//! Notices as mails, but for what they are about and whom they go to.

use crate::audience::{Draft, DraftError, Drafting, Mailbox, PREFERENCES_LINK_HOURS, SIGN_UP_DAYS};
use crate::config::Site;
use crate::model::Language;
use crate::rendering::mime::{self, NoticeHeaderView};
use crate::rendering::{NoticeAbout, NoticeView, Templates, notice_boundary};
use crate::store::{ListRow, NoticeKind};

/// Makes notices from the templates.
#[derive(Clone, Copy, Debug)]
pub struct Drafts<'a> {
    /// Who runs this.
    pub site: &'a Site,
    /// What mails are made of.
    pub templates: &'a Templates,
}

impl Drafting for Drafts<'_> {
    fn draft(
        &self,
        kind: NoticeKind,
        list: &ListRow,
        language: Language,
    ) -> Result<Draft, DraftError> {
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
        let sender: Mailbox = list.sender.parse()?;
        let headers = mime::notice_headers(&NoticeHeaderView {
            from_name: sender.name.as_deref().unwrap_or(&self.site.name),
            from_address: &sender.address.to_string(),
            subject: &rendered.subject,
            language,
            boundary: &notice_boundary(kind.as_str()),
        })?;
        let (html, text) = (rendered.body.html, rendered.body.text);
        Ok(Draft { kind, list: list.id.clone(), language, headers, html, text })
    }
}
