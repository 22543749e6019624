//! Cuts XML as it is found in the wild into tags and what stands between them.

use data_encoding::BASE64;

pub(super) enum Markup<'a> {
    /// A declaration, comment or document type: of no use to a reader.
    Dropped,
    /// A CDATA section.
    Kept(&'a str),
    Tag(&'a str),
    /// A `<` that begins nothing.
    Sign,
}

/// The markup that a text begins with, and what follows it.
pub(super) fn split_markup(rest: &str) -> (Markup<'_>, &str) {
    let until = |end: &str| rest.find(end).map_or(rest.len(), |at| at + end.len());
    if rest.starts_with("<!--") {
        return (Markup::Dropped, &rest[until("-->")..]);
    }
    if rest.starts_with("<![CDATA[") {
        let (section, after) = rest.split_at(until("]]>"));
        return (Markup::Kept(section), after);
    }
    if rest.starts_with("<?") {
        return (Markup::Dropped, &rest[until("?>")..]);
    }
    if rest.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("<!doctype")) {
        return (Markup::Dropped, &rest[end_of_doctype(rest)..]);
    }
    let begins = rest[1..].starts_with(|c: char| c.is_alphabetic() || matches!(c, '/' | '_' | ':'));
    match end_of_tag(rest) {
        Some(end) if begins => {
            let (tag, after) = rest.split_at(end);
            (Markup::Tag(tag), after)
        }
        _ => (Markup::Sign, &rest[1..]),
    }
}

/// The end of a document type, with the subset in brackets that it may have.
fn end_of_doctype(rest: &str) -> usize {
    let mut in_subset = false;
    for (at, c) in rest.char_indices() {
        match c {
            '[' => in_subset = true,
            ']' => in_subset = false,
            '>' if !in_subset => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The end of a tag; a `>` inside quotes is none, a `<` stands in no tag (XML 1.0 3.1).
fn end_of_tag(rest: &str) -> Option<usize> {
    let mut quote = None;
    for (at, b) in rest.bytes().enumerate().skip(1) {
        match (quote, b) {
            (None, b'>') => return Some(at + 1),
            (_, b'<') => return None,
            (None, b'"' | b'\'') => quote = Some(b),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
    }
    None
}

/// The name in a tag, with its prefix.
pub(super) fn name(tag: &str) -> &str {
    let name = tag.trim_start_matches(['<', '/']);
    let end = name.find(|c: char| c.is_whitespace() || matches!(c, '/' | '>'));
    &name[..end.unwrap_or(name.len())]
}

/// The value of an attribute in a tag, as it is written.
pub(super) fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (from, to) = place(tag, name)?;
    let (_, value) = tag[from..to].split_once('=')?;
    Some(value.trim().trim_matches(['"', '\'']))
}

/// A tag without one of its attributes.
pub(super) fn without(tag: &str, name: &str) -> String {
    match place(tag, name) {
        Some((from, to)) => [&tag[..from], &tag[to..]].concat(),
        None => tag.to_owned(),
    }
}

/// Where an attribute stands in a tag, with the space before it.
fn place(tag: &str, name: &str) -> Option<(usize, usize)> {
    let (mut quotes, mut counted) = (0, 0);
    for (at, _) in tag.match_indices(name) {
        let before = &tag[..at];
        // Counted on from the place before: a tag may have very many that look like it.
        quotes += tag[counted..at].matches('"').count();
        counted = at;
        let after = tag[at + name.len()..].trim_start();
        let Some(value) = after.strip_prefix('=').map(str::trim_start) else { continue };
        let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
            continue;
        };
        let quoted = quotes % 2 == 1;
        let Some(length) = value[1..].find(quote) else { continue };
        if before.ends_with(char::is_whitespace) && !quoted {
            let end = tag.len() - value.len() + length + 2;
            return Some((before.trim_end().len(), end));
        }
    }
    None
}

/// Whether a text ends outside of its sections.
pub(super) fn ends_outside(inner: &str) -> bool {
    inner.rfind("<![CDATA[").is_none_or(|at| inner[at..].contains("]]>"))
}

/// Whether markup stands in a text, outside of its sections.
pub(super) fn has_tags(inner: &str) -> bool {
    let mut rest = inner;
    while let Some(at) = rest.find('<') {
        let (markup, after) = split_markup(&rest[at..]);
        if matches!(markup, Markup::Tag(_)) {
            return true;
        }
        rest = after;
    }
    false
}

/// A name as an end tag has it: what follows in a renaming is an attribute.
pub(super) fn last_word(written: &str) -> &str {
    written.split(' ').next().unwrap_or(written)
}

/// The characters of a document (XML 1.0 2.2).
pub(super) fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Where an item ends, or another begins inside of it.
pub(super) fn end_of_item(after: &str) -> Option<usize> {
    let is_item = |at: &usize| {
        let name = after[at + 1..].trim_start_matches('/').as_bytes();
        name.get(..4).is_some_and(|name| name.eq_ignore_ascii_case(b"item"))
            && name.get(4).is_some_and(|b| b.is_ascii_whitespace() || *b == b'>')
    };
    after.match_indices('<').map(|(at, _)| at).find(is_item)
}

/// A text that is packed as Base64.
pub(super) fn unpacked(inner: &str) -> Option<String> {
    let packed: String = inner.split_ascii_whitespace().collect();
    String::from_utf8(BASE64.decode(packed.as_bytes()).ok()?).ok()
}
