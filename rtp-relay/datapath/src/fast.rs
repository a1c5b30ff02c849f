//! A worker's flows in the kernel: what the relay asks for is done, what the program has done is told to the relay.

use crate::keeper::{Change, Reader};
use crate::kernel::{Kernel, way};
use crate::xdp::{InstallError, NextHopId, Roster, Routes, Tables, Totals, Way};
use relay_core::{Counters, Offload, PortRef, Relay};
use relay_values::{Duration, Time};
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// How often the stack is asked to make sure of the neighbours that flows go by: it does so by itself only for packets that
/// it sends. Half of its own time of confidence (30 s, RFC 4861 §10 REACHABLE_TIME).
pub(crate) const TOUCH: Duration = Duration::from_secs(15);

/// The kernel engine as one worker sees it.
#[derive(Debug)]
pub(crate) struct FastPath {
    tables: Arc<Tables>,
    routes: Routes,
    /// What changes without us.
    board: Reader,
    /// Interfaces that the program stands before: frames leave by these and no others.
    stands: Vec<u32>,
    roster: Roster,
    /// By [`PortRef::index`]: our address and the peer's.
    ways: Vec<Option<(IpAddr, IpAddr)>>,
    /// By our address and the peer's.
    hops: HashMap<(IpAddr, IpAddr), Hop>,
    touched: Time,
}

/// A way that flows take.
#[derive(Debug)]
struct Hop {
    id: NextHopId,
    way: Option<Way>,
    flows: u32,
}

/// Why a flow stays with the sockets.
enum Stays {
    NoWay,
    Table,
}

impl FastPath {
    pub(crate) fn new(kernel: &Kernel, ports: usize) -> io::Result<Self> {
        Ok(Self {
            tables: kernel.tables(),
            routes: Routes::new()?,
            board: kernel.board().reader(),
            stands: kernel.stands(),
            roster: Roster::new(ports),
            ways: vec![None; ports],
            hops: HashMap::new(),
            touched: Time::ZERO,
        })
    }

    /// Readable when ways may have changed.
    pub(crate) fn news(&self) -> BorrowedFd<'_> {
        self.routes.news()
    }

    /// How many flows are in the kernel.
    pub(crate) fn flows(&self) -> usize {
        self.roster.len()
    }

    /// Tell the relay what has become of the flows of a session, one of whose ports is `at`.
    pub(crate) fn absorb_session(&self, now: Time, relay: &mut Relay, at: PortRef) {
        for port in relay.carried(at).into_iter().flatten() {
            self.absorb(now, relay, port);
        }
    }

    /// The relay is about to judge who is silent: tell it what it has to know for that.
    pub(crate) fn before_timeout(&mut self, now: Time, relay: &mut Relay) {
        self.roster.tell(now, &self.tables, relay);
        while let Some(carried) = relay.poll_overdue(now) {
            for port in carried.into_iter().flatten() {
                self.absorb(now, relay, port);
            }
        }
    }

    /// What the relay has counted, and what it has not been told of yet; whether beats have changed is told it.
    pub(crate) fn counters(&mut self, now: Time, relay: &mut Relay) -> Counters {
        self.roster.tell(now, &self.tables, relay);
        let Totals { packets, bytes } = self.roster.totals(&self.tables);
        relay.counters().offloading(packets, bytes)
    }

    fn absorb(&self, now: Time, relay: &mut Relay, port: PortRef) {
        if let Some(id) = self.roster.get(port) {
            relay.absorb(now, port, &self.tables.state(id));
        }
    }

    /// Do what the relay asks for.
    pub(crate) fn obey(&mut self, now: Time, relay: &mut Relay) {
        while let Some(offload) = relay.poll_offload() {
            match offload {
                Offload::Install(flow) => {
                    let ends = relay.local(flow.at).zip(relay.local(flow.out));
                    let installed = ends.is_some_and(|(at, out)| {
                        let way = (out.ip(), flow.to.ip());
                        let install = |hop| self.tables.install(&flow, at, out, hop, 0, false);
                        let done = Self::hop(&self.routes, &self.tables, &self.stands, &mut self.hops, way)
                            .and_then(|hop| install(hop).map_err(|_: InstallError| Stays::Table));
                        match done {
                            Ok(id) => {
                                self.roster.put(&flow, id);
                                if let Some(its) = self.ways.get_mut(flow.at.index()) {
                                    *its = Some(way);
                                }
                                true
                            }
                            Err(Stays::NoWay) => false,
                            Err(Stays::Table) => {
                                self.release(way);
                                false
                            }
                        }
                    });
                    if !installed {
                        relay.declined(flow.at);
                    }
                }
                Offload::Remove { at, why: _ } => {
                    if let Some(id) = self.roster.take(at) {
                        let last = self.tables.remove(id);
                        self.roster.taken(&last);
                        relay.recalled(now, at, &last);
                        if let Some(way) = self.ways.get_mut(at.index()).and_then(Option::take) {
                            self.release(way);
                        }
                    }
                }
            }
        }
    }

    /// There may be news: look at every way again.
    pub(crate) fn look_again(&mut self) {
        if self.routes.has_changed() {
            self.every_way_again();
        }
    }

    /// The keeper may have something to say.
    pub(crate) fn heed(&mut self, now: Time, relay: &mut Relay) {
        let Some(Change { stands, given }) = self.board.read() else { return };
        for rtp in given {
            relay.give(now, rtp);
        }
        if stands != self.stands {
            self.stands = stands;
            self.every_way_again();
        }
    }

    fn every_way_again(&mut self) {
        for (&(from, to), hop) in &mut self.hops {
            let way = way(&self.routes, &self.stands, from, to);
            if way.map(|w| w.hop) != hop.way.map(|w| w.hop) {
                self.tables.set_next_hop(hop.id, way.as_ref().map(|w| &w.hop));
            }
            hop.way = way;
        }
    }

    /// Now and then, have the neighbours made sure of. When to come again.
    pub(crate) fn touch(&mut self, now: Time) -> Time {
        if self.hops.is_empty() {
            return Time::NEVER;
        }
        if self.touched + TOUCH <= now {
            self.touched = now;
            for way in self.hops.values().filter_map(|h| h.way.as_ref()) {
                // What the stack cannot be asked now, it can be next time.
                let _ = self.routes.touch(way);
            }
        }
        self.touched + TOUCH
    }

    /// A next hop for one more flow.
    fn hop(
        routes: &Routes,
        tables: &Tables,
        stands: &[u32],
        hops: &mut HashMap<(IpAddr, IpAddr), Hop>,
        (from, to): (IpAddr, IpAddr),
    ) -> Result<NextHopId, Stays> {
        if let Some(hop) = hops.get_mut(&(from, to)) {
            if hop.way.is_none() {
                return Err(Stays::NoWay);
            }
            hop.flows += 1;
            return Ok(hop.id);
        }
        let way = way(routes, stands, from, to).ok_or(Stays::NoWay)?;
        let id = tables.add_next_hop(&way.hop).ok_or(Stays::NoWay)?;
        hops.insert((from, to), Hop { id, way: Some(way), flows: 1 });
        Ok(id)
    }

    /// One flow less takes a way.
    fn release(&mut self, way: (IpAddr, IpAddr)) {
        let Some(hop) = self.hops.get_mut(&way) else { return };
        hop.flows -= 1;
        if hop.flows == 0 {
            self.tables.remove_next_hop(hop.id);
            self.hops.remove(&way);
        }
    }
}

impl Drop for FastPath {
    fn drop(&mut self) {
        for id in self.roster.drain() {
            self.tables.remove(id);
        }
    }
}
