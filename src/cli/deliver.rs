//! `once` and `deliver`.

use std::process::ExitCode;

use tokio::sync::watch;

use super::output::{follow_delivery, print, print_json};
use super::{CliError, Context, args};
use crate::delivery::Totals;
use crate::installation::Installation;
use crate::round::{self, RoundError};

/// A whole round: poll, plan, deliver.
pub async fn once(context: &Context, args: &args::Json) -> Result<ExitCode, CliError> {
    let installation = context.open_to_work().await?;
    let (progress, totals) = watch::channel(Totals::default());
    follow_delivery(totals);
    let report = round::once(&installation, progress).await?;
    installation.store.close().await;
    for error in &report.errors {
        eprintln!("warning: {error}");
    }
    if args.json {
        print_json(&report)?;
    } else {
        print(&format!(
            "polled {}, new items {}, editions {}, messages {}\n{}",
            report.polled,
            report.new_items,
            report.editions,
            report.messages,
            sentence(report.totals)
        ))?;
    }
    match report.relay_away {
        Some(cause) if report.totals.accepted == 0 => Err(relay_away(&installation, cause)),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn relay_away(installation: &Installation, cause: String) -> CliError {
    let smtp = installation.config.smtp.as_ref();
    let relay = smtp.map(|smtp| format!("{}:{}", smtp.host, smtp.port)).unwrap_or_default();
    RoundError::RelayAway { relay, cause }.into()
}

/// Delivers what is due.
pub async fn deliver(context: &Context, args: &args::Deliver) -> Result<ExitCode, CliError> {
    if args.to_folder.is_some() || args.redirect_to.is_some() {
        return super::dry_run::run(context, args).await;
    }
    let installation = context.open_to_work().await?;
    let (progress, totals) = watch::channel(Totals::default());
    follow_delivery(totals);
    let delivered = round::deliver(&installation, args.until_empty, progress).await?;
    installation.store.close().await;
    if args.json {
        print_json(&delivered.totals)?;
    } else {
        print(&sentence(delivered.totals))?;
    }
    match delivered.relay_away {
        Some(cause) if delivered.totals.accepted == 0 && !args.until_empty => {
            Err(relay_away(&installation, cause))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn sentence(totals: Totals) -> String {
    let Totals { accepted, deferred, failed, in_doubt } = totals;
    format!("accepted {accepted}, deferred {deferred}, failed {failed}, in doubt {in_doubt}\n")
}
