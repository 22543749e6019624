//! The pieces of a digest, each rendered from its block of the templates.

use chrono::NaiveDate;
use serde_json::{Value, json};
use url::Url;

use super::plain::{
    SUMMARY_CHARS_MAX, TITLE_CHARS_MAX, clean, cut_at_word, summary, without_title,
};
use super::quoted::Hole;
use super::templates::{Block, TemplateError, Templates};
use super::{
    CODES_SHOWN_MAX, ClosingView, EntryView, Fragment, FrameView, NoticeAbout, NoticeView,
    OpeningView, ReasonView, SUMS_SHOWN_MAX, mime::unsubscribe_prefix,
};
use crate::model::Language;

/// The longest title within a subject, in characters; mailboxes show some forty to eighty.
pub const SUBJECT_TITLE_CHARS_MAX: usize = 78;
/// The longest preheader, in characters; mailboxes show some hundred.
pub const PREHEADER_CHARS_MAX: usize = 140;
/// The longest link shown, in octets; browsers and mail programs differ above.
pub const LINK_OCTETS_MAX: usize = 2_000;
/// How much of an item's text is read for its summary, in characters: a title said twice before it
/// begins still leaves enough.
const TEXT_CHARS_READ: usize = 4 * SUMMARY_CHARS_MAX;
/// The most places, topics or words named in one line.
pub const NAMES_MAX: usize = 12;
/// The longest name of a place, topic, source or followed word, in characters.
pub const NAME_CHARS_MAX: usize = 80;

/// Why a mail cannot be closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClosingError {
    /// An address of a page is none.
    #[error("{0:?} is no address of a page (http or https), or too long")]
    Uri(String),
    /// The template fails.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

impl Templates {
    /// What a variant says it has: the first item's title and how many others there are.
    pub fn subject(&self, first_title: &str, others: usize, language: Language) -> String {
        let title = clean(first_title, SUBJECT_TITLE_CHARS_MAX);
        self.catalogue(language).subject(&title, others)
    }

    /// The head of the page, the same for all mails of a list.
    ///
    /// # Errors
    /// Like all blocks: when a template fails on these values, which the samples tried at
    /// compilation make unlikely.
    pub fn frame(
        &self,
        view: &FrameView<'_>,
        language: Language,
    ) -> Result<Fragment, TemplateError> {
        let context = json!({ "list_name": title(view.list_name) });
        self.fragment(Block::Frame, context, language)
    }

    /// What mailboxes show beside the subject, hidden in the mail itself and absent from its text
    /// part: the titles that the subject does not have, or the only item's summary.
    ///
    /// # Errors
    /// See [`Templates::frame`].
    pub fn preheader(&self, texts: &[&str], language: Language) -> Result<Fragment, TemplateError> {
        let texts: Vec<String> =
            texts.iter().take(NAMES_MAX).map(|text| clean(text, PREHEADER_CHARS_MAX)).collect();
        let line = cut_at_word(&texts.join(" · "), PREHEADER_CHARS_MAX);
        self.fragment(Block::Preheader, json!({ "preheader": line }), language)
    }

    /// The beginning of an edition, with the mail's only first heading.
    ///
    /// # Errors
    /// See [`Templates::frame`].
    pub fn opening(
        &self,
        view: &OpeningView<'_>,
        language: Language,
    ) -> Result<Fragment, TemplateError> {
        let catalogue = self.catalogue(language);
        let context = json!({
            "site_name": title(view.site_name),
            "list_name": title(view.list_name),
            "edition": catalogue.edition(view.cadence),
            "date": catalogue.day(view.date),
            "count": catalogue.items(view.count),
        });
        self.fragment(Block::Opening, context, language)
    }

    /// The heading over the entries of a topic.
    ///
    /// # Errors
    /// See [`Templates::frame`].
    pub fn heading(&self, label: &str, language: Language) -> Result<Fragment, TemplateError> {
        self.fragment(Block::Heading, json!({ "title": title(label) }), language)
    }

    /// The heading over entries that have no topic.
    ///
    /// # Errors
    /// See [`Templates::frame`].
    pub fn heading_of_the_rest(&self, language: Language) -> Result<Fragment, TemplateError> {
        self.heading(self.catalogue(language).rest(), language)
    }

    /// One entry by its title alone, where a mail has too many to tell all in full.
    ///
    /// # Errors
    /// See [`Templates::frame`].
    pub fn brief(
        &self,
        title: &str,
        link: Option<&str>,
        language: Language,
    ) -> Result<Fragment, TemplateError> {
        self.entry(&EntryView { title, link, ..EntryView::default() }, language)
    }

    /// How many entries the mail does not name, and where they are.
    ///
    /// # Errors
    /// See [`Templates::closing`].
    pub fn more(
        &self,
        count: usize,
        public_url: &str,
        language: Language,
    ) -> Result<Fragment, ClosingError> {
        let url = shown_link(public_url);
        let url = url.ok_or_else(|| ClosingError::Uri(public_url.to_owned()))?;
        let context = json!({ "more": self.catalogue(language).more(count), "public_url": url });
        Ok(self.fragment(Block::More, context, language)?)
    }

    /// One entry.
    ///
    /// # Errors
    /// See [`Templates::frame`].
    pub fn entry(
        &self,
        view: &EntryView<'_>,
        language: Language,
    ) -> Result<Fragment, TemplateError> {
        let catalogue = self.catalogue(language);
        let places = names(view.places).join(", ");
        let published = view.published.map(|day| catalogue.date(day));
        let source = Some(clean(view.source_name, NAME_CHARS_MAX)).filter(|name| !name.is_empty());
        let codes = view.codes.iter().take(CODES_SHOWN_MAX);
        let codes: Vec<String> = codes.map(|code| clean(code, NAME_CHARS_MAX)).collect();
        let codes = Some(codes.join(", "));
        let sums = &view.euro_cents[..view.euro_cents.len().min(SUMS_SHOWN_MAX)];
        let sums = (!sums.is_empty()).then(|| catalogue.sums(sums));
        let meta: Vec<String> =
            [Some(places), published, source.map(|name| catalogue.source(&name)), codes, sums]
                .into_iter()
                .flatten()
                .filter(|part| !part.is_empty())
                .collect();
        // The language of an item is not that of the mail, so neither are its abbreviations.
        let abbreviations: Vec<String> =
            self.catalogues().into_iter().flat_map(|c| c.abbreviations.clone()).collect();
        let text = clean(view.summary, TEXT_CHARS_READ);
        let (shown, text) = match title(view.title) {
            named if !named.is_empty() => (named.clone(), without_title(&text, &named)),
            _ if text.is_empty() => (catalogue.untitled().to_owned(), ""),
            _ => match cut_at_word(&text, SUBJECT_TITLE_CHARS_MAX) {
                whole if whole == text => (whole, ""),
                beginning => (beginning, text.as_str()),
            },
        };
        let context = json!({
            "title": shown,
            "link": view.link.and_then(shown_link),
            "meta": meta.join(" · "),
            "deadline": view.deadline.map(|day| catalogue.deadline(day, view.deadline_time)),
            "summary": summary(text, &abbreviations),
            "correction": view.correction,
            "content_lang": view.content_language.unwrap_or(language).tag(),
        });
        self.fragment(Block::Entry, context, language)
    }

    /// Why the entry above it is here; nothing when nothing is followed.
    ///
    /// # Errors
    /// See [`Templates::frame`].
    pub fn reason(
        &self,
        view: &ReasonView<'_>,
        language: Language,
    ) -> Result<Fragment, TemplateError> {
        let named = [names(view.topics), names(view.places)].concat();
        let words = names(view.words);
        if !view.everything && named.is_empty() && words.is_empty() {
            return Ok(Fragment::default());
        }
        let reason = self.catalogue(language).reason(view.everything, &named, &words);
        self.fragment(Block::Reason, json!({ "reason": reason }), language)
    }

    /// The end of all mails of a list: who writes, to whom, and how to leave.
    ///
    /// # Errors
    /// See [`Templates::frame`]; besides, when an address of a page is none: a mail that one
    /// cannot leave must not be made.
    pub fn closing(
        &self,
        view: &ClosingView<'_>,
        language: Language,
    ) -> Result<Fragment, ClosingError> {
        let uri = |uri: &str| ClosingError::Uri(uri.to_owned());
        let catalogue = self.catalogue(language);
        let contact = view.contact.map(|contact| catalogue.contact(&title(contact)));
        let public_url = shown_link(view.public_url).ok_or_else(|| uri(view.public_url))?;
        let context = json!({
            "sender": catalogue.sender(&title(view.site_name), &title(view.list_name)),
            "contact": contact,
            // No token: it would open the preferences to whoever a mail is forwarded to.
            "preferences_url": format!("{}/preferences", public_url.trim_end_matches('/')),
            "public_url": public_url,
            "unsubscribe_prefix": unsubscribe_prefix(view.unsubscribe_base)
                .ok_or_else(|| uri(view.unsubscribe_base))?,
        });
        Ok(self.fragment(Block::Closing, context, language)?)
    }

    fn fragment(
        &self,
        block: Block,
        mut context: Value,
        language: Language,
    ) -> Result<Fragment, TemplateError> {
        context["lang"] = json!(language.tag());
        context["t"] = json!(self.catalogue(language).words);
        context["hole"] = hole_values(Hole::AddressInHtml);
        let html = self.html(block, &context)?;
        context["hole"] = hole_values(Hole::AddressInText);
        Ok(Fragment::of(&html, &self.text(block, &context)?))
    }

    /// Renders each block with all values there and with none, in each language, so that a template
    /// fails when it is loaded and not on the day of an unusual item.
    pub(super) fn try_samples(&self) -> Result<(), TemplateError> {
        let day = NaiveDate::MIN;
        for language in Language::ALL {
            let name = "Sample";
            let link = Some("https://example.org/");
            let full = EntryView {
                title: name,
                link,
                source_name: name,
                places: &[name],
                published: Some(day),
                deadline: Some(day),
                deadline_time: Some(chrono::NaiveTime::MIN),
                codes: &[name.to_owned()],
                euro_cents: &[123_450],
                summary: "Text",
                correction: true,
                content_language: None,
            };
            self.frame(&FrameView { list_name: name }, language)?;
            self.preheader(&[name], language)?;
            let (site_name, list_name, cadence) = (name, name, name);
            let opening = OpeningView { site_name, list_name, cadence, date: day, count: 1 };
            self.opening(&opening, language)?;
            self.heading(name, language)?;
            self.heading_of_the_rest(language)?;
            self.entry(&full, language)?;
            self.entry(&EntryView::default(), language)?;
            self.reason(&ReasonView { everything: true, ..Default::default() }, language)?;
            for contact in [Some(name), None] {
                let (public_url, unsubscribe_base) =
                    ("https://example.org", "https://example.org/u");
                let closing =
                    ClosingView { site_name, list_name, contact, public_url, unsubscribe_base };
                let more = self.more(2, public_url, language);
                match more.and_then(|_| self.closing(&closing, language)) {
                    Ok(_) | Err(ClosingError::Uri(_)) => {}
                    Err(ClosingError::Template(error)) => return Err(error),
                }
            }
            let (public_url, link_base) = ("https://example.org", "https://example.org/p");
            let about = NoticeAbout::Preferences { hours: 1 };
            let notice = NoticeView { about, site_name, list_name, public_url, link_base };
            match self.notice(&notice, language) {
                Ok(_) | Err(ClosingError::Uri(_)) => {}
                Err(ClosingError::Template(error)) => return Err(error),
            }
            self.try_office(language)?;
        }
        Ok(())
    }
}

pub(super) fn hole_values(address: Hole) -> Value {
    json!({ "address": address.text(), "token": Hole::TokenInPath.text() })
}

pub(super) fn title(text: &str) -> String {
    clean(text, TITLE_CHARS_MAX)
}

fn names(names: &[&str]) -> Vec<String> {
    let cleaned = names.iter().map(|name| clean(name, NAME_CHARS_MAX));
    cleaned.filter(|name| !name.is_empty()).take(NAMES_MAX).collect()
}

/// The address of a page as it may be shown: http or https (no script, no data), serialized, so
/// that it has neither spaces nor controls.
pub(super) fn shown_link(link: &str) -> Option<String> {
    let url = Url::parse(link.trim()).ok()?;
    let shown = matches!(url.scheme(), "http" | "https") && url.as_str().len() <= LINK_OCTETS_MAX;
    shown.then(|| url.into())
}
