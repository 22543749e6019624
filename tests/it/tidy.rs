//! The rules of the house, kept by a test: what `CONTRIBUTING.md` and `ARCHITECTURE.md` say of
//! every file is looked for in every file.

use std::fs;
use std::path::{Path, PathBuf};

/// The longest line, in characters.
const LINE_CHARS_MAX: usize = 100;
/// The longest file under `src/`, in lines.
const FILE_LINES_MAX: usize = 500;
/// The longest function, in lines, its signature and last brace counted.
const FUNCTION_LINES_MAX: usize = 70;

/// Files that are longer than they should be, with the length that they must not pass. An entry
/// that is no longer needed must go.
const LONG_FILES: [(&str, usize); 2] =
    [("src/store/editions.rs", 580), ("src/store/messages.rs", 620)];
/// Functions that are longer than they should be, as (file, name, length), kept likewise.
const LONG_FUNCTIONS: [(&str, &str, usize); 0] = [];

/// Words of code that only some places may use: what is looked for, where it may stand, and why.
const PLACES: [(&[&str], &[&str], &str); 12] = [
    (&["lettre"], &["src/delivery/smtp/"], "only one room speaks SMTP"),
    (&["sqlx"], &["src/store/"], "nothing above the store knows the database"),
    (&["reqwest", "feed_rs", "scraper", "ammonia"], &["src/ingest/"], "ingest alone reads sources"),
    (&["hickory_resolver"], &["src/delivery/dns/"], "one room asks about names"),
    (&["ring::signature", "rsa"], &["src/delivery/dkim/"], "one room signs"),
    (&["mrml"], &["src/rendering/"], "templates are compiled by rendering"),
    (&["rust_stemmers", "aho_corasick"], &["src/topics/"], "topics alone reads words"),
    (&["clap", "indicatif"], &["src/cli/"], "the command line is one room"),
    (&["axum"], &["src/web/", "src/demo/", "src/daemon/web.rs"], "only pages serve HTTP"),
    (
        &["Utc::now", "Local::now", "SystemTime::now", "SystemTime::UNIX_EPOCH"],
        &["src/clock.rs"],
        "time comes in as a value from the one clock",
    ),
    (
        &["SELECT ", "INSERT INTO ", "DELETE FROM ", " SET "],
        &["src/store/"],
        "statements stand in the store",
    ),
    (
        &["json_each", "->>", "PRAGMA", "rowid", "BEGIN IMMEDIATE", "INSERT OR ", "AUTOINCREMENT"],
        &["src/store/sqlite.rs", "src/store/outbox.rs", "src/store/identities.rs"],
        "statements are portable; what engines say differently stands side by side",
    ),
];

/// Rooms that must not know of others: the room, what it must not mention, and why.
const STRANGERS: [(&str, &[&str], &str); 4] = [
    ("src/rendering/", &["store::", "config::", "audience::", "Clock"], "rendering makes bytes"),
    ("src/topics/", &["store::", "config::", "audience::", "Clock"], "rules are a function"),
    ("src/delivery/smtp/", &["store::", "Clock"], "a conversation keeps nothing"),
    ("src/audience/", &["editions::", "delivery::", "rendering::"], "audience decides nothing"),
];

/// A file of the project, with its path as it is written in messages.
struct File {
    path: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The paths of all files under a folder of the project.
fn paths(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/")
}

/// The text files under folders; a file that is no UTF-8 is a picture or a fixture of octets.
fn texts(folders: &[&str]) -> Vec<File> {
    let paths = folders.iter().flat_map(|folder| paths(folder));
    paths
        .filter_map(|path| {
            let text = fs::read_to_string(&path).ok()?;
            Some(File { path: relative(&path), text })
        })
        .collect()
}

fn sources(folders: &[&str]) -> Vec<File> {
    texts(folders).into_iter().filter(|file| file.path.ends_with(".rs")).collect()
}

/// The lines that are code, with their numbers.
fn code(file: &File) -> impl Iterator<Item = (usize, &str)> {
    let lines = (1..).zip(file.text.lines());
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Whether a text stands in a line, not as a part of a longer name.
fn mentions(line: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let begins = !word.starts_with(is_name) || !before.is_some_and(is_name);
        begins && (!word.ends_with(is_name) || !after.is_some_and(is_name))
    })
}

/// The functions of a file as rustfmt writes them: name, first line, and number of lines.
fn functions(file: &File) -> Vec<(String, usize, usize)> {
    let lines: Vec<&str> = file.text.lines().collect();
    let mut functions = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let body = line.trim_start();
        let Some(name) = function_name(body) else { continue };
        if body.ends_with(['}', ';']) {
            continue;
        }
        let indent = &line[..line.len() - body.len()];
        let last = format!("{indent}}}");
        let length = lines[at..].iter().position(|line| **line == last);
        // A declaration without a body ends in a semicolon, and another function's brace follows.
        let declared = lines[at..].iter().position(|line| *line == format!("{indent});"));
        if let Some(length) = length.filter(|length| declared.is_none_or(|end| end > *length)) {
            functions.push((name.to_owned(), at + 1, length + 1));
        }
    }
    functions
}

fn function_name(line: &str) -> Option<&str> {
    let mut rest = line;
    for word in ["pub ", "pub(crate) ", "pub(super) ", "const ", "async "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let rest = rest.strip_prefix("fn ")?;
    rest.split(['(', '<']).next()
}

fn none(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn every_room_keeps_to_its_own_tools() {
    let mut broken = Vec::new();
    for file in sources(&["src"]) {
        for (words, allowed, why) in PLACES {
            if allowed.iter().any(|place| file.path.starts_with(place)) {
                continue;
            }
            for (number, line) in code(&file) {
                for word in words.iter().filter(|word| mentions(line, word)) {
                    broken.push(format!("{}:{number}: {word:?}, but {why}", file.path));
                }
            }
        }
    }
    none(&broken);
}

#[test]
fn rooms_do_not_know_what_they_must_not_touch() {
    let mut broken = Vec::new();
    for file in sources(&["src"]) {
        for (room, strangers, why) in STRANGERS {
            for (number, line) in code(&file).filter(|_| file.path.starts_with(room)) {
                for word in strangers.iter().filter(|word| mentions(line, word)) {
                    broken.push(format!("{}:{number}: {word}, but {why}", file.path));
                }
            }
        }
    }
    none(&broken);
}

#[test]
fn every_statement_file_and_every_template_is_in_the_binary() {
    let code: String = sources(&["src"]).into_iter().map(|file| file.text).collect();
    let mut broken = Vec::new();
    for path in [paths("migrations"), paths("templates")].concat() {
        let path = relative(&path);
        // A folder may be embedded as a whole.
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let whole = format!("include_dir!(\"$CARGO_MANIFEST_DIR/{folder}\")");
        if !code.contains(&format!("../{path}\"")) && !code.contains(&whole) {
            broken.push(format!("{path}: nothing in src embeds it"));
        }
    }
    none(&broken);
}

#[test]
fn no_file_is_too_long() {
    let mut broken = Vec::new();
    for file in sources(&["src"]) {
        let lines = file.text.lines().count();
        let held = LONG_FILES.iter().find(|(path, _)| *path == file.path);
        match held.map_or(FILE_LINES_MAX, |(_, lines)| *lines) {
            max if lines > max => {
                broken.push(format!("{}: {lines} lines, at most {max}; split it", file.path));
            }
            _ if held.is_some() && lines <= FILE_LINES_MAX => {
                broken.push(format!("{}: short enough now; take it out of LONG_FILES", file.path));
            }
            _ => {}
        }
    }
    none(&broken);
}

#[test]
fn no_function_is_too_long() {
    let mut broken = Vec::new();
    for file in sources(&["src", "tests"]) {
        for (name, line, lines) in functions(&file) {
            let held = LONG_FUNCTIONS.iter().find(|held| held.0 == file.path && held.1 == name);
            let max = held.map_or(FUNCTION_LINES_MAX, |held| held.2);
            if lines > max {
                broken.push(format!(
                    "{}:{line}: {name} has {lines} lines, at most {max}; give parts a name",
                    file.path
                ));
            }
        }
    }
    none(&broken);
}

/// Tables and texts that stand for a source's answer are as long as they are; code and prose are
/// not.
#[test]
fn no_line_is_too_long() {
    let mut broken = Vec::new();
    for file in sources(&["src", "tests"]) {
        for (number, line) in (1..).zip(file.text.lines()) {
            let chars = line.chars().count();
            let sample = file.path.starts_with("tests/") && line.contains(['"', '<', '|', '\\']);
            if chars > LINE_CHARS_MAX && !sample {
                broken.push(format!("{}:{number}: {chars} characters", file.path));
            }
        }
    }
    none(&broken);
}

#[test]
fn nothing_is_left_lying_about() {
    // Written in two halves, so that this file does not find itself.
    let left = [
        concat!("FIX", "ME"),
        concat!("TO", "DO"),
        concat!("XX", "X"),
        concat!("db", "g!("),
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
    ];
    let mut broken = Vec::new();
    for file in sources(&["src", "tests"]) {
        for (number, line) in (1..).zip(file.text.lines()) {
            for word in left.iter().filter(|word| mentions(line, word)) {
                broken.push(format!("{}:{number}: {word}", file.path));
            }
        }
    }
    for path in [paths("src"), paths("tests")].concat() {
        if path.extension().is_some_and(|ending| ending == "new" || ending == "orig") {
            broken.push(format!("{}: accept it or take it away", relative(&path)));
        }
    }
    none(&broken);
}

#[test]
fn nothing_names_the_machine_it_was_written_on() {
    let machine = [
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("/wo", "rk/"),
        concat!("/Us", "ers/"),
    ];
    let mut files =
        texts(&[".ci", "config", "docs", "migrations", "scripts", "src", "templates", "tests"]);
    for entry in fs::read_dir(root()).unwrap() {
        let path = entry.unwrap().path();
        if let Some(text) = fs::read_to_string(&path).ok().filter(|_| path.is_file()) {
            files.push(File { path: relative(&path), text });
        }
    }
    let mut broken = Vec::new();
    // In a working tree beside others, `.git` is a file that git itself writes.
    for file in files.iter().filter(|file| file.path != ".git") {
        for (number, line) in (1..).zip(file.text.lines()) {
            for place in machine.iter().filter(|place| line.contains(*place)) {
                broken.push(format!("{}:{number}: {place}", file.path));
            }
        }
    }
    none(&broken);
}

/// The settings as `src/config/raw.rs` reads them: (the type of their section, key).
fn settings() -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join("src/config/raw.rs")).unwrap();
    let (mut section, mut settings) = (String::new(), Vec::new());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("pub(super) struct ") {
            section = name.trim_end_matches(" {").to_owned();
        } else if let Some((key, _)) =
            line.strip_prefix("    pub ").and_then(|line| line.split_once(':'))
        {
            settings.push((section.clone(), key.to_owned()));
        }
    }
    settings
}

#[test]
fn every_setting_is_explained_and_has_an_example() {
    let explained = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let example = fs::read_to_string(root().join("config/banditore.toml")).unwrap();
    let settings = settings();
    assert!(settings.len() > 30, "{settings:?}");
    let mut broken = Vec::new();
    for (section, key) in &settings {
        // Known, so that it can be refused with a hint.
        let refused = key == "quiet";
        let wanted = if section == "RawConfig" { format!("[{key}]") } else { format!("`{key}`") };
        let section_of_its_own = explained.contains(&format!(".{key}]`"));
        if !explained.contains(&wanted) && !section_of_its_own {
            broken.push(format!("docs/configuration.md: no {wanted}"));
        }
        if !refused && !mentions(&example, key) {
            broken.push(format!("config/banditore.toml: no {key}"));
        }
    }
    none(&broken);
}

#[test]
fn the_readme_has_every_command() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let rows: Vec<&str> = readme.lines().filter(|line| line.starts_with('|')).collect();
    let program = <banditore::cli::Args as clap::CommandFactory>::command();
    let mut broken = Vec::new();
    for command in program.get_subcommands() {
        let name = command.get_name();
        let row = rows.iter().find(|row| {
            [format!("`{name}`"), format!("`{name} ")].iter().any(|name| row.contains(name))
        });
        let Some(row) = row else {
            broken.push(format!("README.md: no {name}"));
            continue;
        };
        for below in command.get_subcommands().map(clap::Command::get_name) {
            if !row.contains(&format!("`{below}`")) && !row.contains(&format!(" {below}`")) {
                broken.push(format!("README.md: no {name} {below}"));
            }
        }
    }
    none(&broken);
}
