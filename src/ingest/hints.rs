//! What a feed says of when it is to be read: `ttl`, `skipHours` and `skipDays` of RSS 2.0.

use serde::{Deserialize, Serialize};

/// How many octets of one of these elements are looked at.
const ELEMENT_OCTETS_MAX: usize = 2_000;

/// The names of `skipDays`, in the order of [`FeedHints::skip_days`].
const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// When a feed asks to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FeedHints {
    /// For how many minutes it need not be read again.
    pub ttl_minutes: u32,
    /// The hours, in GMT, in which it is not to be read.
    pub skip_hours: Vec<u8>,
    /// The days, in GMT, on which it is not to be read: 0 is Monday.
    pub skip_days: Vec<u8>,
}

impl FeedHints {
    /// Looks for the hints in a feed's octets, before its first item and after its last. Another
    /// document, or one in UTF-16, has none.
    pub fn of(body: &[u8]) -> Self {
        let (head, tail) = around_items(body);
        let element = |name: &str| content(head, name).or_else(|| content(tail, name));
        let ttl = element("ttl").and_then(|text| text.trim().parse().ok());
        let hours = element("skipHours").map_or_else(Vec::new, |text| {
            // Some count to 24, which is 0.
            let hours = each(&text, "hour").filter_map(|hour| hour.parse::<u8>().ok());
            sorted(hours.filter(|hour| *hour <= 24).map(|hour| hour % 24))
        });
        let days = element("skipDays").map_or_else(Vec::new, |text| {
            let known = |day: &str| DAYS.iter().position(|name| name.eq_ignore_ascii_case(day));
            sorted(each(&text, "day").filter_map(|day| u8::try_from(known(day)?).ok()))
        });
        Self { ttl_minutes: ttl.unwrap_or(0), skip_hours: hours, skip_days: days }
    }
}

fn sorted(numbers: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut numbers: Vec<u8> = numbers.collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// What stands before the first item and after the last: items are a stranger's text.
fn around_items(body: &[u8]) -> (&[u8], &[u8]) {
    let find = |what: &[u8]| body.windows(what.len()).position(|part| part == what);
    let rfind = |what: &[u8]| body.windows(what.len()).rposition(|part| part == what);
    let Some(first) = find(b"<item") else { return (body, &[]) };
    let after = rfind(b"</item>").filter(|last| *last > first);
    (&body[..first], after.map_or(&[], |last| &body[last..]))
}

/// What stands in the first element of a name that has no attributes.
fn content(octets: &[u8], name: &str) -> Option<String> {
    let find = |octets: &[u8], what: &str| {
        octets.windows(what.len()).position(|part| part == what.as_bytes())
    };
    let open = format!("<{name}>");
    let rest = &octets[find(octets, &open)? + open.len()..];
    let rest = &rest[..rest.len().min(ELEMENT_OCTETS_MAX)];
    let end = find(rest, &format!("</{name}>"))?;
    Some(String::from_utf8_lossy(&rest[..end]).into_owned())
}

/// The contents of all elements of a name.
fn each<'a>(text: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let open = format!("<{name}>");
    let parts: Vec<&str> = text.split(open.as_str()).skip(1).collect();
    parts.into_iter().filter_map(|part| Some(part.split_once("</")?.0.trim()))
}

#[cfg(test)]
mod tests {
    use super::FeedHints;

    #[test]
    fn hints_are_found_around_the_items_and_never_in_them() {
        let feed = "<rss><channel><ttl> 60 </ttl><item><skipDays><day>Monday</day></skipDays>\
                    </item><item/></item><skipHours><hour>0</hour><hour>24</hour><hour>7</hour>\
                    <hour>99</hour><hour>x</hour></skipHours><skipDays><day>sunday</day>\
                    <day>Never</day></skipDays></channel></rss>";
        let hints = FeedHints::of(feed.as_bytes());
        assert_eq!(
            hints,
            FeedHints { ttl_minutes: 60, skip_hours: vec![0, 7], skip_days: vec![6] }
        );
        assert_eq!(FeedHints::of(b"<ttl>-5</ttl>"), FeedHints::default());
        assert_eq!(FeedHints::of(b"<skipHours><hour>"), FeedHints::default());
        assert_eq!(FeedHints::of(b""), FeedHints::default());
    }
}
