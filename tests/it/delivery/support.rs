//! An installation in a folder of its own: configuration, database, people, and an edition whose
//! messages are queued. Everything goes the real way, from a feed in a file to the outbox.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;

use banditore::audience::{ImportSettings, import};
use banditore::clock::Clock;
use banditore::config::Config;
use banditore::delivery::{Delivered, Totals};
use banditore::demo::mail_server::{MailServer, ServerLimits};
use banditore::demo::mailbox::{Mailbox, ReceivedMail};
use banditore::installation::Installation;
use banditore::model::{Language, ListId, Timestamp};
use banditore::round::{self, RoundError};
use banditore::store::{AttemptRow, MessageRow, Store, Tx};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::support::{Database, Engine};

/// Wednesday 25 November 2026, 06:00 in Rome: an hour before the daily slot, at which the messages
/// are written.
const BEFORE: Timestamp = Timestamp(1_795_582_800);
const FOLDER_MADE: &str = "a temporary folder can be made";

/// An installation whose daily edition is planned: a message for each person.
pub struct House {
    pub folder: TempDir,
    _database: Database,
    pub installation: Installation,
}

/// What a house is built from.
pub struct Plan {
    /// The relay's port on loopback.
    pub port: u16,
    /// How many people there are: `p0001@example.it` and so on.
    pub people: usize,
    /// `resend`, `hold`, `drop`.
    pub in_doubt: &'static str,
    pub connections: usize,
    pub engine: Engine,
    /// More keys of `[smtp]`, and then more sections.
    pub more: String,
}

impl Default for Plan {
    fn default() -> Self {
        let engine = Engine::of_this_run();
        Self { port: 1, people: 1, in_doubt: "resend", connections: 1, engine, more: String::new() }
    }
}

impl Plan {
    pub async fn build(self) -> House {
        let folder = TempDir::new().expect(FOLDER_MADE);
        let file = folder.path().join("banditore.toml");
        let database = Database::bare_on(self.engine).await;
        std::fs::write(&file, self.configuration(database.url())).unwrap();
        write_news(&folder, 1);
        let config = Config::load(Some(&file)).unwrap();
        let installation = Installation::prepare(config, Clock::stepped(BEFORE)).await.unwrap();
        installation.migrate().await.unwrap();
        let house = House { folder, _database: database, installation };
        // The first answer tells nobody; the second has what the edition tells.
        round::poll(&house.installation, None).await.unwrap();
        house.bring_in(self.people).await;
        write_news(&house.folder, 3);
        house.installation.clock.step(1800);
        round::poll(&house.installation, None).await.unwrap();
        house.installation.clock.step(1800);
        let planned = round::plan(&house.installation).await.unwrap();
        assert_eq!(planned.len(), 1);
        assert_eq!(planned[0].planned_messages, i64::try_from(self.people).unwrap());
        house
    }

    fn configuration(&self, database: &str) -> String {
        let Self { port, in_doubt, connections, more, .. } = self;
        format!(
            r#"
            [site]
            name = "Comune di Prova"
            public_url = "https://news.example.it"
            secret = "una frase segreta di prova, lunga quanto serve"
            [smtp]
            host = "127.0.0.1"
            port = {port}
            tls = "none"
            connections = {connections}
            {more}
            [database]
            url = "{database}"
            [[source]]
            id = "news"
            url = "file:news.xml"
            [[list]]
            id = "residents"
            name = "Notizie"
            from = "Comune di Prova <news@example.it>"
            in_doubt = "{in_doubt}"
            cadences = {{ daily = "0 0 7 * * *" }}
            "#
        )
    }
}

/// A feed with so many items, in the folder's `news.xml`.
fn write_news(folder: &TempDir, items: usize) {
    let item = |number: usize| {
        format!(
            "<item><guid>n{number}</guid><title>Bando numero {number}</title>\
             <link>https://www.example.it/{number}</link>\
             <description>Contributi alle imprese del territorio, avviso {number}.\
             </description></item>"
        )
    };
    let items: String = (1..=items).map(item).collect();
    let feed = format!(
        "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>Notizie</title>\
         <link>https://www.example.it/</link><description>Prova</description>{items}\
         </channel></rss>"
    );
    std::fs::write(folder.path().join("news.xml"), feed).unwrap();
}

/// The address of the person with a number, counted from 1.
pub fn address(number: usize) -> String {
    format!("p{number:04}@example.it")
}

impl House {
    async fn bring_in(&self, people: usize) {
        let rows: String = (1..=people).map(|number| format!("{}\n", address(number))).collect();
        let list: ListId = "residents".parse().unwrap();
        let daily = "daily".parse().unwrap();
        let settings = ImportSettings {
            list: &list,
            cadences: std::slice::from_ref(&daily),
            default_cadence: &daily,
            topics: &std::collections::BTreeSet::new(),
            places: &std::collections::BTreeMap::new(),
            default_language: Language::It,
            consent: "modulo",
            phrase_key: |_| None,
            dry_run: false,
        };
        let (store, keys) = (&self.installation.store, &self.installation.keys);
        let text = format!("email\n{rows}");
        let report = import(store, keys, text.as_bytes(), &settings, BEFORE, |_| {}).await.unwrap();
        assert_eq!(usize::try_from(report.imported).unwrap(), people);
    }

    pub fn store(&self) -> &Store {
        &self.installation.store
    }

    pub fn step(&self, seconds: i64) {
        self.installation.clock.step(seconds);
    }

    pub async fn write(&self) -> Tx<'static> {
        self.store().write().await.unwrap()
    }

    /// One round of delivering what is due.
    pub async fn try_deliver(&self) -> Result<Delivered, RoundError> {
        let (progress, _) = watch::channel(Totals::default());
        round::deliver(&self.installation, false, progress).await
    }

    pub async fn deliver(&self) -> Totals {
        self.try_deliver().await.unwrap().totals
    }

    /// All messages, in the order of their ids: the person numbered n has the n-th.
    pub async fn messages(&self) -> Vec<MessageRow> {
        let mut tx = self.store().read().await.unwrap();
        tx.messages_after(0, None, 100_000).await.unwrap()
    }

    /// The only message there is.
    pub async fn message(&self) -> MessageRow {
        let [message] = &self.messages().await[..] else { panic!("there is one message") };
        message.clone()
    }

    pub async fn attempts(&self, message: i64) -> Vec<AttemptRow> {
        self.store().read().await.unwrap().attempts(message).await.unwrap()
    }

    /// The states of all messages and their causes, as text: `accepted`, `cancelled (left)`.
    pub async fn states(&self) -> Vec<String> {
        let text = |message: &MessageRow| match &message.cause {
            None => message.state.to_string(),
            Some(cause) => format!("{} ({cause})", message.state),
        };
        self.messages().await.iter().map(text).collect()
    }

    /// Fails where the ledger does not add up; gives the ids of the messages it names in doubt.
    pub async fn audit(&self) -> Vec<i64> {
        let zone = self.installation.config.site.timezone;
        let keys = &self.installation.keys;
        let audit = banditore::delivery::audit(self.store(), keys, None, zone).await.unwrap();
        assert!(audit.balanced, "{audit:?}");
        let doubts = audit.editions.iter().flat_map(|edition| &edition.doubts);
        doubts.map(|doubt| doubt.message).collect()
    }

    /// The Message-ID of a message, without brackets.
    pub fn message_id(&self, message: &MessageRow) -> String {
        let keys = &self.installation.keys;
        format!("{}@example.it", keys.message_id(message.edition_id, message.subscriber_id))
    }

    /// A command of the real binary on this installation, its clock started at the slot.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_banditore"));
        let config: PathBuf = self.folder.path().join("banditore.toml");
        command.arg("--config").arg(config).args(["--at", &self.at()]).args(arguments);
        command
    }

    fn at(&self) -> String {
        self.installation.clock.now().rfc3339(self.installation.config.site.timezone)
    }

    /// Runs a command of the real binary to its end, beside whatever serves the test's mail.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap()
    }
}

/// The demo's mail server, in this process.
pub struct Post {
    pub port: u16,
    pub mailbox: Arc<Mailbox>,
}

impl Post {
    pub async fn open() -> Self {
        Self::with_room_for(ServerLimits::default().connections).await
    }

    /// One that takes so many connections and turns others away.
    pub async fn with_room_for(connections: usize) -> Self {
        let mailbox = Arc::new(Mailbox::keeping(100_000));
        let any = "127.0.0.1:0".parse().unwrap();
        let limits = ServerLimits { connections, ..ServerLimits::default() };
        let server = MailServer::bind(any, limits).await.unwrap();
        let port = server.local_addr().unwrap().port();
        tokio::spawn(server.serve(Arc::clone(&mailbox), Clock::stepped(BEFORE)));
        Self { port, mailbox }
    }

    /// What came, oldest first.
    pub fn mails(&self) -> Vec<Arc<ReceivedMail>> {
        let mut mails = self.mailbox.newest(usize::MAX);
        mails.reverse();
        mails
    }
}

/// The value of a header field of a mail, unfolded.
pub fn header(source: &[u8], name: &str) -> String {
    let text = String::from_utf8_lossy(source);
    let head = text.split("\r\n\r\n").next().unwrap_or_default().replace("\r\n ", " ");
    let start = format!("{name}: ");
    let line = head.lines().find_map(|line| line.strip_prefix(&start));
    line.unwrap_or_else(|| panic!("no {name} in {head}")).to_owned()
}

/// A Message-ID without brackets.
pub fn message_id_of(source: &[u8]) -> String {
    header(source, "Message-ID").trim_matches(['<', '>']).to_owned()
}
