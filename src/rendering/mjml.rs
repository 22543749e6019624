//! MJML, compiled into the HTML that mail programs understand.

use mrml::prelude::parser::Error as MjmlError;
use mrml::prelude::render::RenderOptions;

use super::templates::TemplateError;

/// Elements that have no end (HTML 13.1.2).
const VOID: [&str; 6] = ["br", "hr", "img", "input", "link", "meta"];

/// Compiles MJML once; what handlebars reads, and the markers, come through as they are.
pub(super) fn compile(file: &str, source: &str) -> Result<String, TemplateError> {
    // Handlebars looks first, while its positions are still those of the file.
    handlebars::Template::compile(source).map_err(|error| {
        let (line, column) = error.pos().unwrap_or((1, 1));
        let problem = error.reason().to_string();
        TemplateError { file: file.to_owned(), line, column, problem }
    })?;
    check_tags(file, source)?;
    let parsed = mrml::parse(source).map_err(|error| {
        let offset = match &error {
            MjmlError::UnexpectedElement { position, .. }
            | MjmlError::UnexpectedToken { position, .. }
            | MjmlError::MissingAttribute { position, .. }
            | MjmlError::InvalidAttribute { position, .. }
            | MjmlError::InvalidFormat { position, .. }
            | MjmlError::IncludeLoaderError { position, .. } => position.start,
            MjmlError::ParserError { source: cause, .. } => {
                offset_of(source, cause.pos().row, cause.pos().col)
            }
            MjmlError::EndOfStream { .. } => source.len(),
            MjmlError::SizeLimit { .. } | MjmlError::NoRootNode => 0,
        };
        let problem = match &error {
            MjmlError::ParserError { source: cause, .. } => cause.to_string(),
            other => other.to_string(),
        };
        TemplateError::at(file, source, offset, &problem)
    })?;
    // No fonts: the compiler would import known ones from their makers' servers.
    let options = RenderOptions { fonts: Default::default(), ..RenderOptions::default() };
    let page = parsed
        .element
        .render(&options)
        .map_err(|error| TemplateError::at(file, source, 0, &error.to_string()))?;
    // What the compiler does not know it leaves as it is, and no mail program knows it either.
    if let Some((_, left)) = page.split_once("<mj-") {
        let end = left.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(0);
        let element = format!("<mj-{}", &left[..end]);
        let problem = format!("{element}> is unknown, at least in this place");
        return Err(TemplateError::at_text(file, source, &element, &problem));
    }
    Ok(page)
}

/// The offset of a line and column that count from 1.
fn offset_of(text: &str, line: u32, column: u32) -> usize {
    let lines = (line as usize).saturating_sub(1);
    let start: usize = text.split_inclusive('\n').take(lines).map(str::len).sum();
    start + (column as usize).saturating_sub(1)
}

/// Checks that each element ends where it should: the compiler takes any end tag for any element,
/// so a forgotten one would quietly swallow what follows.
fn check_tags(file: &str, source: &str) -> Result<(), TemplateError> {
    let mut open: Vec<(&str, usize)> = Vec::new();
    let mut at = 0;
    while let Some(found) = source[at..].find('<') {
        let start = at + found;
        let tag = &source[start..start + tag_length(&source[start..])];
        at = start + tag.len();
        let name = tag.trim_start_matches(['<', '/']);
        let name = &name[..name.find(|c: char| c.is_whitespace() || "/>".contains(c)).unwrap_or(0)];
        if tag.starts_with("<!") || VOID.contains(&name) || tag.ends_with("/>") {
            continue;
        }
        if !tag.starts_with("</") {
            open.push((name, start));
            continue;
        }
        match open.pop() {
            Some((opened, _)) if opened == name => {}
            Some((opened, begun)) => {
                let line = TemplateError::at(file, source, begun, "").line;
                let problem = format!("</{name}> where <{opened}> of line {line} should end");
                return Err(TemplateError::at(file, source, start, &problem));
            }
            None => {
                let problem = format!("</{name}> ends nothing");
                return Err(TemplateError::at(file, source, start, &problem));
            }
        }
    }
    match open.pop() {
        Some((name, start)) => {
            Err(TemplateError::at(file, source, start, &format!("<{name}> does not end")))
        }
        None => Ok(()),
    }
}

/// How long the tag or comment is that the text begins with; a quoted value may contain `>`.
fn tag_length(text: &str) -> usize {
    if text.starts_with("<!--") {
        return text.find("-->").map_or(text.len(), |end| end + 3);
    }
    let mut quote = None;
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (None, '>') => return at + 1,
            (None, '"' | '\'') => quote = Some(character),
            (Some(opened), _) if opened == character => quote = None,
            _ => {}
        }
    }
    text.len()
}
