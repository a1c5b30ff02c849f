//! The generator's clock and its timers.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Nanoseconds since the generator began.
pub type Nanos = u64;

/// One millisecond.
pub const MS: Nanos = 1_000_000;
/// RFC 3261 T1.
pub const T1: Nanos = 500 * MS;
/// RFC 3261 T2.
pub const T2: Nanos = 4_000 * MS;
/// Transmissions before giving up: with T1 = 500 ms the eighth wait ends 64 × T1 after the first (timer B).
pub const STAGES: usize = 7;

/// A clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Instant);

impl Clock {
    /// Begin now.
    #[expect(clippy::new_without_default, reason = "a clock that begins is not a default value")]
    pub fn new() -> Self {
        Self(Instant::now())
    }

    /// Time passed since the beginning.
    pub fn now(&self) -> Nanos {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A number that tells this run from others: the low bits of the time of day in milliseconds and of our process.
pub fn run_number() -> u32 {
    let day = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    (day.as_millis() as u32).rotate_left(8) ^ std::process::id()
}

/// As nanoseconds.
pub fn nanos(d: Duration) -> Nanos {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}

/// A call's number: its slot, and which use of the slot it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallNo {
    /// Index into the flat array of calls.
    pub slot: u32,
    /// Counts up whenever the slot is used again.
    pub serial: u32,
}

/// Timers of one length: what goes in first comes out first, so that neither costs more than a queue.
#[derive(Debug)]
pub struct Fifo {
    delay: Nanos,
    queue: VecDeque<(Nanos, CallNo)>,
}

impl Fifo {
    /// Timers of this length.
    pub const fn new(delay: Nanos) -> Self {
        Self { delay, queue: VecDeque::new() }
    }

    /// Start one.
    pub fn start(&mut self, now: Nanos, call: CallNo) {
        self.queue.push_back((now.saturating_add(self.delay), call));
    }

    /// The next one whose time has come.
    pub fn pop(&mut self, now: Nanos) -> Option<CallNo> {
        match self.queue.front() {
            Some((due, _)) if *due <= now => self.queue.pop_front().map(|(_, call)| call),
            _ => None,
        }
    }

    /// When the next one is due.
    pub fn next(&self) -> Option<Nanos> {
        self.queue.front().map(|(due, _)| *due)
    }

    /// Let the ones that wait be due at once.
    pub fn hurry(&mut self) {
        for (due, _) in &mut self.queue {
            *due = 0;
        }
    }
}

/// Retransmission timers: T1, 2 T1, 4 T1, …, with a cap (T2) or without (INVITE requests).
pub fn backoff(cap: Nanos) -> [Fifo; STAGES] {
    std::array::from_fn(|i| Fifo::new((T1 << i).min(cap)))
}
