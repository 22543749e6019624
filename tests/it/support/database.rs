//! A database of a test's own, on the engine that this run of the tests is about.
//!
//! The tests of rooms that know no engine run once on each: `scripts/test` runs them a second time
//! with `BANDITORE_TEST_ENGINE=postgres`, on a server that `scripts/with-postgres` starts.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use banditore::store::{Durability, Store};
use sqlx::{Connection, PgConnection, Row as _, SqliteConnection};

/// An engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    /// The engine of this run.
    pub fn of_this_run() -> Self {
        match std::env::var("BANDITORE_TEST_ENGINE").as_deref() {
            Err(_) | Ok("sqlite") => Self::Sqlite,
            Ok("postgres") => Self::Postgres,
            Ok(other) => panic!("BANDITORE_TEST_ENGINE is sqlite or postgres, not {other:?}"),
        }
    }
}

/// A database that goes with this value.
pub struct Database {
    engine: Engine,
    url: String,
    folder: Option<tempfile::TempDir>,
}

/// A connection beside the store, for what no function of the store does.
pub enum Beside {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Database {
    /// With this version's tables, all empty.
    pub async fn migrated_on(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                std::fs::write(folder.path().join("banditore.db"), empty_file().await).unwrap();
                Self::in_folder(folder)
            }
            Engine::Postgres => {
                let template = TEMPLATE.get_or_init(make_template).await;
                Self::created(&format!("TEMPLATE {template}")).await
            }
        }
    }

    /// Without a table yet.
    pub async fn bare_on(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => Self::in_folder(tempfile::tempdir().unwrap()),
            Engine::Postgres => Self::created("").await,
        }
    }

    fn in_folder(folder: tempfile::TempDir) -> Self {
        let url = format!("sqlite://{}", folder.path().join("banditore.db").display());
        Self { engine: Engine::Sqlite, url, folder: Some(folder) }
    }

    async fn created(how: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        on_server(&format!("CREATE DATABASE {name} {how}")).await;
        Self { engine: Engine::Postgres, url: url_of(&name), folder: None }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The file, on SQLite.
    pub fn path(&self) -> PathBuf {
        self.folder.as_ref().expect("SQLite has a file").path().join("banditore.db")
    }

    /// Opens it, as a process of its own would.
    pub async fn open(&self) -> Store {
        Store::open(&self.url, Durability::Process).await.unwrap()
    }

    pub async fn connect(&self) -> Beside {
        Beside::to(&self.url).await
    }

    /// Runs a statement of the test's own.
    pub async fn run(&self, sql: &str) {
        self.connect().await.run(sql).await;
    }
}

impl Beside {
    pub async fn to(url: &str) -> Self {
        if url.starts_with("postgres:") {
            Self::Postgres(PgConnection::connect(url).await.unwrap())
        } else {
            Self::Sqlite(SqliteConnection::connect(url).await.unwrap())
        }
    }

    /// Runs statements.
    pub async fn run(&mut self, sql: &str) {
        self.try_run(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Runs statements that the database may refuse; gives what it says then.
    pub async fn try_run(&mut self, sql: &str) -> Result<(), String> {
        let sql = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()));
        let done = match self {
            Self::Sqlite(connection) => sql.execute(connection).await.map(|_| ()),
            Self::Postgres(connection) => sql.execute(connection).await.map(|_| ()),
        };
        done.map_err(|error| error.to_string())
    }

    /// The first column of what a statement gives, which is text.
    pub async fn texts(&mut self, sql: &str) -> Vec<String> {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(connection) => {
                let rows = sqlx::query(sql).fetch_all(connection).await.unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
            Self::Postgres(connection) => {
                let rows = sqlx::query(sql).fetch_all(connection).await.unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
        }
    }

    /// Everything that is in the database, as text, table by table.
    pub async fn contents(&mut self) -> Vec<String> {
        let tables = match self {
            Self::Sqlite(_) => "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
            Self::Postgres(_) => {
                "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'
                    ORDER BY tablename"
            }
        };
        let mut contents = Vec::new();
        for table in self.texts(tables).await {
            let rows = match self {
                Self::Postgres(_) => format!("SELECT t::text FROM {table} t ORDER BY 1"),
                Self::Sqlite(_) => {
                    let columns = format!("SELECT name FROM pragma_table_info('{table}')");
                    let columns = self.texts(&columns).await;
                    let columns: Vec<String> =
                        columns.iter().map(|column| format!("quote({column})")).collect();
                    let columns = columns.join(" || ', ' || ");
                    format!("SELECT {columns} FROM {table} ORDER BY 1")
                }
            };
            let rows = self.texts(&rows).await;
            contents.extend(rows.into_iter().map(|row| format!("{table}: {row}")));
        }
        contents
    }
}

/// Waits for work of its own runtime, inside another or not.
pub fn blocking<T: Send>(work: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(work)
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.engine == Engine::Postgres {
            let name = self.url.rsplit('/').next().unwrap_or_default();
            blocking(on_server(&format!("DROP DATABASE {name} WITH (FORCE)")));
        }
    }
}

/// The octets of a file with empty tables: migrations run once for all tests.
async fn empty_file() -> &'static [u8] {
    static EMPTY: OnceLock<Vec<u8>> = OnceLock::new();
    if let Some(octets) = EMPTY.get() {
        return octets;
    }
    let database = Database::bare_on(Engine::Sqlite).await;
    let store = database.open().await;
    store.migrate().await.unwrap();
    store.close().await;
    let octets = std::fs::read(database.path()).unwrap();
    EMPTY.get_or_init(|| octets)
}

static TEMPLATE: tokio::sync::OnceCell<String> = tokio::sync::OnceCell::const_new();

async fn make_template() -> String {
    let name = format!("empty_{}", std::process::id());
    on_server(&format!("CREATE DATABASE {name}")).await;
    let store = Store::open(&url_of(&name), Durability::Process).await.unwrap();
    store.migrate().await.unwrap();
    store.close().await;
    name
}

fn server() -> String {
    std::env::var("BANDITORE_TEST_POSTGRES")
        .expect("BANDITORE_TEST_POSTGRES names no server; run this under scripts/with-postgres")
}

fn url_of(database: &str) -> String {
    let server = server();
    let (start, _) = server.rsplit_once('/').expect("the server's address names a database");
    format!("{start}/{database}")
}

async fn on_server(sql: &str) {
    Beside::to(&server()).await.run(sql).await;
}
