//! `subscribers …`

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::output::{bar, print, print_json};
use super::{CliError, Context, acting, args};
use crate::audience::{self, EmailAddress, ImportReport, REFUSED_SHOWN_MAX, public_id};
use crate::installation::Installation;
use crate::model::{CadenceId, ListId};
use crate::store::{StoredSubscription, Tx, retrying};

/// Subscriptions that an export reads in one go.
const SUBSCRIPTIONS_A_PAGE: i64 = 1_000;
/// Refused rows that are printed for people; `--json` has all.
const REFUSED_PRINTED_MAX: usize = 20;

/// Runs one of the commands.
pub async fn run(context: &Context, command: args::Subscribers) -> Result<ExitCode, CliError> {
    let installation = context.open().await?;
    let by = |by: Option<String>| by.map_or(context.actor.clone(), |name| acting::person(&name));
    match command {
        args::Subscribers::Import { file, list, consent, dry_run, json } => {
            let report = import(&installation, &file, &list, &consent, dry_run).await?;
            print_report(&report, dry_run, json)
        }
        args::Subscribers::Export { list, out } => {
            export(&installation, &list, out.as_deref()).await
        }
        args::Subscribers::Show { email, json } => {
            show(&installation, &address(&email)?, json).await
        }
        args::Subscribers::Erase { email, reason, by: name } => {
            let installation = installation.acting_as(by(name));
            erase(&installation, &address(&email)?, &reason).await
        }
        args::Subscribers::Suppress { email, reason, by: name } => {
            let installation = installation.acting_as(by(name));
            suppress(&installation, &address(&email)?, &reason).await
        }
        args::Subscribers::Unsuppress { email, reason, by: name } => {
            let installation = installation.acting_as(by(name));
            unsuppress(&installation, &address(&email)?, &reason).await
        }
    }
}

/// An address given as an argument.
pub(super) fn address(text: &str) -> Result<EmailAddress, CliError> {
    text.parse().map_err(|error| {
        CliError::usage(format!("{text:?}: {error}"), "write it as name@example.org")
    })
}

/// The cadences of a list that is there.
pub(super) async fn cadences_of(
    tx: &mut Tx<'_>,
    list: &ListId,
) -> Result<Vec<CadenceId>, CliError> {
    let cadences: Vec<CadenceId> = tx
        .cadences()
        .await?
        .into_iter()
        .filter(|row| row.list_id == *list)
        .map(|row| row.cadence)
        .collect();
    if cadences.is_empty() {
        let known: Vec<String> = tx.lists().await?.iter().map(|list| list.id.to_string()).collect();
        let hint = format!("the lists are {}", known.join(", "));
        return Err(CliError::usage(format!("there is no list {list}"), hint));
    }
    Ok(cadences)
}

async fn import(
    installation: &Installation,
    file: &Path,
    list: &ListId,
    consent: &str,
    dry_run: bool,
) -> Result<ImportReport, CliError> {
    let mut tx = installation.store.read().await?;
    let cadences = cadences_of(&mut tx, list).await?;
    drop(tx);
    let opened = std::fs::File::open(file).map_err(|error| CliError::unreadable(file, error))?;
    let octets = opened.metadata().map_or(0, |metadata| metadata.len());
    // Nobody knows the rows before they are read; a row of this kind has some fifty octets.
    let progress = bar(octets / 50, "importing");
    let report = installation
        .import(list, &cadences, opened, consent, dry_run, |rows| progress.set_position(rows))
        .await;
    progress.finish_and_clear();
    Ok(report?)
}

fn print_report(report: &ImportReport, dry_run: bool, json: bool) -> Result<ExitCode, CliError> {
    if json {
        print_json(report)?;
        return Ok(ExitCode::SUCCESS);
    }
    let ImportReport { rows, imported, updated, unchanged, refused_rows, .. } = report;
    let would = if dry_run { "nothing was written; it would be: " } else { "" };
    print(&format!(
        "{would}rows {rows}, imported {imported}, updated {updated}, unchanged {unchanged}, \
         refused {refused_rows}\n"
    ))?;
    for refused in report.refused.iter().take(REFUSED_PRINTED_MAX) {
        print(&format!("line {}: {}\n", refused.line, refused.reason))?;
    }
    if report.refused.len() > REFUSED_PRINTED_MAX {
        print(&format!("… --json lists up to {REFUSED_SHOWN_MAX} of them\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn export(
    installation: &Installation,
    list: &ListId,
    out: Option<&Path>,
) -> Result<ExitCode, CliError> {
    // Rows of texts are CSV always, and memory takes them.
    let failed = |error: csv::Error| CliError::failed(error.to_string(), "tell the developers");
    let mut tx = installation.store.read().await?;
    cadences_of(&mut tx, list).await?;
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(audience::COLUMNS).map_err(failed)?;
    let mut after = 0;
    loop {
        let page = tx.subscriptions_after(list, after, SUBSCRIPTIONS_A_PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        for held in page.iter().filter(|held| held.state != audience::ENDED) {
            if tx.suppression_of(held.subscriber).await?.is_some() {
                continue;
            }
            if let Some(row) = export_row(&mut tx, held).await? {
                writer.write_record(row).map_err(failed)?;
            }
        }
    }
    let text = writer.into_inner().map_err(|error| failed(error.into_error().into()))?;
    match out {
        Some(path) => {
            write_private(path, &text).map_err(|error| CliError::unwritable(path, error))?
        }
        None => print(&String::from_utf8_lossy(&text))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Addresses are personal: a file of them that is made here is its owner's alone.
fn write_private(path: &Path, octets: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(octets)
}

async fn export_row(
    tx: &mut Tx<'_>,
    held: &StoredSubscription,
) -> Result<Option<[String; 7]>, CliError> {
    let Some(subject) = tx.subject(held.subscriber).await? else { return Ok(None) };
    let Some(address) = subject.address else { return Ok(None) };
    let Some(profile) = tx.profile(held.profile).await? else { return Ok(None) };
    let words: Vec<String> =
        tx.words_of(held.id).await?.into_iter().map(|(_, phrase)| phrase).collect();
    let topics: Vec<String> = profile.topics.iter().map(ToString::to_string).collect();
    let places: Vec<String> = profile.places.iter().map(ToString::to_string).collect();
    Ok(Some([
        address,
        subject.name.unwrap_or_default(),
        topics.join(";"),
        places.join(";"),
        words.join(";"),
        held.cadence.to_string(),
        profile.language.to_string(),
    ]))
}

async fn show(
    installation: &Installation,
    address: &EmailAddress,
    json: bool,
) -> Result<ExitCode, CliError> {
    let zone = installation.config.site.timezone;
    let hash = installation.keys.address_hash(address);
    let mut tx = installation.store.read().await?;
    let suppression = tx.suppression(&hash).await?;
    let subject = tx.subject_by_hash(&hash).await?;
    let mut subscriptions = Vec::new();
    let mut messages = Vec::new();
    if let Some(subject) = &subject {
        for held in tx.subscriptions_of(subject.id).await? {
            let profile = tx.profile(held.profile).await?;
            let words = tx.words_of(held.id).await?;
            let consents = tx.agreements_of(held.id).await?;
            subscriptions.push(json!({
                "list": held.list,
                "cadence": held.cadence,
                "state": held.state,
                "since": held.created_at.rfc3339(zone),
                "all_topics": profile.as_ref().is_some_and(|profile| profile.all_topics),
                "topics": profile.as_ref().map(|profile| profile.topics.clone()),
                "places": profile.as_ref().map(|profile| profile.places.clone()),
                "language": profile.as_ref().map(|profile| profile.language),
                "words": words.iter().map(|(_, phrase)| phrase).collect::<Vec<_>>(),
                "consents": consents.iter().map(|consent| json!({
                    "way": consent.way, "proof": consent.proof, "at": consent.at.rfc3339(zone),
                    "text_version": consent.text_version, "text": consent.text,
                })).collect::<Vec<_>>(),
            }));
        }
        for message in tx.messages_of(subject.id).await? {
            messages.push(json!({
                "id": message.id,
                "edition": message.edition_id,
                "state": message.state,
                "created": message.created_at.rfc3339(zone),
            }));
        }
    }
    let (sign_ups, notices) = match &subject {
        Some(subject) => asked(&mut tx, subject.id, zone).await?,
        None => Default::default(),
    };
    let document = json!({
        "known": subject.is_some(),
        "id": subject.as_ref().map(|subject| public_id(subject.id)),
        "address": subject.as_ref().and_then(|subject| subject.address.clone()),
        "name": subject.as_ref().and_then(|subject| subject.name.clone()),
        "suppressed": suppression.as_ref().map(|held| json!({
            "cause": held.cause, "reason": held.reason, "since": held.since.rfc3339(zone),
        })),
        "subscriptions": subscriptions,
        "sign_ups": sign_ups,
        "messages": messages,
        "notices": notices,
    });
    if json {
        print_json(&document)?;
    } else {
        print(&describe(&document))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What somebody asked for by themselves, and the notices that answered.
async fn asked(
    tx: &mut Tx<'_>,
    subscriber: i64,
    zone: chrono_tz::Tz,
) -> Result<(Vec<Value>, Vec<Value>), CliError> {
    let sign_ups = tx.sign_ups_of(subscriber).await?;
    let sign_up = sign_ups.iter().map(|sign_up| {
        json!({
            "list": sign_up.list,
            "asked": sign_up.asked_at.rfc3339(zone),
            "expires": sign_up.expires_at.rfc3339(zone),
            "confirmed": sign_up.confirmed_at.map(|at| at.rfc3339(zone)),
            "text_version": sign_up.text_version,
        })
    });
    let notices = tx.notice_messages_of(subscriber).await?;
    let notice = notices.iter().map(|notice| {
        json!({
            "id": notice.id,
            "notice": notice.kind.as_str(),
            "state": notice.state,
            "created": notice.created_at.rfc3339(zone),
        })
    });
    Ok((sign_up.collect(), notice.collect()))
}

/// The same for people: a line a fact.
fn describe(document: &Value) -> String {
    let mut text = String::new();
    if document["known"] != true {
        text.push_str("this address is not known\n");
    }
    for key in ["id", "address", "name"] {
        if let Some(value) = document[key].as_str() {
            text.push_str(&format!("{key}: {value}\n"));
        }
    }
    if let Some(cause) = document["suppressed"]["cause"].as_str() {
        let reason = document["suppressed"]["reason"].as_str().unwrap_or_default();
        text.push_str(&format!("suppressed: {cause}, {reason}\n"));
    }
    for held in document["subscriptions"].as_array().into_iter().flatten() {
        text.push_str(&describe_subscription(held));
    }
    for message in document["messages"].as_array().into_iter().flatten() {
        let [id, edition] = ["id", "edition"].map(|key| &message[key]);
        let [state, created] = ["state", "created"].map(|key| word(&message[key]));
        text.push_str(&format!("message {id} of edition {edition}, {created}: {state}\n"));
    }
    for sign_up in document["sign_ups"].as_array().into_iter().flatten() {
        let [list, asked, expires] = ["list", "asked", "expires"].map(|key| word(&sign_up[key]));
        let until = match sign_up["confirmed"].as_str() {
            Some(at) => format!("confirmed {at}"),
            None => format!("not confirmed; expires {expires}"),
        };
        text.push_str(&format!("asked for list {list} {asked}, {until}\n"));
    }
    for notice in document["notices"].as_array().into_iter().flatten() {
        let [kind, state, created] = ["notice", "state", "created"].map(|key| word(&notice[key]));
        let id = &notice["id"];
        text.push_str(&format!("message {id}, notice {kind}, {created}: {state}\n"));
    }
    text
}

fn describe_subscription(held: &Value) -> String {
    let [list, cadence, state, since] =
        ["list", "cadence", "state", "since"].map(|key| word(&held[key]));
    let language = word(&held["language"]);
    let mut text = format!("list {list} ({cadence}, {language}), {state}, since {since}\n");
    for (key, none) in [("topics", "all"), ("places", "the whole area"), ("words", "none")] {
        let some = held[key].as_array().into_iter().flatten().map(word);
        let some = some.collect::<Vec<_>>().join(", ");
        text.push_str(&format!("  {key}: {}\n", if some.is_empty() { none } else { &some }));
    }
    for consent in held["consents"].as_array().into_iter().flatten() {
        let [way, proof, at] = ["way", "proof", "at"].map(|key| word(&consent[key]));
        text.push_str(&format!("  consent by {way}, {at}: {proof}\n"));
        if let Some(version) = consent["text_version"].as_str() {
            text.push_str(&format!("    to text {version}: {}\n", word(&consent["text"])));
        }
    }
    text
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

async fn erase(
    installation: &Installation,
    address: &EmailAddress,
    reason: &str,
) -> Result<ExitCode, CliError> {
    let now = installation.clock.now();
    let known = retrying(async || {
        let mut tx = installation.store.write().await?;
        let known = audience::erase(&mut tx, &installation.keys, address, reason, now).await?;
        tx.commit().await.map(|()| known)
    })
    .await?;
    print(if known {
        "erased; the address stays suppressed by a keyed hash\n"
    } else {
        "the address was not known; it is suppressed by a keyed hash from now on\n"
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn suppress(
    installation: &Installation,
    address: &EmailAddress,
    reason: &str,
) -> Result<ExitCode, CliError> {
    let now = installation.clock.now();
    retrying(async || {
        let mut tx = installation.store.write().await?;
        audience::suppress(&mut tx, &installation.keys, address, reason, now).await?;
        tx.commit().await
    })
    .await?;
    print("suppressed: nothing is sent to this address any more\n")?;
    Ok(ExitCode::SUCCESS)
}

async fn unsuppress(
    installation: &Installation,
    address: &EmailAddress,
    reason: &str,
) -> Result<ExitCode, CliError> {
    let now = installation.clock.now();
    let was = retrying(async || {
        let mut tx = installation.store.write().await?;
        let was = audience::unsuppress(&mut tx, &installation.keys, address, reason, now).await?;
        tx.commit().await.map(|()| was)
    })
    .await?;
    if !was {
        return Err(CliError::failed("the address was not suppressed", "nothing was changed"));
    }
    print("not suppressed any more\n")?;
    Ok(ExitCode::SUCCESS)
}
