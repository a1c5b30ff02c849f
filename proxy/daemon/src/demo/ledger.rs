//! What the peers have seen of every call. It is a notebook: nobody acts by it.

use super::peers::Region;
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
    /// The call was up in the region when that died: the carrier had its 2xx.
    pub(super) lost_its_region: bool,
    /// SIP that the carrier got in this call after that and before it hung up.
    pub(super) sip_in_move: u32,
    /// Places where the line that the caller hears broke.
    pub(super) breaks: u32,
    /// From the dead region's voice to the other's.
    pub(super) gap: Option<Gap>,
    /// How it ended.
    pub(super) end: Option<End>,
    /// The caller speaks, and so does the callee once it hears.
    pub(super) speaks: bool,
    /// It is one of those that stay up over the death.
    pub(super) stays: bool,
    /// Packets of the callee that the caller heard.
    pub(super) caller_heard: u32,
    /// Packets of the caller that the callee heard.
    pub(super) callee_heard: u32,
    /// Packets of other calls that either heard.
    pub(super) foreign: u32,
}

/// Between two voices, as the caller heard it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    /// The old one's last packet.
    pub(super) last: Instant,
    /// The next packet of any kind.
    pub(super) filled: Instant,
    /// The new one's first packet.
    pub(super) resumed: Instant,
}

impl Gap {
    /// How long the caller heard nothing at all.
    pub(super) fn media(&self) -> Duration {
        self.filled.saturating_duration_since(self.last)
    }

    /// How long the caller heard nobody.
    pub(super) fn conversation(&self) -> Duration {
        self.resumed.saturating_duration_since(self.last)
    }
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
    /// Were up in the dead region, still are, and have been picked up in no other.
    pub(super) dead: usize,
}

impl Entry {
    pub(super) fn new(now: Instant, speaks: bool, stays: bool) -> Self {
        Self {
            placed: now,
            from: now,
            rings_in: None,
            was_ringing: false,
            delay: None,
            answered: None,
            answered_by: None,
            lost_its_region: false,
            sip_in_move: 0,
            breaks: 0,
            gap: None,
            end: None,
            speaks,
            stays,
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

    /// Whether it outlived its region: nobody but its caller has ended it, and one who spoke until then was answered.
    pub(super) fn is_kept(&self, region: Region) -> bool {
        let dropped = matches!(self.end, Some(End::Dropped(_)));
        let went_over = self.answered_by != Some(region) && (self.gap.is_some() || !self.speaks);
        !dropped && (went_over || self.end == Some(End::HungUp) && !self.stays)
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
                // Without its 2xx at the carrier it is neither here nor there: on its way through the appliance.
                call.lost_its_region = call.answered.is_some();
                death.up += usize::from(call.lost_its_region);
            } else if call.answered_by.is_none() && call.rings_in == Some(region) {
                (call.rings_in, call.delay, call.from, call.was_ringing) = (None, None, at, true);
                death.ringing += 1;
            }
        }
        self.death = Some(death);
        death
    }

    pub(super) fn tally(&self) -> Tally {
        let lost = self.death.map(|death| death.region);
        let count = |f: &dyn Fn(&Entry) -> bool| self.calls.iter().filter(|call| f(call)).count();
        Tally {
            placed: self.calls.len(),
            ringing: count(&|c| c.answered.is_none() && c.end.is_none()),
            up: count(&|c| c.is_up()),
            answered: count(&|c| c.answered.is_some()),
            refused: count(&|c| matches!(c.end, Some(End::Refused(_)))),
            dropped: count(&|c| matches!(c.end, Some(End::Dropped(_)))),
            rescued: count(&|c| c.was_ringing && c.delay.is_some()),
            dead: count(&|c| c.lost_its_region && c.is_up() && c.answered_by == lost),
        }
    }
}
