//! Printing: JSON documents, tables, progress.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tokio::sync::watch;

use super::CliError;
use crate::delivery::Totals;

/// Writes to standard output. A reader that has gone away is no error.
pub fn print(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(CliError::failed(
            format!("the output cannot be written: {error}"),
            "look whether the disk is full",
        )),
    }
}

/// Writes what happened and what to do to standard error, a line each.
pub fn print_error(error: &CliError) {
    let mut out = std::io::stderr().lock();
    // Where standard error is gone, there is nobody to tell.
    let _ = writeln!(out, "error: {}", error.what);
    if !error.hint.is_empty() {
        let _ = writeln!(out, "hint: {}", error.hint);
    }
}

/// One JSON document.
pub fn print_json(value: &impl Serialize) -> Result<(), CliError> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|error| CliError::failed(format!("the answer has no JSON form: {error}"), ""))?;
    text.push('\n');
    print(&text)
}

/// One line of JSON Lines.
pub fn print_json_line(value: &impl Serialize) -> Result<(), CliError> {
    let mut text = serde_json::to_string(value)
        .map_err(|error| CliError::failed(format!("the answer has no JSON form: {error}"), ""))?;
    text.push('\n');
    print(&text)
}

/// A bar of known length while somebody watches; silent in pipes.
pub fn bar(length: u64, what: &'static str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style).with_message(what)
}

/// A line that follows a delivery while somebody watches; silent in pipes.
pub fn follow_delivery(mut totals: watch::Receiver<Totals>) {
    if !std::io::stderr().is_terminal() {
        return;
    }
    tokio::spawn(async move {
        let line = ProgressBar::new_spinner();
        while totals.changed().await.is_ok() {
            let Totals { accepted, deferred, failed, in_doubt } = *totals.borrow();
            line.set_message(format!(
                "accepted {accepted}, deferred {deferred}, failed {failed}, in doubt {in_doubt}"
            ));
            line.tick();
        }
        line.finish_and_clear();
    });
}

/// A table with columns as wide as they need to be.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = header.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: Vec<&str>| {
        let mut text = String::new();
        for (cell, width) in cells.iter().zip(&widths) {
            text.push_str(cell);
            let missing = width.saturating_sub(cell.chars().count()) + 2;
            text.extend(std::iter::repeat_n(' ', missing));
        }
        format!("{}\n", text.trim_end())
    };
    let mut text = line(header.to_vec());
    for row in rows {
        text.push_str(&line(row.iter().map(String::as_str).collect()));
    }
    text
}
