//! Answers that are pages, with the headers every page has.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use handlebars::Handlebars;
use serde::Serialize;

use crate::causes::chain;

/// What a page may load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Its own style sheet and images.
    Own,
    /// Besides, style attributes and images inside the page: what a mail in a frame of it needs,
    /// for a `srcdoc` frame lives under the policy of the page around it.
    Mail,
    /// Its own style sheet, and forms that go back to where it came from.
    Form,
    /// Nothing at all.
    Nothing,
}

impl Policy {
    fn value(self) -> &'static str {
        match self {
            Policy::Own => {
                "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; \
                 form-action 'none'; frame-ancestors 'none'"
            }
            Policy::Mail => {
                "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src data:; \
                 base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            }
            Policy::Form => {
                "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; \
                 frame-ancestors 'none'"
            }
            Policy::Nothing => "default-src 'none'; frame-ancestors 'none'; sandbox",
        }
    }
}

/// An answer of `content_type` with the headers every page has.
pub(crate) fn answer(
    content_type: &'static str,
    policy: Policy,
    body: impl IntoResponse,
) -> Response {
    let mut response = body.into_response();
    let headers: [(HeaderName, &'static str); 5] = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, policy.value()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// An HTML page made of a template that stands in `pages`.
pub(crate) fn html(
    pages: &Handlebars<'_>,
    template: &str,
    values: &impl Serialize,
    policy: Policy,
) -> Response {
    match pages.render(template, values) {
        Ok(body) => answer("text/html; charset=utf-8", policy, body),
        Err(error) => {
            tracing::error!(template, "a page could not be rendered: {}", chain(&error));
            (StatusCode::INTERNAL_SERVER_ERROR, template.to_owned()).into_response()
        }
    }
}

/// An answer to one who has to wait: 429 (RFC 6585 4).
pub(crate) fn busy(mut page: Response) -> Response {
    *page.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    page.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("3600"));
    page
}

/// Templates that are embedded and so known to be good.
pub(crate) fn templates<const N: usize>(sources: [(&str, &str); N]) -> Handlebars<'static> {
    let mut pages = Handlebars::new();
    pages.set_strict_mode(true);
    for (name, source) in sources {
        pages.register_template_string(name, source).expect("an embedded template is well formed");
    }
    pages
}
