//! Bells: a transaction that makes work for a room rings, and who works there wakes up.

use std::sync::Arc;

use tokio::sync::watch;

/// For whom there is work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bell {
    /// A source is due that was not: added, or asked for.
    Ingest,
    /// The stream or a cadence has moved.
    Editions,
    /// A message can go out.
    Delivery,
}

impl Bell {
    /// Every bell.
    pub const ALL: [Bell; 3] = [Self::Ingest, Self::Editions, Self::Delivery];

    /// The word by which processes tell each other.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Editions => "editions",
            Self::Delivery => "delivery",
        }
    }
}

/// The bells of one opened database.
#[derive(Clone, Debug, Default)]
pub(super) struct Bells {
    senders: Arc<[watch::Sender<()>; Bell::ALL.len()]>,
}

impl Bells {
    pub(super) fn ring(&self, bell: Bell) {
        self.senders[bell as usize].send_replace(());
    }

    pub(super) fn listen(&self, bell: Bell) -> Listener {
        Listener { receiver: self.senders[bell as usize].subscribe() }
    }
}

/// Hears one bell.
#[derive(Debug)]
pub struct Listener {
    receiver: watch::Receiver<()>,
}

impl Listener {
    /// Waits until the bell has rung since this was last asked, or since listening began: rung
    /// while nobody waits, it is heard at the next call, once.
    pub async fn rung(&mut self) {
        if self.receiver.changed().await.is_err() {
            // The database is closed: there will be no work any more.
            std::future::pending::<()>().await;
        }
    }
}
