//! Fetches and reads sources into items. It alone knows feeds, pages and HTTP.
//!
//! The way of an answer: [`Fetcher::fetch`] gets octets within bounds, from public addresses only;
//! [`read()`] tells a feed from a page and makes a [`Reading`] of it, items with clean text.
//!
//! - `claims` says which sources this process polls.
//! - `fetch` dials, follows redirects, and knows which addresses are public.
//! - `charset` makes text of octets.
//! - `repair`, with `markup` and `vocabulary`, mends a feed's text; `feed` reads it by feed-rs.
//! - `page` finds the list of news on a page: by selectors, or by what repeats around dates.
//! - `albo` reads what the convention AlboPOP says of acts, and finds the headline of a source.
//! - `alternate` finds the feeds that a page names, [`full_texts`] asks the pages of teasers.
//! - `dates` reads dates as Italian offices write them.
//! - [`clean`] and `html` are the door for everything that is text: what comes out of here has no
//!   script, loads nothing, and fits on a line where it is a title.
//!
//! - `hints` and `schedule` say when a source is asked again; `health` how it is, and what the
//!   admins are told of it.
//! - [`take_in()`] writes what was read: which items are new, which were changed.
//! - `opml` reads and writes lists of sources as other readers have them.
//! - [`keep_source`] and [`end_source`] say which sources are polled.
//!
//! Reading is a function of octets and time. It keeps nothing, asks nobody, and touches neither
//! database nor network; the same octets give the same items. Fetching touches the network and,
//! where the caller says so, files. Taking in touches the room's own tables. None decides what an
//! item is about or whom it is told.

mod albo;
mod alternate;
mod canonical;
mod charset;
mod claims;
pub mod clean;
mod dates;
mod feed;
mod fetch;
mod floods;
mod full_text;
mod health;
mod hints;
mod html;
mod identity;
mod junk;
mod markup;
mod opml;
mod page;
mod read;
mod repair;
mod repair_json;
mod said;
mod schedule;
mod significant;
mod sources;
mod take_in;
mod vocabulary;
mod worth_telling;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use albo::{
    ATTACHMENTS_MAX, Act, FoundHeadline, HEADLINE_ITEMS_MIN, Headline, PUBLICATION_AHEAD_DAYS_MAX,
    PUBLICATION_DAYS_DEFAULT, PUBLICATION_DAYS_MAX,
};
pub use alternate::ALTERNATES_MAX;
pub use claims::{CLAIM_SECONDS, claim_due, release};
pub use dates::{
    DATE_SEARCH_CHARS_MAX, DATE_TEXT_CHARS_MAX, YEARLESS_AHEAD_DAYS_MAX, date_of, is_date,
    parse_date,
};
pub use feed::{CATEGORIES_MAX, CATEGORY_CHARS_MAX, ID_CHARS_MAX};
pub use fetch::{
    BODY_BYTES_MAX, BODY_SECONDS_MAX, CONNECT_SECONDS_MAX, Dialling, FETCH_SECONDS_MAX, FetchError,
    FetchLimits, FetchRequest, FetchStage, Fetched, Fetcher, HEAD_SECONDS_MAX, HOST_SPACING_MS,
    REDIRECTS_MAX, RetryAfter, WIRE_BYTES_MAX, is_public,
};
pub use floods::{
    BASELINE_DAYS_MAX, NEW_ITEMS_MAX, NEW_ITEMS_MAX_DEFAULT, NewsLimits, OLDER_DAYS_MAX,
    OLDER_DAYS_MAX_DEFAULT,
};
pub use full_text::{
    FULL_TEXT_BYTES_MAX, FULL_TEXT_SECONDS_MAX, FULL_TEXTS_PER_ITEM_MAX, FULL_TEXTS_PER_POLL_MAX,
    TEASER_CHARS_MAX, TextsAsked, count_teasers, full_texts,
};
pub use health::{
    ADOPTED_FAILURES_MAX, Answer, BAD_AFTER_SECONDS, BAD_FAILURES_MIN, MOVE_HELD_DAYS, Notice,
    PollError, expected, named as named_source, retry_at, take_answer, take_failure,
};
pub use hints::FeedHints;
pub use html::{HTML_DEPTH_MAX, HTML_ELEMENTS_MAX, HTML_TAGS_MAX, HtmlTooMuch};
pub use identity::link_key;
pub use opml::{
    OPML_BYTES_MAX, OPML_CHARS_MAX, OPML_DEPTH_MAX, OPML_SOURCES_MAX, OpmlError, Outline,
    read_opml, write_opml,
};
pub use read::{ITEMS_MAX, ReadError, WARNINGS_MAX, feeds_named, find_selectors, read};
pub use repair::XML_DEPTH_MAX;
pub use schedule::{
    ADAPTED_SECONDS_MAX, ADAPTED_SECONDS_MIN, Due, FAILING_SECONDS_MAX, HINTED_SECONDS_MAX,
    JITTER_PERCENT_MAX, QUIET_FRACTION, RETRY_AFTER_SECONDS_MAX, SKIPPED_SECONDS_MAX,
};
pub use sources::{end_source, keep_source};
pub use take_in::{NewItem, Revised, TakenIn, Validators, take_in};
pub use worth_telling::is_worth_telling;

/// How a source is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// Told apart by what the answer looks like.
    #[default]
    Auto,
    /// A feed; anything else is an error.
    Feed,
    /// An HTML page.
    Page,
}

/// CSS selectors for a page; each that is absent is found by looking for the repeated block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageSelectors {
    /// Selects the block of each item.
    pub item: Option<String>,
    /// Selects the title inside the block.
    pub title: Option<String>,
    /// Selects the date inside the block.
    pub date: Option<String>,
    /// Selects the link inside the block.
    pub link: Option<String>,
    /// Selects the text inside the block.
    pub body: Option<String>,
}

/// What kind of answer was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReadingKind {
    /// RSS 0.9x to 2.0, and RDF.
    #[default]
    Rss,
    /// Atom (RFC 4287).
    Atom,
    /// JSON Feed.
    Json,
    /// An HTML page.
    Page,
}

impl ReadingKind {
    /// The word in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rss => "rss",
            Self::Atom => "atom",
            Self::Json => "json",
            Self::Page => "page",
        }
    }
}

/// What one answer of a source says.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Reading {
    /// What it was.
    pub kind: ReadingKind,
    /// The feed's or page's own title.
    pub title: Option<String>,
    /// Absolute address of the site's page that it belongs to.
    pub link: Option<String>,
    /// Its items, in the order of the answer.
    pub items: Vec<ReadItem>,
    /// What had to be repaired or left out, for a person to read.
    pub warnings: Vec<String>,
    /// For a page, the addresses of the feeds that it names (`link rel=alternate`).
    pub feeds: Vec<String>,
}

/// One item as an answer shows it, before it is known whether it is new.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ReadItem {
    /// Plain text, white space folded.
    pub title: String,
    /// Absolute address of the item's own page.
    pub link: Option<String>,
    /// The publisher's own id, where the source gives one.
    pub id: Option<String>,
    /// When it was published; none where the source gives none.
    pub published: Option<DateTime<Utc>>,
    /// When it was last changed; in RSS, which has one date for both, when it was published.
    pub updated: Option<DateTime<Utc>>,
    /// Plain text, white space folded, paragraphs kept as lines: what the source calls a summary,
    /// else the whole text.
    pub summary: String,
    /// Clean HTML of the whole text: no script, no style, no image, links absolute.
    pub content: String,
    /// Texts that stand for images.
    pub image_alt: Vec<String>,
    /// The publisher's own categories.
    pub categories: Vec<String>,
    /// What an albo says of it, where it is one of its acts.
    pub act: Option<Act>,
    /// Clean HTML of its own page, where its source shows only a teaser and the page was asked.
    pub full_text: Option<String>,
}
