//! Faults to be survived: slow and endless answers beside good ones, bombs, entities, and ways
//! inside. All servers are on loopback.

use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZstdEncoder};
use banditore::ingest::{
    Dialling, FetchError, FetchLimits, FetchRequest, FetchStage, Fetched, Fetcher, ITEMS_MAX,
};
use tokio::io::{AsyncBufRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::publisher::{Answer, Office, Publisher, feed};
use crate::program::Office as Program;

const MEGABYTE: usize = 1024 * 1024;

fn quick() -> FetchLimits {
    FetchLimits { host_spacing_ms: 0, ..FetchLimits::default() }
}

fn fetcher(limits: FetchLimits) -> Fetcher {
    Fetcher::new("Banditore/test", limits).unwrap()
}

fn inside(url: &str) -> FetchRequest {
    FetchRequest { allow_private_network: true, ..FetchRequest::new(url.parse().unwrap()) }
}

/// A server that reads a request and goes on as `answer` says, until the other side has gone.
async fn raw<F, W>(host: &str, answer: F) -> String
where
    F: Fn(TcpStream) -> W + Send + 'static,
    W: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind((host, 0)).await.unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            if stream.read(&mut request).await.is_ok() {
                tokio::spawn(answer(stream));
            }
        }
    });
    address
}

/// Sends a head, and then one octet after another for ever.
async fn drip(host: &str, head: &'static str) -> String {
    raw(host, move |mut stream| async move {
        stream.write_all(head.as_bytes()).await?;
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        loop {
            tick.tick().await;
            stream.write_all(b" ").await?;
        }
    })
    .await
}

#[tokio::test]
async fn each_part_of_a_fetch_has_its_own_time() {
    let head = drip("127.0.0.1", "HTTP/1.1 200 OK\r\nX-Slow:").await;
    let body = drip("127.0.0.1", "HTTP/1.1 200 OK\r\n\r\n<rss>").await;
    let limits = FetchLimits { head_seconds: 1, body_seconds: 1, ..quick() };
    for (url, wanted) in [(head, FetchStage::Head), (body, FetchStage::Body)] {
        let error = fetcher(limits).fetch(&inside(&url)).await.unwrap_err();
        let FetchError::Timeout { stage, seconds: 1, .. } = error else { panic!("{error:?}") };
        assert_eq!(stage, wanted);
    }
}

#[tokio::test]
async fn slow_and_endless_sources_do_not_delay_good_ones() {
    let slow = [
        drip("127.0.0.2", "HTTP/1.1 200 OK\r\nX-Slow:").await,
        drip("127.0.0.3", "HTTP/1.1 200 OK\r\n\r\n<rss>").await,
        raw("127.0.0.4", |mut stream| async move {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n<rss>").await?;
            let more = vec![b' '; 64 * 1024];
            loop {
                stream.write_all(&more).await?;
            }
        })
        .await,
    ];
    let mut good = Vec::new();
    for number in 10..30 {
        let host = format!("127.0.0.{number}");
        good.push(Publisher::at(&host, Answer::ok(feed("", &["a"]))).await);
    }
    let ids: Vec<String> = (0..good.len()).map(|n| format!("good-{n}")).collect();
    let mut sources: Vec<(&str, &str, &str)> =
        vec![("a-slow", &slow[0], ""), ("b-slow", &slow[1], ""), ("c-endless", &slow[2], "")];
    for (id, publisher) in ids.iter().zip(&good) {
        sources.push((id, &publisher.address, ""));
    }
    let office = Arc::new(Office::with(&sources).await);
    let polling = {
        let office = Arc::clone(&office);
        tokio::spawn(async move { office.poll().await })
    };
    let begun = Instant::now();
    while !good.iter().all(|publisher| !publisher.asked().is_empty()) {
        assert!(begun.elapsed() < Duration::from_secs(15), "good sources wait for slow ones");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!polling.is_finished(), "the slow ones are still being waited for");
    polling.abort();
}

async fn packed(coding: &str, octets: impl AsyncBufRead + Unpin) -> Vec<u8> {
    let mut packed = Vec::new();
    let read = match coding {
        "gzip" => GzipEncoder::new(octets).read_to_end(&mut packed).await,
        "br" => BrotliEncoder::new(octets).read_to_end(&mut packed).await,
        _ => ZstdEncoder::new(octets).read_to_end(&mut packed).await,
    };
    read.unwrap();
    packed
}

#[tokio::test]
async fn packed_answers_are_read_in_every_way_that_is_asked_for() {
    let text = feed("", &["a", "b"]);
    for coding in ["gzip", "br", "zstd", "identity"] {
        let body = match coding {
            "identity" => text.clone().into_bytes(),
            coding => packed(coding, text.as_bytes()).await,
        };
        let publisher = Publisher::start(Answer::ok(body).with("content-encoding", coding)).await;
        let fetched = fetcher(quick()).fetch(&inside(&publisher.address)).await.unwrap();
        let Fetched::Body { bytes, .. } = fetched else { panic!("{fetched:?}") };
        assert_eq!(bytes, text, "{coding}");
        let asked = publisher.asked();
        assert_eq!(asked[0].header("accept-encoding"), Some("zstd, br, gzip"));
    }
    for (coding, body) in [("gzip", "no gzip"), ("br", "\u{7f}no br"), ("compress", "x")] {
        let publisher = Publisher::start(Answer::ok(body).with("content-encoding", coding)).await;
        let error = fetcher(quick()).fetch(&inside(&publisher.address)).await.unwrap_err();
        assert!(matches!(error, FetchError::Network { .. }), "{coding}: {error:?}");
    }
}

#[tokio::test]
async fn a_bomb_is_stopped_at_the_limit_however_it_is_packed() {
    for coding in ["gzip", "br", "zstd"] {
        let zeros = tokio::io::BufReader::new(tokio::io::repeat(b' ').take(64 * MEGABYTE as u64));
        let bomb = packed(coding, zeros).await;
        assert!(bomb.len() < MEGABYTE, "{coding}: {}", bomb.len());
        let publisher = Publisher::start(Answer::ok(bomb).with("content-encoding", coding)).await;
        let error = fetcher(quick()).fetch(&inside(&publisher.address)).await.unwrap_err();
        assert!(matches!(error, FetchError::TooLarge { .. }), "{coding}: {error:?}");
    }
}

#[tokio::test]
async fn octets_that_unpack_to_nothing_are_counted_too() {
    // Empty stored blocks of DEFLATE (RFC 1951 3.2.4), for ever.
    let url = raw("127.0.0.1", |mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n").await?;
        stream.write_all(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]).await?;
        let nothing = [0, 0, 0, 0xff, 0xff].repeat(13_000);
        loop {
            stream.write_all(&nothing).await?;
        }
    })
    .await;
    let limits = FetchLimits { wire_bytes: MEGABYTE, ..quick() };
    let error = fetcher(limits).fetch(&inside(&url)).await.unwrap_err();
    assert!(matches!(error, FetchError::TooLarge { limit_bytes: MEGABYTE, .. }), "{error:?}");
}

/// The most memory that a process has had, in octets.
fn peak_memory(process: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// A gzip file that would unpack to gigabytes: it is read as it comes, and stopped.
#[tokio::test(flavor = "multi_thread")]
async fn memory_stays_flat_while_bombs_are_polled() {
    const GROWTH_MAX: usize = 100 * MEGABYTE;
    let size = 4 * 1024 * MEGABYTE as u64;
    // A member of gzip may follow another (RFC 1952 2.2): one is packed, the file is many of it.
    let part = tokio::io::BufReader::new(tokio::io::repeat(b' ').take(64 * MEGABYTE as u64));
    let part = packed("gzip", part).await;
    let bomb = part.repeat(usize::try_from(size / (64 * MEGABYTE as u64)).unwrap());
    let mut settings = String::new();
    let mut publishers = Vec::new();
    for number in 1..=8 {
        let answer = Answer::ok(bomb.clone()).with("content-encoding", "gzip");
        let publisher = Publisher::at(&format!("127.0.0.{number}"), answer).await;
        settings.push_str(&format!(
            "[[source]]\nid = \"bomb-{number}\"\nurl = \"{}/feed\"\nallow_private_network = true\n",
            publisher.address
        ));
        publishers.push(publisher);
    }
    let office = tokio::task::spawn_blocking(move || {
        let office = Program::with(1, &settings);
        office.run(&["migrate"]).done();
        office
    })
    .await
    .unwrap();
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_banditore"))
        .args(["serve", "--only", "ingest"])
        .current_dir(office.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let failed = loop {
        let listed = office.run(&["source", "list", "--json"]).done().json();
        let failed = |source: &&serde_json::Value| source["failures"] == 1;
        let sources = listed.as_array().unwrap().clone();
        if sources.iter().filter(failed).count() == 8 {
            break sources;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{listed}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let peak = peak_memory(daemon.id());
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    for source in failed {
        let error = source["last_error"].as_str().unwrap();
        assert!(error.contains("larger than the limit"), "{error}");
    }
    // Eight at once, each at most its limit and what growing a buffer copies.
    assert!(peak < GROWTH_MAX + 8 * 2 * 8 * MEGABYTE, "{peak} octets");
}

#[tokio::test]
async fn entities_neither_explode_nor_read_files_nor_ask_others() {
    let inner = Publisher::at("127.0.0.2", Answer::ok("segreto")).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, "segretissimo").unwrap();
    let mut laughs = String::from("<!ENTITY l0 \"ha\">");
    for n in 1..30 {
        let last = format!("&l{};", n - 1).repeat(10);
        laughs.push_str(&format!("<!ENTITY l{n} \"{last}\">"));
    }
    let external = format!(
        "<!ENTITY f SYSTEM \"file://{}\"><!ENTITY h SYSTEM \"{}/x\"><!ENTITY % p SYSTEM \
         \"{}/p\">%p;",
        file.display(),
        inner.address,
        inner.address
    );
    let body = format!(
        "<?xml version=\"1.0\"?><!DOCTYPE rss [{laughs}{external}]><rss version=\"2.0\"><channel>\
         <title>Comune &l29;</title><item><guid>a</guid><title>Avviso &f; &h; &l29;</title>\
         <description>&l29;&f;</description></item></channel></rss>"
    );
    let publisher = Publisher::start(Answer::ok(body)).await;
    let office = Office::with(&[("news", &publisher.address, "")]).await;
    let begun = Instant::now();
    let polled = office.poll_one("news").await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(inner.asked().is_empty(), "nobody else was asked");
    let mut tx = office.installation.store.read().await.unwrap();
    if polled.error.is_none() {
        let texts = tx.revision(1, 1).await.unwrap().unwrap();
        let all = format!("{} {} {}", texts.title, texts.summary, texts.content);
        assert!(!all.contains("segret") && all.len() < 10_000, "{all}");
    }
}

/// On loopback 127.0.0.2 stands for a public address.
fn second_is_public(address: IpAddr) -> bool {
    address == IpAddr::from([127, 0, 0, 2]) || banditore::ingest::is_public(address)
}

#[tokio::test]
async fn a_name_that_resolves_differently_the_second_time_leads_nowhere_inside() {
    let secret = Publisher::start(Answer::ok("secret")).await;
    let port = secret.address.rsplit_once(':').unwrap().1.to_owned();
    let again = format!("http://rebind.example:{port}/again");
    let listener = TcpListener::bind(format!("127.0.0.2:{port}")).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let answer = format!(
                "HTTP/1.1 302 Found\r\nLocation: {again}\r\nContent-Length: 0\r\n\
                 Connection: close\r\n\r\n"
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let lookups = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&lookups);
    let lookup = move |_: &str| -> Vec<IpAddr> {
        let last = if counted.fetch_add(1, Ordering::SeqCst) == 0 { 2 } else { 1 };
        vec![[127, 0, 0, last].into()]
    };
    let dialling = Dialling::by(lookup, second_is_public);
    let fetcher = Fetcher::dialling("Banditore/test", quick(), dialling).unwrap();
    let url: Url = format!("http://rebind.example:{port}/").parse().unwrap();
    let error = fetcher.fetch(&FetchRequest::new(url)).await.unwrap_err();
    assert!(matches!(error, FetchError::RefusedAddress { .. }), "{error:?}");
    assert_eq!(lookups.load(Ordering::SeqCst), 2);
    assert!(secret.asked().is_empty(), "nothing inside was asked");
}

#[tokio::test]
async fn of_several_addresses_of_a_name_only_public_ones_are_dialled() {
    let secret = Publisher::start(Answer::ok("secret")).await;
    let port: u16 = secret.address.rsplit_once(':').unwrap().1.parse().unwrap();
    let lookup = |_: &str| -> Vec<IpAddr> {
        ["127.0.0.1", "127.0.0.2", "::1"].map(|ip| ip.parse().unwrap()).to_vec()
    };
    let dialling = Dialling::by(lookup, second_is_public);
    let fetcher = Fetcher::dialling("Banditore/test", quick(), dialling).unwrap();
    let url: Url = format!("http://both.example:{port}/").parse().unwrap();
    // Nobody listens at the public one.
    let error = fetcher.fetch(&FetchRequest::new(url)).await.unwrap_err();
    assert!(matches!(error, FetchError::Network { .. }), "{error:?}");
    assert!(secret.asked().is_empty());
}

#[tokio::test]
async fn every_hop_is_checked_in_every_form_of_an_address() {
    let lookup = |_: &str| -> Vec<IpAddr> { vec![[127, 0, 0, 2].into()] };
    let dialling = Dialling::by(lookup, second_is_public);
    let fetcher = Fetcher::dialling("Banditore/test", quick(), dialling).unwrap();
    let secret = Publisher::start(Answer::ok("secret")).await;
    let port = secret.address.rsplit_once(':').unwrap().1.to_owned();
    for host in [
        "127.0.0.1",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[::1]",
        "0x7f000001",
        "017700000001",
    ] {
        let inside = format!("http://{host}:{port}/");
        let public = Publisher::at("127.0.0.2", Answer::status(302).with("location", &inside));
        let public = public.await.address.replace("127.0.0.2", "public.example");
        let error = fetcher.fetch(&FetchRequest::new(public.parse().unwrap())).await.unwrap_err();
        assert!(matches!(error, FetchError::RefusedAddress { .. }), "{host}: {error:?}");
    }
    assert!(secret.asked().is_empty());
}

#[tokio::test]
async fn a_feed_that_returns_fifty_thousand_items_tells_nothing_and_holds_what_is_taken_of_them() {
    let publisher = Publisher::start(Answer::ok(feed("", &["a"]))).await;
    let office = Office::with(&[("news", &publisher.address, "")]).await;
    office.poll().await;
    let names: Vec<String> = (0..50_000).map(|n| format!("n{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    publisher.answers(Answer::ok(feed("", &names)));
    let polled = office.poll_when_due("news").await;
    assert_eq!((polled.new, polled.held, &polled.error), (0, ITEMS_MAX, &None));
    assert!(polled.warnings.iter().any(|warning| warning.contains("left out")), "{polled:?}");
    let mut tx = office.installation.store.read().await.unwrap();
    assert_eq!(tx.stream_head().await.unwrap(), 0);
    drop(tx);
    // The same again in another order is nothing new.
    let reversed: Vec<&str> = names[..ITEMS_MAX].iter().rev().copied().collect();
    publisher.answers(Answer::ok(feed("", &reversed)));
    let polled = office.poll_when_due("news").await;
    assert_eq!((polled.new, polled.held, polled.revised), (0, 0, 0));
}
