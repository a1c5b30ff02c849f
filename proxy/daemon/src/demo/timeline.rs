//! When what happens, so that the whole fits into the time that was asked for.

use std::time::Duration;

/// Below this there is no time to see a region die and its calls go on.
pub(super) const LEAST_SECONDS: u64 = 5;

/// Above this it is no demo.
pub(super) const MOST_SECONDS: u64 = 600;

/// Between two calls: 50 a second.
pub(super) const BETWEEN_CALLS: Duration = Duration::from_millis(20);

/// To stop the appliance and print, and for timers that fire late.
const RESERVE: Duration = Duration::from_millis(1300);

/// The script's times, all from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timeline {
    /// Everything is over.
    pub(super) end: Duration,
    /// A region dies.
    pub(super) death: Duration,
    /// The last call is placed.
    pub(super) last_call: Duration,
    /// Ringing takes between the first and the second.
    pub(super) ring: (Duration, Duration),
    /// Talking takes between the first and the second.
    pub(super) talk: (Duration, Duration),
    /// Until then those calls are up that stay up over the death.
    pub(super) stay: Duration,
    /// The last call that stays up over the death is placed.
    pub(super) last_to_stay: Duration,
    /// Silence after which the appliance ends a call. In real life 12 s; less when the demo is shorter than that.
    pub(super) inactivity: Duration,
}

impl Timeline {
    pub(super) fn of(seconds: u64) -> Self {
        let end = Duration::from_secs(seconds);
        let death = end * 3 / 10;
        let ring = end.mul_f64(1.0 / 12.0).min(Duration::from_millis(1200));
        let talk = (end / 5).clamp(Duration::from_secs(1), Duration::from_secs(4));
        let stay = (death + Duration::from_secs(5)).min(end - RESERVE);
        Self {
            end,
            death,
            stay,
            last_to_stay: death / 2,
            last_call: end - RESERVE - ring - talk,
            ring: (ring / 6, ring),
            talk: (talk / 4, talk),
            inactivity: (end - death - RESERVE - RESERVE / 4).min(Duration::from_secs(12)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_asked_for_the_order_of_events_holds_and_the_last_call_ends_in_time() {
        for seconds in LEAST_SECONDS..=MOST_SECONDS {
            let t = Timeline::of(seconds);
            assert!(t.death > t.ring.1 * 2, "{seconds}: calls are up and ringing when the region dies");
            assert!(
                t.last_call > t.death + Duration::from_millis(700),
                "{seconds}: calls are placed after it"
            );
            assert!(t.last_call + t.ring.1 + t.talk.1 < t.end, "{seconds}: the last call ends");
            assert!(t.death + t.inactivity < t.end, "{seconds}: dead calls are ended");
            assert!(t.stay > t.death + Duration::from_secs(2), "{seconds}: there is time to go over");
            assert!(t.last_to_stay + t.ring.1 < t.death, "{seconds}: who stays is up by then");
            assert!(
                t.inactivity > t.talk.1,
                "{seconds}: a call that says nothing is not ended by the appliance"
            );
        }
    }
}
