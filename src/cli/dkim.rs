//! `dkim …`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use serde_json::json;

use super::CliError;
use super::output::{print, print_json};
use crate::config::dns_name;
use crate::delivery::dkim::{
    Algorithm, DkimError, PrivateKey, new_key, record_name, record_text, zone_line,
};

/// `dkim …`
#[derive(Debug, Subcommand)]
pub enum Dkim {
    /// Make a private key, and say what to publish in DNS and to write in the configuration
    ///
    /// The file can be read by its owner alone, and is never overwritten. Make one of each
    /// algorithm: mail then carries both signatures, and each receiver takes the one it knows.
    New {
        /// A name for the key, such as news2026
        #[arg(long, value_name = "NAME")]
        selector: String,
        /// The domain of the lists' senders, such as comune.example.it
        #[arg(long)]
        domain: String,
        /// How the key signs
        #[arg(long, value_enum, default_value_t = Kind::Rsa)]
        algorithm: Kind,
        /// The file [default: dkim-SELECTOR.pem in this folder]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// 2,048 bits, with SHA-256: every receiver knows it
    Rsa,
    /// Short and fast; some receivers do not know it yet
    Ed25519,
}

impl From<Kind> for Algorithm {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Rsa => Self::Rsa,
            Kind::Ed25519 => Self::Ed25519,
        }
    }
}

/// Runs one of the commands.
pub fn run(command: Dkim) -> Result<ExitCode, CliError> {
    match command {
        Dkim::New { selector, domain, algorithm, out, json } => {
            let out = out.unwrap_or_else(|| PathBuf::from(format!("dkim-{selector}.pem")));
            new(&selector, &domain, algorithm.into(), &out, json)
        }
    }
}

fn new(
    selector: &str,
    domain: &str,
    algorithm: Algorithm,
    out: &Path,
    json: bool,
) -> Result<ExitCode, CliError> {
    let name = |text: &str, what: &str| {
        let hint = "letters, digits, hyphens and dots, such as news2026 or comune.example.it";
        dns_name(text).ok_or_else(|| CliError::usage(format!("{what} {text:?} is no name"), hint))
    };
    let (selector, domain) = (name(selector, "the selector")?, name(domain, "the domain")?);
    let failed = |error: DkimError| {
        CliError::failed(error.to_string(), "try again; where it stays so, this is a fault")
    };
    let pem = new_key(algorithm).map_err(failed)?;
    let key = PrivateKey::from_pem(&pem, algorithm).map_err(failed)?;
    write_private(out, &pem).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => CliError::failed(
            format!("{} is there already", out.display()),
            "nothing was written; name another file with --out, or another selector: a key that \
             is in use must not change under its name",
        ),
        _ => CliError::unwritable(out, error),
    })?;
    let (record, text) = (record_name(&selector, &domain), record_text(&key));
    let settings = settings(algorithm, &selector, &domain, out);
    if json {
        print_json(&json!({
            "file": out, "algorithm": algorithm.as_str(), "selector": selector, "domain": domain,
            "record": { "name": record, "type": "TXT", "text": text,
                "zone": zone_line(&record, &text) },
        }))?;
    } else {
        let (file, line) = (out.display(), zone_line(&record, &text));
        print(&format!(
            "{file}: the private key; keep it, and keep it secret\n\n\
             Publish this TXT record, in a zone file:\n\n{line}\n\n\
             or, in a form that asks for name and value:\n\n{record}\n{text}\n\n\
             Then write in the configuration:\n\n{settings}\n\
             `banditore check` says when the record can be seen.\n"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn settings(algorithm: Algorithm, selector: &str, domain: &str, file: &Path) -> String {
    let prefix = match algorithm {
        Algorithm::Rsa => "",
        Algorithm::Ed25519 => "ed25519_",
    };
    let file = file.display().to_string();
    format!(
        "[dkim]\ndomain = {domain:?}\n{prefix}selector = {selector:?}\n\
         {prefix}key_file = {file:?}\n"
    )
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
