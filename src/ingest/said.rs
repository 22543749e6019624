//! A digest of what an answer says: of its octets, but for those that say nothing of its items.

use sha2::{Digest as _, Sha256};

/// How far into a feed its first item is looked for, in octets.
const HEAD_OCTETS_MAX: usize = 16_384;

/// Elements of a channel that are not read, and that many feeds write anew at each poll.
const UNREAD: [&[u8]; 9] = [
    b"lastBuildDate",
    b"pubDate",
    b"updated",
    b"modified",
    b"dc:date",
    b"generator",
    b"description",
    b"subtitle",
    b"tagline",
];

/// A digest of a body, as this version reads it. Two feeds that differ only in the date or the
/// description of their channel have one.
pub(super) fn digest(body: &[u8]) -> String {
    let mut digest = Sha256::new();
    digest.update(env!("CARGO_PKG_VERSION"));
    let head = head(body);
    let mut rest = head;
    while let Some(at) = rest.iter().position(|octet| *octet == b'<') {
        let tag = &rest[at + 1..];
        // Only text goes that is directly in such an element: never another one.
        let text = UNREAD.iter().find_map(|name| tag.strip_prefix(*name)?.strip_prefix(b">"));
        let (said, after) = match text {
            Some(text) => {
                let end = text.iter().position(|octet| *octet == b'<').unwrap_or(text.len());
                (&rest[..rest.len() - text.len()], &text[end..])
            }
            None => rest.split_at(at + 1),
        };
        digest.update(said);
        rest = after;
    }
    digest.update(rest);
    digest.update(&body[head.len()..]);
    data_encoding::HEXLOWER.encode(&digest.finalize()[..16])
}

/// What stands before a feed's first item; nothing in other documents.
fn head(body: &[u8]) -> &[u8] {
    let start = &body[..body.len().min(HEAD_OCTETS_MAX)];
    let is_item =
        |at: &usize| start[*at..].starts_with(b"<item") || start[*at..].starts_with(b"<entry");
    &body[..(0..start.len()).find(is_item).unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::digest;
    use proptest::prelude::*;

    fn feed(head: &str, items: &str) -> Vec<u8> {
        format!("<?xml version=\"1.0\"?><rss><channel>{head}<item>{items}</item></channel></rss>")
            .into_bytes()
    }

    #[test]
    fn what_a_channel_says_of_itself_at_each_poll_is_not_what_it_says() {
        let polled = |at: &str| {
            let head =
                format!("<lastBuildDate>{at}</lastBuildDate><description>Ore {at}</description>");
            digest(&feed(&head, "<title>A</title>"))
        };
        assert_eq!(polled("09:00"), polled("09:15"));
    }

    #[test]
    fn all_else_is() {
        let polled = |head: &str, items: &str| digest(&feed(head, items));
        for (one, other) in [
            (("<title>A</title>", "1"), ("<title>B</title>", "1")),
            (("<ttl>10</ttl>", "1"), ("<ttl>60</ttl>", "1")),
            (("", "<pubDate>1</pubDate>"), ("", "<pubDate>2</pubDate>")),
            (("", "<description>1</description>"), ("", "<description>2</description>")),
            (
                ("<description><b>1</b></description>", ""),
                ("<description><b>2</b></description>", ""),
            ),
            (("<description>1<b/>", ""), ("<description>1<i/>", "")),
        ] {
            assert_ne!(polled(one.0, one.1), polled(other.0, other.1), "{one:?} {other:?}");
        }
        assert_ne!(
            digest(b"<p><updated>1</updated>"),
            digest(b"<p><updated>2</updated>"),
            "a page"
        );
    }

    proptest! {
        #[test]
        fn any_octets_have_a_digest(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(digest(&body), digest(&body));
            let mut feed = b"<pubDate>".to_vec();
            feed.extend(&body);
            feed.extend(b"<item>");
            prop_assert_eq!(digest(&feed).len(), 32);
        }
    }
}
