//! Reports on delivery (RFC 3464): groups of fields, of the message and of each recipient.

use super::addresses;
use super::fields::Fields;
use super::judge::Said;
use super::limits::{GROUPS_MAX, RECIPIENTS_MAX};

/// What a report says of a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Failed,
    Delayed,
    Expired,
    /// Delivered, relayed or expanded (RFC 3464 2.3.3).
    Done,
}

impl Action {
    /// What the field says; what is not known is a failure, as that is what is reported.
    fn read(value: &str) -> Self {
        let word: String = value.trim().chars().take_while(|c| c.is_alphabetic()).collect();
        match word.to_ascii_lowercase().as_str() {
            "delayed" => Self::Delayed,
            "expired" => Self::Expired,
            "delivered" | "relayed" | "expanded" | "deliverable" => Self::Done,
            _ => Self::Failed,
        }
    }
}

/// A report read.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Whom it says was not reached.
    pub(super) failed: Vec<Said>,
    /// Whether it says of anybody that all is well.
    pub(super) done: bool,
}

/// Reads the fields of a report, which stand in a part of their own, or in a text.
pub(super) fn read<'t>(lines: impl Iterator<Item = &'t str>) -> Report {
    let mut report = Report::default();
    for group in groups(lines) {
        if report.failed.len() >= RECIPIENTS_MAX {
            break;
        }
        let Some(address) = recipient(&group) else { continue };
        let action = group.get("action").map_or(Action::Failed, Action::read);
        if action == Action::Done {
            report.done = true;
            continue;
        }
        let status = group.get("status").and_then(status_of);
        // A status of class 2 is no failure, whatever the action is called.
        if status.is_some_and(|status| status.class == 2) {
            report.done = true;
            continue;
        }
        let diagnostic = group.get("diagnostic-code").unwrap_or_default();
        report.failed.push(Said {
            address,
            status,
            diagnostic: without_type(diagnostic).to_owned(),
            delayed: action == Action::Delayed,
            expired: action == Action::Expired,
        });
    }
    report
}

/// Groups of fields, with empty lines between (RFC 3464 2.1). A group that has a second recipient
/// is two: some reports forget the line.
fn groups<'t>(lines: impl Iterator<Item = &'t str>) -> Vec<Fields> {
    let mut groups: Vec<Vec<&str>> = vec![Vec::new()];
    for line in lines {
        let small = line.trim_start().to_ascii_lowercase();
        let last = groups.last_mut().expect("there is always a group");
        let again = small.starts_with("final-recipient:")
            && last.iter().any(|known| known.to_ascii_lowercase().starts_with("final-recipient:"));
        if line.trim().is_empty() || again {
            if groups.len() >= GROUPS_MAX {
                break;
            }
            groups.push(Vec::new());
        }
        if !line.trim().is_empty() {
            groups.last_mut().expect("there is always a group").push(line);
        }
    }
    let fields = groups.into_iter().map(|group| Fields::of_lines(group.into_iter()));
    fields.filter(|fields| !fields.is_empty()).collect()
}

/// The recipient as the reporting server knew it, which its words are about; else as the sender
/// wrote it (RFC 3464 2.3.1, 2.3.2).
fn recipient(group: &Fields) -> Option<String> {
    let names = ["final-recipient", "original-recipient", "x-actual-recipient"];
    names.iter().find_map(|name| group.get(name).and_then(addresses::of_field))
}

/// `5.2.1 (mailbox disabled)` is a status with a comment (RFC 3464 2.3.4).
fn status_of(value: &str) -> Option<super::model::Status> {
    value.split(|c: char| c.is_whitespace() || c == '(').next()?.parse().ok()
}

/// A diagnostic without its type: `smtp; 550 …` (RFC 3464 2.3.6).
fn without_type(diagnostic: &str) -> &str {
    match diagnostic.split_once(';') {
        Some((kind, rest)) if kind.len() <= 20 && !kind.contains(char::is_whitespace) => {
            rest.trim()
        }
        _ => diagnostic,
    }
}
