//! HTML as a flat list of nodes: parsed within bounds, read as plain text, written back in part.

mod fold;
mod measure;

use std::ops::Range;

use scraper::{ElementRef, Html, Node};

pub(super) use fold::{Folded, WORD_OCTETS_MAX, escape};
use measure::VOID;
pub use measure::{HTML_DEPTH_MAX, HTML_ELEMENTS_MAX, HTML_TAGS_MAX, HtmlTooMuch, measure};

/// A parsed text without what nobody reads (scripts, styles, comments): nodes in document order,
/// each with the end of its own part of the list.
pub(super) struct Document<'a> {
    pub nodes: Vec<DocumentNode<'a>>,
}

pub(super) struct DocumentNode<'a> {
    /// The element around this one; itself for the first.
    pub parent: usize,
    /// The index after the last node inside this one.
    pub end: usize,
    pub content: Content<'a>,
}

#[derive(Clone, Copy)]
pub(super) enum Content<'a> {
    Element(ElementRef<'a>),
    Text(&'a str),
}

impl<'a> DocumentNode<'a> {
    pub fn element(&self) -> Option<ElementRef<'a>> {
        match self.content {
            Content::Element(element) => Some(element),
            Content::Text(_) => None,
        }
    }

    /// The element's name; empty for a text.
    pub fn name(&self) -> &'a str {
        self.element().map_or("", |element| element.value().name())
    }

    pub fn attr(&self, name: &str) -> Option<&'a str> {
        self.element().and_then(|element| element.value().attr(name))
    }
}

const UNREAD: [&str; 10] = [
    "script", "style", "template", "noscript", "head", "svg", "iframe", "object", "textarea",
    "select",
];

impl<'a> Document<'a> {
    /// The nodes of a parsed text, from the outermost element on.
    pub fn of(html: &'a Html) -> Self {
        let mut nodes: Vec<DocumentNode<'a>> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        // Elements yet to be visited, with their depth; a stack, since no nesting is too deep.
        let mut ahead = vec![(*html.root_element(), 0)];
        while let Some((node, depth)) = ahead.pop() {
            let content = match node.value() {
                Node::Text(text) => Content::Text(text),
                Node::Element(element) if UNREAD.contains(&element.name()) => continue,
                _ => match ElementRef::wrap(node) {
                    Some(element) => Content::Element(element),
                    None => continue,
                },
            };
            let at = nodes.len();
            for closed in open.drain(depth.min(open.len())..) {
                nodes[closed].end = at;
            }
            let parent = open.last().copied().unwrap_or(at);
            nodes.push(DocumentNode { parent, end: at + 1, content });
            open.push(at);
            let first = ahead.len();
            ahead.extend(node.children().map(|child| (child, depth + 1)));
            ahead[first..].reverse();
        }
        let end = nodes.len();
        for closed in open {
            nodes[closed].end = end;
        }
        Self { nodes }
    }

    /// A node with everything inside it.
    pub fn part(&self, at: usize) -> Range<usize> {
        at..self.nodes[at].end
    }

    /// A part without the element that it is, if it is one.
    pub fn inside(&self, part: &Range<usize>) -> Range<usize> {
        let is_element =
            self.part(part.start) == *part && self.nodes[part.start].element().is_some();
        part.start + usize::from(is_element)..part.end
    }

    /// The nodes directly inside an element.
    pub fn children(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        let end = self.nodes[at].end;
        std::iter::successors((at + 1 < end).then_some(at + 1), move |child| {
            let next = self.nodes[*child].end;
            (next < end).then_some(next)
        })
    }

    /// The elements around a node, from the inside out.
    pub fn around(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(Some(at), |at| {
            let parent = self.nodes[*at].parent;
            (parent != *at).then_some(parent)
        })
        .skip(1)
    }

    /// The plain text of a part: white space folded, blocks on lines of their own.
    pub fn text(&self, part: Range<usize>, chars_max: usize) -> String {
        self.fold(part, chars_max).done()
    }

    /// The same, while it still knows whether it was cut.
    pub fn fold(&self, part: Range<usize>, chars_max: usize) -> Folded {
        let mut text = Folded::new(chars_max);
        let mut blocks: Vec<usize> = Vec::new();
        for at in part {
            while blocks.pop_if(|end| *end <= at).is_some() {
                text.line();
            }
            match self.nodes[at].content {
                Content::Text(written) => text.push(written),
                Content::Element(element) => match element.value().name() {
                    "br" => text.line(),
                    "td" | "th" | "img" | "time" => text.push(" "),
                    name if is_block(name) => {
                        text.line();
                        blocks.push(self.nodes[at].end);
                    }
                    _ => {}
                },
            }
            if text.is_cut() {
                break;
            }
        }
        text
    }

    /// A part as HTML, without the parts that `left_out` names, images, and what is empty then. It
    /// is to be cleaned before use.
    pub fn html(&self, part: Range<usize>, left_out: &[Range<usize>]) -> String {
        let mut html = Written { html: String::new(), open: Vec::new() };
        let mut at = part.start;
        while at < part.end {
            html.close(at);
            let node = &self.nodes[at];
            let skipped = left_out.iter().find(|left| left.start == at).map(|left| left.end);
            match (skipped, node.content) {
                (Some(end), _) => {
                    at = end;
                    continue;
                }
                (None, Content::Text(text)) if text.trim().is_empty() => html.html.push(' '),
                (None, Content::Text(text)) => escape(text, &mut html.html),
                (None, Content::Element(element)) => html.open(element, node.end),
            }
            at += 1;
        }
        html.close(usize::MAX);
        html.html.trim().to_owned()
    }
}

/// HTML being written, with the elements that are open.
struct Written<'a> {
    html: String,
    open: Vec<Open<'a>>,
}

struct Open<'a> {
    /// The node at which it ends.
    end: usize,
    name: &'a str,
    /// Where its tag begins and its content, in octets.
    tag: usize,
    content: usize,
}

impl<'a> Written<'a> {
    fn open(&mut self, element: ElementRef<'a>, end: usize) {
        let in_table = self.open.iter().any(|open| open.name == "table");
        // A row, cell or item on its own would lose its bounds when it is read again.
        let name = match element.value().name() {
            "img" => return,
            "tr" | "tbody" | "thead" | "tfoot" if !in_table => "div",
            "td" | "th" if !in_table => "p",
            "dt" | "dd" | "li" if self.open.is_empty() => "p",
            name => name,
        };
        let tag = self.html.len();
        self.html.extend(["<", name]);
        for (attribute, value) in element.value().attrs() {
            self.html.extend([" ", attribute, "=\""]);
            escape(value, &mut self.html);
            self.html.push('"');
        }
        self.html.push('>');
        if !VOID.contains(&name) {
            self.open.push(Open { end, name, tag, content: self.html.len() });
        }
    }

    /// Closes what ends at or before a node.
    fn close(&mut self, at: usize) {
        while let Some(open) = self.open.pop_if(|open| open.end <= at) {
            let in_table = matches!(open.name, "td" | "th");
            if !in_table && self.html[open.content..].trim().is_empty() {
                self.html.truncate(open.tag);
            } else {
                self.html.extend(["</", open.name, ">"]);
            }
        }
    }
}

fn is_block(name: &str) -> bool {
    matches!(
        name,
        "address"
            | "article"
            | "aside"
            | "blockquote"
            | "body"
            | "caption"
            | "dd"
            | "details"
            | "div"
            | "dl"
            | "dt"
            | "fieldset"
            | "figcaption"
            | "figure"
            | "footer"
            | "form"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "header"
            | "hr"
            | "li"
            | "main"
            | "nav"
            | "ol"
            | "p"
            | "pre"
            | "section"
            | "summary"
            | "table"
            | "tbody"
            | "thead"
            | "tr"
            | "ul"
    )
}
