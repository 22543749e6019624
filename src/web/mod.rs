//! The residents' pages. They hold no rules of their own: what a page does, a command does too,
//! through the same function. No page needs a cookie, a login or a script, and no GET changes
//! anything.

mod choices;
mod confirming;
mod form;
mod home;
mod leaving;
pub(crate) mod page;
mod plain;
mod preferring;
mod subscribing;
mod visitor;
mod words;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::IntoMakeServiceWithConnectInfo;
use axum::http::StatusCode;
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use handlebars::Handlebars;
use serde_json::{Value, json};

use crate::audience::Reception;
use crate::delivery::Drafts;
use crate::installation::Installation;
use crate::model::Language;
use crate::store::{Actor, ActorKind, Store};
use tokio::time::Instant;

use page::{Policy, answer, html, templates};
use plain::{dress, failed, missing};
use visitor::Visitor;
use words::Words;

/// Where the style sheet is.
const STYLE: &str = "/pages.css";

/// When an answer that must not tell who is known is given, in milliseconds after its form came;
/// one that takes longer is given at the next multiple. Far more than the work takes.
pub const ANSWER_MS: u64 = 300;

/// What all pages share.
#[derive(Clone)]
struct Web {
    installation: Arc<Installation>,
    templates: Arc<Handlebars<'static>>,
    it: Arc<Words>,
    en: Arc<Words>,
    pace: Duration,
}

/// The pages of an installation, with its home page. Serve them by [`service`]. `pace` is when
/// answers that must not tell who is known are given: [`ANSWER_MS`], or nothing where nobody looks
/// at the clock.
pub fn router(installation: Arc<Installation>, pace: Duration) -> Router {
    let home = home::router().with_state(Web::new(Arc::clone(&installation), pace));
    pages(installation, pace).merge(home.layer(map_response(dress)))
}

/// The pages of an installation without a home page, for a site that has one.
pub fn pages(installation: Arc<Installation>, pace: Duration) -> Router {
    let web = Web::new(installation, pace);
    Router::new()
        .route(STYLE, get(style))
        .merge(leaving::router())
        .merge(subscribing::router())
        .merge(confirming::router())
        .merge(preferring::router())
        .fallback(missing)
        .layer(map_response(dress))
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
    fn new(installation: Arc<Installation>, pace: Duration) -> Self {
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
            pace,
        }
    }

    /// Gives an answer at a time that does not say how much work there was for it: none is faster
    /// or slower for who is known.
    async fn at_its_time(&self, answer: impl Future<Output = Response>) -> Response {
        let begun = Instant::now();
        let answer = answer.await;
        let pace = self.pace.as_micros();
        if let Some(turns) = begun.elapsed().as_micros().checked_div(pace) {
            let due = u64::try_from((turns + 1) * pace).unwrap_or(u64::MAX);
            tokio::time::sleep_until(begun + Duration::from_micros(due)).await;
        }
        answer
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
            origin: visitor.traced.clone(),
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
