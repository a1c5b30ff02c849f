//! How long a connection may keep us waiting, and for what.
//!
//! ```text
//!            accepted                    connected by us
//!               V                              V
//!           +-------+  message             +-------+ <--------------------------+
//!           | First |--------------------->| Quiet |--- ours: ping --> +--------+
//!           +-------+                      +-------+                   | Pinged |
//!               |  part of a message         |   A                     +--------+
//!               +-----------> +---------+ <--+   | whole                   |
//!                             | Partial |--------+      anything comes, or |
//!                             +---------+      the peer has never ponged --+
//! ```

use super::reason::StreamEnd;
use crate::limits::{FIRST_MESSAGE, KEEP_ALIVE, MESSAGE_TIME, PONG_TIME, STREAM_IDLE};
use std::time::Instant;

/// What one read brought.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Heard {
    /// A whole message, or several.
    pub(super) message: bool,
    /// A lone CRLF.
    pub(super) pong: bool,
    /// The beginning of one more message is there, and waits for its rest.
    pub(super) partial: bool,
}

/// What is to be done when the deadline has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lapse {
    /// Ask whether the peer is there (RFC 5626 §3.5.1).
    Ping,
    /// Wait on.
    Nothing,
    /// Give the connection up.
    End(StreamEnd),
}

/// Which wait it is.
#[derive(Debug, Clone, Copy)]
enum Waiting {
    /// For the first message of a connection that the peer has begun. Pings put it off.
    First { until: Instant },
    /// For the rest of a message. Further bytes do not put it off, or a message could take days.
    Partial { until: Instant },
    /// For anything.
    Quiet { until: Instant },
    /// For a pong.
    Pinged { until: Instant },
}

/// The patience with one connection.
#[derive(Debug)]
pub(super) struct Patience {
    waiting: Waiting,
    /// The peer has begun it.
    accepted: bool,
    /// A whole message has come.
    known: bool,
    /// The peer has answered a ping, so that it owes us the next answer too. Others ignore pings, as RFC 3261 §7.5 has it.
    ponged: bool,
    /// When the last bytes came.
    heard: Instant,
}

impl Patience {
    pub(super) fn new(now: Instant, accepted: bool) -> Self {
        let waiting = if accepted {
            Waiting::First { until: now + FIRST_MESSAGE }
        } else {
            Waiting::Quiet { until: now + KEEP_ALIVE }
        };
        Self { waiting, accepted, known: !accepted, ponged: false, heard: now }
    }

    pub(super) fn deadline(&self) -> Instant {
        match self.waiting {
            Waiting::First { until }
            | Waiting::Partial { until }
            | Waiting::Quiet { until }
            | Waiting::Pinged { until } => until,
        }
    }

    /// Something came.
    pub(super) fn hear(&mut self, now: Instant, heard: Heard) {
        self.heard = now;
        self.known |= heard.message;
        self.ponged |= heard.pong && matches!(self.waiting, Waiting::Pinged { .. });
        self.waiting = match self.waiting {
            Waiting::Partial { until } if heard.partial && !heard.message => Waiting::Partial { until },
            _ if heard.partial => Waiting::Partial { until: now + MESSAGE_TIME },
            _ if !self.known => Waiting::First { until: now + FIRST_MESSAGE },
            _ if self.accepted => Waiting::Quiet { until: now + STREAM_IDLE },
            _ => Waiting::Quiet { until: now + KEEP_ALIVE },
        };
    }

    /// The deadline has come.
    pub(super) fn lapse(&mut self, now: Instant) -> Lapse {
        match self.waiting {
            Waiting::First { .. } => Lapse::End(StreamEnd::NoMessage),
            Waiting::Partial { .. } => Lapse::End(StreamEnd::SlowMessage),
            Waiting::Quiet { .. } if self.accepted || self.heard + STREAM_IDLE <= now => {
                Lapse::End(StreamEnd::Idle)
            }
            Waiting::Quiet { .. } => {
                self.waiting = Waiting::Pinged { until: now + PONG_TIME };
                Lapse::Ping
            }
            Waiting::Pinged { .. } if self.ponged => Lapse::End(StreamEnd::NoPong),
            Waiting::Pinged { .. } => {
                self.waiting = Waiting::Quiet { until: now + KEEP_ALIVE };
                Lapse::Nothing
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const MESSAGE: Heard = Heard { message: true, pong: false, partial: false };
    const PART: Heard = Heard { message: false, pong: false, partial: true };
    const PONG: Heard = Heard { message: false, pong: true, partial: false };
    const PING: Heard = Heard { message: false, pong: false, partial: false };

    #[test]
    fn a_byte_at_a_time_does_not_buy_a_message_more_time() {
        let start = Instant::now();
        let mut patience = Patience::new(start, true);
        let mut now = start;
        while now < start + MESSAGE_TIME {
            patience.hear(now, PART);
            now += Duration::from_secs(1);
        }
        assert_eq!(patience.deadline(), start + MESSAGE_TIME);
        assert_eq!(patience.lapse(now), Lapse::End(StreamEnd::SlowMessage));
    }

    #[test]
    fn who_begins_a_connection_and_says_nothing_is_let_go_and_who_pings_is_waited_for() {
        let start = Instant::now();
        let mut patience = Patience::new(start, true);
        assert_eq!(patience.deadline(), start + FIRST_MESSAGE);
        let later = start + FIRST_MESSAGE / 2;
        patience.hear(later, PING);
        assert_eq!(patience.deadline(), later + FIRST_MESSAGE);
        assert_eq!(patience.lapse(later + FIRST_MESSAGE), Lapse::End(StreamEnd::NoMessage));
    }

    #[test]
    fn who_has_said_something_may_be_quiet_for_long() {
        let start = Instant::now();
        let mut patience = Patience::new(start, true);
        patience.hear(start, MESSAGE);
        assert_eq!(patience.deadline(), start + STREAM_IDLE);
        assert_eq!(patience.lapse(start + STREAM_IDLE), Lapse::End(StreamEnd::Idle));
    }

    #[test]
    fn a_peer_that_answers_pings_owes_every_answer_and_one_that_never_did_owes_none() {
        let start = Instant::now();
        let mut silent = Patience::new(start, false);
        let mut now = silent.deadline();
        assert_eq!(silent.lapse(now), Lapse::Ping);
        now = silent.deadline();
        assert_eq!((now, silent.lapse(now)), (start + KEEP_ALIVE + PONG_TIME, Lapse::Nothing));

        let mut polite = Patience::new(start, false);
        now = polite.deadline();
        assert_eq!(polite.lapse(now), Lapse::Ping);
        polite.hear(now, PONG);
        now = polite.deadline();
        assert_eq!(polite.lapse(now), Lapse::Ping);
        assert_eq!(polite.lapse(polite.deadline()), Lapse::End(StreamEnd::NoPong));
    }

    #[test]
    fn a_connection_of_ours_over_which_nothing_comes_ends_all_the_same() {
        let start = Instant::now();
        let mut patience = Patience::new(start, false);
        for _ in 0..1_000 {
            let now = patience.deadline();
            if let Lapse::End(why) = patience.lapse(now) {
                assert_eq!(why, StreamEnd::Idle);
                assert!(now < start + STREAM_IDLE + KEEP_ALIVE + PONG_TIME);
                return;
            }
        }
        panic!("it never ended");
    }
}
