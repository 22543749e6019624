//! Bringing in addresses from a CSV file: each row an address with its preferences, or a reason.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use data_encoding::HEXLOWER;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::model::{CadenceId, Language, ListId, PlaceId, Timestamp, TopicId};
use crate::store::{Store, StoreError, TraceSubject, Tx, retrying};

use super::subscriptions::{Consent, Joined, Joining, Preferences, join};
use super::traced::{TracedImport, form, free_text};
use super::{EmailAddress, Keys, NAME_CHARS_MAX};

/// Rows of one transaction: between two of them pages can write too.
const ROWS_A_TRANSACTION: usize = 1_000;
/// The most rows that one file may have.
pub const ROWS_MAX: u64 = 2_000_000;
/// The most octets that one file may have.
pub const FILE_OCTETS_MAX: u64 = 512 << 20;
/// The most refused rows that a report lists; beyond, they are counted.
pub const REFUSED_SHOWN_MAX: usize = 10_000;
/// The most words or phrases that one subscription follows.
pub const WORDS_MAX: usize = 10;
/// The most characters of a column's name that an error shows.
const COLUMN_CHARS_SHOWN_MAX: usize = 40;
/// The columns that are known; only the first must be there.
pub const COLUMNS: [&str; 7] =
    ["email", "name", "topics", "places", "words", "cadence", "language"];

/// What rows are checked against.
#[derive(Clone, Debug)]
pub struct ImportSettings<'a> {
    /// The list that they join.
    pub list: &'a ListId,
    /// The cadences it offers.
    pub cadences: &'a [CadenceId],
    /// The cadence of rows that name none.
    pub default_cadence: &'a CadenceId,
    /// The topics that exist.
    pub topics: &'a BTreeSet<TopicId>,
    /// The places that exist, by id and by name in small letters.
    pub places: &'a BTreeMap<String, PlaceId>,
    /// The language of rows that name none.
    pub default_language: Language,
    /// How and when the people consented, in words; kept with each subscription.
    pub consent: &'a str,
    /// Gives the canonical key of a followed phrase; none where nothing is left of it.
    pub phrase_key: fn(&str) -> Option<String>,
    /// Whether anything is written.
    pub dry_run: bool,
}

/// A row that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Its line in the file; the header is line 1.
    pub line: u64,
    /// Why, in words.
    pub reason: String,
}

/// What an import did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Rows read, the header not counted.
    pub rows: u64,
    /// Subscriptions made.
    pub imported: u64,
    /// Subscriptions with other preferences now.
    pub updated: u64,
    /// Subscriptions that were so already.
    pub unchanged: u64,
    /// Rows that were not taken, at most [`REFUSED_SHOWN_MAX`] of them.
    pub refused: Vec<Refused>,
    /// How many rows were not taken.
    pub refused_rows: u64,
}

/// Why a file could not be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There is no column for the address.
    #[error("the first line has no column \"email\"; it has {0}")]
    NoEmailColumn(String),
    /// A column that means nothing here.
    #[error("the column {0:?} is not known")]
    UnknownColumn(String),
    /// The file cannot be read at all.
    #[error("the file cannot be read: {0}")]
    Unreadable(#[source] std::io::Error),
    /// The file cannot be read as CSV.
    #[error("line {line}: the file cannot be read as CSV: {what}")]
    Csv {
        /// Where.
        line: u64,
        /// What the parser said.
        what: String,
    },
    /// A column that stands there twice.
    #[error("the column {0:?} is there twice")]
    ColumnTwice(String),
    /// Too many octets.
    #[error("the file has more than {FILE_OCTETS_MAX} octets")]
    TooLarge,
    /// Too many rows.
    #[error("the file has more than {ROWS_MAX} rows")]
    TooLong,
    /// The database failed; what was written before stays.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A row that can be joined.
struct Wanted {
    address: EmailAddress,
    name: Option<String>,
    preferences: Preferences,
}

impl Wanted {
    fn joining<'a>(&'a self, settings: &ImportSettings<'a>) -> Joining<'a> {
        Joining {
            address: &self.address,
            name: self.name.as_deref(),
            list: settings.list,
            wanted: &self.preferences,
            consent: Consent { way: "import", proof: settings.consent, text_version: None },
        }
    }
}

/// Reads a CSV file (comma or semicolon, UTF-8, a header line) and subscribes its addresses. Run
/// twice, it changes nothing the second time; killed half-way, what was written stays and a second
/// run writes the rest. `progress` is told the rows done.
///
/// # Errors
/// [`ImportError`] where the file as a whole cannot be used; a bad row is a refusal in the report.
pub async fn import(
    store: &Store,
    keys: &Keys,
    file: impl Read,
    settings: &ImportSettings<'_>,
    now: Timestamp,
    mut progress: impl FnMut(u64),
) -> Result<ImportReport, ImportError> {
    let text = read_file(file)?;
    let digest = HEXLOWER.encode(&Sha256::digest(&text));
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter(text))
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text);
    let header = reader.byte_headers().map_err(|error| csv_error(&error))?.clone();
    let columns = columns(&header)?;
    let mut report = ImportReport::default();
    let mut seen = BTreeSet::new();
    let mut record = csv::ByteRecord::new();
    let mut more = true;
    while more {
        let mut batch = Vec::new();
        for _ in 0..ROWS_A_TRANSACTION {
            more = reader.read_byte_record(&mut record).map_err(|error| csv_error(&error))?;
            if !more {
                break;
            }
            report.rows += 1;
            if report.rows > ROWS_MAX {
                return Err(ImportError::TooLong);
            }
            let line = record.position().map_or(0, csv::Position::line);
            if record.len() > header.len() {
                let reason = "more fields than the first line has columns; quote a field with \
                              commas or semicolons in it";
                report.refuse(line, reason.to_owned());
                continue;
            }
            let wanted = match read_row(&record, &columns, settings) {
                Ok(wanted) => wanted,
                Err(reason) => {
                    report.refuse(line, reason);
                    continue;
                }
            };
            if !seen.insert(wanted.address.canonical()) {
                report.refuse(line, "the address stands on an earlier line too".to_owned());
                continue;
            }
            batch.push((line, wanted));
        }
        let last = (!more).then_some(digest.as_str());
        let writing = || write(store, keys, (&batch, &report, last), settings, now);
        report = retrying(writing).await?;
        progress(report.rows);
    }
    Ok(report)
}

/// Subscribes some addresses in one transaction, the last of a file together with the line that
/// traces it; gives the report with what became of them.
async fn write(
    store: &Store,
    keys: &Keys,
    (batch, report, last): (&[(u64, Wanted)], &ImportReport, Option<&str>),
    settings: &ImportSettings<'_>,
    now: Timestamp,
) -> Result<ImportReport, StoreError> {
    let mut report = report.clone();
    let mut tx = store.write().await?;
    for (line, wanted) in batch {
        let joined = join(&mut tx, keys, &wanted.joining(settings), now).await?;
        report.count(joined, *line);
    }
    if let Some(digest) = last {
        trace_import(&mut tx, settings, &report, digest.to_owned(), now).await?;
    }
    // A dry run does the same work and lets the transaction go.
    if !settings.dry_run {
        tx.commit().await?;
    }
    Ok(report)
}

/// Adds the line of an import, with its last rows: each subscription has had its own. One that
/// changed nothing has none.
async fn trace_import(
    tx: &mut Tx<'_>,
    settings: &ImportSettings<'_>,
    report: &ImportReport,
    file_sha256: String,
    now: Timestamp,
) -> Result<(), StoreError> {
    let ImportReport { rows, imported, updated, unchanged, refused_rows: refused, .. } = *report;
    if imported + updated == 0 {
        return Ok(());
    }
    let consent = free_text(settings.consent);
    let line = TracedImport { file_sha256, rows, imported, updated, unchanged, refused, consent };
    let subject = TraceSubject { kind: "list", id: settings.list.as_str() };
    tx.trace("subscribers.imported", subject, None, Some(form(line)), now).await
}

fn read_file(file: impl Read) -> Result<Vec<u8>, ImportError> {
    let mut text = Vec::new();
    let read = file.take(FILE_OCTETS_MAX + 1).read_to_end(&mut text);
    let octets = read.map_err(ImportError::Unreadable)?;
    if octets as u64 > FILE_OCTETS_MAX {
        return Err(ImportError::TooLarge);
    }
    Ok(text)
}

impl ImportReport {
    fn refuse(&mut self, line: u64, reason: String) {
        self.refused_rows += 1;
        if self.refused.len() < REFUSED_SHOWN_MAX {
            self.refused.push(Refused { line, reason });
        }
    }

    fn count(&mut self, joined: Joined, line: u64) {
        match joined {
            Joined::New => self.imported += 1,
            Joined::Changed => self.updated += 1,
            Joined::Unchanged => self.unchanged += 1,
            Joined::Suppressed => {
                self.refuse(line, "the address must not be written to (suppressed)".to_owned());
            }
            Joined::Left => {
                self.refuse(line, "the person has left this list and alone can return".to_owned());
            }
        }
    }
}

/// Semicolons where the header has them, as spreadsheets in Italian write them; else commas.
fn delimiter(text: &[u8]) -> u8 {
    let header = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |delimiter: u8| header.iter().filter(|byte| **byte == delimiter).count();
    if count(b';') > count(b',') { b';' } else { b',' }
}

fn columns(header: &csv::ByteRecord) -> Result<BTreeMap<&'static str, usize>, ImportError> {
    let name = |octets: &[u8]| {
        let name = String::from_utf8_lossy(octets).to_lowercase();
        name.chars().take(COLUMN_CHARS_SHOWN_MAX).collect::<String>()
    };
    let names: Vec<String> = header.iter().map(name).collect();
    let mut columns = BTreeMap::new();
    for (index, name) in names.iter().enumerate() {
        let known = COLUMNS.into_iter().find(|column| column == name);
        let known = known.ok_or_else(|| ImportError::UnknownColumn(name.clone()))?;
        if columns.insert(known, index).is_some() {
            return Err(ImportError::ColumnTwice(name.clone()));
        }
    }
    if !columns.contains_key("email") {
        return Err(ImportError::NoEmailColumn(names.join(", ")));
    }
    Ok(columns)
}

fn csv_error(error: &csv::Error) -> ImportError {
    let line = error.position().map_or(0, csv::Position::line);
    ImportError::Csv { line, what: error.to_string() }
}

fn read_row(
    record: &csv::ByteRecord,
    columns: &BTreeMap<&'static str, usize>,
    settings: &ImportSettings<'_>,
) -> Result<Wanted, String> {
    let field = |column: &str| -> Result<&str, String> {
        let octets = columns.get(column).and_then(|index| record.get(*index)).unwrap_or_default();
        let text = std::str::from_utf8(octets).map_err(|_| format!("{column}: not UTF-8"))?;
        // A quote that is not closed takes the rows below it into its field.
        if text.chars().any(char::is_control) {
            return Err(format!("{column}: a line break is in it; is a quote left open?"));
        }
        Ok(text)
    };
    let address: EmailAddress =
        field("email")?.parse().map_err(|cause: super::InvalidAddress| cause.to_string())?;
    let name = Some(field("name")?).filter(|name| !name.is_empty());
    if name.is_some_and(|name| name.chars().count() > NAME_CHARS_MAX) {
        return Err(format!("name: more than {NAME_CHARS_MAX} characters"));
    }
    let parts = |text: &'static str| -> Result<Vec<String>, String> {
        let parts = field(text)?.split([';', '|']).map(str::trim);
        Ok(parts.filter(|part| !part.is_empty()).map(str::to_owned).collect())
    };
    let topics = parts("topics")?
        .into_iter()
        .filter(|topic| topic != "*" && topic != "all")
        .map(|topic| {
            let id = topic.parse::<TopicId>().ok().filter(|id| settings.topics.contains(id));
            id.ok_or_else(|| format!("topics: there is no topic {topic:?}"))
        })
        .collect::<Result<_, _>>()?;
    let places = parts("places")?
        .into_iter()
        .map(|place| {
            let id = settings.places.get(&place.to_lowercase()).cloned();
            id.ok_or_else(|| format!("places: there is no place {place:?}"))
        })
        .collect::<Result<_, _>>()?;
    let preferences = Preferences {
        cadence: row_cadence(field("cadence")?, settings)?,
        topics,
        places,
        language: match field("language")? {
            "" => settings.default_language,
            text => text.parse().map_err(|_| format!("language: there is no {text:?}"))?,
        },
        words: row_words(parts("words")?, settings)?,
    };
    Ok(Wanted { address, name: name.map(str::to_owned), preferences })
}

fn row_cadence(text: &str, settings: &ImportSettings<'_>) -> Result<CadenceId, String> {
    if text.is_empty() {
        return Ok(settings.default_cadence.clone());
    }
    let offered = settings.cadences.iter().find(|cadence| cadence.as_str() == text);
    offered.cloned().ok_or_else(|| format!("cadence: the list does not offer {text:?}"))
}

fn row_words(
    phrases: Vec<String>,
    settings: &ImportSettings<'_>,
) -> Result<Vec<(String, String)>, String> {
    let mut words = BTreeMap::new();
    for phrase in phrases {
        let key = (settings.phrase_key)(&phrase)
            .ok_or_else(|| format!("words: nothing in {phrase:?} can be followed"))?;
        words.entry(key).or_insert(phrase);
    }
    if words.len() > WORDS_MAX {
        return Err(format!("words: more than {WORDS_MAX}"));
    }
    Ok(words.into_iter().collect())
}
