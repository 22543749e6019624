//! Asking for a subscription. The answer is the same whoever asks and for whatever address.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use super::choices::{Chosen, Offer, errors, offers};
use super::form::{Fields, HONEYPOT, TIME, body_limit, is_timely};
use super::page::busy;
use super::visitor::Visitor;
use super::{Message, Web, failed};
use crate::audience::{Asked, EmailAddress, SignUp, consent_text};
use crate::model::Language;
use crate::store::ConsentText;

/// What the form is called in the token that says when it was given out.
const FORM: &str = "subscribe";

pub(super) fn router() -> Router<Web> {
    let pages = Router::new().route("/subscribe", get(show).post(ask));
    pages.layer(body_limit())
}

/// What the form shows.
struct Shown<'a> {
    email: &'a str,
    chosen: Chosen,
    /// Fields that have to be filled in again.
    wrong: Vec<&'static str>,
    /// When the form was given out.
    time: String,
}

async fn show(State(web): State<Web>, RawQuery(query): RawQuery, visitor: Visitor) -> Response {
    let language = web.language(&visitor);
    let query = Fields::parse(query.unwrap_or_default().as_bytes());
    let offers = match offers(&web).await {
        Ok(offers) => offers,
        Err(error) => return failed(&error),
    };
    let Some(offer) = chosen(&offers, query.one("list")) else {
        return choose(&web, &offers, language);
    };
    let time = web.installation.keys.form_token(FORM, web.installation.clock.now());
    let chosen = Chosen::fresh(&offer.cadences, language);
    let shown = Shown { email: "", chosen, wrong: Vec::new(), time };
    form(&web, offer, offers.len(), language, &shown)
}

async fn ask(State(web): State<Web>, visitor: Visitor, body: Bytes) -> Response {
    web.at_its_time(answer(&web, &visitor, &body)).await
}

async fn answer(web: &Web, visitor: &Visitor, body: &Bytes) -> Response {
    let language = web.language(visitor);
    let fields = Fields::parse(body);
    let offers = match offers(web).await {
        Ok(offers) => offers,
        Err(error) => return failed(&error),
    };
    let Some(offer) = chosen(&offers, fields.one("list")) else {
        return (StatusCode::UNPROCESSABLE_ENTITY, choose(web, &offers, language)).into_response();
    };
    if !fields.one(HONEYPOT).is_empty() {
        // No person sees that field. Whoever filled it in need not know that this was noticed.
        return sent(web, language);
    }
    let (keys, now) = (&web.installation.keys, web.installation.clock.now());
    let email = fields.one("email");
    let sent_choices = Chosen::sent(&fields);
    let (address, wanted) =
        (email.parse::<EmailAddress>(), sent_choices.read(web, &offer.cadences));
    let timely = is_timely(keys, FORM, &fields, now);
    let (address, wanted) = match (address, wanted, timely) {
        (Ok(address), Ok(wanted), true) => (address, wanted),
        (address, wanted, timely) => {
            let mut wrong: Vec<&'static str> = Vec::new();
            if address.is_err() {
                wrong.push("email");
            }
            wrong.extend(wanted.err().into_iter().flatten());
            if !timely {
                wrong.push("time");
            }
            let time = match timely {
                true => fields.one(TIME).to_owned(),
                false => keys.form_token(FORM, now),
            };
            let shown = Shown { email, chosen: sent_choices, wrong, time };
            let page = form(web, offer, offers.len(), language, &shown);
            return (StatusCode::UNPROCESSABLE_ENTITY, page).into_response();
        }
    };
    let text = consent(web, offer, language);
    let (list, origin) = (&offer.list, visitor.origin());
    let asked = SignUp { address: &address, list, wanted: &wanted, text: &text, origin };
    let store = web.acting("sign-up", visitor);
    match web.reception(&store, &web.drafts()).ask_to_join(&asked, now).await {
        Ok(Asked::Taken) => sent(web, language),
        Ok(Asked::TooMany) => busy(web.message(language, &Message::new("busy", "network"))),
        Err(error) => failed(&error),
    }
}

fn chosen<'a>(offers: &'a [Offer], id: &str) -> Option<&'a Offer> {
    match offers {
        [only] if id.is_empty() => Some(only),
        _ => offers.iter().find(|offer| offer.list.id.as_str() == id),
    }
}

/// The wording that goes with the form and is kept with a consent.
fn consent(web: &Web, offer: &Offer, language: Language) -> ConsentText {
    let site = web.installation.config.site.name.as_str();
    let values = [("site", site), ("list", offer.list.name.as_str())];
    consent_text(language, &web.words(language).say("subscribe", "consent", &values))
}

/// The same for everybody.
fn sent(web: &Web, language: Language) -> Response {
    web.message(language, &Message::new("subscribe", "sent"))
}

fn choose(web: &Web, offers: &[Offer], language: Language) -> Response {
    let words = web.words(language);
    let lists = offers.iter().map(|offer| {
        let href = format!("/subscribe?list={}&lang={language}", offer.list.id);
        json!({ "name": offer.list.name, "href": href })
    });
    let values = json!({
        "t": words.section("subscribe", &[("list", "")]),
        "choose": true,
        "lists": lists.collect::<Vec<_>>(),
    });
    web.page("subscribe", language, &words.say("subscribe", "choose_title", &[]), &[], values)
}

fn form(web: &Web, offer: &Offer, lists: usize, language: Language, shown: &Shown<'_>) -> Response {
    let words = web.words(language);
    let Offer { list, cadences } = offer;
    let values = [("list", list.name.as_str())];
    let shown = json!({
        "t": words.section("subscribe", &values),
        "choose": false,
        "list": list.id,
        "several": lists > 1,
        "action": format!("/subscribe?lang={language}"),
        "errors": errors(web, language, "subscribe", &shown.wrong),
        "email": shown.email,
        "email_error": shown.wrong.contains(&"email")
            .then(|| words.say("subscribe", "email_error", &[])),
        "choices": shown.chosen.show(web, cadences, language, "", &shown.wrong),
        "consent": consent(web, offer, language).text,
        "time": shown.time,
    });
    let title = words.say("subscribe", "title", &values);
    let query = [("list", list.id.as_str())];
    web.page("subscribe", language, &title, &query, shown)
}
