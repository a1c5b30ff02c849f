//! The end of an event whose sender cannot end it any more: three packets at the interval of its reports (RFC 4733
//! §2.5.1.4), of which a burst that is lost takes at most one. Whoever speaks next on the line does not wait for them: what
//! is left then goes out before its first packet.

use crate::event::End;
use crate::leg::{LegState, Onward};
use crate::own::{Own, OwnRtp, Payload};
use relay_values::{Duration, Time};
use std::collections::VecDeque;

/// Packets that end an event.
const END_PACKETS: u8 = 3;

/// What is still to be sent of an event's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ending {
    end: End,
    left: u8,
    step: Duration,
    /// When the next one is due.
    due: Time,
    /// Somebody comes back for that.
    awaited: bool,
}

impl LegState {
    /// The event under way, if there is one, will not be ended by its peer: the first packet of its end goes to `sink` now.
    pub(crate) fn cut_event(&mut self, now: Time, sink: &Self, outbox: &mut VecDeque<Own>) {
        let Some(end) = self.event.end(self.meter.clock_rate()) else { return };
        self.finish_event(sink, outbox);
        let step = end.step;
        self.ending =
            Some(Box::new(Ending { end, left: END_PACKETS, step, due: now + step, awaited: false }));
        self.end_once(sink, outbox);
    }

    /// All that is left of an event's end goes out now.
    pub(crate) fn finish_event(&mut self, sink: &Self, outbox: &mut VecDeque<Own>) {
        while self.ending.is_some() {
            self.end_once(sink, outbox);
        }
    }

    /// When somebody is to come back for an event's end; it is said once.
    pub(crate) fn await_end(&mut self) -> Option<Time> {
        let ending = self.ending.as_mut().filter(|ending| !ending.awaited)?;
        ending.awaited = true;
        Some(ending.due)
    }

    /// It is `at`: the next packet of an event's end, if that is due now. Whether it was.
    pub(crate) fn end_at(&mut self, at: Time, sink: &Self, outbox: &mut VecDeque<Own>) -> bool {
        let Some(ending) = self.ending.as_mut().filter(|ending| ending.due == at) else { return false };
        ending.due = at + ending.step;
        ending.awaited = false;
        self.end_once(sink, outbox);
        true
    }

    fn end_once(&mut self, sink: &Self, outbox: &mut VecDeque<Own>) {
        let Some(ending) = self.ending.as_mut() else { return };
        let (end, last) = (ending.end, ending.left <= 1);
        ending.left = ending.left.saturating_sub(1);
        let to = sink.accept_rtp().ok().and_then(|to| Some((to, self.line.repeat(end.timestamp)?)));
        if last || to.is_none() {
            self.ending = None;
        }
        let Some((Onward { port, to }, line)) = to else { return };
        self.reports.filled(end.report.len());
        outbox.push_back(Own::Rtp(OwnRtp {
            port,
            to,
            line,
            marker: false,
            payload_type: end.payload_type,
            payload: Payload::Event(end.report),
        }));
    }
}
