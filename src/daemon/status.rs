//! How the loops are: for `/readyz`, for systemd, and for logs.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::Notify;

use super::Part;

/// A loop that has not gone round for so long is taken to hang, in seconds. The longest that one
/// waits for a single thing is shorter: a fetch, a locked database, a chunk of an edition.
pub const HANGING_SECONDS: u64 = 180;

/// How a loop is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoopStatus {
    /// Which.
    #[serde(rename = "loop")]
    pub name: &'static str,
    /// Whether it has gone round lately, and the last time without failing.
    pub ok: bool,
    /// How often it has gone round without failing.
    pub rounds: u64,
    /// How long ago it last went round or failed, in seconds.
    pub seconds_ago: u64,
    /// Why it failed the last time, if it did.
    pub error: Option<String>,
}

#[derive(Debug)]
struct State {
    name: &'static str,
    rounds: u64,
    last: Instant,
    error: Option<String>,
    running: bool,
}

/// How all loops of this process are.
#[derive(Debug)]
pub struct Status {
    loops: Mutex<Vec<State>>,
    changed: Notify,
}

impl Status {
    /// The loops of these parts, none of which has gone round yet.
    pub fn of(parts: &[Part]) -> Self {
        let state = |part: &Part| State {
            name: part.as_str(),
            rounds: 0,
            last: Instant::now(),
            error: None,
            running: true,
        };
        Self { loops: Mutex::new(parts.iter().map(state).collect()), changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<State>> {
        self.loops.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is known of a loop; says whether that changed whether it is well.
    fn change(&self, name: &str, change: impl FnOnce(&mut State)) {
        let mut loops = self.lock();
        let Some(state) = loops.iter_mut().find(|state| state.name == name) else { return };
        let before = state.is_well();
        change(state);
        state.last = Instant::now();
        if before != state.is_well() {
            self.changed.notify_one();
        }
    }

    /// A loop has gone round without failing.
    pub fn went_round(&self, name: &str) {
        self.change(name, |state| {
            state.rounds += 1;
            state.error = None;
        });
    }

    /// A loop is in the midst of a round and goes on.
    pub fn still_running(&self, name: &str) {
        self.change(name, |_| {});
    }

    /// A loop has failed.
    pub fn failed(&self, name: &str, error: String) {
        self.change(name, |state| state.error = Some(error));
    }

    /// A loop has ended.
    pub fn ended(&self, name: &str) {
        self.change(name, |state| state.running = false);
    }

    /// How each loop is.
    pub fn loops(&self) -> Vec<LoopStatus> {
        let hanging = Duration::from_secs(HANGING_SECONDS);
        let loops = self.lock();
        let status = |state: &State| LoopStatus {
            name: state.name,
            ok: state.is_well() && state.last.elapsed() < hanging,
            rounds: state.rounds,
            seconds_ago: state.last.elapsed().as_secs(),
            error: state.error.clone(),
        };
        loops.iter().map(status).collect()
    }

    /// Whether all loops are well.
    pub fn is_ready(&self) -> bool {
        self.loops().iter().all(|state| state.ok)
    }

    /// Whether all loops go round, failing or not.
    pub fn goes_round(&self) -> bool {
        self.loops().iter().all(|state| state.seconds_ago < HANGING_SECONDS)
    }

    /// Whether a loop is at its first round; not where it has failed, or is none of these.
    pub fn is_starting(&self, name: &str) -> bool {
        let loops = self.lock();
        loops.iter().any(|state| state.name == name && state.rounds == 0 && state.error.is_none())
    }

    /// One line for people.
    pub fn line(&self) -> String {
        let word = |state: LoopStatus| match (&state.error, state.ok, state.rounds) {
            (Some(error), ..) => format!("{} fails: {error}", state.name),
            (None, true, _) => format!("{} ok", state.name),
            (None, false, 0) => format!("{} starts", state.name),
            (None, false, _) => format!("{} hangs", state.name),
        };
        self.loops().into_iter().map(word).collect::<Vec<_>>().join("; ")
    }

    /// The loops that have not ended.
    pub fn running(&self) -> Vec<&'static str> {
        self.lock().iter().filter(|state| state.running).map(|state| state.name).collect()
    }

    /// Waits until a loop becomes well, or ceases to be.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl State {
    fn is_well(&self) -> bool {
        self.rounds > 0 && self.error.is_none()
    }
}
