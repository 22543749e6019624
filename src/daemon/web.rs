//! Serves the pages, and says how the daemon is. Who connects has a place among so many, and may
//! keep it for so long: a client that is slow on purpose keeps out nobody for good.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::status::LoopStatus;
use super::supervisor::{Failure, Round, Work};
use super::{Context, Part};
use crate::causes::chain;
use crate::web::page::{Policy, answer};
use crate::web::{ANSWER_MS, router};

/// How long the database may take to say that it is there, in seconds.
const DATABASE_SECONDS_MAX: u64 = 5;
/// How many connections are open at once; the next waits.
const CONNECTIONS_MAX: usize = 512;
/// How long the head of a request may take, in seconds; also how long a connection may be idle.
const HEAD_SECONDS_MAX: u64 = 15;
/// How long a connection may last, in seconds, with all its requests and answers.
const CONNECTION_SECONDS_MAX: u64 = 300;
/// How long to wait where no connection can be taken, in milliseconds: out of descriptors, mostly.
const ACCEPT_AGAIN_MS: u64 = 100;
/// After how long a page that could not be answered is asked for again, in seconds.
const TRY_AGAIN_SECONDS: u64 = 30;
/// How long requests may take to end when the daemon is stopped, in seconds.
const STOP_SECONDS_MAX: u64 = 10;

/// The loop of the web.
pub(super) struct Pages;

impl Pages {
    pub fn new(_: &Context) -> Self {
        Self
    }
}

impl Work for Pages {
    const NAME: &'static str = Part::Web.as_str();

    async fn round(&mut self, context: &Context) -> Result<Round, Failure> {
        let Context { installation, status, stop } = context;
        let listen = installation.config.listen.as_str();
        let refused = |cause| format!("pages cannot be served on {listen}: {cause}");
        let listener = TcpListener::bind(listen).await.map_err(refused)?;
        tracing::info!("serving pages on http://{}", listener.local_addr().map_err(refused)?);
        status.went_round(Self::NAME);
        let pages = router(Arc::clone(installation), Duration::from_millis(ANSWER_MS));
        let pages = pages.layer(map_response(try_again)).merge(health(context.clone()));
        tokio::select! {
            () = accept(listener, pages, stop.clone()) => Ok(Round::default()),
            never = context.alive(Self::NAME) => match never {},
        }
    }
}

/// A page that could not be answered now, since the database is busy or away, says when to come
/// back (RFC 9110 10.2.3).
async fn try_again(mut response: Response) -> Response {
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        let seconds = HeaderValue::from(TRY_AGAIN_SECONDS);
        response.headers_mut().entry(header::RETRY_AFTER).or_insert(seconds);
    }
    response
}

/// Serves pages until it is stopped; then it takes no more connections, and requests that are under
/// way have [`STOP_SECONDS_MAX`].
async fn accept(listener: TcpListener, pages: Router, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let next = async {
            // The semaphore is never closed.
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = stop.cancelled() => break,
            next = next => next,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (pages, stop) = (pages.clone(), stop.clone());
                connections.spawn(async move {
                    converse(stream, peer, pages, stop).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(Duration::from_millis(ACCEPT_AGAIN_MS)).await;
            }
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(Duration::from_secs(STOP_SECONDS_MAX), ended).await;
}

/// One connection. The pages are told who is at its other end.
async fn converse(stream: TcpStream, peer: SocketAddr, pages: Router, stop: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(pages.layer(Extension(ConnectInfo(peer))));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(HEAD_SECONDS_MAX))
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let limit = tokio::time::sleep(Duration::from_secs(CONNECTION_SECONDS_MAX));
    // An error is a client that left or was too slow; there is nobody to tell.
    tokio::select! {
        _ = &mut connection => return,
        () = limit => return,
        () = stop.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// What `/readyz` answers. It names no person.
#[derive(Serialize)]
struct Readiness {
    ready: bool,
    database: Database,
    loops: Vec<LoopStatus>,
}

#[derive(Serialize)]
struct Database {
    ok: bool,
    error: Option<String>,
}

/// Whether the process lives, and whether it does its work.
fn health(context: Context) -> Router {
    Router::new()
        .route("/healthz", get(async || answer("text/plain", Policy::Nothing, "ok\n")))
        .route("/readyz", get(ready))
        .with_state(context)
}

async fn ready(State(context): State<Context>) -> Response {
    let Context { installation, status, .. } = &context;
    let limit = Duration::from_secs(DATABASE_SECONDS_MAX);
    let error = match tokio::time::timeout(limit, installation.store.ready()).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(chain(&error)),
        Err(_) => Some(format!("the database does not answer within {DATABASE_SECONDS_MAX} s")),
    };
    let loops = status.loops();
    let ready = error.is_none() && loops.iter().all(|state| state.ok);
    let database = Database { ok: error.is_none(), error };
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let readiness = Readiness { ready, database, loops };
    let body = serde_json::to_string(&readiness).expect("words and numbers have a JSON form");
    (code, answer("application/json", Policy::Nothing, body)).into_response()
}
