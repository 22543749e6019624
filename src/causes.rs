//! Errors with their causes, as logs and commands say them.

use std::error::Error;

/// An error with all its causes, in one line; what an error says of its cause itself is not said
/// twice.
pub fn chain(error: &(dyn Error + 'static)) -> String {
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
