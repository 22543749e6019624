//! `source test`: how a file or an address is read, and what would fix it in the configuration.

use std::path::Path;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use url::Url;

use super::output::{print, print_json};
use super::{CliError, Context, rules_and_zone};
use crate::clock::Clock;
use crate::config::{Config, SourceSettings};
use crate::ingest::{
    Act, FetchLimits, FetchRequest, Fetched, Fetcher, Headline, PageSelectors, ReadItem, Reading,
    ReadingKind, SourceKind, count_teasers, feeds_named, find_selectors, read,
};
use crate::model::{SourceId, Timestamp};
use crate::topics::{ItemText, Rules};

/// What a command that asks an address calls itself.
const AGENT: &str = concat!("Banditore/", env!("CARGO_PKG_VERSION"));

/// How long an address that is added is looked at, in seconds.
const LOOK_SECONDS_MAX: u64 = 5;

/// What `source test` prints: a reading, each item with the places that the rules find.
#[derive(Serialize)]
struct Tested<'a> {
    kind: ReadingKind,
    title: Option<&'a str>,
    items: Vec<TestedItem<'a>>,
    warnings: &'a [String],
    /// Which text of the items was taken for the headline.
    headline: Headline,
    /// For a page read without selectors, those that find the same.
    selectors: Option<PageSelectors>,
    /// For a page, the feeds that it names.
    feeds: &'a [String],
    /// Items that show only a teaser, whose pages a poll asks for their text; here topics and
    /// places come from the teaser.
    teasers: usize,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<&'a Act>,
    topics: Vec<String>,
    places: Vec<String>,
}

/// Reads a file or an address and shows what was found.
pub async fn run(
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
    let (rules, zone) = rules_and_zone(config.as_ref())?;
    let read = read_target(target, kind, settings.as_ref(), zone, &context.clock).await?;
    let (reading, headline, selectors, teasers) = read;
    let items =
        reading.items.iter().map(|item| tested(item, &rules, settings.as_ref(), zone)).collect();
    let tested = Tested {
        kind: reading.kind,
        title: reading.title.as_deref(),
        items,
        warnings: &reading.warnings,
        headline,
        selectors,
        feeds: &reading.feeds,
        teasers,
    };
    if json {
        print_json(&tested)?;
    } else {
        print(&describe(&tested))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn tested<'a>(
    item: &'a ReadItem,
    rules: &Rules,
    settings: Option<&SourceSettings>,
    zone: Tz,
) -> TestedItem<'a> {
    let found = rules.classify(&ItemText {
        title: &item.title,
        text: &item.summary,
        categories: &item.categories,
        image_alt: &item.image_alt,
    });
    let found = found.or_at(settings.and_then(|settings| settings.place.as_ref()));
    let time = |time: Option<DateTime<Utc>>| time.map(|time| Timestamp::from(time).rfc3339(zone));
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
        act: item.act.as_ref(),
        topics: found.topics.iter().map(|topic| topic.id.to_string()).collect(),
        places: found.places.iter().map(|place| place.id.to_string()).collect(),
    }
}

async fn read_target(
    target: &str,
    kind: Option<SourceKind>,
    settings: Option<&SourceSettings>,
    zone: Tz,
    clock: &Clock,
) -> Result<(Reading, Headline, Option<PageSelectors>, usize), CliError> {
    let url = target_url(target)?;
    // Who types an address means it, wherever it leads; a file is read as it is.
    let request =
        FetchRequest { allow_private_network: true, allow_file: true, ..FetchRequest::new(url) };
    let fetcher = Fetcher::new(AGENT, FetchLimits::default())?;
    let fetched = fetcher.fetch(&request).await?;
    let Fetched::Body { bytes, content_type, base, final_url, .. } = fetched else {
        return Err(CliError::failed(
            format!("{target}: the server says that nothing has changed"),
            "nothing was asked for before; try again later",
        ));
    };
    let kind = kind.or(settings.map(|settings| settings.kind)).unwrap_or_default();
    let none = PageSelectors::default();
    let selectors = settings.map_or(&none, |settings| &settings.page);
    let (content_type, now) = (content_type.as_deref(), clock.now());
    let mut reading = read(&bytes, content_type, &base, kind, selectors, zone, now)?;
    let headline = settings.map(|settings| settings.headline).unwrap_or_default();
    let headline = headline.apply(&mut reading).unwrap_or(match headline {
        Headline::Auto => Headline::Title,
        said => said,
    });
    let unnamed = reading.kind == ReadingKind::Page && selectors.item.is_none();
    let found = unnamed.then(|| find_selectors(&bytes, content_type, zone, now)).flatten();
    let asks = settings.is_none_or(|settings| settings.full_text);
    let teasers = if asks { count_teasers(&reading, &final_url) } else { 0 };
    Ok((reading, headline, found, teasers))
}

/// The feeds that the page at an address names. Whatever cannot be reached or read names none: it
/// is polled all the same, and says then what is wrong.
pub async fn feeds_of(url: &Url, allow_private_network: bool) -> Vec<String> {
    let limits = FetchLimits {
        connect_seconds: LOOK_SECONDS_MAX,
        total_seconds: LOOK_SECONDS_MAX,
        ..FetchLimits::default()
    };
    let request = FetchRequest { allow_private_network, ..FetchRequest::new(url.clone()) };
    let Ok(fetcher) = Fetcher::new(AGENT, limits) else { return Vec::new() };
    let Ok(Fetched::Body { bytes, content_type, base, .. }) = fetcher.fetch(&request).await else {
        return Vec::new();
    };
    feeds_named(&bytes, content_type.as_deref(), &base)
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
    if tested.headline == Headline::Description {
        text.push_str("\nheadline: the description, since titles repeat\n");
    }
    if let Some(selectors) = &tested.selectors {
        text.push_str("\nto fix what was found, write below the source:\n[source.page]\n");
        let parts = [("item", &selectors.item), ("title", &selectors.title)];
        for (key, css) in parts.into_iter().chain([("date", &selectors.date)]) {
            let line = css.as_ref().map(|css| format!("{key} = \"{css}\"\n"));
            text.push_str(&line.unwrap_or_default());
        }
    }
    if tested.teasers > 0 {
        let teasers = tested.teasers;
        text.push_str(&format!(
            "\n{teasers} item(s) show only a teaser: topics and places here come from it; a poll \
             looks for them on the pages of new ones, too\n"
        ));
    }
    for warning in tested.warnings {
        text.push_str(&format!("warning: {warning}\n"));
    }
    for feed in tested.feeds {
        text.push_str(&format!("hint: this page has a feed, which is safer to read: {feed}\n"));
    }
    text
}
