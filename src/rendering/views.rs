//! What is to be shown, as plain values. Every text may come from outside: it is cleaned, cut and
//! escaped here, so callers pass it as they have it.

use chrono::{NaiveDate, NaiveTime};

use crate::model::Language;

/// The most codes of an entry that are shown.
pub const CODES_SHOWN_MAX: usize = 6;
/// The most sums of an entry that are shown.
pub const SUMS_SHOWN_MAX: usize = 3;

/// One entry.
#[derive(Clone, Copy, Debug, Default)]
pub struct EntryView<'a> {
    /// The item's title; cut at [`TITLE_CHARS_MAX`](super::plain::TITLE_CHARS_MAX).
    pub title: &'a str,
    /// The item's own page. What is not an http or https address is not shown.
    pub link: Option<&'a str>,
    /// The name of the source, as people know it.
    pub source_name: &'a str,
    /// The names of the places where it matters.
    pub places: &'a [&'a str],
    /// The day it was published, in the site's zone.
    pub published: Option<NaiveDate>,
    /// The last day to act, in the site's zone.
    pub deadline: Option<NaiveDate>,
    /// Until what time of that day.
    pub deadline_time: Option<NaiveTime>,
    /// Codes with their names, `CUP C62B17000400006`; at most [`CODES_SHOWN_MAX`] are shown.
    pub codes: &'a [String],
    /// Sums of money in hundredths of a euro; at most [`SUMS_SHOWN_MAX`] are shown.
    pub euro_cents: &'a [u64],
    /// Plain text; two or three sentences of it are shown.
    pub summary: &'a str,
    /// Whether it corrects what was told before.
    pub correction: bool,
    /// The language of title and summary where it is known, so that they are read aloud rightly in
    /// a mail of another language.
    pub content_language: Option<Language>,
}

/// Why an entry is here, or a whole mail.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReasonView<'a> {
    /// All topics are followed.
    pub everything: bool,
    /// The names of the topics that are followed.
    pub topics: &'a [&'a str],
    /// The names of the places that are followed.
    pub places: &'a [&'a str],
    /// The words that are followed.
    pub words: &'a [&'a str],
}

/// What is the same in all mails of a list: the head of the page.
#[derive(Clone, Copy, Debug)]
pub struct FrameView<'a> {
    /// The list's name: the title of the page.
    pub list_name: &'a str,
}

/// The beginning of an edition: the same in all its variants that have as many items.
#[derive(Clone, Copy, Debug)]
pub struct OpeningView<'a> {
    /// The name of the public body or its site.
    pub site_name: &'a str,
    /// The list's name: the heading of the mail.
    pub list_name: &'a str,
    /// The id of the cadence, for its name in the catalogue.
    pub cadence: &'a str,
    /// The local day of the slot.
    pub date: NaiveDate,
    /// How many items the variant has.
    pub count: usize,
}

/// The end of all mails of a list.
#[derive(Clone, Copy, Debug)]
pub struct ClosingView<'a> {
    /// The name of the public body or its site.
    pub site_name: &'a str,
    /// The list's name.
    pub list_name: &'a str,
    /// Whom to ask: an address, a telephone number, an office.
    pub contact: Option<&'a str>,
    /// The residents' pages; http or https.
    pub public_url: &'a str,
    /// The address that, with `/` and the recipient's token behind it, ends the subscription.
    pub unsubscribe_base: &'a str,
}
