//! Copies of the reports that pass (RTCP), for whoever watches: a queue that no packet waits for.

use relay_values::{SessionId, Time};
use rtrb::{Consumer, Producer, RingBuffer};
use std::net::SocketAddr;

/// A report with 31 blocks and the names of its sources fits; what is longer is not told.
const MOST: usize = 1_024;

/// A sender's and a receiver's report (RFC 3550 §12.1): what packets of reports begin with (§6.1).
const REPORTS: std::ops::RangeInclusive<u8> = 200..=201;

/// A packet of reports that was passed on, as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// The session that it is of.
    pub session: SessionId,
    /// When it came.
    pub at: Time,
    /// Who has sent it.
    pub from: SocketAddr,
    /// Our port that it came to.
    pub to: SocketAddr,
    draft: Draft,
}

impl Report {
    /// The packet.
    pub fn bytes(&self) -> &[u8] {
        self.draft.bytes.get(..self.draft.length).unwrap_or_default()
    }
}

/// Of a packet before it is rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Draft {
    length: usize,
    bytes: [u8; MOST],
}

/// A worker's end of the queue.
#[derive(Debug)]
pub(crate) struct Tap {
    queue: Producer<Report>,
    missed: u64,
}

impl Tap {
    /// A queue of so many reports, and where it is read.
    pub(crate) fn new(queue: usize) -> (Self, Consumer<Report>) {
        let (queue, read) = RingBuffer::new(queue);
        (Self { queue, missed: 0 }, read)
    }

    /// A copy, if this begins as reports do. RTP does not: its markers and payload types are others (RFC 5761 §4).
    pub(crate) fn draft(&mut self, bytes: &[u8]) -> Option<Draft> {
        let &[first, kind, ..] = bytes else { return None };
        if first >> 6 != 2 || !REPORTS.contains(&kind) {
            return None;
        }
        let mut draft = Draft { length: bytes.len(), bytes: [0; MOST] };
        match draft.bytes.get_mut(..bytes.len()) {
            Some(room) => room.copy_from_slice(bytes),
            None => {
                self.missed += 1;
                return None;
            }
        }
        Some(draft)
    }

    /// It was passed on.
    pub(crate) fn tell(
        &mut self,
        draft: Draft,
        session: SessionId,
        at: Time,
        (from, to): (SocketAddr, SocketAddr),
    ) {
        if self.queue.push(Report { session, at, from, to, draft }).is_err() {
            self.missed += 1;
        }
    }

    /// Reports that were too long, or for which there was no room.
    pub(crate) fn missed(&self) -> u64 {
        self.missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reports_are_copied_and_a_full_queue_is_counted() {
        let (mut tap, mut read) = Tap::new(1);
        let rtp = [0x80, 0, 0, 1];
        let bye = [0x80, 203, 0, 1];
        for other in [&rtp[..], &bye, &[0x80], &[], &[0x40, 200, 0, 6]] {
            assert_eq!(tap.draft(other), None, "{other:?}");
        }
        let report = [0x80, 201, 0, 1, 1, 2, 3, 4];
        let at: SocketAddr = "192.0.2.1:4001".parse().unwrap();
        for _ in 0..2 {
            let draft = tap.draft(&report).unwrap();
            tap.tell(draft, SessionId::new(0, 7), Time::from_millis(5), (at, at));
        }
        assert_eq!(tap.missed(), 1);
        let told = read.pop().unwrap();
        assert_eq!((told.bytes(), told.session), (&report[..], SessionId::new(0, 7)));
        assert_eq!(tap.draft(&[&report[..], &[0; MOST]].concat()), None);
        assert_eq!(tap.missed(), 2);
    }
}
