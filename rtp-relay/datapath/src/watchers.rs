//! Copies of all that comes to a session's ports and of all that leaves them, for whoever watches its media: a queue of its own
//! for each session, which no packet waits for.
//!
//! A watcher who goes away drops his end of the queue, and a session that ends drops the worker's: each end sees that the other
//! one has gone, so that nothing has to be unsaid.

use relay_core::limits::MAX_PACKET;
use relay_core::{PortRef, Relay};
use relay_values::{SessionId, Time};
use rtrb::{Consumer, Producer, RingBuffer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Sessions of one worker that are watched at once. Each costs a look for each packet while there is one.
pub(crate) const MOST_WATCHED: usize = 16;

/// Packets that may wait for one watcher: three seconds of a call, of whose 50 packets a second each way there are two copies.
/// A mebibyte and a half.
const QUEUE: usize = 640;

/// A packet of a session that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// When it came or went.
    pub at: Time,
    /// Who has sent it: somebody, or one of our ports.
    pub from: SocketAddr,
    /// Where it went to: one of our ports, or somebody.
    pub to: SocketAddr,
    /// We have sent it.
    pub sent: bool,
    length: usize,
    bytes: [u8; MAX_PACKET],
}

impl Seen {
    /// The payload of UDP, at most [`MAX_PACKET`] bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// Where the packets of a session are read that is watched, for as long as this lives.
#[derive(Debug)]
pub struct Watched {
    queue: Consumer<Seen>,
    missed: Arc<AtomicU64>,
}

impl Watched {
    /// The next packet, in the order in which they came and went; `None`: there is none yet, or none any more.
    pub fn next_packet(&mut self) -> Option<Seen> {
        self.queue.pop().ok()
    }

    /// Whether the session is over and all of its packets are read.
    pub fn is_over(&self) -> bool {
        // In this order: what was put in before the end is seen.
        self.queue.is_abandoned() && self.queue.is_empty()
    }

    /// Packets that are not here: there was no room, or they were longer than the relay carries.
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
}

/// Why a session is not watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NotWatched {
    /// There is no such session (any more).
    #[error("there is no such session")]
    NoSession,
    /// Somebody watches it.
    #[error("somebody watches the session")]
    Already,
    /// Too many sessions are watched.
    #[error("too many sessions are watched")]
    TooMany,
}

/// The worker's end.
#[derive(Debug)]
pub(crate) struct Watcher {
    session: SessionId,
    queue: Producer<Seen>,
    missed: Arc<AtomicU64>,
}

/// A queue between a worker and whoever watches the session.
pub(crate) fn queue(session: SessionId) -> (Watcher, Watched) {
    let (put, read) = RingBuffer::new(QUEUE);
    let missed = Arc::new(AtomicU64::new(0));
    (Watcher { session, queue: put, missed: Arc::clone(&missed) }, Watched { queue: read, missed })
}

/// All that watch sessions of a worker.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Vec<Watcher>);

impl Watchers {
    /// Let somebody watch a session. Flows of it that a fast path carries are to be taken from there by the caller, as the relay
    /// says.
    pub(crate) fn add(&mut self, relay: &mut Relay, watcher: Watcher) -> Result<(), NotWatched> {
        // Who has gone makes room.
        self.tend(relay);
        if self.0.iter().any(|other| other.session == watcher.session) {
            return Err(NotWatched::Already);
        }
        if self.0.len() >= MOST_WATCHED {
            return Err(NotWatched::TooMany);
        }
        if !relay.watch(watcher.session, true) {
            return Err(NotWatched::NoSession);
        }
        self.0.push(watcher);
        Ok(())
    }

    /// Forget those who have gone, and sessions that are over.
    pub(crate) fn tend(&mut self, relay: &mut Relay) {
        self.0.retain(|watcher| {
            let here = !watcher.queue.is_abandoned();
            // To say again that it is watched says nothing new, but whether it is there.
            relay.watch(watcher.session, here) && here
        });
    }

    /// A packet has come to our port `at`. Whose it is, if it is watched: for [`went`](Self::went).
    #[inline]
    pub(crate) fn came(
        &mut self,
        relay: &Relay,
        now: Time,
        at: PortRef,
        from: SocketAddr,
        bytes: &[u8],
    ) -> Option<usize> {
        if self.0.is_empty() {
            return None;
        }
        let (which, to) = (self.of(relay, at)?, relay.local(at)?);
        self.0.get_mut(which)?.put(now, (from, to), false, bytes);
        Some(which)
    }

    /// A packet of that session goes on from our port `at`.
    pub(crate) fn went(
        &mut self,
        relay: &Relay,
        which: usize,
        now: Time,
        at: PortRef,
        to: SocketAddr,
        bytes: &[u8],
    ) {
        if let (Some(watcher), Some(from)) = (self.0.get_mut(which), relay.local(at)) {
            watcher.put(now, (from, to), true, bytes);
        }
    }

    /// Whose a port is, if that is watched.
    #[inline]
    pub(crate) fn of(&self, relay: &Relay, at: PortRef) -> Option<usize> {
        if self.0.is_empty() {
            return None;
        }
        let session = relay.session_at(at)?;
        self.0.iter().position(|watcher| watcher.session == session)
    }

    /// A packet came to port `at` that nobody can copy.
    pub(crate) fn misses(&self, relay: &Relay, at: PortRef) {
        if let Some(watcher) = self.of(relay, at).and_then(|which| self.0.get(which)) {
            watcher.missed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Watcher {
    fn put(&mut self, at: Time, (from, to): (SocketAddr, SocketAddr), sent: bool, bytes: &[u8]) {
        let mut seen = Seen { at, from, to, sent, length: bytes.len(), bytes: [0; MAX_PACKET] };
        let fits = match seen.bytes.get_mut(..bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                true
            }
            None => false,
        };
        if !fits || self.queue.push(seen).is_err() {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> SocketAddr {
        "192.0.2.1:4000".parse().unwrap()
    }

    #[test]
    fn who_does_not_read_misses_packets_which_are_counted_and_each_end_sees_the_other_go() {
        let (mut watcher, mut watched) = queue(SessionId::new(0, 1));
        let put = |watcher: &mut Watcher, n: u64| {
            watcher.put(Time::from_millis(n), (at(), at()), false, &n.to_be_bytes());
        };
        (0..QUEUE as u64 + 7).for_each(|n| put(&mut watcher, n));
        assert_eq!(watched.missed(), 7);
        let first = watched.next_packet().unwrap();
        assert_eq!((first.bytes(), first.at), (&0_u64.to_be_bytes()[..], Time::from_millis(0)));
        put(&mut watcher, 1_000);
        watcher.put(Time::ZERO, (at(), at()), true, &[0; MAX_PACKET + 1]);
        assert_eq!(watched.missed(), 8, "there was room again, though not for a packet of any length");
        drop(watcher);
        let mut last = None;
        while !watched.is_over() {
            last = watched.next_packet();
        }
        assert_eq!(last.map(|seen| seen.at), Some(Time::from_millis(1_000)), "all is read before it is over");

        let (watcher, watched) = queue(SessionId::new(0, 1));
        drop(watched);
        assert!(watcher.queue.is_abandoned());
    }
}
