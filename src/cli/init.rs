//! `init` and `migrate`.

use std::path::Path;
use std::process::ExitCode;

use data_encoding::HEXLOWER;
use serde_json::json;

use super::output::{print, print_json};
use super::{CliError, Context, args};
use crate::config::Config;
use crate::installation::Installation;
use crate::topics::Rules;

/// The example that `init` writes; it is also what the project's documentation shows.
const EXAMPLE: &str = include_str!("../../config/banditore.toml");
/// What stands in the example where the secret goes.
const SECRET_PLACE: &str = "CHANGE-ME-64-RANDOM-CHARACTERS";
/// Octets of randomness in a new secret.
const SECRET_OCTETS: usize = 32;

/// Writes a configuration that works. Nothing that is there is overwritten.
pub fn run(args: &args::Init) -> Result<ExitCode, CliError> {
    std::fs::create_dir_all(&args.dir).map_err(|error| CliError::unwritable(&args.dir, error))?;
    let secret = HEXLOWER.encode(&rand::random::<[u8; SECRET_OCTETS]>());
    let files = [
        ("banditore.toml", EXAMPLE.replace(SECRET_PLACE, &secret)),
        ("topics.toml", Rules::TOPICS.to_owned()),
        ("places.toml", Rules::PLACES.to_owned()),
    ];
    if let Some((name, _)) = files.iter().find(|(name, _)| args.dir.join(name).exists()) {
        return Err(CliError::failed(
            format!("{} is there already", args.dir.join(name).display()),
            "nothing was written; name another folder: `banditore init DIR`",
        ));
    }
    for (name, text) in &files {
        let path = args.dir.join(name);
        write_new(&path, text).map_err(|error| CliError::unwritable(&path, error))?;
        print(&format!("{}\n", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The configuration holds a secret, so nobody else may read it.
fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    options.open(path)?.write_all(text.as_bytes())
}

/// Makes the database, or brings it to this version's form.
pub async fn migrate(context: &Context, args: &args::Json) -> Result<ExitCode, CliError> {
    let config = Config::load(context.config.as_deref())?;
    let installation = Installation::prepare(config, context.clock.clone()).await?;
    let installation = installation.acting_as(context.actor.clone());
    let steps = installation.migrate().await?;
    if args.json {
        print_json(&json!({ "steps": steps }))?;
    } else {
        print(&match steps {
            0 => "the database is up to date\n".to_owned(),
            steps => format!("{steps} step(s) taken; the database is up to date\n"),
        })?;
    }
    Ok(ExitCode::SUCCESS)
}
