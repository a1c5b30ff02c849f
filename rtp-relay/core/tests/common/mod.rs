//! A shell for stories: it binds every pair that it is asked for, and drains what the relay says.
#![allow(dead_code, reason = "every test file compiles this module and uses a part of it")]

pub(crate) mod compounds;

use relay_core::{Outgoing, PortPair, PortRef, PortRequest, Relay, RelayConfig, Verdict};
use relay_values::{
    Carries, Connect, Direction, Duration, Latching, Leg, LegSpec, Open, OpenFailure, RegionId, RelayCommand,
    RelayEvent, Remote, SessionId, SessionStats, Time,
};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

pub(crate) const V4: &str = "198.51.100.1";
pub(crate) const V6: &str = "2001:db8::1";
/// The A-leg's peer and the B-leg's peer.
pub(crate) const ALICE: &str = "192.0.2.1:4000";
pub(crate) const BOB: &str = "203.0.113.1:5000";

pub(crate) struct Shell {
    pub(crate) relay: Relay,
    pub(crate) now: Time,
    pub(crate) events: Vec<RelayEvent>,
    /// Packets of the relay's own making.
    pub(crate) own: Vec<Sent>,
    pub(crate) bound: BTreeMap<SocketAddr, PortRef>,
    /// RTP ports that cannot be bound.
    pub(crate) refused: Vec<u16>,
    pub(crate) binds: usize,
    pub(crate) closes: usize,
}

pub(crate) fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(crate) fn config(ports: std::ops::RangeInclusive<u16>) -> RelayConfig {
    let addresses = [V4, V6].map(|a| a.parse().unwrap()).to_vec();
    RelayConfig { addresses, ports, ..RelayConfig::default() }
}

pub(crate) fn open(serial: u64) -> Open {
    let leg = LegSpec { local: V4.parse().unwrap(), latching: Latching::Exact };
    Open {
        session: SessionId::new(0, serial),
        a: leg,
        b: leg,
        region: RegionId(1),
        tier_leg: Leg::B,
        inactivity: Some(Duration::from_secs(12)),
    }
}

pub(crate) fn connect(rtp: &str) -> Connect {
    let rtp = at(rtp);
    let rtcp = SocketAddr::new(rtp.ip(), rtp.port().saturating_add(1));
    Connect {
        remote: Remote { rtp, rtcp, mux: false },
        direction: Direction::SendRecv,
        clock_rate: 8000,
        event: None,
        carries: Carries::Rtp,
    }
}

pub(crate) fn rtp(ssrc: u32, sequence: u16, timestamp: u32) -> Vec<u8> {
    let mut b = vec![0x80, 0];
    b.extend(sequence.to_be_bytes());
    b.extend(timestamp.to_be_bytes());
    b.extend(ssrc.to_be_bytes());
    b.extend([0xd5; 160]);
    b
}

/// What an RTP header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) marker: bool,
    pub(crate) payload_type: u8,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
}

pub(crate) fn header(bytes: &[u8]) -> Header {
    let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    Header {
        marker: bytes[1] & 0x80 != 0,
        payload_type: bytes[1] & 0x7f,
        sequence: word(0) as u16,
        timestamp: word(4),
        ssrc: word(8),
    }
}

pub(crate) fn rtcp(ssrc: u32) -> Vec<u8> {
    let mut b = vec![0x80, 201, 0, 1];
    b.extend(ssrc.to_be_bytes());
    b
}

impl Shell {
    pub(crate) fn new(config: RelayConfig) -> Self {
        Self {
            relay: Relay::new(&config, 7),
            now: Time::from_millis(1000),
            events: Vec::new(),
            own: Vec::new(),
            bound: BTreeMap::new(),
            refused: Vec::new(),
            binds: 0,
            closes: 0,
        }
    }

    pub(crate) fn command(&mut self, command: RelayCommand) {
        self.relay.command(self.now, command);
        self.drain();
    }

    pub(crate) fn drain(&mut self) {
        while let Some(request) = self.relay.poll_port() {
            match request {
                PortRequest::Bind(PortPair { rtp, rtcp, rtp_addr, rtcp_addr }) => {
                    self.binds += 1;
                    assert_eq!(rtp_addr.port() % 2, 0, "RTP has the even port");
                    assert_eq!(rtcp_addr.port(), rtp_addr.port() + 1);
                    let done = !self.refused.contains(&rtp_addr.port());
                    if done {
                        self.bound.insert(rtp_addr, rtp);
                        self.bound.insert(rtcp_addr, rtcp);
                    }
                    self.relay.bound(self.now, rtp, done);
                }
                PortRequest::Close(pair) => {
                    self.closes += 1;
                    assert!(self.bound.remove(&pair.rtp_addr).is_some(), "closed, but never bound");
                    assert!(self.bound.remove(&pair.rtcp_addr).is_some());
                }
            }
        }
        let mut buffer = [0; relay_core::limits::MAX_PACKET];
        while let Some(Outgoing { port, to, len }) = self.relay.poll_send(&mut buffer) {
            let from = self.relay.local(port).unwrap();
            assert_eq!(self.bound.get(&from), Some(&port), "sent from a port that is not bound");
            self.own.push(Sent { from, to, bytes: buffer[..len].to_vec() });
        }
        while let Some(event) = self.relay.poll_event() {
            self.events.push(event);
        }
    }

    /// Let time pass, with every timeout that falls into it.
    pub(crate) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while self.relay.poll_timeout() <= until {
            self.now = self.now.max(self.relay.poll_timeout());
            self.relay.timeout(self.now);
            self.drain();
        }
        self.now = until;
    }

    pub(crate) fn events(&mut self) -> Vec<RelayEvent> {
        std::mem::take(&mut self.events)
    }

    /// Open a session; the ports of its legs.
    pub(crate) fn open(&mut self, open: Open) -> Result<(u16, u16), OpenFailure> {
        let id = open.session;
        self.command(RelayCommand::Open(open));
        let at = self.events.iter().position(|e| e.session() == Some(id)).expect("no answer to Open");
        match self.events.remove(at) {
            RelayEvent::Opened { a_port, b_port, .. } => Ok((a_port, b_port)),
            RelayEvent::OpenFailed { reason, .. } => Err(reason),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn connect(&mut self, session: SessionId, leg: Leg, to: Connect) {
        self.command(RelayCommand::Connect { session, leg, to });
    }

    /// Open and connect a session; the ports of its legs.
    pub(crate) fn call(&mut self, open: Open, alice: Connect, bob: Connect) -> (u16, u16) {
        let id = open.session;
        let ports = self.open(open).unwrap();
        self.connect(id, Leg::A, alice);
        self.connect(id, Leg::B, bob);
        ports
    }

    pub(crate) fn release(&mut self, session: SessionId) -> SessionStats {
        self.command(RelayCommand::Release { session });
        match self.events.pop() {
            Some(RelayEvent::Released { session: s, stats }) if s == session => *stats,
            other => panic!("{other:?}"),
        }
    }

    /// A packet from `from` to our `port` on `local`: what is sent, and from which of our ports to where.
    pub(crate) fn packet_at(
        &mut self,
        local: &str,
        port: u16,
        from: &str,
        bytes: &[u8],
    ) -> Result<Sent, relay_values::DropReason> {
        let ip: IpAddr = local.parse().unwrap();
        let port = *self.bound.get(&SocketAddr::new(ip, port)).expect("a packet to a port that is not bound");
        let mut bytes = bytes.to_vec();
        let verdict = self.relay.packet(self.now, port, at(from), &mut bytes);
        self.drain();
        match verdict {
            Verdict::Drop(reason) => Err(reason),
            Verdict::Anew => Ok(self.own.pop().expect("a packet written anew")),
            Verdict::Forward { port, to } => Ok(Sent { from: self.relay.local(port).unwrap(), to, bytes }),
        }
    }

    pub(crate) fn packet(
        &mut self,
        port: u16,
        from: &str,
        bytes: &[u8],
    ) -> Result<Sent, relay_values::DropReason> {
        self.packet_at(V4, port, from, bytes)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}
