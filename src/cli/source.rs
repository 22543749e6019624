//! `source …`

use std::process::ExitCode;

use url::Url;

use super::output::{print, print_json};
use super::{CliError, Context, args, opml, replay, source_list, testing};
use crate::config::SourceSettings;
use crate::ingest::{SourceKind, end_source, keep_source};
use crate::model::{PlaceId, SourceId};
use crate::round;
use crate::topics::Rules;

/// How many served places a hint names.
const PLACES_NAMED: usize = 12;

/// Runs one of the commands.
pub async fn run(context: &Context, command: args::Source) -> Result<ExitCode, CliError> {
    match command {
        args::Source::Test { target, kind, source, json } => {
            testing::run(context, &target, kind, source.as_ref(), json).await
        }
        args::Source::List(args) => source_list::run(context, args.json).await,
        args::Source::Add { id, added } => add(context, &id, added).await,
        args::Source::Import { file, dry_run, json } => {
            opml::import(context, &file, dry_run, json).await
        }
        args::Source::Export { out } => opml::export(context, out.as_deref()).await,
        args::Source::Remove { id } => remove(context, &id).await,
        args::Source::Replay { folder, json } => replay::run(context, &folder, json).await,
        args::Source::Poll { id, json } => poll(context, id.as_ref(), json).await,
    }
}

async fn add(context: &Context, id: &SourceId, added: args::Added) -> Result<ExitCode, CliError> {
    let installation = context.open().await?;
    let args::Added { url, kind, every, allow_private_network, place } = added;
    let parsed = Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = parsed.ok_or_else(|| {
        let hint = "write it with https:// or http://; files stand in the configuration alone";
        CliError::usage(format!("{url} is no web address"), hint)
    })?;
    let place = place.map(|place| served(&installation.rules, &place)).transpose()?;
    let mut tx = installation.store.write().await?;
    if tx.sources().await?.iter().any(|source| source.id == *id) {
        let hint = "name another id, or remove that one first";
        return Err(CliError::failed(format!("source {id} exists already"), hint));
    }
    let settings = SourceSettings {
        kind: kind.unwrap_or_default(),
        every_seconds: every,
        allow_private_network,
        place,
        ..SourceSettings::default()
    };
    let settings = settings_json(&settings)?;
    keep_source(&mut tx, id, &url, &settings, false, installation.clock.now()).await?;
    tx.commit().await?;
    print(&format!("source {id} is polled from now on\n"))?;
    if kind != Some(SourceKind::Feed) {
        for feed in testing::feeds_of(&url, allow_private_network).await {
            print(&format!("hint: this page has a feed, which is safer to read: {feed}\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The served place that a person means by its id or its name, in whatever letters.
fn served(rules: &Rules, meant: &str) -> Result<PlaceId, CliError> {
    let meant = meant.trim();
    let same = |written: &str| written.to_lowercase() == meant.to_lowercase();
    let known = rules.places().iter().find(|place| same(place.id.as_str()) || same(&place.name));
    known.map(|place| place.id.clone()).ok_or_else(|| {
        let ids: Vec<&str> =
            rules.places().iter().take(PLACES_NAMED).map(|place| place.id.as_str()).collect();
        let more = if rules.places().len() > PLACES_NAMED { ", …" } else { "" };
        let hint = format!("write one that places.toml serves: {}{more}", ids.join(", "));
        CliError::usage(format!("there is no place {meant:?}"), hint)
    })
}

/// Settings as the database keeps them.
pub(super) fn settings_json(settings: &SourceSettings) -> Result<String, CliError> {
    serde_json::to_string(settings).map_err(|error| CliError::failed(error.to_string(), ""))
}

async fn remove(context: &Context, id: &SourceId) -> Result<ExitCode, CliError> {
    let installation = context.open().await?;
    let mut tx = installation.store.write().await?;
    match tx.source(id).await? {
        Some(source) if source.from_file => {
            return Err(CliError::usage(
                format!("source {id} stands in the configuration file"),
                "take it out there",
            ));
        }
        _ => {}
    }
    if !end_source(&mut tx, id, installation.clock.now()).await? {
        let hint = "`banditore source list` shows what there is";
        return Err(CliError::usage(format!("there is no source {id}"), hint));
    }
    tx.commit().await?;
    print(&format!("source {id} is not polled any more; its items stay\n"))?;
    Ok(ExitCode::SUCCESS)
}

async fn poll(context: &Context, id: Option<&SourceId>, json: bool) -> Result<ExitCode, CliError> {
    let installation = context.open_to_work().await?;
    let polled = round::poll(&installation, id).await?;
    if let Some(id) = id.filter(|_| polled.is_empty()) {
        let hint = "`banditore source list` shows what there is";
        return Err(CliError::usage(format!("there is no source {id}"), hint));
    }
    if json {
        print_json(&polled)?;
    } else {
        for poll in &polled {
            let (source, new, baseline) = (&poll.source, poll.new, poll.baseline);
            let result = match &poll.error {
                Some(error) => format!("error: {error}"),
                None => format!(
                    "new {new}, baseline {baseline}, revised {}, held {}",
                    poll.revised, poll.held
                ),
            };
            print(&format!("{source}: {result}\n"))?;
        }
    }
    let failed = polled.iter().filter(|poll| poll.error.is_some());
    let failed: Vec<&str> = failed.map(|poll| poll.source.as_str()).collect();
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let hint = "what was read before stays; `banditore source test` shows how an address is read";
    Err(CliError::failed(format!("no news from {}", failed.join(", ")), hint))
}
