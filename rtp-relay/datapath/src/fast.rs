//! A worker's flows in the kernel: what the relay asks for is done, what the program has done is told to the relay.

use crate::keeper::{Change, Reader};
use crate::kernel::Kernel;
use crate::ways::{NoWay, WayId, Ways};
use crate::xdp::{InstallError, NextHopId, Roster, SlotChoice, Tables, Totals};
use relay_core::{Counters, Flow, Offload, PortRef, Relay};
use relay_values::{RegionId, RelayCommand, SessionId, Time};
use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// The kernel engine as one worker sees it.
#[derive(Debug)]
pub(crate) struct FastPath {
    tables: Arc<Tables>,
    ways: Ways,
    /// What changes without us.
    board: Reader,
    roster: Roster,
    /// Of every flow in the roster, by [`PortRef::index`].
    taken: Vec<Option<Taken>>,
    slots: Vec<Slot>,
    counts: FastCounts,
}

/// What a flow takes beside its entry.
#[derive(Debug, Clone, Copy)]
struct Taken {
    way: WayId,
    region: Option<RegionId>,
}

/// The flows of a region stand in a slot of their own, and are switched by one store.
#[derive(Debug)]
struct Slot {
    region: RegionId,
    slot: u8,
    flows: u32,
    is_shut: bool,
}

/// What a worker's fast path has done and declined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FastCounts {
    /// Flows that have gone to the kernel.
    pub installed: u64,
    /// Flows that were changed there.
    pub changed: u64,
    /// Flows that could not go, by [`Declined::ALL`].
    pub declined: [u64; Declined::ALL.len()],
}

/// Why a flow that the relay would let go to the kernel stays with the sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Declined {
    /// There is no way to the receiver by an interface that the program stands before, or the neighbour is not there.
    NoWay,
    /// The way has not been asked for yet: there are too many new ones at once.
    Unasked,
    /// There are too many ways, or next hops.
    Ways,
    /// The flow table is full.
    Full,
    /// There are more regions than slots.
    Slots,
    /// Its address or its clock rate is none that the program knows.
    Unknown,
}

impl Declined {
    /// Every reason, in order of its number.
    pub const ALL: [Self; 6] =
        [Self::NoWay, Self::Unasked, Self::Ways, Self::Full, Self::Slots, Self::Unknown];

    /// A short name for logs and metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoWay => "no_way",
            Self::Unasked => "unasked",
            Self::Ways => "ways",
            Self::Full => "full",
            Self::Slots => "slots",
            Self::Unknown => "unknown",
        }
    }
}

impl From<NoWay> for Declined {
    fn from(why: NoWay) -> Self {
        match why {
            NoWay::Unknown => Self::NoWay,
            NoWay::Unasked => Self::Unasked,
            NoWay::Full => Self::Ways,
        }
    }
}

impl From<InstallError> for Declined {
    fn from(why: InstallError) -> Self {
        match why {
            InstallError::Full => Self::Full,
            InstallError::Local | InstallError::ClockRate => Self::Unknown,
            InstallError::Slot => Self::Slots,
        }
    }
}

impl FastCounts {
    /// Add another worker's counts to these.
    pub(crate) fn add(&mut self, other: &Self) {
        self.installed += other.installed;
        self.changed += other.changed;
        for (sum, n) in self.declined.iter_mut().zip(other.declined) {
            *sum += n;
        }
    }
}

impl FastPath {
    pub(crate) fn new(kernel: &Kernel, ports: usize) -> io::Result<Self> {
        Ok(Self {
            ways: Ways::new(kernel.tables(), kernel.stands())?,
            tables: kernel.tables(),
            board: kernel.board().reader(),
            roster: Roster::new(ports),
            taken: vec![None; ports],
            slots: Vec::new(),
            counts: FastCounts::default(),
        })
    }

    /// Readable when ways may have changed.
    pub(crate) fn news(&self) -> BorrowedFd<'_> {
        self.ways.news()
    }

    /// How many flows are in the kernel.
    pub(crate) fn flows(&self) -> usize {
        self.roster.len()
    }

    /// What was done and declined.
    pub(crate) fn counts(&self) -> FastCounts {
        self.counts
    }

    /// Tell the relay what has become of the flows of a session, one of whose ports is `at`.
    pub(crate) fn absorb_session(&self, now: Time, relay: &mut Relay, at: PortRef) {
        self.absorb(now, relay, relay.carried(at));
    }

    /// The same of a session by its name.
    pub(crate) fn absorb_carried(&self, now: Time, relay: &mut Relay, session: SessionId) {
        self.absorb(now, relay, relay.carried_in(session));
    }

    /// A command is about to be given to the relay: take back what it is about, and tell what has become of the rest.
    pub(crate) fn before_command(&mut self, now: Time, relay: &mut Relay, command: &RelayCommand) {
        relay.recall(command);
        self.obey(now, relay);
        self.absorb(now, relay, relay.carried_of(command));
    }

    /// The relay is about to judge who is silent: tell it what it has to know for that.
    pub(crate) fn before_timeout(&mut self, now: Time, relay: &mut Relay) {
        self.roster.tell(now, &self.tables, relay);
        while let Some(carried) = relay.poll_overdue(now) {
            self.absorb(now, relay, carried);
        }
    }

    /// What the relay has counted, and what it has not been told of yet; whether beats have changed is told it.
    pub(crate) fn counters(&mut self, now: Time, relay: &mut Relay) -> Counters {
        self.roster.tell(now, &self.tables, relay);
        let Totals { packets, bytes } = self.roster.totals(&self.tables);
        relay.counters().offloading(packets, bytes)
    }

    fn absorb(&self, now: Time, relay: &mut Relay, ports: [Option<PortRef>; 2]) {
        for port in ports.into_iter().flatten() {
            if let Some(id) = self.roster.get(port) {
                relay.absorb(now, port, &self.tables.state(id));
            }
        }
    }

    /// Do what the relay asks for.
    pub(crate) fn obey(&mut self, now: Time, relay: &mut Relay) {
        while let Some(offload) = relay.poll_offload() {
            match offload {
                Offload::Install(flow) => match self.install(relay, &flow) {
                    Ok(()) => self.counts.installed += 1,
                    Err(why) => {
                        self.decline(why);
                        relay.declined(flow.at);
                    }
                },
                Offload::Change(flow) => match self.change(now, relay, &flow) {
                    Ok(()) => self.counts.changed += 1,
                    Err(why) => {
                        self.decline(why);
                        self.remove(now, relay, flow.at);
                    }
                },
                Offload::Shut(region) => self.switch(region, true),
                Offload::Open(region) => self.switch(region, false),
                Offload::Remove { at, why: _ } => self.remove(now, relay, at),
            }
        }
    }

    fn decline(&mut self, why: Declined) {
        if let Some(n) = self.counts.declined.get_mut(why as usize) {
            *n += 1;
        }
    }

    fn install(&mut self, relay: &Relay, flow: &Flow) -> Result<(), Declined> {
        let at = relay.local(flow.at).ok_or(Declined::Unknown)?;
        let out = relay.local(flow.out).ok_or(Declined::Unknown)?;
        let (taken, hop, slot) = self.take(flow, out)?;
        match self.tables.install(flow, at, out, hop, slot, false) {
            Ok(id) => {
                self.roster.put(flow, id);
                if let Some(its) = self.taken.get_mut(flow.at.index()) {
                    *its = Some(taken);
                }
                Ok(())
            }
            Err(why) => {
                self.leave(taken);
                Err(why.into())
            }
        }
    }

    fn change(&mut self, now: Time, relay: &mut Relay, flow: &Flow) -> Result<(), Declined> {
        let out = relay.local(flow.out).ok_or(Declined::Unknown)?;
        let (taken, hop, slot) = self.take(flow, out)?;
        let replaced = self.roster.change(flow, |id| self.tables.replace(id, flow, out, hop, slot));
        match replaced.unwrap_or(Err(InstallError::Full)) {
            Ok(until) => {
                self.roster.taken(&until);
                relay.changed(now, flow, &until);
                let before = self.taken.get_mut(flow.at.index()).and_then(|its| its.replace(taken));
                before.into_iter().for_each(|before| self.leave(before));
                Ok(())
            }
            Err(why) => {
                self.leave(taken);
                Err(why.into())
            }
        }
    }

    fn remove(&mut self, now: Time, relay: &mut Relay, at: PortRef) {
        let Some(id) = self.roster.take(at) else { return };
        let last = self.tables.remove(id);
        self.roster.taken(&last);
        relay.recalled(now, at, &last);
        if let Some(taken) = self.taken.get_mut(at.index()).and_then(Option::take) {
            self.leave(taken);
        }
    }

    /// A way and a slot for one more flow.
    fn take(&mut self, flow: &Flow, out: SocketAddr) -> Result<(Taken, NextHopId, u8), Declined> {
        let taken = self.ways.take((out.ip(), flow.to.ip()));
        self.follow();
        let (way, hop) = taken?;
        match flow.region.map_or(Some(0), |region| self.enter(region)) {
            Some(slot) => Ok((Taken { way, region: flow.region }, hop, slot)),
            None => {
                self.ways.leave(way);
                Err(Declined::Slots)
            }
        }
    }

    /// One flow less takes them.
    fn leave(&mut self, Taken { way, region }: Taken) {
        self.ways.leave(way);
        let place = self.slots.iter().position(|s| Some(s.region) == region);
        let Some((place, slot)) = place.and_then(|p| Some((p, self.slots.get_mut(p)?))) else { return };
        slot.flows -= 1;
        // One that is shut is shut for those who come.
        if slot.flows == 0 && !slot.is_shut {
            self.tables.remove_slot(slot.slot);
            self.slots.swap_remove(place);
        }
    }

    /// The slot of a region, for one flow more.
    fn enter(&mut self, region: RegionId) -> Option<u8> {
        if !self.slots.iter().any(|s| s.region == region) {
            let slot = self.tables.add_slot()?;
            self.slots.push(Slot { region, slot, flows: 0, is_shut: false });
        }
        let slot = self.slots.iter_mut().find(|s| s.region == region)?;
        slot.flows += 1;
        Some(slot.slot)
    }

    /// All flows of a region come to the sockets from now on, or do so no longer: one store.
    fn switch(&mut self, region: RegionId, shut: bool) {
        let Some(place) = self.slots.iter().position(|s| s.region == region) else { return };
        let Some(slot) = self.slots.get_mut(place) else { return };
        slot.is_shut = shut;
        self.tables.switch(slot.slot, if shut { SlotChoice::Sockets } else { SlotChoice::Own });
        if slot.flows == 0 && !shut {
            self.tables.remove_slot(slot.slot);
            self.slots.swap_remove(place);
        }
    }

    /// There may be news of ways.
    pub(crate) fn look_again(&mut self) {
        self.ways.look_again();
    }

    /// The keeper may have something to say.
    pub(crate) fn heed(&mut self, now: Time, relay: &mut Relay) {
        let Some(Change { stands, given }) = self.board.read() else { return };
        for rtp in given {
            relay.give(now, rtp);
        }
        self.ways.stand(stands);
    }

    /// A turn of the worker: ways are asked for. When the next one is to be.
    pub(crate) fn turn(&mut self, now: Time) -> Time {
        self.ways.turn();
        self.follow();
        self.ways.next(now)
    }

    /// Flows follow their ways.
    fn follow(&mut self) {
        if self.ways.has_moved() {
            for (at, id) in self.roster.ids() {
                if let Some(Some(taken)) = self.taken.get(at.index()) {
                    self.tables.repoint(id, self.ways.hop(taken.way));
                }
            }
        }
    }
}

impl Drop for FastPath {
    fn drop(&mut self) {
        for id in self.roster.drain() {
            self.tables.remove(id);
        }
        for slot in &self.slots {
            self.tables.remove_slot(slot.slot);
        }
    }
}
