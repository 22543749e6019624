//! `explain` and `audit`.

use std::process::ExitCode;

use serde_json::json;

use super::output::{print, print_json, table};
use super::subscribers::address;
use super::{CliError, Context, args};
use crate::delivery;
use crate::editions::{self, Explanation, Verdict, WhyStep};
use crate::ingest::link_key;
use crate::store::{ItemRow, Tx};

/// Says why somebody was told an item, or was not.
pub async fn explain(context: &Context, args: &args::Explain) -> Result<ExitCode, CliError> {
    let installation = context.open_to_look().await?;
    let address = address(&args.subscriber)?;
    let hash = installation.keys.address_hash(&address);
    let mut tx = installation.store.read().await?;
    let item = find_item(&mut tx, &args.item).await?;
    let explanation = match tx.subject_by_hash(&hash).await? {
        Some(subject) => {
            let (rules, zone) = (&installation.rules, installation.config.site.timezone);
            let now = installation.clock.now();
            editions::explain(&mut tx, rules, zone, &item, &subject, now).await?
        }
        None => unknown(tx.suppression(&hash).await?.map(|held| held.cause)),
    };
    if args.json {
        print_json(&explanation)?;
    } else {
        let verdict = json!(explanation.verdict);
        print(&format!("{}\n", verdict.as_str().unwrap_or_default()))?;
        for step in &explanation.steps {
            let mark = if step.holds { "yes" } else { "NO " };
            print(&format!("  {mark}  {}: {}\n", step.step, step.detail))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The explanation for an address that nobody has.
fn unknown(suppressed: Option<String>) -> Explanation {
    let mut detail = "the address is not known".to_owned();
    if let Some(cause) = suppressed {
        detail.push_str(&format!("; it must not be written to ({cause})"));
    }
    let step = WhyStep { step: "subscription", holds: false, detail };
    Explanation { verdict: Verdict::NotTold, steps: vec![step] }
}

pub(super) async fn find_item(tx: &mut Tx<'_>, item: &str) -> Result<ItemRow, CliError> {
    let found = match item.parse::<i64>() {
        Ok(id) => tx.item(id).await?,
        Err(_) => match tx.items_by_link(item).await?.into_iter().next_back() {
            Some(found) => Some(found),
            // Items are known by their former addresses too, with a session or without.
            None => match tx.items_by_key(&link_key(item)).await?.last() {
                Some(id) => tx.item(*id).await?,
                None => None,
            },
        },
    };
    found.ok_or_else(|| {
        let hint = "give the item's number, or the address of its page as the source has it";
        CliError::usage(format!("there is no item {item}"), hint)
    })
}

/// Adds up the ledger.
pub async fn audit(context: &Context, args: &args::Audit) -> Result<ExitCode, CliError> {
    let installation = context.open_to_look().await?;
    let zone = installation.config.site.timezone;
    let audit =
        delivery::audit(&installation.store, &installation.keys, args.edition, zone).await?;
    if let Some(id) = args.edition.filter(|_| audit.editions.is_empty()) {
        return Err(CliError::no_edition(id));
    }
    if args.json {
        print_json(&audit)?;
    } else {
        let rows: Vec<Vec<String>> = audit
            .editions
            .iter()
            .map(|edition| {
                let messages = edition.messages.iter().filter(|(_, count)| **count > 0);
                let messages: Vec<String> =
                    messages.map(|(state, count)| format!("{state} {count}")).collect();
                vec![
                    edition.id.to_string(),
                    edition.list.clone(),
                    edition.cadence.clone(),
                    edition.slot.clone(),
                    edition.considered.to_string(),
                    edition.empty.to_string(),
                    edition.suppressed.to_string(),
                    messages.join(", "),
                    if edition.balanced { "yes" } else { "NO" }.to_owned(),
                ]
            })
            .collect();
        let header = [
            "edition",
            "list",
            "cadence",
            "slot",
            "considered",
            "empty",
            "suppressed",
            "messages",
            "balanced",
        ];
        print(&table(&header, &rows))?;
        if let Some(notices) = audit.notices.iter().find(|notices| notices.written > 0) {
            let messages = notices.messages.iter().filter(|(_, count)| **count > 0);
            let messages: Vec<String> =
                messages.map(|(state, count)| format!("{state} {count}")).collect();
            let balanced = if notices.balanced { "yes" } else { "NO" };
            let (written, messages) = (notices.written, messages.join(", "));
            print(&format!("notices {written}: {messages}; balanced: {balanced}\n"))?;
        }
        let notices = audit.notices.iter().flat_map(|notices| &notices.doubts);
        let doubts = audit.editions.iter().flat_map(|edition| &edition.doubts).chain(notices);
        for doubt in doubts {
            let (message, attempt, state) = (doubt.message, doubt.attempt, doubt.state);
            print(&format!(
                "in doubt: message {message} to {}, attempt {attempt}; now {state}\n",
                doubt.subscriber
            ))?;
        }
    }
    if !audit.balanced {
        return Err(CliError::failed(
            "the ledger does not balance",
            "look at the editions marked NO; keep the database as it is for whoever helps you",
        ));
    }
    Ok(ExitCode::SUCCESS)
}
