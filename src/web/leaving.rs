//! Leaving a list by the link of a mail: a GET only asks, since mail scanners fetch links; a POST
//! leaves, without cookie, login or question (RFC 8058 3.2).

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use handlebars::Handlebars;
use serde::Deserialize;
use serde_json::json;

use super::page::{Policy, answer, html, templates};
use crate::audience;
use crate::installation::Installation;
use crate::model::Language;
use crate::store::{StoreError, StoredSubscription};

/// The longest body of a POST, in octets; RFC 8058's own is 26.
const BODY_OCTETS_MAX: usize = 4_096;
/// Where the style sheet is.
const STYLE: &str = "/pages.css";

/// What the pages say in one language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalogue {
    leave: Words,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    ask_title: String,
    ask_text: String,
    ask_button: String,
    ask_note: String,
    done_title: String,
    done_text: String,
    unknown_title: String,
    unknown_text: String,
}

/// What the handlers share.
#[derive(Clone)]
struct Pages {
    installation: Arc<Installation>,
    templates: Arc<Handlebars<'static>>,
    it: Arc<Catalogue>,
    en: Arc<Catalogue>,
}

/// Which of the pages.
enum Shown {
    Ask,
    Done,
    Unknown,
}

pub(super) fn router(installation: Arc<Installation>) -> Router {
    let catalogue = |text: &str| -> Arc<Catalogue> {
        Arc::new(toml::from_str(text).expect("an embedded catalogue is whole"))
    };
    let pages = Pages {
        installation,
        templates: Arc::new(templates([(
            "leave",
            include_str!("../../templates/pages/leave.html"),
        )])),
        it: catalogue(include_str!("../../templates/pages/it.toml")),
        en: catalogue(include_str!("../../templates/pages/en.toml")),
    };
    Router::new()
        .route("/u/{token}", get(ask).post(leave))
        .route(STYLE, get(style))
        .layer(DefaultBodyLimit::max(BODY_OCTETS_MAX))
        .with_state(pages)
}

async fn style() -> Response {
    let css = include_str!("../../templates/pages/pages.css");
    answer("text/css; charset=utf-8", Policy::Nothing, css)
}

/// A GET changes nothing.
async fn ask(State(pages): State<Pages>, Path(token): Path<String>) -> Response {
    match pages.subscription(&token).await {
        Ok(Some(held)) if held.state == audience::ENDED => {
            pages.show(Some(&held), Shown::Done).await
        }
        Ok(Some(held)) => pages.show(Some(&held), Shown::Ask).await,
        Ok(None) => pages.show(None, Shown::Unknown).await,
        Err(error) => failed(&error),
    }
}

/// A POST leaves, whatever its body; twice does no harm.
async fn leave(State(pages): State<Pages>, Path(token): Path<String>) -> Response {
    let held = match pages.subscription(&token).await {
        Ok(Some(held)) => held,
        Ok(None) => return pages.show(None, Shown::Unknown).await,
        Err(error) => return failed(&error),
    };
    let now = pages.installation.clock.now();
    match audience::leave(&pages.installation.store, held.id, now).await {
        Ok(_) => pages.show(Some(&held), Shown::Done).await,
        Err(error) => failed(&error),
    }
}

impl Pages {
    async fn subscription(&self, token: &str) -> Result<Option<StoredSubscription>, StoreError> {
        let Some(id) = self.installation.keys.read_unsubscribe_token(token) else {
            return Ok(None);
        };
        self.installation.store.read().await?.subscription_by_id(id).await
    }

    async fn show(&self, held: Option<&StoredSubscription>, shown: Shown) -> Response {
        match self.try_show(held, &shown).await {
            Ok(page) if matches!(shown, Shown::Unknown) => {
                (StatusCode::NOT_FOUND, page).into_response()
            }
            Ok(page) => page,
            Err(error) => failed(&error),
        }
    }

    async fn try_show(
        &self,
        held: Option<&StoredSubscription>,
        shown: &Shown,
    ) -> Result<Response, StoreError> {
        let site = &self.installation.config.site;
        let (mut language, mut list) = (site.locale, String::new());
        if let Some(held) = held {
            let mut tx = self.installation.store.read().await?;
            if let Some(profile) = tx.profile(held.profile).await? {
                language = profile.language;
            }
            list = tx.list(&held.list).await?.map(|list| list.name).unwrap_or_default();
        }
        let words = match language {
            Language::It => &self.it.leave,
            Language::En => &self.en.leave,
        };
        let (title, text) = match shown {
            Shown::Ask => (&words.ask_title, &words.ask_text),
            Shown::Done => (&words.done_title, &words.done_text),
            Shown::Unknown => (&words.unknown_title, &words.unknown_text),
        };
        let values = json!({
            "lang": language.tag(),
            "site_name": site.name,
            "style": STYLE,
            "title": title,
            "text": text.replace("{list}", &list),
            "ask": matches!(shown, Shown::Ask),
            "button": words.ask_button,
            "note": words.ask_note,
        });
        Ok(html(&self.templates, "leave", &values, Policy::Form))
    }
}

/// The person can do nothing but try again; the operator finds the cause in the log.
fn failed(error: &StoreError) -> Response {
    tracing::error!(%error, "a page could not be answered");
    StatusCode::SERVICE_UNAVAILABLE.into_response()
}
