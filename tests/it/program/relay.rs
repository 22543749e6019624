//! A real relay: Postfix's `smtp-sink`, which writes each mail to a file.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mail_parser::{HeaderValue, Message, MessageParser, MimeHeaders as _};

/// Where Debian puts it (package `postfix`).
const PROGRAM: &str = "/usr/sbin/smtp-sink";
/// How long it may take to listen.
const STARTING_SECONDS_MAX: u64 = 20;

/// A running `smtp-sink`; it ends with the test.
pub struct SmtpSink {
    child: Child,
    folder: tempfile::TempDir,
    /// Where it listens.
    pub port: u16,
}

/// A mail that it took.
#[derive(Debug)]
pub struct Mail {
    /// The envelope's recipients.
    pub recipients: Vec<String>,
    /// The mail as it came.
    pub source: String,
}

impl SmtpSink {
    /// Starts one on a free port of the loopback.
    pub fn start() -> Self {
        assert!(
            Path::new(PROGRAM).exists(),
            "{PROGRAM} is missing: apt-get install -y --no-install-recommends postfix"
        );
        let folder = tempfile::tempdir().unwrap();
        // It gives up root before it writes.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let template = folder.path().join("%M.");
        let address = format!("127.0.0.1:{port}");
        let root = fs::metadata("/proc/self").is_ok_and(|own| owner(&own) == 0);
        let child = Command::new(PROGRAM)
            .args(if root { &["-u", "nobody"][..] } else { &[] })
            .arg("-d")
            .arg(template)
            .args([&address, "100"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while TcpStream::connect(&address).is_err() {
            assert!(begun.elapsed().as_secs() < STARTING_SECONDS_MAX, "smtp-sink does not listen");
            std::thread::park_timeout(Duration::from_millis(5));
        }
        Self { child, folder, port }
    }

    /// Every mail that it took up to now.
    pub fn mails(&self) -> Vec<Mail> {
        let files = fs::read_dir(self.folder.path()).unwrap();
        files.map(|file| Mail::read(&fs::read(file.unwrap().path()).unwrap())).collect()
    }
}

impl Drop for SmtpSink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn owner(metadata: &fs::Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::uid(metadata)
}

impl Mail {
    /// Reads what smtp-sink wrote: the envelope as header fields of its own, then the mail.
    fn read(dump: &[u8]) -> Self {
        let dump = String::from_utf8(dump.to_vec()).expect("mails are ASCII");
        let own = |line: &&str| line.starts_with("X-") || line.starts_with("Received:");
        let envelope = dump.lines().take_while(|line| own(line) || line.starts_with([' ', '\t']));
        let recipients = envelope
            .filter_map(|line| line.strip_prefix("X-Rcpt-Args: <"))
            .map(|rest| rest.split('>').next().unwrap().to_owned())
            .collect();
        Self { recipients, source: dump }
    }

    /// The mail, parsed.
    pub fn parsed(&self) -> Message<'_> {
        MessageParser::default().parse(self.source.as_bytes()).expect("it is a mail")
    }

    /// What a person reads in the HTML part, white space folded.
    pub fn html_text(&self) -> String {
        let parsed = self.parsed();
        let html = scraper::Html::parse_document(&parsed.body_html(0).unwrap());
        fold(&html.root_element().text().collect::<Vec<_>>().join(" "))
    }

    /// The text part, white space folded.
    pub fn text(&self) -> String {
        let parsed = self.parsed();
        let part = parsed.text_part(0).expect("it has a text part");
        assert!(part.content_type().is_some_and(|kind| kind.subtype() == Some("plain")));
        fold(part.text_contents().unwrap())
    }

    /// A header field as text.
    pub fn header(&self, name: &str) -> Option<String> {
        match self.parsed().header(name.to_owned())? {
            HeaderValue::Text(text) => Some(text.to_string()),
            other => Some(format!("{other:?}")),
        }
    }
}

/// White space folded, as a reader of the mail sees it.
pub fn fold(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
