//! `topics explain`: what a text is about, with the words that made it, marked in the text.

use std::io::{IsTerminal as _, Read as _};
use std::ops::Range;
use std::path::Path;
use std::process::ExitCode;

use super::CliError;
use super::output::{print, print_json};
use crate::model::{Language, Timestamp};
use crate::topics::{Classification, Evidence, Field, ItemText, Rules};

/// The longest text that is explained, in octets.
const TEXT_OCTETS_MAX: u64 = 4 << 20;

/// The most lines of the text that are shown; the title and lines with evidence are.
const LINES_MAX: usize = 40;

/// How evidence is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Marks {
    open: &'static str,
    close: &'static str,
}

impl Marks {
    /// In a terminal (ECMA-48, SGR): bold and underlined, since not everyone sees colours.
    const TERMINAL: Self = Self { open: "\x1b[1;4m", close: "\x1b[0m" };
    /// Everywhere else.
    const PLAIN: Self = Self { open: "[", close: "]" };

    /// `NO_COLOR` that is not empty wants no escape sequences (no-color.org).
    fn of(terminal: bool, no_color: Option<&std::ffi::OsStr>) -> Self {
        let refused = no_color.is_some_and(|value| !value.is_empty());
        if terminal && !refused { Self::TERMINAL } else { Self::PLAIN }
    }
}

/// Explains a file whose first line is the title. Deadlines without a year are read as of `now`.
pub fn run(
    rules: &Rules,
    file: &Path,
    json: bool,
    now: Timestamp,
    zone: chrono_tz::Tz,
) -> Result<ExitCode, CliError> {
    let text = read_text(file)?;
    let (title, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let item = ItemText { title: title.trim(), text: rest, categories: &[], image_alt: &[] };
    let found = rules.classify(&item).published_on(now.in_zone(zone).date_naive());
    if json {
        print_json(&found)?;
    } else {
        let no_color = std::env::var_os("NO_COLOR");
        let marks = Marks::of(std::io::stdout().is_terminal(), no_color.as_deref());
        print(&format!("{}\n{}", shown(&item, &found, marks), describe(rules, &found)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn read_text(file: &Path) -> Result<String, CliError> {
    let failed = |error: std::io::Error| CliError::unreadable(file, error);
    let mut octets = Vec::new();
    if file.as_os_str() == "-" {
        std::io::stdin().take(TEXT_OCTETS_MAX).read_to_end(&mut octets).map_err(failed)?;
    } else {
        let opened = std::fs::File::open(file).map_err(failed)?;
        opened.take(TEXT_OCTETS_MAX).read_to_end(&mut octets).map_err(failed)?;
    }
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

/// All that is evidence of anything.
fn evidence(found: &Classification) -> impl Iterator<Item = &Evidence> {
    let topics = found.topics.iter().flat_map(|topic| &topic.evidence);
    let places = found.places.iter().flat_map(|place| &place.evidence);
    let amounts = found.amounts.iter().map(|amount| &amount.evidence);
    let elsewhere = found.elsewhere.iter().map(|other| &other.evidence);
    let others = found.area.iter().chain(&found.codes.evidence).chain(&found.deadline_evidence);
    topics.chain(places).chain(others).chain(amounts).chain(elsewhere)
}

/// The title and the lines of the text that have evidence, with it marked.
fn shown(item: &ItemText, found: &Classification, marks: Marks) -> String {
    let spans = |field: Field| {
        let of = evidence(found).filter(|evidence| evidence.field == field);
        merged(of.map(|evidence| evidence.start..evidence.end).collect())
    };
    let mut text =
        format!("{}\n", marked(item.title, 0..item.title.len(), &spans(Field::Title), marks));
    let spans = spans(Field::Text);
    let mut at = 0;
    let mut lines = 0;
    for line in item.text.split_inclusive('\n') {
        let range = at..at + line.len();
        at = range.end;
        let touched = spans.iter().any(|span| span.start < range.end && span.end > range.start);
        if touched && lines < LINES_MAX {
            lines += 1;
            text.push_str(marked(item.text, range, &spans, marks).trim_end());
            text.push('\n');
        }
    }
    text
}

/// Overlapping spans as one, in their order.
fn merged(mut spans: Vec<Range<usize>>) -> Vec<Range<usize>> {
    spans.retain(|span| !span.is_empty());
    spans.sort_by_key(|span| span.start);
    let mut merged: Vec<Range<usize>> = Vec::new();
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => merged.push(span),
        }
    }
    merged
}

/// A part of a text with marks around spans. Control characters become spaces: a text from
/// elsewhere shall not steer the terminal.
fn marked(text: &str, range: Range<usize>, spans: &[Range<usize>], marks: Marks) -> String {
    let mut shown = String::new();
    let plain = |part: &str| part.replace(|c: char| c.is_control(), " ");
    let mut at = range.start;
    for span in spans {
        let (start, end) = (span.start.max(at), span.end.min(range.end));
        if start >= end {
            continue;
        }
        shown.push_str(&plain(&text[at..start]));
        shown.push_str(marks.open);
        shown.push_str(&plain(&text[start..end]));
        shown.push_str(marks.close);
        at = end;
    }
    shown.push_str(&plain(&text[at..range.end]));
    shown
}

/// What was found, line by line.
fn describe(rules: &Rules, found: &Classification) -> String {
    let mut text = String::new();
    for topic in &found.topics {
        let known = rules.topics().iter().find(|known| known.id == topic.id);
        let label = known.map_or("", |known| known.label(Language::It));
        text.push_str(&format!("topic {} ({label}), score {:.1}\n", topic.id, topic.score));
        topic.evidence.iter().for_each(|evidence| text.push_str(&line(evidence)));
    }
    for place in &found.places {
        text.push_str(&format!("place {}\n", place.id));
        place.evidence.iter().for_each(|evidence| text.push_str(&line(evidence)));
    }
    if found.places.is_empty() {
        text.push_str("no place: it matters in the whole area\n");
        found.area.iter().for_each(|evidence| text.push_str(&line(evidence)));
    }
    for other in &found.elsewhere {
        text.push_str(&format!("not served: {} ({})\n", other.name, other.province));
    }
    for (name, codes) in
        [("CIG", &found.codes.cig), ("CUP", &found.codes.cup), ("measure", &found.codes.measure)]
    {
        for code in codes {
            text.push_str(&format!("{name} {code}\n"));
        }
    }
    for amount in &found.amounts {
        let (euro, cents) = (amount.euro_cents / 100, amount.euro_cents % 100);
        text.push_str(&format!("amount {euro}.{cents:02} EUR\n{}", line(&amount.evidence)));
    }
    if let Some(deadline) = found.deadline {
        let time =
            found.deadline_time.map_or(String::new(), |time| time.format(" %H:%M").to_string());
        text.push_str(&format!("deadline {deadline}{time}\n"));
        found.deadline_evidence.iter().for_each(|evidence| text.push_str(&line(evidence)));
    }
    text
}

fn line(evidence: &Evidence) -> String {
    let field = format!("{:?}", evidence.field).to_lowercase();
    format!("  {:?} in the {field}, rule {}\n", evidence.text, evidence.rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item<'a>(title: &'a str, text: &'a str) -> (ItemText<'a>, Classification) {
        let item = ItemText { title, text, categories: &[], image_alt: &[] };
        (item, Rules::built_in().classify(&item))
    }

    #[test]
    fn escapes_are_written_to_terminals_alone_and_not_where_they_are_refused() {
        assert_eq!(Marks::of(true, None), Marks::TERMINAL);
        assert_eq!(Marks::of(true, Some("".as_ref())), Marks::TERMINAL);
        assert_eq!(Marks::of(true, Some("1".as_ref())), Marks::PLAIN);
        assert_eq!(Marks::of(false, None), Marks::PLAIN);
    }

    #[test]
    fn evidence_is_marked_where_it_stands() {
        let (item, found) =
            item("Nuova isola ecologica a Quintano", "Nulla.\nScade il 3/4/2027.\n");
        assert_eq!(
            shown(&item, &found, Marks::PLAIN),
            "Nuova [isola ecologica] a [Quintano]\n[Scade il 3/4/2027].\n"
        );
        let shown = shown(&item, &found, Marks::TERMINAL);
        assert!(shown.contains("\x1b[1;4misola ecologica\x1b[0m"), "{shown:?}");
    }

    #[test]
    fn a_text_cannot_steer_the_terminal() {
        let (item, found) = item("\x1b[31misola\u{9b} ecologica", "");
        let shown = shown(&item, &found, Marks::PLAIN);
        assert!(!shown.trim_end().contains(char::is_control), "{shown:?}");
    }

    #[test]
    fn spans_that_overlap_are_one() {
        assert_eq!(merged(vec![4..9, 0..3, 2..5, 7..7, 12..13]), [0..9, 12..13]);
    }
}
