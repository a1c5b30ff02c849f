//! The last minutes of signalling, bounded by time and by bytes.
//!
//! Chunks of copied messages; the oldest chunk goes whole. The watcher writes, whoever traces a call reads.

use super::Seen;
use crate::config::TraceSettings;
use proxy_core::Peer;
use relay_values::{Duration, Time};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// So many chunks are kept: so much of what is allowed is given back at a time.
const CHUNKS: usize = 64;

/// What a chunk holds at least: the longest message.
const LEAST: usize = 64 << 10;

/// Messages that one trace shows.
const MOST_SHOWN: usize = 2_000;

#[derive(Debug)]
pub(crate) struct History {
    kept: Mutex<Kept>,
    settings: TraceSettings,
}

#[derive(Debug, Default)]
pub(crate) struct Kept {
    chunks: VecDeque<Chunk>,
    chunk_bytes: usize,
    for_long: Duration,
}

#[derive(Debug)]
struct Chunk {
    bytes: Vec<u8>,
    messages: Vec<Place>,
}

/// Where a message is.
#[derive(Debug, Clone, Copy)]
struct Place {
    at: Time,
    call: u64,
    peer: Peer,
    sent: bool,
    from: u32,
    length: u32,
}

/// A message that was kept.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) at: Time,
    pub(crate) peer: Peer,
    pub(crate) sent: bool,
    pub(crate) bytes: Vec<u8>,
}

/// All that is kept of a call, in order.
#[derive(Debug, Default)]
pub(crate) struct Ladder {
    pub(crate) messages: Vec<Message>,
    /// There are more than are shown.
    pub(crate) cut: bool,
}

impl History {
    pub(crate) fn new(settings: &TraceSettings) -> Self {
        let chunk_bytes = (settings.bytes / CHUNKS).max(LEAST);
        let kept = Kept { chunks: VecDeque::new(), chunk_bytes, for_long: settings.keep };
        Self { kept: Mutex::new(kept), settings: settings.clone() }
    }

    /// What others may read of it.
    pub(crate) fn redaction(&self) -> super::Redaction {
        self.settings.redact
    }

    pub(super) fn write(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The call that a Call-ID belongs to, either leg's; empty if nothing is known of it.
    pub(crate) fn ladder(&self, call_id: &str) -> Ladder {
        let kept = self.write();
        // The newest message with this Call-ID says which call it is, since a leg is joined once it is known.
        let wanted = kept.places().rev().find(|(chunk, place)| {
            let bytes = chunk.text(place);
            memchr::memmem::find(bytes, call_id.as_bytes()).is_some()
                && sip_wire::peek(bytes).is_some_and(|keys| keys.call_id == call_id.as_bytes())
        });
        let Some(call) = wanted.map(|(_, place)| place.call) else { return Ladder::default() };
        let mut ladder = Ladder::default();
        for (chunk, place) in kept.places().filter(|(_, place)| place.call == call) {
            if ladder.messages.len() >= MOST_SHOWN {
                ladder.cut = true;
                break;
            }
            let Place { at, peer, sent, .. } = *place;
            ladder.messages.push(Message { at, peer, sent, bytes: chunk.text(place).to_vec() });
        }
        drop(kept);
        // What two shards or threads have seen is in order of time only now.
        ladder.messages.sort_by_key(|message| message.at);
        ladder
    }
}

impl Kept {
    pub(super) fn keep(&mut self, call: u64, seen: &Seen) {
        let bytes = &seen.bytes;
        let Ok(length) = u32::try_from(bytes.len()) else { return };
        let is_full = |chunk: &Chunk| chunk.bytes.len() + bytes.len() > self.chunk_bytes;
        if self.chunks.back().is_none_or(is_full) {
            // The oldest chunk's memory serves again.
            let mut next =
                if self.chunks.len() >= CHUNKS { self.chunks.pop_front() } else { None }.unwrap_or_else(
                    || Chunk { bytes: Vec::with_capacity(self.chunk_bytes), messages: Vec::new() },
                );
            next.bytes.clear();
            next.messages.clear();
            self.chunks.push_back(next);
        }
        while let Some(oldest) = self.chunks.front()
            && self.chunks.len() > 1
            && oldest.messages.last().is_some_and(|last| last.at + self.for_long < seen.at)
        {
            self.chunks.pop_front();
        }
        let Some(chunk) = self.chunks.back_mut() else { return };
        let Ok(from) = u32::try_from(chunk.bytes.len()) else { return };
        chunk.bytes.extend_from_slice(bytes);
        let Seen { at, peer, sent, .. } = *seen;
        chunk.messages.push(Place { at, call, peer, sent, from, length });
    }

    fn places(&self) -> impl DoubleEndedIterator<Item = (&Chunk, &Place)> {
        self.chunks.iter().flat_map(|chunk| chunk.messages.iter().map(move |place| (chunk, place)))
    }
}

impl Chunk {
    fn text(&self, place: &Place) -> &[u8] {
        let from = place.from as usize;
        self.bytes.get(from..from + place.length as usize).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proxy_core::{ListenerId, Transport};

    fn seen(at_ms: u64, call_id: &str, length: usize) -> Seen {
        let peer = Peer {
            transport: Transport::Udp,
            listener: ListenerId(0),
            remote: ([192, 0, 2, 1], 5060).into(),
        };
        let text = format!(
            "OPTIONS sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n\
             Call-ID: {call_id}\r\nCSeq: 1 OPTIONS\r\n\r\n{}",
            "x".repeat(length)
        );
        Seen { at: Time::from_millis(at_ms), peer, sent: false, bytes: Bytes::from(text), joins: None }
    }

    fn history(mb: usize, minutes: u64) -> History {
        let keep = Duration::from_secs(60 * minutes);
        History::new(&TraceSettings { keep, bytes: mb << 20, redact: super::super::Redaction::default() })
    }

    #[test]
    fn a_call_is_found_by_the_call_id_of_either_leg_and_others_are_not_in_it() {
        let history = history(4, 10);
        for (at, call_id, call) in [(3, "b-leg", 1), (1, "a-leg", 1), (2, "other", 2), (4, "a-leg", 1)] {
            history.write().keep(call, &seen(at, call_id, 0));
        }
        for call_id in ["a-leg", "b-leg"] {
            let times: Vec<_> =
                history.ladder(call_id).messages.iter().map(|m| m.at.as_nanos() / 1_000_000).collect();
            assert_eq!(times, [1, 3, 4]);
        }
        assert!(history.ladder("leg").messages.is_empty(), "a part of a Call-ID names nothing");
    }

    #[test]
    fn what_is_kept_is_bounded_by_bytes_and_by_time() {
        let history = history(4, 1);
        for n in 0..20_000 {
            history.write().keep(n, &seen(n, &format!("call-{n}"), 1_000));
        }
        let bytes: usize = history.write().chunks.iter().map(|chunk| chunk.bytes.capacity()).sum();
        assert!(bytes <= 5 << 20, "{bytes}");
        assert_eq!(history.ladder("call-19999").messages.len(), 1);
        assert!(history.ladder("call-0").messages.is_empty());
        history.write().keep(0, &seen(200_000, "late", 0));
        assert!(history.ladder("call-19000").messages.is_empty(), "more than a minute ago");
        assert_eq!(history.ladder("late").messages.len(), 1);
    }
}
