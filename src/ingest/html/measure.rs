//! Which texts may be parsed as HTML at all.

/// How many tags one document may have. What a parser does with hostile nesting grows with the
/// square of it.
pub const HTML_TAGS_MAX: usize = 60_000;

/// How many elements may stand open in each other.
pub const HTML_DEPTH_MAX: usize = 512;

/// How many elements a parser may make of the tags: it repeats those for bold
/// and the like that are left open in every paragraph that follows.
pub const HTML_ELEMENTS_MAX: usize = 300_000;

/// A text that is not parsed as HTML, because it could cost its reader too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HtmlTooMuch {
    /// More tags than [`HTML_TAGS_MAX`].
    #[error("more than {HTML_TAGS_MAX} tags")]
    Tags,
    /// Tags that make more elements than [`HTML_ELEMENTS_MAX`].
    #[error("tags left open that would make more than {HTML_ELEMENTS_MAX} elements")]
    Elements,
    /// Elements nested deeper than [`HTML_DEPTH_MAX`].
    #[error("elements nested deeper than {HTML_DEPTH_MAX}")]
    Depth,
}

/// Elements that never have content (HTML 13.1.2).
pub(super) const VOID: [&str; 14] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr",
];

/// Elements whose end tag is often left out, and which a parser closes itself (HTML 13.1.2.4).
const SELF_CLOSING: [&str; 18] = [
    "p", "li", "dt", "dd", "option", "optgroup", "tr", "td", "th", "thead", "tbody", "tfoot",
    "colgroup", "caption", "html", "head", "body", "rt",
];

/// Elements that a parser opens again after something else closed them (HTML 13.2.4.3).
const FORMATTING: [&str; 14] = [
    "a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u",
];

/// Whether a text may be parsed as HTML: a look at its tags that is cheaper than any parser, and
/// rather counts too much than too little.
///
/// # Errors
/// Which bound it breaks.
pub fn measure(html: &str) -> Result<(), HtmlTooMuch> {
    let (mut open, mut rest) = (Vec::new(), html);
    let (mut tags, mut elements) = (0usize, 0usize);
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let (closes, name) = match rest.strip_prefix('/') {
            Some(after) => (true, after),
            None => (false, rest),
        };
        let length = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
        let (name, after) = name.split_at(length);
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        tags += 1;
        elements += 1 + open.iter().filter(|(_, formats)| *formats).count();
        if tags > HTML_TAGS_MAX {
            return Err(HtmlTooMuch::Tags);
        }
        if elements > HTML_ELEMENTS_MAX {
            return Err(HtmlTooMuch::Elements);
        }
        let is = |listed: &&str| listed.eq_ignore_ascii_case(name);
        if VOID.iter().any(is) || SELF_CLOSING.iter().any(is) {
            continue;
        }
        let formats = FORMATTING.iter().any(is);
        if closes {
            close(&mut open, name, formats);
        } else if !after.split('>').next().is_some_and(|tag| tag.ends_with('/')) {
            if is(&"a") {
                // A link ends at the next one.
                close(&mut open, name, formats);
            }
            open.push((name, formats));
        }
        if open.len() > HTML_DEPTH_MAX {
            return Err(HtmlTooMuch::Depth);
        }
    }
    Ok(())
}

/// Ends an element with all that stands open inside of it. No end tag of formatting reaches out of
/// a table.
fn close(open: &mut Vec<(&str, bool)>, name: &str, formats: bool) {
    for at in (0..open.len()).rev() {
        let (inner, _) = open[at];
        if inner.eq_ignore_ascii_case(name) {
            open.truncate(at);
            return;
        }
        if formats && inner.eq_ignore_ascii_case("table") {
            return;
        }
    }
}
