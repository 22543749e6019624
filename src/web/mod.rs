//! The residents' pages. They hold no rules of their own: what a page does, a command does too,
//! through the same function. No page needs a cookie, a login or a script, and no GET changes
//! anything.

mod choices;
mod confirming;
mod form;
mod home;
mod leaving;
pub(crate) mod page;
mod preferring;
mod subscribing;
mod visitor;
mod words;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::connect_info::IntoMakeServiceWithConnectInfo;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use handlebars::Handlebars;
use serde_json::{Value, json};

use crate::audience::Reception;
use crate::delivery::Drafts;
use crate::installation::Installation;
use crate::model::Language;
use crate::store::{Actor, ActorKind, Store};
use page::{Policy, answer, html, templates};
use visitor::Visitor;
use words::Words;

/// Where the style sheet is.
const STYLE: &str = "/pages.css";

/// What all pages share.
#[derive(Clone)]
struct Web {
    installation: Arc<Installation>,
    templates: Arc<Handlebars<'static>>,
    it: Arc<Words>,
    en: Arc<Words>,
}

/// The pages of an installation, with its home page. Serve them by [`service`].
pub fn router(installation: Arc<Installation>) -> Router {
    let home = home::router().with_state(Web::new(Arc::clone(&installation)));
    pages(installation).merge(home)
}

/// The pages of an installation without a home page, for a site that has one.
pub fn pages(installation: Arc<Installation>) -> Router {
    let web = Web::new(installation);
    Router::new()
        .route(STYLE, get(style))
        .merge(leaving::router())
        .merge(subscribing::router())
        .merge(confirming::router())
        .merge(preferring::router())
        .with_state(web)
}

/// Pages as a server takes them, so that they know from where a request comes: the limits against
/// abuse count by that.
pub fn service(pages: Router) -> IntoMakeServiceWithConnectInfo<Router, SocketAddr> {
    pages.into_make_service_with_connect_info()
}

async fn style() -> Response {
    let css = include_str!("../../templates/pages/pages.css");
    answer("text/css; charset=utf-8", Policy::Nothing, css)
}

impl Web {
    fn new(installation: Arc<Installation>) -> Self {
        let templates = templates([
            ("top", include_str!("../../templates/pages/top.html")),
            ("bottom", include_str!("../../templates/pages/bottom.html")),
            ("errors", include_str!("../../templates/pages/errors.html")),
            ("address", include_str!("../../templates/pages/address.html")),
            ("choices", include_str!("../../templates/pages/choices.html")),
            ("home", include_str!("../../templates/pages/home.html")),
            ("message", include_str!("../../templates/pages/message.html")),
            ("subscribe", include_str!("../../templates/pages/subscribe.html")),
            ("ask", include_str!("../../templates/pages/ask.html")),
            ("preferences", include_str!("../../templates/pages/preferences.html")),
        ]);
        Self {
            installation,
            templates: Arc::new(templates),
            it: Arc::new(Words::embedded(Language::It)),
            en: Arc::new(Words::embedded(Language::En)),
        }
    }

    fn words(&self, language: Language) -> &Words {
        match language {
            Language::It => &self.it,
            Language::En => &self.en,
        }
    }

    /// The language of a page that belongs to nobody.
    fn language(&self, visitor: &Visitor) -> Language {
        visitor.language(None, self.installation.config.site.locale)
    }

    /// The database, on which whoever holds a link or fills in a form acts.
    fn acting(&self, name: &str, visitor: &Visitor) -> Store {
        self.installation.store.for_pages().acting_as(Actor {
            kind: ActorKind::Token,
            name: name.to_owned(),
            origin: visitor.network.clone(),
        })
    }

    /// Where people come in and go out, over such a database.
    fn reception<'a>(&'a self, store: &'a Store, drafts: &'a Drafts<'a>) -> Reception<'a> {
        let Installation { keys, config, .. } = &*self.installation;
        Reception { store, keys, site: &config.site, drafts }
    }

    /// What makes notices.
    fn drafts(&self) -> Drafts<'_> {
        let Installation { templates, config, .. } = &*self.installation;
        Drafts { site: &config.site, templates }
    }

    /// A page: what its template asks for, and what every page has. `query` is what its address
    /// needs besides the language.
    fn page(
        &self,
        template: &str,
        language: Language,
        title: &str,
        query: &[(&str, &str)],
        mut values: Value,
    ) -> Response {
        let other = match language {
            Language::It => Language::En,
            Language::En => Language::It,
        };
        let mut address = url::form_urlencoded::Serializer::new(String::new());
        let address = address.extend_pairs(query).append_pair("lang", other.tag()).finish();
        values["lang"] = json!(language.tag());
        values["site_name"] = json!(self.installation.config.site.name);
        values["style"] = json!(STYLE);
        values["title"] = json!(title);
        values["other"] = json!({
            "lang": other.tag(),
            "href": format!("?{address}"),
            "text": self.words(other).say("common", "this_language", &[]),
        });
        values["c"] = self.words(language).section("common", &[]);
        html(&self.templates, template, &values, Policy::Form)
    }

    /// A page that says one thing.
    fn message(&self, language: Language, message: &Message<'_>) -> Response {
        let Message { status, section, key, values, button, link } = *message;
        let words = self.words(language);
        let say = |name: &str| words.say(section, &format!("{key}_{name}"), values);
        let link = link
            .map(|(href, name)| json!({ "href": href, "text": words.say("common", name, &[]) }));
        let shown = json!({
            "text": say("text"),
            "button": button.then(|| say("button")),
            "note": button.then(|| say("note")),
            "link": link,
        });
        let page = self.page("message", language, &say("title"), &[], shown);
        (status, page).into_response()
    }
}

/// What a page that says one thing says: phrases of a section whose names begin with `key`.
#[derive(Clone, Copy)]
struct Message<'a> {
    status: StatusCode,
    section: &'a str,
    key: &'a str,
    values: &'a [(&'a str, &'a str)],
    /// Whether it asks for a POST to where it is.
    button: bool,
    /// Where it leads on to, and what the common phrases call that.
    link: Option<(&'a str, &'a str)>,
}

impl<'a> Message<'a> {
    fn new(section: &'a str, key: &'a str) -> Self {
        Self { status: StatusCode::OK, section, key, values: &[], button: false, link: None }
    }
}

/// The person can do nothing but try again; the operator finds the cause in the log.
fn failed(error: &dyn std::fmt::Display) -> Response {
    tracing::error!(%error, "a page could not be answered");
    StatusCode::SERVICE_UNAVAILABLE.into_response()
}
