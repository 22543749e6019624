//! The demo's servers: mail is really taken, really shown, and nothing of it can do harm.

#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use banditore::clock::Clock;
use banditore::config::Smtp;
use banditore::delivery::smtp::{Envelope, Relay, StageLimits};
use banditore::demo::mail_server::{MailServer, ServerLimits};
use banditore::demo::mailbox::{Mailbox, router};
use banditore::demo::news_site::NewsSite;
use banditore::model::Timestamp;
use chrono::NaiveDate;
use insta::assert_snapshot;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// 24 November 2026, 07:30 in Rome.
const NOW: Timestamp = Timestamp(1_795_501_800);
const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
/// Longer than any test takes.
const WAIT: Duration = Duration::from_secs(20);

struct Running {
    address: SocketAddr,
    mailbox: Arc<Mailbox>,
}

async fn mail_server(limits: ServerLimits) -> Running {
    let mailbox = Arc::new(Mailbox::default());
    let server = MailServer::bind(LOOPBACK, limits).await.unwrap();
    let address = server.local_addr().unwrap();
    tokio::spawn(server.serve(Arc::clone(&mailbox), Clock::stepped(NOW)));
    Running { address, mailbox }
}

/// Says everything at once and hears everything until the server closes.
async fn say_to(address: SocketAddr, octets: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (mut read, mut write) = stream.split();
    let mut heard = Vec::new();
    // The server may close before it has heard everything.
    let (_, ended) = tokio::time::timeout(WAIT, async {
        tokio::join!(write.write_all(octets), read.read_to_end(&mut heard))
    })
    .await
    .expect("the server closes");
    drop(ended);
    String::from_utf8(heard).unwrap()
}

async fn dialogue(octets: &[u8]) -> (String, Arc<Mailbox>) {
    let limits = ServerLimits { message_octets: 300, recipients: 2, ..ServerLimits::default() };
    let running = mail_server(limits).await;
    (say_to(running.address, octets).await, running.mailbox)
}

#[tokio::test]
async fn mail_that_our_own_client_sends_is_taken_octet_for_octet() {
    let running = mail_server(ServerLimits::default()).await;
    let config = Smtp::at(&running.address.ip().to_string(), running.address.port());
    let hello = "mail.example.it".to_owned();
    let relay = Relay::new(&config, hello, StageLimits::default()).unwrap();
    let mut connection = relay.open().await.unwrap();
    let envelope = Envelope {
        return_path: "ritorno@example.it".to_owned(),
        recipient: "jos\u{e8}@citt\u{e0}.example".to_owned(),
    };
    let content = b"Subject: prova\r\n\r\n.\r\n..\r\n.punto\r\n\r\nfine\r\n";
    let mut arrivals = running.mailbox.arrivals();
    connection.send(&envelope, content, async || true).await.unwrap();
    connection.send(&envelope, b"Subject: due\r\n\r\n", async || true).await.unwrap();
    connection.quit().await;

    assert_eq!(*arrivals.wait_for(|came| *came == 2).await.unwrap(), 2);
    let mail = running.mailbox.get(1).unwrap();
    assert_eq!(mail.source, content);
    assert_eq!(mail.return_path, "ritorno@example.it");
    assert_eq!(mail.recipients, ["jos\u{e8}@xn--citt-3na.example"]);
    assert_eq!(mail.at, NOW);
    assert_eq!(running.mailbox.newest(10).first().unwrap().number, 2);
}

#[tokio::test]
async fn a_conversation_by_the_book() {
    let said = b"EHLO client.example.it\r\nMAIL FROM:<> SIZE=20 BODY=8BITMIME\r\n\
        RCPT TO:<anna@example.it>\r\nrcpt to:<@relay.example.it:mario@example.it>\r\n\
        DATA\r\nSubject: x\r\n\r\ny\r\n.\r\nNOOP\r\nVRFY anna\r\nQUIT\r\n";
    let (heard, mailbox) = dialogue(said).await;
    assert_snapshot!(heard.replace('\r', ""), @"
    220 banditore.invalid ESMTP demo
    250-banditore.invalid
    250-8BITMIME
    250-SMTPUTF8
    250-ENHANCEDSTATUSCODES
    250 SIZE 300
    250 2.1.0 Sender taken
    250 2.1.5 Recipient taken
    250 2.1.5 Recipient taken
    354 End with CR LF . CR LF
    250 2.0.0 Kept as number 1
    250 2.0.0 Here
    252 2.1.5 Try to send
    221 2.0.0 Bye
    ");
    let mail = mailbox.get(1).unwrap();
    assert_eq!(mail.recipients, ["anna@example.it", "mario@example.it"]);
    assert_eq!(mail.return_path, "");
}

#[tokio::test]
async fn commands_out_of_order_or_without_sense_are_refused_and_the_conversation_goes_on() {
    let commands: [(&[u8], &str); 25] = [
        (b"MAIL FROM:<a@example.it>\r\n", "503"),
        (b"EHLO\r\n", "501"),
        (b"HELO client\r\n", "250"),
        (b"RCPT TO:<b@example.it>\r\n", "503"),
        (b"DATA\r\n", "503"),
        (b"MAIL FROM:a@example.it\r\n", "501"),
        (b"MAIL FROM:<a b@example.it>\r\n", "501"),
        (b"MAIL FROM:<a@example.it> X=1\r\n", "555"),
        (b"MAIL FROM:<a@example.it> SIZE=301\r\n", "552"),
        (b"mail from:<a@example.it>\r\n", "250"),
        (b"MAIL FROM:<a@example.it>\r\n", "503"),
        (b"DATA\r\n", "503"),
        (b"RCPT TO:<>\r\n", "501"),
        (b"RCPT TO:<postmaster>\r\n", "250"),
        (b"RCPT TO:<b@example.it>\r\n", "250"),
        (b"RCPT TO:<c@example.it>\r\n", "452"),
        (b"DATA now\r\n", "501"),
        (b"RSET\r\n", "250"),
        (b"DATA\r\n", "503"),
        (b"BLAH\r\n", "500"),
        (b"\xff\r\n", "500"),
        (b"NOOP\n", "500"),
        (b"NOOP\r\n", "250"),
        (b"HELP\r\n", "214"),
        (b"QUIT\r\n", "221"),
    ];
    let said: Vec<u8> = commands.iter().flat_map(|(said, _)| said.to_vec()).collect();
    let (heard, mailbox) = dialogue(&said).await;
    let heard: Vec<&str> = heard.lines().skip(1).collect();
    for ((said, code), answer) in commands.iter().zip(&heard) {
        assert!(answer.starts_with(code), "{answer} to {}", String::from_utf8_lossy(said));
    }
    assert_eq!(heard.len(), commands.len());
    assert!(mailbox.is_empty());
}

/// What comes after the 354, where `content` is given to it.
async fn content(content: &[u8]) -> (Vec<String>, Arc<Mailbox>) {
    let start = b"EHLO c\r\nMAIL FROM:<a@example.it>\r\nRCPT TO:<b@example.it>\r\nDATA\r\n";
    let (heard, mailbox) = dialogue(&[start, content, b"QUIT\r\n"].concat()).await;
    let after = heard.lines().skip_while(|line| !line.starts_with("354")).skip(1);
    (after.map(str::to_owned).collect(), mailbox)
}

#[tokio::test]
async fn a_message_that_is_too_large_is_read_to_its_dot_and_refused() {
    let (heard, mailbox) = content(&[b"riga\r\n".repeat(60), b".\r\n".to_vec()].concat()).await;
    assert_eq!(heard, ["552 5.3.4 Message too large", "221 2.0.0 Bye"]);
    assert!(mailbox.is_empty());
}

#[tokio::test]
async fn content_without_end_is_cut_off() {
    let (heard, _) = content(&b"riga\r\n".repeat(1000)).await;
    assert_eq!(heard, ["421 4.7.0 Too much of it, closing"]);
    let (heard, _) = content(&b"x".repeat(2_000_000)).await;
    assert_eq!(heard, ["421 4.7.0 Too much of it, closing"]);
}

#[tokio::test]
async fn a_bare_line_feed_neither_ends_content_nor_smuggles_a_second_message() {
    let smuggled = b"uno\n.\r\nMAIL FROM:<x@example.it>\r\n\r\n.\r\n";
    let (heard, mailbox) = content(smuggled).await;
    assert_eq!(heard, ["554 5.6.0 A line of the content ends without CR LF", "221 2.0.0 Bye"]);
    assert!(mailbox.is_empty());
    let (heard, _) = content(b"uno\rdue\r\n.\r\n").await;
    assert_eq!(heard, ["554 5.6.0 A line of the content ends without CR LF", "221 2.0.0 Bye"]);
}

#[tokio::test]
async fn long_lines_are_refused_and_the_conversation_goes_on() {
    let long = [b"NOOP ".to_vec(), b"x".repeat(3000), b"\r\nNOOP\r\nQUIT\r\n".to_vec()].concat();
    let (heard, _) = dialogue(&long).await;
    let codes: Vec<&str> = heard.lines().map(|line| &line[..3]).collect();
    assert_eq!(codes, ["220", "500", "250", "221"]);
    let (heard, _) = content(&[b"x".repeat(1500), b"\r\n.\r\n".to_vec()].concat()).await;
    assert_eq!(heard, ["554 5.6.0 A line of the content is too long", "221 2.0.0 Bye"]);
}

#[tokio::test]
async fn a_client_that_only_errs_is_shown_the_door() {
    let (heard, _) = dialogue(&b"BLAH\r\n".repeat(100)).await;
    assert!(heard.ends_with("421 4.7.0 Too many errors\r\n"), "{heard}");
}

#[tokio::test]
async fn a_silent_client_is_told_goodbye() {
    let command = Duration::from_millis(60);
    let running = mail_server(ServerLimits { command, ..ServerLimits::default() }).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let mut heard = String::new();
    tokio::time::timeout(WAIT, stream.read_to_string(&mut heard)).await.unwrap().unwrap();
    assert!(heard.ends_with("421 4.4.2 Nothing heard, closing\r\n"), "{heard}");
}

#[tokio::test]
async fn more_connections_than_allowed_are_told_to_come_back() {
    let running = mail_server(ServerLimits { connections: 1, ..ServerLimits::default() }).await;
    let mut first = TcpStream::connect(running.address).await.unwrap();
    let mut greeting = [0; 3];
    first.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"220");
    let second = say_to(running.address, b"").await;
    assert!(second.starts_with("421 4.3.2"), "{second}");
}

#[test]
fn the_mailbox_keeps_the_newest() {
    let mailbox = Mailbox::keeping(3);
    for _ in 0..5 {
        mailbox.put(NOW, String::new(), Vec::new(), b"x".to_vec());
    }
    let numbers: Vec<u64> = mailbox.newest(10).iter().map(|mail| mail.number).collect();
    assert_eq!(numbers, [5, 4, 3]);
    assert!(mailbox.get(2).is_none());
    assert_eq!(*mailbox.arrivals().borrow(), 5);

    let large = vec![b'x'; 30 * 1024 * 1024];
    for _ in 0..3 {
        mailbox.put(NOW, String::new(), Vec::new(), large.clone());
    }
    assert_eq!(mailbox.len(), 2);
}

struct Page {
    status: u16,
    head: String,
    body: String,
}

async fn get(app: &Router, path: &str) -> Page {
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(axum::serve(listener, app.clone()).into_future());
    let ask = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let answer = say_to(address, ask.as_bytes()).await;
    server.abort();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Page { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

const MAIL: &[u8] = b"From: =?utf-8?Q?Rete_Comuni_=E2=80=93_notizie?= <notizie@example.it>\r\n\
    To: anna@example.it\r\nSubject: =?utf-8?Q?Le_novit=C3=A0_di_oggi?=\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/alternative; boundary=b\r\n\r\n\
    --b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nBuongiorno, ecco le notizie.\r\n\
    --b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
    <html><head><title>x</title></head><body><p title=\"a\">Ciao</p></body></html>\r\n--b--\r\n";
const HOSTILE: &[u8] = b"From: \"<script>alert(1)</script>\" <x@example.it>\r\n\
    Subject: <img src=x onerror=alert(1)>\"'\r\nContent-Type: text/html\r\n\r\n\
    \"></iframe><script>alert(2)</script>\r\n";

fn shown(mails: &[&[u8]]) -> Router {
    let mailbox = Arc::new(Mailbox::default());
    for mail in mails {
        let recipients = vec!["anna@example.it".to_owned()];
        mailbox.put(NOW, "ritorno@example.it".to_owned(), recipients, mail.to_vec());
    }
    router(mailbox, chrono_tz::Europe::Rome, "")
}

#[tokio::test]
async fn the_list_shows_who_what_and_when_and_looks_again_by_itself() {
    let app = shown(&[MAIL]);
    let list = get(&app, "/").await;
    assert_eq!(list.status, 200);
    for wanted in [
        "Le novità di oggi",
        "Rete Comuni – notizie &lt;notizie@example.it&gt;",
        "anna@example.it",
        "Buongiorno, ecco le notizie.",
        "24/11/2026 07:30:00",
        "http-equiv=\"refresh\"",
    ] {
        assert!(list.body.contains(wanted), "{wanted} in {}", list.body);
    }
    assert!(!get(&app, "/?refresh=off").await.body.contains("http-equiv=\"refresh\""));
    assert!(get(&shown(&[]), "/").await.body.contains("Ancora nessun messaggio"));
}

#[tokio::test]
async fn a_mail_is_shown_as_html_as_text_and_as_source() {
    let app = shown(&[MAIL]);
    let html = get(&app, "/mail/1").await.body;
    assert!(html.contains("sandbox=\"allow-popups allow-popups-to-escape-sandbox\""));
    assert!(html.contains("&lt;p title&#x3D;&quot;a&quot;&gt;Ciao&lt;/p&gt;"), "{html}");
    assert!(!html.contains("http-equiv=\"refresh\""));
    let text = get(&app, "/mail/1?view=text").await.body;
    assert!(text.contains("<pre class=\"mail text\" tabindex=\"0\">Buongiorno, ecco le notizie."));
    assert!(!text.contains("<iframe"));
    let source = get(&app, "/mail/1?view=source").await.body;
    assert!(source.contains("Subject: &#x3D;?utf-8?Q?Le_novit&#x3D;C3&#x3D;A0_di_oggi?&#x3D;"));
    let raw = get(&app, "/mail/1/source").await;
    assert!(raw.head.contains("content-type: text/plain; charset=utf-8"));
    assert_eq!(raw.body.as_bytes(), MAIL);
    let file = get(&app, "/mail/1.eml").await;
    assert!(file.head.contains("content-type: message/rfc822"));
    assert!(file.head.contains("content-disposition: attachment; filename=\"mail-1.eml\""));
    assert_eq!(file.body.as_bytes(), MAIL);
    for missing in ["/mail/2", "/mail/0", "/mail/x", "/mail/2.eml", "/mail/-1/source"] {
        assert_eq!(get(&app, missing).await.status, 404, "{missing}");
    }
}

#[tokio::test]
async fn nothing_of_a_mail_becomes_part_of_the_page() {
    let app = shown(&[HOSTILE]);
    for path in ["/", "/mail/1", "/mail/1?view=source", "/mail/1?view=%3Cscript%3E"] {
        let page = get(&app, path).await;
        assert!(page.head.contains("content-security-policy: default-src 'none'"), "{}", page.head);
        assert!(!page.head.contains("script-src"));
        for harm in ["<script", "<img src=x", "></iframe><"] {
            assert!(!page.body.contains(harm), "{path}: {}", page.body);
        }
    }
}

#[tokio::test]
async fn octets_that_are_no_mail_at_all_are_shown_too() {
    for octets in [&b""[..], b"\0\xff\xfe", b"no header", b"Subject: =?utf-8?B?////?=\r\n\r\n"] {
        let app = shown(&[octets]);
        for path in ["/", "/mail/1", "/mail/1?view=text", "/mail/1?view=source"] {
            assert_eq!(get(&app, path).await.status, 200);
        }
    }
}

#[tokio::test]
async fn links_keep_the_path_that_the_mailbox_is_nested_at() {
    let mailbox = Arc::new(Mailbox::default());
    mailbox.put(NOW, String::new(), Vec::new(), MAIL.to_vec());
    let inner = router(mailbox, chrono_tz::Europe::Rome, "/mailbox/");
    let app = Router::new().nest("/mailbox", inner);
    let list = get(&app, "/mailbox").await.body;
    assert!(list.contains("href=\"/mailbox/mail/1\""), "{list}");
    assert_eq!(get(&app, "/mailbox/mail/1").await.status, 200);
    assert_eq!(get(&app, "/mailbox/mailbox.css").await.status, 200);
}

#[tokio::test]
async fn the_news_site_shows_what_is_published_newest_first_with_the_date_after_the_text() {
    let day = |day| NaiveDate::from_ymd_opt(2026, 11, day).unwrap();
    let site = NewsSite::new(&[day(20), day(21), day(23)]);
    assert_eq!(site.published(), 3);
    assert!(site.items() >= 14);
    let app = site.router();
    let page = get(&app, "/news").await.body;
    assert_eq!(page.matches("<article").count(), 3);
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} in {page}"));
    assert!(at("23 Novembre 2026") < at("21 Novembre 2026"));
    assert!(at("comunità energetica rinnovabile") < at("23 Novembre 2026"));

    let title = site.publish_next(day(24)).unwrap().to_owned();
    let page = get(&app, "/news").await.body;
    assert_eq!(page.matches("<article").count(), 4);
    assert!(page.find("24 Novembre 2026").unwrap() < page.find("23 Novembre 2026").unwrap());

    let slug = "monte-cremasco-asilo-nido-gara-pnrr";
    let item = get(&app, &format!("/news/{slug}")).await;
    assert!(item.body.contains(&title) && item.body.contains("24 Novembre 2026"));
    let picture = get(&app, "/pictures/asilo.svg").await;
    assert!(item.body.contains("src=\"/pictures/asilo.svg\"") && picture.status == 200);
    assert_eq!(get(&app, "/pictures/altro.svg").await.status, 404);
    assert_eq!(get(&app, "/news/mensa-scolastica-iscrizioni-tariffe").await.status, 404);
}

#[test]
fn the_news_site_ends_when_all_is_published() {
    let day = NaiveDate::from_ymd_opt(2026, 11, 24).unwrap();
    let site = NewsSite::new(&[]);
    let mut titles = std::collections::BTreeSet::new();
    while let Some(title) = site.publish_next(day) {
        titles.insert(title.to_owned());
    }
    assert_eq!(titles.len(), site.items());
    assert_eq!(site.published(), site.items());
    assert_eq!(NewsSite::new(&[day; 99]).published(), site.items());
}
