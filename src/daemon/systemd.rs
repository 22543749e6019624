//! What the service manager is told (sd_notify(3)), where there is one: ready when all loops are
//! well, one line of status, stopping, and that the loops go round.

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

use super::status::Status;

/// How often the status is looked at, in seconds.
const LOOK_SECONDS: u64 = 10;

/// Tells the service manager how it goes, until it is aborted.
pub(super) async fn tell(status: Arc<Status>, stop: CancellationToken) {
    let watchdog = sd_notify::watchdog_enabled();
    // Half of what is allowed, as sd_watchdog_enabled(3) advises.
    let look = Duration::from_secs(LOOK_SECONDS);
    let look = watchdog.map_or(look, |watchdog| look.min(watchdog / 2));
    let mut ready = false;
    let mut said = String::new();
    while !stop.is_cancelled() {
        if !ready && status.is_ready() {
            ready = true;
            notify(&[NotifyState::Ready]);
            tracing::info!("ready");
        }
        let line = status.line();
        if line != said {
            notify(&[NotifyState::Status(&line)]);
            said = line;
        }
        if watchdog.is_some() && status.goes_round() {
            notify(&[NotifyState::Watchdog]);
        }
        tokio::select! {
            () = status.changed() => {}
            () = tokio::time::sleep(look) => {}
            () = stop.cancelled() => {}
        }
    }
    notify(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
    // Conversations may take their time; the watchdog shall not.
    loop {
        tokio::time::sleep(look).await;
        if watchdog.is_some() {
            notify(&[NotifyState::Watchdog]);
        }
    }
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}
