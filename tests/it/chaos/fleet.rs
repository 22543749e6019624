//! Daemons on one database, each with a relay of its own, and what is done to them.

use std::collections::BTreeMap;
use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::relay::{Heard, Relay};
use crate::daemon::support::free_port;
use crate::program::Office;
use crate::support::Beside;

/// How long the system may take to start a program.
const START: Duration = Duration::from_millis(500);
/// How long a daemon may take to stop.
const STOP: Duration = Duration::from_secs(60);

/// What a daemon was in the middle of when it was killed.
pub const STAGES: [&str; 12] = [
    "nothing under way",
    "taking in what a source has",
    "planning an edition",
    "claiming messages",
    "recording stages and outcomes",
    "SMTP: connected",
    "SMTP: EHLO",
    "SMTP: MAIL",
    "SMTP: RCPT",
    "SMTP: DATA, the dot not there",
    "SMTP: the dot there, no reply",
    "SMTP: replied, nothing begun after",
];

/// Kills by what they met; one kill meets several.
pub type Histogram = BTreeMap<&'static str, usize>;

pub struct Daemon {
    name: String,
    web: u16,
    pub relay: Relay,
    child: Option<Child>,
    launched: Instant,
}

impl Daemon {
    async fn is_ready(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.web)).await else {
            return false;
        };
        let request = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let mut answer = String::new();
        let asked = stream.write_all(request).await;
        asked.is_ok()
            && stream.read_to_string(&mut answer).await.is_ok()
            && answer.starts_with("HTTP/1.1 200")
    }
}

pub struct Fleet<'a> {
    office: &'a Office,
    pub daemons: Vec<Daemon>,
    /// To look at their transactions.
    database: Option<Beside>,
}

impl<'a> Fleet<'a> {
    pub fn start(office: &'a Office, size: usize) -> Self {
        let daemon = |number| Daemon {
            name: format!("daemon_{number}"),
            web: free_port(),
            relay: Relay::start(),
            child: None,
            launched: Instant::now(),
        };
        let mut fleet = Self { office, daemons: (0..size).map(daemon).collect(), database: None };
        (0..size).for_each(|number| fleet.launch(number));
        fleet
    }

    /// The database goes away: what it said before is no connection afterwards.
    pub fn forget_database(&mut self) {
        self.database = None;
    }

    /// Starts a daemon that is down.
    pub fn launch(&mut self, number: usize) {
        let daemon = &mut self.daemons[number];
        let log = self.office.file(&format!("{}.log", daemon.name));
        let url = format!("{}?application_name={}", self.office.database_url(), daemon.name);
        let mut command = Command::new(env!("CARGO_BIN_EXE_banditore"));
        command.arg("serve").current_dir(self.office.path()).env_remove("RUST_LOG");
        command.env("BANDITORE__DATABASE__URL", url);
        command.env("BANDITORE__SMTP__PORT", daemon.relay.port.to_string());
        command.env("BANDITORE__WEB__LISTEN", format!("127.0.0.1:{}", daemon.web));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::options().create(true).append(true).open(log).unwrap());
        daemon.child = Some(command.spawn().unwrap());
        daemon.launched = Instant::now();
    }

    fn signal(&self, number: usize, signal: &str) {
        let child = self.daemons[number].child.as_ref().expect("the daemon is up");
        let id = child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    pub fn freeze(&self, number: usize) {
        self.signal(number, "-STOP");
    }

    pub fn thaw(&self, number: usize) {
        self.signal(number, "-CONT");
    }

    /// Freezes a daemon for a look at what it is in the middle of.
    pub async fn freeze_and_look(&mut self, number: usize) -> Vec<&'static str> {
        self.freeze(number);
        let mut met = self.statements(number).await;
        for heard in self.daemons[number].relay.conversations() {
            met.push(match heard {
                Heard::Connection => STAGES[5],
                Heard::Ehlo => STAGES[6],
                Heard::Mail => STAGES[7],
                Heard::Rcpt => STAGES[8],
                Heard::Data => STAGES[9],
                Heard::Dot => STAGES[10],
                Heard::Accepted => STAGES[11],
            });
        }
        met.sort_unstable();
        met.dedup();
        if met.is_empty() {
            met.push(STAGES[0]);
        }
        met
    }

    /// What its open transactions are about, by their last statements.
    async fn statements(&mut self, number: usize) -> Vec<&'static str> {
        let name = &self.daemons[number].name;
        let sql = format!(
            "SELECT query FROM pg_stat_activity WHERE application_name = '{name}'
                AND xact_start IS NOT NULL"
        );
        let database = match &mut self.database {
            Some(database) => database,
            None => self.database.insert(Beside::to(&self.office.database_url()).await),
        };
        let mut met = Vec::new();
        for query in database.texts(&sql).await {
            let about = |words: &[&str]| words.iter().any(|word| query.contains(word));
            if about(&["INTO attempt", "SKIP LOCKED", "SET state = 'sending'"]) {
                met.push(STAGES[3]);
            } else if about(&["UPDATE attempt", "UPDATE message SET state = o"]) {
                met.push(STAGES[4]);
            } else if about(&["INTO message", "edition", "cadence", "FROM subscription s", "hit"]) {
                met.push(STAGES[2]);
            } else if about(&["item", "revision", "stream_head", "INTO entry", "source"]) {
                met.push(STAGES[1]);
            }
        }
        met
    }

    /// SIGKILL; what is left of it is reaped.
    pub fn kill(&mut self, number: usize) {
        let mut child = self.daemons[number].child.take().expect("the daemon is up");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGTERM; it must end by itself and well.
    pub fn stop(&mut self, number: usize) {
        // Until a program has begun to listen, a signal just ends it.
        std::thread::park_timeout(START.saturating_sub(self.daemons[number].launched.elapsed()));
        self.signal(number, "-TERM");
        let daemon = &mut self.daemons[number];
        let mut child = daemon.child.take().expect("the daemon is up");
        let end = Instant::now() + STOP;
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < end, "{} does not stop", daemon.name);
            std::thread::park_timeout(Duration::from_millis(5));
        };
        let name = daemon.name.clone();
        assert!(status.success(), "{name}: {status}, it said last:\n{}", self.last_words(number));
    }

    /// The end of a daemon's log.
    fn last_words(&self, number: usize) -> String {
        let log = self.office.read(&format!("{}.log", self.daemons[number].name));
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Fails where a daemon has ended by itself.
    pub fn all_live(&mut self) {
        for number in 0..self.daemons.len() {
            let daemon = &mut self.daemons[number];
            let ended = daemon.child.as_mut().and_then(|child| child.try_wait().unwrap());
            let name = daemon.name.clone();
            if let Some(status) = ended {
                let said = self.last_words(number);
                panic!("{name} has ended by itself: {status}, it said last:\n{said}");
            }
        }
    }

    /// Waits until every daemon says that all its parts go round.
    pub async fn all_ready(&mut self) {
        let end = Instant::now() + STOP;
        for daemon in &self.daemons {
            while !daemon.is_ready().await {
                assert!(Instant::now() < end, "{} does not get ready", daemon.name);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// How often each Message-ID was taken, by any relay.
    pub fn taken(&self) -> BTreeMap<String, usize> {
        let mut taken = BTreeMap::new();
        for daemon in &self.daemons {
            for (id, times) in daemon.relay.taken() {
                *taken.entry(id).or_default() += times;
            }
        }
        taken
    }
}

impl Drop for Fleet<'_> {
    fn drop(&mut self) {
        for daemon in &mut self.daemons {
            if let Some(child) = &mut daemon.child {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}
