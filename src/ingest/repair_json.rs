//! What is mended in a JSON Feed before its reader sees it: that one refuses the whole feed where
//! one value is not of its type.

use serde_json::{Map, Value};

/// The texts of a feed and of an item, as JSON Feed 1.1 has them; 1.0 has a part of them.
const FEED_TEXTS: [&str; 7] =
    ["title", "home_page_url", "feed_url", "language", "description", "icon", "favicon"];
const ITEM_TEXTS: [&str; 9] = [
    "id",
    "url",
    "external_url",
    "title",
    "content_html",
    "content_text",
    "summary",
    "date_published",
    "date_modified",
];

/// Mends a JSON Feed: what the format lets a reader tolerate (ids that are numbers, a title that
/// is missing), values of another type than theirs, and the version's address in its secure form.
pub(super) fn repair_json(text: &str) -> Result<String, serde_json::Error> {
    let mut feed: Value = serde_json::from_str(text)?;
    if let Some(feed) = feed.as_object_mut() {
        let version = feed.get("version").and_then(Value::as_str).unwrap_or_default();
        let version = version.replacen("http://", "https://", 1);
        let known = ["https://jsonfeed.org/version/1", "https://jsonfeed.org/version/1.1"];
        // Who has items and names no version, or one to come, still means a feed.
        let version = match known.contains(&version.as_str()) || !feed.contains_key("items") {
            true => version.as_str(),
            false => known[1],
        };
        let version = Value::from(version);
        feed.insert("version".to_owned(), version);
        keep_texts(feed, &FEED_TEXTS);
        feed.entry("title").or_insert_with(|| "".into());
        keep_authors(feed);
        feed.retain(|key, _| key != "hubs" && key != "expired");
        if let Some(items) = feed.get_mut("items").and_then(Value::as_array_mut) {
            items.retain(Value::is_object);
            items.iter_mut().filter_map(Value::as_object_mut).for_each(mend_item);
        }
    }
    Ok(feed.to_string())
}

fn mend_item(item: &mut Map<String, Value>) {
    keep_texts(item, &ITEM_TEXTS);
    keep_authors(item);
    if let Some(tags) = item.remove("tags") {
        let tags = if tags.is_array() { tags } else { Value::Array(vec![tags]) };
        let texts = tags.as_array().into_iter().flatten().filter(|tag| tag.is_string());
        item.insert("tags".to_owned(), texts.cloned().collect());
    }
    if let Some(Value::Array(attachments)) = item.remove("attachments") {
        let kept = attachments.iter().filter_map(|attachment| {
            let text = |key: &str| attachment.get(key).filter(|value| value.is_string()).cloned();
            let url = text("url")?;
            let kind = text("mime_type").unwrap_or_else(|| "application/octet-stream".into());
            Some(serde_json::json!({ "url": url, "mime_type": kind }))
        });
        item.insert("attachments".to_owned(), kept.collect());
    }
}

/// Numbers become texts, and what is no text goes.
fn keep_texts(object: &mut Map<String, Value>, keys: &[&str]) {
    for key in keys {
        let Some(value) = object.get_mut(*key) else { continue };
        match value {
            Value::String(_) => {}
            Value::Number(number) => *value = number.to_string().into(),
            _ => {
                object.remove(*key);
            }
        }
    }
}

/// Nobody reads who wrote an item, and a form of it that is not known shall not cost the feed.
fn keep_authors(object: &mut Map<String, Value>) {
    object.retain(|key, _| key != "author" && key != "authors");
}
