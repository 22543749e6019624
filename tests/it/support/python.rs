//! Programs in Python that know mail from another side. A test without them fails; `scripts/test`
//! installs what they need into `target/python`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// A program of `tests/python`.
pub fn python(program: &str) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = std::env::var_os("BANDITORE_TEST_PYTHON").map(PathBuf::from);
    let python = named.unwrap_or_else(|| root.join("target/python/bin/python"));
    assert!(python.exists(), "no {}: scripts/test installs it", python.display());
    let mut command = Command::new(python);
    command.arg(root.join("tests/python").join(program)).stdout(Stdio::piped());
    command.stdin(Stdio::piped());
    command
}

/// What dkimpy and Python's parser say of a message, by records in place of DNS.
pub fn read(message: &[u8], records: &[(String, String)]) -> Value {
    let mut command = python("verify.py");
    for (name, text) in records {
        command.arg(name).arg(text);
    }
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(message).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "verify.py ends well");
    serde_json::from_slice(&output.stdout).unwrap()
}
