//! Certificates that were had, and those that could not be, for a while; and who waits for one that is on its way.

use crate::limits::{STIR_CERTIFICATES, STIR_KEEP, STIR_KEEP_FAILED, STIR_WAITING};
use proxy_core::{StirTicket, VerifyReason};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;
use stir::{Case, Credential};

/// A policy by its place, and a URL.
pub(super) type Key = (usize, String);

/// A verification that waits for a certificate.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) shard: u8,
    pub(super) ticket: StirTicket,
    pub(super) office: usize,
    pub(super) case: Case,
}

#[derive(Debug)]
enum Held {
    Here(Arc<Credential>, Instant),
    Not(VerifyReason, Instant),
    Coming(Vec<Open>),
}

/// What is known of a certificate.
#[derive(Debug, Clone)]
pub(super) enum Known {
    Here(Arc<Credential>),
    Not(VerifyReason),
    Coming,
    Nothing,
}

/// Bounded in certificates, and in those who wait.
#[derive(Debug, Default)]
pub(super) struct Cache {
    held: HashMap<Key, Held>,
    waiting: usize,
}

impl Cache {
    /// `now` on the monotonic clock, `seconds` on the wall's.
    pub(super) fn look(&self, key: &Key, now: Instant, seconds: u64) -> Known {
        match self.held.get(key) {
            Some(Held::Here(credential, until)) if now < *until && credential.is_valid(seconds) => {
                Known::Here(Arc::clone(credential))
            }
            Some(Held::Not(reason, until)) if now < *until => Known::Not(*reason),
            Some(Held::Coming(_)) => Known::Coming,
            Some(Held::Here(..) | Held::Not(..)) | None => Known::Nothing,
        }
    }

    /// A fetch has begun.
    pub(super) fn is_coming(&mut self, key: Key, now: Instant) {
        self.make_room(now);
        self.held.insert(key, Held::Coming(Vec::new()));
    }

    /// Waits for it; given back where too many do.
    pub(super) fn wait(&mut self, key: &Key, open: Open) -> Result<(), Open> {
        match self.held.get_mut(key) {
            Some(Held::Coming(all)) if self.waiting < STIR_WAITING => {
                self.waiting += 1;
                all.push(open);
                Ok(())
            }
            _ => Err(open),
        }
    }

    /// It is here, or it cannot be had: whoever has waited for it goes on.
    pub(super) fn came(
        &mut self,
        key: Key,
        now: Instant,
        outcome: Result<Arc<Credential>, VerifyReason>,
    ) -> Vec<Open> {
        if !self.held.contains_key(&key) {
            self.make_room(now);
        }
        let held = match outcome {
            Ok(credential) => Held::Here(credential, now + STIR_KEEP),
            Err(reason) => Held::Not(reason, now + STIR_KEEP_FAILED),
        };
        let Some(Held::Coming(all)) = self.held.insert(key, held) else { return Vec::new() };
        self.waiting = self.waiting.saturating_sub(all.len());
        all
    }

    /// Another configuration believes others.
    pub(super) fn clear(&mut self) -> Vec<Open> {
        self.waiting = 0;
        self.held
            .drain()
            .flat_map(|(_, held)| match held {
                Held::Coming(all) => all,
                Held::Here(..) | Held::Not(..) => Vec::new(),
            })
            .collect()
    }

    /// What has to go first is what would go first anyway. What is on its way stays.
    fn make_room(&mut self, now: Instant) {
        if self.held.len() < STIR_CERTIFICATES {
            return;
        }
        let until = |held: &Held| match held {
            Held::Here(_, until) | Held::Not(_, until) => Some(*until),
            Held::Coming(_) => None,
        };
        self.held.retain(|_, held| until(held).is_none_or(|until| now < until));
        if self.held.len() >= STIR_CERTIFICATES {
            let ends = |(key, held): (&Key, &Held)| until(held).map(|until| (until, key.clone()));
            if let Some((_, first)) = self.held.iter().filter_map(ends).min() {
                self.held.remove(&first);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cache, Known};
    use crate::limits::{STIR_CERTIFICATES, STIR_KEEP_FAILED};
    use proxy_core::VerifyReason;
    use std::time::{Duration, Instant};

    #[test]
    fn what_could_not_be_had_is_not_asked_for_again_for_a_while() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        let key = (0, "https://x/".to_owned());
        assert!(matches!(cache.look(&key, now, 0), Known::Nothing));
        cache.is_coming(key.clone(), now);
        assert!(matches!(cache.look(&key, now, 0), Known::Coming));
        cache.came(key.clone(), now, Err(VerifyReason::Unreachable));
        assert!(matches!(cache.look(&key, now, 0), Known::Not(VerifyReason::Unreachable)));
        assert!(matches!(cache.look(&key, now + STIR_KEEP_FAILED, 0), Known::Nothing));
    }

    #[test]
    fn urls_without_end_take_no_more_room_than_there_is() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        for n in 0..2 * STIR_CERTIFICATES {
            let at = now + Duration::from_micros(n as u64);
            cache.came((0, format!("https://x/{n}")), at, Err(VerifyReason::Unreachable));
        }
        assert!(cache.held.len() <= STIR_CERTIFICATES);
        let last = (0, format!("https://x/{}", 2 * STIR_CERTIFICATES - 1));
        assert!(matches!(cache.look(&last, now, 0), Known::Not(_)), "the oldest go first");
    }
}
