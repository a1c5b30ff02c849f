//! Flows that the kernel's program carries, in its own tables: what it costs to look at all of them.

use super::relay::{OURS, Packets};
use datapath::xdp::{Frame, LoadError, NextHop, NextHopId, Program, Roster, Rung, Setup, Tables};
use relay_core::Offload;
use relay_values::{Duration, Time};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

/// A relay all of whose flows are in the program's tables.
#[derive(Debug)]
pub struct Kernel {
    packets: Packets,
    program: Program,
    tables: Arc<Tables>,
    roster: Roster,
    hop: NextHopId,
    epoch: Instant,
    /// Of every flow of a tier: the next packet as it stands on the wire.
    frames: Vec<[u8; FRAME]>,
    at: usize,
}

/// Ethernet, IPv4 and UDP before 172 bytes.
const HEADERS: usize = 14 + 20 + 8;
const FRAME: usize = HEADERS + 172;

impl Kernel {
    /// So many sessions, both flows of each in the tables.
    ///
    /// # Errors
    ///
    /// Why the program cannot be loaded: most likely we are not root.
    ///
    /// # Panics
    ///
    /// If the relay or the tables do not take what they are given.
    pub fn new(sessions: u16) -> Result<Self, LoadError> {
        let epoch = Instant::now();
        let setup = Setup { locals: vec![OURS], dscp: 46, hop_limit: 64, epoch };
        let program = Program::load(&setup, usize::from(sessions) * 2 + 2)?;
        let tables = program.tables();
        let hop = NextHop {
            to: [2, 0, 0, 0, 0, 1],
            from: [2, 0, 0, 0, 0, 2],
            ifindex: 1,
            mtu: 1500,
            tags: [None; 2],
        };
        let hop = tables.add_next_hop(&hop).expect("the table is empty");
        let packets = Packets::offering(sessions, Some(1));
        let roster = Roster::new(packets.relay.ports());
        let mut kernel = Self { packets, program, tables, roster, hop, epoch, frames: Vec::new(), at: 0 };
        kernel.packets.pass(Duration::from_millis(500));
        kernel.install();
        assert_eq!(kernel.roster.len(), usize::from(sessions) * 2);
        kernel.frames = kernel.packets.tier().map(|(from, to, rtp)| frame(from, to, rtp)).collect();
        Ok(kernel)
    }

    fn install(&mut self) {
        while let Some(offload) = self.packets.relay.poll_offload() {
            let Offload::Install(flow) = offload else { continue };
            let local = |port| self.packets.relay.local(port).expect("one of ours");
            let (at, out) = (local(flow.at), local(flow.out));
            let id = self.tables.install(&flow, at, out, self.hop, 0, false).expect("there is room");
            self.roster.put(&flow, id);
        }
    }

    /// How many flows there are.
    pub fn flows(&self) -> usize {
        self.roster.len()
    }

    /// All flows' counters.
    pub fn read(&self) -> u64 {
        self.roster.totals(&self.tables).packets
    }

    /// All that the silence of regions wants to know, and nothing of what it makes of it.
    pub fn tell(&mut self) {
        self.roster.tell(self.now(), &self.tables, &mut self.packets.relay);
    }

    /// The program forwards one packet of each of the next `flows` of the tier.
    ///
    /// # Panics
    ///
    /// If it does not run.
    pub fn speak(&mut self, flows: usize) {
        for _ in 0..flows {
            let count = self.frames.len();
            let bytes = &mut self.frames[self.at];
            self.at = (self.at + 1) % count;
            let number = u16::from_be_bytes([bytes[HEADERS + 2], bytes[HEADERS + 3]]).wrapping_add(1);
            bytes[HEADERS + 2..HEADERS + 4].copy_from_slice(&number.to_be_bytes());
            let timestamp = u32::from(number).wrapping_mul(160);
            bytes[HEADERS + 4..HEADERS + 8].copy_from_slice(&timestamp.to_be_bytes());
            self.program.run(Frame { bytes, rung: Rung::NativeXdp }).expect("it runs");
        }
    }

    fn now(&self) -> Time {
        Time::ZERO + self.epoch.elapsed()
    }
}

/// A frame from one place to another. The sums are left out: over IPv4 UDP needs none, and the program does not look at IP's.
fn frame(from: SocketAddr, to: SocketAddr, rtp: &[u8; 172]) -> [u8; FRAME] {
    let (IpAddr::V4(source), IpAddr::V4(target)) = (from.ip(), to.ip()) else { panic!("all is IPv4 here") };
    let length = |n: usize| (n as u16).to_be_bytes();
    let mut bytes = Vec::with_capacity(FRAME);
    bytes.extend([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]);
    bytes.extend([0x45, 0]);
    bytes.extend(length(FRAME - 14));
    bytes.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
    bytes.extend(source.octets());
    bytes.extend(target.octets());
    bytes.extend(from.port().to_be_bytes());
    bytes.extend(to.port().to_be_bytes());
    bytes.extend(length(FRAME - 34));
    bytes.extend([0, 0]);
    bytes.extend(rtp);
    bytes.try_into().expect("as long as it is")
}
