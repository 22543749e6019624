//! Archiving: the messages of old editions go into a file and out of the database, whole, however
//! often it is killed; what they came to stays, and the ledger goes on adding up.

use banditore::audience::public_id;
use banditore::daemon::keep_house;
use banditore::delivery::{
    ARCHIVE_AGE_SECONDS_MIN, Archive, ArchiveError, Audit, Decision, DecisionError, decide,
};
use banditore::editions::{Verdict, explain};
use banditore::model::Timestamp;
use banditore::store::MessageState;
use serde_json::Value;

use super::support::{House, Plan, Post, address, message_id_of};
use crate::support::Beside;

/// A house whose edition has been delivered, eight days ago: some messages accepted, one cancelled,
/// and one dropped by name.
async fn old_house() -> (House, Post) {
    let post = Post::open().await;
    let house = Plan { port: post.port, people: 12, ..Plan::default() }.build().await;
    let now = house.installation.clock.now();
    let messages = house.messages().await;
    let store = house.store();
    banditore::audience::leave(store, messages[0].subscription_id, now).await.unwrap();
    house.deliver().await;
    house.step(ARCHIVE_AGE_SECONDS_MIN + 86_400);
    (house, post)
}

fn archive(house: &House) -> Archive<'_> {
    let zone = house.installation.config.site.timezone;
    Archive { store: house.store(), keys: &house.installation.keys, zone }
}

fn now(house: &House) -> Timestamp {
    house.installation.clock.now()
}

/// The latest time before which editions can be archived.
fn before(house: &House) -> Timestamp {
    now(house).plus(-ARCHIVE_AGE_SECONDS_MIN)
}

async fn audit(house: &House) -> Audit {
    let zone = house.installation.config.site.timezone;
    let audit = banditore::delivery::audit(house.store(), &house.installation.keys, None, zone);
    audit.await.unwrap()
}

fn counts(audit: &Audit) -> String {
    let edition = &audit.editions[0];
    let (considered, empty, suppressed) = (edition.considered, edition.empty, edition.suppressed);
    format!("{considered} {empty} {suppressed} {:?} {}", edition.messages, edition.balanced)
}

/// How many rows there are of what an archive takes away.
async fn rows(house: &House) -> i64 {
    let mut beside = house.beside().await;
    let tables = ["attempt", "message", "edition_group", "edition_hit", "variant", "fragment"];
    let mut rows = 0;
    for table in tables {
        let count = beside.texts(&format!("SELECT CAST(count(*) AS TEXT) FROM {table}")).await;
        rows += count[0].parse::<i64>().unwrap();
    }
    rows
}

fn lines(file: &std::path::Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn who_got_what_is_taken_away_after_the_days_that_the_settings_say_and_not_before() {
    let post = Post::open().await;
    let more = "[delivery]\nkeep_days = 30".to_owned();
    let house = Plan { port: post.port, people: 3, more, ..Plan::default() }.build().await;
    house.deliver().await;
    let counted = counts(&audit(&house).await);
    house.step(29 * 86_400);
    assert_eq!(keep_house(&house.installation, now(&house)).await.unwrap().len(), 0);
    assert_eq!(house.messages().await.len(), 3);
    house.step(2 * 86_400);
    let did = keep_house(&house.installation, now(&house)).await.unwrap();
    assert!(did.contains(&"archived 1 edition(s)".to_owned()), "{did:?}");
    assert_eq!((house.messages().await.len(), rows(&house).await), (0, 0));
    assert_eq!(counts(&audit(&house).await), counted);
    assert_eq!(keep_house(&house.installation, now(&house)).await.unwrap().len(), 0);
}

#[tokio::test]
async fn what_is_archived_stands_in_the_file_and_its_sums_in_the_ledger() {
    let (house, post) = old_house().await;
    let messages = house.messages().await;
    let held = audit(&house).await;
    let file = house.folder.path().join("old.jsonl");
    let (mut taken, all) = (0, rows(&house).await);
    let report = archive(&house)
        .run(before(&house), Some(&file), now(&house), |rows| taken += rows)
        .await
        .unwrap();
    assert_eq!((report.editions.len(), report.left.len(), report.lines), (1, 0, 12));
    assert_eq!(i64::try_from(taken).unwrap(), all);
    assert_eq!(rows(&house).await, 0);

    let after = audit(&house).await;
    assert!(after.balanced);
    assert_eq!(counts(&after), counts(&held));
    assert!(held.editions[0].archived.is_none() && after.editions[0].archived.is_some());

    let lines = lines(&file);
    for (line, mail) in lines.iter().filter(|line| line["state"] == "accepted").zip(post.mails()) {
        assert_eq!(line["attempts"][0]["outcome"], "accepted");
        assert_eq!(line["attempts"][0]["code"], 250);
        let ids: Vec<&str> =
            lines.iter().map(|line| line["message_id"].as_str().unwrap()).collect();
        assert!(ids.iter().any(|id| id.contains(&message_id_of(&mail.source))), "{ids:?}");
    }
    for message in &messages {
        let line = lines.iter().find(|line| line["message"] == message.id).unwrap();
        assert_eq!(line["state"], message.state.as_str());
        assert_eq!(line["subscriber"], public_id(message.subscriber_id));
        assert_eq!(line["entries"].as_array().unwrap().len(), 2);
    }
    let text = std::fs::read_to_string(&file).unwrap();
    assert!((1..=12).all(|number| !text.contains(&address(number))));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let trace = house.store().read().await.unwrap().trace_before(None, 1).await.unwrap();
    assert_eq!(trace[0].action, "edition.archived");
    assert!(trace[0].after_json.as_ref().unwrap().contains(&report.file_sha256.unwrap()));

    // Again there is nothing to do, and no file is made for it.
    let file = house.folder.path().join("again.jsonl");
    let archive = archive(&house);
    let report = archive.run(before(&house), Some(&file), now(&house), |_| {}).await.unwrap();
    assert!(report.editions.is_empty() && report.finished.is_empty() && !file.exists());
}

#[tokio::test]
async fn killed_after_any_transaction_it_is_finished_by_the_next_run() {
    let (house, _post) = old_house().await;
    let held = audit(&house).await;
    let file = house.folder.path().join("old.jsonl");
    let archive = archive(&house);
    let (ended, left) = archive.ended_before(before(&house)).await.unwrap();
    assert_eq!((ended.len(), left.len()), (1, 0));
    let all = rows(&house).await;
    archive.write(&ended, &file).await.unwrap();
    assert_eq!((rows(&house).await, lines(&file).len()), (all, 12), "nothing is taken away yet");
    assert!(archive.mark(&ended[0], None, now(&house)).await.unwrap());
    assert!(!archive.mark(&ended[0], None, now(&house)).await.unwrap(), "marked once");
    let edition = ended[0].edition.id;
    let mut steps = 0;
    loop {
        assert_eq!(counts(&audit(&house).await), counts(&held), "after {steps} steps");
        let there = rows(&house).await;
        if there > 0 {
            assert_eq!(archive.interrupted().await.unwrap(), [edition]);
            // Nobody sends any of it again meanwhile.
            let messages = house.messages().await;
            if let Some(message) = messages.first() {
                let (ids, now) = ([message.id], now(&house));
                let decided = decide(house.store(), &ids, Decision::Resend, "Anna", now).await;
                let error = decided.unwrap_err();
                assert!(matches!(error, DecisionError::Archived { .. }), "{error:?}");
            }
        }
        let gone = archive.step(edition, 6).await.unwrap();
        assert!(gone <= 6, "{gone} rows in one transaction");
        assert_eq!(rows(&house).await, there - i64::try_from(gone).unwrap());
        if gone == 0 {
            break;
        }
        steps += 1;
        if steps == 4 {
            break;
        }
    }
    assert_eq!(steps, 4, "killed here");
    let file = house.folder.path().join("second.jsonl");
    let report = archive.run(before(&house), Some(&file), now(&house), |_| {}).await.unwrap();
    assert_eq!((report.finished, report.editions.len(), report.lines), (vec![edition], 0, 0));
    assert_eq!((rows(&house).await, file.exists()), (0, false));
    assert_eq!(counts(&audit(&house).await), counts(&held));
    assert!(archive.interrupted().await.unwrap().is_empty());
}

#[tokio::test]
async fn nothing_is_archived_that_is_recent_under_way_or_held() {
    let post = Post::open().await;
    let plan = Plan { port: post.port, people: 3, in_doubt: "hold", ..Plan::default() };
    let house = plan.build().await;
    house.step(ARCHIVE_AGE_SECONDS_MIN + 3_600);
    let (ended, _) = archive(&house).ended_before(before(&house)).await.unwrap();
    assert!(ended.is_empty(), "its messages are queued");
    house.deliver().await;
    let recent = now(&house).plus(1 - ARCHIVE_AGE_SECONDS_MIN);
    let error = archive(&house).run(recent, None, now(&house), |_| {}).await.unwrap_err();
    assert!(matches!(error, ArchiveError::TooRecent), "{error:?}");
    let there = rows(&house).await;

    house.beside().await.run("UPDATE message SET state = 'held' WHERE id = 2").await;
    let report = archive(&house).run(before(&house), None, now(&house), |_| {}).await.unwrap();
    assert!(report.editions.is_empty());
    let why = report.left[0].left.as_deref().unwrap();
    assert_eq!(why, "1 message(s) held: resend or drop them first");
    assert_eq!(rows(&house).await, there);

    decide(house.store(), &[2], Decision::Drop, "Anna", now(&house)).await.unwrap();
    let archive = archive(&house);
    let (ended, left) = archive.ended_before(before(&house)).await.unwrap();
    assert_eq!((ended.len(), left.len()), (1, 0));
    // Sent again between the look and the mark: then it stays.
    decide(house.store(), &[2], Decision::Resend, "Anna", now(&house)).await.unwrap();
    assert!(!archive.mark(&ended[0], None, now(&house)).await.unwrap());
    house.deliver().await;
    assert!(!archive.mark(&ended[0], None, now(&house)).await.unwrap(), "it stands otherwise");
    assert_eq!(house.message_of(2).await.state, MessageState::Accepted);
}

impl House {
    async fn beside(&self) -> Beside {
        Beside::to(&self.installation.config.database_url).await
    }

    async fn message_of(&self, id: i64) -> banditore::store::MessageRow {
        self.store().read().await.unwrap().message(id).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_written_leaves_everything_where_it_is() {
    let (house, _post) = old_house().await;
    let there = rows(&house).await;
    let nowhere = house.folder.path().join("none/old.jsonl");
    let archive = archive(&house);
    let error = archive.run(before(&house), Some(&nowhere), now(&house), |_| {}).await;
    assert!(matches!(error, Err(ArchiveError::Unwritable { .. })), "{error:?}");
    let taken = house.folder.path().join("news.xml");
    let error = archive.run(before(&house), Some(&taken), now(&house), |_| {}).await;
    assert!(matches!(error, Err(ArchiveError::FileExists(_))), "{error:?}");
    assert_eq!(rows(&house).await, there);
}

#[tokio::test]
async fn explaining_says_where_an_archive_begins() {
    let (house, _post) = old_house().await;
    let explained = async || {
        let mut tx = house.store().read().await.unwrap();
        let item = tx.items_by_link("https://www.example.it/2").await.unwrap().remove(0);
        let hash = house.installation.keys.address_hash(&address(3).parse().unwrap());
        let subject = tx.subject_by_hash(&hash).await.unwrap().unwrap();
        let (rules, zone) = (&house.installation.rules, house.installation.config.site.timezone);
        explain(&mut tx, rules, zone, &item, &subject, now(&house)).await.unwrap()
    };
    assert_eq!(explained().await.verdict, Verdict::Told);
    archive(&house).run(before(&house), None, now(&house), |_| {}).await.unwrap();
    let explanation = explained().await;
    assert_eq!(explanation.verdict, Verdict::Archived);
    let last = explanation.steps.last().unwrap();
    assert_eq!((last.step, last.holds), ("edition", false));
    assert!(last.detail.contains("its messages were archived at 2026-"), "{}", last.detail);
}

#[tokio::test]
async fn the_command_archives_and_says_what_it_did() {
    let (house, _post) = old_house().await;
    let json = async |arguments: &[&str]| {
        let output = house.run(arguments).await;
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let command = ["editions", "archive", "--before", "2026-11-26", "--json", "--out"];
    let file = house.folder.path().join("old.jsonl");
    let document = json(&[&command[..], &[file.to_str().unwrap()]].concat()).await;
    assert_eq!((&document["lines"], &document["before"]), (&12.into(), &"2026-11-26".into()));
    assert_eq!(document["editions"][0]["messages"]["accepted"], 11);
    assert_eq!(document["editions"][0]["messages"]["cancelled"], 1);
    assert_eq!(lines(&file).len(), 12);
    let audit = json(&["audit", "--json"]).await;
    assert_eq!(
        (&audit["balanced"], &audit["editions"][0]["archived"].is_string()),
        (&true.into(), &true)
    );
    let resend = house.run(&["messages", "resend", "2", "--by", "Anna"]).await;
    let said = String::from_utf8(resend.stderr).unwrap();
    assert!(resend.status.code() == Some(2) && said.contains("there is no message 2"), "{said}");
    let recent = house.run(&["editions", "archive", "--before", "2026-12-02"]).await;
    assert_eq!(recent.status.code(), Some(2), "{recent:?}");
    let wrong = house.run(&["editions", "archive", "--before", "yesterday"]).await;
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
}
