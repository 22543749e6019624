//! Notices: mails of no edition, in the same outbox, before all others.

use banditore::store::{DOUBTS_OF_NOTICE_MAX, MessageState, NoticeKind};
use serde_json::Value;

use crate::signing_up::town::Town;

#[tokio::test]
async fn a_confirmation_reads_well_aloud_and_says_who_asked_for_what_and_what_happens_otherwise() {
    let town = Town::open().await;
    town.ask("anna@example.org").await;
    town.deliver().await;
    let mails = town.mails();
    let mail = &mails[0];
    let token = mail.link().rsplit('/').next().unwrap().to_owned();
    let text = mail.text.replace(&token, "(token)");
    insta::assert_snapshot!(format!("{}\n\n{text}", mail.subject));
    let parsed = mail_parser::MessageParser::default().parse(mail.source.as_bytes()).unwrap();
    let html = parsed.body_html(0).unwrap();
    assert!(html.contains(&format!("href=\"https://news.example.it/confirm/{token}\"")), "{html}");
    assert!(html.contains("<html lang=\"it\"") && !html.contains("{{"), "{html}");
    assert!(mail.source.contains("\r\nAuto-Submitted: auto-generated\r\n"));
    assert!(!mail.source.contains("List-Unsubscribe"));
}

#[tokio::test]
async fn notices_speak_english_to_who_asked_for_it() {
    let town = Town::open().await;
    town.ask_from("192.0.2.1", "anna@example.org", &[("language", "en")]).await;
    town.deliver().await;
    let mails = town.mails();
    let token = mails[0].link().rsplit('/').next().unwrap().to_owned();
    let text = mails[0].text.replace(&token, "(token)");
    insta::assert_snapshot!(format!("{}\n\n{text}", mails[0].subject));
}

#[tokio::test]
async fn a_notice_overtakes_a_large_edition_that_is_queued() {
    let town = Town::open().await;
    town.publish(&["Il primo avviso"]);
    town.work().await;
    let rows: String = (0..300).map(|number| format!("p{number}@example.org\n")).collect();
    let list = "residents".parse().unwrap();
    let cadences = ["daily".parse().unwrap()];
    let csv = format!("email\n{rows}");
    let import =
        town.installation.import(&list, &cadences, csv.as_bytes(), "modulo", false, |_| {});
    assert_eq!(import.await.unwrap().imported, 300);
    town.publish(&["Il primo avviso", "Il secondo avviso"]);
    town.step(1_800);
    banditore::round::poll(&town.installation, None).await.unwrap();
    town.step(1_800);
    let planned = banditore::round::plan(&town.installation).await.unwrap();
    assert_eq!(planned.iter().map(|edition| edition.planned_messages).sum::<i64>(), 300);
    town.ask("anna@example.org").await;
    assert_eq!(town.deliver().await.accepted, 301);
    let mails = town.mails();
    let place = mails.iter().position(|mail| mail.to == "anna@example.org").unwrap();
    // As many as there are connections may finish first.
    assert!(place < 2, "{place}");
}

#[tokio::test]
async fn a_notice_in_doubt_is_sent_again_with_the_same_octets_and_the_ledger_balances() {
    let town = Town::open().await;
    town.ask("anna@example.org").await;
    // A worker that died within the content.
    let now = town.now();
    let mut tx = town.installation.store.write().await.unwrap();
    tx.insert_worker(7, now, now).await.unwrap();
    let due = tx.due_notices(now, 10).await.unwrap();
    assert_eq!((due.len(), due[0].in_doubt.as_str()), (1, "resend"));
    tx.claim(&[due[0].id], 7, now).await.unwrap();
    assert_eq!(tx.begin_content(&[(due[0].id, 1)], now).await.unwrap(), [due[0].id]);
    tx.commit().await.unwrap();
    town.step(600);
    let totals = town.deliver().await;
    assert_eq!((totals.accepted, totals.in_doubt), (1, 1));
    let first = town.mails()[0].source.clone();
    let audit = audit(&town);
    assert_eq!(audit["balanced"], true, "{audit}");
    assert_eq!(audit["notices"]["written"], 1);
    assert_eq!(audit["notices"]["messages"]["accepted"], 1);
    let doubt = &audit["notices"]["doubts"][0];
    let id = doubt["message_id"].as_str().unwrap();
    assert!(first.contains(&format!("Message-ID: <{id}>")), "{first}");

    let listed = run(&town, &["messages", "list", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((&listed["notice"], &listed["edition"]), (&"confirmation".into(), &Value::Null));
    assert_eq!(listed["message_id"], id);
    assert_eq!(listed["attempts"], 2);

    // Nothing of an attempt that is over counts any more.
    let mut tx = town.installation.store.write().await.unwrap();
    assert!(tx.begin_content(&[(due[0].id, 1)], now).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_notice_in_doubt_again_and_again_fails_in_the_end() {
    let town = Town::open().await;
    town.ask("anna@example.org").await;
    let now = town.now();
    for number in 1..=DOUBTS_OF_NOTICE_MAX {
        let mut tx = town.installation.store.write().await.unwrap();
        tx.insert_worker(number, now, now).await.unwrap();
        let due = tx.due_notices(now, 10).await.unwrap();
        assert_eq!((due.len(), due[0].doubts), (1, number - 1));
        tx.claim(&[due[0].id], number, now).await.unwrap();
        tx.begin_content(&[(due[0].id, number)], now).await.unwrap();
        assert_eq!(tx.take_over(number, now).await.unwrap(), 1);
        tx.commit().await.unwrap();
    }
    assert_eq!(town.deliver().await, Default::default());
    let mut tx = town.installation.store.read().await.unwrap();
    let notices = tx.notice_messages_after(0, 10).await.unwrap();
    assert_eq!(notices[0].state, MessageState::Failed);
    drop(tx);
    let listed = run(&town, &["messages", "list"]);
    assert!(listed.contains("in_doubt"), "{listed}");
    assert_eq!(audit(&town)["balanced"], true);
}

#[tokio::test]
async fn a_notice_whose_link_works_no_more_is_not_sent_and_not_sent_again_by_name() {
    let town = Town::open().await;
    town.come_in("anna@example.org", &[]).await;
    town.ask_for_link("anna@example.org").await;
    town.step(86_400);
    assert_eq!(town.deliver().await.accepted, 0);
    let mut tx = town.installation.store.read().await.unwrap();
    let notices = tx.notice_messages_after(0, 10).await.unwrap();
    let last = notices.last().unwrap();
    assert_eq!((last.kind, last.state), (NoticeKind::Preferences, MessageState::Expired));
    let id = last.id.to_string();
    drop(tx);
    let mut tx = town.installation.store.write().await.unwrap();
    assert!(!tx.resend_notice_by_name(last.id, "prova", town.now()).await.unwrap());
    drop(tx);
    let listed = run(&town, &["messages", "list"]);
    assert!(listed.contains(&format!("{id} notice preferences to ")), "{listed}");
}

#[tokio::test]
async fn a_notice_that_failed_can_be_sent_again_by_name() {
    let town = Town::open().await;
    town.ask("anna@example.org").await;
    town.run("UPDATE message SET state = 'failed', ended_at = created_at").await;
    assert_eq!(town.deliver().await.accepted, 0);
    let at = town.now().rfc3339(town.installation.config.site.timezone);
    run(&town, &["--at", &at, "messages", "resend", "1", "--by", "Rossi"]);
    // The command's clock went on while it started.
    town.step(60);
    assert_eq!(town.deliver().await.accepted, 1);
}

#[tokio::test]
async fn a_suppressed_address_gets_no_notice_that_was_queued_before() {
    let town = Town::open().await;
    town.ask("anna@example.org").await;
    town.suppress("anna@example.org").await;
    town.deliver().await;
    assert!(town.mails().is_empty());
    let cancelled = "SELECT count(*) FROM message WHERE state = 'cancelled'";
    assert_eq!(town.count(cancelled).await, 1);
    assert_eq!(audit(&town)["balanced"], true);
}

fn audit(town: &Town) -> Value {
    serde_json::from_str(&run(town, &["audit", "--json"])).unwrap()
}

fn run(town: &Town, args: &[&str]) -> String {
    let config = town.folder.path().join("banditore.toml");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_banditore"));
    let ran = command.arg("--config").arg(config).args(args).output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    String::from_utf8(ran.stdout).unwrap()
}
