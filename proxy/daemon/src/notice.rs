//! What an appliance tells those who watch it.

use crate::limits::NOTICES;
use proxy_core::{CallRecord, HealthChange, MoveProgress, Receipt};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Notice {
    /// A target's state has changed, and with it the generation.
    Health {
        /// The change.
        change: HealthChange,
        /// The generation that shows it.
        generation: u64,
    },
    /// A call is over.
    Finished(Arc<CallRecord>),
    /// An answered call's tier leg was moved, or was not.
    Moved(Arc<Receipt>),
    /// How an order to move calls comes on in one shard: totals since the order.
    Moves {
        /// The shard.
        shard: u8,
        /// How it comes on.
        progress: MoveProgress,
    },
}

/// Who watches. Locked by the health and the records thread only, never by a shard.
#[derive(Debug, Default)]
pub(crate) struct Subscribers(Mutex<Vec<SyncSender<Notice>>>);

impl Subscribers {
    /// A new subscription. Who does not read loses what comes, and nobody waits for them.
    pub(crate) fn add(&self) -> Receiver<Notice> {
        let (tx, rx) = sync_channel(NOTICES);
        self.lock().push(tx);
        rx
    }

    pub(crate) fn tell(&self, notice: impl Fn() -> Notice) {
        self.lock().retain(|tx| !matches!(tx.try_send(notice()), Err(TrySendError::Disconnected(_))));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<SyncSender<Notice>>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
