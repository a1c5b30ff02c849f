//! What is due when.

use super::Region;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

/// Something that was put off. An alarm that has lost its reason is ignored when it goes off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alarm {
    /// Place the next call.
    Place,
    /// A region dies.
    Death,
    /// Tell the audience how many calls are where.
    Tell,
    /// The caller has no response to his INVITE; the interval that has passed.
    Invite(u32, Duration),
    /// The caller has said all that he had to say.
    HangUp(u32),
    /// The caller has no response to his BYE.
    Bye(u32, Duration),
    /// The caller's next 20 ms.
    Speak(u32),
    /// Something on the phone of one call in one region.
    Phone(Region, u32, Phone),
}

/// Something on a callee's phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phone {
    /// It is picked up.
    PickUp,
    /// The 2xx has no ACK; the interval that has passed.
    Answer(Duration),
    /// The callee's next 20 ms.
    Speak,
}

/// Alarms in order of their time.
#[derive(Debug, Default)]
pub(super) struct Alarms(BinaryHeap<Reverse<(Instant, Alarm)>>);

impl Alarms {
    pub(super) fn set(&mut self, at: Instant, alarm: Alarm) {
        self.0.push(Reverse((at, alarm)));
    }

    /// The next one that is due, and when it was.
    pub(super) fn due(&mut self, now: Instant) -> Option<(Instant, Alarm)> {
        let Reverse((at, _)) = self.0.peek()?;
        if *at > now {
            return None;
        }
        self.0.pop().map(|Reverse(due)| due)
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }
}
