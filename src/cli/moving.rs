//! `move`

use std::process::ExitCode;

use serde_json::json;

use super::output::{bar, print, print_json, table};
use super::{CliError, Context, args};
use crate::installation::Installation;
use crate::store::{Durability, MoveError, Moved, Store, shown_address};

/// Copies the installation into another database, compares the two, and says what to do then.
pub async fn run(context: &Context, args: &args::Move) -> Result<ExitCode, CliError> {
    let installation = context.open().await?;
    let Some(to) = &args.to else { return take_back(&installation, args.json).await };
    // Whatever the settings say, what was moved must not be lost to a power cut after it is said.
    let target = Store::open(to, Durability::Power).await?;
    let progress = bar(0, "moving");
    let now = installation.clock.now();
    let moved = installation
        .store
        .move_to(&target, to, args.replace, now, |step| {
            progress.set_length(step.total);
            progress.set_position(step.done);
            progress.set_message(step.table);
        })
        .await;
    progress.finish_and_clear();
    let moved = moved?;
    target.close().await;
    installation.store.close().await;
    if args.json {
        print_json(&moved)?;
    } else {
        print(&describe(&moved, to))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Uses the database again that was moved from.
async fn take_back(installation: &Installation, json: bool) -> Result<ExitCode, CliError> {
    let taken_back = installation.store.take_back(installation.clock.now()).await?;
    installation.store.close().await;
    if json {
        print_json(&json!({ "taken_back": taken_back }))?;
    } else {
        print(match taken_back {
            true => "this database is in use again; nobody may use the other any more\n",
            false => "this database was not moved: it is in use\n",
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(moved: &Moved, to: &str) -> String {
    let rows: Vec<Vec<String>> = moved
        .tables
        .iter()
        .map(|moved| vec![moved.table.to_owned(), moved.rows.to_string()])
        .collect();
    let mut text = table(&["table", "rows"], &rows);
    text.push_str(if moved.copied {
        "everything was copied and compared: both databases hold the same\n"
    } else {
        "it was moved before: both databases hold the same\n"
    });
    let address = shown_address(to);
    let password = if address == to { "" } else { ", with its password" };
    text.push_str(&format!(
        "now write in the configuration, under [database]: url = \"{address}\"{password}\n"
    ));
    text
}

impl From<MoveError> for CliError {
    fn from(error: MoveError) -> Self {
        let what = error.to_string();
        match error {
            MoveError::Store(error) => error.into(),
            MoveError::FromElsewhere => {
                Self::usage(what, "only a SQLite installation is moved; see [database] url")
            }
            MoveError::ToElsewhere => Self::usage(what, "write --to postgres://user@host/database"),
            MoveError::Foreign(_) | MoveError::OtherInstallation => {
                Self::failed(what, "nothing was changed; name a database that is empty")
            }
            MoveError::Differs(_) => Self::failed(
                what,
                "nothing was changed; look which of them is the newer. --replace takes away what \
                 the target holds, and copies again",
            ),
            MoveError::Unequal(_) => Self::failed(
                what,
                "nothing was changed there; keep the database as it is for whoever helps you",
            ),
        }
    }
}
