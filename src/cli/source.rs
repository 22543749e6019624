//! `source …`

use std::path::Path;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use serde::Serialize;
use url::Url;

use super::output::{print, print_json};
use super::{CliError, Context, args, opml, replay, source_list};
use crate::clock::Clock;
use crate::config::{Config, SourceSettings};
use crate::ingest::{
    FetchLimits, FetchRequest, Fetched, Fetcher, Reading, SourceKind, end_source, keep_source, read,
};
use crate::installation::load_rules;
use crate::model::{SourceId, Timestamp};
use crate::round;
use crate::topics::{ItemText, Rules};

/// Runs one of the commands.
pub async fn run(context: &Context, command: args::Source) -> Result<ExitCode, CliError> {
    match command {
        args::Source::Test { target, kind, source, json } => {
            test(context, &target, kind, source.as_ref(), json).await
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

/// What `source test` prints: a reading, each item with the places that the rules find.
#[derive(Serialize)]
struct Tested<'a> {
    kind: crate::ingest::ReadingKind,
    title: Option<&'a str>,
    items: Vec<TestedItem<'a>>,
    warnings: &'a [String],
}

#[derive(Serialize)]
struct TestedItem<'a> {
    title: &'a str,
    link: Option<&'a str>,
    id: Option<&'a str>,
    published: Option<String>,
    updated: Option<String>,
    summary: &'a str,
    content: &'a str,
    image_alt: &'a [String],
    categories: &'a [String],
    topics: Vec<String>,
    places: Vec<String>,
}

async fn test(
    context: &Context,
    target: &str,
    kind: Option<SourceKind>,
    source: Option<&SourceId>,
    json: bool,
) -> Result<ExitCode, CliError> {
    let config = match (&context.config, source) {
        // Without a configuration the built-in rules and the usual zone do.
        (None, None) => Config::load(None).ok(),
        (path, _) => Some(Config::load(path.as_deref())?),
    };
    let settings = match source {
        None => None,
        Some(id) => {
            let sources = config.iter().flat_map(|config| &config.sources);
            let named = sources.into_iter().find(|source| source.id == *id);
            let named = named.ok_or_else(|| {
                let hint = "name one that stands under [[source]] in the configuration";
                CliError::usage(format!("there is no source {id}"), hint)
            })?;
            Some(named.settings.clone())
        }
    };
    let rules = config.as_ref().map_or_else(|| Ok(Rules::built_in()), load_rules)?;
    let zone = config.as_ref().map_or(chrono_tz::Europe::Rome, |config| config.site.timezone);
    let reading = read_target(target, kind, settings.as_ref(), zone, &context.clock).await?;
    let items: Vec<TestedItem<'_>> = reading
        .items
        .iter()
        .map(|item| {
            let found = rules.classify(&ItemText {
                title: &item.title,
                text: &item.summary,
                categories: &item.categories,
                image_alt: &item.image_alt,
            });
            let time =
                |time: Option<DateTime<Utc>>| time.map(|time| Timestamp::from(time).rfc3339(zone));
            TestedItem {
                title: &item.title,
                link: item.link.as_deref(),
                id: item.id.as_deref(),
                published: time(item.published),
                updated: time(item.updated),
                summary: &item.summary,
                content: &item.content,
                image_alt: &item.image_alt,
                categories: &item.categories,
                topics: found.topics.iter().map(|topic| topic.id.to_string()).collect(),
                places: found.places.iter().map(|place| place.id.to_string()).collect(),
            }
        })
        .collect();
    let tested = Tested {
        kind: reading.kind,
        title: reading.title.as_deref(),
        items,
        warnings: &reading.warnings,
    };
    if json {
        print_json(&tested)?;
    } else {
        print(&describe(&tested))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn read_target(
    target: &str,
    kind: Option<SourceKind>,
    settings: Option<&SourceSettings>,
    zone: chrono_tz::Tz,
    clock: &Clock,
) -> Result<Reading, CliError> {
    let url = target_url(target)?;
    // Who types an address means it, wherever it leads; a file is read as it is.
    let request =
        FetchRequest { allow_private_network: true, allow_file: true, ..FetchRequest::new(url) };
    let agent = format!("Banditore/{}", env!("CARGO_PKG_VERSION"));
    let fetcher = Fetcher::new(&agent, FetchLimits::default())?;
    let Fetched::Body { bytes, content_type, base, .. } = fetcher.fetch(&request).await? else {
        return Err(CliError::failed(
            format!("{target}: the server says that nothing has changed"),
            "nothing was asked for before; try again later",
        ));
    };
    let kind = kind.or(settings.map(|settings| settings.kind)).unwrap_or_default();
    let none = PageSelectors::default();
    let selectors = settings.map_or(&none, |settings| &settings.page);
    Ok(read(&bytes, content_type.as_deref(), &base, kind, selectors, zone, clock.now())?)
}

fn target_url(target: &str) -> Result<Url, CliError> {
    let path = target.strip_prefix("file:").filter(|path| !path.starts_with("//"));
    let path = Path::new(path.unwrap_or(target));
    if path.exists() {
        let url = std::path::absolute(path).ok().and_then(|path| Url::from_file_path(path).ok());
        return url.ok_or_else(|| {
            CliError::usage(format!("{target}: no path that can be read"), "write it in full")
        });
    }
    Url::parse(target).map_err(|_| {
        CliError::usage(
            format!("{target} is neither a file that is there nor an address"),
            "write a path, or an address that begins with https://",
        )
    })
}

fn describe(tested: &Tested<'_>) -> String {
    let title = tested.title.unwrap_or("(no title)");
    let mut text = format!("{title}: {} item(s)\n", tested.items.len());
    for item in &tested.items {
        let date = item.published.as_deref().and_then(|time| time.get(..10));
        let date = date.unwrap_or("(no date)");
        let link = item.link.unwrap_or("(no link)");
        let topics = item.topics.join(", ");
        let places = item.places.join(", ");
        text.push_str(&format!("\n{date}  {}\n  {link}\n", item.title));
        text.push_str(&format!("  topics: {topics}; places: {places}\n"));
    }
    for warning in tested.warnings {
        text.push_str(&format!("warning: {warning}\n"));
    }
    text
}

async fn add(context: &Context, id: &SourceId, added: args::Added) -> Result<ExitCode, CliError> {
    let installation = context.open().await?;
    let args::Added { url, kind, every, allow_private_network } = added;
    let parsed = Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = parsed.ok_or_else(|| {
        let hint = "write it with https:// or http://; files stand in the configuration alone";
        CliError::usage(format!("{url} is no web address"), hint)
    })?;
    let mut tx = installation.store.write().await?;
    if tx.sources().await?.iter().any(|source| source.id == *id) {
        let hint = "name another id, or remove that one first";
        return Err(CliError::failed(format!("source {id} exists already"), hint));
    }
    let settings = SourceSettings {
        kind: kind.unwrap_or_default(),
        every_seconds: every,
        allow_private_network,
        ..SourceSettings::default()
    };
    let settings = settings_json(&settings)?;
    keep_source(&mut tx, id, &url, &settings, false, installation.clock.now()).await?;
    tx.commit().await?;
    print(&format!("source {id} is polled from now on\n"))?;
    Ok(ExitCode::SUCCESS)
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
