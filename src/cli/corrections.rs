//! `topics correct`, `topics corrections`, `topics suggest`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde_json::json;

use super::explain::find_item;
use super::output::{print, print_json, print_json_line};
use super::stored::{StoredItem, StoredItems};
use super::topics_args::Correct;
use super::{CliError, Context, acting};
use crate::editions;
use crate::installation::Installation;
use crate::model::TopicId;
use crate::store::{CorrectionRow, Tx};
use crate::topics::{CorrectionSubject, ItemText, Rules, Suggesting, Suggestion, Suggestions};

/// Corrections read in one go.
const CORRECTIONS_A_PAGE: i64 = 1_000;

/// Fewer corrected items than this tell nothing.
const CORRECTED_MIN: usize = 2;

/// Keeps a correction.
pub async fn correct(context: &Context, args: &Correct) -> Result<ExitCode, CliError> {
    let installation = context.open().await?.acting_as(acting::person(&args.by));
    let subject = subject(&installation.rules, args)?;
    let now = installation.clock.now();
    let mut tx = installation.store.write().await?;
    let item = find_item(&mut tx, &args.item).await?.id;
    let is = args.is && !args.is_not;
    let rules = &installation.rules;
    let kept =
        editions::correct_with_implied(&mut tx, rules, item, &subject, is, &args.by, now).await?;
    tx.commit().await?;
    if kept.is_empty() {
        print(&format!("item {item} {}: that was said already\n", says(&subject, is)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let all: Vec<String> = kept.iter().map(|subject| says(subject, is)).collect();
    let all = all.join(" and ");
    print(&format!("item {item} {all}: editions that are opened from now on know it\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn says(subject: &CorrectionSubject, is: bool) -> String {
    match (subject, is) {
        (CorrectionSubject::Topic(id), true) => format!("is about {id}"),
        (CorrectionSubject::Topic(id), false) => format!("is not about {id}"),
        (CorrectionSubject::Place(id), true) => format!("matters in {id}"),
        (CorrectionSubject::Place(id), false) => format!("does not matter in {id}"),
    }
}

/// The topic or place that is meant, which must be one of the rules.
fn subject(rules: &Rules, args: &Correct) -> Result<CorrectionSubject, CliError> {
    if let Some(id) = &args.topic {
        known_topic(rules, id)?;
        return Ok(CorrectionSubject::Topic(id.clone()));
    }
    let Some(id) = &args.place else {
        return Err(CliError::usage("no topic and no place is named", "name one of them"));
    };
    if rules.places().iter().any(|place| place.id == *id) {
        return Ok(CorrectionSubject::Place(id.clone()));
    }
    let what = format!("there is no place {id}");
    Err(CliError::usage(what, "write the id of a place of places.toml"))
}

fn known_topic(rules: &Rules, id: &TopicId) -> Result<(), CliError> {
    if rules.topics().iter().any(|topic| topic.id == *id) {
        return Ok(());
    }
    let hint = "`banditore topics list` lists them";
    Err(CliError::usage(format!("there is no topic {id}"), hint))
}

/// Lists the corrections, or the corrected items as lines for `topics eval`.
pub async fn list(context: &Context, json: bool, labelled: bool) -> Result<ExitCode, CliError> {
    let installation = context.open_to_look().await?;
    let zone = installation.config.site.timezone;
    let mut tx = installation.store.read().await?;
    let rows = all(&mut tx).await?;
    if labelled {
        return labels(&installation, &mut tx, &rows).await;
    }
    for row in rows {
        let CorrectionRow { item, kind, subject, is, by, at, .. } = row;
        let at = at.rfc3339(zone);
        if json {
            print_json_line(&json!({
                "item": item, kind: subject, "is": is, "by": by, "at": at,
            }))?;
        } else {
            let is = if is { "is" } else { "is not" };
            print(&format!("{item} {is} {kind} {subject}, {by}, {at}\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn all(tx: &mut Tx<'_>) -> Result<Vec<CorrectionRow>, CliError> {
    let mut rows: Vec<CorrectionRow> = Vec::new();
    loop {
        let after = rows.last().map_or(0, |row| row.id);
        let page = tx.corrections_after(after, CORRECTIONS_A_PAGE).await?;
        if page.is_empty() {
            return Ok(rows);
        }
        rows.extend(page);
    }
}

/// Each corrected item with what is right of it: what the rules find and persons have corrected.
async fn labels(
    installation: &Installation,
    tx: &mut Tx<'_>,
    rows: &[CorrectionRow],
) -> Result<ExitCode, CliError> {
    let items: std::collections::BTreeSet<i64> = rows.iter().map(|row| row.item).collect();
    for id in items {
        let Some(item) = StoredItem::by_id(tx, id).await? else { continue };
        let found = item.found(&installation.rules, installation.config.site.timezone);
        let topics: Vec<_> = found.topics.iter().map(|topic| &topic.id).collect();
        let places: Vec<_> = found.places.iter().map(|place| &place.id).collect();
        let text = ItemText::from(&item.text);
        print_json_line(&json!({
            "item": id, "title": text.title, "text": text.text, "categories": text.categories,
            "image_alt": text.image_alt, "topics": topics, "places": places,
        }))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Proposes rules for a topic.
pub async fn suggest(
    context: &Context,
    topic: &TopicId,
    days: u32,
    json: bool,
) -> Result<ExitCode, CliError> {
    let installation = context.open_to_look().await?;
    known_topic(&installation.rules, topic)?;
    let mut tx = installation.store.read().await?;
    let mut corrected = BTreeMap::new();
    for row in all(&mut tx).await? {
        if row.kind == "topic" && row.subject == topic.as_str() {
            corrected.insert(row.item, row.is);
        }
    }
    if corrected.len() < CORRECTED_MIN {
        let what = format!("{} items are corrected for {topic}", corrected.len());
        let hint = format!("correct {CORRECTED_MIN} at least: `banditore topics correct`");
        return Err(CliError::failed(what, hint));
    }
    let mut suggesting = Suggesting::default();
    for (id, is) in &corrected {
        if let Some(item) = StoredItem::by_id(&mut tx, *id).await? {
            suggesting.corrected(&ItemText::from(&item.text), *is);
        }
    }
    let mut items = StoredItems::of_days(days, installation.clock.now());
    while let Some(item) = items.next(&mut tx).await? {
        if !corrected.contains_key(&item.id) {
            suggesting.other(&ItemText::from(&item.text));
        }
    }
    let suggestions = suggesting.suggestions();
    match json {
        true => print_json(&suggestions)?,
        false => print(&as_rules(topic, &suggestions))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The proposals as they would stand in the file of topics.
fn as_rules(topic: &TopicId, suggestions: &Suggestions) -> String {
    let Suggestions { is, is_not, others, strong, weak, not } = suggestions;
    let mut text = format!(
        "# {is} items are about {topic}, {is_not} are not, as persons say; {others} others stand \
         beside them.\n# Put what is right into the [[topic]] with id = \"{topic}\", and try it \
         with `topics diff`.\n"
    );
    for (key, list) in [("strong", strong), ("weak", weak), ("not", not)] {
        if list.is_empty() {
            continue;
        }
        text.push_str(&format!("{key} = [\n"));
        for Suggestion { phrase, likelihood, is, is_not, others } in list {
            text.push_str(&format!(
                "  {phrase:?},  # in {is} that are, {is_not} that are not, {others} others; \
                 {likelihood:.1}\n"
            ));
        }
        text.push_str("]\n");
    }
    if strong.is_empty() && weak.is_empty() && not.is_empty() {
        text.push_str("# No word separates them.\n");
    }
    text
}
