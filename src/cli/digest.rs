//! `digest …`

use std::collections::HashMap;
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use super::output::{print, print_json, table};
use super::subscribers::{address, cadences_of};
use super::{CliError, Context, acting, args};
use crate::audience::Mailbox;
use crate::delivery::{Body, Own, Parcels, by_id, put_together};
use crate::editions;
use crate::installation::Installation;
use crate::model::{CadenceId, ListId};
use crate::rendering::Fragment;
use crate::round;
use crate::store::{EditionRow, Tx, VariantRow};

/// Stands for the recipient in previews that are for nobody in particular.
const SAMPLE_ADDRESS: &str = "destinatario@example.org";

/// Runs one of the commands.
pub async fn run(context: &Context, command: args::Digest) -> Result<ExitCode, CliError> {
    let looks = matches!(command, args::Digest::Plan { .. } | args::Digest::Preview { .. });
    let installation = match command {
        _ if looks => context.open_to_look().await?,
        args::Digest::Run(_) => context.open_to_work().await?,
        _ => context.open().await?,
    };
    match command {
        args::Digest::Plan { list, cadence, json } => {
            plan(&installation, &list, &cadence, json).await
        }
        args::Digest::Preview { list, cadence, subscriber, out } => {
            let subscriber = subscriber.as_deref();
            preview(&installation, &list, &cadence, subscriber, &out).await
        }
        args::Digest::Run(args) => run_due(&installation, args.json).await,
        args::Digest::Approve { edition, by } => {
            let installation = installation.acting_as(acting::person(&by));
            approve(&installation, edition, &by).await
        }
        args::Digest::Refuse { edition, give_back, by, .. } => {
            let installation = installation.acting_as(acting::person(&by));
            refuse(&installation, edition, give_back, &by).await
        }
    }
}

/// The next edition of a cadence, planned in a transaction that nobody commits.
async fn rehearse(
    installation: &Installation,
    list: &ListId,
    cadence: &CadenceId,
) -> Result<(Tx<'static>, EditionRow), CliError> {
    let mut tx = installation.store.read().await?;
    let cadences = cadences_of(&mut tx, list).await?;
    drop(tx);
    if !cadences.contains(cadence) {
        let known: Vec<String> = cadences.iter().map(ToString::to_string).collect();
        return Err(CliError::usage(
            format!("list {list} does not offer {cadence}"),
            format!("it offers {}", known.join(", ")),
        ));
    }
    let now = installation.clock.now();
    Ok(installation.planner().rehearse(list, cadence, now).await?)
}

async fn plan(
    installation: &Installation,
    list: &ListId,
    cadence: &CadenceId,
    json: bool,
) -> Result<ExitCode, CliError> {
    let (mut tx, edition) = rehearse(installation, list, cadence).await?;
    let mut documents = Vec::new();
    let mut rows = Vec::new();
    for (row, recipients) in tx.variants(edition.id).await? {
        let items = items_of(&mut tx, &row).await?;
        rows.push(vec![
            recipients.to_string(),
            row.variant.html_bytes.to_string(),
            items.iter().map(|(_, title)| title.as_str()).collect::<Vec<_>>().join(" | "),
        ]);
        documents.push(json!({
            "items": items.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
            "language": row.variant.language,
            "recipients": recipients,
            "html_bytes": row.variant.html_bytes,
        }));
    }
    drop(tx);
    if json {
        print_json(&json!({
            "list": edition.list_id,
            "cadence": edition.cadence,
            "slot": edition.slot_at.rfc3339(installation.config.site.timezone),
            "cut": edition.cut,
            "considered": edition.considered,
            "empty": edition.empty,
            "suppressed": edition.suppressed,
            "messages": edition.planned_messages,
            "variants": documents,
        }))?;
    } else {
        let EditionRow { slot, considered, empty, suppressed, planned_messages, .. } = &edition;
        print(&format!(
            "slot {slot}: considered {considered}, nothing for {empty}, suppressed {suppressed}, \
             messages {planned_messages}\n"
        ))?;
        print(&table(&["recipients", "HTML octets", "items"], &rows))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The items that a variant tells: id and title.
async fn items_of(tx: &mut Tx<'_>, row: &VariantRow) -> Result<Vec<(i64, String)>, CliError> {
    let mut items = Vec::with_capacity(row.variant.entries.len());
    for position in &row.variant.entries {
        if let Some(item) = tx.item_at(*position).await? {
            items.push(item);
        }
    }
    Ok(items)
}

async fn preview(
    installation: &Installation,
    list: &ListId,
    cadence: &CadenceId,
    subscriber: Option<&str>,
    out: &Path,
) -> Result<ExitCode, CliError> {
    let (mut tx, edition) = rehearse(installation, list, cadence).await?;
    let mut variants = tx.variants(edition.id).await?;
    let mut recipient = SAMPLE_ADDRESS.to_owned();
    if let Some(email) = subscriber {
        let address = address(email)?;
        let hash = installation.keys.address_hash(&address);
        let subject = tx.subject_by_hash(&hash).await?;
        let message = match &subject {
            Some(subject) => tx.message_of(edition.id, subject.id).await?,
            None => None,
        };
        let Some(message) = message else {
            return Err(CliError::failed(
                format!("the next edition has nothing for {email}"),
                "`banditore explain` says why an item is not told",
            ));
        };
        variants.retain(|(row, _)| row.id == message.variant_id);
        recipient = address.to_string();
    }
    let fragments = by_id(tx.fragments(edition.id).await?);
    let sender = tx.list(list).await?.map(|list| list.sender).unwrap_or_default();
    drop(tx);
    let sender: Mailbox =
        sender.parse().map_err(|error| CliError::failed(format!("{sender}: {error}"), ""))?;
    std::fs::create_dir_all(out).map_err(|error| CliError::unwritable(out, error))?;
    for (number, (row, recipients)) in (1..).zip(&variants) {
        let mail = mail(installation, &edition, row, &fragments, &sender, &recipient)?;
        let name = format!("{list}-{cadence}-{number:03}");
        for (ending, octets) in files(&mail) {
            let path = out.join(format!("{name}.{ending}"));
            std::fs::write(&path, octets).map_err(|error| CliError::unwritable(&path, error))?;
        }
        print(&format!("{name}: {recipients} recipient(s)\n"))?;
    }
    if variants.is_empty() {
        print("the next edition has nothing for anybody\n")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn mail(
    installation: &Installation,
    edition: &EditionRow,
    row: &VariantRow,
    fragments: &HashMap<i64, Fragment>,
    sender: &Mailbox,
    address: &str,
) -> Result<Vec<u8>, CliError> {
    let zone = installation.config.site.timezone;
    let body: Body = put_together(row, fragments)?;
    let own = Own {
        edition: edition.id,
        subscriber: 0,
        // No subscription has this id, so the link in a preview ends nobody's.
        subscription: 0,
        address,
        created_at: edition.slot_at,
        sender,
    };
    let parcels = Parcels::new(installation.store.clone(), installation.keys.clone(), zone);
    Ok(parcels.message(&body, &own))
}

/// A mail as the three files of a preview.
fn files(mail: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut files = vec![("eml", mail.to_vec())];
    if let Some(parsed) = mail_parser::MessageParser::default().parse(mail) {
        if let Some(html) = parsed.body_html(0) {
            files.push(("html", html.into_owned().into_bytes()));
        }
        if let Some(text) = parsed.body_text(0) {
            files.push(("txt", text.into_owned().into_bytes()));
        }
    }
    files
}

async fn run_due(installation: &Installation, json: bool) -> Result<ExitCode, CliError> {
    let planned = round::plan(installation).await?;
    if json {
        let documents: Vec<_> = planned
            .iter()
            .map(|edition| {
                json!({
                    "id": edition.id,
                    "list": edition.list_id,
                    "cadence": edition.cadence,
                    "slot": edition.slot_at.rfc3339(installation.config.site.timezone),
                    "state": edition.state,
                    "considered": edition.considered,
                    "empty": edition.empty,
                    "suppressed": edition.suppressed,
                    "messages": edition.planned_messages,
                })
            })
            .collect();
        print_json(&json!({ "editions": documents }))?;
    } else if planned.is_empty() {
        print("nothing is due\n")?;
    } else {
        for edition in &planned {
            let EditionRow { id, list_id, cadence, slot, planned_messages, state, .. } = edition;
            print(&format!(
                "edition {id} of {list_id} ({cadence}), slot {slot}: {planned_messages} \
                 message(s), {state}\n"
            ))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Why an edition could be neither approved nor refused.
async fn does_not_wait(installation: &Installation, id: i64) -> Result<CliError, CliError> {
    let hint = "`banditore audit` shows the editions and where they stand";
    let edition = installation.store.read().await?.edition(id).await?;
    Ok(match edition {
        None => CliError::usage(format!("there is no edition {id}"), hint),
        Some(edition) => {
            let what = format!("edition {id} is {}, and does not wait for approval", edition.state);
            CliError::failed(what, hint)
        }
    })
}

async fn approve(
    installation: &Installation,
    edition: i64,
    by: &str,
) -> Result<ExitCode, CliError> {
    let released =
        editions::approve(&installation.store, edition, by, installation.clock.now()).await?;
    let Some(released) = released else {
        return Err(does_not_wait(installation, edition).await?);
    };
    print(&format!("approved by {by}: {released} message(s) are queued\n"))?;
    Ok(ExitCode::SUCCESS)
}

async fn refuse(
    installation: &Installation,
    edition: i64,
    give_back: bool,
    by: &str,
) -> Result<ExitCode, CliError> {
    let now = installation.clock.now();
    let ended = editions::refuse(&installation.store, edition, give_back, by, now).await?;
    let Some(ended) = ended else {
        return Err(does_not_wait(installation, edition).await?);
    };
    let then = if give_back {
        "the next edition brings what they told"
    } else {
        "what they told is not told"
    };
    print(&format!("refused by {by}: {ended} message(s) ended; {then}\n"))?;
    Ok(ExitCode::SUCCESS)
}
