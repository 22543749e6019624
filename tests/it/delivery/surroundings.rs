//! What the machine does to a delivery: a disk that is full, a clock that is set.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use banditore::delivery::RETRY_SECONDS_MAX;

use super::support::{Plan, Post, address};
use crate::support::Engine;

/// How much room there is for the database before its disk is full, in KiB.
const ROOM_KIB: u64 = 96;

/// The same command in a shell that lets no file grow beyond a size, as a full disk would: a write
/// beyond it fails.
fn with_files_up_to(kib: u64, command: &Command) -> Command {
    let mut limited = Command::new("bash");
    limited.args(["-c", "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"", &kib.to_string()]);
    limited.arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        limited.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            limited.env(name, value);
        }
    }
    limited
}

#[tokio::test]
async fn a_disk_that_is_full_under_sqlite_loses_nothing_and_each_double_is_named() {
    let post = Post::open().await;
    let (people, connections) = (300, 5);
    let plan =
        Plan { port: post.port, people, connections, engine: Engine::Sqlite, ..Plan::default() };
    let house = plan.build().await;
    let file = house.installation.config.database_url.strip_prefix("sqlite://").unwrap();
    let octets = |file: &str| std::fs::metadata(file).map_or(0, |file| file.len());
    let largest = octets(file).max(octets(&format!("{file}-wal")));
    let mut command =
        with_files_up_to(largest / 1024 + ROOM_KIB, &house.command(&["deliver", "--until-empty"]));
    // It waits for room; killed while it does, it leaves what it could not write down.
    let waits = move || {
        let mut running = command.stderr(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(running.stderr.take().unwrap()).lines().map(Result::unwrap);
        let full = said.into_iter().find(|line| line.contains("disk"));
        running.kill().unwrap();
        running.wait().unwrap();
        full
    };
    let full = tokio::task::spawn_blocking(waits).await.unwrap();
    assert!(full.is_some(), "it says that the disk is full");
    let sent = post.mails().len();
    assert!((1..people).contains(&sent), "{sent} of {people} went out before the disk was full");

    house.step(RETRY_SECONDS_MAX);
    house.deliver().await;
    house.step(RETRY_SECONDS_MAX);
    house.deliver().await;
    let doubts = house.audit().await;
    let mut came: BTreeMap<String, usize> = BTreeMap::new();
    for mail in post.mails() {
        *came.entry(mail.recipients[0].clone()).or_default() += 1;
    }
    assert_eq!(came.len(), people, "nobody is missed");
    let messages = house.messages().await;
    for (number, message) in (1..).zip(&messages) {
        let times = came[&address(number)];
        assert!(times == 1 || doubts.contains(&message.id), "{message:?} came {times} times");
    }
    assert!(doubts.len() <= 2 * connections, "{doubts:?}");
}

#[tokio::test]
async fn a_clock_that_is_set_back_or_forward_loses_nothing_and_doubles_nothing() {
    let post = Post::open().await;
    let plan = Plan { port: post.port, people: 3, connections: 1, ..Plan::default() };
    let house = plan.build().await;
    // Back by two hours, as by the end of summer time on a clock that is no UTC: nothing is due.
    house.step(-7_200);
    assert_eq!(house.deliver().await.accepted, 0);
    house.step(7_200);
    assert_eq!(house.deliver().await.accepted, 3);
    house.step(-7_200);
    assert_eq!(house.deliver().await, Default::default());
    house.step(3 * 86_400);
    assert_eq!(house.deliver().await, Default::default());
    assert_eq!(house.states().await, ["accepted", "accepted", "accepted"]);
    assert_eq!(post.mails().len(), 3);
    assert!(house.audit().await.is_empty());
}
