use std::cell::Cell;

use banditore::delivery::smtp::Stage;
use proptest::prelude::*;

use super::*;

#[tokio::test]
async fn the_content_begins_only_after_the_record_that_it_does() {
    // The relay says 354 and must hear nothing until the record is made.
    let (server, mut connection) = opened([format!("{OPENING}{TO_DATA}{ACCEPTED}{QUIT}")]).await;
    let recorded = Cell::new(0);
    let sent = connection
        .send(&to("anna@example.it"), CONTENT, async || {
            recorded.set(recorded.get() + 1);
            true
        })
        .await;
    assert_eq!(sent.unwrap().code, 250);
    assert_eq!(recorded.get(), 1);
    connection.quit().await;
    let heard = server.heard().await;
    assert_eq!(heard[0].contents, [b"Subject: prova\r\n\r\nBuongiorno.\r\n.\r\n"]);
}

#[tokio::test]
async fn a_refusal_before_the_354_never_asks_for_the_record() {
    let script = format!("{OPENING}C MAIL\nS 250 ok\nC RCPT\nS 550 no\nC RSET\nS 250 ok\n{QUIT}");
    let (server, mut connection) = opened([script]).await;
    let sent = connection
        .send(&to("anna@example.it"), CONTENT, async || panic!("no content begins here"))
        .await;
    assert!(sent.unwrap_err().is_permanent());
    connection.quit().await;
    server.heard().await;
}

#[tokio::test]
async fn two_messages_go_over_one_connection() {
    let script = format!("{OPENING}{TO_DATA}{ACCEPTED}{TO_DATA}{ACCEPTED}{QUIT}");
    let (server, mut connection) = opened([script]).await;
    send(&mut connection).await.unwrap();
    assert!(connection.is_usable());
    send(&mut connection).await.unwrap();
    connection.quit().await;
    assert_eq!(server.heard().await[0].contents.len(), 2);
}

async fn wire_of(content: &[u8]) -> Vec<u8> {
    let (server, mut connection) = opened([format!("{OPENING}{TO_DATA}{ACCEPTED}{QUIT}")]).await;
    connection.send(&to("anna@example.it"), content, yes).await.unwrap();
    connection.quit().await;
    server.heard().await.remove(0).contents.remove(0)
}

#[tokio::test]
async fn dots_are_doubled_and_no_line_is_added() {
    assert_eq!(wire_of(b".\r\n..\r\na.\r\n.b\r\n").await, b"..\r\n...\r\na.\r\n..b\r\n.\r\n");
    assert_eq!(wire_of(b"a\r\n\r\n").await, b"a\r\n\r\n.\r\n");
    assert_eq!(wire_of(b"no line end").await, b"no line end\r\n.\r\n");
}

#[tokio::test]
async fn content_that_is_not_fit_for_the_wire_is_refused_with_nothing_said() {
    let (server, mut connection) = opened([format!("{OPENING}{QUIT}")]).await;
    let long = [b"x".repeat(999), b"\r\n".to_vec()].concat();
    // The second is a second message to a server that takes a bare LF for a line end.
    let unfit: [&[u8]; 6] = [
        b"a\nb\r\n",
        b"a\r\n.\nMAIL FROM:<x@example.it>\r\n",
        b"a\rb\r\n",
        b"a\r",
        "perch\u{e9}\r\n".as_bytes(),
        &long,
    ];
    for content in unfit {
        let failure = connection.send(&to("anna@example.it"), content, yes).await.unwrap_err();
        assert!(failure.is_permanent(), "{failure}");
        assert!(connection.is_usable());
    }
    connection.quit().await;
    server.heard().await;
}

#[tokio::test]
async fn a_message_larger_than_the_relay_takes_is_refused_with_nothing_said() {
    let (server, mut connection) = opened([format!("{OPENING}{QUIT}")]).await;
    let content = b"una riga\r\n".repeat(10_001);
    let failure = connection.send(&to("anna@example.it"), &content, yes).await.unwrap_err();
    assert!(failure.is_permanent(), "{failure}");
    assert!(connection.is_usable());
    connection.quit().await;
    server.heard().await;
}

#[tokio::test]
async fn size_is_told_where_the_relay_asks_for_it() {
    let (server, mut connection) = opened([format!("{OPENING}{TO_DATA}{ACCEPTED}{QUIT}")]).await;
    send(&mut connection).await.unwrap();
    connection.quit().await;
    let mail = format!("MAIL FROM:<b@example.it> SIZE={}", CONTENT.len());
    assert_eq!(server.heard().await[0].lines[1], mail);
}

#[tokio::test]
async fn domains_go_out_in_a_labels() {
    let script =
        format!("{OPENING}C MAIL\nS 250 ok\nC RCPT\nS 250 ok\nC DATA\nS 354 go\n{ACCEPTED}");
    let (server, mut connection) = opened([format!("{script}{QUIT}")]).await;
    let envelope = Envelope {
        return_path: "ritorno@citt\u{e0}.example".to_owned(),
        recipient: "anna@comune-dell\u{2019}aria.example".replace('\u{2019}', "\u{e8}"),
    };
    connection.send(&envelope, CONTENT, yes).await.unwrap();
    connection.quit().await;
    let heard = server.heard().await;
    assert!(heard[0].lines[1].starts_with("MAIL FROM:<ritorno@xn--citt-3na.example>"));
    assert!(heard[0].lines[2].is_ascii() && heard[0].lines[2].contains("@xn--comune-dell"));
    assert!(!heard[0].lines[1].contains("SMTPUTF8"));
}

#[tokio::test]
async fn the_null_return_path_goes_out_as_it_is() {
    let script = format!("{OPENING}C MAIL FROM:<>\nS 250 ok\nC RCPT\nS 250 ok\nC DATA\nS 354 go\n");
    let (server, mut connection) = opened([format!("{script}{ACCEPTED}{QUIT}")]).await;
    let envelope = Envelope { return_path: String::new(), ..to("anna@example.it") };
    connection.send(&envelope, CONTENT, yes).await.unwrap();
    connection.quit().await;
    server.heard().await;
}

#[tokio::test]
async fn a_local_part_outside_ascii_needs_smtputf8() {
    let (server, mut connection) = opened([format!("{OPENING}{QUIT}")]).await;
    let envelope = to("jos\u{e8}@example.it");
    let failure = connection.send(&envelope, CONTENT, yes).await.unwrap_err();
    assert!(failure.is_permanent(), "{failure}");
    assert_eq!(failure.stage, Stage::Rcpt);
    connection.quit().await;
    server.heard().await;

    let opening = OPENING.replace("S 250 SIZE 100000", "S 250 smtputf8");
    let script = format!("{opening}C MAIL FROM:<b@example.it> SMTPUTF8\nS 250 ok\nC RCPT\n");
    let script = format!("{script}S 250 ok\nC DATA\nS 354 go\n{ACCEPTED}{QUIT}");
    let (server, mut connection) = opened([script]).await;
    connection.send(&envelope, CONTENT, yes).await.unwrap();
    connection.quit().await;
    server.heard().await;
}

#[tokio::test]
async fn what_is_no_address_is_refused_with_nothing_said() {
    let (server, mut connection) = opened([format!("{OPENING}{QUIT}")]).await;
    let none = [
        "",
        "anna",
        "@example.it",
        "anna@",
        "anna@exa mple.it",
        "anna@example.it>\r\nRCPT TO:<x@example.it",
        "an\r\nna@example.it",
        "anna@1.2.3.4",
        "anna@example.it\r\nDATA",
        "an na@example.it",
        "a>b@example.it",
        "anna@exa%6dple.it",
    ];
    for recipient in none {
        let failure = connection.send(&to(recipient), CONTENT, yes).await.unwrap_err();
        assert!(failure.is_permanent(), "{recipient:?}: {failure}");
        assert!(connection.is_usable());
    }
    connection.quit().await;
    server.heard().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// What a server reads, dots undone, is the content, whatever lines it has.
    #[test]
    fn a_server_reads_the_content_that_was_given(
        lines in prop::collection::vec("[.a]{0,4}", 1..8),
    ) {
        let content: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let wire = runtime.block_on(wire_of(content.as_bytes()));
        let wire = String::from_utf8(wire).unwrap();
        let read: String = wire
            .strip_suffix(".\r\n")
            .unwrap()
            .split_inclusive("\r\n")
            .map(|line| line.strip_prefix('.').unwrap_or(line))
            .collect();
        // An empty message cannot be told from one empty line (RFC 5321 4.1.1.4).
        prop_assert_eq!(read, content);
    }
}
