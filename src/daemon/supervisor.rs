//! Keeps a loop going: lets it go round, waits until there is more to do, and says and slows what
//! fails.

use std::any::Any;
use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;

use super::Context;
use crate::causes::chain;
use crate::pause::Pauses;
use crate::store::Listener;

/// The shortest pause between two rounds of a loop, in milliseconds, however often its bell rings.
const PAUSE_MS_MIN: u64 = 250;
/// How long a loop sleeps at most before it looks again, in seconds: what a bell has missed is
/// found then.
const PAUSE_SECONDS_MAX: u64 = 60;
/// A round that went on for so long before it failed begins its pauses anew, in seconds.
const WELL_SECONDS: u64 = 60;

/// What a round came to.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// What it did, for the log; nothing where there was nothing to do.
    pub did: Option<String>,
    /// When there is more to do, as far as that is known; at the latest after
    /// [`PAUSE_SECONDS_MAX`].
    pub next: Option<Duration>,
}

/// Why a round failed.
pub(super) type Failure = Box<dyn Error + Send + Sync>;

/// The work of a loop.
pub(super) trait Work: Send + 'static {
    /// The loop's name.
    const NAME: &'static str;

    /// Goes round once. Stopped, it ends soon: a part of the work is whole or did not happen.
    fn round(&mut self, context: &Context) -> impl Future<Output = Result<Round, Failure>> + Send;
}

/// Lets a loop go round until the daemon is stopped.
pub(super) async fn keep_going<W: Work>(mut work: W, mut bell: Option<Listener>, context: Context) {
    let Context { status, stop, .. } = &context;
    let mut pauses = Pauses::default();
    while !stop.is_cancelled() {
        let begun = Instant::now();
        let ended = match AssertUnwindSafe(work.round(&context)).catch_unwind().await {
            Ok(ended) => ended.map_err(|error| chain(error.as_ref())),
            Err(panic) => Err(format!("it panicked: {}", words(panic.as_ref()))),
        };
        let pause = match ended {
            Ok(round) => {
                status.went_round(W::NAME);
                pauses.went_well();
                if let Some(did) = round.did {
                    tracing::info!(target: "banditore::daemon", "{}: {did}", W::NAME);
                }
                round.next.unwrap_or(Duration::MAX).min(Duration::from_secs(PAUSE_SECONDS_MAX))
            }
            Err(error) => {
                if begun.elapsed() > Duration::from_secs(WELL_SECONDS) {
                    pauses.went_well();
                }
                let pause = pauses.after_failure();
                let seconds = pause.as_secs();
                tracing::error!("{}: {error}; trying again in {seconds} s", W::NAME);
                status.failed(W::NAME, error);
                sleep(&context, pause).await;
                continue;
            }
        };
        sleep(&context, Duration::from_millis(PAUSE_MS_MIN)).await;
        let rung = async {
            match &mut bell {
                Some(bell) => bell.rung().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = rung => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    status.ended(W::NAME);
}

/// Waits, unless the daemon is stopped.
async fn sleep(context: &Context, pause: Duration) {
    let _ = tokio::time::timeout(pause, context.stop.cancelled()).await;
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no words")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that unwraps nothing has failed")]

    use std::path::Path;
    use std::sync::Arc;

    use tokio_util::sync::CancellationToken;

    use super::super::{Part, Status};
    use super::*;
    use crate::clock::Clock;
    use crate::config::Config;
    use crate::installation::Installation;

    /// Panics, then fails, then stops the daemon.
    struct Clumsy(u32);

    impl Work for Clumsy {
        const NAME: &'static str = Part::Ingest.as_str();

        async fn round(&mut self, context: &Context) -> Result<Round, Failure> {
            let before = context.status.loops().remove(0).error;
            self.0 += 1;
            match self.0 {
                1 => panic!("it fell"),
                2 => {
                    assert_eq!(before.as_deref(), Some("it panicked: it fell"));
                    Err("it stumbled".into())
                }
                _ => {
                    assert_eq!(before.as_deref(), Some("it stumbled"));
                    context.stop.cancel();
                    Ok(Round::default())
                }
            }
        }
    }

    #[tokio::test]
    async fn a_panic_and_an_error_are_said_slowed_and_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let text = "[site]\nname = \"A\"\npublic_url = \"https://news.example.org\"\n\
                    secret = \"0123456789abcdef0123456789abcdef\"\n";
        let config = Config::parse(text, &folder.path().join(Path::new("b.toml")), []).unwrap();
        let installation = Installation::prepare(config, Clock::system()).await.unwrap();
        let context = Context {
            installation: Arc::new(installation),
            status: Arc::new(Status::of(&[Part::Ingest])),
            stop: CancellationToken::new(),
        };
        let begun = Instant::now();
        keep_going(Clumsy(0), None, context.clone()).await;
        let state = context.status.loops().remove(0);
        assert_eq!((state.ok, state.rounds, state.error), (true, 1, None));
        assert!(context.status.running().is_empty());
        // One second after the first failure, two after the second.
        let took = begun.elapsed();
        assert!((3.0..6.0).contains(&took.as_secs_f64()), "{took:?}");
    }
}
