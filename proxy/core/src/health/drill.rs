//! A drill: would we notice an outage of these calls, and when?
//!
//! For the cohort that a drill has chosen, signalling, media or both are cut inside our own I/O. The region itself lives and
//! answers our probes, so that what they would say about the cohort is worked out instead: where signalling is cut, every
//! answer to a probe counts as lost. The cohort is *found* dead after the same times as a region would be:
//!
//! - it is silent and the burst that follows is lost, after `burst_timeout`;
//! - it is silent and the burst is answered (only media is cut), after `media_down`;
//! - it is not silent (only signalling is cut), when an edge's probes would have failed `fall` times: `fall` × interval +
//!   timeout of the region's slowest edge; without probes never.

use super::burst::Burst;
use super::core::{Due, Health, Wake};
use super::policy::STALE_SILENCE;
use super::region::News;
use crate::{Cut, Drill, Overrides};
use relay_values::{Duration, Time};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cohort {
    /// No drill.
    None,
    /// Cut off at `began`; its probes would show it at `probed`.
    Cut { began: Time, probed: Time },
    /// The same, and silent: taken for dead at `until`.
    Silent { began: Time, probed: Time, until: Time },
    /// Found dead.
    Found,
}

/// How soon a cohort that is silent is taken for dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Patience {
    pub(super) cut: Cut,
    /// What a burst takes that nobody answers.
    pub(super) burst: Duration,
    pub(super) media_down: Option<Duration>,
}

impl Cohort {
    pub(super) fn deadline(&self) -> Time {
        match self {
            Self::Cut { probed, .. } => *probed,
            Self::Silent { probed, until, .. } => (*probed).min(*until),
            Self::None | Self::Found => Time::NEVER,
        }
    }

    /// Takes news in; whether the cohort was found dead by it.
    pub(super) fn on(&mut self, now: Time, news: News, patience: &Patience) -> bool {
        let next = match (*self, news) {
            // An earlier drill's.
            (Self::Cut { began, .. }, News::Silent { since }) if since + STALE_SILENCE < began => *self,
            (Self::Cut { began, probed }, News::Silent { since }) => {
                let media = patience.media_down.map_or(Time::NEVER, |limit| now.max(since + limit));
                let until = if patience.cut.signalling() { now + patience.burst } else { media };
                Self::Silent { began, probed, until }
            }
            (Self::Silent { began, probed, .. }, News::Heard) => Self::Cut { began, probed },
            (Self::Cut { .. } | Self::Silent { .. }, News::Elapsed) if self.deadline() <= now => Self::Found,
            (Self::Cut { .. }, News::Heard | News::Elapsed | News::Answered(_) | News::Fell | News::Rose)
            | (
                Self::Silent { .. },
                News::Silent { .. } | News::Elapsed | News::Answered(_) | News::Fell | News::Rose,
            )
            | (Self::None | Self::Found, _) => *self,
        };
        let found = next == Self::Found && *self != Self::Found;
        *self = next;
        found
    }
}

impl Health {
    /// Takes over what operators say. What the health core itself knows of a drill that goes on is kept.
    pub(super) fn override_with(&mut self, now: Time, mut overrides: Overrides) {
        let known = self.overrides.drill;
        let anew = |drill: Drill| Drill { found: None, ..drill };
        let goes_on = known.map(anew) == overrides.drill.map(anew);
        overrides.drill = if goes_on { known } else { overrides.drill.map(anew) };
        if overrides == self.overrides {
            return;
        }
        self.overrides = overrides;
        self.due = self.due.max(Due::State);
        if !goes_on {
            self.cohort = match self.overrides.drill {
                Some(drill) => Cohort::Cut { began: now, probed: now + self.probes_fail_after(&drill) },
                None => Cohort::None,
            };
            self.reschedule(Wake::Drill);
        }
    }

    pub(super) fn cohort_news(&mut self, now: Time, news: News) {
        let Some(drill) = self.overrides.drill else { return };
        let scene = self.scene(drill.region);
        let patience = Patience {
            cut: drill.cut,
            burst: Burst::patience(&scene.policy, scene.round_trip),
            media_down: scene.policy.media_down,
        };
        if self.cohort.on(now, news, &patience) {
            self.overrides.drill = Some(Drill { found: Some(now), ..drill });
            self.due = self.due.max(Due::State);
        }
        self.reschedule(Wake::Drill);
    }

    /// How long it would take until probes alone had shown the cohort's region down.
    fn probes_fail_after(&self, drill: &Drill) -> Duration {
        let edges = self.edges_of(drill.region);
        let policies = edges.iter().filter_map(|id| self.watches.get(id.index())).map(|watch| watch.policy);
        let times = policies.filter_map(|policy| {
            policy.probe.map(|probe| probe.interval * u32::from(policy.fall) + probe.timeout)
        });
        times.max().filter(|_| drill.cut.signalling()).unwrap_or(Duration::MAX)
    }
}
