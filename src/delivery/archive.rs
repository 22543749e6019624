//! Archiving: what old editions told, to whom, and how that went, goes into a file, and out of the
//! database. Their sums stay.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use data_encoding::HEXLOWER;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::parcels::message_id;
use crate::audience::{Keys, public_id};
use crate::model::Timestamp;
use crate::store::{
    AttemptRow, EditionRow, MessageRow, MessageState, Shape, Store, StoreError, TraceSubject, Tx,
};

/// The most rows that one transaction takes away: between two of them others can write.
pub const ARCHIVED_ROWS_A_TRANSACTION: i64 = 20_000;
/// How old an edition must be, in seconds: the daily cap, a message's lifetime and a person's
/// decision to send again look at editions of the last days.
pub const ARCHIVE_AGE_SECONDS_MIN: i64 = 7 * 24 * 3600;
/// Editions looked at in one go.
const EDITIONS_A_PAGE: i64 = 500;
/// Messages written in one go.
const MESSAGES_A_PAGE: i64 = 1_000;

/// Archives the editions of an installation.
#[derive(Clone, Copy, Debug)]
pub struct Archive<'a> {
    /// The database.
    pub store: &'a Store,
    /// What Message-IDs are made with.
    pub keys: &'a Keys,
    /// The zone of times in files.
    pub zone: Tz,
}

/// An edition that can be archived.
#[derive(Clone, Debug)]
pub struct Archivable {
    /// The edition.
    pub edition: EditionRow,
    /// How its messages stand. Archived is what stands so still.
    pub shape: Shape,
}

/// An edition that has been archived, or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ArchivedEdition {
    /// Its id.
    pub id: i64,
    /// Its list.
    pub list: String,
    /// Its cadence.
    pub cadence: String,
    /// Its slot (RFC 3339).
    pub slot: String,
    /// How many messages stood in each state.
    pub messages: BTreeMap<&'static str, i64>,
    /// Why it was left as it is, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<String>,
}

/// What archiving came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ArchiveReport {
    /// Editions that are archived now.
    pub editions: Vec<ArchivedEdition>,
    /// Editions that have ended and yet could not be archived.
    pub left: Vec<ArchivedEdition>,
    /// Editions whose archiving had been interrupted, and is finished now.
    pub finished: Vec<i64>,
    /// Messages in the file, a line each.
    pub lines: u64,
    /// The file's digest, where one was written.
    pub file_sha256: Option<String>,
}

/// Why nothing more was archived.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The time is too near: what goes on now depends on such editions.
    #[error("editions of the last {} days cannot be archived", ARCHIVE_AGE_SECONDS_MIN / 86_400)]
    TooRecent,
    /// The file is there already.
    #[error("{0} is there already")]
    FileExists(PathBuf),
    /// The file cannot be written; nothing was taken away.
    #[error("{file}: {cause}")]
    Unwritable {
        /// Which.
        file: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
}

/// What the trace says of an edition that was archived.
#[derive(Serialize)]
struct TracedArchive<'a> {
    messages: BTreeMap<&'static str, i64>,
    file_sha256: Option<&'a str>,
}

/// A line of the file. A subscriber is named by the random id.
#[derive(Serialize)]
struct Line<'a> {
    edition: i64,
    list: &'a str,
    cadence: &'a str,
    slot: &'a str,
    message: i64,
    message_id: String,
    subscriber: String,
    /// How far its subscription had been told before.
    since: i64,
    /// The positions of what it told.
    entries: &'a [i64],
    state: MessageState,
    cause: Option<String>,
    created: String,
    attempts: Vec<LineAttempt>,
}

#[derive(Serialize)]
struct LineAttempt {
    number: i64,
    claimed: String,
    content: Option<String>,
    ended: Option<String>,
    stage: String,
    outcome: Option<String>,
    code: Option<i64>,
    reply: Option<String>,
}

fn counts(shape: &Shape) -> BTreeMap<&'static str, i64> {
    shape.iter().map(|(state, messages, _)| (state.as_str(), *messages)).collect()
}

/// Whether nothing more happens to a message by itself or by its list's policy.
fn has_ended(state: MessageState) -> bool {
    use MessageState::{Accepted, Cancelled, Dropped, Expired, Failed};
    matches!(state, Accepted | Cancelled | Dropped | Expired | Failed)
}

impl Archive<'_> {
    /// Archives the editions whose slot was before a time: writes their messages into a new file,
    /// where one is named, durably, and then takes them away. Killed at any moment, it can be run
    /// again: what is in no whole file is still in the database, and what was being taken away goes
    /// on being so.
    ///
    /// # Errors
    /// [`ArchiveError`]; what was archived before stays so.
    pub async fn run(
        &self,
        before: Timestamp,
        file: Option<&Path>,
        now: Timestamp,
        progress: impl FnMut(u64),
    ) -> Result<ArchiveReport, ArchiveError> {
        self.run_some(before, usize::MAX, file, now, progress).await
    }

    /// The same for at most so many editions, the oldest first.
    ///
    /// # Errors
    /// As [`Archive::run`].
    pub async fn run_some(
        &self,
        before: Timestamp,
        editions_max: usize,
        file: Option<&Path>,
        now: Timestamp,
        mut progress: impl FnMut(u64),
    ) -> Result<ArchiveReport, ArchiveError> {
        if before > now.plus(-ARCHIVE_AGE_SECONDS_MIN) {
            return Err(ArchiveError::TooRecent);
        }
        if let Some(file) = file.filter(|file| file.exists()) {
            return Err(ArchiveError::FileExists(file.to_owned()));
        }
        let mut report = ArchiveReport::default();
        for edition in self.interrupted().await? {
            self.empty(edition, &mut progress).await?;
            report.finished.push(edition);
        }
        let (mut ended, left) = self.ended_before(before).await?;
        ended.truncate(editions_max);
        report.left = left;
        if let Some(file) = file.filter(|_| !ended.is_empty()) {
            let (lines, digest) = self.write(&ended, file).await?;
            (report.lines, report.file_sha256) = (lines, Some(digest));
        }
        for archivable in &ended {
            let digest = report.file_sha256.as_deref();
            let mut edition = self.described(archivable);
            if self.mark(archivable, digest, now).await? {
                self.empty(archivable.edition.id, &mut progress).await?;
                report.editions.push(edition);
            } else {
                edition.left = Some("something happened to it meanwhile; run it again".to_owned());
                report.left.push(edition);
            }
        }
        Ok(report)
    }

    /// Editions whose archiving was interrupted.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn interrupted(&self) -> Result<Vec<i64>, StoreError> {
        self.store.read().await?.half_archived().await
    }

    /// The editions that have ended and whose slot was before a time: those that can be archived,
    /// and those that wait for a person.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn ended_before(
        &self,
        before: Timestamp,
    ) -> Result<(Vec<Archivable>, Vec<ArchivedEdition>), StoreError> {
        let (mut ended, mut left, mut after) = (Vec::new(), Vec::new(), 0);
        let mut tx = self.store.read().await?;
        loop {
            let page = tx.archivable_after(after, before, EDITIONS_A_PAGE).await?;
            let Some(last) = page.last() else { return Ok((ended, left)) };
            after = last.id;
            for edition in page {
                let shape = tx.shape(edition.id).await?;
                let open = shape.iter().find(|(state, ..)| !has_ended(*state));
                let waits = open.map(|(state, count, _)| {
                    format!("{count} message(s) {state}: resend or drop them first")
                });
                let archivable = Archivable { edition, shape };
                match waits {
                    None => ended.push(archivable),
                    waits => {
                        left.push(ArchivedEdition { left: waits, ..self.described(&archivable) })
                    }
                }
            }
        }
    }

    fn described(&self, archivable: &Archivable) -> ArchivedEdition {
        let Archivable { edition, shape } = archivable;
        ArchivedEdition {
            id: edition.id,
            list: edition.list_id.to_string(),
            cadence: edition.cadence.to_string(),
            slot: edition.slot_at.rfc3339(self.zone),
            messages: counts(shape),
            left: None,
        }
    }

    /// Writes the messages of editions into a new file, a line each, durably: under its name there
    /// is a whole file, or none. Gives how many lines, and the file's digest.
    ///
    /// # Errors
    /// [`ArchiveError`]; then there is no such file.
    pub async fn write(
        &self,
        editions: &[Archivable],
        file: &Path,
    ) -> Result<(u64, String), ArchiveError> {
        let failed = |cause| ArchiveError::Unwritable { file: file.to_owned(), cause };
        let mut part = file.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let mut out = Out::create(&part).map_err(failed)?;
        for archivable in editions {
            self.write_edition(&archivable.edition, &mut out, &failed).await?;
        }
        let (lines, digest) = (out.lines, HEXLOWER.encode(&out.digest.clone().finalize()));
        out.finish().and_then(|()| publish(&part, file)).map_err(failed)?;
        Ok((lines, digest))
    }

    async fn write_edition(
        &self,
        edition: &EditionRow,
        out: &mut Out,
        failed: &impl Fn(std::io::Error) -> ArchiveError,
    ) -> Result<(), ArchiveError> {
        // One transaction: one state of the edition.
        let mut tx = self.store.read().await?;
        let list = tx.list(&edition.list_id).await?;
        let sender = list.map(|list| list.sender).unwrap_or_default();
        let variants = tx.variants(edition.id).await?.into_iter();
        let told: BTreeMap<i64, Vec<i64>> =
            variants.map(|(row, _)| (row.id, row.variant.entries)).collect();
        let mut after = -1;
        loop {
            let page = tx.messages_of_edition(edition.id, after, MESSAGES_A_PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            let until = last.subscriber_id;
            let mut attempts = tx.attempts_of_edition(edition.id, after, until).await?;
            after = until;
            for message in page {
                let attempts = attempts.remove(&message.id).unwrap_or_default();
                let entries = told.get(&message.variant_id).map_or(&[][..], Vec::as_slice);
                let line = self.line(edition, &sender, message, entries, attempts);
                out.line(&line).map_err(failed)?;
            }
        }
    }

    fn line<'a>(
        &self,
        edition: &'a EditionRow,
        sender: &str,
        message: MessageRow,
        entries: &'a [i64],
        attempts: Vec<AttemptRow>,
    ) -> Line<'a> {
        let time = |at: Timestamp| at.rfc3339(self.zone);
        let attempts = attempts.into_iter().map(|attempt| LineAttempt {
            number: attempt.number,
            claimed: time(attempt.claimed_at),
            content: attempt.content_at.map(time),
            ended: attempt.ended_at.map(time),
            stage: attempt.stage,
            outcome: attempt.outcome,
            code: attempt.reply_code,
            reply: attempt.reply,
        });
        Line {
            edition: edition.id,
            list: edition.list_id.as_str(),
            cadence: edition.cadence.as_str(),
            slot: &edition.slot,
            message: message.id,
            message_id: message_id(self.keys, edition.id, message.subscriber_id, sender),
            subscriber: public_id(message.subscriber_id),
            since: message.window_start,
            entries,
            state: message.state,
            cause: message.cause,
            created: time(message.created_at),
            attempts: attempts.collect(),
        }
    }

    /// Keeps what an edition came to, and marks it as archived, in one transaction; false where it
    /// does not stand any more as it did. `digest` is that of the file its messages are in.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn mark(
        &self,
        archivable: &Archivable,
        digest: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Archivable { edition, shape } = archivable;
        let mut tx = self.store.write().await?;
        if !tx.mark_archived(edition.id, now).await? || tx.shape(edition.id).await? != *shape {
            return Ok(false);
        }
        for (state, messages, _) in shape {
            tx.insert_sum(edition.id, *state, *messages).await?;
        }
        let after = TracedArchive { messages: counts(shape), file_sha256: digest };
        let subject = TraceSubject { kind: "edition", id: &edition.id.to_string() };
        tx.trace("edition.archived", subject, None, Some(serde_json::json!(after)), now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Takes away the next rows of an archived edition, in one transaction; gives how many: none
    /// when nothing is left.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn step(&self, edition: i64, rows: i64) -> Result<u64, StoreError> {
        let mut tx: Tx<'_> = self.store.write().await?;
        if tx.archived_at(edition).await?.is_none() {
            return Ok(0);
        }
        let gone = tx.drop_archived(edition, rows).await?;
        tx.commit().await?;
        Ok(gone)
    }

    /// Takes away all rows of an archived edition, a transaction after another.
    async fn empty(&self, edition: i64, progress: &mut impl FnMut(u64)) -> Result<(), StoreError> {
        loop {
            match self.step(edition, ARCHIVED_ROWS_A_TRANSACTION).await? {
                0 => return Ok(()),
                gone => progress(gone),
            }
        }
    }
}

/// The file, its lines counted, and digested.
struct Out {
    file: BufWriter<File>,
    digest: Sha256,
    lines: u64,
}

impl Out {
    /// Who got what is personal, whatever it is called by: the file is its owner's alone.
    fn create(path: &Path) -> std::io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = BufWriter::new(options.open(path)?);
        Ok(Self { file, digest: Sha256::new(), lines: 0 })
    }

    fn line(&mut self, line: &Line<'_>) -> std::io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.digest.update(&text);
        self.lines += 1;
        self.file.write_all(&text)
    }

    fn finish(self) -> std::io::Result<()> {
        self.file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()
    }
}

/// Gives a whole file its name, so that a power cut leaves it there.
fn publish(part: &Path, file: &Path) -> std::io::Result<()> {
    // Not over a file that has come meanwhile.
    std::fs::hard_link(part, file)?;
    std::fs::remove_file(part)?;
    #[cfg(unix)]
    {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}
