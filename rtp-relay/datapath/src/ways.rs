//! The ways that a worker's flows take: one question to the kernel for a peer, one entry of the table for a neighbour.
//!
//! ```text
//!   (our address, peer) ──▶ way ──▶ by whom: neighbour and interface ──▶ next hop in the table
//!        100,000                       the gateway                          its entry
//! ```
//!
//! A way is known from its first flow on, and for a while after its last. Questions are bounded in every turn of the worker:
//! a burst of new peers, or a change of routes under many, costs media no time; who has to wait is carried by the sockets.

use crate::xdp::{NextHop, NextHopId, Routes, Tables, Via};
use relay_values::{Duration, Time};
use slab::Slab;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// How often the stack is asked to make sure of the neighbours that flows go by: it does so by itself only for packets that
/// it sends. Half of its own time of confidence (30 s, RFC 4861 §10 REACHABLE_TIME).
pub(crate) const TOUCH: Duration = Duration::from_secs(15);

/// Questions to the kernel in one turn of the worker. Each is two system calls, some 5 µs: a turn is held up by a fifth of a
/// millisecond at most. At a thousand turns a second 32,000 new peers a second find their way.
const QUESTIONS_PER_TURN: u32 = 32;

/// Neighbours that are made sure of in one turn, by one system call each.
const TOUCHES_PER_TURN: u32 = 64;

/// Ways that are known, the idle ones with them: 65,536 of some 150 bytes are 10 MB.
const WAYS: usize = 1 << 16;

/// Why a flow has no way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoWay {
    /// There is none, or it leaves by an interface that the program does not stand before, or its neighbour is not there.
    Unknown,
    /// The kernel has not been asked yet.
    Unasked,
    /// There are too many.
    Full,
}

/// A way, for as long as flows take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WayId(u32);

/// All of them.
#[derive(Debug)]
pub(crate) struct Ways {
    tables: Arc<Tables>,
    routes: Routes,
    /// Interfaces that the program stands before: frames leave by these and no others.
    stands: Vec<u32>,
    names: HashMap<Ends, u32>,
    ways: Slab<Way>,
    hops: Slab<Hop>,
    hop_of: HashMap<Via, usize>,
    /// Ways that no flow takes, or that none took for a while.
    idle: VecDeque<u32>,
    /// Ways of which the kernel has to be asked again.
    doubted: VecDeque<u32>,
    /// Neighbours of which it has to be.
    missed: VecDeque<usize>,
    /// Questions that may still be asked in this turn.
    questions: u32,
    /// A way that flows take goes by another neighbour than when they were last looked at.
    moved: bool,
    /// When the neighbours were made sure of, and how far that has come.
    touched: Time,
    touching: usize,
}

/// Our address and the peer's.
type Ends = (IpAddr, IpAddr);

#[derive(Debug)]
struct Way {
    ends: Ends,
    /// Its place in `hops`, where there is a way.
    hop: Option<usize>,
    flows: u32,
    /// It is in `idle`.
    is_idle: bool,
    /// It is in `doubted`.
    is_doubted: bool,
}

#[derive(Debug)]
struct Hop {
    via: Via,
    id: NextHopId,
    is: Option<NextHop>,
    ways: u32,
    /// It is in `missed`.
    is_missed: bool,
}

impl Ways {
    pub(crate) fn new(tables: Arc<Tables>, stands: Vec<u32>) -> io::Result<Self> {
        Ok(Self {
            tables,
            routes: Routes::new()?,
            stands,
            names: HashMap::new(),
            ways: Slab::new(),
            hops: Slab::new(),
            hop_of: HashMap::new(),
            idle: VecDeque::new(),
            doubted: VecDeque::new(),
            missed: VecDeque::new(),
            questions: QUESTIONS_PER_TURN,
            moved: false,
            touched: Time::ZERO,
            touching: 0,
        })
    }

    /// Readable when ways may have changed.
    pub(crate) fn news(&self) -> BorrowedFd<'_> {
        self.routes.news()
    }

    /// A way for one more flow.
    pub(crate) fn take(&mut self, ends: Ends) -> Result<(WayId, NextHopId), NoWay> {
        let name = match self.names.get(&ends) {
            Some(name) => *name,
            None => self.know(ends)?,
        };
        if self.ways.get(name as usize).is_some_and(|way| way.is_doubted) && !self.ask(name) {
            return Err(NoWay::Unasked);
        }
        let way = self.ways.get_mut(name as usize).ok_or(NoWay::Unknown)?;
        let hop = way.hop.and_then(|hop| self.hops.get(hop)).ok_or(NoWay::Unknown)?;
        if hop.is.is_none() {
            return Err(NoWay::Unknown);
        }
        way.flows += 1;
        Ok((WayId(name), hop.id))
    }

    /// One flow less takes a way.
    pub(crate) fn leave(&mut self, WayId(name): WayId) {
        let Some(way) = self.ways.get_mut(name as usize) else { return };
        way.flows = way.flows.saturating_sub(1);
        if way.flows == 0 && !way.is_idle {
            way.is_idle = true;
            self.idle.push_back(name);
        }
    }

    /// By which entry of the table the flows of a way go; `None`: by none at present.
    pub(crate) fn hop(&self, WayId(name): WayId) -> Option<NextHopId> {
        let hop = self.ways.get(name as usize)?.hop?;
        self.hops.get(hop).map(|hop| hop.id)
    }

    /// There may be news: what may be otherwise is doubted from now on.
    pub(crate) fn look_again(&mut self) {
        let news = self.routes.changes();
        for via in &news.neighbours {
            if let Some(&hop) = self.hop_of.get(via) {
                self.miss(hop);
            }
        }
        if news.everything {
            self.doubt_all();
        }
    }

    /// The program stands before these interfaces from now on.
    pub(crate) fn stand(&mut self, stands: Vec<u32>) {
        if stands != self.stands {
            self.stands = stands;
            self.doubt_all();
        }
    }

    fn doubt_all(&mut self) {
        for hop in self.hops.iter().map(|(hop, _)| hop).collect::<Vec<_>>() {
            self.miss(hop);
        }
        for (name, way) in &mut self.ways {
            if !std::mem::replace(&mut way.is_doubted, true) {
                self.doubted.push_back(name as u32);
            }
        }
    }

    /// A turn of the worker: ask what has to be asked, as much as may be.
    pub(crate) fn turn(&mut self) {
        self.questions = QUESTIONS_PER_TURN;
        while self.questions > 0
            && let Some(hop) = self.missed.pop_front()
        {
            self.find(hop);
        }
        while self.questions > 0
            && let Some(name) = self.doubted.pop_front()
        {
            // Who takes an idle one next may ask himself.
            if self.ways.get(name as usize).is_some_and(|way| way.is_doubted && way.flows > 0) {
                self.ask(name);
            }
        }
    }

    /// Whether flows have to be led to another entry of the table, where [`hop`](Self::hop) says. Before anything else is
    /// asked for: entries that nobody needs are given to others.
    pub(crate) fn has_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// When the next turn is to be, if nothing else happens. Now and then the neighbours are made sure of.
    pub(crate) fn next(&mut self, now: Time) -> Time {
        if !self.missed.is_empty() || !self.doubted.is_empty() {
            return now;
        }
        if self.hops.is_empty() {
            return Time::NEVER;
        }
        if self.touched + TOUCH <= now {
            let mut left = TOUCHES_PER_TURN;
            for (place, hop) in self.hops.iter().skip_while(|(place, _)| *place < self.touching) {
                if left == 0 {
                    self.touching = place;
                    return now;
                }
                left -= 1;
                // What the stack cannot be asked now, it can be next time.
                let _ = self.routes.make_sure(&hop.via);
            }
            (self.touched, self.touching) = (now, 0);
        }
        self.touched + TOUCH
    }

    /// Get to know a new way.
    fn know(&mut self, ends: Ends) -> Result<u32, NoWay> {
        if self.questions == 0 {
            return Err(NoWay::Unasked);
        }
        while self.ways.len() >= WAYS {
            let name = self.idle.pop_front().ok_or(NoWay::Full)?;
            if let Some(way) = self.ways.get_mut(name as usize) {
                way.is_idle = false;
                if way.flows == 0 {
                    self.forget(name);
                }
            }
        }
        let way = Way { ends, hop: None, flows: 0, is_idle: true, is_doubted: true };
        let name = self.ways.insert(way) as u32;
        self.names.insert(ends, name);
        self.idle.push_back(name);
        Ok(name)
    }

    fn forget(&mut self, name: u32) {
        let Some(way) = self.ways.try_remove(name as usize) else { return };
        self.names.remove(&way.ends);
        if let Some(hop) = way.hop {
            self.part(hop);
        }
    }

    /// Ask by whom a way goes. Whether that could be done in this turn.
    fn ask(&mut self, name: u32) -> bool {
        let Some(way) = self.ways.get_mut(name as usize) else { return false };
        if self.questions == 0 {
            return false;
        }
        self.questions -= 1;
        way.is_doubted = false;
        let ((from, to), before) = (way.ends, way.hop);
        // An error of the kernel's is no way either.
        let via = self.routes.via(from, to).ok().flatten();
        let hop = via.and_then(|via| self.join(via));
        if let Some(before) = before {
            self.part(before);
        }
        if let Some(way) = self.ways.get_mut(name as usize) {
            way.hop = hop;
            self.moved |= way.flows > 0 && hop != before;
        }
        true
    }

    /// One way more goes by a neighbour.
    fn join(&mut self, via: Via) -> Option<usize> {
        if let Some(&place) = self.hop_of.get(&via) {
            self.hops.get_mut(place)?.ways += 1;
            return Some(place);
        }
        let id = self.tables.reserve_next_hop()?;
        let place = self.hops.insert(Hop { via, id, is: None, ways: 1, is_missed: false });
        self.hop_of.insert(via, place);
        self.find(place);
        Some(place)
    }

    /// One way less does.
    fn part(&mut self, place: usize) {
        let Some(hop) = self.hops.get_mut(place) else { return };
        hop.ways -= 1;
        if hop.ways == 0 {
            let Hop { via, id, .. } = self.hops.remove(place);
            self.hop_of.remove(&via);
            self.tables.remove_next_hop(id);
        }
    }

    fn miss(&mut self, place: usize) {
        if let Some(hop) = self.hops.get_mut(place)
            && !std::mem::replace(&mut hop.is_missed, true)
        {
            self.missed.push_back(place);
        }
    }

    /// Ask where a neighbour is.
    fn find(&mut self, place: usize) {
        let Some(hop) = self.hops.get_mut(place) else { return };
        self.questions = self.questions.saturating_sub(1);
        hop.is_missed = false;
        let found = self.routes.next_hop(&hop.via).ok().flatten();
        let found = found.filter(|hop| self.stands.contains(&hop.ifindex));
        if found != hop.is {
            self.tables.set_next_hop(hop.id, found.as_ref());
            hop.is = found;
        }
    }
}

impl Drop for Ways {
    fn drop(&mut self) {
        for (_, hop) in &self.hops {
            self.tables.remove_next_hop(hop.id);
        }
    }
}

#[cfg(test)]
mod tests;
