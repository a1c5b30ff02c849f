//! How fast calls are placed: by the clock, never by the answers (an open loop).

use super::clock::Nanos;

/// A pace.
#[derive(Debug, Clone)]
pub enum Pace {
    /// This many calls per second for some seconds.
    Rate {
        /// Calls per second.
        cps: f64,
        /// For how long.
        seconds: f64,
    },
    /// This many calls in all, at a rate.
    Calls {
        /// Calls per second.
        cps: f64,
        /// Calls in all.
        calls: u64,
    },
    /// A staircase: `first` calls per second, then `factor` times as many, and so on up to `top`.
    Ramp {
        /// Calls per second of the first step.
        first: f64,
        /// Growth from step to step.
        factor: f64,
        /// Length of a step in seconds.
        step: f64,
        /// The last step is not above this.
        top: f64,
    },
}

impl Pace {
    /// How many calls should have been placed at this time, and in which step we are; `None` when the pace is over.
    pub fn due(&self, at: Nanos) -> Option<(u64, usize)> {
        let t = at as f64 / 1e9;
        match *self {
            Self::Rate { cps, seconds } => (t < seconds).then_some(((t * cps) as u64 + 1, 0)),
            Self::Calls { cps, calls } => {
                (((t * cps) as u64) < calls).then_some((((t * cps) as u64 + 1).min(calls), 0))
            }
            Self::Ramp { first, factor, step, top } => {
                let index = (t / step) as usize;
                if self.rate(index) > top {
                    return None;
                }
                let whole: f64 = (0..index).map(|i| first * factor.powi(i as i32) * step).sum();
                let part = (t - index as f64 * step) * self.rate(index);
                Some(((whole + part) as u64, index))
            }
        }
    }

    /// Calls per second of a step.
    pub fn rate(&self, index: usize) -> f64 {
        match *self {
            Self::Rate { cps, .. } | Self::Calls { cps, .. } => cps,
            Self::Ramp { first, factor, .. } => first * factor.powi(index as i32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_places_what_its_steps_add_up_to() {
        let pace = Pace::Ramp { first: 100.0, factor: 2.0, step: 1.0, top: 400.0 };
        assert_eq!(pace.due(500_000_000), Some((50, 0)));
        assert_eq!(pace.due(1_500_000_000), Some((200, 1)));
        assert_eq!(pace.due(2_500_000_000), Some((500, 2)));
        assert_eq!(pace.due(3_500_000_000), None);
    }

    #[test]
    fn a_number_of_calls_is_never_exceeded() {
        let pace = Pace::Calls { cps: 10.0, calls: 5 };
        assert_eq!(pace.due(0), Some((1, 0)));
        assert_eq!(pace.due(499_000_000), Some((5, 0)));
        assert_eq!(pace.due(500_000_000), None);
    }
}
