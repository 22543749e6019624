//! A daemon as an office runs it: the binary with a configuration, a feed in a file, people, and a
//! relay whose replies can be held back.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{Office, Ran};

/// Longer than anything a test waits for.
const WAIT: Duration = Duration::from_secs(60);

/// Waits until something holds.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + WAIT;
    while !holds() {
        assert!(Instant::now() < end, "waited for too long: {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// A port of loopback that is free.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// An office with a list whose edition is due every other second, and a daemon's settings.
pub struct Town {
    pub office: Office,
    pub web: u16,
    /// Variables of the environment that every command gets: another database, for one.
    environment: Vec<(String, String)>,
}

impl Town {
    /// A town whose relay listens at a port, its database made, its source's baseline taken two
    /// minutes ago, so that it is due, and `people` on its list.
    pub fn new(relay: u16, people: usize) -> Self {
        Self::on(&[], relay, people, "")
    }

    /// The same on a database of one's own, as variables of the environment say, with settings
    /// besides.
    pub fn on(environment: &[(&str, &str)], relay: u16, people: usize, more: &str) -> Self {
        let web = free_port();
        let rest = format!(
            r#"{more}
[web]
listen = "127.0.0.1:{web}"
[[source]]
id = "news"
url = "file:news.xml"
every = "60s"
[[list]]
id = "residents"
name = "Notizie"
from = "Unione <news@example.org>"
cadences = {{ often = "*/2 * * * * *" }}
"#
        );
        let office = Office::with(relay, &rest);
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let town = Self { office, web, environment: environment.iter().map(owned).collect() };
        town.publish(1);
        town.run(&["migrate"]).done();
        let before = chrono::Utc::now() - chrono::Duration::minutes(2);
        town.run(&["--at", &before.to_rfc3339(), "source", "poll"]).done();
        town.bring_in(1..=people);
        town
    }

    /// Puts so many items into the feed.
    pub fn publish(&self, items: usize) {
        let item = |number: usize| {
            format!(
                "<item><guid>n{number}</guid><title>Bando numero {number}</title>\
                 <link>https://www.example.org/{number}</link>\
                 <description>Contributi alle imprese, avviso {number}.</description></item>"
            )
        };
        let items: String = (1..=items).map(item).collect();
        let feed = format!(
            "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>Notizie</title>\
             <link>https://www.example.org/</link><description>Prova</description>{items}\
             </channel></rss>"
        );
        self.office.write("news.new", feed);
        std::fs::rename(self.office.file("news.new"), self.office.file("news.xml")).unwrap();
    }

    /// Subscribes the people with these numbers.
    pub fn bring_in(&self, people: std::ops::RangeInclusive<usize>) {
        let rows: String = people.map(|number| format!("p{number}@example.org\n")).collect();
        if rows.is_empty() {
            return;
        }
        self.office.write("people.csv", format!("email\n{rows}"));
        self.run(&["subscribers", "import", "people.csv", "--list", "residents"]).done();
    }

    fn environment(&self) -> Vec<(&str, &str)> {
        self.environment.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Ran {
        self.office.run_with(args, &self.environment())
    }

    /// Starts the daemon.
    pub fn serve(&self, args: &[&str]) -> Served {
        self.serve_with(args, &[])
    }

    /// The same, with more of an environment.
    pub fn serve_with(&self, args: &[&str], environment: &[(&str, &str)]) -> Served {
        let log = self.office.file("log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_banditore"));
        command.arg("serve").args(args).current_dir(self.office.path()).env_remove("RUST_LOG");
        command.envs(self.environment()).envs(environment.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::options().create(true).append(true).open(log).unwrap());
        Served { child: command.spawn().unwrap() }
    }

    /// What the daemons have logged.
    pub fn log(&self) -> String {
        self.office.read("log")
    }

    /// The states of all messages, in the order of their ids.
    pub fn states(&self) -> Vec<String> {
        let listed = self.run(&["messages", "list", "--json"]).done().json_lines();
        listed.iter().map(|message| message["state"].as_str().unwrap().to_owned()).collect()
    }

    /// How many messages are in a state.
    pub fn count(&self, state: &str) -> usize {
        self.states().iter().filter(|known| *known == state).count()
    }

    /// The editions, which must balance.
    pub fn editions(&self) -> Vec<Value> {
        let audit = self.run(&["audit", "--json"]).done().json();
        audit["editions"].as_array().unwrap().clone()
    }

    /// How many attempts ended in doubt, over all editions.
    pub fn doubts(&self) -> usize {
        let doubts = |edition: &Value| edition["doubts"].as_array().unwrap().len();
        self.editions().iter().map(doubts).sum()
    }

    /// A page of the daemon: its status and body; none where nobody answers.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.web)).ok()?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let code = answer.split(' ').nth(1)?.parse().ok()?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Some((code, body.to_owned()))
    }

    /// Waits until the daemon says that it is ready.
    #[track_caller]
    pub fn wait_until_ready(&self) {
        wait_until("ready", || self.get("/readyz").is_some_and(|(code, _)| code == 200));
    }
}

/// A daemon that runs; it is killed with the test.
pub struct Served {
    child: Child,
}

impl Served {
    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let command = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
    }

    /// Waits until it ends.
    #[track_caller]
    pub fn end(mut self) -> ExitStatus {
        let mut ended = None;
        wait_until("the daemon ends", || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        ended.unwrap()
    }

    /// Stops it, which must go well.
    #[track_caller]
    pub fn stop(self) {
        self.signal("TERM");
        let ended = self.end();
        assert_eq!(ended.code(), Some(0), "{ended:?}");
    }

    /// Whether it runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A relay whose replies to the final dot can be held back.
#[derive(Clone)]
pub struct GatedRelay {
    pub port: u16,
    shared: Arc<(Mutex<Gate>, Condvar)>,
}

struct Gate {
    open: bool,
    /// Recipients of the mails of which the dot came.
    taken: Vec<String>,
}

impl GatedRelay {
    /// One that replies at once.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let gate = Gate { open: true, taken: Vec::new() };
        let relay = Self { port, shared: Arc::new((Mutex::new(gate), Condvar::new())) };
        let server = relay.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let relay = server.clone();
                std::thread::spawn(move || relay.converse(stream));
            }
        });
        relay
    }

    /// Holds replies back from now on, or lets them go.
    pub fn open(&self, open: bool) {
        self.shared.0.lock().unwrap().open = open;
        self.shared.1.notify_all();
    }

    /// The recipients of all mails that came whole, in order.
    pub fn taken(&self) -> Vec<String> {
        self.shared.0.lock().unwrap().taken.clone()
    }

    fn converse(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?);
        let mut stream = stream;
        stream.write_all(b"220 relay.example.org ESMTP\r\n")?;
        let (mut recipient, mut line) = (String::new(), String::new());
        loop {
            line.clear();
            if lines.read_line(&mut line)? == 0 {
                return Ok(());
            }
            match line.get(..4).unwrap_or_default() {
                "RCPT" => recipient = line[9..].trim_end_matches(['>', '\r', '\n']).to_owned(),
                "DATA" => {
                    stream.write_all(b"354 go on\r\n")?;
                    while line != ".\r\n" {
                        line.clear();
                        if lines.read_line(&mut line)? == 0 {
                            return Ok(());
                        }
                    }
                    let mut gate = self.shared.0.lock().unwrap();
                    gate.taken.push(recipient.clone());
                    drop(self.shared.1.wait_while(gate, |gate| !gate.open).unwrap());
                }
                "QUIT" => return stream.write_all(b"221 bye\r\n"),
                _ => {}
            }
            stream.write_all(b"250 2.0.0 ok\r\n")?;
        }
    }
}
