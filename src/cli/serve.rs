//! `serve`

use std::process::ExitCode;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{CliError, Context, args};
use crate::daemon;

/// What a process that was ended by a signal adds to its number, as shells have it.
const SIGNAL_STATUS: i32 = 128;

/// Serves until SIGTERM or SIGINT. The first stops it, a second ends it at once.
pub async fn run(context: &Context, args: &args::Serve) -> Result<ExitCode, CliError> {
    // Before anything is opened: who is stopped at the start stops well too.
    let stop = CancellationToken::new();
    let (terminated, interrupted) =
        (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    tokio::spawn(obey(terminated, interrupted, stop.clone()));
    let installation = Arc::new(context.open_to_work().await?);
    daemon::serve(Arc::clone(&installation), &args.only, stop).await?;
    Ok(ExitCode::SUCCESS)
}

fn listen(kind: SignalKind) -> Result<Signal, CliError> {
    signal(kind).map_err(|error| {
        let hint = "look whether this user may use signals at all";
        CliError::failed(format!("signals cannot be heard: {error}"), hint)
    })
}

async fn obey(mut terminated: Signal, mut interrupted: Signal, stop: CancellationToken) {
    let (terminate, interrupt) = (SignalKind::terminate(), SignalKind::interrupt());
    let mut next = async || {
        tokio::select! {
            _ = terminated.recv() => terminate,
            _ = interrupted.recv() => interrupt,
        }
    };
    next().await;
    stop.cancel();
    let second = next().await;
    // What is recorded stays, as after a kill.
    std::process::exit(SIGNAL_STATUS + second.as_raw_value());
}
