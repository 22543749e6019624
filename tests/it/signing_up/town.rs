//! A town that runs its lists: an installation, its pages on loopback, and a real mail server.

use std::sync::Arc;
use std::time::Duration;

use banditore::clock::Clock;
use banditore::config::Config;
use banditore::delivery::Totals;
use banditore::demo::mail_server::{MailServer, ServerLimits};
use banditore::demo::mailbox::Mailbox;
use banditore::installation::Installation;
use banditore::model::Timestamp;
use banditore::round;
use banditore::web;
use mail_parser::MessageParser;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::support::database::{Database, Engine};

/// Wednesday 25 November 2026, 06:00 in Rome.
pub const MORNING: Timestamp = Timestamp(1_795_582_800);
/// How long a person takes for a form, in seconds.
pub const FILLING_IN: i64 = 20;

const LISTS: &str = r#"
[[source]]
id = "news"
url = "file:news.xml"

[[list]]
id = "residents"
name = "Notizie per i residenti"
from = "Comune di Prova <news@example.it>"
cadences = { immediate = true, daily = "0 0 7 * * *" }

[[list]]
id = "mayors"
name = "Rassegna riservata"
from = "Comune di Prova <mayors@example.it>"
public = false
cadences = { daily = "0 0 7 * * *" }
"#;

/// The town.
pub struct Town {
    pub folder: tempfile::TempDir,
    pub installation: Arc<Installation>,
    pub mailbox: Arc<Mailbox>,
    database: Database,
    pages: String,
    client: reqwest::Client,
}

/// What a page answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// A mail that came.
#[derive(Clone, Debug)]
pub struct Came {
    pub to: String,
    pub subject: String,
    pub text: String,
    pub source: String,
}

impl Town {
    pub async fn open() -> Self {
        Self::with(LISTS).await
    }

    /// One whose answers are given at their time, as a daemon's are.
    pub async fn paced(pace: Duration) -> Self {
        Self::made("", LISTS, pace).await
    }

    /// One with other sources and lists.
    pub async fn with(lists: &str) -> Self {
        Self::made("", lists, Duration::ZERO).await
    }

    /// One with more keys of `[site]`.
    pub async fn with_site(site: &str, lists: &str) -> Self {
        Self::made(site, lists, Duration::ZERO).await
    }

    async fn made(site: &str, lists: &str, pace: Duration) -> Self {
        // The client asks for one even where nothing is encrypted; another test may be first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mailbox = Arc::new(Mailbox::keeping(100_000));
        let any = "127.0.0.1:0".parse().unwrap();
        let server = MailServer::bind(any, ServerLimits::default()).await.unwrap();
        let port = server.local_addr().unwrap().port();
        tokio::spawn(server.serve(Arc::clone(&mailbox), Clock::stepped(MORNING)));
        let database = Database::migrated_on(Engine::of_this_run()).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("banditore.toml");
        let text = format!(
            "[site]\nname = \"Comune di Prova\"\npublic_url = \"https://news.example.it\"\n\
             secret = \"una frase segreta di prova, lunga quanto serve\"\n{site}\n\
             [smtp]\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\nconnections = 2\n\
             [delivery]\ndurability = \"process\"\n[database]\nurl = \"{}\"\n{lists}",
            database.url()
        );
        std::fs::write(&file, text).unwrap();
        let config = Config::load(Some(&file)).unwrap();
        let installation = Installation::prepare(config, Clock::stepped(MORNING)).await.unwrap();
        installation.migrate().await.unwrap();
        let installation = Arc::new(installation);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let pages = format!("http://{}", listener.local_addr().unwrap());
        let router = web::router(Arc::clone(&installation), pace);
        tokio::spawn(async move { axum::serve(listener, web::service(router)).await });
        Self { folder, installation, mailbox, database, pages, client: reqwest::Client::new() }
    }

    pub fn now(&self) -> Timestamp {
        self.installation.clock.now()
    }

    pub fn step(&self, seconds: i64) {
        self.installation.clock.step(seconds);
    }

    /// Items of the news, by their titles; the next poll finds them.
    pub fn publish(&self, titles: &[&str]) {
        let item = |title: &&str| {
            format!(
                "<item><guid>{title}</guid><title>{title}</title><description>Per tutti gli \
                     abitanti.</description></item>"
            )
        };
        let items: String = titles.iter().map(item).collect();
        let feed = format!(
            "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>Notizie\
            </title><link>https://www.example.it/</link><description>Prova</description>{items}\
            </channel></rss>"
        );
        std::fs::write(self.folder.path().join("news.xml"), feed).unwrap();
    }

    /// One round of all the work.
    pub async fn work(&self) {
        let (progress, _) = watch::channel(Totals::default());
        round::once(&self.installation, progress).await.unwrap();
    }

    /// Delivers what is due.
    pub async fn deliver(&self) -> Totals {
        let (progress, _) = watch::channel(Totals::default());
        round::deliver(&self.installation, false, progress).await.unwrap().totals
    }

    pub async fn get(&self, path: &str) -> Answer {
        read(self.client.get(format!("{}{path}", self.pages))).await
    }

    /// A POST from a network of one's own.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_from("203.0.113.7", path, fields).await
    }

    pub async fn post_from(&self, from: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        let body = body.extend_pairs(fields).finish();
        self.post_raw(from, path, body.into_bytes()).await
    }

    /// Any request; its answer with its headers.
    pub async fn raw(&self, method: &str, path: &str, body: Vec<u8>) -> reqwest::Response {
        let method = method.parse().unwrap();
        let request = self.client.request(method, format!("{}{path}", self.pages)).body(body);
        request.send().await.unwrap()
    }

    pub async fn post_raw(&self, from: &str, path: &str, body: Vec<u8>) -> Answer {
        let request = self.client.post(format!("{}{path}", self.pages)).body(body);
        let form = "application/x-www-form-urlencoded";
        read(request.header("Content-Type", form).header("X-Forwarded-For", from)).await
    }

    /// What says when a form was given out.
    pub async fn time_of(&self, path: &str) -> String {
        let page = self.get(path).await.body;
        let (_, rest) = page.split_once("name=\"time\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    /// Fills in the form as a person does, and sends it from a network.
    pub async fn ask_from(&self, from: &str, email: &str, more: &[(&str, &str)]) -> Answer {
        let time = self.time_of("/subscribe").await;
        self.step(FILLING_IN);
        let fields = [
            ("list", "residents"),
            ("email", email),
            ("cadence", "daily"),
            ("language", "it"),
            ("time", &time),
            ("homepage", ""),
        ];
        let given = |name: &str| more.iter().any(|(known, _)| *known == name);
        let kept = fields.iter().filter(|(name, _)| !given(name));
        let fields: Vec<(&str, &str)> = kept.chain(more).copied().collect();
        self.post_from(from, "/subscribe", &fields).await
    }

    pub async fn ask(&self, email: &str) -> Answer {
        self.ask_from("203.0.113.7", email, &[]).await
    }

    /// Asks for the link to the preferences.
    pub async fn ask_for_link(&self, email: &str) -> Answer {
        let time = self.time_of("/preferences").await;
        self.step(FILLING_IN);
        self.post("/preferences", &[("email", email), ("time", &time)]).await
    }

    /// Every mail that came, oldest first.
    pub fn mails(&self) -> Vec<Came> {
        let mut mails: Vec<Came> = self
            .mailbox
            .newest(usize::MAX)
            .iter()
            .map(|mail| {
                let parsed = MessageParser::default().parse(&mail.source).unwrap();
                Came {
                    to: mail.recipients[0].clone(),
                    subject: parsed.subject().unwrap().to_owned(),
                    text: parsed.body_text(0).unwrap().replace("\r\n", "\n"),
                    source: String::from_utf8(mail.source.clone()).unwrap(),
                }
            })
            .collect();
        mails.reverse();
        mails
    }

    /// Delivers, and gives the path of the link in the newest mail to an address.
    pub async fn link_to(&self, email: &str) -> String {
        self.deliver().await;
        let mails = self.mails();
        let mail = mails.iter().rev().find(|mail| mail.to == email).expect("a mail came");
        mail.link()
    }

    /// The whole way in for an address.
    pub async fn come_in(&self, email: &str, more: &[(&str, &str)]) {
        assert_eq!(self.ask_from("198.51.100.9", email, more).await.status, 200);
        let link = self.link_to(email).await;
        assert_eq!(self.post(&link, &[]).await.status, 200);
        assert_eq!(self.state(email, "residents").await.as_deref(), Some("active"));
    }

    /// The state of somebody's subscription of a list.
    pub async fn state(&self, email: &str, list: &str) -> Option<String> {
        let mut tx = self.installation.store.read().await.unwrap();
        let hash = self.installation.keys.address_hash(&email.parse().unwrap());
        let subject = tx.subject_by_hash(&hash).await.unwrap()?;
        let held = tx.subscription(subject.id, &list.parse().unwrap()).await.unwrap();
        held.map(|held| held.state)
    }

    /// The address of somebody's unsubscribe page.
    pub async fn leaving(&self, email: &str) -> String {
        let mut tx = self.installation.store.read().await.unwrap();
        let hash = self.installation.keys.address_hash(&email.parse().unwrap());
        let subject = tx.subject_by_hash(&hash).await.unwrap().unwrap();
        let list = "residents".parse().unwrap();
        let held = tx.subscription(subject.id, &list).await.unwrap().unwrap();
        format!("/u/{}", self.installation.keys.unsubscribe_token(held.id))
    }

    pub async fn suppress(&self, email: &str) {
        let mut tx = self.installation.store.write().await.unwrap();
        let keys = &self.installation.keys;
        let address = email.parse().unwrap();
        banditore::audience::suppress(&mut tx, keys, &address, "prova", self.now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub async fn erase(&self, email: &str) {
        let mut tx = self.installation.store.write().await.unwrap();
        let keys = &self.installation.keys;
        let address = email.parse().unwrap();
        banditore::audience::erase(&mut tx, keys, &address, "prova", self.now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Runs a statement of the test's own.
    pub async fn run(&self, sql: &str) {
        self.database.run(sql).await;
    }

    /// A number that a statement gives.
    pub async fn count(&self, sql: &str) -> i64 {
        let (number, rest) = sql.strip_prefix("SELECT ").unwrap().split_once(" FROM ").unwrap();
        let sql = format!("SELECT CAST({number} AS TEXT) FROM {rest}");
        let found = self.database.connect().await.texts(&sql).await;
        found[0].parse().unwrap()
    }

    /// Everything in the database, as text.
    pub async fn contents(&self) -> Vec<String> {
        self.database.connect().await.contents().await
    }
}

impl Came {
    /// The path of the link in a notice.
    pub fn link(&self) -> String {
        let place = "https://news.example.it";
        let links = self.text.lines().filter_map(|line| line.strip_prefix(place));
        let mut links = links.filter(|path| path.len() > 10);
        links.next().expect("a notice has a link").to_owned()
    }
}

async fn read(request: reqwest::RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    Answer { status, body: answer.text().await.unwrap() }
}
