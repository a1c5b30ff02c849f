//! Questions about sessions, answered by their workers between two turns of packets. Whoever asks is not a signalling shard:
//! an operator, who may wait. A worker never does.

use crate::wake::Wake;
use crate::watchers::{NotWatched, Watcher};
use relay_values::{Measured, SessionId};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

/// Questions that may wait for one worker. It looks at them every turn, so more wait only where it has no time.
const MOST: usize = 64;

/// Questions that are answered before packets have their turn again: some 16 times a microsecond.
pub(crate) const ASKS_PER_TURN: usize = 16;

/// What is done with an answer, by the worker: it must not wait.
type Then<T> = Box<dyn FnOnce(T) + Send>;

/// A question.
pub(crate) enum Ask {
    /// What is measured of this session? `None`: there is none of that name.
    Measure(SessionId, Then<Option<Measured>>),
    /// Copy the packets of a session from now on.
    Watch(Watcher, Then<Result<(), NotWatched>>),
}

/// Why a question was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NotAsked {
    /// Too many wait for the worker.
    #[error("too many questions wait for the relay worker")]
    Busy,
    /// The worker has ended.
    #[error("the relay worker has ended")]
    Ended,
}

/// Where questions are put to a worker.
#[derive(Debug)]
pub(crate) struct Asker {
    queue: SyncSender<Ask>,
    wake: Arc<Wake>,
}

impl Asker {
    /// A queue of questions, and where they are read.
    pub(crate) fn new(wake: Arc<Wake>) -> (Self, Receiver<Ask>) {
        let (queue, read) = sync_channel(MOST);
        (Self { queue, wake }, read)
    }

    pub(crate) fn ask(&self, ask: Ask) -> Result<(), NotAsked> {
        self.queue.try_send(ask).map_err(|refused| match refused {
            TrySendError::Full(_) => NotAsked::Busy,
            TrySendError::Disconnected(_) => NotAsked::Ended,
        })?;
        self.wake.raise();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn of_a_thousand_questions_at_once_as_many_wait_as_there_is_room_for() {
        let (asker, read) = Asker::new(Arc::new(Wake::new().unwrap()));
        let answered = Arc::new(AtomicUsize::new(0));
        let ask = || {
            let answered = Arc::clone(&answered);
            let then = move |_| _ = answered.fetch_add(1, Ordering::Relaxed);
            asker.ask(Ask::Measure(SessionId::new(0, 1), Box::new(then)))
        };
        let refused = (0..1_000).filter(|_| ask() == Err(NotAsked::Busy)).count();
        assert_eq!(refused, 1_000 - MOST);
        read.try_iter().for_each(|ask| {
            let Ask::Measure(_, then) = ask else { panic!("nobody asked to watch") };
            then(None);
        });
        assert_eq!(answered.load(Ordering::Relaxed), MOST);
        assert_eq!(ask(), Ok(()), "there is room again");
        drop(read);
        assert_eq!(ask(), Err(NotAsked::Ended));
    }
}
