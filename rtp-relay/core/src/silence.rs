//! The test for the silence of a region: have many flows that were regular fallen silent together?
//!
//! One phone that is muted, one call that ends or one edge that dies says nothing about a region; a thousand streams that
//! stop within one packet time say everything, and they say it ten times faster than any probe. What stands between the
//! two is a sequential test, after every tick of [`SILENCE_TICK`], over the region's regular flows:
//!
//! **Evidence.** Every flow's beat is known, so it is known when its packets are due. A packet that comes speaks for
//! "alive": it comes with probability `p` = 0.9 there (worse than any line that people speak over), and with `q` if the
//! region is silent, where `q` is the share that may still be heard (`heard_percent`). A packet that has not come half a
//! beat after its time speaks for "silent". The logarithm of the likelihood ratio of a tick is the sum over its packets,
//!
//! ```text
//! x = missed · ln((1 − q) / (1 − p)) − came · ln(p / q)            for q = 0.1:  2.2 · (missed − came)
//! ```
//!
//! **Sum.** Page's CUSUM (E. S. Page, *Continuous inspection schemes*, Biometrika 41 (1954), 100–115) adds these up and
//! never goes below zero, so that a long good life does not outweigh a sudden death:
//!
//! ```text
//! S ← max(0, S + min(x, c))          silent, if S ≥ h
//! ```
//!
//! **Threshold.** `min(x, c)` is a likelihood ratio made smaller, so the mean of its exponential stays at most 1 while the
//! region lives; then the mean time to a false alarm is at least `e^h` ticks (G. Lorden, *Procedures for reacting to a
//! change in distribution*, Ann. Math. Statist. 42 (1971), 1897–1908). Ten years are 6.3 · 10¹⁰ ticks of 5 ms: `h` = 25.
//! The bound `c` = 5 costs some milliseconds and sees to it that no five ticks decide, however many flows there are.
//!
//! **What the arithmetic does not know.** Packets on one path are delayed together, and losses come in bursts. So beside
//! the sum the state itself must say so: of at least `min_flows` regular flows at most `heard_percent` have been heard
//! within `after` (or two and a half of their own beats, whichever is longer). A network that holds *all* packets of a
//! region back for longer than that cannot be told from a region that has died, and is reported; signalling then asks by
//! probes before it believes.
//!
//! **Time that does not count.** When our own process was held up, nothing was heard because nobody listened. A tick that
//! comes late by [`LATE_TICK`], or while the shell still works off what has piled up
//! ([`Relay::behind`](crate::Relay::behind)), is void: the sum begins anew, and no flow has been silent for longer than
//! since then.

use crate::config::SilencePolicy;
use crate::limits::{FALSE_ALARM_LOG, TICK_BOUND};
use crate::pulse::Pulse;
use relay_values::Time;

#[cfg(doc)]
use crate::limits::{LATE_TICK, SILENCE_TICK};

/// With this probability a packet that is due comes while the region lives.
const ALIVE: f32 = 0.9;

/// The policy in numbers to count with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weights {
    pub(crate) min_flows: u32,
    /// In nanoseconds: a sweep has no time for more.
    after: u64,
    heard_percent: u64,
    missed: f32,
    came: f32,
}

/// What one sweep over a region's flows has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sweep {
    /// Regular flows, and those of them that have been silent for long enough.
    pub(crate) regular: u32,
    pub(crate) silent: u32,
    /// The last packet of those from which one should have come since.
    pub(crate) last: Time,
    /// Since the last tick: packets that did not come, flows that did.
    missed: u32,
    came: u32,
    /// Flows heard since the silence was told, and those that could be.
    back: u32,
    mourned: u32,
}

/// What is thought of a region.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Verdict {
    /// It is heard, or there is too little to say otherwise. With the sum S.
    Alive(f32),
    /// It is silent, and that has been told.
    Silent {
        /// When.
        told: Time,
    },
}

/// What is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    Silent,
    Heard,
}

/// The two ends of a tick, and the time before which nothing counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tick {
    pub(crate) from: Time,
    pub(crate) to: Time,
    pub(crate) void_until: Time,
}

impl Weights {
    pub(crate) fn new(policy: &SilencePolicy) -> Self {
        let heard = f32::from(policy.heard_percent.clamp(1, 50)) / 100.0;
        Self {
            min_flows: policy.min_flows.max(1),
            after: u64::try_from(policy.after.as_nanos()).unwrap_or(u64::MAX),
            heard_percent: policy.heard_percent.into(),
            missed: ((1.0 - heard) / (1.0 - ALIVE)).ln(),
            came: (ALIVE / heard).ln(),
        }
    }

    /// How long a flow must have been silent to count as silent; all in nanoseconds.
    fn quiet(&self, beat: u64) -> u64 {
        self.after.max(beat * 5 / 2)
    }
}

impl Sweep {
    /// Look at a flow. Whether it has paused alone and does not count any more.
    pub(crate) fn flow(&mut self, weights: &Weights, verdict: Verdict, tick: &Tick, pulse: &Pulse) -> bool {
        let unheard = nanos(tick.to, pulse.last);
        if let Verdict::Silent { told } = verdict {
            let again = pulse.last > told;
            self.mourned += u32::from(again || pulse.beat > 0);
            self.back += u32::from(again && unheard < weights.after.saturating_mul(2));
        }
        let beat = u64::from(pulse.beat);
        if beat == 0 {
            return false;
        }
        let since_void = nanos(tick.to, tick.void_until);
        let (age, quiet) = (unheard.min(since_void), weights.quiet(beat));
        // Had the region fallen silent with it, that would have been told long ago.
        if age / 4 >= quiet && matches!(verdict, Verdict::Alive(_)) {
            return true;
        }
        self.regular += 1;
        self.came += u32::from(pulse.last > tick.from);
        // The flow keeps its phase over a void, so that not all packets are missed in one tick; those that were due before
        // the end of the void do not count.
        if unheard >= beat && age >= beat / 2 {
            let before = unheard.saturating_sub(nanos(tick.to, tick.from));
            self.missed += missed(unheard, beat) - missed(before, beat);
            self.last = self.last.max(pulse.last);
        }
        self.silent += u32::from(age >= quiet);
        false
    }
}

/// Packets that are missing after a silence of `unheard`: each half a beat after it was due.
fn missed(unheard: u64, beat: u64) -> u32 {
    ((unheard + beat / 2) / beat.max(1)).saturating_sub(1) as u32
}

fn nanos(to: Time, from: Time) -> u64 {
    to.as_nanos().saturating_sub(from.as_nanos())
}

impl Verdict {
    /// Judge a sweep; what is to be told of it.
    pub(crate) fn judge(&mut self, weights: &Weights, sweep: &Sweep, now: Time) -> Option<News> {
        match self {
            Self::Alive(sum) => {
                let x = sweep.missed as f32 * weights.missed - sweep.came as f32 * weights.came;
                *sum = (*sum + x.min(TICK_BOUND)).max(0.0);
                let heard = u64::from(sweep.regular - sweep.silent);
                let few = heard * 100 <= weights.heard_percent * u64::from(sweep.regular);
                if *sum < FALSE_ALARM_LOG || sweep.regular < weights.min_flows || !few {
                    return None;
                }
                *self = Self::Silent { told: now };
                Some(News::Silent)
            }
            // Twice the share that silence allows: what hovers at the limit is not told again and again.
            Self::Silent { .. } => {
                let (back, all) = (u64::from(sweep.back), u64::from(sweep.mourned));
                // Where nobody is left who could be heard, the silence is over as well.
                if all > 0 && (back == 0 || back * 100 <= weights.heard_percent * 2 * all) {
                    return None;
                }
                *self = Self::Alive(0.0);
                Some(News::Heard)
            }
        }
    }

    /// What was summed up does not count.
    pub(crate) fn void(&mut self) {
        if let Self::Alive(sum) = self {
            *sum = 0.0;
        }
    }
}
