//! What the threads of a soak share: a clock, the samples, and whether it is over.

use super::sample::Sample;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// So many samples in a row have to be good, and are judged.
const LATEST: usize = 5;

/// Shared by all threads.
#[derive(Debug)]
pub(super) struct Watch {
    began: Instant,
    samples: Mutex<Vec<Sample>>,
    loaded: AtomicBool,
    over: AtomicBool,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            samples: Mutex::new(Vec::new()),
            loaded: AtomicBool::new(false),
            over: AtomicBool::new(false),
        }
    }

    /// Seconds since the beginning.
    pub(super) fn now(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    pub(super) fn add(&self, sample: Sample) {
        self.with(|samples| samples.push(sample));
    }

    /// The last one.
    pub(super) fn last(&self) -> Option<Sample> {
        self.with(|samples| samples.last().copied())
    }

    /// The last ones, all of them after a moment; nothing if there are too few.
    pub(super) fn latest(&self, after: f64) -> Vec<Sample> {
        self.with(|samples| {
            let latest = &samples[samples.len().saturating_sub(LATEST)..];
            if latest.len() == LATEST && latest[0].at > after { latest.to_vec() } else { Vec::new() }
        })
    }

    pub(super) fn samples(&self) -> Vec<Sample> {
        self.with(|samples| samples.clone())
    }

    fn with<R>(&self, f: impl FnOnce(&mut Vec<Sample>) -> R) -> R {
        f(&mut self.samples.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// There is to be load from now on, or none any more.
    pub(super) fn load(&self, wanted: bool) {
        self.loaded.store(wanted, Ordering::Relaxed);
    }

    pub(super) fn is_loaded(&self) -> bool {
        self.loaded.load(Ordering::Relaxed)
    }

    /// Everybody is to come to an end.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}
