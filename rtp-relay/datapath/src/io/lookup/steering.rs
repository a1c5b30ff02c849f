//! The program that steers the port range to the workers' sockets, and those sockets.

use super::layout::{DEPTH, GATES, MAX_WORKERS};
use super::tables::{Tables, place};
use crate::config::EngineConfig;
use crate::xdp::{LoadError, MAX_LOCALS, loaded};
use aya::maps::SockMap;
use aya::programs::SkLookup;
use aya::{Ebpf, EbpfLoader};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

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
        self.tables.turned_away()
    }
}

/// A socket for all ports. It has to be bound to be known to the program; nobody is told the port that it has.
fn receiver(address: IpAddr) -> io::Result<OwnedFd> {
    let socket = bound(address)?;
    crate::sys::receive_buffer(socket.as_fd(), DEPTH as usize * PACKET_MEMORY)?;
    crate::sys::want_destination(socket.as_fd(), address.is_ipv6())?;
    crate::latency::stamped(socket.as_fd());
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
