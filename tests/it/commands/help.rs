//! What `--help` says, as it stands. A change of it is a change of what operators read.

use crate::program::Office;

/// Every command but `demo`, as it is typed.
const COMMANDS: [&str; 57] = [
    "",
    "init",
    "check",
    "migrate",
    "once",
    "serve",
    "source",
    "source test",
    "source list",
    "source add",
    "source import",
    "source export",
    "source remove",
    "source poll",
    "source replay",
    "topics",
    "topics list",
    "topics explain",
    "topics eval",
    "topics diff",
    "topics check",
    "topics correct",
    "topics corrections",
    "topics suggest",
    "subscribers",
    "subscribers import",
    "subscribers export",
    "subscribers show",
    "subscribers erase",
    "subscribers suppress",
    "subscribers unsuppress",
    "digest",
    "digest plan",
    "digest preview",
    "digest run",
    "digest approve",
    "digest refuse",
    "deliver",
    "dkim",
    "dkim new",
    "explain",
    "audit",
    "messages",
    "messages list",
    "messages count",
    "messages resend",
    "messages drop",
    "bounces",
    "bounces parse",
    "items",
    "items held",
    "items release",
    "items drop",
    "editions",
    "editions archive",
    "move",
    "trace",
];

#[test]
fn each_command_says_what_it_does() {
    let office = Office::empty();
    let mut pages = String::new();
    for command in COMMANDS {
        let args: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let ran = office.run_with(&args, &[("COLUMNS", "100")]).done();
        assert_eq!(ran.err, "", "{command}");
        pages.push_str(&format!("$ banditore {}\n{}\n", args.join(" "), ran.out));
    }
    insta::assert_snapshot!("help", pages);
}

#[test]
fn the_version_is_told_and_a_command_that_is_missing_shows_the_help() {
    let office = Office::empty();
    let version = office.run(&["--version"]).done();
    assert_eq!(version.out, format!("banditore {}\n", env!("CARGO_PKG_VERSION")));
    let none = office.run(&[]);
    assert_eq!((none.code, none.out.as_str()), (2, ""));
    assert!(none.err.contains("Usage: banditore"), "{none:?}");
}
