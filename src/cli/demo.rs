//! `demo`

use std::process::ExitCode;

use super::{CliError, args};

/// Shows everything at work.
pub async fn run(_args: args::Demo) -> Result<ExitCode, CliError> {
    Err(CliError::failed("the demo is being built", ""))
}
