//! From an answer to items: what is new, what was changed, what was there before.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use std::collections::BTreeMap;

use super::albo::keep_act;
use super::full_text::text_with_teaser;
use super::{ReadItem, Reading};
use crate::model::Timestamp;
use crate::store::{NewRevision, PollRow, SourceRow, StoreError, Tx};

/// The longest identity kept, in octets; longer ones are told apart by their digest.
const IDENTITY_OCTETS_MAX: usize = 500;

/// An item that was not there before.
#[derive(Clone, Debug)]
pub struct NewItem {
    /// Its id.
    pub id: i64,
    /// Its texts.
    pub text: NewRevision,
}

/// What an answer brought.
#[derive(Clone, Debug, Default)]
pub struct TakenIn {
    /// Items that are new and are to be told, the oldest first.
    pub new: Vec<NewItem>,
    /// Items that are new and belong to the source's first answer, which tells nobody.
    pub baseline: usize,
    /// Items with a changed text, as (item, revision).
    pub revised: Vec<(NewItem, i64)>,
}

/// The validators and times of a poll.
#[derive(Clone, Debug, Default)]
pub struct Validators {
    /// The answer's entity tag (RFC 9110 8.8.3).
    pub etag: Option<String>,
    /// The answer's date (RFC 9110 8.8.2).
    pub last_modified: Option<String>,
}

/// Takes an answer in. Run twice with the same answer, the second time changes nothing; an item
/// that is absent from an answer stays.
///
/// # Errors
/// Where the database fails.
pub async fn take_in(
    tx: &mut Tx<'_>,
    source: &SourceRow,
    reading: &Reading,
    validators: &Validators,
    now: Timestamp,
    next: Timestamp,
) -> Result<TakenIn, StoreError> {
    let baseline = source.baseline_at.is_none();
    let mut taken = TakenIn::default();
    let identities = identities(&reading.items);
    for (item, identity) in in_order_of_age(&reading.items, &identities) {
        let text = revision(item);
        let digest = digest(item);
        let held = tx.item_by_identity(&source.id, identity).await?;
        if let Some(held) = &held {
            keep_act(tx, held.id, Some(held), item).await?;
        }
        match held {
            None => {
                let id =
                    tx.insert_item(&source.id, identity, &digest, baseline, &text, now).await?;
                keep_act(tx, id, None, item).await?;
                if baseline {
                    taken.baseline += 1;
                } else {
                    taken.new.push(NewItem { id, text });
                }
            }
            Some(held) if held.digest != digest => {
                let number = held.revision + 1;
                tx.revise_item(held.id, number, &digest, &text, now).await?;
                taken.revised.push((NewItem { id: held.id, text }, number));
            }
            Some(_) => {}
        }
    }
    let changed = taken.baseline + taken.new.len() + taken.revised.len() > 0;
    let poll = PollRow {
        source: &source.id,
        now,
        next,
        etag: validators.etag.as_deref(),
        last_modified: validators.last_modified.as_deref(),
        title: reading.title.as_deref(),
        changed,
        baseline: baseline && !reading.items.is_empty(),
    };
    tx.record_poll(&poll).await?;
    Ok(taken)
}

/// What makes each item the same at the next poll: the publisher's id, else its own page, else its
/// page and title where several items share one, else the title.
fn identities(items: &[ReadItem]) -> Vec<String> {
    let mut shared: BTreeMap<&str, usize> = BTreeMap::new();
    for link in
        items.iter().filter(|item| item.id.is_none()).filter_map(|item| item.link.as_deref())
    {
        *shared.entry(link).or_default() += 1;
    }
    let identity = |item: &ReadItem| match (&item.id, &item.link) {
        (Some(id), _) => format!("id:{id}"),
        (None, Some(link)) if shared.get(link.as_str()) == Some(&1) => format!("link:{link}"),
        (None, Some(link)) => format!("link:{link} title:{}", item.title),
        (None, None) => format!("title:{}", item.title),
    };
    let short = |text: String| {
        if text.len() <= IDENTITY_OCTETS_MAX { text } else { format!("sha256:{}", hex(&text)) }
    };
    items.iter().map(identity).map(short).collect()
}

/// The items with the oldest first. Publication dates decide where every item has one; else the
/// answer is read from its end, since sources put the newest first.
fn in_order_of_age<'a>(
    items: &'a [ReadItem],
    identities: &'a [String],
) -> Vec<(&'a ReadItem, &'a str)> {
    let mut ordered: Vec<(&ReadItem, &str)> =
        items.iter().zip(identities.iter().map(String::as_str)).rev().collect();
    if items.iter().all(|item| item.published.is_some()) {
        ordered.sort_by_key(|(item, _)| item.published);
    }
    ordered
}

fn revision(item: &ReadItem) -> NewRevision {
    NewRevision {
        title: item.title.clone(),
        link: item.link.clone(),
        summary: item
            .full_text
            .as_ref()
            .map_or_else(|| item.summary.clone(), |html| text_with_teaser(&item.summary, html)),
        content: item.full_text.as_ref().unwrap_or(&item.content).clone(),
        image_alt: item.image_alt.clone(),
        categories: item.categories.clone(),
        published_at: item.published.map(Timestamp::from),
        updated_at: item.updated.map(Timestamp::from),
    }
}

/// A digest of what people read. Dates are no part of it: many sources move them at every poll; nor
/// is the text of the item's own page, which is asked once.
fn digest(item: &ReadItem) -> String {
    hex(&format!("{}\n{}\n{}", item.title, item.summary, item.content))
}

fn hex(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text.as_bytes())[..16])
}
