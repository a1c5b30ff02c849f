//! The pool of port pairs.
//!
//! ```text
//!          take            bound                release         rest is over
//!  Fresh ───────▶ Binding ───────▶ (taken) ────────────▶ Resting ───────────▶ Ready ──▶ (taken)
//!    ▲               │ refused                                                  │ unused for long
//!    └──── Failed ◀──┘                                                          ▼
//!    ▲   a minute                                                             Fresh
//!    │ rest is over          given
//!    └───────────── Returning ◀───── Withheld: others' streams of an earlier run go by it
//! ```
//!
//! Pairs with open sockets are taken first, so a steady load makes no system call; among them, and among the fresh
//! ones, the longest unused goes first, so a port comes back as late as it can.

use crate::RelayConfig;
use crate::counters::PortCounts;
use crate::limits::FAILED_REST;
use crate::random::SplitMix;
use relay_values::{Duration, OpenFailure, Time};
use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

/// Names one local port (address and number) of a relay: an index into dense tables, from 0 to
/// [`Relay::ports`](crate::Relay::ports).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortRef(u32);

impl PortRef {
    /// The port with an index.
    pub const fn new(index: u32) -> Self {
        Self(index)
    }

    /// Its index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A pair of ports: RTP on the even one, RTCP on the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortPair {
    /// The RTP port.
    pub rtp: PortRef,
    /// The RTCP port.
    pub rtcp: PortRef,
    /// Address and number of the RTP port.
    pub rtp_addr: SocketAddr,
    /// Address and number of the RTCP port.
    pub rtcp_addr: SocketAddr,
}

/// What the shell is to do about sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortRequest {
    /// Bind both, or none, and say which by [`Relay::bound`](crate::Relay::bound).
    Bind(PortPair),
    /// Close both.
    Close(PortPair),
}

/// The index of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair(u32);

impl Pair {
    /// The pair of which `port` is the RTP port.
    pub(crate) fn of_rtp(port: PortRef) -> Option<Self> {
        port.0.is_multiple_of(2).then_some(Self(port.0 / 2))
    }

    pub(crate) fn index(self) -> u32 {
        self.0
    }

    pub(crate) fn rtp(self) -> PortRef {
        PortRef(self.0 * 2)
    }

    pub(crate) fn rtcp(self) -> PortRef {
        PortRef(self.0 * 2 + 1)
    }
}

/// A pair for a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Its sockets are open.
    Ready(Pair),
    /// They have to be bound first.
    Fresh(Pair),
}

/// The pairs of all addresses.
#[derive(Debug)]
pub(crate) struct PortPool {
    addresses: Vec<AddressPool>,
    pairs_per_address: u32,
    first_port: u16,
    rest: Duration,
    idle: Duration,
    open: usize,
    max_open: usize,
}

#[derive(Debug)]
struct AddressPool {
    ip: IpAddr,
    fresh: VecDeque<Pair>,
    /// With the time since when each is ready, oldest first.
    ready: VecDeque<(Time, Pair)>,
    /// With the time when its rest is over, soonest first: the rest is the same for all.
    resting: VecDeque<(Time, Pair)>,
    /// With the time until which it is left alone, soonest first.
    failed: VecDeque<(Time, Pair)>,
    /// Held by others.
    withheld: BTreeSet<u32>,
    /// Given by others, with the time when its rest is over, soonest first. It has no sockets, as those that rest have.
    returning: VecDeque<(Time, Pair)>,
}

impl PortPool {
    pub(crate) fn new(config: &RelayConfig, seed: u64) -> Self {
        let pairs = u32::try_from(config.pairs_per_address()).unwrap_or(0);
        let mut random = SplitMix::new(seed);
        let held: BTreeSet<SocketAddr> = config.withheld.iter().copied().collect();
        let addresses = (0..)
            .zip(&config.addresses)
            .map(|(i, &ip)| {
                let number = |p: &u32| u16::try_from(u32::from(config.first_port()) + p * 2).ok();
                let is_withheld =
                    |p: &u32| number(p).is_some_and(|port| held.contains(&SocketAddr::new(ip, port)));
                let (withheld, free): (Vec<u32>, Vec<u32>) = (0..pairs).partition(is_withheld);
                let mut fresh: Vec<Pair> = free.into_iter().map(|p| Pair(i * pairs + p)).collect();
                // An order that outsiders do not know makes it harder to aim at the next call's ports (RFC 6056 §1).
                for at in (1..fresh.len()).rev() {
                    fresh.swap(at, random.below(at + 1));
                }
                AddressPool {
                    ip,
                    fresh: fresh.into(),
                    ready: VecDeque::new(),
                    resting: VecDeque::new(),
                    failed: VecDeque::new(),
                    withheld: withheld.into_iter().map(|p| i * pairs + p).collect(),
                    returning: VecDeque::new(),
                }
            })
            .collect();
        Self {
            addresses,
            pairs_per_address: pairs,
            first_port: config.first_port(),
            rest: config.rest,
            idle: config.idle,
            open: 0,
            max_open: config.max_open_pairs,
        }
    }

    /// Ports of all addresses: one more than the highest index of a [`PortRef`].
    pub(crate) fn ports(&self) -> usize {
        self.addresses.len() * self.pairs_per_address as usize * 2
    }

    /// Take a pair on `ip`.
    pub(crate) fn take(&mut self, now: Time, ip: IpAddr) -> Result<Taken, OpenFailure> {
        let pool = self.addresses.iter_mut().find(|p| p.ip == ip).ok_or(OpenFailure::NoSuchAddress)?;
        pool.settle(now);
        if let Some((_, pair)) = pool.ready.pop_front() {
            return Ok(Taken::Ready(pair));
        }
        if pool.fresh.is_empty() {
            return Err(OpenFailure::PortsExhausted);
        }
        if self.open >= self.max_open {
            // There are ports, but no descriptors for them.
            return Err(OpenFailure::Socket);
        }
        let pair = pool.fresh.pop_front().ok_or(OpenFailure::PortsExhausted)?;
        self.open += 1;
        Ok(Taken::Fresh(pair))
    }

    /// Binding a fresh pair failed: leave it alone for a while.
    pub(crate) fn fail(&mut self, now: Time, pair: Pair) {
        self.open = self.open.saturating_sub(1);
        if let Some(pool) = self.address_of(pair) {
            pool.failed.push_back((now + FAILED_REST, pair));
        }
    }

    /// A pair was bound, but nobody wants it any more: it has seen no packet and need not rest.
    pub(crate) fn give_back(&mut self, now: Time, pair: Pair) {
        if let Some(pool) = self.address_of(pair) {
            pool.ready.push_back((now, pair));
        }
    }

    /// A leg is done with its pair.
    pub(crate) fn release(&mut self, now: Time, pair: Pair) {
        let until = now + self.rest;
        if let Some(pool) = self.address_of(pair) {
            pool.resting.push_back((until, pair));
        }
    }

    /// The others are done with a pair that was withheld, by its RTP port.
    pub(crate) fn give(&mut self, now: Time, rtp: SocketAddr) {
        let until = now + self.rest;
        let Some((i, pool)) = (0..).zip(&mut self.addresses).find(|(_, p)| p.ip == rtp.ip()) else { return };
        let Some(offset) = rtp.port().checked_sub(self.first_port) else { return };
        let pair = i * self.pairs_per_address + u32::from(offset) / 2;
        if pool.withheld.remove(&pair) {
            pool.returning.push_back((until, Pair(pair)));
        }
    }

    /// One pair that has been unused for long, if there is one. It is fresh again.
    pub(crate) fn close_idle(&mut self, now: Time) -> Option<Pair> {
        for pool in &mut self.addresses {
            pool.settle(now);
            if let Some(&(since, pair)) = pool.ready.front()
                && since + self.idle <= now
            {
                pool.ready.pop_front();
                pool.fresh.push_back(pair);
                self.open = self.open.saturating_sub(1);
                return Some(pair);
            }
        }
        None
    }

    /// When [`close_idle`](Self::close_idle) may find something.
    pub(crate) fn next(&self) -> Time {
        let first = |q: &VecDeque<(Time, Pair)>| q.front().map_or(Time::NEVER, |(t, _)| *t + self.idle);
        self.addresses.iter().map(|p| first(&p.ready).min(first(&p.resting))).min().unwrap_or(Time::NEVER)
    }

    pub(crate) fn counts(&self) -> PortCounts {
        let mut counts = PortCounts { open: self.open as u64, ..PortCounts::default() };
        for pool in &self.addresses {
            counts.resting += (pool.resting.len() + pool.returning.len()) as u64;
            counts.withheld += pool.withheld.len() as u64;
            counts.free += (pool.ready.len() + pool.fresh.len()) as u64;
            counts.failed += pool.failed.len() as u64;
        }
        let all = self.ports() as u64 / 2;
        let PortCounts { resting, free, failed, withheld, .. } = counts;
        counts.taken = all.saturating_sub(resting + free + failed + withheld);
        counts
    }

    /// The pair as the shell knows it.
    pub(crate) fn describe(&self, pair: Pair) -> Option<PortPair> {
        let (rtp_addr, rtcp_addr) = (self.local(pair.rtp())?, self.local(pair.rtcp())?);
        Some(PortPair { rtp: pair.rtp(), rtcp: pair.rtcp(), rtp_addr, rtcp_addr })
    }

    /// Address and number of a port.
    pub(crate) fn local(&self, port: PortRef) -> Option<SocketAddr> {
        let per_address = self.pairs_per_address.checked_mul(2)?;
        let pool = self.addresses.get(port.0.checked_div(per_address)? as usize)?;
        let number = u32::from(self.first_port) + port.0 % per_address;
        Some(SocketAddr::new(pool.ip, u16::try_from(number).ok()?))
    }

    fn address_of(&mut self, pair: Pair) -> Option<&mut AddressPool> {
        let i = pair.0.checked_div(self.pairs_per_address)?;
        self.addresses.get_mut(i as usize)
    }
}

impl AddressPool {
    /// Move what has waited long enough.
    fn settle(&mut self, now: Time) {
        while let Some(due) = self.resting.pop_front_if(|(until, _)| *until <= now) {
            self.ready.push_back(due);
        }
        for waiting in [&mut self.failed, &mut self.returning] {
            while let Some((_, pair)) = waiting.pop_front_if(|(until, _)| *until <= now) {
                self.fresh.push_back(pair);
            }
        }
    }
}
