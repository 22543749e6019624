//! The feeds that a page names (HTML 4.6.7.1: `link rel=alternate` with a feed's type).

use scraper::{Html, Selector};
use url::Url;

use super::clean;

/// How many feeds of one page are named.
pub const ALTERNATES_MAX: usize = 5;

/// The addresses of a page's feeds of news, in its order. Feeds of comments are none.
pub(super) fn feeds(html: &Html, base: &Url) -> Vec<String> {
    let Ok(selector) = Selector::parse("link[rel][type][href]") else { return Vec::new() };
    let mut found: Vec<String> = Vec::new();
    for link in html.select(&selector) {
        let attribute = |name: &str| link.attr(name).unwrap_or_default().trim();
        let alternate = attribute("rel")
            .split_ascii_whitespace()
            .any(|relation| relation.eq_ignore_ascii_case("alternate"));
        let kind = attribute("type").to_ascii_lowercase();
        let is_feed = ["rss+xml", "atom+xml", "rdf+xml", "feed+json"]
            .iter()
            .any(|feed| kind.starts_with("application/") && kind.contains(feed));
        let of_comments = [attribute("title"), attribute("href")]
            .iter()
            .any(|text| text.to_lowercase().contains("comment"));
        if !alternate || !is_feed || of_comments || found.len() == ALTERNATES_MAX {
            continue;
        }
        let address = clean::absolute(base, attribute("href")).map(String::from);
        found.extend(address.filter(|address| !found.contains(address)));
    }
    found
}
