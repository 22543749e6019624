//! Trying things out: nobody is written to, and the ledger knows nothing of it.

use serde_json::{Value, json};

use super::support::{Plan, Post, header};
use super::*;
use crate::support::python::read;

/// What the ledger says, as the program prints it.
async fn ledger(house: &House) -> Vec<String> {
    let mut said = Vec::new();
    for command in [&["messages", "list", "--json"][..], &["audit", "--json"], &["trace", "--json"]]
    {
        let output = house.run(command).await;
        assert!(output.status.success(), "{output:?}");
        said.push(String::from_utf8(output.stdout).unwrap());
    }
    for message in house.messages().await {
        said.push(format!("{:?}", house.attempts(message.id).await));
    }
    said
}

async fn run(house: &House, arguments: &[&str]) -> Value {
    let output = house.run(&[&["deliver", "--json"][..], arguments].concat()).await;
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The texts of a mail's parts, decoded.
fn parts(mail: &[u8]) -> (String, String) {
    let parsed = mail_parser::MessageParser::default().parse(mail).unwrap();
    let text = parsed.body_text(0).unwrap().into_owned();
    (text, parsed.body_html(0).unwrap().into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn redirected_mails_go_to_one_address_with_a_banner_and_the_ledger_stays_as_it_is() {
    let post = Post::open().await;
    let house = Plan { port: post.port, people: 5, ..Plan::default() }.build().await;
    let before = ledger(&house).await;
    let said = run(&house, &["--redirect-to", "prova@example.it", "--limit", "3"]).await;
    assert_eq!((&said["mails"], &said["more"]), (&json!(3), &json!(true)));
    assert_eq!(ledger(&house).await, before);
    let trials = post.mails();
    assert_eq!(trials.len(), 3);
    for (number, mail) in (1..).zip(&trials) {
        assert_eq!(mail.recipients, ["prova@example.it"]);
        assert_eq!(header(&mail.source, "To"), "prova@example.it");
        assert!(header(&mail.source, "Subject").starts_with("[PROVA] "));
        let whom = super::support::address(number);
        let (text, html) = parts(&mail.source);
        for part in [&text, &html] {
            assert!(part.contains("PROVA DI SPEDIZIONE") && part.contains(&whom), "{part}");
        }
        // What could be clicked ends nobody's subscription.
        let link = header(&mail.source, "List-Unsubscribe");
        let token = link.trim_end_matches('>').rsplit('/').next().unwrap();
        let keys = &house.installation.keys;
        assert_eq!(keys.read_unsubscribe_token(token), Some(0));
        for message in house.messages().await {
            let own = keys.unsubscribe_token(message.subscription_id);
            assert!(!String::from_utf8_lossy(&mail.source).contains(&own));
        }
        let seen = read(&mail.source, &[]);
        assert_eq!(seen["defects"], json!([]), "{seen}");
    }
    assert_eq!(house.deliver().await.accepted, 5);
    let ids: std::collections::BTreeSet<String> =
        post.mails().iter().map(|mail| header(&mail.source, "Message-ID")).collect();
    assert_eq!(ids.len(), 8, "a trial hides no real mail");
    assert!(house.audit().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_to_a_folder_writes_each_mail_and_sends_nothing() {
    let house = Plan { people: 3, ..Plan::default() }.build().await;
    let before = ledger(&house).await;
    let folder = house.folder.path().join("prova");
    let path = folder.to_str().unwrap();
    let said = run(&house, &["--to-folder", path]).await;
    assert_eq!((&said["mails"], &said["more"]), (&json!(3), &json!(false)));
    assert_eq!(ledger(&house).await, before);
    for (number, message) in (1..).zip(house.messages().await) {
        let mail = std::fs::read(folder.join(format!("{}.eml", message.id))).unwrap();
        assert_eq!(header(&mail, "To"), super::support::address(number));
        let seen = read(&mail, &[]);
        assert_eq!(seen["defects"], json!([]), "{seen}");
        assert!(parts(&mail).1.contains("PROVA DI SPEDIZIONE"));
    }
    let again = house.run(&["deliver", "--to-folder", path]).await;
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("is not empty"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_leaves_out_who_would_not_be_written_to() {
    let house = Plan { people: 2, ..Plan::default() }.build().await;
    let first = super::support::address(1);
    let suppress = ["subscribers", "suppress", &first, "--reason", "prova"];
    assert!(house.run(&suppress).await.status.success());
    let folder = house.folder.path().join("prova");
    let said = run(&house, &["--to-folder", folder.to_str().unwrap()]).await;
    assert_eq!(said["mails"], json!(1));
}
