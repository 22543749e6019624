//! Each record that a sender needs: whether it is there, and what to publish where it is not.

use std::net::IpAddr;

use super::{NameError, Names, is_reserved, is_within};
use crate::delivery::dkim::zone_line;

/// The most labels of a domain that are tried for a DMARC policy above it.
const PARENTS_MAX: usize = 4;

/// How it stands with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As it should be.
    Good,
    /// Not there, or not as it should be.
    Bad,
    /// Nobody could be asked, or there is nothing to ask.
    Unknown,
}

/// What was found of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsFinding {
    /// `SPF`, `DKIM`, `DMARC`, `MX`, `reverse name`.
    pub what: &'static str,
    /// How it stands.
    pub standing: Standing,
    /// What is there.
    pub detail: String,
    /// What to publish, or to do.
    pub hint: String,
}

/// What is asked about.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The domains of the lists' senders.
    pub senders: Vec<String>,
    /// The domain that bounces go to, which SPF is looked for at, where it is not a sender's.
    pub bounces: Option<String>,
    /// The domain that signs; empty where nothing is signed here.
    pub signer: String,
    /// Its records: name and text.
    pub keys: Vec<(String, String)>,
    /// The relay's host.
    pub relay: Option<String>,
}

struct Found(Vec<DnsFinding>);

impl Found {
    fn push(&mut self, what: &'static str, standing: Standing, detail: String, hint: &str) {
        self.0.push(DnsFinding { what, standing, detail, hint: hint.to_owned() });
    }

    /// What could not be asked.
    fn unknown(&mut self, what: &'static str, error: &NameError) {
        let hint = "look whether this machine's resolver answers, or name one under [dns]";
        self.push(what, Standing::Unknown, error.to_string(), hint);
    }
}

/// Looks at everything that DNS should say of those who send.
pub async fn look(names: &Names, asked: &Asked) -> Vec<DnsFinding> {
    let mut found = Found(Vec::new());
    for sender in &asked.senders {
        if is_reserved(sender) {
            let detail = format!("{sender} is a name for examples; nothing can be published there");
            let hint = "write your own addresses under [[list]] from";
            found.push("DNS", Standing::Unknown, detail, hint);
            continue;
        }
        // SPF is about the return path (RFC 7208 2.4).
        let return_path = asked.bounces.as_deref().unwrap_or(sender);
        spf(names, return_path, asked.relay.as_deref(), &mut found).await;
        signing(sender, asked, &mut found);
        dmarc(names, sender, &mut found).await;
        mx(names, sender, &mut found).await;
    }
    let bounces = asked.bounces.iter().filter(|domain| !asked.senders.contains(domain));
    for domain in bounces.filter(|domain| !is_reserved(domain)) {
        mx(names, domain, &mut found).await;
    }
    for (name, text) in asked.keys.iter().filter(|_| !is_reserved(&asked.signer)) {
        key(names, name, text, &mut found).await;
    }
    if let Some(relay) = &asked.relay {
        reverse(names, relay, &mut found).await;
    }
    let mut seen = Vec::new();
    found.0.retain(|one| {
        let new = !seen.contains(one);
        seen.push(one.clone());
        new
    });
    found.0
}

async fn spf(names: &Names, domain: &str, relay: Option<&str>, found: &mut Found) {
    let is_spf = |text: &String| {
        let mut words = text.split(' ');
        words.next().is_some_and(|word| word.eq_ignore_ascii_case("v=spf1"))
    };
    let texts = match names.texts(domain).await {
        Ok(texts) => texts,
        Err(error) => return found.unknown("SPF", &error),
    };
    let records: Vec<&String> = texts.iter().filter(|text| is_spf(text)).collect();
    let host = relay.filter(|host| host.parse::<IpAddr>().is_err() && host.contains('.'));
    let sends = host.map_or("a mx".to_owned(), |host| format!("a:{host}"));
    match records[..] {
        [] => {
            let line = zone_line(domain, &format!("v=spf1 {sends} ~all"));
            let hint = format!(
                "publish who may send: {line}; your provider says what to write for its own servers"
            );
            found.push("SPF", Standing::Bad, format!("{domain} has no SPF record"), &hint);
        }
        [record] if record.to_ascii_lowercase().split(' ').any(|w| w == "+all" || w == "all") => {
            let detail = format!("{domain} lets everybody send in its name: {record}");
            found.push("SPF", Standing::Bad, detail, "end the record with ~all or -all");
        }
        [record] => found.push("SPF", Standing::Good, format!("{domain}: {record}"), ""),
        _ => {
            let detail = format!("{domain} has {} SPF records, which is none", records.len());
            let hint = "make them one (RFC 7208 4.5): all the mechanisms in one record";
            found.push("SPF", Standing::Bad, detail, hint);
        }
    }
}

/// Whether the domain that signs is the sender's, as DMARC wants it (RFC 7489 3.1.1).
fn signing(sender: &str, asked: &Asked, found: &mut Found) {
    let signer = asked.signer.as_str();
    if signer.is_empty() {
        let detail = "mail is not signed here; receivers want it to be signed".to_owned();
        let hint = "let your relay sign, or make keys with `banditore dkim new`";
        found.push("DKIM", Standing::Unknown, detail, hint);
    } else if !is_within(sender, signer) && !is_within(signer, sender) {
        let detail = format!("{signer} signs for {sender}, which DMARC does not count");
        let hint = "sign with a key of the sender's own domain, or write from that domain";
        found.push("DKIM", Standing::Bad, detail, hint);
    }
}

async fn key(names: &Names, name: &str, text: &str, found: &mut Found) {
    let texts = match names.texts(name).await {
        Ok(texts) => texts,
        Err(error) => return found.unknown("DKIM", &error),
    };
    let public = |record: &str| {
        let tag = record.split(';').find_map(|tag| tag.trim().strip_prefix("p="));
        tag.map(|key| key.split_whitespace().collect::<String>())
    };
    let ours = public(text);
    let publish = format!("publish {}", zone_line(name, text));
    match &texts[..] {
        [] => found.push("DKIM", Standing::Bad, format!("{name} is not there"), &publish),
        [one] if public(one) == ours => {
            found.push("DKIM", Standing::Good, format!("{name} has this key"), "");
        }
        [_] => found.push("DKIM", Standing::Bad, format!("{name} has another key"), &publish),
        _ => {
            let detail = format!("{name} has {} records; one is right", texts.len());
            found.push("DKIM", Standing::Bad, detail, &publish);
        }
    }
}

async fn dmarc(names: &Names, domain: &str, found: &mut Found) {
    let mut at = domain;
    for _ in 0..PARENTS_MAX {
        let name = format!("_dmarc.{at}");
        let texts = match names.texts(&name).await {
            Ok(texts) => texts,
            Err(error) => return found.unknown("DMARC", &error),
        };
        let is_policy = |text: &&String| {
            let version = text.split(';').next().unwrap_or_default();
            version.split_whitespace().collect::<String>() == "v=DMARC1"
        };
        if let Some(policy) = texts.iter().find(is_policy) {
            return found.push("DMARC", Standing::Good, format!("{name}: {policy}"), "");
        }
        match at.split_once('.') {
            Some((_, parent)) if parent.contains('.') => at = parent,
            _ => break,
        }
    }
    let text = format!("v=DMARC1; p=none; rua=mailto:postmaster@{domain}");
    let line = zone_line(&format!("_dmarc.{domain}"), &text);
    let hint = format!("publish {line}; once reports show that all is well, p=quarantine");
    found.push("DMARC", Standing::Bad, format!("{domain} has no DMARC policy"), &hint);
}

async fn mx(names: &Names, domain: &str, found: &mut Found) {
    let servers = match names.mail_servers(domain).await {
        Ok(servers) => servers,
        Err(error) => return found.unknown("MX", &error),
    };
    let hint = "publish an MX record with the server that takes answers and bounces";
    match servers.first().map(String::as_str) {
        None => {
            let detail = format!("{domain} says no server that takes its mail");
            found.push("MX", Standing::Bad, detail, hint);
        }
        Some(".") => {
            let detail = format!("{domain} says that it takes no mail");
            found.push("MX", Standing::Bad, detail, hint);
        }
        Some(_) => {
            found.push("MX", Standing::Good, format!("{domain}: {}", servers.join(", ")), "");
        }
    }
}

/// Whether the relay's addresses have names that lead back to them.
async fn reverse(names: &Names, relay: &str, found: &mut Found) {
    const WHAT: &str = "reverse name";
    let own: Result<IpAddr, _> = relay.parse();
    let addresses = match own {
        Ok(address) => [address].into(),
        Err(_) if is_reserved(relay) => Default::default(),
        Err(_) => match names.addresses(relay).await {
            Ok(addresses) => addresses,
            Err(error) => return found.unknown(WHAT, &error),
        },
    };
    let public = addresses.into_iter().filter(|address| crate::ingest::is_public(*address));
    let mut any = false;
    for address in public {
        any = true;
        let of = match names.names_of(address).await {
            Ok(of) => of,
            Err(error) => {
                found.unknown(WHAT, &error);
                continue;
            }
        };
        let mut leads_back = None;
        for name in &of {
            match names.addresses(name).await {
                Ok(back) if back.contains(&address) => leads_back = Some(name),
                _ => {}
            }
        }
        let hint = "let whoever owns the address give it a name that leads back to it";
        match leads_back {
            Some(name) => found.push(WHAT, Standing::Good, format!("{address}: {name}"), ""),
            None if of.is_empty() => {
                found.push(WHAT, Standing::Bad, format!("{address} has no name"), hint);
            }
            None => {
                let detail = format!("{address} is {}, which is not it", of.join(", "));
                found.push(WHAT, Standing::Bad, detail, hint);
            }
        }
    }
    if !any {
        let detail = format!("{relay} is inside your network: who is outside sees another address");
        let hint = "let the address that your mail leaves by have a name that leads back to it";
        found.push(WHAT, Standing::Unknown, detail, hint);
    }
}
