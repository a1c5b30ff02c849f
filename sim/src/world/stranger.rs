//! Somebody who sprays RTP and RTCP at the ports that are open, with the numbers of the streams that go there if he can: nobody
//! ever hears of it, and nothing comes back.
//!
//! Where a peer's source is learnt from its packets, he comes when it has been learnt: before that he might be the peer.

use super::{Event, World};
use crate::checks::Header;
use crate::maps::{Map, Set};
use crate::rng::Rng;
use crate::setup::Setup;
use relay_values::{Duration, Latching, Leg, RelayCommand, RelayEvent, Remote, SessionId, Time};
use std::net::{IpAddr, SocketAddr};

/// Nobody lives there (RFC 2544 §C.2.2).
const FOREIGN: [u8; 2] = [198, 18];

/// He gives up.
const UNTIL: Time = Time::from_millis(160_000);

/// Ports at a time.
const PORTS: u64 = 6;

/// What he knows: more than a stranger could.
pub(super) struct Stranger {
    rng: Rng,
    /// Legs whose peers have been learnt, as they are described.
    learnt: Set<(SessionId, Leg)>,
    described: Map<(SessionId, Leg), Remote>,
    /// The last packet that came from a leg and was passed on.
    last: Map<(SessionId, Leg), Header>,
    /// Packets of his so far.
    pub(super) sent: u64,
}

impl Stranger {
    pub(super) fn new(setup: &Setup) -> Self {
        Self {
            // What he draws shifts nobody else's luck.
            rng: Rng::new(setup.seed.wrapping_mul(0x9e37_79b9)),
            learnt: Set::default(),
            described: Map::default(),
            last: Map::default(),
            sent: 0,
        }
    }

    pub(super) fn is(from: SocketAddr) -> bool {
        matches!(from.ip(), IpAddr::V4(ip) if ip.octets().starts_with(&FOREIGN))
    }

    pub(super) fn command(&mut self, command: &RelayCommand) {
        match command {
            RelayCommand::Connect { session, leg, to } => {
                if self.described.insert((*session, *leg), to.remote) != Some(to.remote) {
                    self.learnt.remove(&(*session, *leg));
                }
            }
            RelayCommand::Retarget { session, leg, to, .. } => {
                self.learnt.remove(&(*session, *leg));
                match to {
                    Some(to) => drop(self.described.insert((*session, *leg), to.remote)),
                    None => drop(self.described.remove(&(*session, *leg))),
                }
            }
            RelayCommand::Renew { session, leg, .. } => {
                self.learnt.remove(&(*session, *leg));
                self.described.remove(&(*session, *leg));
            }
            RelayCommand::Release { session } => {
                self.learnt.retain(|(of, _)| of != session);
                self.described.retain(|(of, _), _| of != session);
                self.last.retain(|(of, _), _| of != session);
            }
            RelayCommand::Open(_) | RelayCommand::Bridge { .. } | RelayCommand::Place { .. } => {}
        }
    }

    pub(super) fn event(&mut self, event: &RelayEvent) {
        if let RelayEvent::Latched { session, leg, .. } = event {
            self.learnt.insert((*session, *leg));
        }
    }

    pub(super) fn passed(&mut self, from: (SessionId, Leg), header: Header) {
        self.last.insert(from, header);
    }

    /// A packet for a leg's port.
    fn packet(&mut self, leg: Option<(SessionId, Leg)>) -> Vec<u8> {
        let seen = leg.and_then(|leg| self.last.get(&leg).copied());
        let (ssrc, sequence, timestamp) = match seen {
            Some(header) if self.rng.chance(700) => {
                (header.ssrc, header.sequence.wrapping_add(1), header.timestamp.wrapping_add(160))
            }
            _ => (self.rng.bits() as u32, self.rng.bits() as u16, self.rng.bits() as u32),
        };
        if self.rng.chance(250) {
            return [&[0x80, 201, 0, 1][..], &ssrc.to_be_bytes()].concat();
        }
        let mut packet = vec![0x80, 0];
        packet.extend(sequence.to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend(ssrc.to_be_bytes());
        packet.extend([0x66; 160]);
        packet
    }
}

impl World {
    /// He tries some ports, and comes again.
    pub(super) fn spray(&mut self) {
        for _ in 0..PORTS {
            let ports = self.bound.len() as u64;
            let chosen = self.stranger.rng.below(ports) as usize;
            let Some(at) = self.bound.nth(chosen) else { break };
            let leg = self.sessions.get(&(at.port() & !1)).copied();
            let learns = self.setup.latching == Latching::Learn;
            if learns && !leg.is_some_and(|leg| self.stranger.learnt.contains(&leg)) {
                continue;
            }
            let [a, b] = FOREIGN;
            let host = [a, b, self.stranger.rng.below(4) as u8, self.stranger.rng.below(250) as u8];
            let from = SocketAddr::from((host, 1024 + self.stranger.rng.below(60_000) as u16));
            let packet = self.stranger.packet(leg);
            self.stranger.sent += 1;
            self.rtp_to_us(at, from, packet);
        }
        let wait = self.stranger.rng.between(Duration::from_millis(10), Duration::from_millis(150));
        if self.now + wait < UNTIL {
            self.after(wait, Event::Spray);
        }
    }
}
