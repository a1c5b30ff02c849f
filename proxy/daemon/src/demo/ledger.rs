//! What the peers have seen of every call. It is a notebook: nobody acts by it.

use super::peers::Region;
use proxy_core::CloseReason;
use std::time::{Duration, Instant};

/// Every call, by its serial number.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) calls: Vec<Entry>,
    /// When and which region died.
    pub(super) death: Option<Death>,
}

/// A region's death.
#[derive(Debug, Clone, Copy)]
pub(super) struct Death {
    pub(super) region: Region,
    pub(super) at: Instant,
    /// Calls that rang there.
    pub(super) ringing: usize,
    /// Answered calls that were up there.
    pub(super) up: usize,
}

/// One call.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) placed: Instant,
    /// Where post-dial delay counts from: the INVITE, or the death of the region that it rang in.
    pub(super) from: Instant,
    /// Where the last phone began to ring, if that region lives.
    pub(super) rings_in: Option<Region>,
    /// It rang in the region when that died.
    pub(super) was_ringing: bool,
    /// Post-dial delay.
    pub(super) delay: Option<Duration>,
    /// The carrier has its 2xx.
    pub(super) answered: Option<Instant>,
    /// The region whose phone was picked up last.
    pub(super) answered_by: Option<Region>,
    /// The call was picked up in the region that then died.
    pub(super) lost_its_region: bool,
    /// How it ended.
    pub(super) end: Option<End>,
    /// The caller speaks, and so does the callee once it hears.
    pub(super) speaks: bool,
    /// Packets of the callee that the caller heard.
    pub(super) caller_heard: u32,
    /// Packets of the caller that the callee heard.
    pub(super) callee_heard: u32,
    /// Packets of other calls that either heard.
    pub(super) foreign: u32,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// The caller hung up.
    HungUp,
    /// The appliance sent a BYE, with this Reason (RFC 3326).
    Dropped(String),
    /// The carrier was told that nobody answers.
    Refused(u16),
}

/// How many calls are where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) placed: usize,
    pub(super) ringing: usize,
    pub(super) up: usize,
    pub(super) answered: usize,
    pub(super) refused: usize,
    pub(super) dropped: usize,
    pub(super) rescued: usize,
    /// Up in the dead region.
    pub(super) dead: usize,
    /// Were up in the dead region until the appliance ended them because their media had stopped.
    pub(super) timed_out: usize,
}

impl Entry {
    pub(super) fn new(now: Instant, speaks: bool) -> Self {
        Self {
            placed: now,
            from: now,
            rings_in: None,
            was_ringing: false,
            delay: None,
            answered: None,
            answered_by: None,
            lost_its_region: false,
            end: None,
            speaks,
            caller_heard: 0,
            callee_heard: 0,
            foreign: 0,
        }
    }

    /// The carrier has a response above 100.
    pub(super) fn progress(&mut self, now: Instant) {
        if self.rings_in.is_some() && self.delay.is_none() {
            self.delay = Some(now.saturating_duration_since(self.from));
        }
    }

    fn has_timed_out(&self) -> bool {
        matches!(&self.end, Some(End::Dropped(reason)) if reason.contains(CloseReason::MediaTimeout.as_str()))
    }

    fn is_up(&self) -> bool {
        self.answered.is_some() && self.end.is_none()
    }
}

impl Ledger {
    pub(super) fn get(&mut self, serial: u32) -> Option<&mut Entry> {
        self.calls.get_mut(serial as usize)
    }

    /// Notes a region's death: who rang there waits anew, who was up there is lost.
    pub(super) fn dies(&mut self, region: Region, at: Instant) -> Death {
        let mut death = Death { region, at, ringing: 0, up: 0 };
        for call in self.calls.iter_mut().filter(|call| call.end.is_none()) {
            if call.answered_by == Some(region) {
                call.lost_its_region = true;
                death.up += 1;
            } else if call.answered_by.is_none() && call.rings_in == Some(region) {
                (call.rings_in, call.delay, call.from, call.was_ringing) = (None, None, at, true);
                death.ringing += 1;
            }
        }
        self.death = Some(death);
        death
    }

    pub(super) fn tally(&self) -> Tally {
        let count = |f: &dyn Fn(&Entry) -> bool| self.calls.iter().filter(|call| f(call)).count();
        Tally {
            placed: self.calls.len(),
            ringing: count(&|c| c.answered.is_none() && c.end.is_none()),
            up: count(&|c| c.is_up()),
            answered: count(&|c| c.answered.is_some()),
            refused: count(&|c| matches!(c.end, Some(End::Refused(_)))),
            dropped: count(&|c| matches!(c.end, Some(End::Dropped(_)))),
            rescued: count(&|c| c.was_ringing && c.delay.is_some()),
            dead: count(&|c| c.lost_its_region && c.is_up()),
            timed_out: count(&|c| c.lost_its_region && c.has_timed_out()),
        }
    }
}
