//! The demo: the whole way from a news page to the inbox, in one process and without configuration.
//!
//! Everything in it is real: a news site that is polled over HTTP, a database in a file, an SMTP
//! server that takes what is delivered. Only its clock runs faster: a day passes in minutes.

pub mod mail_server;
pub mod mailbox;
pub mod news_site;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use chrono::{Days, NaiveDate};
use chrono_tz::Europe::Rome;
use serde::Serialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::audience::ImportError;
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::delivery::Totals;
use crate::editions::{GATHERING_SECONDS, instant};
use crate::installation::{Installation, OpenError};
use crate::model::{CadenceId, ListId, Timestamp};
use crate::round::{self, RoundError};
use crate::web;
use crate::web::page::{Policy, html, templates};

use mail_server::{MailServer, ServerLimits};
use mailbox::Mailbox;
use news_site::NewsSite;

/// How many times faster the demo's clock runs: a day in six minutes.
pub const CLOCK_SPEED: u32 = 240;
/// The file of its database.
pub const DATABASE_FILE: &str = "banditore.db";
/// The news that stand on the page at first, and so are told to nobody.
const NEWS_AT_FIRST: usize = 1;
/// The news that are published before the first edition.
const NEWS_FOR_THE_FIRST_EDITION: usize = 5;
/// How long before the first edition the demo's clock starts, in seconds.
const SECONDS_BEFORE_SLOT: i64 = 120;
/// The demo's addresses, list by list: (list, its subscribers as CSV).
const AUDIENCES: [(&str, &str); 2] = [
    ("residents", include_str!("../../templates/demo/residents.csv")),
    ("mayors", include_str!("../../templates/demo/mayors.csv")),
];

/// Where the demo keeps and shows things.
#[derive(Clone, Debug)]
pub struct DemoSettings {
    /// The port of the page to open; 0 for any.
    pub port: u16,
    /// Where it listens.
    pub bind: Ipv4Addr,
    /// The folder of its database, which must be there.
    pub dir: PathBuf,
}

/// Why the demo cannot run.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A port.
    #[error("port {port} cannot be used: {cause}")]
    Port {
        /// Which; 0 for any.
        port: u16,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The installation.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The subscribers.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// Work.
    #[error(transparent)]
    Round(#[from] RoundError),
}

impl From<ConfigError> for DemoError {
    fn from(error: ConfigError) -> Self {
        Self::Open(error.into())
    }
}

/// What `demo --once` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CycleReport {
    /// Items read.
    pub items: i64,
    /// Subscribers.
    pub subscribers: u64,
    /// Editions planned.
    pub editions: usize,
    /// Messages written.
    pub messages: i64,
    /// Messages that the SMTP server accepted.
    pub accepted: u64,
}

/// The demo, started: its servers run until it is dropped.
pub struct Demo {
    /// The installation at work.
    pub installation: Arc<Installation>,
    /// What has arrived.
    pub mailbox: Arc<Mailbox>,
    /// The page to open.
    pub pages: String,
    /// The news site.
    pub news_pages: String,
    news: NewsSite,
    subscribers: u64,
    _servers: JoinSet<()>,
}

/// When the demo's clock starts: shortly before today's first edition.
pub fn start_of_clock(now: Timestamp) -> Timestamp {
    let slot = now.in_zone(Rome).date_naive().and_hms_opt(7, 0, 0).unwrap_or_default();
    Timestamp::from(instant(slot, Rome)).plus(-SECONDS_BEFORE_SLOT)
}

impl Demo {
    /// Starts the servers, makes the database, subscribes the audiences, and polls for the first
    /// time.
    ///
    /// # Errors
    /// [`DemoError`]: a port is taken, or the folder cannot be written to.
    pub async fn start(settings: &DemoSettings, clock: Clock) -> Result<Self, DemoError> {
        let mut servers = JoinSet::new();
        let today = clock.now().in_zone(Rome).date_naive();
        let yesterday: Vec<NaiveDate> =
            today.checked_sub_days(Days::new(1)).into_iter().take(NEWS_AT_FIRST).collect();
        let news = NewsSite::new(&yesterday);
        let news_pages = serve(&mut servers, (settings.bind, 0), news.router()).await?;
        let mailbox = Arc::new(Mailbox::default());
        let place = SocketAddr::from((settings.bind, 0));
        let refused = |cause| DemoError::Port { port: 0, cause };
        let mail = MailServer::bind(place, ServerLimits::default()).await.map_err(refused)?;
        let smtp_port = mail.local_addr().map_err(refused)?.port();
        servers.spawn(mail.serve(Arc::clone(&mailbox), clock.clone()));
        // The links in mails must name the port before anything is served on it.
        let listener = listen((settings.bind, settings.port)).await?;
        let pages = address(&listener)?;
        let config = config(&settings.dir, &pages, &news_pages, smtp_port)?;
        let installation = Installation::prepare(config, clock).await?;
        installation.migrate().await?;
        let installation = Arc::new(installation);
        let shown = Router::new()
            .nest("/mailbox", mailbox::router(Arc::clone(&mailbox), Rome, "/mailbox"))
            .merge(web::pages(Arc::clone(&installation), Duration::from_millis(web::ANSWER_MS)))
            .merge(home(&news_pages));
        servers.spawn(async move {
            let _ = axum::serve(listener, web::service(shown)).await;
        });
        let subscribers = subscribe(&installation).await?;
        let demo =
            Self { installation, mailbox, pages, news_pages, news, subscribers, _servers: servers };
        round::poll(&demo.installation, None).await?;
        for _ in 0..NEWS_FOR_THE_FIRST_EDITION {
            demo.publish();
        }
        Ok(demo)
    }

    /// Publishes the next news; gives its title, or none when all are told.
    pub fn publish(&self) -> Option<&str> {
        let today = self.installation.clock.now().in_zone(Rome).date_naive();
        self.news.publish_next(today)
    }

    /// One turn of the work.
    ///
    /// # Errors
    /// Where a part of it fails.
    pub async fn turn(&self) -> Result<round::RoundReport, DemoError> {
        let (progress, _) = watch::channel(Totals::default());
        Ok(round::once(&self.installation, progress).await?)
    }

    /// One whole cycle on a clock that is stepped: the news are read, the daily editions go out,
    /// and the immediate ones after their gathering time.
    ///
    /// # Errors
    /// Where a part of it fails.
    pub async fn cycle(&self) -> Result<CycleReport, DemoError> {
        let mut report = CycleReport { subscribers: self.subscribers, ..CycleReport::default() };
        for seconds in [SECONDS_BEFORE_SLOT / 2, SECONDS_BEFORE_SLOT / 2, GATHERING_SECONDS] {
            self.installation.clock.step(seconds);
            let turn = self.turn().await?;
            report.editions += turn.editions;
            report.messages += turn.messages;
            report.accepted += turn.totals.accepted;
        }
        let mut tx = self.installation.store.read().await.map_err(RoundError::from)?;
        for source in &self.installation.config.sources {
            report.items += tx.count_items(&source.id).await.map_err(RoundError::from)?;
        }
        Ok(report)
    }
}

fn config(dir: &Path, pages: &str, news: &str, smtp_port: u16) -> Result<Config, ConfigError> {
    let secret = data_encoding::HEXLOWER.encode(&rand::random::<[u8; 32]>());
    let text = include_str!("../../templates/demo/demo.toml")
        .replace("{pages}", pages)
        .replace("{news}", news)
        .replace("{smtp_port}", &smtp_port.to_string())
        .replace("{secret}", &secret)
        .replace("{database}", DATABASE_FILE);
    Config::parse(&text, &dir.join("banditore.toml"), [])
}

async fn subscribe(installation: &Installation) -> Result<u64, DemoError> {
    let mut subscribers = 0;
    for (list, csv) in AUDIENCES {
        let list: ListId = list.parse().expect("the demo's lists have ids");
        let named = installation.config.lists.iter().filter(|named| named.id == list);
        let cadences: Vec<CadenceId> =
            named.flat_map(|list| list.cadences.keys().cloned()).collect();
        let report =
            installation.import(&list, &cadences, csv.as_bytes(), "demo", false, |_| {}).await?;
        subscribers += report.imported + report.unchanged + report.updated;
    }
    Ok(subscribers)
}

fn home(news: &str) -> Router {
    let values = json!({ "news": format!("{news}/news") });
    let pages = Arc::new(templates([("home", include_str!("../../templates/demo/home.html"))]));
    Router::new().route("/", get(async move || html(&pages, "home", &values, Policy::Own)))
}

async fn listen((bind, port): (Ipv4Addr, u16)) -> Result<TcpListener, DemoError> {
    TcpListener::bind((bind, port)).await.map_err(|cause| DemoError::Port { port, cause })
}

fn address(listener: &TcpListener) -> Result<String, DemoError> {
    let address = listener.local_addr().map_err(|cause| DemoError::Port { port: 0, cause })?;
    Ok(format!("http://{address}"))
}

/// Serves pages until the servers are dropped; gives their address.
async fn serve(
    servers: &mut JoinSet<()>,
    place: (Ipv4Addr, u16),
    pages: Router,
) -> Result<String, DemoError> {
    let listener = listen(place).await?;
    let address = address(&listener)?;
    servers.spawn(async move {
        let _ = axum::serve(listener, pages).await;
    });
    Ok(address)
}
