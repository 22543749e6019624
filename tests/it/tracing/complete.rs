//! A change without its trace: every statement that changes something is said here to be traced or
//! not, and whatever calls a traced one is seen to trace.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use banditore::store::all_statements;

/// Statements behind which a person, a command or a link stands: who calls them traces.
const TRACED: &[&str] = &[
    "NAME_SUBJECT",
    "ERASE_SUBJECT",
    "INSERT_SUBSCRIPTION",
    "CHANGE_SUBSCRIPTION",
    "AGREE",
    "COME_BACK",
    "INSERT_SIGN_UP",
    "CONFIRM_SIGN_UP",
    "QUEUE_NOTICE",
    "RESEND_NOTICE",
    "SUPPRESS",
    "UNSUPPRESS",
    "UPSERT_SOURCE",
    "REMOVE_SOURCE",
    "UPSERT_LIST",
    "REMOVE_LIST",
    "CARRY",
    "CARRY_NO_MORE",
    "UPSERT_CADENCE",
    "REMOVE_CADENCE",
    "INSERT_EDITION",
    "DECIDE_EDITION",
    "REOPEN_EDITION",
    "RESEND_BY_NAME",
    "DROP_BY_NAME",
    "MARK_ARCHIVED",
    "END_HOLD",
    "CORRECT_ITEM",
];

/// Statements of the work that goes on by itself, and parts of what another one traces.
const UNTRACED: &[(&str, &[&str])] = &[
    (
        "part of joining, changing or erasing, traced there",
        &[
            "INSERT_SUBJECT",
            "INSERT_PROFILE",
            "FORGET_WORDS",
            "INSERT_WORD",
            "FOLLOW_WORD",
            "FORGET_WORD",
            "FORGET_CONSENTS",
            "FORGET_HITS_OF_SUBSCRIPTION",
            "FORGET_SIGN_UPS_OF",
            "END_OPEN_SIGN_UPS",
            "KEEP_SUBJECT",
            "KEEP_CONSENT_TEXT",
            "INSERT_NOTICE",
            "CANCEL_WAITING",
        ],
    ),
    ("part of telling the office, traced there", &["FORGET_OFFICE_EVENT"]),
    (
        "part of approving or refusing, traced there",
        &["RELEASE_WAITING", "DROP_WAITING", "PIN_REFUSED", "CANCEL_REFUSED", "END_WAITING"],
    ),
    (
        "the trace itself, and what was applied, traced as what changed in it",
        &["INSERT_TRACE", "SET_MARKS"],
    ),
    (
        "news are taken in: the items themselves are the record",
        &[
            "POLLED",
            "POLL_FAILED",
            "POSTPONE_HOST",
            "CLAIM_SOURCES",
            "RELEASE_SOURCE",
            "RELEASE_SOURCES",
            "INSERT_ITEM",
            "REVISE_ITEM",
            "SET_ACT",
            "SET_HEADLINE",
            "INSERT_REVISION",
            "ADVANCE_HEAD",
            "INSERT_ENTRY",
            "INSERT_MATCH",
            "GIVE_KEY",
            "FORGET_OLDEST_KEYS",
            "MOVE_ITEM",
            "KEEP_DIGEST",
            "KEEP_ANSWER",
            "INSERT_HOLD",
            "HOLD_ENTRY",
            "INSERT_OFFICE_EVENT",
        ],
    ),
    (
        "how a source is: its turns for the worse or better, its end and its moves are traced",
        &["ANSWERED", "TROUBLED"],
    ),
    (
        "part of adding or changing a source, traced there",
        &["FORGET_ANSWER", "FORGET_ADDRESS", "TITLE_SOURCE"],
    ),
    (
        "an edition is planned: its opening is traced, the ledger has the rest",
        &[
            "PLANNED",
            "END_EDITION",
            "ADD_COUNTS",
            "INSERT_FRAGMENT",
            "INSERT_VARIANT",
            "INSERT_GROUP",
            "FORGET_HITS",
            "FORGET_HITS_OF",
            "FORGET_LEFT_HITS",
            "INSERT_HIT",
            "WRITE_UNPINNED",
            "WRITE_PINNED",
            "BEGIN_PLANNING",
            "DECIDED_UNTIL",
            "LEFT_OUT",
            "MOVE_CUT",
            "MOVE_PINS",
            "PIN_LEFT_OUT",
            "DROP_PINS",
            "PIN",
        ],
    ),
    (
        "an archived edition gives up its rows: that it is archived is traced",
        &[
            "INSERT_SUM",
            "DROP_ATTEMPTS",
            "DROP_MESSAGES",
            "DROP_GROUPS",
            "DROP_HITS",
            "DROP_VARIANTS",
            "DROP_FRAGMENTS",
        ],
    ),
    (
        "what has had its time is forgotten: how much is traced, but for counters and notices",
        &[
            "FORGET_SIGN_UP",
            "FORGET_SUBJECT",
            "FORGET_ATTEMPTS",
            "FORGET_NOTICE_MESSAGE",
            "FORGET_NOTICE",
            "EMPTY_NOTICE",
            "FORGET_HITS_BEFORE",
        ],
    ),
    (
        "what a relay takes is counted, and what is too much goes later",
        &["COUNT_RELAYED", "PUT_OFF"],
    ),
    ("part of releasing or dropping what is held, traced there", &["FORGET_HELD_ENTRIES"]),
    ("counting what has a limit; the counters are the record", &["HIT"]),
    (
        "messages are delivered: attempts are the record",
        &[
            "END_UNSENT",
            "DECIDE_DOUBTS",
            "RELEASE_MESSAGES",
            "REMOVE_WORKER",
            "END_ATTEMPTS_OF",
            "CLAIM",
            "BEGIN_ATTEMPTS",
            "BEGIN_CONTENT",
            "END_ATTEMPTS",
            "END_SENDING",
            "RENEW_LEASE",
            "FORGET_WORKERS",
        ],
    ),
];

/// Functions that change something and leave the line to who calls them, and why.
const LEFT_TO_CALLERS: &[(&str, &str, &str)] = &[
    ("src/editions/lists.rs", "carry", "what a list carries is part of its own line"),
    ("src/cli/replay.rs", "run", "the database is thrown away"),
    ("src/audience/sign_up.rs", "lift_erasure", "the line of the sign-up says that it was"),
];

fn changes(sql: &str) -> bool {
    ["INSERT", "UPDATE", "DELETE"].iter().any(|word| sql.trim_start().starts_with(word))
}

#[test]
fn every_statement_that_changes_something_is_traced_or_has_a_reason_not_to_be() {
    let known: BTreeSet<&str> =
        TRACED.iter().chain(UNTRACED.iter().flat_map(|(_, names)| *names)).copied().collect();
    let all: BTreeSet<&str> = all_statements()
        .into_iter()
        .filter(|(_, sql)| changes(sql.sqlite))
        .map(|(name, _)| name)
        .collect();
    let unknown: Vec<_> = all.difference(&known).collect();
    assert!(unknown.is_empty(), "say in this file whether these are traced: {unknown:?}");
    let gone: Vec<_> = known.difference(&all).collect();
    assert!(gone.is_empty(), "these are no statements any more: {gone:?}");
}

#[test]
fn whatever_runs_a_traced_statement_adds_a_line() {
    let functions = functions();
    let mut changing: BTreeMap<&str, &str> = BTreeMap::new();
    for Function { path, name, body } in &functions {
        if path.starts_with("src/store/") {
            let traced = TRACED.iter().find(|sql| mentions(body, sql));
            changing.extend(traced.map(|sql| (name.as_str(), *sql)));
        }
    }
    for sql in TRACED {
        assert!(changing.values().any(|held| held == sql), "nothing in the store runs {sql}");
    }
    let (mut silent, mut callers) = (Vec::new(), 0);
    for Function { path, name, body } in &functions {
        let left = LEFT_TO_CALLERS.iter().any(|(file, held, _)| file == path && held == name);
        if path.starts_with("src/store/") || left {
            continue;
        }
        for (call, sql) in &changing {
            if body.contains(&format!("tx.{call}(")) {
                callers += 1;
                if !body.contains("trace(") && !body.contains("trace_") {
                    silent.push(format!("{path}: {name} runs {sql} and adds no line"));
                }
            }
        }
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
    assert!(callers >= 15, "only {callers} callers were found");
}

struct Function {
    path: String,
    name: String,
    body: String,
}

fn mentions(body: &str, word: &str) -> bool {
    body.split(|c: char| !c.is_alphanumeric() && c != '_').any(|held| held == word)
}

/// Every function of the program as rustfmt writes it, down to its last brace.
fn functions() -> Vec<Function> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut functions = Vec::new();
    for file in files(&root.join("src")) {
        let text = fs::read_to_string(&file).unwrap();
        let path = file.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        let lines: Vec<&str> = text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let mut words = line.split_whitespace().skip_while(|word| *word != "fn");
            let (Some(_), Some(name)) = (words.next(), words.next()) else { continue };
            let last = format!("{}}}", &line[..indent]);
            let body = lines[number..].iter().take_while(|line| **line != last);
            let body = body.copied().collect::<Vec<_>>().join("\n");
            let name = name.split(['(', '<']).next().unwrap().to_owned();
            functions.push(Function { path: path.clone(), name, body });
        }
    }
    functions
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}
