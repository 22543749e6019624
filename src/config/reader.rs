//! From written values to checked ones: each becomes what it stands for, or a clear error.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use url::Url;

use super::raw::{RawCadence, RawConfig, RawList, RawSite, RawSource, RawTexts};
use super::{
    ADMINS_MAX, Config, ConfigError, EVERY_SECONDS, List, Network, SECRET_OCTETS_MIN, Secret, Site,
    Source, SourceSettings, parse_seconds,
};
use crate::audience::{EmailAddress, Mailbox};
use crate::editions::Schedule;
use crate::ingest::{BASELINE_DAYS_MAX, NEW_ITEMS_MAX, NewsLimits, OLDER_DAYS_MAX};
use crate::model::{CadenceId, Language};

/// Where resolvers listen (RFC 1035 4.2).
const DNS_PORT: u16 = 53;

/// What turns written values into checked ones, and knows which file they stand in.
pub(super) struct Reader<'a> {
    file: &'a Path,
    folder: &'a Path,
}

impl<'a> Reader<'a> {
    /// Relative files are looked for beside the configuration file.
    pub(super) fn new(file: &'a Path) -> Self {
        Self { file, folder: file.parent().unwrap_or(Path::new("")) }
    }
    pub(super) fn invalid(
        &self,
        key: &str,
        value: &str,
        what: impl ToString,
        hint: &str,
    ) -> ConfigError {
        ConfigError::Invalid {
            file: self.file.to_owned(),
            key: key.to_owned(),
            value: value.to_owned(),
            what: what.to_string(),
            hint: hint.to_owned(),
        }
    }

    pub(super) fn config(&self, raw: RawConfig) -> Result<Config, ConfigError> {
        let sources = raw.source.into_iter().map(|source| self.source(source));
        let sources: Vec<Source> = sources.collect::<Result<_, _>>()?;
        let lists = raw.list.into_iter().map(|list| self.list(list, &sources));
        let lists: Vec<List> = lists.collect::<Result<_, _>>()?;
        self.unique("source", sources.iter().map(|source| source.id.as_str()))?;
        self.unique("list", lists.iter().map(|list| list.id.as_str()))?;
        Ok(Config {
            site: self.site(raw.site)?,
            database_url: self.database(&raw.database.url),
            listen: self.listen(raw.web.listen)?,
            trusted_proxies: self.trusted_proxies(raw.web.trusted_proxies)?,
            smtp: raw.smtp.map(|smtp| self.smtp(smtp)).transpose()?,
            delivery: self.delivery(&raw.delivery)?,
            dkim: raw.dkim.map(|dkim| self.dkim(dkim)).transpose()?,
            dns: self.dns(raw.dns.resolver.as_deref())?,
            topics_file: raw.topics.file.map(|file| self.folder.join(file)),
            places_file: raw.places.file.map(|file| self.folder.join(file)),
            sources,
            lists,
        })
    }

    fn unique<'i>(
        &self,
        what: &str,
        ids: impl Iterator<Item = &'i str>,
    ) -> Result<(), ConfigError> {
        let mut seen = std::collections::BTreeSet::new();
        for id in ids {
            if !seen.insert(id) {
                let key = format!("{what}.id");
                return Err(self.invalid(
                    &key,
                    id,
                    "two have the same id",
                    "give each an id of its own",
                ));
            }
        }
        Ok(())
    }

    fn site(&self, raw: RawSite) -> Result<Site, ConfigError> {
        if raw.name.trim().is_empty() || raw.name.chars().any(char::is_control) {
            let hint = "write the name of the public body, as people read it in every mail";
            return Err(self.invalid("site.name", &raw.name, "this is no name", hint));
        }
        let key = "site.public_url";
        let url = raw.public_url.trim_end_matches('/').to_owned();
        match Url::parse(&url) {
            Ok(parsed) if matches!(parsed.scheme(), "http" | "https") && parsed.has_host() => {}
            _ => {
                let hint = "write where the pages will be, such as https://news.comune.example.it";
                return Err(self.invalid(key, &raw.public_url, "this is no web address", hint));
            }
        }
        let locale: Language = raw.locale.parse().map_err(|_| {
            let what = "no such language";
            self.invalid("site.locale", &raw.locale, what, "write \"it\" or \"en\"")
        })?;
        let timezone = raw.timezone.parse().map_err(|_| {
            let hint = "write a name of the IANA list, such as \"Europe/Rome\"";
            self.invalid("site.timezone", &raw.timezone, "no such time zone", hint)
        })?;
        let secret = self.secret("site.secret", raw.secret, raw.secret_file)?;
        let secret = secret.as_deref().and_then(Secret::new).ok_or_else(|| {
            let what = format!("it must be there and have {SECRET_OCTETS_MIN} characters at least");
            let hint = "put 64 random characters there, or their file into secret_file; \
                        `banditore init` makes some";
            self.invalid("site.secret", "…", what, hint)
        })?;
        let contact = raw.contact.map(|contact| self.contact(contact)).transpose()?;
        let admins = self.admins(raw.admins)?;
        Ok(Site { name: raw.name, public_url: url, contact, admins, locale, timezone, secret })
    }

    fn admins(&self, named: Option<RawTexts>) -> Result<Vec<EmailAddress>, ConfigError> {
        let named = named.map(RawTexts::texts).unwrap_or_default();
        if named.len() > ADMINS_MAX {
            let what = format!("more than {ADMINS_MAX} addresses");
            let hint = "write the address of a mailing list of yours";
            return Err(self.invalid("site.admins", &named.len().to_string(), what, hint));
        }
        let address = |text: String| {
            let hint = "write addresses without names, such as \"web@comune.example.it\"";
            text.parse().map_err(|cause| self.invalid("site.admins", &text, cause, hint))
        };
        named.into_iter().map(address).collect()
    }

    /// An address that is said to publishers in every request: a line of ASCII.
    fn contact(&self, text: String) -> Result<String, ConfigError> {
        let known = text.parse::<Mailbox>().is_ok_and(|mailbox| mailbox.to_string() == text);
        if known && text.is_ascii() {
            return Ok(text);
        }
        let hint = "write it as \"web@comune.example.it\", without a name";
        Err(self.invalid("site.contact", &text, "this is no mail address", hint))
    }

    /// A text that may stand in the file or in a file of its own.
    pub(super) fn secret(
        &self,
        key: &str,
        text: Option<String>,
        file: Option<PathBuf>,
    ) -> Result<Option<String>, ConfigError> {
        match (text, file) {
            (text, None) => Ok(text),
            (Some(_), Some(_)) => Err(self.invalid(
                key,
                "…",
                "both the text and its file are given",
                "keep one of the two",
            )),
            (None, Some(file)) => {
                let file = self.folder.join(file);
                let text = std::fs::read_to_string(&file).map_err(|cause| {
                    ConfigError::Unreadable { file: file.clone(), cause: cause.to_string() }
                })?;
                Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
            }
        }
    }

    fn listen(&self, text: String) -> Result<String, ConfigError> {
        let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty());
        if port.is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
            return Ok(text);
        }
        let hint = "write an address of this machine and a port, such as \"127.0.0.1:8025\"";
        Err(self.invalid("web.listen", &text, "this is no address with a port", hint))
    }

    /// Who is asked about names; none for the machine's own resolvers.
    fn dns(&self, text: Option<&str>) -> Result<Option<SocketAddr>, ConfigError> {
        let read = |text: &str| {
            let with_port = || Some(SocketAddr::new(text.parse().ok()?, DNS_PORT));
            let address = text.parse().ok().or_else(with_port);
            let hint = "write an address, such as \"127.0.0.1\" or \"127.0.0.1:5353\"";
            address.ok_or_else(|| self.invalid("dns.resolver", text, "this is no address", hint))
        };
        text.map(read).transpose()
    }

    fn trusted_proxies(&self, named: Option<RawTexts>) -> Result<Vec<Network>, ConfigError> {
        let Some(named) = named else { return Ok(Network::loopback()) };
        let network = |text: String| {
            let hint = "write addresses or prefixes, such as \"127.0.0.1\" or \"10.0.0.0/8\"";
            let what = "this is no address and no prefix of addresses";
            text.parse().map_err(|_| self.invalid("web.trusted_proxies", &text, what, hint))
        };
        named.texts().into_iter().map(network).collect()
    }

    fn database(&self, url: &str) -> String {
        let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"));
        match path {
            Some(path) if !path.is_empty() => {
                format!("sqlite://{}", self.folder.join(path).display())
            }
            _ => url.to_owned(),
        }
    }

    /// A file, looked for beside the configuration file where it is relative.
    pub(super) fn beside(&self, file: &Path) -> PathBuf {
        self.folder.join(file)
    }

    fn source(&self, raw: RawSource) -> Result<Source, ConfigError> {
        let id = raw.id.parse().map_err(|cause| {
            let hint = "small letters, digits and hyphens, such as \"comune-news\"";
            self.invalid("source.id", &raw.id, cause, hint)
        })?;
        let every_seconds = raw.every.as_ref().map(|every| {
            parse_seconds(every, &EVERY_SECONDS).ok_or_else(|| {
                let what = format!("from {} s to 7 days", EVERY_SECONDS.start());
                self.invalid("source.every", every, what, "write it as \"15m\", \"2h\" or \"1d\"")
            })
        });
        let every_seconds = every_seconds.transpose()?;
        let place = raw.place.as_ref().map(|place| {
            let hint = "write the id of a place of places.toml, such as \"crema\"";
            place.parse().map_err(|cause| self.invalid("source.place", place, cause, hint))
        });
        let place = place.transpose()?;
        Ok(Source {
            id,
            url: self.source_url(&raw.url)?,
            settings: SourceSettings {
                kind: raw.kind,
                every_seconds,
                allow_private_network: raw.allow_private_network,
                news: self.news(&raw)?,
                page: raw.page,
                headline: raw.headline,
                full_text: raw.full_text,
                place,
            },
        })
    }

    fn news(&self, raw: &RawSource) -> Result<NewsLimits, ConfigError> {
        let within = |key: &str, value: Option<u32>, usual: u32, bounds: RangeInclusive<u32>| {
            let value = value.unwrap_or(usual);
            if bounds.contains(&value) {
                return Ok(value);
            }
            let what = format!("from {} to {}", bounds.start(), bounds.end());
            let hint = "docs/configuration.md says what it means";
            Err(self.invalid(key, &value.to_string(), what, hint))
        };
        let usual = NewsLimits::default();
        let RawSource { baseline_days, new_items_max, older_days_max, .. } = *raw;
        Ok(NewsLimits {
            baseline_days: within(
                "source.baseline_days",
                baseline_days,
                usual.baseline_days,
                0..=BASELINE_DAYS_MAX,
            )?,
            new_items_max: within(
                "source.new_items_max",
                new_items_max,
                usual.new_items_max,
                NEW_ITEMS_MAX,
            )?,
            older_days_max: within(
                "source.older_days_max",
                older_days_max,
                usual.older_days_max,
                OLDER_DAYS_MAX,
            )?,
        })
    }

    fn source_url(&self, text: &str) -> Result<Url, ConfigError> {
        let invalid = |what: &str| {
            let hint = "write an address that begins with https://, http:// or file:";
            self.invalid("source.url", text, what, hint)
        };
        // A file without a slash in front is beside the configuration file.
        if let Some(path) = text.strip_prefix("file:").filter(|path| !path.starts_with('/')) {
            let path = std::path::absolute(self.folder.join(path));
            let url = path.ok().and_then(|path| Url::from_file_path(path).ok());
            return url.ok_or_else(|| invalid("no such path can be"));
        }
        let url = Url::parse(text).map_err(|cause| invalid(&cause.to_string()))?;
        match url.scheme() {
            "http" | "https" | "file" => Ok(url),
            _ => Err(invalid("sources are read over http, https, or from a file")),
        }
    }

    fn list(&self, raw: RawList, sources: &[Source]) -> Result<List, ConfigError> {
        let id = raw.id.parse().map_err(|cause| {
            let hint = "small letters, digits and hyphens, such as \"residents\"";
            self.invalid("list.id", &raw.id, cause, hint)
        })?;
        let from: Mailbox = raw.from.parse().map_err(|cause| {
            let hint = "write it as \"Name <news@comune.example.it>\", or the address alone";
            self.invalid("list.from", &raw.from, cause, hint)
        })?;
        if !raw.quiet.is_empty() {
            return Err(self.invalid(
                "list.quiet",
                &raw.quiet.join(", "),
                "this version has no quiet ranges yet",
                "take the key out",
            ));
        }
        let carried = raw.sources.iter().map(|name| {
            let known = sources.iter().find(|source| source.id.as_str() == name);
            known.map(|source| source.id.clone()).ok_or_else(|| {
                let hint = "name the id of a [[source]], or leave sources = [] for all";
                self.invalid("list.sources", name, "there is no such source", hint)
            })
        });
        let sources = carried.collect::<Result<_, _>>()?;
        Ok(List {
            id,
            name: raw.name,
            from,
            public: raw.public,
            sources,
            in_doubt: raw.in_doubt,
            approval: raw.approval,
            cadences: self.cadences(raw.cadences)?,
        })
    }

    fn cadences(
        &self,
        raw: BTreeMap<String, RawCadence>,
    ) -> Result<BTreeMap<CadenceId, Schedule>, ConfigError> {
        let mut cadences = BTreeMap::new();
        for (name, value) in raw {
            let key = format!("list.cadences.{name}");
            let id: CadenceId = name.parse().map_err(|cause| {
                let hint = "small letters, digits and hyphens, such as \"daily\"";
                self.invalid("list.cadences", &name, cause, hint)
            })?;
            let schedule = match value {
                RawCadence::Offered(false) => continue,
                RawCadence::Offered(true) if id.is_immediate() => Schedule::Immediate,
                RawCadence::Cron(cron) if !id.is_immediate() => Schedule::parse(&cron)
                    .map_err(|error| self.invalid(&key, &cron, &error, error.hint()))?,
                RawCadence::Cron(cron) => {
                    let what = "news go out as they come; there is no hour";
                    return Err(self.invalid(&key, &cron, what, "write true or false"));
                }
                RawCadence::Offered(true) => {
                    let hint = "write a cron expression, such as \"0 0 7 * * *\" for 7 o'clock";
                    return Err(self.invalid(&key, "true", "at which hour?", hint));
                }
            };
            cadences.insert(id, schedule);
        }
        if cadences.is_empty() {
            let hint = "offer one at least, such as daily = \"0 0 7 * * *\"";
            return Err(self.invalid("list.cadences", "{}", "the list offers nothing", hint));
        }
        Ok(cadences)
    }
}
