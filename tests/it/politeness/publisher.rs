//! A publisher's server on loopback that answers as it is told and remembers how it was asked, and
//! an installation whose clock a test steps.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::Response;
use banditore::clock::Clock;
use banditore::config::Config;
use banditore::installation::Installation;
use banditore::model::Timestamp;
use banditore::round::{self, Polled};
use banditore::store::SourceRow;
use tokio::net::TcpListener;

use crate::support::{Database, Engine, at, id};

pub const MORNING: &str = "2026-11-25T07:00:00+01:00";

/// What a server answers.
#[derive(Clone, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, headers: Vec::new(), body: body.into() }
    }

    pub fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// How it was asked once.
#[derive(Clone)]
pub struct Asked {
    pub path: String,
    pub headers: HeaderMap,
    pub at: Instant,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// A server at an address of loopback.
#[derive(Clone)]
pub struct Publisher {
    pub address: String,
    answer: Arc<Mutex<Answer>>,
    /// What it answers at paths of their own.
    at_paths: Arc<Mutex<BTreeMap<String, Answer>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Publisher {
    pub async fn start(answer: Answer) -> Self {
        Self::at("127.0.0.1", answer).await
    }

    pub async fn at(host: &str, answer: Answer) -> Self {
        let listener = TcpListener::bind((host, 0)).await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let answer = Arc::new(Mutex::new(answer));
        let publisher = Self { address, answer, at_paths: Arc::default(), asked: Arc::default() };
        let server = publisher.clone();
        let site = Router::new().fallback(move |request: Request| {
            let answer = server.answered(&request);
            async move { answer }
        });
        tokio::spawn(async move { axum::serve(listener, site).await.unwrap() });
        publisher
    }

    fn answered(&self, request: &Request) -> Response {
        let path = request.uri().path().to_owned();
        let at_path = self.at_paths.lock().unwrap().get(&path).cloned();
        let asked = Asked { path, headers: request.headers().clone(), at: Instant::now() };
        self.asked.lock().unwrap().push(asked);
        let answer = at_path.unwrap_or_else(|| self.answer.lock().unwrap().clone());
        let Answer { status, headers, body } = answer;
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(name, value);
        }
        response.body(Body::from(body)).unwrap()
    }

    /// What it answers from now on.
    pub fn answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    /// What it answers from now on at a path.
    pub fn answers_at(&self, path: &str, answer: Answer) {
        self.at_paths.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// How it was asked, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// A feed of items by these names, with more in its channel.
pub fn feed(more: &str, items: &[&str]) -> String {
    let items: String = items
        .iter()
        .map(|item| format!("<item><guid>{item}</guid><title>Avviso {item}</title></item>"))
        .collect();
    format!("<rss version=\"2.0\"><channel><title>Comune</title>{more}{items}</channel></rss>")
}

/// An installation that polls, at a time that stands still.
pub struct Office {
    pub installation: Installation,
    clock: Clock,
    _database: Database,
}

impl Office {
    /// With these sources, as the file has them: id, address and more keys.
    pub async fn with(sources: &[(&str, &str, &str)]) -> Self {
        let database = Database::bare_on(Engine::of_this_run()).await;
        let mut text = format!(
            "[site]\nname = \"Comune\"\npublic_url = \"https://news.example.org\"\n\
             contact = \"web@comune.example.org\"\n\
             secret = \"0123456789abcdef0123456789abcdef\"\n[database]\nurl = \"{}\"\n",
            database.url()
        );
        for (id, url, more) in sources {
            text.push_str(&format!(
                "[[source]]\nid = \"{id}\"\nurl = \"{url}\"\nallow_private_network = true\n{more}\n"
            ));
        }
        let file = std::path::Path::new("banditore.toml");
        let config = Config::parse(&text, file, Vec::new()).unwrap();
        let clock = Clock::stepped(at(MORNING));
        let installation = Installation::prepare(config, clock.clone()).await.unwrap();
        installation.migrate().await.unwrap();
        Self { installation, clock, _database: database }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn step(&self, seconds: i64) {
        self.clock.step(seconds);
    }

    /// Polls what is due.
    pub async fn poll(&self) -> Vec<Polled> {
        round::poll(&self.installation, None).await.unwrap()
    }

    /// Polls one by name.
    pub async fn poll_one(&self, source: &str) -> Polled {
        round::poll(&self.installation, Some(&id(source))).await.unwrap().remove(0)
    }

    /// Waits until a source is due, and polls it.
    pub async fn poll_when_due(&self, source: &str) -> Polled {
        let next = self.source(source).await.next_poll_at;
        self.step(next.0 - self.now().0);
        self.poll_one(source).await
    }

    pub async fn source(&self, source: &str) -> SourceRow {
        let mut tx = self.installation.store.read().await.unwrap();
        tx.source(&id(source)).await.unwrap().unwrap()
    }

    /// In how many seconds a source is due.
    pub async fn due_in(&self, source: &str) -> i64 {
        self.source(source).await.next_poll_at.0 - self.now().0
    }

    /// What the trace says was done to a source by the program itself, in order.
    pub async fn traced(&self, source: &str) -> Vec<String> {
        use banditore::store::TraceSubject;
        let subject = TraceSubject { kind: "source", id: source };
        let mut tx = self.installation.store.read().await.unwrap();
        let lines = tx.trace_of(subject, 1_000).await.unwrap();
        let own = lines.into_iter().rev().filter(|line| line.action != "source.added");
        own.map(|line| line.action).collect()
    }
}
