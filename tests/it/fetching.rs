//! Fetching: bounds, validators, redirects, and no way inside. All servers are on loopback.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use banditore::ingest::{
    FetchError, FetchLimits, FetchRequest, Fetched, Fetcher, RetryAfter, is_public,
};
use futures_util::stream;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use url::Url;

fn fetcher(limits: FetchLimits) -> Fetcher {
    Fetcher::new("Banditore/test (+https://www.comune.example/)", limits).unwrap()
}

/// Serves a site on a free port of loopback and gives its address.
async fn serve(site: Router) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, site).await.unwrap() });
    format!("http://{address}/").parse().unwrap()
}

fn inside(url: Url) -> FetchRequest {
    FetchRequest { allow_private_network: true, ..FetchRequest::new(url) }
}

async fn fetch(url: Url) -> Result<Fetched, FetchError> {
    fetcher(FetchLimits::default()).fetch(&inside(url)).await
}

#[tokio::test]
async fn an_answer_comes_with_what_is_needed_to_ask_again() {
    let site = Router::new().route(
        "/feed",
        get(|headers: HeaderMap| async move {
            assert!(headers[header::USER_AGENT].to_str().unwrap().starts_with("Banditore"));
            assert!(headers.get(header::REFERER).is_none());
            if headers.get(header::IF_NONE_MATCH).is_some_and(|tag| tag == "\"one\"") {
                return (StatusCode::NOT_MODIFIED, [(header::ETAG, "\"two\"")]).into_response();
            }
            let head = [
                (header::ETAG, "\"one\""),
                (header::LAST_MODIFIED, "Tue, 22 Nov 2022 10:00:00 GMT"),
                (header::CONTENT_TYPE, "application/rss+xml; charset=utf-8"),
                (header::CONTENT_LOCATION, "/notizie/elenco.xml"),
            ];
            (head, "<rss/>").into_response()
        }),
    );
    let url = serve(site).await.join("feed").unwrap();
    let first = fetch(url.clone()).await.unwrap();
    let Fetched::Body { bytes, content_type, final_url, base, moved_to, etag, .. } = first.clone()
    else {
        panic!("{first:?}");
    };
    let Fetched::Body { last_modified, .. } = first else { panic!() };
    assert_eq!(bytes, "<rss/>");
    assert_eq!(content_type.unwrap(), "application/rss+xml; charset=utf-8");
    assert_eq!(final_url, url);
    assert_eq!(base, url.join("/notizie/elenco.xml").unwrap());
    assert_eq!(moved_to, None);
    let again = FetchRequest { etag, last_modified, ..inside(url) };
    let second = fetcher(FetchLimits::default()).fetch(&again).await.unwrap();
    let Fetched::NotModified { etag, .. } = second else { panic!("{second:?}") };
    assert_eq!(etag.unwrap(), "\"two\"");
}

#[tokio::test]
async fn redirects_are_followed_and_lasting_ones_told() {
    let site = Router::new()
        .route("/old", get(|| async { Redirect::permanent("/new") }))
        .route("/detour", get(|| async { Redirect::temporary("/old") }))
        .route("/new", get(|| async { "here" }));
    let base = serve(site).await;
    for (path, lasting) in [("old", true), ("detour", false), ("new", false)] {
        let fetched = fetch(base.join(path).unwrap()).await.unwrap();
        let Fetched::Body { final_url, moved_to, .. } = fetched else { panic!("{fetched:?}") };
        assert_eq!(final_url, base.join("new").unwrap());
        assert_eq!(moved_to.is_some(), lasting, "{path}");
    }
}

#[tokio::test]
async fn an_endless_redirect_is_a_clear_error() {
    let site = Router::new()
        .route("/round", get(|| async { Redirect::temporary("/round") }))
        .route("/nowhere", get(|| async { StatusCode::FOUND }));
    let base = serve(site).await;
    let error = fetch(base.join("round").unwrap()).await.unwrap_err();
    assert!(matches!(error, FetchError::TooManyRedirects { limit: 5, .. }), "{error}");
    let error = fetch(base.join("nowhere").unwrap()).await.unwrap_err();
    assert!(matches!(error, FetchError::BadRedirect { .. }), "{error}");
}

#[tokio::test]
async fn a_redirect_leads_to_no_file_and_to_no_other_scheme() {
    let site = Router::new()
        .route("/file", get(|| async { Redirect::temporary("file:///etc/hostname") }))
        .route("/gopher", get(|| async { Redirect::temporary("gopher://127.0.0.1:70/") }));
    let base = serve(site).await;
    for path in ["file", "gopher"] {
        let request = FetchRequest { allow_file: true, ..inside(base.join(path).unwrap()) };
        let error = fetcher(FetchLimits::default()).fetch(&request).await.unwrap_err();
        assert_eq!(error, FetchError::UnsupportedScheme { scheme: path.to_owned() });
    }
}

#[tokio::test]
async fn a_feed_of_twenty_megabytes_is_a_clear_error() {
    const MEGABYTE: usize = 1024 * 1024;
    let site = Router::new().route("/told", get(|| async { vec![b' '; 20 * MEGABYTE] })).route(
        "/untold",
        get(|| async {
            let chunks = (0..20).map(|_| Ok::<_, std::io::Error>(vec![b' '; MEGABYTE]));
            Body::from_stream(stream::iter(chunks))
        }),
    );
    let base = serve(site).await;
    for path in ["told", "untold"] {
        let error = fetch(base.join(path).unwrap()).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the answer of 127.0.0.1 is larger than the limit of 8388608 bytes"
        );
        assert!(!error.hint().is_empty());
    }
}

#[tokio::test]
async fn an_answer_that_unpacks_to_more_than_the_limit_is_stopped() {
    // Blocks of DEFLATE (RFC 1951 3.2.3) that repeat one zero 258 times over and over would need
    // a packer here; stored blocks in the frame of gzip are enough to see what is counted.
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    for _ in 0..64 {
        packed.extend([0, 0xff, 0xff, 0, 0]);
        packed.extend(vec![b' '; 0xffff]);
    }
    let site = Router::new().route(
        "/",
        get(move || async move { ([(header::CONTENT_ENCODING, "gzip")], packed).into_response() }),
    );
    let url = serve(site).await;
    let limits = FetchLimits { body_bytes: 1024 * 1024, ..FetchLimits::default() };
    let error = fetcher(limits).fetch(&inside(url)).await.unwrap_err();
    assert!(matches!(error, FetchError::TooLarge { limit_bytes: 1_048_576, .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_never_answers_costs_no_more_than_the_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // Reads the request, answers nothing, until the other side has gone.
        let mut request = Vec::new();
        stream.read_to_end(&mut request).await.unwrap();
    });
    let limits = FetchLimits { total_seconds: 1, ..FetchLimits::default() };
    let fetcher = fetcher(limits);
    let request = inside(url);
    let fetching = fetcher.fetch(&request);
    let error = tokio::time::timeout(Duration::from_secs(10), fetching).await.unwrap().unwrap_err();
    assert!(matches!(error, FetchError::Timeout { seconds: 1, .. }), "{error}");
}

#[tokio::test]
async fn a_status_says_when_to_come_again() {
    async fn busy(after: &'static str) -> Response {
        (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, after)]).into_response()
    }
    let site = Router::new()
        .route("/seconds", get(|| busy("120")))
        .route("/date", get(|| busy("Tue, 22 Nov 2022 10:00:00 GMT")))
        .route("/never", get(|| busy("soon")));
    let base = serve(site).await;
    let at = "2022-11-22T10:00:00Z".parse().unwrap();
    for (path, expected) in [
        ("seconds", Some(RetryAfter::Seconds(120))),
        ("date", Some(RetryAfter::At(at))),
        ("never", None),
    ] {
        let error = fetch(base.join(path).unwrap()).await.unwrap_err();
        let FetchError::Status { code: 503, retry_after, .. } = error else { panic!("{error}") };
        assert_eq!(retry_after, expected, "{path}");
    }
    let error = fetch(base.join("absent").unwrap()).await.unwrap_err();
    assert!(matches!(error, FetchError::Status { code: 404, .. }), "{error}");
}

#[tokio::test]
async fn an_address_inside_is_refused_by_number_and_by_name() {
    let base = serve(Router::new().route("/", get(|| async { "secret" }))).await;
    let port = base.port().unwrap();
    let fetcher = fetcher(FetchLimits::default());
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f.1",
        "0.0.0.0",
        "10.0.0.1",
        "169.254.169.254",
        "[fd00::1]",
        "[fe80::1]",
        "localhost.",
    ] {
        let url: Url = format!("http://{host}:{port}/").parse().unwrap();
        let error = fetcher.fetch(&FetchRequest::new(url)).await.unwrap_err();
        // A machine may know no such name at all; it is never an answer.
        let unknown = host == "localhost." && matches!(error, FetchError::Network { .. });
        assert!(matches!(error, FetchError::RefusedAddress { .. }) || unknown, "{host}: {error:?}");
    }
    let url: Url = format!("http://localhost:{port}/").parse().unwrap();
    assert!(matches!(fetcher.fetch(&inside(url)).await, Ok(Fetched::Body { .. })));
}

#[test]
fn only_public_addresses_are_public() {
    for address in [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "::10.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:a00:1::",
        "3fff::1",
        "fc00::1",
        "fd12::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ] {
        assert!(!is_public(address.parse().unwrap()), "{address}");
    }
    for address in [
        "1.1.1.1",
        "100.63.255.255",
        "100.128.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "198.20.0.1",
        "223.255.255.255",
        "2001:4860:4860::8888",
        "2606:4700::1",
        "::ffff:1.1.1.1",
        "64:ff9b::101:101",
        "2a00:1450::1",
    ] {
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
}

#[tokio::test]
async fn a_file_is_read_only_where_the_configuration_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("news.html");
    std::fs::write(&path, "<h2>Avviso</h2>").unwrap();
    let url = Url::from_file_path(&path).unwrap();
    let fetcher = fetcher(FetchLimits { body_bytes: 100, ..FetchLimits::default() });
    let stranger = FetchRequest::new(url.clone());
    let error = fetcher.fetch(&stranger).await.unwrap_err();
    assert_eq!(error, FetchError::UnsupportedScheme { scheme: "file".to_owned() });
    let request = FetchRequest { allow_file: true, ..stranger };
    let fetched = fetcher.fetch(&request).await.unwrap();
    assert!(matches!(fetched, Fetched::Body { bytes, .. } if bytes == "<h2>Avviso</h2>"));
    std::fs::write(&path, [b' '; 101]).unwrap();
    let error = fetcher.fetch(&request).await.unwrap_err();
    assert!(matches!(error, FetchError::TooLarge { limit_bytes: 100, .. }), "{error}");
    for absent in [folder.path().to_owned(), folder.path().join("absent.html")] {
        let url = Url::from_file_path(absent).unwrap();
        let request = FetchRequest { url, ..request.clone() };
        let error = fetcher.fetch(&request).await.unwrap_err();
        assert!(matches!(error, FetchError::File { .. }), "{error}");
    }
}

#[tokio::test]
async fn no_error_tells_the_password_in_an_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url: Url = format!("http://office:secret@{address}/").parse().unwrap();
    let error = fetch(url).await.unwrap_err();
    assert!(matches!(error, FetchError::Network { .. }), "{error}");
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
}
