//! What can be wrong with the settings, and what a person does about it.

use std::path::PathBuf;

use super::ENVIRONMENT_PREFIX;
use crate::delivery::dkim::DkimError;

/// Why the settings cannot be used. Every one ends a command with exit status 2.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no configuration file in the usual places.
    #[error("no configuration file: neither ./banditore.toml nor /etc/banditore/banditore.toml")]
    NoFile,
    /// The file that was named cannot be read.
    #[error("the configuration file {} cannot be read: {cause}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// The file is not TOML.
    #[error("{}:{line}: this is not TOML: {what}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// What the parser said.
        what: String,
    },
    /// A key that does not exist.
    #[error("{place}: unknown key {key:?}")]
    UnknownKey {
        /// File and line, or the environment variable.
        place: String,
        /// The key.
        key: String,
        /// The known key that is most like it.
        nearest: Option<String>,
        /// Every key that is known there.
        known: String,
    },
    /// A key that must be there and is not.
    #[error("{place}: the key {key:?} is missing")]
    MissingKey {
        /// File and line.
        place: String,
        /// The key.
        key: String,
    },
    /// A value of another type than the key has.
    #[error("{place}: wrong type: {what}")]
    WrongType {
        /// File and line, or the environment variable.
        place: String,
        /// What was there, and what is expected.
        what: String,
    },
    /// A value that the key cannot have.
    #[error("{}: {key} = {value:?}: {what}", file.display())]
    Invalid {
        /// The file.
        file: PathBuf,
        /// The key, as it stands in the file.
        key: String,
        /// The value.
        value: String,
        /// What is wrong with it.
        what: String,
        /// What to write instead.
        hint: String,
    },
    /// A file holds no key that signs.
    #[error("the key file {}: {error}", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        error: DkimError,
    },
    /// `[smtp]` is needed and not there.
    #[error("the configuration has no [smtp] section, so nothing can be sent")]
    NoRelay,
}

impl ConfigError {
    /// What a person can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NoFile => {
                "make one with `banditore init`, or name one with --config FILE".to_owned()
            }
            Self::Unreadable { .. } => {
                "look whether the file is there and may be read by this user".to_owned()
            }
            Self::Syntax { .. } => "texts stand in double quotes, sections in [brackets]; \
                 `banditore init` writes an example that works"
                .to_owned(),
            Self::UnknownKey { nearest: Some(nearest), .. } => format!("did you mean {nearest:?}?"),
            Self::UnknownKey { known, .. } => format!("the keys known here are {known}"),
            Self::MissingKey { key, .. } => {
                format!("write it; `banditore init` shows {key} in an example that works")
            }
            Self::WrongType { place, .. } if place.starts_with(ENVIRONMENT_PREFIX) => {
                "numbers, true and false stand as they are; `banditore init` shows each key in an \
                 example that works"
                    .to_owned()
            }
            Self::WrongType { .. } => {
                "texts stand in double quotes; numbers, true and false without".to_owned()
            }
            Self::Invalid { hint, .. } => hint.clone(),
            Self::Key { .. } => "make one with `banditore dkim new`, and name its file in [dkim] \
                 under the key of its kind"
                .to_owned(),
            Self::NoRelay => {
                "write [smtp] with host and port of your relay into the configuration".to_owned()
            }
        }
    }
}
