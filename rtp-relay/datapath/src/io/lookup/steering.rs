//! The program that steers the port range to the workers' sockets, and the tables that it does it by.

use super::layout::{DEPTH, DEPTH_PRESSED, GATES, GateEntry, HALVES_PER_PORT, MAX_WORKERS, MediaEntry, OPEN};
use crate::config::EngineConfig;
use crate::xdp::{Address, LoadError, MAX_LOCALS, SharedArray, SharedNumbers, loaded};
use aya::maps::{Map, SockMap};
use aya::programs::SkLookup;
use aya::{Ebpf, EbpfLoader};
use relay_core::{PortRef, RelayConfig};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The program as it was built from `rtp-relay/xdp` by `cargo xtask xdp`.
static OBJECT: &[u8] = aya::include_bytes_aligned!("../../../../xdp/lookup.bpf.o");

const PROGRAM: &str = "relay_lookup";

/// What a packet of 2,048 bytes takes of a receive buffer, as the kernel counts: its memory in powers of two and its own
/// structure. The gate lets in fewer than this holds, so the buffer never is what drops.
const PACKET_MEMORY: usize = 4096 + 512;

/// Why the program cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SteeringError {
    #[error("CAP_NET_RAW is needed to send: {0}")]
    Raw(io::Error),
    #[error("{0} media addresses, and the program knows {MAX_LOCALS}")]
    Addresses(usize),
    #[error("{0} workers, and the program knows {MAX_WORKERS}")]
    Workers(usize),
    #[error("a socket for all ports of {0}: {1}")]
    Socket(IpAddr, io::Error),
    #[error("the kernel does not let us steer: CAP_BPF and CAP_NET_ADMIN are needed")]
    Permission,
    #[error("steering the port range: {0}")]
    Program(String),
}

impl From<LoadError> for SteeringError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Permission(_) => Self::Permission,
            other => Self::Program(other.to_string()),
        }
    }
}

impl From<io::Error> for SteeringError {
    fn from(error: io::Error) -> Self {
        Self::Program(error.to_string())
    }
}

/// The program steers as long as this lives.
#[derive(Debug)]
pub(crate) struct Steering {
    tables: Arc<Tables>,
    /// By [`place`].
    sockets: Vec<Option<OwnedFd>>,
    _bins: Vec<OwnedFd>,
    _ebpf: Ebpf,
}

/// The tables that it shares with us.
#[derive(Debug)]
pub(super) struct Tables {
    ports: SharedNumbers,
    gates: SharedArray<GateEntry>,
}

/// The place of a worker's socket among all, and of its gate.
pub(super) fn place(worker: usize, is_ipv6: bool) -> usize {
    2 * worker + usize::from(is_ipv6)
}

impl Steering {
    /// Steer what comes to the media addresses and the port range from now on.
    pub(crate) fn start(config: &EngineConfig) -> Result<Self, SteeringError> {
        let (addresses, workers) = (&config.relay.addresses, config.workers.max(1));
        if addresses.len() > MAX_LOCALS {
            return Err(SteeringError::Addresses(addresses.len()));
        }
        if workers > MAX_WORKERS {
            return Err(SteeringError::Workers(workers));
        }
        for &address in addresses {
            // Before the range is taken away from everybody.
            super::raw::raw_socket(address, config).map_err(SteeringError::Raw)?;
        }
        // Half a MiB for each address: no more than there are.
        let entries = u32::try_from(addresses.len()).unwrap_or(1);
        let mut ebpf =
            EbpfLoader::new().map_max_entries("ports", entries).load(OBJECT).map_err(LoadError::from)?;
        let program = loaded::<SkLookup>(&mut ebpf, PROGRAM)?;
        program.load().map_err(LoadError::from)?;
        let tables = Tables::map(&ebpf, config, workers)?;
        let (mut sockets, mut bins) = (Vec::new(), Vec::new());
        let mut known = match ebpf.take_map("sockets") {
            Some(map) => SockMap::try_from(map).map_err(|e| SteeringError::Program(e.to_string()))?,
            None => return Err(SteeringError::Program("no table sockets".to_owned())),
        };
        let mut know = |at: usize, socket: &OwnedFd| {
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            known.set(at, socket, 0).map_err(|e| LoadError::of(&e))
        };
        for is_ipv6 in [false, true] {
            let Some(&address) = addresses.iter().find(|a| a.is_ipv6() == is_ipv6) else { continue };
            let failed = |e| SteeringError::Socket(address, e);
            let bin = bin(address).map_err(failed)?;
            know(GATES + usize::from(is_ipv6), &bin)?;
            bins.push(bin);
        }
        for worker in 0..workers {
            for is_ipv6 in [false, true] {
                let address = addresses.iter().find(|a| a.is_ipv6() == is_ipv6);
                let socket = address
                    .map(|&address| receiver(address).map_err(|e| SteeringError::Socket(address, e)))
                    .transpose()?;
                if let Some(socket) = &socket {
                    know(place(worker, is_ipv6), socket)?;
                }
                sockets.push(socket);
            }
        }
        // The namespace of this thread, which need not be that of the process.
        let here = File::open("/proc/thread-self/ns/net")?;
        loaded::<SkLookup>(&mut ebpf, PROGRAM)?.attach(here).map_err(LoadError::from)?;
        Ok(Self { tables: Arc::new(tables), sockets, _bins: bins, _ebpf: ebpf })
    }

    /// A worker's socket for one family, if it has ports there.
    pub(super) fn socket(&self, worker: usize, is_ipv6: bool) -> io::Result<Option<OwnedFd>> {
        match self.sockets.get(place(worker, is_ipv6)) {
            Some(Some(socket)) => socket.try_clone().map(Some),
            _ => Ok(None),
        }
    }

    pub(super) fn tables(&self) -> Arc<Tables> {
        Arc::clone(&self.tables)
    }

    /// Packets that were turned away because their worker had no room for more.
    pub(crate) fn turned_away(&self) -> u64 {
        (0..GATES).filter_map(|at| self.tables.gates.read(at)).map(|gate| gate.turned_away).sum()
    }
}

impl Tables {
    fn map(ebpf: &Ebpf, config: &EngineConfig, workers: usize) -> io::Result<Self> {
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
}

/// Port numbers of an address.
const PORTS: usize = 1 << 16;

/// The ports of a worker: its names for them, and their addresses.
#[derive(Debug)]
pub(super) struct Slice {
    addresses: Vec<IpAddr>,
    first: u16,
    per_address: u32,
}

impl Slice {
    pub(super) fn new(relay: &RelayConfig) -> Self {
        Self {
            addresses: relay.addresses.clone(),
            first: relay.ports.start().checked_next_multiple_of(2).unwrap_or(u16::MAX),
            per_address: u32::try_from(2 * relay.pairs_per_address()).unwrap_or(0),
        }
    }

    fn len(&self) -> u32 {
        self.per_address * u32::try_from(self.addresses.len()).unwrap_or(0)
    }

    /// The worker's name for a port.
    pub(super) fn port(&self, at: SocketAddr) -> Option<PortRef> {
        let address = u32::try_from(self.addresses.iter().position(|a| *a == at.ip())?).ok()?;
        let number = u32::from(at.port().checked_sub(self.first)?);
        (number < self.per_address).then(|| PortRef::new(address * self.per_address + number))
    }

    /// The place of a port's address, and its number.
    pub(super) fn number(&self, port: PortRef) -> Option<(usize, u16)> {
        let port = u32::try_from(port.index()).ok()?;
        let number = u32::from(self.first) + port.checked_rem(self.per_address)?;
        Some((port.checked_div(self.per_address)? as usize, u16::try_from(number).ok()?))
    }

    pub(super) fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }
}

/// A socket for all ports. It has to be bound to be known to the program; nobody is told the port that it has.
fn receiver(address: IpAddr) -> io::Result<OwnedFd> {
    let socket = bound(address)?;
    crate::sys::receive_buffer(socket.as_fd(), DEPTH as usize * PACKET_MEMORY)?;
    crate::sys::want_destination(socket.as_fd(), address.is_ipv6())?;
    Ok(socket.into())
}

/// A socket that takes nothing.
fn bin(address: IpAddr) -> io::Result<OwnedFd> {
    let socket = bound(address)?;
    // BPF_RET | BPF_K: so many bytes are taken.
    socket.attach_filter(&[SockFilter::new(0x06, 0, 0, 0)])?;
    Ok(socket.into())
}

fn bound(address: IpAddr) -> io::Result<Socket> {
    let at = SocketAddr::new(address, 0);
    let socket = Socket::new(Domain::for_address(at), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&at.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_and_its_relay_give_ports_the_same_names() {
        let relay = RelayConfig {
            addresses: vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
            ports: 20_001..=20_010,
            ..RelayConfig::default()
        };
        let (slice, relay) = (Slice::new(&relay), relay_core::Relay::new(&relay, 0));
        assert_eq!(slice.len() as usize, relay.ports());
        for port in (0..slice.len()).map(PortRef::new) {
            let local = relay.local(port).unwrap();
            assert_eq!(slice.port(local), Some(port));
            let (address, number) = slice.number(port).unwrap();
            assert_eq!(SocketAddr::new(slice.addresses()[address], number), local);
        }
        for foreign in ["192.0.2.1:20001", "192.0.2.1:20010", "192.0.2.2:20002", "[2001:db8::1]:1"] {
            assert_eq!(slice.port(foreign.parse().unwrap()), None, "{foreign}");
        }
    }
}
