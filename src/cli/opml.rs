//! `source import` and `source export`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;
use unicode_normalization::UnicodeNormalization as _;
use url::Url;

use super::output::{print, print_json};
use super::source::settings_json;
use super::{CliError, Context};
use crate::config::{EVERY_SECONDS, SourceSettings};
use crate::ingest::{
    OPML_BYTES_MAX, OPML_CHARS_MAX, Outline, SourceKind, keep_source, read_opml, write_opml,
};
use crate::model::SourceId;
use crate::store::Tx;

/// How long an id is that is made from a title, in characters.
const ID_CHARS_MAX: usize = 48;

/// What an import came to.
#[derive(Debug, Default, Serialize)]
struct Imported {
    /// Outlines with an address.
    outlines: usize,
    /// Sources that were added, or would be.
    added: Vec<Added>,
    /// Those that are polled already, or stand in the file twice.
    known: usize,
    refused: Vec<Refused>,
}

#[derive(Debug, Serialize)]
struct Added {
    id: SourceId,
    url: String,
    title: String,
    /// The titles of the outlines around it.
    folder: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Refused {
    line: usize,
    reason: String,
}

/// Adds the sources of a file, all of them or, where something fails, none.
pub async fn import(
    context: &Context,
    file: &Path,
    dry_run: bool,
    json: bool,
) -> Result<ExitCode, CliError> {
    let octets = std::fs::metadata(file).map_err(|error| CliError::unreadable(file, error))?.len();
    if octets > OPML_BYTES_MAX as u64 {
        let what = format!("{}: larger than {OPML_BYTES_MAX} octets", file.display());
        return Err(CliError::usage(what, "cut it into several"));
    }
    let body = std::fs::read(file).map_err(|error| CliError::unreadable(file, error))?;
    let outlines = read_opml(&body).map_err(|error| {
        let hint = "export the sources of the other reader as OPML again";
        CliError::usage(format!("{}: {error}", file.display()), hint)
    })?;
    let installation = context.open().await?;
    let now = installation.clock.now();
    let mut tx = installation.store.write().await?;
    let mut known = BTreeSet::new();
    for source in tx.sources().await? {
        known.extend([source.url.clone(), source.address().to_owned()]);
    }
    let mut taken = BTreeSet::new();
    let mut imported = Imported { outlines: outlines.len(), ..Imported::default() };
    for outline in outlines {
        let (url, settings) = match checked(&outline) {
            Ok(checked) => checked,
            Err(reason) => {
                imported.refused.push(Refused { line: outline.line, reason });
                continue;
            }
        };
        if !known.insert(url.to_string()) {
            imported.known += 1;
            continue;
        }
        let id = free_id(&mut tx, &outline, &url, &mut taken).await?;
        let settings = settings_json(&settings)?;
        keep_source(&mut tx, &id, &url, &settings, false, now).await?;
        if !outline.title.is_empty() {
            tx.title_source(&id, &outline.title).await?;
        }
        let Outline { title, folder, .. } = outline;
        imported.added.push(Added { id, url: url.into(), title, folder });
    }
    // Without it nothing has happened.
    if !dry_run {
        tx.commit().await?;
    }
    report(&imported, json)?;
    Ok(ExitCode::SUCCESS)
}

fn report(imported: &Imported, json: bool) -> Result<(), CliError> {
    if json {
        return print_json(imported);
    }
    let Imported { outlines, added, known, refused } = imported;
    let (added_count, refused_count) = (added.len(), refused.len());
    print(&format!(
        "sources {outlines}: added {added_count}, known {known}, refused {refused_count}\n"
    ))?;
    for Added { id, url, .. } in added {
        print(&format!("{id}: {url}\n"))?;
    }
    for Refused { line, reason } in refused {
        print(&format!("line {line}: {reason}\n"))?;
    }
    Ok(())
}

/// The address and settings of an outline, or why it cannot be taken.
fn checked(outline: &Outline) -> Result<(Url, SourceSettings), String> {
    if outline.address.chars().count() >= OPML_CHARS_MAX {
        return Err(format!("its address is longer than {OPML_CHARS_MAX} characters"));
    }
    let url = Url::parse(&outline.address).map_err(|error| format!("no address: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("{}: addresses are not polled; only http and https are", url.scheme()));
    }
    let kind = match outline.kind.as_deref() {
        None | Some("auto") => SourceKind::Auto,
        Some("feed") => SourceKind::Feed,
        Some("page") => SourceKind::Page,
        Some(_) => return Err("its kind is none of auto, feed and page".to_owned()),
    };
    let every_seconds = match outline.every_seconds.as_deref().map(str::parse) {
        None => None,
        Some(Ok(seconds)) if EVERY_SECONDS.contains(&seconds) => Some(seconds),
        Some(_) => return Err("its interval is not from 60 seconds to 7 days".to_owned()),
    };
    Ok((url, SourceSettings { kind, every_seconds, ..SourceSettings::default() }))
}

/// An id that no source has or had: the one in the file, else made from the title, else the host.
async fn free_id(
    tx: &mut Tx<'_>,
    outline: &Outline,
    url: &Url,
    taken: &mut BTreeSet<SourceId>,
) -> Result<SourceId, CliError> {
    let wanted = outline.id.as_deref().and_then(|id| id.parse().ok());
    let made = || {
        let host = url.host_str().unwrap_or_default();
        [&outline.title, host, "source"].into_iter().find_map(|text| slug(text).parse().ok())
    };
    let Some(base): Option<SourceId> = wanted.or_else(made) else {
        return Err(CliError::failed("no id can be made", ""));
    };
    for number in 1_u32.. {
        let id = if number == 1 { base.to_string() } else { format!("{base}-{number}") };
        let Ok(id) = id.parse::<SourceId>() else { break };
        if !taken.contains(&id) && tx.source(&id).await?.is_none() {
            taken.insert(id.clone());
            return Ok(id);
        }
    }
    let hint = "give the outline another title";
    Err(CliError::failed(format!("line {}: no id is left for {base}", outline.line), hint))
}

/// Small letters, digits and hyphens of a text, accents taken off.
fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.nfkd().filter(|c| !unicode_normalization::char::is_combining_mark(*c)) {
        if slug.len() >= ID_CHARS_MAX {
            break;
        }
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

/// Writes the sources as a file that `import` reads, and other readers too. Such files are passed
/// on: no name and password of an address is in it, and no file of this machine.
pub async fn export(context: &Context, out: Option<&Path>) -> Result<ExitCode, CliError> {
    let installation = context.open_to_look().await?;
    let mut tx = installation.store.read().await?;
    let mut outlines = Vec::new();
    for source in tx.sources().await? {
        let url = Url::parse(&source.url).ok();
        let Some(mut url) = url.filter(|url| matches!(url.scheme(), "http" | "https")) else {
            tracing::warn!("source {}: left out, it is no web address", source.id);
            continue;
        };
        if !url.username().is_empty() || url.password().is_some() {
            tracing::warn!("source {}: written without name and password", source.id);
            // Neither fails for an address of the web.
            let _ = url.set_username("");
            let _ = url.set_password(None);
        }
        let settings: SourceSettings =
            serde_json::from_str(&source.settings_json).unwrap_or_default();
        let kind = match settings.kind {
            SourceKind::Auto if source.read_as.as_deref() == Some("page") => "page",
            SourceKind::Auto => "auto",
            SourceKind::Feed => "feed",
            SourceKind::Page => "page",
        };
        outlines.push(Outline {
            title: source.title.unwrap_or_else(|| source.id.to_string()),
            address: url.into(),
            site: source.site_link,
            id: Some(source.id.to_string()),
            kind: Some(kind.to_owned()),
            every_seconds: settings.every_seconds.map(|seconds| seconds.to_string()),
            ..Outline::default()
        });
    }
    let octets = write_opml(&installation.config.site.name, &outlines)
        .map_err(|error| CliError::failed(error.to_string(), ""))?;
    match out {
        Some(file) => {
            std::fs::write(file, octets).map_err(|error| CliError::unwritable(file, error))?;
        }
        None => print(&String::from_utf8_lossy(&octets))?,
    }
    Ok(ExitCode::SUCCESS)
}
