//! Who is met with silence: strangers by what they have tried, with decay.
//!
//! Each request of a stranger counts against it and is forgotten by halves. From a limit on it is a scanner: nothing of it is
//! answered, however it asks, until enough is forgotten.

use super::sources::{Remembered, Sources};
use crate::ScannerPolicy;
use crate::limits::SCANNER_SETS;
use relay_values::{Duration, Time};
use std::net::IpAddr;

/// What one request counts, in parts: halves of halves are still something.
const STRIKE: u64 = 256;

/// A scanner that goes on is not remembered for more half-lives than this after its last packet.
const LONGEST: u32 = 6;

/// Half-lives for which a program that is known for scanning is on the list.
const BY_NAME: u32 = 3;

/// A scanner, as operators see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScannerView {
    /// Its address; of an IPv6 address the network of 64 bits.
    pub address: IpAddr,
    /// Known by its User-Agent; otherwise by what it has tried.
    pub by_name: bool,
    /// What it has sent since `first`.
    pub messages: u64,
    /// When it was first seen.
    pub first: Time,
    /// When it was last seen.
    pub last: Time,
    /// When it will be off the list, if it is not seen again.
    pub until: Time,
}

#[derive(Debug, Default)]
struct Suspect {
    /// What counts against it, as of `counted`.
    score: u64,
    counted: Time,
    first: Time,
    last: Time,
    messages: u64,
    by_name: bool,
}

impl Remembered for Suspect {
    fn weight(&self) -> u64 {
        self.score
    }
}

/// Strangers of one shard's sockets.
#[derive(Debug)]
pub(super) struct Scanners(Sources<Suspect>);

/// What a stranger has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strike {
    /// Tried what it may not.
    Request,
    /// The same, with a program that is known for nothing else.
    Tool,
}

impl Scanners {
    pub(super) fn new(seed: u64) -> Self {
        Self(Sources::new(SCANNER_SETS, seed))
    }

    /// Whether it is on the list.
    pub(super) fn has(&mut self, now: Time, ip: IpAddr, policy: &ScannerPolicy) -> bool {
        self.0.find(ip).is_some_and(|suspect| {
            suspect.forget(now, policy);
            suspect.score >= limit(policy)
        })
    }

    /// Counts something against it.
    pub(super) fn strike(&mut self, now: Time, ip: IpAddr, strike: Strike, policy: &ScannerPolicy) {
        let Some(suspect) = self.0.enter(ip) else { return };
        suspect.forget(now, policy);
        let limit = limit(policy);
        suspect.score = match strike {
            Strike::Request => (suspect.score + STRIKE).min(limit << LONGEST),
            Strike::Tool => suspect.score.max(limit << BY_NAME),
        };
        suspect.by_name |= strike == Strike::Tool;
        suspect.messages += 1;
        suspect.last = now;
    }

    /// The list.
    pub(super) fn list(&self, now: Time, policy: &ScannerPolicy) -> Vec<ScannerView> {
        let limit = limit(policy);
        let view = |(address, suspect): (IpAddr, &Suspect)| {
            let until = suspect.until(limit, policy.half_life);
            (suspect.score >= limit && until > now).then_some(ScannerView {
                address,
                by_name: suspect.by_name,
                messages: suspect.messages,
                first: suspect.first,
                last: suspect.last,
                until,
            })
        };
        self.0.iter().filter_map(view).collect()
    }

    /// Forgets everybody.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Suspect {
    /// Halves what is counted, once for each half-life that has passed.
    fn forget(&mut self, now: Time, policy: &ScannerPolicy) {
        if self.messages == 0 {
            (self.first, self.counted) = (now, now);
        }
        let half_life = policy.half_life.as_nanos().max(1);
        let halves = u32::try_from(now.since(self.counted).as_nanos() / half_life).unwrap_or(u32::MAX);
        if halves > 0 {
            self.score = self.score.checked_shr(halves).unwrap_or(0);
            self.counted += policy.half_life.saturating_mul(halves);
        }
    }

    /// When it will be below the limit.
    fn until(&self, limit: u64, half_life: Duration) -> Time {
        let halves = (0..u64::BITS).find(|n| self.score >> n < limit).unwrap_or(u64::BITS);
        self.counted + half_life.saturating_mul(halves)
    }
}

fn limit(policy: &ScannerPolicy) -> u64 {
    u64::from(policy.strikes.max(1)) * STRIKE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_millis(1_000 * seconds)
    }

    fn ip() -> IpAddr {
        "203.0.113.9".parse().unwrap()
    }

    #[test]
    fn ten_tries_are_one_too_many_and_after_a_half_life_it_may_try_again() {
        let (mut scanners, policy) = (Scanners::new(1), ScannerPolicy::default());
        for n in 0..10 {
            assert!(!scanners.has(at(n), ip(), &policy), "{n}");
            scanners.strike(at(n), ip(), Strike::Request, &policy);
        }
        assert!(scanners.has(at(9), ip(), &policy));
        let list = scanners.list(at(9), &policy);
        assert_eq!(list.len(), 1);
        let view = list[0];
        assert_eq!((view.messages, view.first, view.last, view.by_name), (10, at(0), at(9), false));
        assert!(scanners.has(Time::from_nanos(view.until.as_nanos() - 1), ip(), &policy));
        assert!(!scanners.has(view.until, ip(), &policy));
        assert_eq!(scanners.list(view.until, &policy), vec![]);
    }

    #[test]
    fn who_goes_on_stays_on_the_list_and_is_forgotten_six_half_lives_later() {
        let (mut scanners, policy) = (Scanners::new(1), ScannerPolicy::default());
        for n in 0..1_000_000_u64 {
            scanners.strike(Time::from_millis(n), ip(), Strike::Request, &policy);
        }
        assert!(scanners.has(at(1_000 + 5 * 60), ip(), &policy));
        assert!(!scanners.has(at(1_000 + 7 * 60), ip(), &policy));
    }

    #[test]
    fn a_known_tool_is_on_the_list_at_once() {
        let (mut scanners, policy) = (Scanners::new(1), ScannerPolicy::default());
        scanners.strike(at(0), ip(), Strike::Tool, &policy);
        assert!(scanners.has(at(0), ip(), &policy));
        assert!(scanners.list(at(0), &policy)[0].by_name);
        assert!(!scanners.has(at(300), ip(), &policy));
    }

    #[test]
    fn a_wrong_number_now_and_then_is_no_scan() {
        let (mut scanners, policy) = (Scanners::new(1), ScannerPolicy::default());
        for n in 0..100 {
            scanners.strike(at(15 * n), ip(), Strike::Request, &policy);
            assert!(!scanners.has(at(15 * n), ip(), &policy), "{n}");
        }
    }

    #[test]
    fn who_is_pardoned_begins_anew() {
        let (mut scanners, policy) = (Scanners::new(1), ScannerPolicy::default());
        scanners.strike(at(0), ip(), Strike::Tool, &policy);
        scanners.clear();
        assert!(!scanners.has(at(0), ip(), &policy));
        assert!(scanners.list(at(0), &policy).is_empty());
    }
}
