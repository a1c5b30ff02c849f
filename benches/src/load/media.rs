//! RTP for many sessions from few sockets: 20 ms of G.711 both ways, and what became of it.
//!
//! Many sessions share a socket, as they share an address at a carrier's media gateway: a device tells them apart by its
//! own ports. Every packet says in its payload which stream it is of, so that loss, order and latency are known exactly.

use super::clock::{CallNo, Clock, Fifo, MS, Nanos};
use super::port::Port;
use super::tally::Micros;
use bytes::BufMut;
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;

/// Sockets of each side: few, so that one read takes many packets.
pub(super) const SOCKETS: u16 = 4;
/// Where media ports begin, above the SIP port.
const ABOVE_SIP: u16 = 10_000;
/// Packets of a stream are 20 ms apart; streams are spread evenly over so many slots of a millisecond each.
const PHASES: usize = 20;
/// G.711 at 20 ms.
const PAYLOAD: usize = 160;
/// First bytes of a payload of ours.
const MAGIC: u32 = 0x6261_7363;
/// RTP header (RFC 3550 §5.1), without CSRCs.
const HEADER: usize = 12;

/// The media address of a slot beside its SIP address.
pub fn address_of(sip: SocketAddr, slot: u32) -> SocketAddr {
    let port = sip.port() + ABOVE_SIP + 2 * (slot % u32::from(SOCKETS)) as u16;
    SocketAddr::new(sip.ip(), port)
}

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The calling side.
    A,
    /// The answering side.
    B,
}

/// Whoever speaks in the calls that come up.
pub trait Voices {
    /// Packets from this address belong to a slot from now on: its media may come before it is answered.
    fn expect(&mut self, _slot: u32, _from: SocketAddr) {}
    /// Begin to send for a slot, or go on to another address; `talk` says for how long, if not until told.
    fn start(&mut self, side: Side, slot: u32, to: SocketAddr, now: Nanos, talk: Option<Nanos>);
    /// Stop sending for a slot.
    fn stop(&mut self, side: Side, slot: u32);
}

/// Media, or silence.
impl Voices for Option<Media> {
    fn start(&mut self, side: Side, slot: u32, to: SocketAddr, now: Nanos, talk: Option<Nanos>) {
        if let Some(media) = self {
            media.start(side, slot, to, now, talk);
        }
    }

    fn stop(&mut self, side: Side, slot: u32) {
        if let Some(media) = self {
            media.stop(side, slot);
        }
    }
}

/// Counts of one epoch: a stretch of time that the caller names, told apart by a mark in every packet.
#[derive(Debug, Clone, Copy, Default)]
pub struct Epoch {
    /// Packets sent.
    pub sent: u64,
    /// Packets that arrived, without duplicates.
    pub received: u64,
}

impl Epoch {
    /// Share of packets that did not arrive.
    pub fn loss(&self) -> f64 {
        if self.sent == 0 { 0.0 } else { self.sent.saturating_sub(self.received) as f64 / self.sent as f64 }
    }
}

#[derive(Debug)]
struct Stream {
    to: SocketAddr,
    live: bool,
    serial: u32,
    next: u32,
    /// What the far side expects next, once it has heard something: sequence number and SSRC in the header, our own count.
    heard: Option<(u16, u32, u32)>,
}

#[derive(Debug)]
struct Half {
    ports: Vec<Port>,
    streams: Vec<Stream>,
    phases: Vec<Vec<u32>>,
    stop: Option<Fifo>,
}

/// Both sides' streams.
#[derive(Debug)]
pub struct Media {
    halves: [Half; 2],
    tick: Nanos,
    phase: usize,
    turns: usize,
    epoch: u8,
    epochs: Vec<Epoch>,
    /// One-way latency of the current epoch.
    pub latency: Micros,
    /// Places where the RTP line broke: a sequence number or an SSRC that does not follow from the packet before.
    pub breaks: u64,
    /// Packets that came twice or late.
    pub disordered: u64,
    /// Packets that are not ours.
    pub strays: u64,
    /// By how much sending was late, in the current epoch.
    pub late: Micros,
}

impl Media {
    /// Bind the sockets of both sides, beside their SIP addresses.
    ///
    /// # Errors
    ///
    /// What the system says about binding.
    pub fn new(a: SocketAddr, b: SocketAddr) -> io::Result<Self> {
        let half = |sip| {
            let ports =
                (0..u32::from(SOCKETS)).map(|i| Port::bind(address_of(sip, i))).collect::<io::Result<_>>()?;
            Ok::<_, io::Error>(Half {
                ports,
                streams: Vec::new(),
                phases: vec![Vec::new(); PHASES],
                stop: None,
            })
        };
        Ok(Self {
            halves: [half(a)?, half(b)?],
            tick: 0,
            phase: 0,
            turns: 0,
            epoch: 0,
            epochs: vec![Epoch::default(); 256],
            latency: Micros::default(),
            breaks: 0,
            disordered: 0,
            strays: 0,
            late: Micros::default(),
        })
    }

    /// Begin to send for a slot, or go on to another address.
    pub fn start(&mut self, side: Side, slot: u32, to: SocketAddr, now: Nanos, talk: Option<Nanos>) {
        let half = &mut self.halves[side as usize];
        while half.streams.len() <= slot as usize {
            let none = SocketAddr::from(([0, 0, 0, 0], 0));
            half.streams.push(Stream { to: none, live: false, serial: 0, next: 0, heard: None });
        }
        let stream = &mut half.streams[slot as usize];
        stream.to = to;
        if !stream.live {
            stream.live = true;
            stream.serial = stream.serial.wrapping_add(1);
            stream.next = 0;
            stream.heard = None;
            let shortest = half.phases.iter_mut().min_by_key(|p| p.len());
            shortest.expect("there are phases").push(slot);
        }
        if let Some(talk) = talk {
            let serial = half.streams[slot as usize].serial;
            half.stop.get_or_insert_with(|| Fifo::new(talk)).start(now, CallNo { slot, serial });
        }
    }

    /// Stop sending for a slot.
    pub fn stop(&mut self, side: Side, slot: u32) {
        let half = &mut self.halves[side as usize];
        if let Some(stream) = half.streams.get_mut(slot as usize) {
            stream.live = false;
        }
        for phase in &mut half.phases {
            phase.retain(|s| *s != slot);
        }
    }

    /// Streams that are being sent, both sides.
    pub fn live(&self) -> usize {
        self.halves.iter().flat_map(|h| &h.phases).map(Vec::len).sum()
    }

    /// Begin a new epoch; what is on the way is still counted for the old one.
    pub fn next_epoch(&mut self) -> u8 {
        self.epoch = self.epoch.wrapping_add(1);
        self.epochs[self.epoch as usize] = Epoch::default();
        self.latency.clear();
        self.late.clear();
        self.epoch
    }

    /// Counts of an epoch.
    pub fn epoch(&self, epoch: u8) -> Epoch {
        self.epochs[epoch as usize]
    }

    /// Every socket.
    pub fn ports(&self) -> impl Iterator<Item = &Port> {
        self.halves.iter().flat_map(|h| &h.ports)
    }

    /// When the next packets are due.
    pub fn next(&self) -> Nanos {
        self.tick
    }

    /// Send what is due and read what came. Whether there was anything to do.
    pub fn turn(&mut self, clock: &Clock) -> bool {
        let now = clock.now();
        for side in [Side::A, Side::B] {
            self.hush(side, now);
        }
        let mut busy = false;
        if self.tick == 0 {
            self.tick = now;
        }
        // At most one millisecond's worth before the sockets are read: a generator that is behind must still listen.
        if self.tick <= now {
            self.late.record(now - self.tick);
            self.send(clock);
            self.tick += MS;
            self.phase = (self.phase + 1) % PHASES;
            busy = true;
        }
        self.turns += 1;
        for side in [Side::A, Side::B] {
            busy |= self.receive(side, clock);
        }
        busy
    }

    fn hush(&mut self, side: Side, now: Nanos) {
        while let Some(no) = self.halves[side as usize].stop.as_mut().and_then(|s| s.pop(now)) {
            let stream = &self.halves[side as usize].streams[no.slot as usize];
            if stream.live && stream.serial == no.serial {
                self.stop(side, no.slot);
            }
        }
    }

    fn send(&mut self, clock: &Clock) {
        for side in [Side::A, Side::B] {
            let half = &mut self.halves[side as usize];
            for slot in &half.phases[self.phase] {
                let stream = &mut half.streams[*slot as usize];
                let port = &mut half.ports[*slot as usize % usize::from(SOCKETS)];
                let (n, now) = (stream.next, clock.now());
                stream.next += 1;
                port.tx.write(stream.to, |b| {
                    b.put_u8(0x80);
                    b.put_u8(if n == 0 { 0x80 } else { 0 });
                    b.put_u16(n as u16);
                    b.put_u32(n.wrapping_mul(PAYLOAD as u32));
                    b.put_u32(*slot << 1 | side as u32);
                    b.put_u32(MAGIC);
                    b.put_u8(side as u8);
                    b.put_u8(self.epoch);
                    b.put_u16(stream.serial as u16);
                    b.put_u32(*slot);
                    b.put_u32(n);
                    b.put_u64(now);
                    b.put_bytes(0xff, PAYLOAD - 24);
                });
                self.epochs[self.epoch as usize].sent += 1;
            }
            for port in &mut half.ports {
                port.tx.flush();
            }
        }
    }

    fn receive(&mut self, side: Side, clock: &Clock) -> bool {
        let mut busy = false;
        for i in 0..usize::from(SOCKETS) {
            loop {
                let n = self.halves[side as usize].ports[i].rx.recv();
                if n == 0 {
                    break;
                }
                busy = true;
                let now = clock.now();
                let [a, b] = &mut self.halves;
                let (ours, theirs) = if side == Side::A { (a, b) } else { (b, a) };
                for datagram in ours.ports[i].rx.datagrams() {
                    let Some(packet) = Packet::read(datagram.bytes) else {
                        self.strays += 1;
                        continue;
                    };
                    let stream = theirs.streams.get_mut(packet.slot as usize);
                    let Some(stream) =
                        stream.filter(|s| packet.side != side as u8 && s.serial as u16 == packet.serial)
                    else {
                        self.strays += 1;
                        continue;
                    };
                    if packet.epoch == self.epoch {
                        self.latency.record(now.saturating_sub(packet.sent));
                    }
                    if let Some((sequence, ssrc, n)) = stream.heard {
                        if packet.n < n {
                            self.disordered += 1;
                            continue;
                        }
                        self.breaks += u64::from((packet.sequence, packet.ssrc) != (sequence, ssrc));
                    }
                    self.epochs[packet.epoch as usize].received += 1;
                    stream.heard = Some((packet.sequence.wrapping_add(1), packet.ssrc, packet.n + 1));
                }
                if n < datapath::mmsg::MAX_BATCH {
                    break;
                }
            }
        }
        busy
    }

    /// Counts as JSON.
    pub fn json(&self) -> Value {
        let all = self.epochs.iter().fold(Epoch::default(), |sum, e| Epoch {
            sent: sum.sent + e.sent,
            received: sum.received + e.received,
        });
        json!({
            "sent": all.sent, "received": all.received, "loss": all.loss(), "breaks": self.breaks,
            "disordered": self.disordered, "strays": self.strays, "latency_us": self.latency.json(),
            "late_us": self.late.json(),
        })
    }
}

struct Packet {
    sequence: u16,
    ssrc: u32,
    side: u8,
    epoch: u8,
    serial: u16,
    slot: u32,
    n: u32,
    sent: Nanos,
}

impl Packet {
    fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != HEADER + PAYLOAD {
            return None;
        }
        let u16_at = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let u32_at = |at: usize| u32::from(u16_at(at)) << 16 | u32::from(u16_at(at + 2));
        let u64_at = |at: usize| u64::from(u32_at(at)) << 32 | u64::from(u32_at(at + 4));
        (u32_at(HEADER) == MAGIC).then(|| Self {
            sequence: u16_at(2),
            ssrc: u32_at(8),
            side: bytes[HEADER + 4],
            epoch: bytes[HEADER + 5],
            serial: u16_at(HEADER + 6),
            slot: u32_at(HEADER + 8),
            n: u32_at(HEADER + 12),
            sent: u64_at(HEADER + 16),
        })
    }
}
