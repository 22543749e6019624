//! How a command fails: what happened, what to do, and the exit status.

use crate::audience::ImportError;
use crate::config::ConfigError;
use crate::delivery::DeliveryError;
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
}

/// An error with all its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
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
            error => Self::failed(
                chain(&error),
                "the first line names the columns: email, name, topics, places, words, cadence, \
                 language",
            ),
        }
    }
}
