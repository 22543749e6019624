//! Pages for what cannot be answered: in both languages, made of nothing but what is in the binary,
//! so that they come when the database does not.

use std::error::Error;
use std::sync::LazyLock;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use handlebars::Handlebars;
use serde_json::json;

use super::STYLE;
use super::page::{Policy, html, templates};
use super::words::Words;
use crate::causes::chain;
use crate::model::Language;

/// What the pages need.
struct Plain {
    templates: Handlebars<'static>,
    it: Words,
    en: Words,
}

static PLAIN: LazyLock<Plain> = LazyLock::new(|| Plain {
    templates: templates([("plain", include_str!("../../templates/pages/plain.html"))]),
    it: Words::embedded(Language::It),
    en: Words::embedded(Language::En),
});

/// The page of a status.
pub(super) fn plain(status: StatusCode) -> Response {
    let Plain { templates, it, en } = &*PLAIN;
    let key = match status {
        StatusCode::NOT_FOUND => "missing",
        StatusCode::METHOD_NOT_ALLOWED => "method",
        StatusCode::PAYLOAD_TOO_LARGE => "long",
        status if status.is_client_error() => "wrong",
        _ => "failed",
    };
    let said = |words: &Words| {
        let [title, text] =
            ["title", "text"].map(|name| words.say("plain", &format!("{key}_{name}"), &[]));
        json!({ "title": title, "text": text })
    };
    let values = json!({ "style": STYLE, "it": said(it), "en": said(en) });
    (status, html(templates, "plain", &values, Policy::Own)).into_response()
}

/// The person can do nothing but try again; the operator finds the causes in the log.
pub(super) fn failed(error: &(dyn Error + 'static)) -> Response {
    tracing::error!("a page could not be answered: {}", chain(error));
    plain(StatusCode::SERVICE_UNAVAILABLE)
}

/// Nothing is at this address.
pub(super) async fn missing() -> Response {
    plain(StatusCode::NOT_FOUND)
}

/// Dresses what was refused before any page saw it: it has none of the headers that every page has.
pub(super) async fn dress(response: Response) -> Response {
    let status = response.status();
    let refused = status.is_client_error() || status.is_server_error();
    if !refused || response.headers().contains_key(header::CONTENT_SECURITY_POLICY) {
        return response;
    }
    let mut page = plain(status);
    if let Some(methods) = response.headers().get(header::ALLOW) {
        page.headers_mut().insert(header::ALLOW, methods.clone());
    }
    page
}
