//! Confirming by the link of a mail: a GET asks, a POST confirms. Mail scanners follow links.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;

use super::form::body_limit;
use super::visitor::Visitor;
use super::{Message, Web, failed};
use crate::audience::Confirmation;
use crate::store::StoreError;

pub(super) fn router() -> Router<Web> {
    let pages = Router::new().route("/confirm/{token}", get(ask).post(confirm));
    pages.layer(body_limit())
}

/// A GET changes nothing.
async fn ask(State(web): State<Web>, Path(token): Path<String>, visitor: Visitor) -> Response {
    let now = web.installation.clock.now();
    let store = &web.installation.store;
    show(&web, &visitor, web.reception(store, &web.drafts()).confirmation(&token, now).await).await
}

/// A POST confirms, whatever its body; twice does no harm.
async fn confirm(State(web): State<Web>, Path(token): Path<String>, visitor: Visitor) -> Response {
    let now = web.installation.clock.now();
    let store = web.acting("confirmation", &visitor);
    show(&web, &visitor, web.reception(&store, &web.drafts()).confirm(&token, now).await).await
}

async fn show(web: &Web, visitor: &Visitor, found: Result<Confirmation, StoreError>) -> Response {
    let found = match found {
        Ok(found) => found,
        Err(error) => return failed(&error),
    };
    let (key, of, status) = match found {
        Confirmation::Open { list, language } => ("ask", Some((list, language)), StatusCode::OK),
        Confirmation::Done { list, language } => ("done", Some((list, language)), StatusCode::OK),
        Confirmation::Over => ("over", None, StatusCode::GONE),
        Confirmation::Suppressed => ("suppressed", None, StatusCode::OK),
        Confirmation::Unknown => ("unknown", None, StatusCode::NOT_FOUND),
    };
    let fitting = of.as_ref().map(|(_, language)| *language);
    let language = visitor.language(fitting, web.installation.config.site.locale);
    let name = match &of {
        None => String::new(),
        Some((list, _)) => {
            let found = async { web.installation.store.read().await?.list(list).await };
            match found.await {
                Ok(list) => list.map(|list| list.name).unwrap_or_default(),
                Err(error) => return failed(&error),
            }
        }
    };
    let link = match key {
        "over" | "unknown" => Some(("/subscribe", "subscribe")),
        "done" => Some(("/preferences", "preferences")),
        _ => None,
    };
    let values = [("list", name.as_str())];
    let message = Message { status, values: &values, link, ..Message::new("confirm", key) };
    web.message(language, &Message { button: key == "ask", ..message })
}
