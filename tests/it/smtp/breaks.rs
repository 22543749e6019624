use banditore::delivery::smtp::Stage;
use tokio::net::TcpListener;

use super::*;

#[tokio::test]
async fn a_closed_port_is_a_temporary_failure() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let failure = relay(port, limits()).open().await.err().unwrap();
    assert_eq!(failure.stage, Stage::Connect);
    assert!(failure.is_temporary(), "{failure}");
}

#[tokio::test]
async fn a_cut_before_the_connection_stands_is_temporary() {
    let cuts = [(Stage::Connect, ""), (Stage::Hello, "S 220 hi\nC EHLO\n")];
    for (stage, script) in cuts {
        let server = ScriptedRelay::start([script.to_owned()]).await;
        let failure = relay(server.port, limits()).open().await.err().unwrap();
        assert_eq!(failure.stage, stage, "{failure}");
        assert!(failure.is_temporary(), "{failure}");
        server.heard().await;
    }
}

#[tokio::test]
async fn a_cut_at_a_command_is_temporary_and_names_the_stage() {
    let cuts = [
        (Stage::Mail, "C MAIL\n"),
        (Stage::Rcpt, "C MAIL\nS 250 ok\nC RCPT\n"),
        (Stage::Data, "C MAIL\nS 250 ok\nC RCPT\nS 250 ok\nC DATA\n"),
    ];
    for (stage, cut) in cuts {
        let (server, mut connection) = opened([format!("{OPENING}{cut}")]).await;
        let failure = send(&mut connection).await.unwrap_err();
        assert_eq!(failure.stage, stage, "{failure}");
        assert!(failure.is_temporary(), "{failure}");
        assert!(!connection.is_usable());
        server.heard().await;
    }
}

/// 4 MB: more than the buffers of both ends hold, so that writing waits for the reader.
fn large() -> Vec<u8> {
    b"una riga che riempie\r\n".repeat(4 * 1024 * 1024 / 22)
}

fn opening_without_size() -> String {
    OPENING.replace("S 250 SIZE 100000", "S 250 HELP")
}

#[tokio::test]
async fn a_cut_in_the_content_is_temporary_for_the_dot_cannot_have_left() {
    let script = format!("{}{TO_DATA}octets 1000", opening_without_size());
    let (server, mut connection) = opened([script]).await;
    let failure = connection.send(&to("anna@example.it"), &large(), yes).await.unwrap_err();
    assert_eq!(failure.stage, Stage::Content, "{failure}");
    assert!(failure.is_temporary(), "{failure}");
    assert!(!connection.is_usable());
    server.heard().await;
}

#[tokio::test]
async fn a_server_that_stops_reading_is_temporary_after_the_limit_of_the_content() {
    let script = format!("{}{TO_DATA}octets 1000\ndeaf", opening_without_size());
    let server = ScriptedRelay::start([script]).await;
    let limits = StageLimits { content: SHORT, ..limits() };
    let mut connection = relay(server.port, limits).open().await.unwrap();
    let content = large().repeat(4);
    let failure = connection.send(&to("anna@example.it"), &content, yes).await.unwrap_err();
    assert_eq!(failure.stage, Stage::Content, "{failure}");
    assert!(failure.is_temporary(), "{failure}");
    assert!(!connection.is_usable());
    server.heard().await;
}

#[tokio::test]
async fn a_cut_between_dot_and_reply_is_a_doubt() {
    for end in ["", "raw 25\n", "raw 250-half\\n\n"] {
        let (server, mut connection) = opened([format!("{OPENING}{TO_DATA}content\n{end}")]).await;
        let failure = send(&mut connection).await.unwrap_err();
        assert_eq!(failure.stage, Stage::Reply, "{failure}");
        assert!(failure.is_doubt(), "{failure}");
        assert!(!connection.is_usable());
        server.heard().await;
    }
}

#[tokio::test]
async fn a_cut_with_the_whole_content_but_its_dot_read_is_a_doubt_for_the_dot_was_written() {
    let script = format!("{OPENING}{TO_DATA}octets {}", CONTENT.len());
    let (server, mut connection) = opened([script]).await;
    let failure = send(&mut connection).await.unwrap_err();
    assert!(failure.is_doubt(), "{failure}");
    server.heard().await;
}

#[tokio::test]
async fn a_silent_server_is_given_up_at_each_stage() {
    let command = StageLimits { command: SHORT, ..limits() };
    for (stage, script) in [(Stage::Connect, "gone"), (Stage::Hello, "S 220 hi\nC EHLO\ngone")] {
        let server = ScriptedRelay::start([script.to_owned()]).await;
        let failure = relay(server.port, command).open().await.err().unwrap();
        assert_eq!(failure.stage, stage, "{failure}");
        assert!(failure.is_temporary(), "{failure}");
        server.heard().await;
    }
    let stages = [
        (Stage::Mail, "C MAIL\ngone"),
        (Stage::Rcpt, "C MAIL\nS 250 ok\nC RCPT\ngone"),
        (Stage::Data, "C MAIL\nS 250 ok\nC RCPT\nS 250 ok\nC DATA\ngone"),
    ];
    for (stage, script) in stages {
        let server = ScriptedRelay::start([format!("{OPENING}{script}")]).await;
        let mut connection = relay(server.port, command).open().await.unwrap();
        let failure = send(&mut connection).await.unwrap_err();
        assert_eq!(failure.stage, stage, "{failure}");
        assert!(failure.is_temporary(), "{failure}");
        assert!(!connection.is_usable());
        server.heard().await;
    }
}

#[tokio::test]
async fn no_reply_to_the_dot_within_its_limit_is_a_doubt() {
    let server = ScriptedRelay::start([format!("{OPENING}{TO_DATA}content\ngone")]).await;
    let limits = StageLimits { content: SHORT, reply: SHORT, ..limits() };
    let mut connection = relay(server.port, limits).open().await.unwrap();
    let failure = send(&mut connection).await.unwrap_err();
    assert_eq!(failure.stage, Stage::Reply, "{failure}");
    assert!(failure.is_doubt(), "{failure}");
    assert!(!connection.is_usable());
    server.heard().await;
}

#[tokio::test]
async fn a_reply_later_than_the_content_limit_but_within_its_own_is_read() {
    let relay_says = "content\nlate\nS 250-one\nS 250 two\n";
    let server = ScriptedRelay::start([format!("{OPENING}{TO_DATA}{relay_says}{QUIT}")]).await;
    let limits = StageLimits { content: SHORT, ..limits() };
    let mut connection = relay(server.port, limits).open().await.unwrap();
    assert_eq!(send(&mut connection).await.unwrap().text, "one two");
    connection.quit().await;
    server.heard().await;
}

#[tokio::test]
async fn a_late_reply_is_never_taken_for_the_next_message() {
    // The first connection's relay accepts only after the client has given up; the second refuses.
    let late = format!("{OPENING}{TO_DATA}content\ngone\nS 250 accepted, late\n");
    let next = format!("{OPENING}{TO_DATA}content\nS 554 5.6.0 no\n{QUIT}");
    let server = ScriptedRelay::start([late, next]).await;
    let limits = StageLimits { content: SHORT, reply: SHORT, ..limits() };
    let relay = relay(server.port, limits);

    let mut connection = relay.open().await.unwrap();
    assert!(send(&mut connection).await.unwrap_err().is_doubt());
    assert!(!connection.is_usable());
    let failure = send(&mut connection).await.unwrap_err();
    assert!(failure.is_temporary(), "nothing is said on a dead connection: {failure}");

    let limits = StageLimits { content: LONG, reply: LONG, ..limits };
    let mut connection = super::relay(server.port, limits).open().await.unwrap();
    assert!(send(&mut connection).await.unwrap_err().is_permanent());
    connection.quit().await;
    server.heard().await;
}

#[tokio::test]
async fn a_server_that_speaks_out_of_turn_is_left_at_once() {
    // Were the second 250 read as RCPT's reply, each later reply would be one message late.
    let script = format!("{OPENING}C MAIL\nraw 250 ok\\n250 ok\\n\ngone");
    let (server, mut connection) = opened([script]).await;
    let failure = send(&mut connection).await.unwrap_err();
    assert!(failure.is_temporary(), "{failure}");
    assert!(!connection.is_usable());
    server.heard().await;
}

#[tokio::test]
async fn a_yes_said_before_the_content_is_no_reply_to_it() {
    let script = format!("{OPENING}{TO_DATA}deaf\nS 250 yes, to whatever comes\nmark\ngone");
    let (server, mut connection) = opened([script]).await;
    let marked = async || {
        server.marked().await;
        true
    };
    let failure = connection.send(&to("anna@example.it"), CONTENT, marked).await.unwrap_err();
    assert!(failure.is_temporary(), "{failure}");
    assert!(failure.what.contains("out of turn"), "{failure}");
    assert!(!connection.is_usable());
    server.heard().await;
}

#[tokio::test]
async fn a_reply_without_end_is_bounded() {
    let endless = format!("raw 250-{}\n", "x".repeat(70_000));
    let (server, mut connection) = opened([format!("{OPENING}C MAIL\n{endless}gone")]).await;
    let failure = send(&mut connection).await.unwrap_err();
    assert_eq!(failure.stage, Stage::Mail);
    assert!(failure.is_temporary(), "{failure}");
    server.heard().await;
}

#[tokio::test]
async fn a_send_dropped_half_way_takes_its_connection_with_it() {
    let (server, mut connection) = opened([format!("{OPENING}{TO_DATA}gone")]).await;
    let envelope = to("anna@example.it");
    let never = connection.send(&envelope, CONTENT, std::future::pending::<bool>);
    assert!(tokio::time::timeout(SHORT, never).await.is_err());
    assert!(!connection.is_usable());
    server.heard().await;
}
