//! Serves the pages, and says how the daemon is.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use tokio::net::TcpListener;

use super::status::LoopStatus;
use super::supervisor::{Failure, Round, Work};
use super::{Context, Part};
use crate::web::page::{Policy, answer};
use crate::web::{router, service};

/// How long the database may take to say that it is there, in seconds.
const DATABASE_SECONDS_MAX: u64 = 5;
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
        let pages = router(Arc::clone(installation)).merge(health(context.clone()));
        let stopped = stop.clone();
        let serving = axum::serve(listener, service(pages))
            .with_graceful_shutdown(async move { stopped.cancelled().await });
        let mut serving = tokio::spawn(serving.into_future());
        match context.running(Self::NAME, &mut serving).await {
            Some(ended) => ended??,
            // It takes no more connections; requests end, or are given up.
            None => {
                let limit = Duration::from_secs(STOP_SECONDS_MAX);
                let _ = tokio::time::timeout(limit, &mut serving).await;
                serving.abort();
            }
        }
        if stop.is_cancelled() { Ok(Round::default()) } else { Err("the server has ended".into()) }
    }
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
        Ok(Err(error)) => Some(error.to_string()),
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
