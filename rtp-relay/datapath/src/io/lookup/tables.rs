//! The tables that the program shares with us: whose a port is, and what goes in at a gate and out of it.

use super::layout::{DEPTH, DEPTH_PRESSED, GATES, GateEntry, HALVES_PER_PORT, MediaEntry, OPEN};
use super::slice::Slice;
use crate::config::EngineConfig;
use crate::xdp::{Address, MAX_LOCALS, SharedArray, SharedNumbers};
use aya::Ebpf;
use aya::maps::Map;
use relay_core::PortRef;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;

/// Port numbers of an address.
const PORTS: usize = 1 << 16;

/// The tables.
#[derive(Debug)]
pub(super) struct Tables {
    ports: SharedNumbers,
    gates: SharedArray<GateEntry>,
}

/// The place of a worker's socket among all, and of its gate.
pub(super) fn place(worker: usize, is_ipv6: bool) -> usize {
    2 * worker + usize::from(is_ipv6)
}

impl Tables {
    /// Map them and write down whose the ports are.
    pub(super) fn map(ebpf: &Ebpf, config: &EngineConfig, workers: usize) -> io::Result<Self> {
        let fd = |name: &str| match ebpf.map(name) {
            Some(Map::Array(map)) => Ok(map.fd().as_fd()),
            _ => Err(io::Error::other(format!("no table {name}"))),
        };
        let addresses = &config.relay.addresses;
        let ports = SharedNumbers::map(fd("ports")?, addresses.len() * PORTS * HALVES_PER_PORT)?;
        let tables = Self { ports, gates: SharedArray::map(fd("gates")?, GATES)? };
        for gate in 0..GATES {
            tables.make_room(gate, DEPTH);
        }
        for worker in 0..workers {
            let slice = Slice::new(&config.ports_of(worker));
            let owner = u32::try_from(worker + 1).unwrap_or(0);
            for port in (0..slice.len()).map(PortRef::new) {
                tables.set(&slice, port, owner);
            }
        }
        let mut local = [Address::default(); MAX_LOCALS];
        for (place, ip) in local.iter_mut().zip(addresses) {
            *place = Address::of(*ip);
        }
        let locals = u32::try_from(addresses.len().min(MAX_LOCALS)).unwrap_or(0);
        let _ = SharedArray::map(fd("media")?, 1)?.write(0, &MediaEntry { locals, unused: 0, local });
        Ok(tables)
    }

    /// Say whose a port is.
    fn set(&self, slice: &Slice, port: PortRef, owner: u32) {
        if let Some((address, number)) = slice.number(port)
            && let Some(place) = self.ports.get((address * PORTS + usize::from(number)) * HALVES_PER_PORT)
        {
            place.store(owner, Ordering::Relaxed);
        }
    }

    /// Say that a session has a port of `worker`, or that none has it any more.
    pub(super) fn open(&self, slice: &Slice, worker: usize, port: PortRef, open: bool) {
        let owner = u32::try_from(worker + 1).unwrap_or(0);
        self.set(slice, port, if open { owner | OPEN } else { owner });
    }

    /// How many may wait from now on.
    fn make_room(&self, gate: usize, room: u64) {
        if let Some(word) = self.gates.word(gate, std::mem::offset_of!(GateEntry, room)) {
            word.store(room, Ordering::Relaxed);
        }
    }

    /// The worker behind a gate is overloaded, or no longer.
    pub(super) fn press(&self, gate: usize, pressed: bool) {
        self.make_room(gate, if pressed { DEPTH_PRESSED } else { DEPTH });
    }

    /// Packets that a gate has let in so far.
    pub(super) fn let_in(&self, gate: usize) -> u64 {
        let word = self.gates.word(gate, std::mem::offset_of!(GateEntry, let_in));
        word.map_or(0, |word| word.load(Ordering::Acquire))
    }

    /// How many of them have been taken.
    pub(super) fn take(&self, gate: usize, taken: u64) {
        if let Some(word) = self.gates.word(gate, std::mem::offset_of!(GateEntry, taken)) {
            word.store(taken, Ordering::Release);
        }
    }

    /// Packets that were turned away at all gates.
    pub(super) fn turned_away(&self) -> u64 {
        (0..GATES).filter_map(|at| self.gates.read(at)).map(|gate| gate.turned_away).sum()
    }
}
