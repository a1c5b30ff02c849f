//! What goes down again and again stays away longer each time, after BGP route flap damping (RFC 2439).
//!
//! Every fall adds 1 to a target's penalty, which halves in every half-life. While the penalty is above the limit the
//! target stays down, whatever it answers. With the defaults (half-life 30 s, limit 2) the first two falls cost nothing.
//! The third one shortly after them lifts the penalty to nearly 3, and it takes 30 s × log₂ 1.5 = 17.5 s until it is 2
//! again; so does every later one. A target that goes up and down as fast as it is let is thus seen to fall about 3 times
//! and then once in 17.5 s at most. RFC 2439 has two thresholds, one to suppress and one to use again; ours are one.

use crate::RegionPolicy;
use relay_values::{Duration, Time};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Damping {
    half_life: Duration,
    limit: u8,
}

/// What a target has gathered by falling.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Penalty {
    value: f64,
    at: Time,
}

impl Damping {
    pub(super) fn new(policy: &RegionPolicy) -> Self {
        // With a limit of 0 nothing that fell would ever come back.
        Self { half_life: policy.damping_half_life, limit: policy.damping_limit.max(1) }
    }
}

impl Penalty {
    pub(super) fn at(&self, now: Time, damping: &Damping) -> f64 {
        if damping.half_life.is_zero() {
            return 0.0;
        }
        let half_lives = now.since(self.at).as_secs_f64() / damping.half_life.as_secs_f64();
        self.value * (-half_lives).exp2()
    }

    /// One more fall; until when the target is to stay down for it. Not after `now` if it need not.
    pub(super) fn fell(&mut self, now: Time, damping: &Damping) -> Time {
        let value = self.at(now, damping) + 1.0;
        *self = Self { value, at: now };
        let limit = f64::from(damping.limit);
        if damping.half_life.is_zero() || value <= limit {
            return now;
        }
        let hold = damping.half_life.as_secs_f64() * (value / limit).log2();
        now + Duration::try_from_secs_f64(hold).unwrap_or(damping.half_life)
    }
}

#[cfg(test)]
mod tests {
    use super::{Damping, Penalty};
    use relay_values::{Duration, Time};

    const DAMPING: Damping = Damping { half_life: Duration::from_secs(30), limit: 2 };

    #[test]
    fn a_penalty_halves_in_every_half_life() {
        let mut penalty = Penalty::default();
        assert_eq!(penalty.fell(Time::ZERO, &DAMPING), Time::ZERO);
        for (seconds, left) in [(0, 1.0), (30, 0.5), (60, 0.25), (15, 0.5f64.sqrt())] {
            let value = penalty.at(Time::ZERO + Duration::from_secs(seconds), &DAMPING);
            assert!((value - left).abs() < 1e-9, "{value} after {seconds} s");
        }
    }

    #[test]
    fn the_third_fall_at_once_is_held_until_three_has_become_two() {
        let mut penalty = Penalty::default();
        penalty.fell(Time::ZERO, &DAMPING);
        penalty.fell(Time::ZERO, &DAMPING);
        let until = penalty.fell(Time::ZERO, &DAMPING);
        assert_eq!(until.as_millis(), 17_548, "30 s × log₂ 1.5");
        assert!((penalty.at(until, &DAMPING) - 2.0).abs() < 1e-6);
    }

    #[test]
    fn without_a_half_life_nothing_is_held() {
        let mut penalty = Penalty::default();
        let off = Damping { half_life: Duration::ZERO, limit: 2 };
        for ms in 0..100 {
            assert_eq!(penalty.fell(Time::from_millis(ms), &off), Time::from_millis(ms));
        }
    }
}
