use banditore::delivery::smtp::{REPLY_TEXT_CHARS_MAX, Stage, mask_addresses};
use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;

/// The outcome of a message whose dot is answered so.
async fn answered(replies: &str) -> Result<Reply, Failure> {
    let (server, mut connection) = opened([format!("{OPENING}{TO_DATA}content\n{replies}")]).await;
    let outcome = send(&mut connection).await;
    server.heard().await;
    outcome
}

#[tokio::test]
async fn exactly_250_after_the_dot_is_success() {
    assert_eq!(answered("S 250 2.0.0 queued as 4711").await.unwrap().text, "queued as 4711");
    for code in [200, 211, 251, 252, 299, 334, 354] {
        let failure = answered(&format!("S {code} well")).await.unwrap_err();
        assert!(failure.is_doubt(), "{code}: {failure}");
        assert_eq!(failure.stage, Stage::Reply);
        assert_eq!(failure.reply.unwrap().code, code);
    }
}

#[tokio::test]
async fn what_is_no_reply_after_the_dot_is_a_doubt() {
    for nonsense in ["S hello", "S 25", "S 150 well", "S 2x0 ok", "raw 250-a\\n251 b\\n"] {
        let failure = answered(nonsense).await.unwrap_err();
        assert!(failure.is_doubt(), "{nonsense}: {failure}");
    }
}

#[tokio::test]
async fn a_reply_without_text_is_understood() {
    let script = "C MAIL\nS 250\nC RCPT\nS 250\nC DATA\nS 354\ncontent\nS 250\n";
    let (server, mut connection) = opened([format!("{OPENING}{script}{QUIT}")]).await;
    let reply = send(&mut connection).await.unwrap();
    assert_eq!((reply.code, reply.text.as_str()), (250, ""));
    connection.quit().await;
    server.heard().await;
}

#[tokio::test]
async fn a_reply_in_latin_1_is_no_broken_connection() {
    let replies = "content\nlatin1 250-2.0.0 il messaggio \u{e8}\nlate\nS 250 2.0.0 in coda\n";
    let (server, mut connection) = opened([format!("{OPENING}{TO_DATA}{replies}{QUIT}")]).await;
    let reply = send(&mut connection).await.unwrap();
    assert_eq!(reply.text, "il messaggio \u{fffd} in coda");
    assert!(connection.is_usable());
    connection.quit().await;
    server.heard().await;
}

#[tokio::test]
async fn a_reply_of_many_lines_becomes_one_with_its_code_once_and_no_address() {
    let replies = "
        S 550-5.1.1 The account anna@example.it does not exist;
        S 550-5.1.1 try <ANNA@example.it>, or ask \"mario bianchi\"@example.it
        S 550 5.1.1 (no Anna, but annarella)
    ";
    let failure = answered(replies).await.unwrap_err();
    assert!(failure.is_permanent());
    assert_snapshot!(failure.reply.unwrap(), @"550 5.1.1 The account ***@example.it does not exist; try <***@example.it>, or ask ***@example.it (no ***, but annarella)");
}

#[tokio::test]
async fn a_reply_is_kept_within_its_bound() {
    let text = "parole ".repeat(500);
    let failure = answered(&format!("S 450 4.2.2 {text}")).await.unwrap_err();
    assert_eq!(failure.reply.unwrap().text.chars().count(), REPLY_TEXT_CHARS_MAX);
}

#[tokio::test]
async fn an_enhanced_code_of_another_class_is_text() {
    let failure = answered("S 550 4.1.1 odd").await.unwrap_err();
    let reply = failure.reply.unwrap();
    assert_eq!((reply.enhanced, reply.text.as_str()), (None, "4.1.1 odd"));
}

#[test]
fn every_address_is_masked() {
    let masked = [
        ("<anna@example.it>", "<***@example.it>"),
        ("anna.rossi+news@example.it ok", "***@example.it ok"),
        ("rfc822;anna@example.it", "rfc822;***@example.it"),
        ("\"anna rossi\"@example.it", "***@example.it"),
        ("jos\u{e8}@example.it", "***@example.it"),
        ("a@b@c", "***@***@c"),
        ("@ alone", "@ alone"),
        ("nothing", "nothing"),
    ];
    for (text, wanted) in masked {
        assert_eq!(mask_addresses(text), wanted);
    }
}

proptest! {
    #[test]
    fn masking_takes_any_text(text in "\\PC{0,60}", user in "[a-z.]{1,9}") {
        let masked = mask_addresses(&format!("{text} {user}@example.it"));
        let end = format!(" {user}@example.it");
        prop_assert!(!masked.ends_with(&end));
    }
}
