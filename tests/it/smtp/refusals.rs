use banditore::delivery::smtp::{EnhancedCode, Stage};

use super::*;

/// A refusal at each command, then the same connection takes the next message.
async fn refused_then_reused(stage: Stage, code: u16, before: &str, reset: bool) {
    let reset = if reset { "C RSET\nS 250 ok\n" } else { "" };
    let script = format!("{OPENING}{before}S {code} no\n{reset}{TO_DATA}{ACCEPTED}{QUIT}");
    let (server, mut connection) = opened([script]).await;

    let failure = send(&mut connection).await.unwrap_err();
    assert_eq!(failure.stage, stage);
    assert_eq!(failure.is_permanent(), code >= 500, "{failure}");
    assert_eq!(failure.is_temporary(), code < 500, "{failure}");
    assert_eq!(failure.reply.unwrap().code, code);

    assert!(connection.is_usable());
    assert_eq!(send(&mut connection).await.unwrap().code, 250);
    connection.quit().await;
    server.heard().await;
}

#[tokio::test]
async fn a_refusal_at_any_command_is_told_by_its_class_and_leaves_the_connection_usable() {
    let mail = "C MAIL\n";
    let rcpt = "C MAIL\nS 250 ok\nC RCPT\n";
    let data = "C MAIL\nS 250 ok\nC RCPT\nS 250 ok\nC DATA\n";
    let dot = format!("{TO_DATA}content\n");
    for code in [450, 451, 452, 550, 552, 554, 571] {
        refused_then_reused(Stage::Mail, code, mail, true).await;
        refused_then_reused(Stage::Rcpt, code, rcpt, true).await;
        refused_then_reused(Stage::Data, code, data, true).await;
        refused_then_reused(Stage::Reply, code, &dot, false).await;
    }
}

#[tokio::test]
async fn a_relay_that_wants_one_to_sign_in_fails_no_message_for_good() {
    let script = format!("{OPENING}C MAIL\nS 530 5.7.0 sign in first\nC RSET\nS 250 ok\n{QUIT}");
    let (server, mut connection) = opened([script]).await;
    assert!(send(&mut connection).await.unwrap_err().is_temporary());
    connection.quit().await;
    server.heard().await;
}

#[tokio::test]
async fn after_421_the_connection_is_not_used_again() {
    for before in ["C MAIL\n", "C MAIL\nS 250 ok\nC RCPT\n", &format!("{TO_DATA}content\n")] {
        let script = format!("{OPENING}{before}S 421 4.3.2 closing\ngone");
        let (server, mut connection) = opened([script]).await;
        let failure = send(&mut connection).await.unwrap_err();
        assert!(failure.is_temporary(), "{failure}");
        assert_eq!(
            failure.reply.unwrap().enhanced,
            Some(EnhancedCode { class: 4, subject: 3, detail: 2 })
        );
        assert!(!connection.is_usable());
        server.heard().await;
    }
}

#[tokio::test]
async fn a_421_said_while_the_connection_was_idle_is_no_reply_to_the_next_command() {
    let script = format!("{OPENING}{TO_DATA}content\nraw 250 ok\\n421 4.4.2 idle\\n");
    let (server, mut connection) = opened([script]).await;
    assert_eq!(send(&mut connection).await.unwrap().code, 250);
    let failure = send(&mut connection).await.unwrap_err();
    assert!(failure.is_temporary(), "{failure}");
    assert_eq!(failure.stage, Stage::Mail);
    assert!(!connection.is_usable());
    server.heard().await;
}

#[tokio::test]
async fn a_connection_that_cannot_be_reset_is_not_used_again() {
    let script = format!("{OPENING}C MAIL\nS 550 no\nC RSET\nS 502 what\ngone");
    let (server, mut connection) = opened([script]).await;
    assert!(send(&mut connection).await.unwrap_err().is_permanent());
    assert!(!connection.is_usable());
    server.heard().await;
}

#[tokio::test]
async fn a_relay_that_refuses_at_the_door_is_a_temporary_failure_with_its_words() {
    let port_of = [
        (Stage::Connect, "S 554 5.7.1 not you\ngone"),
        (Stage::Connect, "S 421 4.3.2 too many\ngone"),
        (Stage::Hello, "S 220 hi\nC EHLO\nS 550 5.7.1 bad name\nC QUIT\nS 221 bye"),
    ];
    for (stage, script) in port_of {
        let server = ScriptedRelay::start([script.to_owned()]).await;
        let failure = relay(server.port, limits()).open().await.err().unwrap();
        assert_eq!(failure.stage, stage, "{failure}");
        assert!(failure.is_temporary(), "{failure}");
        assert!(failure.reply.unwrap().enhanced.is_some());
        server.heard().await;
    }
}

#[tokio::test]
async fn a_no_before_the_content_closes_the_connection_with_nothing_sent() {
    let script = format!("{OPENING}{TO_DATA}gone");
    let (server, mut connection) = opened([script]).await;
    let sent = connection.send(&to("anna@example.it"), CONTENT, async || false).await;
    let failure = sent.unwrap_err();
    assert!(failure.is_refused(), "{failure}");
    assert_eq!(failure.stage, Stage::Data);
    assert!(!connection.is_usable());
    server.heard().await;
}
