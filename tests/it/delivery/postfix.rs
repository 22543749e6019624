//! Against Postfix's own test server, which shares no code and no author with us.

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use banditore::delivery::{RETRY_SECONDS_MAX, Totals};
use tempfile::TempDir;

use super::support::{Plan, address, header, message_id_of};

/// How long the server may take to come up.
const START_SECONDS_MAX: u64 = 20;
const PLACES: [&str; 3] = ["/usr/sbin/smtp-sink", "/usr/local/sbin/smtp-sink", "/sbin/smtp-sink"];

/// A running `smtp-sink`, which dumps each mail that it took into a folder of its own.
struct SmtpSink {
    child: Child,
    dumps: TempDir,
}

impl SmtpSink {
    fn start(port: u16, options: &[&str]) -> Self {
        let program = PLACES.iter().find(|path| Path::new(path).exists());
        let program = program.expect(
            "smtp-sink is missing: it comes with Postfix, and this test proves delivery against it \
             (apt-get install postfix)",
        );
        let dumps = TempDir::new().unwrap();
        std::fs::set_permissions(dumps.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let mut command = Command::new(program);
        // It refuses to serve as root.
        if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
            command.args(["-u", "nobody"]);
        }
        command.arg("-d").arg(dumps.path().join("mail.")).args(options);
        let child = command.args([&format!("127.0.0.1:{port}"), "100"]).spawn().unwrap();
        let mut sink = Self { child, dumps };
        let end = Instant::now() + Duration::from_secs(START_SECONDS_MAX);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(sink.child.try_wait().unwrap().is_none(), "smtp-sink could not start");
            assert!(Instant::now() < end, "smtp-sink does not come up");
            std::thread::sleep(Duration::from_millis(5));
        }
        sink
    }

    /// The mails that it has, headed by its own fields `X-Mail-Args` and `X-Rcpt-Args`.
    fn mails(&self) -> Vec<Vec<u8>> {
        let files = std::fs::read_dir(self.dumps.path()).unwrap();
        let mails = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
        // Lines of its dumps end with LF.
        mails.map(|mail| String::from_utf8(mail).unwrap().replace('\n', "\r\n").into()).collect()
    }

    fn message_ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self.mails().iter().map(|mail| message_id_of(mail)).collect();
        ids.sort();
        ids
    }
}

impl Drop for SmtpSink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn plan(port: u16) -> Plan {
    Plan { port, people: 40, connections: 4, ..Plan::default() }
}

#[tokio::test]
async fn smtp_sink_has_each_message_once() {
    let port = free_port();
    let sink = SmtpSink::start(port, &[]);
    let house = plan(port).build().await;
    assert_eq!(house.deliver().await, Totals { accepted: 40, ..Totals::default() });
    assert_eq!(house.deliver().await, Totals::default());
    let mut wanted: Vec<String> =
        house.messages().await.iter().map(|message| house.message_id(message)).collect();
    wanted.sort();
    assert_eq!(sink.message_ids(), wanted);
    let to: BTreeSet<String> = sink.mails().iter().map(|mail| header(mail, "To")).collect();
    assert_eq!(to, (1..=40).map(address).collect());
    for mail in sink.mails() {
        let path = format!("<{}>", header(&mail, "To"));
        assert_eq!(header(&mail, "X-Rcpt-Args"), path);
        assert!(header(&mail, "X-Mail-Args").starts_with("<news@example.it>"));
    }
    assert!(house.audit().await.is_empty());
}

#[tokio::test]
async fn smtp_sink_refuses_for_now_and_takes_them_later() {
    let port = free_port();
    for command in ["MAIL", "RCPT", "DATA", "."] {
        let refusing = SmtpSink::start(port, &["-r", command]);
        let house = plan(port).build().await;
        let refused = house.deliver().await;
        assert_eq!(refused, Totals { deferred: 40, ..Totals::default() }, "{command}");
        drop(refusing);
        let taking = SmtpSink::start(port, &[]);
        house.step(RETRY_SECONDS_MAX);
        assert_eq!(house.deliver().await.accepted, 40, "{command}");
        assert_eq!(taking.message_ids().len(), 40);
        assert!(house.audit().await.is_empty());
    }
}

#[tokio::test]
async fn smtp_sink_refuses_for_good_and_is_not_asked_again() {
    let port = free_port();
    for command in ["RCPT", "."] {
        let _refusing = SmtpSink::start(port, &["-f", command]);
        let house = plan(port).build().await;
        let refused = house.deliver().await;
        assert_eq!(refused, Totals { failed: 40, ..Totals::default() }, "{command}");
        house.step(RETRY_SECONDS_MAX);
        assert_eq!(house.deliver().await, Totals::default());
        assert!(house.audit().await.is_empty());
    }
}

#[tokio::test]
async fn smtp_sink_keeps_the_mail_and_closes_at_the_dot_and_each_double_is_named() {
    let port = free_port();
    let closing = SmtpSink::start(port, &["-q", "."]);
    let house = plan(port).build().await;
    assert_eq!(house.deliver().await, Totals { in_doubt: 40, ..Totals::default() });
    drop(closing);
    let taking = SmtpSink::start(port, &[]);
    house.step(RETRY_SECONDS_MAX);
    assert_eq!(house.deliver().await.accepted, 40);
    assert_eq!(taking.message_ids().len(), 40, "nobody is missed");
    let ids: Vec<i64> = house.messages().await.iter().map(|message| message.id).collect();
    assert_eq!(house.audit().await, ids, "each double is named");
}
