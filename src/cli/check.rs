//! `check`: whether all that an installation needs is as it should be.

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use super::error::{FAILED, USAGE};
use super::output::{print, print_error, print_json};
use super::{CliError, Context, args};
use crate::audience::{EmailAddress, Keys};
use crate::config::Config;
use crate::delivery::dkim::Signer;
use crate::delivery::dns::{Asked, DnsFinding, Names, Standing, look};
use crate::delivery::smtp::{Relay, StageLimits};
use crate::installation::{OpenError, load_rules};
use crate::rendering::{Sources, Templates};
use crate::store::{Store, StoreError};

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    ok: bool,
    detail: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    hint: String,
    #[serde(skip)]
    code: u8,
}

#[derive(Serialize)]
struct Findings {
    ok: bool,
    checks: Vec<Finding>,
}

impl Finding {
    fn good(what: &'static str, detail: impl Into<String>) -> Self {
        Self { what, ok: true, detail: detail.into(), hint: String::new(), code: 0 }
    }

    fn bad(what: &'static str, error: CliError) -> Self {
        Self { what, ok: false, detail: error.what, hint: error.hint, code: error.code }
    }

    fn of(what: &'static str, result: Result<String, CliError>) -> Self {
        result.map_or_else(|error| Self::bad(what, error), |detail| Self::good(what, detail))
    }
}

/// Looks at everything and says what it found; fails where something is not as it should be.
pub async fn run(context: &Context, args: &args::Check) -> Result<ExitCode, CliError> {
    let mut checks = Vec::new();
    match Config::load(context.config.as_deref()) {
        Err(error) => checks.push(Finding::bad("configuration", error.into())),
        Ok(config) => {
            let (sources, lists) = (config.sources.len(), config.lists.len());
            let admins = match config.site.admins.len() {
                0 => "; nobody is told when a source fails: name them under [site] admins".into(),
                admins => format!(", {admins} admin(s)"),
            };
            let detail = format!("{sources} source(s), {lists} list(s){admins}");
            checks.push(Finding::good("configuration", detail));
            checks.push(Finding::of("topics and places", rules(&config)));
            checks.push(Finding::of("templates", templates()));
            checks.push(Finding::of("database", database(&config).await));
            match config.signer() {
                Err(error) => checks.push(Finding::bad("DKIM keys", error.into())),
                Ok(signer) if args.offline => checks.extend(keys(&signer)),
                Ok(signer) => {
                    checks.extend(keys(&signer));
                    checks.extend(dns(&config, &signer).await);
                }
            }
            checks.push(Finding::of("relay", relay(&config, args.offline).await));
        }
    }
    let code = checks.iter().map(|check| check.code).max().unwrap_or(0);
    for check in checks.iter().filter(|check| !check.ok) {
        let what = format!("{}: {}", check.what, check.detail);
        print_error(&CliError { what, hint: check.hint.clone(), code: check.code });
    }
    if args.json {
        print_json(&Findings { ok: code == 0, checks })?;
    } else {
        for check in checks.iter().filter(|check| check.ok) {
            let hint = match check.hint.as_str() {
                "" => String::new(),
                hint => format!(" ({hint})"),
            };
            print(&format!("ok: {}: {}{hint}\n", check.what, check.detail))?;
        }
    }
    Ok(ExitCode::from(code))
}

fn rules(config: &Config) -> Result<String, CliError> {
    let rules = load_rules(config)?;
    let (topics, places) = (rules.topics().len(), rules.places().len());
    Ok(format!("{topics} topics, {places} places, version {}", rules.version()))
}

fn templates() -> Result<String, CliError> {
    Templates::compile(Sources::embedded()).map_err(OpenError::from)?;
    Ok("every block renders in every language".to_owned())
}

async fn database(config: &Config) -> Result<String, CliError> {
    let url = &config.database_url;
    let path = url.strip_prefix("sqlite://").map(Path::new);
    // Opening would make the file; a check makes nothing.
    if let Some(path) = path.filter(|path| !path.exists()) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if folder.is_none_or(Path::exists) {
            return Ok("not made yet; `banditore migrate` makes it".to_owned());
        }
        let cause = "its folder does not exist".to_owned();
        return Err(StoreError::Unreachable { url: url.clone(), cause }.into());
    }
    let store = Store::open(url, config.delivery.durability).await?;
    let checked = looked_at(&store, config).await;
    let troubled = match &checked {
        Ok(()) => troubled(&store).await,
        Err(_) => Ok(String::new()),
    };
    store.close().await;
    checked?;
    Ok(format!("reachable, and of this version{}", troubled?))
}

/// The sources that are bad, to be looked at; that a publisher's site is down is no fault here.
async fn troubled(store: &Store) -> Result<String, StoreError> {
    let sources = store.read().await?.sources_in_trouble().await?;
    if sources.is_empty() {
        return Ok(String::new());
    }
    let named: Vec<&str> = sources.iter().map(|source| source.id.as_str()).collect();
    let named = named.join(", ");
    Ok(format!("; without news for some time: {named} (`banditore source list` says why)"))
}

/// Whether an open database is of this version and was made with this secret.
async fn looked_at(store: &Store, config: &Config) -> Result<(), OpenError> {
    store.require_migrated().await?;
    let made_with = store.read().await?.marks().await?;
    let ours = Keys::new(config.site.secret.clone()).check();
    match made_with {
        Some(marks) if marks.secret_check != ours => Err(OpenError::OtherSecret),
        _ => Ok(()),
    }
}

/// What signs, where something does.
fn keys(signer: &Signer) -> Option<Finding> {
    let names: Vec<String> = signer.records().into_iter().map(|(name, _)| name).collect();
    (!names.is_empty()).then(|| Finding::good("DKIM keys", names.join(", ")))
}

/// What DNS says of those who send.
async fn dns(config: &Config, signer: &Signer) -> Vec<Finding> {
    let names = match Names::new(config.dns) {
        Ok(names) => names,
        Err(error) => return vec![Finding::good("DNS", format!("not asked: {error}"))],
    };
    let domain = |address: &EmailAddress| address.domain().to_owned();
    let mut senders: Vec<String> =
        config.lists.iter().map(|list| domain(&list.from.address)).collect();
    senders.sort();
    senders.dedup();
    let asked = Asked {
        senders,
        bounces: config.delivery.bounce_address.as_ref().map(domain),
        signer: signer.domain().to_owned(),
        keys: signer.records(),
        relay: config.smtp.as_ref().map(|smtp| smtp.host.clone()),
    };
    let finding = |found: DnsFinding| {
        let DnsFinding { what, standing, detail, hint } = found;
        let (ok, code) = match standing {
            Standing::Bad => (false, FAILED),
            Standing::Good | Standing::Unknown => (true, 0),
        };
        Finding { what, ok, detail, hint, code }
    };
    look(&names, &asked).await.into_iter().map(finding).collect()
}

async fn relay(config: &Config, offline: bool) -> Result<String, CliError> {
    let smtp = config.require_smtp()?;
    let place = format!("{}:{}", smtp.host, smtp.port);
    let relay = Relay::new(smtp, "localhost".to_owned(), StageLimits::default());
    let relay = relay.map_err(|error| CliError {
        what: error.to_string(),
        hint: "look at [smtp] in the configuration".to_owned(),
        code: USAGE,
    })?;
    if offline {
        return Ok(format!("{place}, not asked"));
    }
    match relay.open().await {
        Ok(connection) => {
            connection.quit().await;
            Ok(format!("{place} answers"))
        }
        Err(failure) => Err(CliError {
            what: format!("{place}: {failure}"),
            hint: "look at [smtp] host, port and tls, and whether the relay is up".to_owned(),
            code: FAILED,
        }),
    }
}
