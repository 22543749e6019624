//! `messages …`

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::process::ExitCode;

use serde_json::json;

use super::output::{print, print_json_line};
use super::{CliError, Context, acting, args, messages_count};
use crate::audience::public_id;
use crate::delivery::{self, Decision, message_id, notice_message_id};
use crate::installation::Installation;
use crate::store::{MessageState, Tx};

/// Messages read in one go.
const MESSAGES_A_PAGE: i64 = 1_000;

/// Runs one of the commands.
pub async fn run(context: &Context, command: args::Messages) -> Result<ExitCode, CliError> {
    let installation = context.open().await?;
    match command {
        args::Messages::List { state, json } => list(&installation, state, json).await,
        args::Messages::Count { edition, json } => {
            messages_count::run(&installation, edition, json).await
        }
        args::Messages::Resend { ids, by } => {
            decide(installation, &ids, &by, Decision::Resend).await
        }
        args::Messages::Drop { ids, by } => decide(installation, &ids, &by, Decision::Drop).await,
    }
}

async fn list(
    installation: &Installation,
    state: Option<MessageState>,
    json: bool,
) -> Result<ExitCode, CliError> {
    let zone = installation.config.site.timezone;
    let mut senders: BTreeMap<i64, String> = BTreeMap::new();
    let mut after = 0;
    loop {
        let mut tx = installation.store.read().await?;
        let page = tx.messages_after(after, state, MESSAGES_A_PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        for message in page {
            let attempts = tx.attempts(message.id).await?;
            let reply = attempts.last().and_then(|attempt| attempt.reply.clone());
            let subscriber = public_id(message.subscriber_id);
            if json {
                let (edition, keys) = (message.edition_id, &installation.keys);
                let sender = match senders.entry(edition) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => new.insert(sender_of(&mut tx, edition).await?),
                };
                print_json_line(&json!({
                    "id": message.id,
                    "message_id": message_id(keys, edition, message.subscriber_id, sender),
                    "edition": message.edition_id,
                    "subscriber": subscriber,
                    "state": message.state,
                    "cause": message.cause,
                    "attempts": message.attempts,
                    "created": message.created_at.rfc3339(zone),
                    "next_try": message.next_try_at.rfc3339(zone),
                    "reply": reply,
                }))?;
            } else {
                let cause = message.cause.as_deref().or(reply.as_deref()).unwrap_or_default();
                print(&format!(
                    "{} edition {} to {subscriber}: {} {cause}\n",
                    message.id, message.edition_id, message.state
                ))?;
            }
        }
    }
    list_notices(installation, state, json).await?;
    Ok(ExitCode::SUCCESS)
}

/// Notices are messages of no edition.
async fn list_notices(
    installation: &Installation,
    state: Option<MessageState>,
    json: bool,
) -> Result<(), CliError> {
    let zone = installation.config.site.timezone;
    let mut after = 0;
    loop {
        let mut tx = installation.store.read().await?;
        let page = tx.notice_messages_after(after, MESSAGES_A_PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.id;
        for message in page.iter().filter(|message| state.is_none_or(|of| of == message.state)) {
            let attempts = tx.attempts(message.id).await?;
            let reply = attempts.last().and_then(|attempt| attempt.reply.clone());
            let subscriber = public_id(message.subscriber_id);
            let kind = message.kind.as_str();
            if json {
                let keys = &installation.keys;
                print_json_line(&json!({
                    "id": message.id,
                    "message_id": notice_message_id(keys, message.notice, &message.sender),
                    "edition": null,
                    "notice": kind,
                    "subscriber": subscriber,
                    "state": message.state,
                    "cause": message.cause,
                    "attempts": message.attempts,
                    "created": message.created_at.rfc3339(zone),
                    "next_try": message.next_try_at.rfc3339(zone),
                    "reply": reply,
                }))?;
            } else {
                let cause = message.cause.as_deref().or(reply.as_deref()).unwrap_or_default();
                let (id, state) = (message.id, message.state);
                print(&format!("{id} notice {kind} to {subscriber}: {state} {cause}\n"))?;
            }
        }
    }
}

/// The mailbox that an edition's mail is from.
async fn sender_of(tx: &mut Tx<'_>, edition: i64) -> Result<String, CliError> {
    let Some(edition) = tx.edition(edition).await? else { return Ok(String::new()) };
    Ok(tx.list(&edition.list_id).await?.map(|list| list.sender).unwrap_or_default())
}

/// Sends messages again, or drops them, because a named person wants it.
async fn decide(
    installation: Installation,
    ids: &[i64],
    by: &str,
    decision: Decision,
) -> Result<ExitCode, CliError> {
    let installation = installation.acting_as(acting::person(by));
    let now = installation.clock.now();
    delivery::decide(&installation.store, ids, decision, by, now).await?;
    let done = match decision {
        Decision::Resend => "queued again",
        Decision::Drop => "dropped",
    };
    print(&format!("{} message(s) {done}\n", ids.len()))?;
    Ok(ExitCode::SUCCESS)
}
