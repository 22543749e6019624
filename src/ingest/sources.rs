//! Which sources are polled, and how: what changes that, and its line in the trace.

use serde::Serialize;
use serde_json::Value as Json;
use url::Url;

use crate::model::{SourceId, Timestamp};
use crate::store::{SourceRow, StoreError, TraceSubject, Tx};

/// What stands for a part of an address that may be a password or a token.
const MASKED: &str = "***";

/// A source as the trace has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct TracedSource {
    /// Its address, with user, password and the values of its query masked.
    url: String,
    /// How it is read.
    settings: Json,
    from_file: bool,
}

impl TracedSource {
    fn new(url: &str, settings_json: &str, from_file: bool) -> Self {
        let settings = serde_json::from_str(settings_json).unwrap_or(Json::Null);
        Self { url: masked(url), settings, from_file }
    }

    fn of(row: &SourceRow) -> Self {
        Self::new(&row.url, &row.settings_json, row.from_file)
    }

    fn form(self) -> Json {
        serde_json::to_value(self).expect("texts and settings always have a JSON form")
    }
}

/// An address without what may be secret in it.
pub(super) fn masked(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else { return MASKED.to_owned() };
    if !url.username().is_empty() || url.password().is_some() {
        // Neither fails where there was one to be replaced.
        let _ = url.set_username(MASKED);
        let _ = url.set_password(None);
    }
    let keys: Vec<String> = url.query_pairs().map(|(key, _)| key.into_owned()).collect();
    if url.query().is_some_and(|query| query.contains('=')) {
        url.query_pairs_mut().clear().extend_pairs(keys.iter().map(|key| (key, MASKED)));
    } else if url.query().is_some() {
        url.set_query(Some(MASKED));
    }
    url.set_fragment(None);
    url.into()
}

/// Adds a source, or gives it new settings, given as JSON text of the configuration's own form.
/// Nothing is traced where nothing is new.
///
/// # Errors
/// Where the database fails.
pub async fn keep_source(
    tx: &mut Tx<'_>,
    id: &SourceId,
    url: &Url,
    settings_json: &str,
    from_file: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    let before = tx.lock_source(id).await?;
    tx.upsert_source(id, url.as_str(), settings_json, from_file).await?;
    let same = |held: &SourceRow| {
        held.url == url.as_str() && TracedSource::of(held).settings == settings(settings_json)
    };
    if before.as_ref().is_some_and(|held| same(held) && held.from_file == from_file) {
        return Ok(());
    }
    let action = if before.is_some() { "source.changed" } else { "source.added" };
    let before = before.map(|held| TracedSource::of(&held).form());
    let after = TracedSource::new(url.as_str(), settings_json, from_file).form();
    let subject = TraceSubject { kind: "source", id: id.as_str() };
    tx.trace(action, subject, before, Some(after), now).await
}

fn settings(json: &str) -> Json {
    serde_json::from_str(json).unwrap_or(Json::Null)
}

/// Ends the polling of a source; gives whether there was one. Its items stay.
///
/// # Errors
/// Where the database fails.
pub async fn end_source(
    tx: &mut Tx<'_>,
    id: &SourceId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let before = tx.source(id).await?;
    if !tx.remove_source(id, now).await? {
        return Ok(false);
    }
    let before = before.map(|held| TracedSource::of(&held).form());
    let subject = TraceSubject { kind: "source", id: id.as_str() };
    tx.trace("source.removed", subject, before, None, now).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn what_may_be_secret_in_an_address_is_masked() {
        for (url, shown) in [
            ("https://example.org/feed.xml", "https://example.org/feed.xml"),
            ("https://anna:geheim@example.org/f", "https://***@example.org/f"),
            ("https://anna@example.org/f", "https://***@example.org/f"),
            ("https://:geheim@example.org/f", "https://***@example.org/f"),
            ("https://example.org/f?key=geheim&n=3", "https://example.org/f?key=***&n=***"),
            ("https://example.org/f?geheim#geheim", "https://example.org/f?***"),
            ("file:///srv/news.xml", "file:///srv/news.xml"),
            ("no address", "***"),
        ] {
            assert_eq!(masked(url), shown);
        }
    }
}
