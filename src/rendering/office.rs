//! Mails to the admins of the office: what happened, and what they can do.

use chrono::NaiveDateTime;
use serde_json::{Value, json};

use super::blocks::{shown_link, title};
use super::catalogue::Catalogue;
use super::plain::clean;
use super::{Fragment, RenderedNotice, TemplateError, Templates};
use crate::model::Language;

/// The most things that are told in full; of the rest there is a count.
pub const OFFICE_ENTRIES_MAX: usize = 40;
/// The longest technical message that is shown, in characters.
pub const ERROR_CHARS_MAX: usize = 400;

/// Something that happened to a source.
#[derive(Clone, Copy, Debug)]
pub struct OfficeEntry<'a> {
    /// The source's id.
    pub source: &'a str,
    /// Its title; its id stands for one that is empty.
    pub title: &'a str,
    /// Its address.
    pub url: &'a str,
    /// When it happened, in the site's zone.
    pub at: NaiveDateTime,
    /// What happened.
    pub what: OfficeMatter<'a>,
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum OfficeMatter<'a> {
    /// The source has failed for some time.
    Bad {
        /// Since when, in the site's zone.
        since: NaiveDateTime,
        /// A name under `[office.troubles]` of the catalogues.
        trouble: &'a str,
        /// What the log says.
        error: &'a str,
    },
    /// It answers again.
    Recovered {
        /// Since when it had not, in the site's zone.
        since: Option<NaiveDateTime>,
    },
    /// It is gone for good.
    Gone,
    /// Items of it are held.
    Held {
        /// How many.
        count: usize,
        /// The titles of the first.
        titles: &'a [String],
    },
}

/// What a mail to the office says.
#[derive(Clone, Copy, Debug)]
pub struct OfficeView<'a> {
    /// The name of the public body or its site.
    pub site_name: &'a str,
    /// What happened, in order.
    pub entries: &'a [OfficeEntry<'a>],
}

impl Templates {
    /// Renders a mail to the office. It has no hole: nothing in it is its recipient's own.
    ///
    /// # Errors
    /// Where the template fails.
    pub fn office(
        &self,
        view: &OfficeView<'_>,
        language: Language,
    ) -> Result<RenderedNotice, TemplateError> {
        let catalogue = self.catalogue(language);
        let shown = &view.entries[..view.entries.len().min(OFFICE_ENTRIES_MAX)];
        let left = view.entries.len() - shown.len();
        let entries: Vec<Value> = shown.iter().map(|entry| form(catalogue, entry)).collect();
        let site_name = title(view.site_name);
        let words = catalogue.office.words();
        let subject = match shown {
            [only] => catalogue.office.subject(&only.what, &name(only)),
            _ => catalogue.office.news(view.entries.len()),
        };
        let context = json!({
            "lang": language.tag(),
            "site_name": site_name,
            "title": words.title,
            "intro": catalogue.office.intro(&site_name),
            "entries": entries,
            "more": if left > 0 { catalogue.office.more(left) } else { String::new() },
            "t": words,
        });
        let body = Fragment::of(&self.office_html(&context)?, &self.office_text(&context)?);
        Ok(RenderedNotice { subject, body })
    }

    /// Renders a sample of each matter.
    pub(super) fn try_office(&self, language: Language) -> Result<(), TemplateError> {
        let (at, titles) = (NaiveDateTime::default(), ["a".to_owned()]);
        let matters = [
            OfficeMatter::Bad { since: at, trouble: "unreachable", error: "a" },
            OfficeMatter::Recovered { since: Some(at) },
            OfficeMatter::Gone,
            OfficeMatter::Held { count: 2, titles: &titles },
        ];
        let entry = |what| OfficeEntry { source: "a", title: "a", url: "https://a.it", at, what };
        let entries = matters.map(entry);
        for entries in [&entries[..], &entries.repeat(OFFICE_ENTRIES_MAX)] {
            self.office(&OfficeView { site_name: "a", entries }, language)?;
        }
        Ok(())
    }
}

fn name(entry: &OfficeEntry<'_>) -> String {
    let name = title(entry.title);
    if name.is_empty() { title(entry.source) } else { name }
}

/// What the templates show of an entry. Addresses of sources may be of files, and are shown as
/// text where they are no pages.
fn form(catalogue: &Catalogue, entry: &OfficeEntry<'_>) -> Value {
    let office = &catalogue.office;
    let (mut titles, mut rest, mut error) = (Vec::new(), String::new(), String::new());
    match entry.what {
        OfficeMatter::Bad { error: said, .. } => error = clean(said, ERROR_CHARS_MAX),
        OfficeMatter::Held { count, titles: first } => {
            let shown = |text: &String| match title(text) {
                text if text.is_empty() => catalogue.untitled().to_owned(),
                text => text,
            };
            titles = first.iter().map(shown).collect();
            let left = count.saturating_sub(titles.len());
            rest = if left > 0 { office.others(left) } else { String::new() };
        }
        OfficeMatter::Recovered { .. } | OfficeMatter::Gone => {}
    }
    let link = shown_link(entry.url);
    json!({
        "heading": office.heading(&entry.what),
        "name": name(entry),
        "id": title(entry.source),
        "moment": catalogue.moment(entry.at),
        "says": catalogue.office_says(&entry.what),
        "url": link.clone().unwrap_or_else(|| title(entry.url)),
        "is_page": link.is_some(),
        "titles": titles,
        "rest": rest,
        "error": error,
        "todo": office.todo(&entry.what, &title(entry.source)),
    })
}
