//! What tests of the whole house share: a database of their own, small rules, a planner.

pub mod database;
pub mod python;
mod random;

use std::sync::OnceLock;

use banditore::audience::{self, Consent, Joined, Joining, Keys, Preferences};
use banditore::config::{Secret, Site};
use banditore::editions::Planner;
use banditore::model::{CadenceId, Language, ListId, Timestamp};
use banditore::rendering::Templates;
use banditore::store::{ListRow, NewRevision, Store, Tx};
use banditore::topics::Rules;
use chrono_tz::Tz;

pub use database::{Beside, Database, Engine};
pub use random::Random;

pub const ZONE: Tz = chrono_tz::Europe::Rome;

/// A migrated database, opened.
pub struct Ground {
    pub store: Store,
    pub database: Database,
}

impl Ground {
    pub async fn new() -> Self {
        Self::on(Engine::of_this_run()).await
    }

    pub async fn on(engine: Engine) -> Self {
        let database = Database::migrated_on(engine).await;
        let store = database.open().await;
        Self { store, database }
    }

    /// Runs a statement of the test's own.
    pub async fn run(&self, sql: &str) {
        self.database.run(sql).await;
    }
}

pub fn site() -> &'static Site {
    static SITE: OnceLock<Site> = OnceLock::new();
    SITE.get_or_init(|| Site {
        name: "Comuni del Cremasco".to_owned(),
        public_url: "https://notizie.example.org".to_owned(),
        contact: None,
        admins: Vec::new(),
        locale: Language::It,
        timezone: ZONE,
        secret: secret(),
    })
}

fn secret() -> Secret {
    Secret::new("a secret for tests, of enough octets").unwrap()
}

pub fn keys() -> Keys {
    Keys::new(secret())
}

pub fn templates() -> &'static Templates {
    static TEMPLATES: OnceLock<Templates> = OnceLock::new();
    TEMPLATES.get_or_init(|| Templates::embedded().unwrap())
}

/// Three topics and two places, each found by a word of its own.
pub fn rules() -> &'static Rules {
    static RULES: OnceLock<Rules> = OnceLock::new();
    RULES.get_or_init(|| {
        let topic = |id: &str, word: &str| {
            format!(
                "[[topic]]\nid = \"{id}\"\nlabel = {{ it = \"{id}\", en = \"{id}\" }}\n\
                 description = {{ it = \"{id}\", en = \"{id}\" }}\nstrong = [\"{word}\"]\n"
            )
        };
        let place = |id: &str, name: &str| {
            format!("[[place]]\nid = \"{id}\"\nname = \"{name}\"\nprovince = \"CR\"\n")
        };
        let topics =
            [topic("waste", "rifiuti"), topic("school", "scuola"), topic("works", "cantiere")];
        let places = [place("crema", "Crema"), place("quintano", "Quintano")];
        Rules::compile(&topics.concat(), &places.concat()).unwrap()
    })
}

pub fn planner(store: &Store, chunk: i64) -> Planner<'_> {
    Planner { store, site: site(), rules: rules(), templates: templates(), chunk }
}

/// An instant by its RFC 3339 text.
pub fn at(text: &str) -> Timestamp {
    chrono::DateTime::parse_from_rfc3339(text).unwrap().into()
}

pub fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

pub fn list_row(list: &ListId, approval: bool) -> ListRow {
    ListRow {
        id: list.clone(),
        name: format!("Lista {list}"),
        sender: "Comune <avvisi@example.org>".to_owned(),
        public: true,
        in_doubt: "resend".to_owned(),
        approval,
        from_file: false,
    }
}

/// The texts of an item that says nothing but its title.
pub fn revision(title: &str) -> NewRevision {
    NewRevision {
        title: title.to_owned(),
        link: None,
        summary: String::new(),
        content: String::new(),
        full_text: None,
        image_alt: Vec::new(),
        categories: Vec::new(),
        published_at: None,
        updated_at: None,
    }
}

/// All topics, all places.
pub fn everything(cadence: &CadenceId) -> Preferences {
    Preferences {
        cadence: cadence.clone(),
        topics: Vec::new(),
        places: Vec::new(),
        language: Language::It,
        words: Vec::new(),
    }
}

pub async fn join(
    tx: &mut Tx<'_>,
    address: &str,
    list: &ListId,
    wanted: &Preferences,
    now: Timestamp,
) -> Joined {
    let consent = Consent { way: "import", proof: "test", text_version: None };
    let address = &id(address);
    let joining = Joining { address, name: None, list, wanted, consent };
    audience::join(tx, &keys(), &joining, now).await.unwrap()
}
