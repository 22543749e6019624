//! The banner of a mail that is sent to try things out.

use serde::{Deserialize, Serialize};

use super::mime::LINE_OCTETS_MAX;
use super::plain::clean;
use super::quoted::decode;
use super::templates::escape_html;
use super::{Fragment, Templates};
use crate::model::Language;

/// The longest address shown, in characters.
const ADDRESS_CHARS_MAX: usize = 320;
/// How the banner looks: white on dark red, 10:1.
const STYLE: &str = "background:#8b0000;color:#ffffff;border:6px double #ffffff;padding:16px;\
                     margin:0;font:bold 18px/1.4 Arial,Helvetica,sans-serif;text-align:center";

/// What the banner says.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RehearsalWords {
    pub(super) subject: String,
    pub(super) title: String,
    pub(super) note: String,
}

impl Templates {
    /// The opening of a mail with a banner that says it is a trial, and to whom it would have gone.
    pub fn with_banner(&self, opening: &Fragment, address: &str, language: Language) -> Fragment {
        let words = &self.catalogue(language).rehearsal;
        let address = clean(address, ADDRESS_CHARS_MAX);
        let note = super::put(&words.note, &[("address", &address)]);
        let banner = format!(
            "<div role=\"note\" style=\"{STYLE}\">{}<br>{}</div>",
            escape_html(&words.title),
            escape_html(&note)
        );
        let html = decode(&opening.html);
        // After the tag that opens the body; in front of everything where there is none.
        let lower = html.to_ascii_lowercase();
        let body = lower.find("<body").and_then(|at| Some(at + lower[at..].find('>')? + 1));
        let (before, after) = html.split_at(body.unwrap_or(0));
        let html = format!("{before}\n{banner}\n{after}");
        let rule = "*".repeat(72);
        let text = format!("{rule}\n{}\n{note}\n{rule}\n\n{}", words.title, decode(&opening.text));
        Fragment::encoded(&html, &text)
    }

    /// The header with a subject that says the same.
    pub fn with_banner_in_subject(&self, headers: &[u8], language: Language) -> Vec<u8> {
        const FIELD: &[u8] = b"Subject: ";
        let word = clean(&self.catalogue(language).rehearsal.subject, LINE_OCTETS_MAX / 10);
        let at = headers.windows(FIELD.len()).position(|octets| octets == FIELD);
        let Some(at) = at.map(|at| at + FIELD.len()).filter(|_| word.is_ascii()) else {
            return headers.to_owned();
        };
        let (before, after) = headers.split_at(at);
        // A fold behind it: what follows is as long as a line may be already.
        [before, word.as_bytes(), b"\r\n ", after].concat()
    }
}
