//! What waits to be written to one connection: bounded by messages and by bytes, since a message may have 100 bytes or
//! 60,000.

use crate::limits::{STREAM_QUEUE, STREAM_QUEUE_BYTES};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc;

/// The end of those who have something to say.
#[derive(Debug)]
pub(super) struct Sender {
    messages: mpsc::Sender<Bytes>,
    bytes: Arc<AtomicUsize>,
}

/// The end of the one who writes.
#[derive(Debug)]
pub(super) struct Receiver {
    messages: mpsc::Receiver<Bytes>,
    bytes: Arc<AtomicUsize>,
}

/// There is no room: the peer does not read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

pub(super) fn queue() -> (Sender, Receiver) {
    let (tx, rx) = mpsc::channel(STREAM_QUEUE);
    let bytes = Arc::new(AtomicUsize::new(0));
    (Sender { messages: tx, bytes: Arc::clone(&bytes) }, Receiver { messages: rx, bytes })
}

impl Sender {
    /// Never waits.
    pub(super) fn push(&self, message: Bytes) -> Result<(), Full> {
        let more = message.len();
        if self.bytes.load(Ordering::Relaxed) + more > STREAM_QUEUE_BYTES {
            return Err(Full);
        }
        self.bytes.fetch_add(more, Ordering::Relaxed);
        self.messages.try_send(message).map_err(|_| Full)
    }
}

impl Receiver {
    /// The next message; `None` when nobody can send any more. What it takes stays counted until it is
    /// [`written`](Self::written).
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        self.messages.recv().await
    }

    /// The next one if it is there already.
    pub(super) fn at_once(&mut self) -> Option<Bytes> {
        self.messages.try_recv().ok()
    }

    /// So many bytes wait no longer.
    pub(super) fn written(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_messages_and_a_few_long_ones_fill_a_queue_alike() {
        let (small, _end) = queue();
        for _ in 0..STREAM_QUEUE {
            assert_eq!(small.push(Bytes::from_static(b"x")), Ok(()));
        }
        assert_eq!(small.push(Bytes::from_static(b"x")), Err(Full));

        let (long, mut end) = queue();
        let message = Bytes::from(vec![b'x'; 60_000]);
        let room = STREAM_QUEUE_BYTES / message.len();
        for _ in 0..room {
            assert_eq!(long.push(message.clone()), Ok(()));
        }
        assert_eq!(long.push(message.clone()), Err(Full));
        assert!(end.at_once().is_some());
        assert_eq!(long.push(message.clone()), Err(Full), "it is not written yet");
        end.written(message.len());
        assert_eq!(long.push(message), Ok(()));
    }
}
