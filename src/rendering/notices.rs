//! Mails of no edition, each with one link: what somebody asked for, and what happens if they do
//! nothing.

use serde_json::json;

use super::blocks::{ClosingError, hole_values, shown_link, title};
use super::mime::{Boundary, unsubscribe_prefix as link_prefix};
use super::quoted::Hole;
use super::{Fragment, Templates};
use crate::model::Language;

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeAbout {
    /// A subscription that waits to be confirmed, and for how many days.
    Confirmation {
        /// After these the request is forgotten.
        days: i64,
    },
    /// A subscription that is there already.
    Already {
        /// For so many hours the link works.
        hours: i64,
    },
    /// The link to the preferences.
    Preferences {
        /// For so many hours it works.
        hours: i64,
    },
}

/// What a notice says.
#[derive(Clone, Copy, Debug)]
pub struct NoticeView<'a> {
    /// What it is about.
    pub about: NoticeAbout,
    /// The name of the public body or its site.
    pub site_name: &'a str,
    /// The list's name.
    pub list_name: &'a str,
    /// The residents' pages; http or https.
    pub public_url: &'a str,
    /// The address that, with `/` and the token behind it, is the notice's link.
    pub link_base: &'a str,
}

/// A notice, rendered: its address and its token are holes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedNotice {
    /// Its subject.
    pub subject: String,
    /// Its body.
    pub body: Fragment,
}

/// What separates the parts of the notices of a kind, the same at every attempt.
pub fn notice_boundary(kind: &str) -> Boundary {
    Boundary::of(&["notice", kind])
}

impl Templates {
    /// Renders a notice.
    ///
    /// # Errors
    /// Where the template fails, or an address of a page is none.
    pub fn notice(
        &self,
        view: &NoticeView<'_>,
        language: Language,
    ) -> Result<RenderedNotice, ClosingError> {
        let uri = |uri: &str| ClosingError::Uri(uri.to_owned());
        let (site_name, list_name) = (title(view.site_name), title(view.list_name));
        let (words, says) =
            self.catalogue(language).notices.says(view.about, &site_name, &list_name);
        let mut context = json!({
            "lang": language.tag(),
            "site_name": site_name,
            "title": says.title,
            "asked": says.asked,
            "todo": says.todo,
            "button": says.button,
            "otherwise": says.otherwise,
            "public_url": shown_link(view.public_url).ok_or_else(|| uri(view.public_url))?,
            "link_prefix": link_prefix(view.link_base).ok_or_else(|| uri(view.link_base))?,
            "t": words,
            "hole": hole_values(Hole::AddressInHtml),
        });
        let html = self.notice_html(&context)?;
        context["hole"] = hole_values(Hole::AddressInText);
        let body = Fragment::of(&html, &self.notice_text(&context)?);
        Ok(RenderedNotice { subject: says.subject, body })
    }
}
