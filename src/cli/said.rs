//! What a person says of themselves or of why, as an argument.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

/// The longest name, reason or consent, in characters.
pub const SAID_CHARS_MAX: usize = 500;

/// A name, a reason, a consent: a text that says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said(String);

impl FromStr for Said {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let says_something = |c: char| c.is_alphanumeric();
        if !text.chars().any(says_something) {
            return Err("it says nothing; write it in words".to_owned());
        }
        if text.chars().count() > SAID_CHARS_MAX {
            return Err(format!("it is too long; say it in {SAID_CHARS_MAX} characters"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Deref for Said {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
