//! The home page: who runs this, and which lists there are for everybody.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde_json::json;

use super::choices::offers;
use super::visitor::Visitor;
use super::{Web, failed};

pub(super) fn router() -> Router<Web> {
    Router::new().route("/", get(home))
}

async fn home(State(web): State<Web>, visitor: Visitor) -> Response {
    let language = web.language(&visitor);
    let offers = match offers(&web).await {
        Ok(offers) => offers,
        Err(error) => return failed(&error),
    };
    let words = web.words(language);
    let lists = offers.iter().map(|offer| {
        let cadences = offer.cadences.iter().map(|cadence| words.cadence(cadence));
        json!({
            "name": offer.list.name,
            "cadences": cadences.collect::<Vec<_>>(),
            "href": format!("/subscribe?list={}&lang={language}", offer.list.id),
        })
    });
    let site = web.installation.config.site.name.as_str();
    let t = words.section("home", &[("site", site)]);
    let values = json!({
        "t": t,
        "lists": lists.collect::<Vec<_>>(),
        "preferences": format!("/preferences?lang={language}"),
    });
    web.page("home", language, &words.say("home", "title", &[("site", site)]), &[], values)
}
