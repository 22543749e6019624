//! Notices as mails, but for what they are about and whom they go to.

use crate::audience::{
    Draft, DraftError, Drafting, Mailbox, OfficeNews, PREFERENCES_LINK_HOURS, SIGN_UP_DAYS,
};
use crate::config::Site;
use crate::model::{Language, Timestamp};
use crate::rendering::mime::{self, NoticeHeaderView};
use crate::rendering::{
    NoticeAbout, NoticeView, OfficeEntry, OfficeMatter, OfficeView, RenderedNotice, Templates,
    notice_boundary,
};
use crate::store::{ListRow, NoticeKind, OfficeEvent};

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
            NoticeKind::Office => return Err("it is made of what happened".into()),
        };
        let view = NoticeView {
            about,
            site_name: &self.site.name,
            list_name: &list.name,
            public_url: &self.site.public_url,
            link_base: &format!("{}/{path}", self.site.public_url),
        };
        let rendered = self.templates.notice(&view, language)?;
        self.mail(kind, list, language, rendered)
    }

    fn office(&self, list: &ListRow, news: &[OfficeNews]) -> Result<Draft, DraftError> {
        let entries: Vec<_> = news.iter().map(|news| self.entry(news)).collect();
        let view = OfficeView { site_name: &self.site.name, entries: &entries };
        let language = self.site.locale;
        let rendered = self.templates.office(&view, language)?;
        self.mail(NoticeKind::Office, list, language, rendered)
    }
}

impl Drafts<'_> {
    fn mail(
        &self,
        kind: NoticeKind,
        list: &ListRow,
        language: Language,
        rendered: RenderedNotice,
    ) -> Result<Draft, DraftError> {
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

    fn entry<'n>(&self, news: &'n OfficeNews) -> OfficeEntry<'n> {
        let local = |at: Timestamp| at.in_zone(self.site.timezone).naive_local();
        let (source, what) = match &news.event {
            OfficeEvent::SourceBad { source, since, trouble, error } => {
                let (since, trouble) = (local(Timestamp(*since)), trouble.as_str());
                (source, OfficeMatter::Bad { since, trouble, error })
            }
            OfficeEvent::SourceRecovered { source, since } => {
                let since = since.map(|since| local(Timestamp(since)));
                (source, OfficeMatter::Recovered { since })
            }
            OfficeEvent::SourceGone { source } => (source, OfficeMatter::Gone),
            OfficeEvent::ItemsHeld { source } => {
                let count = usize::try_from(news.held.0).unwrap_or(0);
                (source, OfficeMatter::Held { count, titles: &news.held.1 })
            }
        };
        OfficeEntry {
            source: source.source.as_str(),
            title: source.title.as_deref().unwrap_or_default(),
            url: &source.url,
            at: local(news.at),
            what,
        }
    }
}
