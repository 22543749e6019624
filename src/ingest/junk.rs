//! What templates and broken programs leave in texts, and nobody means: calls to read on, footers
//! of feeds, ends of sections, menus.

use std::borrow::Cow;
use std::ops::Range;

use super::html::{Content, Document};

/// The longest text, in characters, of an element that is nothing but a call or a footer.
const JUNK_CHARS_MAX: usize = 300;

/// How calls to read on begin.
const CALLS: [&str; 14] = [
    "leggi di più",
    "leggi di piu",
    "leggi tutto",
    "leggi tutta",
    "leggi l'articolo",
    "leggi l’articolo",
    "leggi ancora",
    "leggi altro",
    "continua a leggere",
    "continua la lettura",
    "read more",
    "read the rest",
    "continue reading",
    "weiterlesen",
];

/// Whether it is worth to look for junk in HTML: a look that is cheaper than [`parts`].
pub(super) fn may_be_in(html: &str) -> bool {
    const SIGNS: [&str; 10] = [
        "leggi",
        "continua",
        "read",
        "weiterlesen",
        "lorem",
        "proviene",
        "primo su",
        "first on",
        "<nav",
        "<form",
    ];
    let lower = html.to_ascii_lowercase();
    SIGNS.iter().any(|sign| lower.contains(sign)) || lower.contains("<button")
}

/// The parts of a text that are none of it, in document order, none inside another.
pub(super) fn parts(document: &Document<'_>) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for at in 0..document.nodes.len() {
        let node = &document.nodes[at];
        let beyond = found.last().map_or(0, |part| part.end);
        if at < beyond {
            continue;
        }
        let junk = match node.content {
            Content::Text(text) => is_call(text) || is_lorem(text),
            Content::Element(_) => match node.name() {
                "nav" | "form" | "button" => true,
                "a" | "p" | "span" | "div" | "strong" | "em" | "small" | "li" => {
                    let text = document.text(document.part(at), JUNK_CHARS_MAX + 1);
                    is_call(&text) || is_footer(&text) || is_lorem(&text)
                }
                _ => false,
            },
        };
        if junk {
            found.push(document.part(at));
        }
    }
    found
}

/// Whether a text is nothing but a call to read on: `Leggi tutto`, `LEGGI DI PIÙ SU …`.
pub(super) fn is_call(text: &str) -> bool {
    let text = text.trim().trim_start_matches(['[', '(', '»', '›', '→', '…', '.', ' ']);
    if text.is_empty() || text.chars().nth(JUNK_CHARS_MAX).is_some() {
        return false;
    }
    let lower = text.to_lowercase();
    // A sentence that begins like a call has an end.
    CALLS.iter().any(|call| lower.starts_with(call)) && !lower.trim_end().contains(". ")
}

/// Whether a text is what WordPress puts below each item of a feed.
fn is_footer(text: &str) -> bool {
    let lower = text.trim().to_lowercase();
    let of_post = (lower.starts_with("l'articolo") || lower.starts_with("l’articolo"))
        && (lower.contains("proviene da") || lower.contains("sembra essere il primo su"));
    let of_english = lower.starts_with("the post ") && lower.contains("appeared first on");
    (of_post || of_english) && lower.chars().count() <= JUNK_CHARS_MAX
}

/// Whether a text is what templates are filled with before they are used.
fn is_lorem(text: &str) -> bool {
    let lower = text.trim().to_lowercase();
    lower.starts_with("lorem ipsum") && lower.chars().count() <= JUNK_CHARS_MAX
}

/// A text without the call to read on at its end.
pub(super) fn without_call(text: &str) -> &str {
    let text = text.trim_end();
    let start = text.rfind(['.', '…', '!', '?', ']', '\n']);
    let Some(at) = start.filter(|at| *at > 0) else { return text };
    // Behind the sign, which may be of several octets.
    let end = text[at..].chars().next().map_or(at, |sign| at + sign.len_utf8());
    let (before, last) = text.split_at(end);
    if is_call(last) { before.trim_end() } else { text }
}

/// A text without the ends of CDATA sections that stand in it as text.
pub(super) fn without_section_ends(text: &str) -> Cow<'_, str> {
    const LEFT_OVER: [&str; 4] = ["]]>", "]]&gt;", "<![CDATA[", "&lt;![CDATA["];
    if !LEFT_OVER.iter().any(|sign| text.contains(sign)) {
        return Cow::Borrowed(text);
    }
    let mut kept = text.to_owned();
    for sign in LEFT_OVER {
        kept = kept.replace(sign, "");
    }
    Cow::Owned(kept)
}

/// A text without the end of a tag before it: `">Avviso`.
pub(super) fn without_tag_end(text: &str) -> &str {
    let text = text.trim_start();
    ["\">", "'>", "/>"].iter().find_map(|sign| text.strip_prefix(sign)).unwrap_or(text)
}
