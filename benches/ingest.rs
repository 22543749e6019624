//! What polling costs: the real program against a server on loopback, beside a bare parse of the
//! same octets by feed-rs. `scripts/bench ingest` runs it and says what the figures mean.
//!
//! Every source has a host of its own, since one host is asked once at a time: addresses of
//! 127.0.0.0/8, which Linux has without being told.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Items of a full answer.
const ITEMS: usize = 50;
/// Ticks of the clock in a second, as /proc counts a process's time (USER_HZ of Linux).
const TICKS_A_SECOND: f64 = 100.0;

/// What a server answers to whoever has the last answer.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// 304.
    Unmodified,
    /// A full answer whose channel alone has another date.
    Dated,
    /// A full answer of which one item has another date, so that all are read.
    Full,
}

/// A publisher that counts how often it was asked.
struct Server {
    answered: AtomicUsize,
    kind: Kind,
}

fn feed(number: usize, kind: Kind) -> String {
    let text = "Pubblicato il bando per i contributi alle imprese del territorio: domande entro la \
                fine del mese, allo sportello o in rete, con la ricevuta del versamento. ";
    let mut feed = format!(
        "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>Notizie</title>\
         <link>https://www.example.it/</link><description>Notizie</description>\
         <lastBuildDate>{number}</lastBuildDate>"
    );
    for item in 0..ITEMS {
        let second = if item == 0 && kind == Kind::Full { number % 60 } else { 0 };
        let _ = write!(
            feed,
            "<item><guid>n{item}</guid><title>Bando numero {item} per le imprese</title>\
             <link>https://www.example.it/notizie/{item}</link>\
             <pubDate>Wed, 25 Nov 2026 08:{item:02}:{second:02} +0100</pubDate>\
             <description>&lt;p&gt;{text}{text}&lt;/p&gt;</description></item>"
        );
    }
    feed.push_str("</channel></rss>");
    feed
}

fn serve(server: &Server, stream: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    let mut line = String::new();
    loop {
        let mut tagged = false;
        loop {
            line.clear();
            if lines.read_line(&mut line)? == 0 {
                return Ok(());
            }
            tagged |= line.to_ascii_lowercase().starts_with("if-none-match:");
            if line == "\r\n" {
                break;
            }
        }
        let number = server.answered.fetch_add(1, Ordering::SeqCst);
        if tagged && server.kind == Kind::Unmodified {
            stream.write_all(b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n")?;
            continue;
        }
        let body = feed(number, server.kind);
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\nETag: \"a\"\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.as_bytes())?;
    }
}

/// Starts a server on every address of loopback; gives its port.
fn start(kind: Kind) -> (Arc<Server>, u16) {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    let server = Arc::new(Server { answered: AtomicUsize::new(0), kind });
    let shared = Arc::clone(&server);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let server = Arc::clone(&shared);
            std::thread::spawn(move || serve(&server, stream));
        }
    });
    (server, port)
}

/// Processor time of a process, in seconds: its own and the system's for it.
fn processor_seconds(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("Linux has it");
    // After the name, which may have spaces: utime and stime are the 14th and 15th field.
    let fields = stat.rsplit(") ").next().expect("it has a name").split(' ');
    let ticks: f64 =
        fields.skip(11).take(2).map(|field| field.parse::<f64>().expect("a number")).sum();
    ticks / TICKS_A_SECOND
}

fn peak_kilobytes(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("Linux has it");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.and_then(|number| number.parse().ok()).expect("it has a peak")
}

fn program(folder: &Path, at: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_banditore"));
    command.args(["--at", at]).current_dir(folder).env("RUST_LOG", "error");
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Polls all sources by the daemon; gives seconds, processor seconds and peak memory.
fn polls(folder: &Path, at: &str, server: &Server, sources: usize) -> (f64, f64, u64) {
    let before = server.answered.load(Ordering::SeqCst);
    let begun = Instant::now();
    let mut daemon: Child = program(folder, at)
        .args(["serve", "--only", "ingest"])
        .spawn()
        .expect("the program is there");
    while server.answered.load(Ordering::SeqCst) < before + sources {
        assert!(begun.elapsed() < Duration::from_secs(600), "not all were polled");
        std::thread::sleep(Duration::from_millis(5));
    }
    // The last answers are still being taken in: until the daemon has nothing to do.
    let mut seconds = processor_seconds(&daemon.id().to_string());
    loop {
        std::thread::sleep(Duration::from_millis(200));
        let now = processor_seconds(&daemon.id().to_string());
        if now - seconds < 0.02 {
            break;
        }
        seconds = now;
    }
    let elapsed = begun.elapsed().as_secs_f64();
    let figures = (elapsed, seconds, peak_kilobytes(daemon.id()));
    daemon.kill().expect("it runs");
    daemon.wait().expect("it was killed");
    figures
}

/// Processor seconds of a bare parse of as many answers.
fn bare(sources: usize) -> f64 {
    let feeds: Vec<String> = (0..sources).map(|number| feed(number, Kind::Full)).collect();
    let before = processor_seconds("self");
    for feed in &feeds {
        let parsed = feed_rs::parser::parse(feed.as_bytes()).expect("it is a feed");
        assert_eq!(std::hint::black_box(parsed).entries.len(), ITEMS);
    }
    processor_seconds("self") - before
}

fn settings(folder: &Path, port: u16, sources: usize) {
    let mut text = String::from(
        "[site]\nname = \"Prova\"\npublic_url = \"https://news.example.it\"\n\
         secret = \"un segreto che serve soltanto a misurare\"\n\
         [delivery]\ndurability = \"process\"\n",
    );
    for number in 0..sources {
        let host = Ipv4Addr::from_bits(0x7f01_0001 + u32::try_from(number).expect("not so many"));
        let _ = write!(
            text,
            "[[source]]\nid = \"s{number}\"\nurl = \"http://{host}:{port}/feed\"\n\
             allow_private_network = true\nevery = \"1h\"\n"
        );
    }
    std::fs::write(folder.join("banditore.toml"), text).expect("the folder can be written to");
    let migrated = program(folder, "2030-01-09T05:00:00Z").arg("migrate").status();
    assert!(migrated.expect("the program is there").success());
}

fn main() {
    let sources = std::env::var("SOURCES").ok().and_then(|text| text.parse().ok());
    let sources: usize = sources.unwrap_or(1_000);
    let folder = std::env::temp_dir().join(format!("banditore-bench-{}", std::process::id()));
    for (kind, name) in [(Kind::Unmodified, "304"), (Kind::Dated, "dated"), (Kind::Full, "full")] {
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        let (server, port) = start(kind);
        settings(&folder, port, sources);
        // The first answers are the baseline, and written once.
        polls(&folder, "2030-01-09T06:00:00Z", &server, sources);
        // Nothing is due: what starting takes is no part of polling.
        let (_, starting, _) = polls(&folder, "2030-01-09T06:00:10Z", &server, 0);
        let (elapsed, seconds, kilobytes) =
            polls(&folder, "2030-01-09T12:00:00Z", &server, sources);
        let (rate, seconds) = (sources as f64 / elapsed, seconds - starting);
        let bare = bare(sources);
        println!(
            "{name} polls/s {rate:.0} starting {starting:.2} processor {seconds:.2} \
             peak-kB {kilobytes} bare {bare:.2} ratio {:.2}",
            seconds / bare
        );
    }
    // What is left there is nobody's.
    let _ = std::fs::remove_dir_all(folder);
}
