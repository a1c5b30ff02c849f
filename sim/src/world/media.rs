//! RTP and RTCP through the relay, and what it makes of its own.

use super::stranger::Stranger;
use super::{Condition, Event, World};
use crate::agent::Side;
use crate::checks::{Header, Source};
use relay_core::Verdict;
use relay_values::{Leg, RelayEvent, SessionId, Time};
use std::net::SocketAddr;

/// An RTP packet that left us, for stories.
#[derive(Debug, Clone, Copy)]
pub struct Heard {
    /// When.
    pub at: Time,
    /// The call.
    pub call: Option<usize>,
    /// Who hears it.
    pub side: Side,
    /// The session, and the leg that hears it.
    pub by: (SessionId, Leg),
    /// The agent that sent it; `None`: it is of our own making.
    pub of: Option<usize>,
    /// Its header.
    pub header: Header,
}

impl World {
    pub(super) fn rtp_to_us(&mut self, at: SocketAddr, from: SocketAddr, mut packet: Vec<u8>) {
        // A port that is closed: the datagram is lost, as the system would have it.
        let Some(port) = self.bound.get(at) else { return };
        let before = Header::read(&packet);
        let verdict = self.relay.packet(self.now, port, from, &mut packet);
        self.drain_relay();
        if Stranger::is(from) && !matches!(verdict, Verdict::Drop(_)) {
            self.checks.broken(self.now, None, "strangers", format!("{from} is heard at {at}: {verdict:?}"));
        }
        let Verdict::Forward { port, to } = verdict else { return };
        let ours = self.relay.local(port);
        if let Some(before) = before {
            if let Some(leg) = self.sessions.get(&at.port()) {
                self.stranger.passed(*leg, before);
            }
            self.tap((ours, to), &packet, Some((from, before)));
        }
        self.deliver(to, packet);
    }

    /// What the relay makes itself: fills, and ends of keys.
    pub(super) fn drain_sound(&mut self) {
        // Cleared once and not for every packet that brings nothing of the kind.
        let mut buffer = std::mem::take(&mut self.buffer);
        while let Some(out) = self.relay.poll_send(&mut buffer) {
            let packet = &buffer[..out.len];
            self.tap((self.relay.local(out.port), out.to), packet, None);
            self.deliver(out.to, packet.to_vec());
        }
        self.buffer = buffer;
    }

    /// What leaves us towards an agent.
    fn deliver(&mut self, to: SocketAddr, packet: Vec<u8>) {
        self.trace.mix(self.now, &packet);
        let Some(&agent) = self.by_media.get(&to.ip()) else {
            return self.checks.broken(self.now, None, "address", format!("RTP to {to}, where nobody is"));
        };
        if matches!(self.conditions[agent], Condition::Alive | Condition::Frozen) {
            let arrivals = self.link.arrivals(&mut self.rng);
            self.arrive(arrivals, packet, |packet| Event::RtpToAgent(agent, to.port(), packet));
        }
    }

    /// The rules see RTP as it leaves us, beside what it was when it came.
    fn tap(
        &mut self,
        way: (Option<SocketAddr>, SocketAddr),
        packet: &[u8],
        was: Option<(SocketAddr, Header)>,
    ) {
        let by = way.0.and_then(|at| self.sessions.get(&at.port()).copied());
        let (Some(by), Some(header)) = (by, Header::read(packet)) else { return };
        let source = was.map_or(Source::Ours, |(from, header)| Source::Peer(from, header));
        let hears = self.by_media.get(&way.1.ip()).and_then(|agent| self.agents.get(*agent));
        let call = hears.and_then(|agent| agent.call_at(way.1.port()));
        if let Some(side) = hears.map(|agent| agent.side).filter(|_| self.setup.tape) {
            let of = was.and_then(|(from, _)| self.by_media.get(&from.ip()).copied());
            self.tape.push(Heard { at: self.now, call, side, by, of, header });
        }
        self.checks.heard(self.now, call, by, source, header, packet);
    }

    /// A session's ports are known as soon as signalling could know them.
    pub(super) fn note_session(&mut self, event: &RelayEvent) {
        self.stranger.event(event);
        match event {
            RelayEvent::Opened { session, a_port, b_port } => {
                self.sessions.retain(|_, (of, _)| of != session);
                self.sessions.insert(*a_port, (*session, Leg::A));
                self.sessions.insert(*b_port, (*session, Leg::B));
            }
            RelayEvent::Released { session, .. } => {
                self.sessions.retain(|_, (of, _)| of != session);
                self.checks.released(*session);
            }
            RelayEvent::RegionSilent { .. } | RelayEvent::RegionHeard { .. } => {
                self.faults.silent += u64::from(matches!(event, RelayEvent::RegionSilent { .. }));
                self.trace.note(self.now, None, format!("{event:?}"));
            }
            RelayEvent::OpenFailed { .. }
            | RelayEvent::Latched { .. }
            | RelayEvent::Strayed { .. }
            | RelayEvent::Silent { .. }
            | RelayEvent::Resumed { .. } => {}
        }
    }
}
