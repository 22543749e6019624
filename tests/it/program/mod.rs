//! The program as a user meets it: the binary in a folder of its own, and a relay to send to.

mod relay;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::database::blocking;
use crate::support::{Beside, Database, Engine};
use serde_json::Value;

pub use relay::{Mail, SmtpSink, fold};

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    /// Its exit status.
    pub code: i32,
    /// What it wrote to standard output.
    pub out: String,
    /// What it wrote to standard error.
    pub err: String,
}

impl Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("the program ends by itself"),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// Its standard output, which must be one JSON document and nothing else.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Its standard output, which must be JSON Lines and nothing else.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        let lines = self.out.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Demands exit status 0.
    #[track_caller]
    pub fn done(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// Demands this exit status, an error and a hint on standard error, and silence on standard
    /// output; gives standard error.
    #[track_caller]
    pub fn refused(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        assert_eq!(self.out, "", "{self:?}");
        let starting = |start: &str| self.err.lines().any(|line| line.starts_with(start));
        assert!(starting("error: ") && starting("hint: "), "{self:?}");
        self.err
    }
}

/// A folder with a configuration, as an office has it.
pub struct Office {
    folder: tempfile::TempDir,
    /// Where it is not the file in the folder.
    database: Option<Database>,
}

/// A secret, long enough.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";

impl Office {
    /// An empty folder.
    pub fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), database: None }
    }

    /// A folder with `banditore.toml`: a site, a relay at this port, and what else is given; on a
    /// database of the engine that this run is about.
    pub fn with(port: u16, rest: &str) -> Self {
        let database = match Engine::of_this_run() {
            Engine::Sqlite => None,
            Engine::Postgres => Some(blocking(Database::bare_on(Engine::Postgres))),
        };
        Self::on(database, port, rest)
    }

    /// The same on PostgreSQL, whatever the run is about.
    pub async fn on_postgres(port: u16, rest: &str) -> Self {
        Self::on(Some(Database::bare_on(Engine::Postgres).await), port, rest)
    }

    fn on(database: Option<Database>, port: u16, rest: &str) -> Self {
        let office = Self { database, ..Self::empty() };
        let database = office.database_url();
        office.write(
            "banditore.toml",
            format!(
                r#"
[site]
name = "Unione dei Comuni"
public_url = "https://news.example.org"
secret = "{SECRET}"

[smtp]
host = "127.0.0.1"
port = {port}
tls = "none"

[database]
url = "{database}"

[delivery]
durability = "process"
{rest}
"#
            ),
        );
        office
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.file(name), content).unwrap();
    }

    /// Reads a file.
    #[track_caller]
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }

    /// Runs a command in the folder, with nothing of this process's environment that it would read.
    pub fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, &[])
    }

    /// The same, with environment variables.
    pub fn run_with(&self, args: &[&str], environment: &[(&str, &str)]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_banditore"));
        let ours = std::env::vars_os().map(|(key, _)| key);
        for key in ours.filter(|key| key.to_string_lossy().starts_with("BANDITORE__")) {
            command.env_remove(key);
        }
        command.args(args).current_dir(self.path()).stdin(Stdio::null());
        command.env_remove("RUST_LOG").envs(environment.iter().copied());
        Ran::from(command.output().unwrap())
    }

    /// Runs a command at a time.
    pub fn at(&self, time: &str, args: &[&str]) -> Ran {
        self.run(&[&["--at", time], args].concat())
    }

    /// Changes the database behind the program's back.
    pub fn sql(&self, statements: &str) {
        blocking(async { Beside::to(&self.database_url()).await.run(statements).await });
    }

    /// Everything that is in the database, as text, table by table.
    pub fn contents(&self) -> Vec<String> {
        blocking(async { Beside::to(&self.database_url()).await.contents().await })
    }

    /// The address of the office's database.
    pub fn database_url(&self) -> String {
        match &self.database {
            Some(database) => database.url().to_owned(),
            None => format!("sqlite://{}", self.file("banditore.db").display()),
        }
    }
}

/// The page of the data that stands beside the project, where it does.
pub fn shared(file: &str) -> Option<String> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    fs::read_to_string(data.join(file)).ok()
}

/// A small generator of numbers that are the same in every run.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `limit` (xorshift64*).
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(drawn).unwrap() % limit
    }

    /// At most `most` different ones of some, none in about a third of the draws.
    pub fn some<'a>(&mut self, of: &[&'a str], most: usize) -> Vec<&'a str> {
        let count = (self.below(most * 3 / 2 + 1) + 1).saturating_sub(most.div_ceil(2)).min(most);
        let mut drawn: Vec<&str> = (0..count).map(|_| of[self.below(of.len())]).collect();
        drawn.sort_unstable();
        drawn.dedup();
        drawn
    }
}
