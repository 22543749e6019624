//! How a command fails: what happened, what to do, and the exit status.

use std::fmt::Display;
use std::path::Path;

use crate::audience::{AskError, ImportError};
use crate::causes::chain;
use crate::config::ConfigError;
use crate::daemon::DaemonError;
use crate::delivery::{ArchiveError, DecisionError, DeliveryError};
use crate::editions::PlanError;
use crate::ingest::{FetchError, ReadError};
use crate::installation::OpenError;
use crate::round::RoundError;
use crate::store::StoreError;

/// It failed, or does not hold.
pub const FAILED: u8 = 1;
/// Wrong usage or configuration.
pub const USAGE: u8 = 2;

/// Why a command failed.
#[derive(Debug)]
pub struct CliError {
    /// What happened, to which thing.
    pub what: String,
    /// What to do.
    pub hint: String,
    /// The exit status.
    pub code: u8,
}

impl CliError {
    /// A command that was asked for something that cannot be.
    pub fn usage(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into(), code: USAGE }
    }

    /// A command that could not do what it was asked.
    pub fn failed(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into(), code: FAILED }
    }

    /// An edition that is asked for and is none.
    pub fn no_edition(id: i64) -> Self {
        Self::usage(format!("there is no edition {id}"), "`banditore audit` lists all editions")
    }

    /// A file named by an argument that cannot be read.
    pub fn unreadable(file: &Path, cause: impl Display) -> Self {
        let hint = "look whether the file is there and may be read by this user";
        Self::usage(format!("{}: {cause}", file.display()), hint)
    }

    /// A file or folder that cannot be written.
    pub fn unwritable(path: &Path, cause: impl Display) -> Self {
        let hint = "look whether the folder is there and may be written to by this user, and \
                    whether the disk is full";
        Self::failed(format!("{}: {cause}", path.display()), hint)
    }
}

/// Whether what clap says is about wrong usage, rather than help that was asked for.
pub(super) fn is_wrong_usage(error: &clap::Error) -> bool {
    use clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    error.use_stderr() && error.kind() != DisplayHelpOnMissingArgumentOrSubcommand
}

/// Wrong usage in the form of all errors: clap's first paragraph is what happened, its tips and its
/// usage line are what to do.
impl From<clap::Error> for CliError {
    fn from(error: clap::Error) -> Self {
        let text = error.render().to_string();
        let folded = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut parts = text.split("\n\n");
        let what = folded(parts.next().unwrap_or_default());
        let what = what.trim_start_matches("error: ").to_owned();
        let hints: Vec<String> = parts
            .flat_map(str::lines)
            .map(str::trim)
            .filter(|line| !line.starts_with("For more information"))
            .filter(|line| !line.is_empty())
            .map(|line| line.trim_start_matches("tip: ").replace("Usage: ", "usage: "))
            .collect();
        let hint = if hints.is_empty() {
            "`banditore help` lists the commands, and --help after one what it takes".to_owned()
        } else {
            hints.join("; ")
        };
        Self::usage(what, hint)
    }
}

impl From<OpenError> for CliError {
    fn from(error: OpenError) -> Self {
        let code = if error.is_configuration() { USAGE } else { FAILED };
        Self { what: chain(&error), hint: error.hint(), code }
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        OpenError::from(error).into()
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        OpenError::from(error).into()
    }
}

impl From<DaemonError> for CliError {
    fn from(error: DaemonError) -> Self {
        match error {
            DaemonError::Store(error) => error.into(),
            DaemonError::Config(error) => error.into(),
            error @ DaemonError::Unfinished(_) => {
                Self::failed(chain(&error), "what was recorded stays; the next start goes on")
            }
        }
    }
}

impl From<PlanError> for CliError {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Store(error) => error.into(),
            error => Self::failed(chain(&error), "what was decided before stays; run it again"),
        }
    }
}

impl From<DeliveryError> for CliError {
    fn from(error: DeliveryError) -> Self {
        match error {
            DeliveryError::Store(error) => error.into(),
            error => Self::failed(chain(&error), "what was recorded stays; run it again"),
        }
    }
}

impl From<RoundError> for CliError {
    fn from(error: RoundError) -> Self {
        match error {
            RoundError::Store(error) => error.into(),
            RoundError::Plan(error) => error.into(),
            RoundError::Delivery(error) => error.into(),
            RoundError::Config(error) => error.into(),
            RoundError::Fetch(error) => error.into(),
            RoundError::Office(AskError::Store(error)) => error.into(),
            RoundError::Office(error) => Self::failed(
                chain(&error),
                "look at [site], and at `from` of the first list; what happened is told later",
            ),
            RoundError::Relay(error) => {
                Self::usage(chain(&error), "look at [smtp] in the configuration")
            }
            error @ RoundError::RelayAway { .. } => Self::failed(
                chain(&error),
                "look at [smtp] host and port, and whether the relay is up",
            ),
        }
    }
}

impl From<ArchiveError> for CliError {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Store(error) => error.into(),
            ArchiveError::Unwritable { file, cause } => Self::unwritable(&file, cause),
            error @ ArchiveError::TooRecent => Self::usage(
                chain(&error),
                "name an earlier day: the daily cap and mails that may be sent again need them",
            ),
            error @ ArchiveError::FileExists(_) => {
                Self::usage(chain(&error), "name a new file; nothing was archived")
            }
        }
    }
}

impl From<DecisionError> for CliError {
    fn from(error: DecisionError) -> Self {
        match error {
            DecisionError::Store(error) => error.into(),
            error @ DecisionError::NoMessage(_) => Self::usage(
                chain(&error),
                "`banditore messages list` shows what there is; archived ones are gone",
            ),
            error @ (DecisionError::State { .. } | DecisionError::Archived { .. }) => {
                Self::failed(chain(&error), "nothing was changed; take it out of the list")
            }
        }
    }
}

impl From<FetchError> for CliError {
    fn from(error: FetchError) -> Self {
        Self::failed(chain(&error), error.hint())
    }
}

impl From<ReadError> for CliError {
    fn from(error: ReadError) -> Self {
        Self::failed(chain(&error), error.hint())
    }
}

impl From<ImportError> for CliError {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Store(error) => error.into(),
            error @ ImportError::Unreadable(_) => {
                Self::usage(chain(&error), "name a CSV file that this user may read")
            }
            error @ (ImportError::TooLong | ImportError::TooLarge) => {
                Self::failed(chain(&error), "cut it into several, each with the first line")
            }
            error => Self::failed(
                chain(&error),
                "the first line names the columns: email, name, topics, places, words, cadence, \
                 language",
            ),
        }
    }
}
