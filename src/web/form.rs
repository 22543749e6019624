//! Forms as they come in: fields with names, some of them several times.

use axum::extract::DefaultBodyLimit;
use url::form_urlencoded;

use crate::audience::Keys;
use crate::model::Timestamp;

/// The longest body of a form, in octets: every topic and place of a large region.
const BODY_OCTETS_MAX: usize = 65_536;
/// The most fields of a form that are looked at.
const FIELDS_MAX: usize = 1_000;
/// The longest value of a field, in octets; a longer one is none.
const VALUE_OCTETS_MAX: usize = 512;
/// A form that comes back sooner, in seconds, was filled in by no person.
const FILLED_IN_SECONDS_MIN: i64 = 2;
/// A form that comes back later, in seconds, may be of another version of the page.
const FILLED_IN_SECONDS_MAX: i64 = 24 * 3_600;
/// A field that people do not see and so leave empty.
pub(super) const HONEYPOT: &str = "homepage";
/// The field that says when the form was given out.
pub(super) const TIME: &str = "time";

/// The fields of a form or of a query.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads `application/x-www-form-urlencoded`; octets that are not UTF-8 are replaced.
    pub fn parse(body: &[u8]) -> Self {
        let fields = form_urlencoded::parse(body).take(FIELDS_MAX);
        let fields = fields.filter(|(_, value)| value.len() <= VALUE_OCTETS_MAX);
        Self(fields.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// The value of a field that is there once; empty where it is not.
    pub fn one(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.trim())
    }

    /// Every value of a field.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.trim())
    }
}

/// The limit on a form's body.
pub(super) fn body_limit() -> DefaultBodyLimit {
    DefaultBodyLimit::max(BODY_OCTETS_MAX)
}

/// Whether a form comes back in the time that a person takes.
pub(super) fn is_timely(keys: &Keys, form: &str, fields: &Fields, now: Timestamp) -> bool {
    let given = keys.read_form_token(form, fields.one(TIME));
    given.is_some_and(|given| {
        let seconds = now.0.saturating_sub(given.0);
        (FILLED_IN_SECONDS_MIN..=FILLED_IN_SECONDS_MAX).contains(&seconds)
    })
}
