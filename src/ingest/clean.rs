//! Clean HTML, plain text and titles: what an item may carry into mails and pages.

use std::collections::HashSet;

use scraper::Html;
use url::Url;

use super::html::{Document, Folded, WORD_OCTETS_MAX, escape, measure};
use super::junk;

/// The longest title, in characters.
pub const TITLE_CHARS_MAX: usize = 500;

/// The longest plain text of an item, in characters.
pub const TEXT_CHARS_MAX: usize = 50_000;

/// The longest HTML of an item that is read, in octets.
pub const HTML_OCTETS_MAX: usize = 512 * 1024;

/// How many texts for images an item keeps.
pub const IMAGE_TEXTS_MAX: usize = 20;

/// Cleans the HTML of one source.
///
/// What it lets through has no script, style, frame, form or image, no class or inline style, and
/// no address but absolute ones of `http`, `https`, `mailto` and `tel`: a mail made of it loads
/// nothing from anywhere.
pub struct Cleaner {
    ammonia: ammonia::Builder<'static>,
}

/// What [`Cleaner::clean`] made of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Clean HTML.
    pub html: String,
    /// The same as plain text, a line a paragraph.
    pub text: String,
    /// The texts that stand for images.
    pub image_alt: Vec<String>,
    /// What was cut or could not be read, for a person.
    pub warning: Option<String>,
}

impl Cleaner {
    /// A cleaner that makes relative addresses absolute against `base`.
    pub fn new(base: &Url) -> Self {
        let mut ammonia = ammonia::Builder::default();
        ammonia
            .rm_tags(["img", "figure", "area", "map", "nav", "form", "button"])
            .rm_generic_attributes(["class"])
            .add_clean_content_tags([
                "iframe", "noscript", "template", "object", "svg", "math", "select", "textarea",
                "title", "head", "nav", "form", "button",
            ])
            .url_schemes(HashSet::from(["http", "https", "mailto", "tel"]))
            .link_rel(None);
        if base.cannot_be_a_base() {
            ammonia.url_relative(ammonia::UrlRelative::Deny);
        } else {
            if base.scheme() == "file" {
                ammonia.add_url_schemes(["file"]);
            }
            ammonia.url_relative(ammonia::UrlRelative::RewriteWithBase(base.clone()));
        }
        Self { ammonia }
    }

    /// Cleans HTML. What is longer than [`HTML_OCTETS_MAX`] is cut; what breaks the bounds of
    /// [`HtmlTooMuch`](super::HtmlTooMuch) is taken as text.
    pub fn clean(&self, html: &str) -> Cleaned {
        let mut warning = None;
        let html = junk::without_section_ends(html.trim());
        let html = html.trim();
        let kept = cut_html(html);
        if kept.len() < html.len() {
            warning = Some(format!("a text was cut at {HTML_OCTETS_MAX} octets"));
        }
        if let Err(too_much) = measure(kept) {
            let text = without_tags(kept);
            let warning = Some(format!("a text was read without its markup: {too_much}"));
            return Cleaned { warning, ..plain(&text) };
        }
        let parsed = Html::parse_fragment(kept);
        let mut document = Document::of(&parsed);
        let mut all = 0..document.nodes.len();
        let image_alt = image_texts(&document, all.clone());
        let junk = if junk::may_be_in(kept) { junk::parts(&document) } else { Vec::new() };
        let (without, parsed);
        let mut kept = kept;
        if !junk.is_empty() {
            without = document.html(all, &junk);
            parsed = Html::parse_fragment(&without);
            document = Document::of(&parsed);
            all = 0..document.nodes.len();
            kept = &without;
        }
        let folded = document.fold(all, TEXT_CHARS_MAX);
        if folded.is_cut() && warning.is_none() {
            warning = Some(format!("a plain text was cut at {TEXT_CHARS_MAX} characters"));
        }
        let text = folded.done();
        // Markup around nothing is nothing.
        let html = match text.is_empty() {
            true => String::new(),
            false => self.ammonia.clean(kept).to_string().trim().to_owned(),
        };
        Cleaned { html, text, image_alt, warning }
    }
}

/// A text that is no HTML, as both: its lines become paragraphs.
pub fn plain(text: &str) -> Cleaned {
    let text = junk::without_section_ends(text);
    let text = junk::without_tag_end(&text);
    let mut folded = Folded::new(TEXT_CHARS_MAX);
    for line in junk::without_call(text).lines() {
        folded.push(line);
        folded.line();
    }
    let warning =
        folded.is_cut().then(|| format!("a plain text was cut at {TEXT_CHARS_MAX} characters"));
    let text = folded.done();
    let mut html = String::new();
    for line in text.lines() {
        html.push_str("<p>");
        escape(line, &mut html);
        html.push_str("</p>");
    }
    Cleaned { html, text, warning, ..Cleaned::default() }
}

/// A title: one line, white space folded, no control character, no markup, bounded.
pub fn title(text: &str) -> String {
    line(junk::without_tag_end(&junk::without_section_ends(text)), TITLE_CHARS_MAX)
}

/// Whether a title is as long as one that was cut, and ends like it.
pub(super) fn is_cut_title(title: &str) -> bool {
    title.ends_with('…') && title.chars().count() + WORD_OCTETS_MAX > TITLE_CHARS_MAX
}

/// A text as one line of at most so many characters. Line breaks and other control characters
/// become spaces: no header can be made of it (RFC 5322 2.2).
pub fn line(text: &str, chars_max: usize) -> String {
    let mut folded = Folded::new(chars_max);
    folded.push(text);
    folded.done()
}

/// The plain text of HTML, white space folded, a line a paragraph.
pub fn text_of(html: &str) -> String {
    if !html.contains(['<', '&']) {
        return plain(html).text;
    }
    let kept = cut_html(html);
    if measure(kept).is_err() {
        return plain(&without_tags(kept)).text;
    }
    let parsed = Html::parse_fragment(kept);
    let document = Document::of(&parsed);
    document.text(0..document.nodes.len(), TEXT_CHARS_MAX)
}

/// The absolute address that a link of a source means; none for what cannot be opened in a mail
/// (`javascript:`, `data:`, an anchor of the page itself).
pub fn absolute(base: &Url, href: &str) -> Option<Url> {
    let href = href.trim();
    if href.is_empty() || href.starts_with('#') {
        return None;
    }
    let url = base.join(href).ok()?;
    let opens = match url.scheme() {
        "http" | "https" => url.host().is_some(),
        // A source read from a file may link beside itself; no other may point into this machine.
        "file" => base.scheme() == "file",
        _ => false,
    };
    opens.then_some(url)
}

pub(super) fn image_texts(document: &Document<'_>, part: std::ops::Range<usize>) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for node in document.nodes[part].iter().filter(|node| node.name() == "img") {
        let text = title(node.attr("alt").unwrap_or_default());
        if !text.is_empty() && !texts.contains(&text) && texts.len() < IMAGE_TEXTS_MAX {
            texts.push(text);
        }
    }
    texts
}

/// The longest beginning within the limit that does not end inside a tag.
fn cut_html(html: &str) -> &str {
    if html.len() <= HTML_OCTETS_MAX {
        return html;
    }
    let kept = &html[..html.floor_char_boundary(HTML_OCTETS_MAX)];
    match (kept.rfind('<'), kept.rfind('>')) {
        (Some(opens), closes) if closes.is_none_or(|closes| closes < opens) => &kept[..opens],
        _ => kept,
    }
}

/// What stands outside of angle brackets, for markup that is not parsed.
fn without_tags(html: &str) -> String {
    let mut text = String::new();
    for piece in html.split('<') {
        text.push_str(piece.split_once('>').map_or(piece, |(_, after)| after));
        text.push(' ');
    }
    text
}
