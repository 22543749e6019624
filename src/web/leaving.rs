//! Leaving a list by the link of a mail: a GET only asks, since mail scanners fetch links; a POST
//! leaves, without cookie, login or question (RFC 8058 3.2).

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;

use super::visitor::Visitor;
use super::{Message, Web, failed};
use crate::audience;
use crate::store::{StoreError, StoredSubscription};

/// The longest body of a POST, in octets; RFC 8058's own is 26.
const BODY_OCTETS_MAX: usize = 4_096;

pub(super) fn router() -> Router<Web> {
    let pages = Router::new().route("/u/{token}", get(ask).post(leave));
    pages.layer(DefaultBodyLimit::max(BODY_OCTETS_MAX))
}

/// A GET changes nothing.
async fn ask(State(web): State<Web>, Path(token): Path<String>, visitor: Visitor) -> Response {
    let shown = match subscription(&web, &token).await {
        Ok(Some(held)) if held.state == audience::ENDED => {
            show(&web, &visitor, Some(&held), "done").await
        }
        Ok(Some(held)) => show(&web, &visitor, Some(&held), "ask").await,
        Ok(None) => show(&web, &visitor, None, "unknown").await,
        Err(error) => Err(error),
    };
    shown.unwrap_or_else(|error| failed(&error))
}

/// A POST leaves, whatever its body; twice does no harm.
async fn leave(State(web): State<Web>, Path(token): Path<String>, visitor: Visitor) -> Response {
    let left = async {
        let Some(held) = subscription(&web, &token).await? else {
            return show(&web, &visitor, None, "unknown").await;
        };
        let now = web.installation.clock.now();
        audience::leave(&web.acting("unsubscribe", &visitor), held.id, now).await?;
        show(&web, &visitor, Some(&held), "done").await
    };
    left.await.unwrap_or_else(|error| failed(&error))
}

async fn subscription(web: &Web, token: &str) -> Result<Option<StoredSubscription>, StoreError> {
    let Some(id) = web.installation.keys.read_unsubscribe_token(token) else {
        return Ok(None);
    };
    web.installation.store.read().await?.subscription_by_id(id).await
}

async fn show(
    web: &Web,
    visitor: &Visitor,
    held: Option<&StoredSubscription>,
    key: &str,
) -> Result<Response, StoreError> {
    let (mut fitting, mut list) = (None, String::new());
    if let Some(held) = held {
        let mut tx = web.installation.store.read().await?;
        fitting = tx.profile(held.profile).await?.map(|profile| profile.language);
        list = tx.list(&held.list).await?.map(|list| list.name).unwrap_or_default();
    }
    let language = visitor.language(fitting, web.installation.config.site.locale);
    let status = if held.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    let values = [("list", list.as_str())];
    let message = Message { status, values: &values, ..Message::new("leave", key) };
    Ok(web.message(language, &Message { button: key == "ask", ..message }))
}
