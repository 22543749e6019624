//! `deliver --to-folder` and `deliver --redirect-to`: a dry run.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use super::output::{print, print_json};
use super::{CliError, Context, args};
use crate::delivery::smtp::{Connection, Envelope};
use crate::delivery::{DryRun, Parcels};
use crate::installation::Installation;
use crate::round::{self, RoundError};

/// Shows what is due, in a folder or to one address.
pub async fn run(context: &Context, args: &args::Deliver) -> Result<ExitCode, CliError> {
    let installation = context.open_to_look().await?;
    let now = installation.clock.now();
    let zone = installation.config.site.timezone;
    let (store, templates) = (&installation.store, &installation.templates);
    let parcels = Parcels::new(store.clone(), installation.keys.clone(), zone);
    let mut dry = DryRun::new(store, templates, parcels, now);
    let shown = match (&args.to_folder, &args.redirect_to) {
        (Some(folder), _) => to_folder(&installation, &mut dry, folder, args.limit).await?,
        (None, Some(address)) => {
            redirect(&installation, &mut dry, &address.to_string(), args.limit).await?
        }
        (None, None) => 0,
    };
    let more = dry.has_more().await?;
    installation.store.close().await;
    if args.json {
        let to = args.redirect_to.as_ref().map(ToString::to_string);
        print_json(&json!({ "dry_run": true, "mails": shown, "more": more,
            "folder": args.to_folder, "redirected_to": to }))?;
    } else {
        let rest = if more { "; there are more (--limit)" } else { "" };
        print(&format!("dry run: {shown} mail(s){rest}; nothing was sent to subscribers\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn to_folder(
    installation: &Installation,
    dry: &mut DryRun<'_>,
    folder: &Path,
    limit: u32,
) -> Result<u32, CliError> {
    let unwritable = |error| CliError::unwritable(folder, error);
    std::fs::create_dir_all(folder).map_err(unwritable)?;
    if std::fs::read_dir(folder).map_err(unwritable)?.next().is_some() {
        return Err(CliError::failed(
            format!("{} is not empty", folder.display()),
            "nothing was written; name a new folder",
        ));
    }
    let signer = installation.config.signer()?;
    let mut shown = 0;
    while shown < limit {
        let Some(mail) = dry.next(None).await? else { break };
        let path = folder.join(format!("{}.eml", mail.message));
        let signed = signer.sign(&mail.bytes, dry.now);
        std::fs::write(&path, &signed).map_err(|error| CliError::unwritable(&path, error))?;
        shown += 1;
    }
    Ok(shown)
}

async fn redirect(
    installation: &Installation,
    dry: &mut DryRun<'_>,
    address: &str,
    limit: u32,
) -> Result<u32, CliError> {
    let delivery = round::delivery(installation)?;
    let mut connection: Option<Connection> = None;
    let mut shown = 0;
    while shown < limit {
        let Some(mail) = dry.next(Some(address)).await? else { break };
        let mut open = match connection.take() {
            Some(open) => open,
            None => {
                delivery.relays.open_aside().await.map_err(|cause| away(installation, cause))?
            }
        };
        let signed = delivery.signer.sign(&mail.bytes, dry.now);
        let envelope =
            Envelope { return_path: mail.return_path.clone(), recipient: address.to_owned() };
        let sent = open.send(&envelope, &signed, async || true).await;
        sent.map_err(|failure| {
            CliError::failed(
                format!("the relay did not take the mail of message {}: {failure}", mail.message),
                "nothing of it is in the ledger; look at the address and at [smtp]",
            )
        })?;
        shown += 1;
        connection = Some(open).filter(Connection::is_usable);
    }
    if let Some(open) = connection {
        open.quit().await;
    }
    Ok(shown)
}

fn away(installation: &Installation, cause: String) -> CliError {
    let relay = installation.config.smtp.as_ref().map(|smtp| smtp.name()).unwrap_or_default();
    RoundError::RelayAway { relay, cause }.into()
}
