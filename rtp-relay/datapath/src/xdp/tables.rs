//! The tables of the loaded program: what user space may do to them, and in which order.

mod adopt;

pub(crate) use adopt::Adopted;

use super::Totals;
use super::flow::{Epoch, Placed, entry, losses as odd, rates, state};
use super::layout::{
    Address, AlternateEntry, CPUS, FlowEntry, LAYOUT_VERSION, LossesEntry, MAX_LOCALS, MAX_NEXT_HOPS,
    MAX_SLOTS, NextHopEntry, PORTS, Passed, PassedEntry, RouteEntry, SetupEntry, SlotEntry, StateEntry,
};
use super::shared::{SharedArray, SharedNumbers};
use relay_core::{Flow, FlowState};
use std::collections::VecDeque;
use std::io;
use std::mem::offset_of;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// What holds for all media.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// Local media addresses, at most [`MAX_LOCALS`].
    pub locals: Vec<IpAddr>,
    /// DSCP of what is passed on, 0 to 63 (RFC 2474).
    pub dscp: u8,
    /// Its hop limit, or time to live.
    pub hop_limit: u8,
    /// The zero of [`Time`](relay_values::Time), as the relay's shell has it.
    pub epoch: Instant,
}

impl Setup {
    /// As the program reads it.
    pub(super) fn entry(&self) -> SetupEntry {
        let mut local = [Address::default(); MAX_LOCALS];
        for (place, ip) in local.iter_mut().zip(&self.locals) {
            *place = Address::of(*ip);
        }
        SetupEntry {
            version: LAYOUT_VERSION,
            locals: u32::try_from(self.locals.len().min(MAX_LOCALS)).unwrap_or(0),
            tos: u32::from(self.dscp & 0x3f) << 2,
            hop_limit: self.hop_limit.into(),
            local,
            rate: rates(),
        }
    }
}

/// Where frames go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NextHop {
    /// The neighbour.
    pub to: [u8; 6],
    /// Our interface's own address.
    pub from: [u8; 6],
    /// The interface.
    pub ifindex: u32,
    /// Longest IP packet in bytes.
    pub mtu: u16,
    /// VLAN tags (the 16 bits after the type) of the frames, outermost first. A packet must have come with as many.
    pub tags: [Option<u16>; 2],
}

/// A next hop of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NextHopId(u16);

/// A flow of the table.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct FlowId {
    index: u32,
    /// Its place in `by_port`.
    port: u32,
}

impl FlowId {
    /// Its place in the table.
    pub(super) fn index(&self) -> u32 {
        self.index
    }
}

/// Where the program's half of an entry begins.
const STATE: usize = offset_of!(FlowEntry, state);

/// Which route the flows of a slot take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SlotChoice {
    /// Their own.
    Own,
    /// Their first alternate.
    First,
    /// Their second alternate.
    Second,
    /// None: their packets come to the sockets.
    Sockets,
}

/// Why a flow cannot be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum InstallError {
    /// Every entry is taken.
    #[error("the flow table is full")]
    Full,
    /// One of its local addresses is not among those of [`Setup::locals`].
    #[error("not one of the program's local addresses")]
    Local,
    /// The program knows the usual clock rates only.
    #[error("a clock rate that the program does not know")]
    ClockRate,
    /// There is no such slot.
    #[error("no such slot")]
    Slot,
}

/// The tables. Flows are published and taken away by one owner each; anybody may read.
#[derive(Debug)]
pub struct Tables {
    setup: SharedArray<SetupEntry>,
    by_port: SharedNumbers,
    flows: SharedArray<FlowEntry>,
    alternates: SharedArray<AlternateEntry>,
    slots: SharedArray<SlotEntry>,
    next_hops: SharedArray<NextHopEntry>,
    passed: SharedArray<PassedEntry>,
    known: Setup,
    epoch: Epoch,
    free: Mutex<Free>,
}

/// Entries that nobody has.
#[derive(Debug)]
struct Free {
    /// The longest unused goes first: a packet that was under way when its flow was taken away finds nobody else's entry.
    flows: VecDeque<u32>,
    next_hops: VecDeque<u16>,
    slots: VecDeque<u8>,
}

impl Tables {
    /// Map the tables of a program, each found by its name with so many entries, and write down what holds for all media.
    pub(super) fn map<'p>(
        setup: &Setup,
        flows: usize,
        map_of: impl Fn(&str) -> Option<BorrowedFd<'p>>,
    ) -> io::Result<Self> {
        let fd = |name: &str| map_of(name).ok_or_else(|| io::Error::other(format!("no table {name}")));
        let tables = Self {
            setup: SharedArray::map(fd("setup")?, 1)?,
            by_port: SharedNumbers::map(fd("by_port")?, MAX_LOCALS * PORTS)?,
            flows: SharedArray::map(fd("flows")?, flows)?,
            alternates: SharedArray::map(fd("alternates")?, 2 * flows)?,
            slots: SharedArray::map(fd("slots")?, MAX_SLOTS)?,
            next_hops: SharedArray::map(fd("next_hops")?, MAX_NEXT_HOPS)?,
            passed: SharedArray::map(fd("passed")?, CPUS)?,
            known: setup.clone(),
            epoch: Epoch(monotonic_ns().saturating_sub(nanos(setup.epoch.elapsed()))),
            free: Mutex::new(Free {
                flows: (1..u32::try_from(flows).unwrap_or(u32::MAX)).collect(),
                next_hops: (1..MAX_NEXT_HOPS as u16).collect(),
                // Of numbers of eight bits, but for the one that is never switched.
                slots: (1..=u8::MAX).collect(),
            }),
        };
        let _ = tables.setup.write(0, &setup.entry());
        Ok(tables)
    }

    /// Flows that there is room for.
    pub fn room(&self) -> usize {
        // Number 0 means "none".
        self.flows.len() - 1
    }

    /// Make a next hop known; `None` if there are too many.
    pub fn add_next_hop(&self, hop: &NextHop) -> Option<NextHopId> {
        let id = self.reserve_next_hop()?;
        self.set_next_hop(id, Some(hop));
        Some(id)
    }

    /// A next hop that is not known yet; `None` if there are too many.
    pub fn reserve_next_hop(&self) -> Option<NextHopId> {
        self.free().next_hops.pop_front().map(NextHopId)
    }

    /// Change a next hop, or say that it is not known at present.
    pub fn set_next_hop(&self, id: NextHopId, hop: Option<&NextHop>) {
        let place = usize::from(id.0);
        // Nobody is to see half of each: without an interface it is not used.
        let mut entry = NextHopEntry::default();
        if let Some(hop) = hop {
            entry.to = hop.to;
            entry.from = hop.from;
            entry.mtu = hop.mtu;
            entry.tags = hop.tags.iter().flatten().count() as u16;
            for (to, tag) in entry.tag.iter_mut().zip(hop.tags.iter().flatten()) {
                *to = tag.to_be_bytes();
            }
        }
        let _ = self.next_hops.write(place, &entry);
        std::sync::atomic::fence(Ordering::Release);
        if let Some(hop) = hop {
            entry.ifindex = hop.ifindex;
            let _ = self.next_hops.write(place, &entry);
        }
    }

    /// Forget a next hop that no flow uses any more.
    pub fn remove_next_hop(&self, id: NextHopId) {
        self.set_next_hop(id, None);
        self.free().next_hops.push_back(id.0);
    }

    /// Publish a flow: from now on the program carries it. `at` and `out` are the addresses and numbers of its two ports;
    /// `slot` is 0 unless it is switched together with others, and `moves` says that its peer is then another.
    ///
    /// # Errors
    ///
    /// [`InstallError`]; the flow then stays with the sockets.
    pub fn install(
        &self,
        flow: &Flow,
        at: SocketAddr,
        out: SocketAddr,
        hop: NextHopId,
        slot: u8,
        moves: bool,
    ) -> Result<FlowId, InstallError> {
        let arrives = self.local(at.ip())?;
        let index = self.write(flow, out, hop, slot, moves)?;
        let id = FlowId { index, port: u32::from(arrives) * PORTS as u32 + u32::from(at.port()) };
        self.publish(&id, index);
        Ok(id)
    }

    /// Let a flow go on as `flow` says, which has its present state: by one store, so that every packet goes either the old
    /// way or the new one. What has become of it until then, to the last packet but one that another CPU has in hand.
    ///
    /// # Errors
    ///
    /// [`InstallError`]; then the flow goes on as before.
    pub fn replace(
        &self,
        id: &mut FlowId,
        flow: &Flow,
        out: SocketAddr,
        hop: NextHopId,
        slot: u8,
    ) -> Result<FlowState, InstallError> {
        let index = self.write(flow, out, hop, slot, false)?;
        let before = std::mem::replace(&mut id.index, index);
        self.publish(id, index);
        std::sync::atomic::fence(Ordering::SeqCst);
        let until = self.state_at(before);
        self.free().flows.push_back(before);
        Ok(until)
    }

    /// Write an entry that nobody is led to yet.
    fn write(
        &self,
        flow: &Flow,
        out: SocketAddr,
        hop: NextHopId,
        slot: u8,
        moves: bool,
    ) -> Result<u32, InstallError> {
        let local = self.local(out.ip())?;
        let generation = if moves { self.generation(slot).ok_or(InstallError::Slot)? } else { 0 };
        let placed = Placed { local, our_port: out.port(), next_hop: hop.0, slot, generation };
        let entry = entry(flow, &placed, self.epoch).ok_or(InstallError::ClockRate)?;
        let index = self.free().flows.pop_front().ok_or(InstallError::Full)?;
        let _ = self.flows.write(index as usize, &entry);
        Ok(index)
    }

    /// The place of one of our addresses.
    fn local(&self, ip: IpAddr) -> Result<u8, InstallError> {
        let place = self.known.locals.iter().position(|local| *local == ip).filter(|i| *i < MAX_LOCALS);
        place.map(|place| place as u8).ok_or(InstallError::Local)
    }

    /// Where a flow goes while its slot says so, or no longer.
    pub fn set_alternate(
        &self,
        id: &FlowId,
        choice: SlotChoice,
        from: SocketAddr,
        to: SocketAddr,
        hop: NextHopId,
        generation: u16,
    ) {
        let place = match choice {
            SlotChoice::First => 0,
            SlotChoice::Second => 1,
            SlotChoice::Own | SlotChoice::Sockets => return,
        };
        let route = RouteEntry::new(from, to, hop.0, generation);
        let entry = AlternateEntry { route, spare: [0; 3] };
        let _ = self.alternates.write(2 * id.index as usize + place, &entry);
        std::sync::atomic::fence(Ordering::Release);
    }

    /// A slot that nobody has, whose flows go their own ways; `None` if there is none.
    pub fn add_slot(&self) -> Option<u8> {
        let slot = self.free().slots.pop_front()?;
        self.switch(slot, SlotChoice::Own);
        Some(slot)
    }

    /// Nobody has this slot any more; no flow is in it.
    pub fn remove_slot(&self, slot: u8) {
        self.free().slots.push_back(slot);
    }

    /// Switch a slot, by one store. Flows whose peer changes with it send their next packet to the sockets.
    pub fn switch(&self, slot: u8, choice: SlotChoice) {
        let active = match choice {
            SlotChoice::Own => 0,
            SlotChoice::First => 1,
            SlotChoice::Second => 2,
            SlotChoice::Sockets => u16::MAX,
        };
        // Slot 0 is nobody's to switch. Generation 0 means that a route does not care.
        if let (Some(generation), 1..) = (self.generation(slot), slot) {
            let generation = generation.wrapping_add(1).max(1);
            if let Some(word) = self.slots.first_word(slot.into()) {
                word.store(u64::from(generation) << 16 | u64::from(active), Ordering::Release);
            }
        }
    }

    /// The present generation of a slot, for routes whose peer changes with it.
    pub fn generation(&self, slot: u8) -> Option<u16> {
        self.slots.read(slot.into()).map(|s| s.generation)
    }

    /// What has become of a flow.
    pub fn state(&self, id: &FlowId) -> FlowState {
        let losses: Option<LossesEntry> =
            self.flows.read_part(id.index as usize, offset_of!(FlowEntry, losses));
        FlowState { losses: losses.as_ref().map(odd).unwrap_or_default(), ..self.state_at(id.index) }
    }

    /// The same but for what was odd about its numbers, which stands in another line.
    pub(super) fn state_at(&self, index: u32) -> FlowState {
        let line: Option<StateEntry> = self.flows.read_part(index as usize, STATE);
        line.map(|entry| state(&entry, self.epoch)).unwrap_or_default()
    }

    /// When a flow's last packet came, as the kernel says it.
    pub(super) fn last_seen(&self, index: u32) -> u64 {
        self.state_word(index, offset_of!(StateEntry, last_seen))
    }

    /// What a flow has passed on since it was installed.
    pub(super) fn totals(&self, index: u32) -> Totals {
        let word = |offset| self.state_word(index, offset);
        let (packets, bytes) = (offset_of!(StateEntry, packets), offset_of!(StateEntry, bytes));
        Totals { packets: word(packets), bytes: word(bytes) }
    }

    fn state_word(&self, index: u32, offset: usize) -> u64 {
        self.flows.word(index as usize, STATE + offset).map_or(0, |word| word.load(Ordering::Relaxed))
    }

    /// Take a flow away: its next packet comes to the sockets. What has become of it, but for a packet that another CPU has
    /// in hand at this moment: it goes out, and is missing in the counts.
    pub fn remove(&self, id: FlowId) -> FlowState {
        self.publish(&id, 0);
        std::sync::atomic::fence(Ordering::SeqCst);
        let state = self.state(&id);
        self.free().flows.push_back(id.index);
        state
    }

    /// How many packets were left to the sockets although their port has a flow, by reason.
    pub fn passed(&self) -> impl Iterator<Item = (Passed, u64)> + '_ {
        Passed::ALL.into_iter().map(|reason| {
            let of = |cpu| self.passed.read(cpu)?.by_reason.get(reason as usize).copied();
            (reason, (0..CPUS).filter_map(of).sum())
        })
    }

    fn publish(&self, id: &FlowId, index: u32) {
        if let Some(number) = self.by_port.get(id.port as usize) {
            number.store(index, Ordering::Release);
        }
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(|broken| broken.into_inner())
    }
}

fn nanos(d: std::time::Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}

/// The kernel's clock, which [`Instant`] reads too.
fn monotonic_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is live for the call, which cannot fail for this clock.
    let _ = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    (now.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(now.tv_nsec as u64)
}

/// Nothing is read from an entry that has no name in Rust.
const _: () = assert!(size_of::<SlotEntry>() == 8);
