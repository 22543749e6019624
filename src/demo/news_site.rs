//! The demo's news site: a small invented consortium of municipalities, whose page Banditore polls.
//! A page as such bodies have it: no feed, a block an item, the date after the text.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use chrono::{Datelike, NaiveDate};
use handlebars::Handlebars;
use include_dir::{Dir, include_dir};
use serde::{Deserialize, Serialize};

use crate::web::page::{Policy, answer, html, templates};

/// The items, in the order in which they are published.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pool {
    /// Names of the months, January first.
    months: [String; 12],
    item: Vec<Item>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    /// The last part of its address.
    slug: String,
    title: String,
    picture: Option<Picture>,
    paragraphs: Vec<String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Picture {
    file: String,
    /// What stands for the picture where it is not seen.
    text: String,
}

static PICTURES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates/demo/pictures");

/// A news page that grows when it is told to. Clones show the same page.
#[derive(Clone)]
pub struct NewsSite {
    pool: Arc<Pool>,
    /// The date of each published item; the first items of the pool are the published ones.
    dates: Arc<Mutex<Vec<NaiveDate>>>,
    templates: Arc<Handlebars<'static>>,
}

impl NewsSite {
    /// A site that shows the first items already, one for each of `dates`, oldest first.
    pub fn new(dates: &[NaiveDate]) -> Self {
        let pool: Pool = toml::from_str(include_str!("../../templates/demo/news.toml"))
            .expect("the embedded news are well formed");
        let dates = dates.iter().copied().take(pool.item.len()).collect();
        let templates = templates([
            ("news", include_str!("../../templates/demo/news.html")),
            ("item", include_str!("../../templates/demo/news_item.html")),
        ]);
        Self {
            pool: Arc::new(pool),
            dates: Arc::new(Mutex::new(dates)),
            templates: Arc::new(templates),
        }
    }

    /// Publishes one more item, dated `date`; gives back its title, or nothing where all are out.
    pub fn publish_next(&self, date: NaiveDate) -> Option<&str> {
        let mut dates = self.dates();
        let item = self.pool.item.get(dates.len())?;
        dates.push(date);
        Some(&item.title)
    }

    /// How many items are published.
    pub fn published(&self) -> usize {
        self.dates().len()
    }

    /// How many items there are, published or not.
    pub fn items(&self) -> usize {
        self.pool.item.len()
    }

    /// The pages: the list at `/news`, an item at `/news/SLUG`.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/", get(|| async { Redirect::temporary("/news") }))
            .route("/news", get(list))
            .route("/news/{slug}", get(item))
            .route("/news-site.css", get(style))
            .route("/pictures/{file}", get(picture))
            .with_state(self.clone())
    }

    fn dates(&self) -> MutexGuard<'_, Vec<NaiveDate>> {
        self.dates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The published items, newest first, as the templates want them.
    fn shown(&self) -> Vec<ShownItem<'_>> {
        let dates = self.dates();
        let published = self.pool.item.iter().zip(dates.iter());
        let mut shown: Vec<_> = published.map(|(item, date)| self.show(item, *date)).collect();
        shown.reverse();
        shown
    }

    fn show<'a>(&'a self, item: &'a Item, date: NaiveDate) -> ShownItem<'a> {
        let month = self.pool.months.get(date.month0() as usize).map_or("", String::as_str);
        ShownItem {
            slug: &item.slug,
            title: &item.title,
            picture: item.picture.as_ref(),
            paragraphs: &item.paragraphs,
            date: format!("{} {month} {}", date.day(), date.year()),
        }
    }
}

#[derive(Serialize)]
struct ShownItem<'a> {
    slug: &'a str,
    title: &'a str,
    picture: Option<&'a Picture>,
    paragraphs: &'a [String],
    date: String,
}

async fn list(State(site): State<NewsSite>) -> Response {
    #[derive(Serialize)]
    struct Page<'a> {
        items: Vec<ShownItem<'a>>,
    }
    html(&site.templates, "news", &Page { items: site.shown() }, Policy::Own)
}

async fn item(State(site): State<NewsSite>, Path(slug): Path<String>) -> Response {
    match site.shown().into_iter().find(|item| item.slug == slug) {
        Some(item) => html(&site.templates, "item", &item, Policy::Own),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn style() -> Response {
    let css = include_str!("../../templates/demo/news.css");
    answer("text/css; charset=utf-8", Policy::Nothing, css)
}

async fn picture(Path(file): Path<String>) -> Response {
    match PICTURES.get_file(&file) {
        Some(file) => answer("image/svg+xml", Policy::Nothing, file.contents()),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
