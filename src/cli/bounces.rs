//! `bounces …`: what came back, read from files. Nothing here changes anything.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use serde::Serialize;

use super::CliError;
use super::output::{print, print_json_line};
use crate::returns::{Class, MAIL_OCTETS_MAX, Returned, parse};

/// The most folders within one another that are looked into.
const FOLDERS_MAX: usize = 4;

/// `bounces …`
#[derive(Debug, Subcommand)]
pub enum Bounces {
    /// Say what mails are that came back, and whom they speak of; changes nothing
    Parse {
        /// Mails, folders of mails such as a Maildir, or - for standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Print JSON Lines, one a mail
        #[arg(long)]
        json: bool,
    },
}

/// Does what is asked.
pub fn run(bounces: Bounces) -> Result<ExitCode, CliError> {
    let Bounces::Parse { files, json } = bounces;
    for file in files {
        for mail in mails(&file)? {
            let returned = parse(&octets(&mail)?);
            let file = mail.display().to_string();
            if json {
                print_json_line(&Line { file, returned })?;
            } else {
                print(&described(&file, &returned))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct Line {
    file: String,
    #[serde(flatten)]
    returned: Returned,
}

/// The mails that an argument names: itself, or the files of a folder in the order of their names.
/// Hidden ones, and what a Maildir is still writing (`tmp`), are no mails.
fn mails(named: &Path) -> Result<Vec<PathBuf>, CliError> {
    if named.as_os_str() == "-" || !named.is_dir() {
        return Ok(vec![named.to_owned()]);
    }
    let mut mails = Vec::new();
    let mut folders = vec![(named.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let failed = |error: std::io::Error| CliError::unreadable(&folder, error);
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let (name, kind) = (entry.file_name(), entry.file_type().map_err(failed)?);
            if name.to_string_lossy().starts_with('.') {
                continue;
            }
            if kind.is_file() {
                mails.push(entry.path());
            } else if kind.is_dir() && name != "tmp" && depth < FOLDERS_MAX {
                folders.push((entry.path(), depth + 1));
            }
        }
    }
    mails.sort();
    Ok(mails)
}

fn octets(mail: &Path) -> Result<Vec<u8>, CliError> {
    let failed = |error: std::io::Error| CliError::unreadable(mail, error);
    let mut octets = Vec::new();
    let most = MAIL_OCTETS_MAX as u64;
    if mail.as_os_str() == "-" {
        std::io::stdin().take(most).read_to_end(&mut octets).map_err(failed)?;
    } else {
        let opened = std::fs::File::open(mail).map_err(failed)?;
        opened.take(most).read_to_end(&mut octets).map_err(failed)?;
    }
    Ok(octets)
}

/// A mail for people: what it is, and a line for each recipient.
fn described(file: &str, returned: &Returned) -> String {
    let mut text = format!("{file}: {}\n", returned.kind.word());
    for recipient in &returned.recipients {
        let class = recipient.class.map_or("", Class::word);
        let status = recipient.status.map(|status| status.to_string()).unwrap_or_default();
        let words = [class, &status, recipient.cause.word(), "→", recipient.outcome.word()];
        let words = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        text.push_str(&format!("  {}: {words}\n", recipient.address));
        if let Some(diagnostic) = &recipient.diagnostic {
            text.push_str(&format!("    {diagnostic}\n"));
        }
    }
    text
}
