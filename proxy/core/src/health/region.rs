//! One region's health.
//!
//! ```text
//!                      silence                   an edge answered
//!         ┌────┐──────────────────►┌───────┐────────────────────────►┌──────┐
//!         │ Up │                   │ Asked │                         │ Mute │
//!         └────┘◄──────────────────└───┬───┘   heard; or nothing     └──┬───┘
//!          ▲  │       heard            │       follows ──► Up           │
//!  an edge │  │ every edge             │ no edge answered               │ silent for too long
//!  is back │  │ fell by itself         ▼                                │
//!          │  └─────────────────►┌──────┐◄──────────────────────────────┘
//!          └─────────────────────│ Down │
//!                                └──────┘
//! ```
//!
//! `Asked` and `Mute` are both *suspect*. Silence alone never takes a region down, and neither does one phone's or one
//! edge's: relays report only that many flows fell silent together. Then the edges are asked, in a [`Burst`]; if none
//! answers, signalling and media are both gone, and with them the region. If some do, the silence may be a strange accident
//! of the callers', or the region's media may be gone behind signalling that lives: time shows which.

use super::burst::{Burst, Tick};
use super::policy::{MEDIA_HOLD, STALE_SILENCE, STALL, SUSPICION};
use crate::{RegionPolicy, RegionState, SwitchReason, TargetId};
use relay_values::{Duration, Time};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Region {
    /// Nothing speaks against it. `heard` is when something last spoke in its favour.
    Up { heard: Time },
    /// Silent since `since`, and being asked whether it lives.
    Asked { since: Time, burst: Burst },
    /// It answers, but nothing has been heard of it since `since`.
    Mute { since: Time, until: Time },
    /// Its edges are down.
    Down,
}

/// What can happen to a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// A relay says that its flows fell silent together; the last packet came at `since`.
    Silent { since: Time },
    /// A relay hears it again.
    Heard,
    /// One of its edges has answered the burst.
    Answered(TargetId),
    /// Time has passed.
    Elapsed,
    /// Every edge of it is down by its own evidence.
    Fell,
    /// One of its edges is not down (any more).
    Rose,
}

/// What is to be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    Nothing,
    /// Send a round of probes to the edges that have not answered.
    Ask,
    /// The same, after forgetting the probes that are out.
    AskAnew,
    /// These edges said nothing while others did.
    Blame(Vec<TargetId>),
    /// The region is down: every edge of it with it, for `hold` at least. `missed` said nothing when they were asked.
    Condemn {
        reason: SwitchReason,
        hold: Duration,
        missed: Vec<TargetId>,
    },
}

/// The region as the configuration has it.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    pub(super) policy: RegionPolicy,
    /// The edges to ask.
    pub(super) edges: Vec<TargetId>,
    /// Of the slowest of them.
    pub(super) round_trip: Duration,
}

impl Scene {
    fn burst(&self, now: Time) -> Burst {
        Burst::new(now, &self.edges, &self.policy, self.round_trip)
    }
}

impl Region {
    pub(super) const NEW: Self = Self::Up { heard: Time::ZERO };

    pub(super) const fn state(&self) -> RegionState {
        match self {
            Self::Up { .. } => RegionState::Up,
            Self::Asked { .. } | Self::Mute { .. } => RegionState::Suspect,
            Self::Down => RegionState::Down,
        }
    }

    /// When [`News::Elapsed`] would change something.
    pub(super) fn deadline(&self) -> Time {
        match self {
            Self::Asked { burst, .. } => burst.wakes(),
            Self::Mute { until, .. } => *until,
            Self::Up { .. } | Self::Down => Time::NEVER,
        }
    }

    /// The last packet before the silence that it is suspected for.
    pub(super) const fn silent_since(&self) -> Option<Time> {
        match self {
            Self::Asked { since, .. } | Self::Mute { since, .. } => Some(*since),
            Self::Up { .. } | Self::Down => None,
        }
    }

    /// The burst that is out.
    pub(super) fn burst(&self) -> Option<&Burst> {
        match self {
            Self::Asked { burst, .. } => Some(burst),
            Self::Up { .. } | Self::Mute { .. } | Self::Down => None,
        }
    }

    pub(super) fn burst_mut(&mut self) -> Option<&mut Burst> {
        match self {
            Self::Asked { burst, .. } => Some(burst),
            Self::Up { .. } | Self::Mute { .. } | Self::Down => None,
        }
    }

    /// Takes news in; says what is to be done.
    pub(super) fn on(&mut self, now: Time, news: News, scene: &Scene) -> Act {
        let (next, act) = match (std::mem::replace(self, Self::Down), news) {
            // It has been heard since: another shard's copy, overtaken, or another relay's calls alone.
            (Self::Up { heard }, News::Silent { since }) if since + STALE_SILENCE < heard => {
                (Self::Up { heard }, Act::Nothing)
            }
            (Self::Up { .. }, News::Silent { since }) => {
                (Self::Asked { since, burst: scene.burst(now) }, Act::Ask)
            }
            (Self::Up { .. }, News::Heard) => (Self::Up { heard: now }, Act::Nothing),
            (Self::Up { .. }, News::Fell) => (Self::Down, Act::Nothing),
            (up @ Self::Up { .. }, News::Answered(_) | News::Elapsed | News::Rose) => (up, Act::Nothing),

            (Self::Asked { since, burst }, News::Silent { since: other }) => {
                (Self::Asked { since: since.max(other), burst }, Act::Nothing)
            }
            (Self::Asked { .. }, News::Heard) => (Self::Up { heard: now }, Act::Nothing),
            (Self::Asked { since, mut burst }, News::Answered(edge)) => {
                burst.answered(edge);
                if burst.is_answered_by_all() {
                    (Self::mute(now, since, scene), Act::Nothing)
                } else {
                    (Self::Asked { since, burst }, Act::Nothing)
                }
            }
            (Self::Asked { since, mut burst }, News::Elapsed) => match burst.tick(now) {
                Tick::Wait => (Self::Asked { since, burst }, Act::Nothing),
                Tick::Ask => (Self::Asked { since, burst }, Act::Ask),
                Tick::Void => (Self::Asked { since, burst: scene.burst(now) }, Act::AskAnew),
                Tick::Over if burst.is_answered() || burst.is_empty() => {
                    (Self::mute(now, since, scene), Act::Blame(burst.silent().collect()))
                }
                Tick::Over => {
                    let (reason, missed) = (SwitchReason::RegionSilent, burst.silent().collect());
                    (Self::Down, Act::Condemn { reason, hold: Duration::ZERO, missed })
                }
            },
            (Self::Asked { .. }, News::Fell) => (Self::Down, Act::Nothing),
            (asked @ Self::Asked { .. }, News::Rose) => (asked, Act::Nothing),

            (Self::Mute { since, .. }, News::Silent { since: other }) => {
                (Self::mute(now, since.max(other), scene), Act::Nothing)
            }
            (Self::Mute { .. }, News::Heard) => (Self::Up { heard: now }, Act::Nothing),
            (Self::Mute { until, since }, News::Elapsed) if until <= now => match scene.policy.media_down {
                // We were not there to hear it.
                _ if now - until > STALL => (Self::Asked { since, burst: scene.burst(now) }, Act::AskAnew),
                Some(_) => {
                    let reason = SwitchReason::MediaSilent;
                    (Self::Down, Act::Condemn { reason, hold: MEDIA_HOLD, missed: Vec::new() })
                }
                None => (Self::Up { heard: since }, Act::Nothing),
            },
            (Self::Mute { .. }, News::Fell) => (Self::Down, Act::Nothing),
            (mute @ Self::Mute { .. }, News::Answered(_) | News::Elapsed | News::Rose) => {
                (mute, Act::Nothing)
            }

            (Self::Down, News::Rose) => (Self::Up { heard: now }, Act::Nothing),
            (
                Self::Down,
                News::Silent { .. } | News::Heard | News::Answered(_) | News::Elapsed | News::Fell,
            ) => (Self::Down, Act::Nothing),
        };
        *self = next;
        act
    }

    /// It answers; how long may its silence last?
    fn mute(now: Time, since: Time, scene: &Scene) -> Self {
        let until = match scene.policy.media_down {
            Some(limit) => now.max(since + limit),
            None => now + SUSPICION,
        };
        Self::Mute { since, until }
    }
}
