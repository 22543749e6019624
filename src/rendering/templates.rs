//! The templates: compiled once, cut into blocks, tried with samples before anyone relies on them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use handlebars::{Context, Handlebars, Helper, HelperResult, Output, RenderContext, no_escape};

use super::catalogue::Catalogue;
use super::mjml;
use super::plain::TEXT_LINE_CHARS_MAX;
use crate::model::Language;

const DIGEST_MJML: &str = "digest.mjml";
const DIGEST_TEXT: &str = "digest.txt.hbs";
const NOTICE_MJML: &str = "notice.mjml";
const NOTICE_TEXT: &str = "notice.txt.hbs";
const OFFICE_MJML: &str = "office.mjml";
const OFFICE_TEXT: &str = "office.txt.hbs";
/// The name of a notice among the blocks: it is one piece.
const NOTICE: &str = "notice";
/// The same of a mail to the office.
const OFFICE: &str = "office";

/// The files that templates are compiled from, by name.
#[derive(Clone, Debug)]
pub struct Sources(BTreeMap<&'static str, Cow<'static, str>>);

impl Sources {
    /// The files in the binary.
    pub fn embedded() -> Self {
        Self(BTreeMap::from([
            (DIGEST_MJML, Cow::Borrowed(include_str!("../../templates/digest.mjml"))),
            (DIGEST_TEXT, Cow::Borrowed(include_str!("../../templates/digest.txt.hbs"))),
            ("en.toml", Cow::Borrowed(include_str!("../../templates/en.toml"))),
            ("it.toml", Cow::Borrowed(include_str!("../../templates/it.toml"))),
            (NOTICE_MJML, Cow::Borrowed(include_str!("../../templates/notice.mjml"))),
            (NOTICE_TEXT, Cow::Borrowed(include_str!("../../templates/notice.txt.hbs"))),
            (OFFICE_MJML, Cow::Borrowed(include_str!("../../templates/office.mjml"))),
            (OFFICE_TEXT, Cow::Borrowed(include_str!("../../templates/office.txt.hbs"))),
        ]))
    }

    /// The names of the files.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }

    /// The text of a file; empty where there is none of that name.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", AsRef::as_ref)
    }

    /// Puts another text in the place of a file.
    ///
    /// # Errors
    /// When there is no file of that name to replace.
    pub fn replace(&mut self, name: &str, text: String) -> Result<(), TemplateError> {
        match self.0.get_mut(name) {
            Some(place) => {
                *place = Cow::Owned(text);
                Ok(())
            }
            None => Err(TemplateError::at(name, "", 0, "no template has this name")),
        }
    }
}

/// A template that does not work: which file, where in it, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {problem}")]
pub struct TemplateError {
    /// The name of the file.
    pub file: String,
    /// The line in it, from 1.
    pub line: usize,
    /// The column in the line, in characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub problem: String,
}

impl TemplateError {
    pub(super) fn at(file: &str, text: &str, offset: usize, problem: &str) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            file: file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            problem: problem.to_owned(),
        }
    }

    /// The place is where `searched` first occurs, not as the beginning of a longer word.
    pub(super) fn at_text(file: &str, text: &str, searched: &str, problem: &str) -> Self {
        let whole = text.match_indices(searched).map(|(at, _)| at).find(|at| {
            let next = text[at + searched.len()..].chars().next();
            !next.is_some_and(|c| c.is_alphanumeric() || c == '_')
        });
        Self::at(file, text, whole.unwrap_or(0), problem)
    }
}

/// The kinds of pieces a digest is made of, in the order of the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    Frame,
    Preheader,
    Opening,
    Heading,
    Entry,
    Reason,
    More,
    Closing,
}

impl Block {
    /// Those that begin at a marker; the frame is what stands before the first.
    const MARKED: [Block; 7] = [
        Block::Preheader,
        Block::Opening,
        Block::Heading,
        Block::Entry,
        Block::Reason,
        Block::More,
        Block::Closing,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Block::Frame => "frame",
            Block::Preheader => "preheader",
            Block::Opening => "opening",
            Block::Heading => "heading",
            Block::Entry => "entry",
            Block::Reason => "reason",
            Block::More => "more",
            Block::Closing => "closing",
        }
    }
}

/// Everything that mails are made from. Compile it once and share it.
pub struct Templates {
    html: Handlebars<'static>,
    text: Handlebars<'static>,
    it: Catalogue,
    en: Catalogue,
    sources: Sources,
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: Vec<_> = self.sources.names().collect();
        f.debug_struct("Templates").field("files", &files).finish_non_exhaustive()
    }
}

impl Templates {
    /// Compiles the templates in the binary. Tests have rendered their samples: a command need not.
    ///
    /// # Errors
    /// Where a file is broken: its name, line and column.
    pub fn embedded() -> Result<Self, TemplateError> {
        Self::untried(Sources::embedded())
    }

    /// Compiles templates, and renders a sample of each block in each language.
    ///
    /// # Errors
    /// Where a file is broken: its name, line and column.
    pub fn compile(sources: Sources) -> Result<Self, TemplateError> {
        let templates = Self::untried(sources)?;
        templates.try_samples()?;
        Ok(templates)
    }

    fn untried(sources: Sources) -> Result<Self, TemplateError> {
        let mut html = Handlebars::new();
        html.set_strict_mode(true);
        html.register_escape_fn(escape_html);
        let page = mjml::compile(DIGEST_MJML, sources.text(DIGEST_MJML))?;
        let cut = cut(DIGEST_MJML, sources.text(DIGEST_MJML), &page, ("<!-- block ", " -->"))?;
        register(&mut html, DIGEST_MJML, sources.text(DIGEST_MJML), &cut)?;
        for (name, file) in [(NOTICE, NOTICE_MJML), (OFFICE, OFFICE_MJML)] {
            let page = mjml::compile(file, sources.text(file))?;
            register_whole(&mut html, name, file, &page)?;
        }

        let mut text = Handlebars::new();
        text.set_strict_mode(true);
        text.register_escape_fn(no_escape);
        text.register_helper("underline", Box::new(underline));
        let page = sources.text(DIGEST_TEXT);
        let cut = self::cut(DIGEST_TEXT, page, page, ("{{!-- block ", " --}}\n"))?;
        register(&mut text, DIGEST_TEXT, page, &cut)?;
        register_whole(&mut text, NOTICE, NOTICE_TEXT, sources.text(NOTICE_TEXT))?;
        register_whole(&mut text, OFFICE, OFFICE_TEXT, sources.text(OFFICE_TEXT))?;

        let it = Catalogue::read("it.toml", sources.text("it.toml"))?;
        let en = Catalogue::read("en.toml", sources.text("en.toml"))?;
        Ok(Self { html, text, it, en, sources })
    }

    pub(super) fn catalogue(&self, language: Language) -> &Catalogue {
        match language {
            Language::It => &self.it,
            Language::En => &self.en,
        }
    }

    pub(super) fn catalogues(&self) -> [&Catalogue; 2] {
        [&self.it, &self.en]
    }

    pub(super) fn html(
        &self,
        block: Block,
        context: &serde_json::Value,
    ) -> Result<String, TemplateError> {
        self.render(&self.html, DIGEST_MJML, block.name(), context)
    }

    pub(super) fn text(
        &self,
        block: Block,
        context: &serde_json::Value,
    ) -> Result<String, TemplateError> {
        self.render(&self.text, DIGEST_TEXT, block.name(), context)
    }

    pub(super) fn notice_html(&self, context: &serde_json::Value) -> Result<String, TemplateError> {
        self.render(&self.html, NOTICE_MJML, NOTICE, context)
    }

    pub(super) fn notice_text(&self, context: &serde_json::Value) -> Result<String, TemplateError> {
        self.render(&self.text, NOTICE_TEXT, NOTICE, context)
    }

    pub(super) fn office_html(&self, context: &serde_json::Value) -> Result<String, TemplateError> {
        self.render(&self.html, OFFICE_MJML, OFFICE, context)
    }

    pub(super) fn office_text(&self, context: &serde_json::Value) -> Result<String, TemplateError> {
        self.render(&self.text, OFFICE_TEXT, OFFICE, context)
    }

    fn render(
        &self,
        registry: &Handlebars<'_>,
        file: &str,
        block: &str,
        context: &serde_json::Value,
    ) -> Result<String, TemplateError> {
        registry.render(block, context).map_err(|error| {
            // A block is not where it was in its file; what it names is.
            let source = self.sources.text(file);
            let problem = format!("in block {block}: {}", error.reason());
            match error.reason() {
                handlebars::RenderErrorReason::MissingVariable(Some(name))
                | handlebars::RenderErrorReason::HelperNotFound(name)
                | handlebars::RenderErrorReason::PartialNotFound(name) => {
                    TemplateError::at_text(file, source, name, &problem)
                }
                _ => TemplateError::at_text(file, source, &marker(block), &problem),
            }
        })
    }
}

fn marker_of(block: Block) -> String {
    marker(block.name())
}

fn marker(block: &str) -> String {
    format!("-- block {block} --")
}

/// A notice is not cut: all of it is rendered at once.
fn register_whole(
    registry: &mut Handlebars<'static>,
    name: &str,
    file: &str,
    page: &str,
) -> Result<(), TemplateError> {
    registry.register_template_string(name, page).map_err(|error| {
        let (line, column) = error.pos().unwrap_or((1, 1));
        let problem = error.reason().to_string();
        TemplateError { file: file.to_owned(), line, column, problem }
    })
}

/// Cuts a page at its markers. Each block has to be there once, in the order of [`Block`].
fn cut<'a>(
    file: &str,
    source: &str,
    page: &'a str,
    (open, close): (&str, &str),
) -> Result<Vec<(Block, &'a str)>, TemplateError> {
    let mut pieces = Vec::with_capacity(Block::MARKED.len() + 1);
    let (mut block, mut rest) = (Block::Frame, page);
    for next in Block::MARKED {
        let marker = format!("{open}{}{close}", next.name());
        let Some((piece, after)) = rest.split_once(&marker) else {
            let problem = format!("no marker {:?} after block {}", marker.trim_end(), block.name());
            return Err(TemplateError::at_text(file, source, &marker_of(block), &problem));
        };
        pieces.push((block, piece));
        (block, rest) = (next, after);
    }
    if rest.contains(open) {
        let problem = format!("a marker that is unknown or there twice: {open}");
        return Err(TemplateError::at(file, source, source.rfind(open).unwrap_or(0), &problem));
    }
    pieces.push((block, rest));
    Ok(pieces)
}

fn register(
    registry: &mut Handlebars<'static>,
    file: &str,
    source: &str,
    pieces: &[(Block, &str)],
) -> Result<(), TemplateError> {
    for (block, piece) in pieces {
        registry.register_template_string(block.name(), piece).map_err(|error| {
            let problem = format!("in block {}: {}", block.name(), error.reason());
            // A piece of the source is found again in it; one of the compiled page is not.
            let start = source.find(piece).or_else(|| source.find(&marker_of(*block)));
            let first = TemplateError::at(file, source, start.unwrap_or(0), &problem);
            let line = error.pos().filter(|_| source.contains(piece)).map_or(1, |(line, _)| line);
            TemplateError { line: first.line + line - 1, ..first }
        })?;
    }
    Ok(())
}

/// HTML's five special characters; every attribute in the templates is quoted.
pub(super) fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(character),
        }
    }
    out
}

/// `{{underline text "-"}}`: a line as long as the text, or as its longest line once folded.
fn underline(
    helper: &Helper<'_>,
    _: &Handlebars<'_>,
    _: &Context,
    _: &mut RenderContext<'_, '_>,
    out: &mut dyn Output,
) -> HelperResult {
    let parameter = |index| helper.param(index).and_then(|value| value.value().as_str());
    let text = parameter(0).unwrap_or_default();
    let width = text.chars().count().min(TEXT_LINE_CHARS_MAX);
    out.write(&parameter(1).unwrap_or("-").repeat(width))?;
    Ok(())
}
