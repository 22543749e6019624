//! The table for people says what the table for the program does.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use banditore::returns::table::{CODES, cause_of};
use banditore::returns::words::{cause_of_words, rows};
use banditore::returns::{Cause, Outcome, Status};

/// The three tables, as `docs/returns.md` has them.
fn tables() -> String {
    let mut text = String::from("| cause | outcome |\n| --- | --- |\n");
    for cause in Cause::ALL {
        writeln!(text, "| {} | {} |", cause.word(), cause.outcome().word()).unwrap();
    }
    text.push_str("\n| code | cause | source |\n| --- | --- | --- |\n");
    for row in CODES {
        writeln!(text, "| x.{} | {} | {} |", row.code, row.cause.word(), row.source).unwrap();
    }
    text.push_str("\n| cause | source | words |\n| --- | --- | --- |\n");
    for row in rows() {
        let words = row.words.iter().map(|words| format!("`{words}`")).collect::<Vec<_>>();
        writeln!(text, "| {} | {} | {} |", row.cause.word(), row.source, words.join(", ")).unwrap();
    }
    text
}

#[test]
fn the_documented_table_is_the_one_that_is_used() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/returns.md");
    let page = fs::read_to_string(page).unwrap();
    for (number, line) in (1..).zip(tables().lines()) {
        assert!(
            page.lines().any(|known| known == line),
            "docs/returns.md misses row {number}:\n{line}"
        );
    }
    let count = |text: &str| text.lines().filter(|line| line.starts_with('|')).count();
    let (_, generated) = page.split_once("## The table").unwrap();
    assert_eq!(count(generated), count(&tables()), "docs/returns.md has rows that are not used");
}

#[test]
fn every_row_can_be_reached_and_has_a_source() {
    let codes: BTreeSet<&str> = CODES.iter().map(|row| row.code).collect();
    assert_eq!(codes.len(), CODES.len(), "a code stands twice");
    for row in CODES {
        assert!(!row.source.is_empty(), "{}", row.code);
        let code = format!("5.{}", row.code.replace('*', "999"));
        assert_eq!(cause_of(code.parse().unwrap()), row.cause, "{code}");
    }
    for row in rows() {
        assert!(!row.source.is_empty());
        for words in row.words {
            // A row before it may be meant by the same words, and is then the milder one.
            let found = cause_of_words(words).expect("words that are known");
            let mild =
                found.outcome() != Outcome::Suppress || row.cause.outcome() == Outcome::Suppress;
            assert!(mild, "{words}: {found:?}");
            assert_eq!(words.to_lowercase(), *words, "words are looked for in small letters");
        }
    }
}

#[test]
fn only_what_is_certain_of_the_address_suppresses() {
    let hard: Vec<&str> = Cause::ALL
        .into_iter()
        .filter(|cause| cause.outcome() == Outcome::Suppress)
        .map(Cause::word)
        .collect();
    assert_eq!(hard, ["moved", "unknown-mailbox", "unknown-domain"]);
    // Policy, a full mailbox, a server that is away.
    for code in ["5.7.1", "5.7.26", "5.2.2", "5.4.1", "5.3.0", "5.1.8", "5.0.0"] {
        let cause = cause_of(code.parse::<Status>().unwrap());
        assert_ne!(cause.outcome(), Outcome::Suppress, "{code}");
    }
}

#[test]
fn links_and_addresses_in_a_text_say_nothing() {
    assert_eq!(cause_of_words("See https://posta.example/user-unknown/#spam"), None);
    // But whose list a server is on.
    assert_eq!(cause_of_words("553 https://www.spamhaus.org/x"), Some(Cause::Content));
    assert_eq!(cause_of_words("<spam@posta.example>: user unknown"), Some(Cause::UnknownMailbox));
}
