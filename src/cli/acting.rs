//! Who acts, as the trace has it: a command or a named person, and from which account of which
//! machine.

use clap::ArgMatches;

use crate::store::{Actor, ActorKind};

/// The most characters of a person's name, and of where somebody acts from.
const TEXT_CHARS_MAX: usize = 100;
/// What stands for what the system does not tell.
const UNKNOWN: &str = "unknown";

/// The command that was given, with its group: `subscribers import`.
pub(super) fn command_of(matches: &ArgMatches) -> String {
    let mut words = Vec::new();
    let mut matches = Some(matches);
    while let Some((word, below)) = matches.and_then(ArgMatches::subcommand) {
        words.push(word);
        matches = Some(below);
    }
    words.join(" ")
}

/// A command that acts.
pub(super) fn command(name: &str) -> Actor {
    Actor { kind: ActorKind::Command, name: line(name), origin: origin() }
}

/// A person who acts through a command, by name.
pub(super) fn person(name: &str) -> Actor {
    Actor { kind: ActorKind::Person, name: line(name), origin: origin() }
}

/// The account and the machine.
fn origin() -> String {
    line(&format!("{}@{}", account(), machine()))
}

/// The account that this process runs as. What the system knows goes before what the environment
/// says, which anybody can write.
fn account() -> String {
    let environment = || ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(variable);
    system_account().or_else(environment).unwrap_or_else(|| UNKNOWN.to_owned())
}

#[cfg(unix)]
fn system_account() -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let id = std::fs::metadata("/proc/self").ok()?.uid().to_string();
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    let named = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    });
    named.or(Some(id))
}

#[cfg(not(unix))]
fn system_account() -> Option<String> {
    None
}

fn machine() -> String {
    let files = ["/proc/sys/kernel/hostname", "/etc/hostname"];
    let system = files.into_iter().find_map(|file| std::fs::read_to_string(file).ok());
    let environment = || ["HOSTNAME", "COMPUTERNAME"].into_iter().find_map(variable);
    system.or_else(environment).unwrap_or_else(|| UNKNOWN.to_owned())
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// One line, without control characters, cut.
fn line(text: &str) -> String {
    let text = text.trim().chars().filter(|c| !c.is_control());
    text.take(TEXT_CHARS_MAX).collect()
}
