//! The network between us and everybody else: it loses, doubles, delays and reorders.

use crate::rng::Rng;
use relay_values::Duration;

/// How bad a network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Datagrams lost in a thousand.
    pub loss: u64,
    /// Datagrams that arrive twice, in a thousand.
    pub duplicate: u64,
    /// Datagrams held up on the way, so that later ones overtake them, in a thousand.
    pub reorder: u64,
    /// Shortest time on the way.
    pub delay: Duration,
    /// What may come on top of it.
    pub jitter: Duration,
}

/// The longest that a datagram is held up. Below T4, which is what RFC 3261 calls the longest that a message stays in
/// the network: past it, a repetition is rightly taken for something new.
pub(crate) const HELD_UP: Duration = Duration::from_millis(800);

impl Link {
    /// Everything arrives once, after 5 ms.
    pub const fn perfect() -> Self {
        Self { loss: 0, duplicate: 0, reorder: 0, delay: Duration::from_millis(5), jitter: Duration::ZERO }
    }

    /// Rates for one seed: most networks are mostly fine, some are awful.
    pub fn draw(rng: &mut Rng) -> Self {
        let awful = rng.chance(250);
        let (loss, duplicate, reorder) = if awful { (250, 150, 200) } else { (60, 40, 50) };
        Self {
            loss: rng.below(loss),
            duplicate: rng.below(duplicate),
            reorder: rng.below(reorder),
            delay: rng.between(Duration::from_micros(100), Duration::from_millis(30)),
            jitter: rng.between(Duration::from_micros(50), Duration::from_millis(40)),
        }
    }

    /// When a datagram sent now arrives: not at all, once or twice.
    pub fn arrivals(&self, rng: &mut Rng) -> [Option<Duration>; 2] {
        let copies = 1 + usize::from(rng.chance(self.duplicate));
        let mut out = [None; 2];
        for slot in out.iter_mut().take(copies) {
            if rng.chance(self.loss) {
                continue;
            }
            let mut time = self.delay + rng.between(Duration::ZERO, self.jitter);
            if rng.chance(self.reorder) {
                time += rng.between(Duration::ZERO, HELD_UP);
            }
            *slot = Some(time);
        }
        out
    }
}
