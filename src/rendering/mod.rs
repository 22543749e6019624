//! Makes bytes. It never touches the database and reads no clock: the same arguments give the same
//! bytes.
//!
//! [`Templates`] is compiled once. An entry is rendered and encoded once a language, as a
//! [`Fragment`]; a variant is frame, preheader, opening, then headings, entries and reasons, then
//! closing, put together by copying ([`mime::body`]). Only its preheader is its own, and few
//! hundred octets. What belongs to one recipient alone stands in [`quoted::Hole`]s and is put in
//! when a message is delivered ([`mime::assemble`]).

mod blocks;
mod catalogue;
pub mod mime;
mod mjml;
mod notices;
mod office;
mod office_words;
pub mod plain;
pub mod quoted;
mod rehearsal;
mod templates;
mod views;

pub use blocks::{
    ClosingError, LINK_OCTETS_MAX, NAME_CHARS_MAX, NAMES_MAX, PREHEADER_CHARS_MAX,
    SUBJECT_TITLE_CHARS_MAX,
};
pub use catalogue::put;
pub use notices::{NoticeAbout, NoticeView, RenderedNotice, notice_boundary};
pub use office::{ERROR_CHARS_MAX, OFFICE_ENTRIES_MAX, OfficeEntry, OfficeMatter, OfficeView};
pub use templates::{Sources, TemplateError, Templates};
pub use views::{CODES_SHOWN_MAX, SUMS_SHOWN_MAX};
pub use views::{ClosingView, EntryView, FrameView, OpeningView, ReasonView};

/// A piece of a mail, rendered and encoded: quoted-printable, holes in place, each part ended by a
/// line end, so that fragments are put together by copying their bytes one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fragment {
    /// Its HTML, encoded.
    pub html: Vec<u8>,
    /// The same in plain text, encoded.
    pub text: Vec<u8>,
    /// How long the HTML is once decoded, in octets (holes count one): large receivers clip a page
    /// at about 100 KB, and the sum over a variant says whether it stays below.
    pub html_bytes: usize,
}

impl Fragment {
    /// What templates made, as it stands in a mail.
    fn of(html: &str, text: &str) -> Self {
        Self::encoded(&format!("{}\n", html.trim()), &plain::fold(text))
    }

    /// Both parts encoded as they are.
    fn encoded(html: &str, text: &str) -> Self {
        // Each line end becomes CRLF.
        let html_bytes = html.len() + html.matches('\n').count();
        Self { html: quoted::encode(html), text: quoted::encode(text), html_bytes }
    }
}
