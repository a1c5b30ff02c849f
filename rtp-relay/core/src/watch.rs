//! The silence watch: a wheel that looks at every session once per inactivity time, not once per packet.
//!
//! A packet only leaves its time with its leg. When a session's turn comes, the time is looked at: either the leg has
//! been silent long enough, or the session is put back for the earliest moment at which it could be.

use crate::limits::{WATCH_SLOTS, WATCH_TICK};
use relay_values::{Duration, SessionId, SilenceKind, Time};

/// Whether and since when packets are expected from a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Watch {
    /// None are (hold, or one side is not connected).
    #[default]
    Off,
    /// Since signalling last spoke about the session.
    Since(Time),
    /// They were, none came, and signalling has been told.
    Told,
}

impl Watch {
    /// When the leg will have been silent for `inactivity`, if it sends nothing more after `heard`.
    pub(crate) fn due(&self, heard: Option<Time>, inactivity: Duration) -> Option<Time> {
        match self {
            Self::Since(since) => Some(heard.map_or(*since, |h| h.max(*since)) + inactivity),
            Self::Off | Self::Told => None,
        }
    }

    /// Look at the clock: the silence to tell about, at most once.
    pub(crate) fn check(
        &mut self,
        now: Time,
        heard: Option<Time>,
        inactivity: Duration,
    ) -> Option<(Time, SilenceKind)> {
        let Self::Since(since) = *self else { return None };
        if self.due(heard, inactivity)? > now {
            return None;
        }
        *self = Self::Told;
        Some(match heard {
            Some(heard) => (heard, SilenceKind::Stopped),
            None => (since, SilenceKind::NeverHeard),
        })
    }
}

/// A session to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Its place, and its name: the place may have been given to another session since.
    pub(crate) slot: usize,
    pub(crate) session: SessionId,
    tick: u64,
}

/// The wheel.
#[derive(Debug)]
pub(crate) struct Wheel {
    slots: Vec<Vec<Turn>>,
    /// The last tick that was dealt with.
    tick: u64,
    turns: usize,
    due: Vec<Turn>,
}

const TICK_NANOS: u64 = WATCH_TICK.as_nanos() as u64;

impl Wheel {
    pub(crate) fn new() -> Self {
        Self { slots: (0..WATCH_SLOTS).map(|_| Vec::new()).collect(), tick: 0, turns: 0, due: Vec::new() }
    }

    /// Give a session a turn at the first tick not before `at`.
    pub(crate) fn arm(&mut self, at: Time, slot: usize, session: SessionId) {
        let tick = at.as_nanos().div_ceil(TICK_NANOS).max(self.tick + 1);
        self.put(Turn { slot, session, tick });
    }

    /// Bring the wheel to `now`.
    pub(crate) fn turn(&mut self, now: Time) {
        let reached = now.as_nanos() / TICK_NANOS;
        let steps = reached.saturating_sub(self.tick).min(WATCH_SLOTS as u64);
        let from = reached - steps.min(reached);
        self.tick = self.tick.max(reached);
        for tick in from + 1..=reached {
            let Some(slot) = self.slots.get_mut((tick % WATCH_SLOTS as u64) as usize) else { continue };
            let mut i = 0;
            while let Some(turn) = slot.get(i) {
                if turn.tick <= reached {
                    self.due.push(slot.swap_remove(i));
                    self.turns -= 1;
                } else {
                    i += 1;
                }
            }
        }
    }

    /// Jump to `now` if nothing is on the wheel: it may have stood still for long.
    pub(crate) fn catch_up(&mut self, now: Time) {
        if self.turns == 0 {
            self.tick = self.tick.max(now.as_nanos() / TICK_NANOS);
        }
    }

    /// The next session whose turn has come.
    pub(crate) fn due(&mut self) -> Option<Turn> {
        self.due.pop()
    }

    /// Those whose turn has come and that have not been taken.
    pub(crate) fn waiting(&self) -> &[Turn] {
        &self.due
    }

    /// When the wheel wants to be turned.
    pub(crate) fn next(&self) -> Time {
        if self.turns == 0 {
            return Time::NEVER;
        }
        Time::from_nanos((self.tick + 1).saturating_mul(TICK_NANOS))
    }

    fn put(&mut self, turn: Turn) {
        if let Some(slot) = self.slots.get_mut((turn.tick % WATCH_SLOTS as u64) as usize) {
            slot.push(turn);
            self.turns += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns_at(wheel: &mut Wheel, ms: u64) -> Vec<u64> {
        wheel.turn(Time::from_millis(ms));
        let mut ids: Vec<u64> = std::iter::from_fn(|| wheel.due()).map(|t| t.session.0).collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn a_turn_comes_at_its_tick_and_never_before() {
        let mut wheel = Wheel::new();
        for (id, ms) in [(1, 1000), (2, 1001), (3, 12_000), (4, 40_000)] {
            wheel.arm(Time::from_millis(ms), id as usize, SessionId(id));
        }
        assert_eq!(turns_at(&mut wheel, 999), []);
        assert_eq!(turns_at(&mut wheel, 1000), [1]);
        assert_eq!(turns_at(&mut wheel, 1249), []);
        assert_eq!(turns_at(&mut wheel, 1250), [2]);
        assert_eq!(turns_at(&mut wheel, 39_999), [3]);
        assert_eq!(wheel.next(), Time::from_millis(40_000));
        assert_eq!(turns_at(&mut wheel, 90_000), [4]);
        assert!(wheel.next().is_never());
    }

    #[test]
    fn a_clock_that_leaps_misses_no_turn() {
        let mut wheel = Wheel::new();
        for id in 0..1000 {
            wheel.arm(Time::from_millis(id * 37), 0, SessionId(id));
        }
        assert_eq!(turns_at(&mut wheel, 1_000_000_000).len(), 1000);
        wheel.arm(Time::from_millis(5), 0, SessionId(1));
        assert_eq!(turns_at(&mut wheel, 1_000_000_250), [1], "a time in the past is the next tick");
    }
}
