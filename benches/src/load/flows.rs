//! One end's flows: 20 ms of G.711 for every call that is up, from few sockets, and what was heard on them.
//!
//! Everything happens once a millisecond: one batch is sent, one read. A thousand calls are then some thousand system
//! calls a second instead of a hundred thousand; arrivals are known to a millisecond.

use super::clock::{CallNo, Clock, Fifo, MS, Nanos};
use super::ear::Ear;
use super::mark::{self, Header, Mark};
use super::media::{SOCKETS, Side, Voices, address_of};
use super::port::Port;
use super::tally::Micros;
use std::io;
use std::net::SocketAddr;

/// Packets of a flow are 20 ms apart; flows are spread evenly over so many slots of a millisecond each.
const PHASES: usize = 20;
/// RTP clock ticks in a packet.
const TICKS: u32 = 160;
/// Who was late makes up for it, so that timestamps go on by the clock. Who was stopped for longer than this does not.
const TOO_LATE: Nanos = 500 * MS;
/// No call has this slot.
const NOBODY: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Flow {
    to: SocketAddr,
    live: bool,
    /// Which call of this slot it is.
    serial: u32,
    header: Header,
    n: u32,
}

/// One end's flows.
#[derive(Debug)]
pub struct Flows {
    origin: u8,
    ports: Vec<Port>,
    flows: Vec<Flow>,
    /// Whose packets come from which port of the device.
    slots: Vec<u32>,
    phases: [Vec<u32>; PHASES],
    phase: usize,
    tick: Nanos,
    /// When calls that speak for a time fall silent.
    stops: Option<Fifo>,
    /// What was heard.
    pub ear: Ear,
    /// Packets sent.
    pub sent: u64,
    /// Packets that came from no port that we send to.
    pub strays: u64,
    /// By how much sending was late.
    pub late: Micros,
}

impl Flows {
    /// Bind the sockets beside a SIP address. `origin` stands in every packet sent.
    ///
    /// # Errors
    ///
    /// What the system says about binding.
    pub fn new(sip: SocketAddr, origin: u8, ear: Ear) -> io::Result<Self> {
        let ports =
            (0..u32::from(SOCKETS)).map(|i| Port::bind(address_of(sip, i))).collect::<io::Result<_>>()?;
        Ok(Self {
            origin,
            ports,
            flows: Vec::new(),
            slots: vec![NOBODY; 1 << 16],
            phases: Default::default(),
            phase: 0,
            tick: 0,
            stops: None,
            ear,
            sent: 0,
            strays: 0,
            late: Micros::default(),
        })
    }

    /// Flows that are being sent.
    pub fn live(&self) -> usize {
        self.phases.iter().map(Vec::len).sum()
    }

    /// Send nothing any more; go on listening.
    pub fn hush(&mut self) {
        for phase in &mut self.phases {
            for slot in phase.drain(..) {
                self.flows[slot as usize].live = false;
            }
        }
    }

    /// When there is something to do next.
    pub const fn next(&self) -> Nanos {
        self.tick
    }

    /// Send what is due and read what came, once a millisecond.
    pub fn turn(&mut self, clock: &Clock) -> bool {
        let now = clock.now();
        if now < self.tick {
            return false;
        }
        let late = if self.tick == 0 { 0 } else { now - self.tick };
        if self.live() > 0 {
            self.late.record(late);
        }
        while let Some(no) = self.stops.as_mut().and_then(|stops| stops.pop(now)) {
            if self.flows[no.slot as usize].serial == no.serial {
                self.stop(Side::A, no.slot);
            }
        }
        self.send();
        self.phase = (self.phase + 1) % PHASES;
        self.tick = if self.tick == 0 || late > TOO_LATE { now + MS } else { self.tick + MS };
        self.receive(clock);
        true
    }

    fn send(&mut self) {
        for slot in &self.phases[self.phase] {
            let flow = &mut self.flows[*slot as usize];
            let mark = Mark { origin: self.origin, slot: *slot, n: flow.n };
            let port = &mut self.ports[*slot as usize % usize::from(SOCKETS)];
            port.tx.write(flow.to, |b| mark::write(b, flow.header, mark));
            flow.n += 1;
            flow.header.sequence = flow.header.sequence.wrapping_add(1);
            flow.header.timestamp = flow.header.timestamp.wrapping_add(TICKS);
        }
        self.sent += self.phases[self.phase].len() as u64;
        self.ports.iter_mut().for_each(|port| port.tx.flush());
    }

    fn receive(&mut self, clock: &Clock) {
        for port in &mut self.ports {
            loop {
                let n = port.rx.recv();
                let at = (clock.now() / 1_000) as u32;
                for datagram in port.rx.datagrams() {
                    let slot = self.slots[usize::from(datagram.from.port())];
                    match mark::read(datagram.bytes) {
                        Some((header, mark)) if slot != NOBODY => self.ear.hear(slot, at, header, mark),
                        Some(_) | None => self.strays += 1,
                    }
                }
                if n < datapath::mmsg::MAX_BATCH {
                    break;
                }
            }
        }
    }
}

impl Voices for Flows {
    fn expect(&mut self, slot: u32, from: SocketAddr) {
        self.slots[usize::from(from.port())] = slot;
    }

    fn start(&mut self, _: Side, slot: u32, to: SocketAddr, now: Nanos, talk: Option<Nanos>) {
        while self.flows.len() <= slot as usize {
            let header = first(self.origin, self.flows.len() as u32);
            self.flows.push(Flow { to, live: false, serial: 0, header, n: 0 });
        }
        self.expect(slot, to);
        let flow = &mut self.flows[slot as usize];
        flow.to = to;
        if !flow.live {
            flow.live = true;
            flow.serial = flow.serial.wrapping_add(1);
            let shortest = self.phases.iter_mut().min_by_key(|p| p.len());
            shortest.expect("there are phases").push(slot);
        }
        if let Some(talk) = talk {
            let no = CallNo { slot, serial: flow.serial };
            self.stops.get_or_insert_with(|| Fifo::new(talk)).start(now, no);
        }
    }

    fn stop(&mut self, _: Side, slot: u32) {
        if let Some(flow) = self.flows.get_mut(slot as usize) {
            flow.live = false;
        }
        for phase in &mut self.phases {
            phase.retain(|s| *s != slot);
        }
    }
}

/// Where a flow's line begins: anywhere (RFC 3550 §5.1), and never where another's does.
fn first(origin: u8, slot: u32) -> Header {
    let mut z =
        (u64::from(origin) << 32 | u64::from(slot)).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let ssrc = u32::from(origin) << 24 | slot;
    Header { sequence: z as u16, timestamp: (z >> 32) as u32, ssrc }
}
