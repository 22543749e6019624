//! One's own preferences: a link is asked for on a page, mailed, and opens all subscriptions of its
//! person.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::choices::{Chosen, cadences, errors};
use super::form::{Fields, HONEYPOT, TIME, body_limit, is_timely};
use super::page::busy;
use super::visitor::Visitor;
use super::{Message, Web, failed};
use crate::audience::{Asked, EmailAddress, Granted, Opened, Own, Wish};
use crate::model::{CadenceId, Language};
use crate::store::StoreError;

/// What the form is called in the token that says when it was given out.
const FORM: &str = "preferences";

pub(super) fn router() -> Router<Web> {
    Router::new()
        .route("/preferences", get(show_asking).post(ask))
        .route("/p/{token}", get(show).post(save))
        .layer(body_limit())
}

async fn show_asking(State(web): State<Web>, visitor: Visitor) -> Response {
    let language = web.language(&visitor);
    let time = web.installation.keys.form_token(FORM, web.installation.clock.now());
    asking(&web, language, "", &[], &time)
}

/// The answer is the same for every address.
async fn ask(State(web): State<Web>, visitor: Visitor, body: Bytes) -> Response {
    web.at_its_time(answer(&web, &visitor, &body)).await
}

async fn answer(web: &Web, visitor: &Visitor, body: &Bytes) -> Response {
    let language = web.language(visitor);
    let fields = Fields::parse(body);
    let now = web.installation.clock.now();
    let keys = &web.installation.keys;
    let sent = || web.message(language, &Message::new("preferences", "sent"));
    if !fields.one(HONEYPOT).is_empty() {
        return sent();
    }
    let email = fields.one("email");
    let timely = is_timely(keys, FORM, &fields, now);
    let address = match (email.parse::<EmailAddress>(), timely) {
        (Ok(address), true) => address,
        (address, _) => {
            let wrong = [("email", address.is_err()), ("time", !timely)];
            let wrong: Vec<&str> =
                wrong.into_iter().filter(|(_, wrong)| *wrong).map(|(name, _)| name).collect();
            let time = match timely {
                true => fields.one(TIME).to_owned(),
                false => keys.form_token(FORM, now),
            };
            let page = asking(web, language, email, &wrong, &time);
            return (StatusCode::UNPROCESSABLE_ENTITY, page).into_response();
        }
    };
    let store = web.acting("preferences", visitor);
    match web.reception(&store, &web.drafts()).ask_for_link(&address, &visitor.origin(), now).await
    {
        Ok(Asked::Taken) => sent(),
        Ok(Asked::TooMany) => busy(web.message(language, &Message::new("busy", "network"))),
        Err(error) => failed(&error),
    }
}

fn asking(web: &Web, language: Language, email: &str, wrong: &[&str], time: &str) -> Response {
    let words = web.words(language);
    let values = json!({
        "t": words.section("preferences", &[]),
        "action": format!("/preferences?lang={language}"),
        "errors": errors(web, language, "preferences", wrong),
        "email": email,
        "email_error": wrong.contains(&"email")
            .then(|| words.say("preferences", "email_error", &[])),
        "time": time,
    });
    web.page("ask", language, &words.say("preferences", "ask_title", &[]), &[], values)
}

/// A GET changes nothing.
async fn show(State(web): State<Web>, Path(token): Path<String>, visitor: Visitor) -> Response {
    opened(&web, &token, &visitor, None).await.unwrap_or_else(|error| failed(&error))
}

/// What is asked for takes effect at once, and the page says so.
async fn save(
    State(web): State<Web>,
    Path(token): Path<String>,
    visitor: Visitor,
    body: Bytes,
) -> Response {
    let saved = try_save(&web, &token, &visitor, &Fields::parse(&body)).await;
    saved.unwrap_or_else(|error| failed(&error))
}

async fn try_save(
    web: &Web,
    token: &str,
    visitor: &Visitor,
    fields: &Fields,
) -> Result<Response, StoreError> {
    let now = web.installation.clock.now();
    let site = web.installation.config.site.locale;
    let store = web.acting("preferences", visitor);
    let drafts = web.drafts();
    let reception = web.reception(&store, &drafts);
    let Opened::Open(own) = reception.open(token, now).await? else {
        return opened(web, token, visitor, None).await;
    };
    let id = fields.one("subscription");
    let Some(own) = own.iter().find(|own| own.id == id) else {
        return opened(web, token, visitor, Some(("gone", id))).await;
    };
    let (wish, done) = match fields.one("action") {
        "pause" => (Wish::Pause, "paused"),
        "resume" => (Wish::Resume, "resumed"),
        "leave" => (Wish::Leave, "left"),
        "save" => {
            let offered = offered_to(web, own).await?;
            match Chosen::sent(fields).read(web, &offered) {
                Ok(wanted) => (Wish::Prefer(wanted), "saved"),
                Err(_) => return opened(web, token, visitor, Some(("not_offered", id))).await,
            }
        }
        _ => return opened(web, token, visitor, Some(("gone", id))).await,
    };
    let said = match reception.grant(token, id, &wish, &visitor.origin(), now).await? {
        Granted::Done => done,
        Granted::Over => "gone",
        Granted::Suppressed => "suppressed",
        Granted::TooMany => {
            let language = visitor.language(Some(own.wanted.language), site);
            return Ok(busy(web.message(language, &Message::new("busy", "changes"))));
        }
    };
    let list = own.list.name.clone();
    opened(web, token, visitor, Some((said, &list))).await
}

/// The page of a link; with what has just been done to the list of that name, where something has.
async fn opened(
    web: &Web,
    token: &str,
    visitor: &Visitor,
    said: Option<(&str, &str)>,
) -> Result<Response, StoreError> {
    let now = web.installation.clock.now();
    let site = web.installation.config.site.locale;
    let own = match web.reception(&web.installation.store, &web.drafts()).open(token, now).await? {
        Opened::Open(own) => own,
        closed => {
            let (key, status) = match closed {
                Opened::Unknown => ("unknown", StatusCode::NOT_FOUND),
                _ => ("over", StatusCode::GONE),
            };
            let link = Some(("/preferences", "preferences"));
            let message = Message { status, link, ..Message::new("preferences", key) };
            return Ok(web.message(visitor.language(None, site), &message));
        }
    };
    let language = visitor.language(own.first().map(|own| own.wanted.language), site);
    let words = web.words(language);
    let mut forms = Vec::new();
    for (number, own) in own.iter().enumerate() {
        forms.push(form(web, language, number, own).await?);
    }
    let said = said.map(|(key, list)| {
        let wrong = matches!(key, "gone" | "not_offered" | "suppressed");
        let text = words.say("preferences", &format!("said_{key}"), &[("list", list)]);
        json!({ "wrong": wrong, "text": text })
    });
    let wrong = said.as_ref().is_some_and(|said| said["wrong"] == true);
    let values = json!({
        "t": words.section("preferences", &[]),
        "said": said,
        "forms": forms,
        "subscribe": format!("/subscribe?lang={language}"),
    });
    let title = words.say("preferences", "title", &[]);
    let page = web.page("preferences", language, &title, &[], values);
    let status = if wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, page).into_response())
}

async fn form(
    web: &Web,
    language: Language,
    number: usize,
    own: &Own,
) -> Result<Value, StoreError> {
    let offered = offered_to(web, own).await?;
    let prefix = format!("s{}-", number + 1);
    let phrases: Vec<&str> = own.wanted.words.iter().map(|(_, phrase)| phrase.as_str()).collect();
    Ok(json!({
        "id": own.id,
        "prefix": prefix,
        "list": own.list.name,
        "paused": own.paused,
        "words": phrases,
        "choices": Chosen::held(&own.wanted).show(web, &offered, language, &prefix, &[]),
    }))
}

/// What a list offers to somebody: also what they have, where it has ceased to.
async fn offered_to(web: &Web, own: &Own) -> Result<Vec<CadenceId>, StoreError> {
    let mut offered = cadences(web, &own.list.id).await?;
    if !offered.contains(&own.wanted.cadence) {
        offered.push(own.wanted.cadence.clone());
    }
    Ok(offered)
}
