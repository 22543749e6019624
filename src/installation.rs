//! An installation: the settings, and what is made from them once. Commands, the daemon and the
//! demo all begin here.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::audience::{self, ImportError, ImportReport, ImportSettings, Keys};
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::editions::{self, Planner, SUBSCRIPTIONS_A_CHUNK, WantedList};
use crate::ingest::{self, FetchError, FetchLimits, Fetcher};
use crate::model::{CadenceId, ListId, PlaceId, SourceId, Timestamp};
use crate::rendering::{TemplateError, Templates};
use crate::store::{Actor, ListRow, Marks, Store, StoreError, TraceSubject, Tx};
use crate::topics::{Rules, RulesError, RulesFile, phrase_key};

/// Everything that a command works with.
#[derive(Debug)]
pub struct Installation {
    /// The settings.
    pub config: Config,
    /// The database.
    pub store: Store,
    /// The rules of topics and places.
    pub rules: Rules,
    /// What mails are made of.
    pub templates: Templates,
    /// Tokens and hashes.
    pub keys: Keys,
    /// The time.
    pub clock: Clock,
}

/// What the trace calls the installation as a whole.
const INSTALLATION: TraceSubject<'static> = TraceSubject { kind: "installation", id: "1" };

/// Steps that were taken, as the trace has them.
#[derive(Serialize)]
struct TracedSteps {
    steps: usize,
}

/// Why an installation cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The rules.
    #[error("{file}: {error}")]
    Rules {
        /// The file, as the configuration names it.
        file: String,
        /// What is wrong, and where in it.
        error: RulesError,
    },
    /// A rules file is not there.
    #[error("the file {file} cannot be read: {cause}")]
    RulesFile {
        /// Which.
        file: String,
        /// What the system said.
        cause: String,
    },
    /// A source's place is not served.
    #[error("source {source_id} has the place {place}, which is not in places.toml")]
    UnknownPlace {
        /// The source.
        source_id: SourceId,
        /// Its place.
        place: PlaceId,
    },
    /// The templates.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database was made with another secret.
    #[error("the database was made with another site.secret")]
    OtherSecret,
}

impl OpenError {
    /// Whether settings are wrong, as opposed to something that is away.
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::Store(error) => matches!(error, StoreError::Address(_)),
            _ => true,
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Config(error) => error.hint(),
            Self::Rules { error, .. } => error.hint.clone(),
            Self::RulesFile { .. } => {
                "write the right file under [topics] or [places], or take the key out for the \
                 rules that come with the program"
                    .to_owned()
            }
            Self::UnknownPlace { .. } => {
                "write the id of a place there, or take the key out".to_owned()
            }
            Self::Template(_) => "put the template right at that line".to_owned(),
            Self::Store(error) => error.hint().to_owned(),
            Self::OtherSecret => {
                "put back the secret that the database was made with: links in mails that were \
                 sent, and the addresses that must not be written to, depend on it"
                    .to_owned()
            }
        }
    }
}

/// The texts of the files of topics and of places that the settings name, or of those that come
/// with the program.
///
/// # Errors
/// Where one cannot be read.
pub fn rules_texts(config: &Config) -> Result<(String, String), OpenError> {
    let read = |file: &Option<std::path::PathBuf>, built_in: &str| match file {
        None => Ok(built_in.to_owned()),
        Some(file) => std::fs::read_to_string(file).map_err(|cause| OpenError::RulesFile {
            file: file.display().to_string(),
            cause: cause.to_string(),
        }),
    };
    let topics = read(&config.topics_file, Rules::TOPICS)?;
    Ok((topics, read(&config.places_file, Rules::PLACES)?))
}

/// The rules that the settings name, or those that come with the program.
///
/// # Errors
/// The first thing that is wrong with them, with its line.
pub fn load_rules(config: &Config) -> Result<Rules, OpenError> {
    let (topics, places) = rules_texts(config)?;
    let rules = Rules::compile(&topics, &places).map_err(|error| {
        let file = match error.file {
            RulesFile::Topics => &config.topics_file,
            RulesFile::Places => &config.places_file,
        };
        let file = file.as_ref().map_or_else(String::new, |file| file.display().to_string());
        OpenError::Rules { file, error }
    })?;
    for source in &config.sources {
        if let Some(place) = &source.settings.place
            && !rules.places().iter().any(|known| known.id == *place)
        {
            let (source_id, place) = (source.id.clone(), place.clone());
            return Err(OpenError::UnknownPlace { source_id, place });
        }
    }
    Ok(rules)
}

impl Installation {
    /// Opens the installation of a configuration file, on which somebody acts. The database must be
    /// of this version.
    ///
    /// # Errors
    /// [`OpenError`], with a hint.
    pub async fn open(path: Option<&Path>, clock: Clock, actor: Actor) -> Result<Self, OpenError> {
        let now = clock.now();
        Self::open_at(path, clock, actor, now).await
    }

    /// The same for a command that only looks. Its clock may be started ahead to see what will be;
    /// what the file names anew must not wait until then.
    ///
    /// # Errors
    /// [`OpenError`], with a hint.
    pub async fn open_to_look(
        path: Option<&Path>,
        clock: Clock,
        actor: Actor,
    ) -> Result<Self, OpenError> {
        let now = clock.now().min(Clock::system().now());
        Self::open_at(path, clock, actor, now).await
    }

    async fn open_at(
        path: Option<&Path>,
        clock: Clock,
        actor: Actor,
        now: Timestamp,
    ) -> Result<Self, OpenError> {
        let installation = Self::prepare(Config::load(path)?, clock).await?.acting_as(actor);
        installation.store.require_migrated().await?;
        installation.apply(now).await?;
        Ok(installation)
    }

    /// Opens everything but looks at no table yet.
    ///
    /// # Errors
    /// [`OpenError`], with a hint.
    pub async fn prepare(config: Config, clock: Clock) -> Result<Self, OpenError> {
        let rules = load_rules(&config)?;
        let templates = Templates::embedded()?;
        let store = Store::open(&config.database_url, config.delivery.durability).await?;
        let keys = Keys::new(config.site.secret.clone());
        Ok(Self { config, store, rules, templates, keys, clock })
    }

    /// The same installation, on which somebody acts: the trace names them.
    #[must_use]
    pub fn acting_as(mut self, actor: Actor) -> Self {
        self.store = self.store.acting_as(actor);
        self
    }

    /// Brings the tables to this version's form and applies the file's sources and lists; gives how
    /// many steps were taken.
    ///
    /// # Errors
    /// [`OpenError`], with a hint.
    pub async fn migrate(&self) -> Result<usize, OpenError> {
        let now = self.clock.now();
        let steps = self.store.migrate().await?;
        if steps > 0 {
            // A step commits by itself, so this can only follow it.
            let mut tx = self.store.write().await?;
            let after = serde_json::json!(TracedSteps { steps });
            tx.trace("installation.migrated", INSTALLATION, None, Some(after), now).await?;
            tx.commit().await?;
        }
        self.apply(now).await?;
        Ok(steps)
    }

    /// Applies the sources and lists of the file, where they are not those that were applied last.
    /// What the file does not name any more ends; what was made elsewhere stays.
    async fn apply(&self, now: Timestamp) -> Result<(), OpenError> {
        let wanted = Marks { secret_check: self.keys.check(), applied: self.named() };
        let marks = self.store.read().await?.marks().await?;
        match marks {
            Some(marks) if marks == wanted => return Ok(()),
            Some(marks) if marks.secret_check != wanted.secret_check => {
                return Err(OpenError::OtherSecret);
            }
            _ => {}
        }
        let mut tx = self.store.write().await?;
        // Another process may have been faster.
        if tx.hold_marks().await?.is_some_and(|marks| marks == wanted) {
            return Ok(());
        }
        self.apply_sources(&mut tx, now).await?;
        self.apply_lists(&mut tx, now).await?;
        tx.set_marks(&wanted, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// A digest of the sources and lists that the file names.
    fn named(&self) -> String {
        let text = format!("{:?} {:?}", self.config.sources, self.config.lists);
        data_encoding::HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
    }

    async fn apply_sources(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<(), StoreError> {
        let named = &self.config.sources;
        for held in tx.sources().await? {
            if held.from_file && !named.iter().any(|source| source.id == held.id) {
                ingest::end_source(tx, &held.id, now).await?;
            }
        }
        for source in named {
            let settings = serde_json::to_string(&source.settings)
                .expect("settings that were read from text can be written to text");
            ingest::keep_source(tx, &source.id, &source.url, &settings, true, now).await?;
        }
        Ok(())
    }

    async fn apply_lists(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<(), StoreError> {
        let named = &self.config.lists;
        for held in tx.lists().await? {
            if held.from_file && !named.iter().any(|list| list.id == held.id) {
                editions::end_list(tx, &held.id, now).await?;
            }
        }
        for list in named {
            let row = ListRow {
                id: list.id.clone(),
                name: list.name.clone(),
                sender: list.from.to_string(),
                public: list.public,
                in_doubt: list.in_doubt.as_str().to_owned(),
                approval: list.approval,
                from_file: true,
            };
            let cadences = list.cadences.iter();
            let cadences =
                cadences.map(|(cadence, schedule)| (cadence.clone(), schedule.to_string()));
            let sources = list.sources.clone();
            let wanted = WantedList { row, sources, cadences: cadences.collect() };
            editions::keep_list(tx, &wanted, now).await?;
        }
        Ok(())
    }

    /// Subscribes the addresses of a CSV file to a list that offers these cadences, one at least.
    /// Rows that name none get `daily`, or else the first with an hour, or else what there is.
    ///
    /// # Errors
    /// As [`audience::import`].
    pub async fn import(
        &self,
        list: &ListId,
        cadences: &[CadenceId],
        file: impl Read,
        consent: &str,
        dry_run: bool,
        progress: impl FnMut(u64),
    ) -> Result<ImportReport, ImportError> {
        let topics = self.rules.topics().iter().map(|topic| topic.id.clone()).collect();
        let mut places = BTreeMap::new();
        for place in self.rules.places() {
            places.insert(place.name.to_lowercase(), place.id.clone());
            places.insert(place.id.to_string(), place.id.clone());
        }
        let settings = ImportSettings {
            list,
            cadences,
            default_cadence: audience::default_cadence(cadences).unwrap_or(&cadences[0]),
            topics: &topics,
            places: &places,
            default_language: self.config.site.locale,
            consent,
            phrase_key,
            dry_run,
        };
        let now = self.clock.now();
        audience::import(&self.store, &self.keys, file, &settings, now, progress).await
    }

    /// The planner over this installation.
    pub fn planner(&self) -> Planner<'_> {
        Planner {
            store: &self.store,
            site: &self.config.site,
            rules: &self.rules,
            templates: &self.templates,
            chunk: SUBSCRIPTIONS_A_CHUNK,
        }
    }

    /// What fetches sources, under the site's own name.
    ///
    /// # Errors
    /// Where the HTTP client cannot be set up.
    pub fn fetcher(&self) -> Result<Fetcher, FetchError> {
        let version = env!("CARGO_PKG_VERSION");
        let site = &self.config.site;
        let contact = site.contact.as_ref().map_or_else(String::new, |at| format!("; {at}"));
        let agent = format!("Banditore/{version} (+{}{contact})", site.public_url);
        let fetcher = Fetcher::new(&agent, FetchLimits::default())?;
        Ok(match &site.contact {
            Some(contact) => fetcher.from_address(contact),
            None => fetcher,
        })
    }
}
