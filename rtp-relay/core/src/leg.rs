//! One leg of a session: its ports, its peer, and the stream that comes from it.

use crate::bridge::Bridge;
use crate::ending::Ending;
use crate::event::Event;
use crate::ghosts::Ghost;
use crate::latch::same;
use crate::limits::{AT_ONCE, STRAYED_AFTER};
use crate::meter::Meter;
use crate::offload::Fast;
use crate::packet::{Packet, RtpHeader};
use crate::peer::Peer;
use crate::ports::{Pair, PortRef};
use crate::relay::Patience;
use crate::reports::Reports;
use crate::rewrite::Line;
use crate::rtcp::Speaker;
use crate::strangers::Attempt;
use crate::watch::Watch;
use relay_values::{Carrier, Connect, DropReason, FlowStats, Gap, Incoming, Latching, LegSpec, Time};
use std::net::{IpAddr, SocketAddr};

/// Which of a leg's two flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Component {
    Rtp,
    Rtcp,
}

/// Where a packet goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Onward {
    /// From which of our ports.
    pub(crate) port: PortRef,
    pub(crate) to: SocketAddr,
}

/// One leg's ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ports {
    /// None yet.
    None,
    /// The shell is binding a pair; `tries` have failed.
    Binding { pair: Pair, tries: u8 },
    /// Ours.
    Held(Pair),
    /// Ours until the shell has bound another one in its place.
    Renewing { held: Pair, pair: Pair, tries: u8 },
}

/// One leg of a session.
#[derive(Debug)]
pub(crate) struct LegState {
    pub(crate) local: IpAddr,
    pub(crate) ports: Ports,
    latching: Latching,
    pub(crate) peer: Peer,
    /// What signalling said of it last.
    described: Option<Connect>,
    pub(crate) succession: Succession,
    pub(crate) rtcp_packets: u64,
    pub(crate) meter: Meter,
    /// The line of the stream that this leg's peer sends, as the other leg's peer receives it.
    pub(crate) line: Line,
    /// What was reported of that stream.
    pub(crate) reports: Reports,
    /// The event that its peer sends.
    pub(crate) event: Event,
    /// The end of one that its peer cannot end any more.
    pub(crate) ending: Option<Box<Ending>>,
    /// An event of the other leg that still goes to the peer that was left.
    pub(crate) detour: Option<Box<Detour>>,
    /// What the other leg hears when nothing comes from this one.
    pub(crate) bridge: Option<Box<Bridge>>,
    /// The last packet of any kind, for the watch.
    pub(crate) heard: Option<Time>,
    /// The last RTP packet.
    pub(crate) spoke: Option<Time>,
    pub(crate) watch: Watch,
    /// Who carries its RTP.
    pub(crate) fast: Fast,
    pub(crate) patience: Patience,
    /// When its ports became ours, and the stream that goes on from before that.
    opened: Time,
    ghost: Option<Ghost>,
    /// What has been learnt and not been told.
    learnt: Option<SocketAddr>,
    /// It has been told that its stream goes on elsewhere.
    strayed: bool,
}

/// How a leg comes from one peer to the next.
#[derive(Debug, Clone, Default)]
pub(crate) enum Succession {
    /// It has the peer that it has.
    #[default]
    Settled,
    /// The peer was forgotten; whoever comes first is the next.
    Vacant,
    /// The peer was described, but this one before it is still heard until the first packet of the new one.
    Overlap(Box<Peer>),
}

/// An event that began towards a peer and ends there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Detour {
    /// Its timestamp, as its sender has it.
    pub(crate) timestamp: u32,
    to: SocketAddr,
}

/// What taking a packet has brought about, beside the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) packet: Packet,
    /// Whose packet it is.
    pub(crate) whose: Whose,
}

/// Whose packet was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The peer's.
    Present,
    /// The new peer's first.
    First(Option<Gap>),
    /// The peer's that is being left.
    Old,
}

impl LegState {
    pub(crate) fn new(spec: &LegSpec) -> Self {
        Self {
            local: spec.local,
            ports: Ports::None,
            latching: spec.latching,
            peer: Peer::default(),
            described: None,
            succession: Succession::Settled,
            rtcp_packets: 0,
            meter: Meter::new(),
            line: Line::Unused,
            reports: Reports::default(),
            event: Event::None,
            ending: None,
            detour: None,
            bridge: None,
            heard: None,
            spoke: None,
            watch: Watch::Off,
            fast: Fast::default(),
            patience: Patience::default(),
            opened: Time::NEVER,
            ghost: None,
            learnt: None,
            strayed: false,
        }
    }

    /// Packets may come from now on; `ghost` has come before.
    pub(crate) fn opened(&mut self, now: Time, ghost: Option<Ghost>) {
        (self.opened, self.ghost) = (now, ghost);
    }

    /// The pair, once it is bound.
    pub(crate) fn pair(&self) -> Option<Pair> {
        match self.ports {
            Ports::Held(pair) | Ports::Renewing { held: pair, .. } => Some(pair),
            Ports::None | Ports::Binding { .. } => None,
        }
    }

    /// Whether a description says something new of the packets that come from its peer.
    pub(crate) fn is_news_of_source(&self, to: &Connect) -> bool {
        let of_source =
            |c: &Connect| (c.remote.rtp, c.direction.receives(), c.clock_rate, c.event, c.carries);
        self.described.as_ref().map(of_source) != Some(of_source(to))
    }

    /// Whether its peer may be reached elsewhere than it said: behind a NAT that is known with its first packet.
    pub(crate) fn is_sought(&self) -> bool {
        let is_known = !self.peer.should_send() || self.peer.rtp_source().is_some();
        self.latching == Latching::Learn && (self.peer.is_being_learnt() || !is_known)
    }

    pub(crate) fn describe(&mut self, to: &Connect) {
        self.described = Some(*to);
        self.peer.describe(self.latching, to);
        self.meter.set_clock_rate(to.clock_rate);
        if !to.direction.receives() {
            // What is held from now on is not taken, and not loss either.
            self.meter.end_source();
        }
    }

    /// Another receives the stream from its peer from now on.
    pub(crate) fn hand_over(&mut self) {
        self.reports.hearing.new_receiver(self.line.since_now());
    }

    /// The peer is gone, and nobody has its place yet.
    pub(crate) fn vacate(&mut self) {
        self.peer = Peer::after(self.peer.rtp_heard());
        self.described = None;
        self.succession = Succession::Vacant;
        self.detour = None;
        self.heard = None;
        self.meter.end_source();
        self.line.moved();
    }

    /// Packets go to another peer from now on; the old one is heard until that speaks.
    pub(crate) fn succeed(&mut self, to: &Connect) {
        let old = std::mem::take(&mut self.peer);
        let old = match std::mem::take(&mut self.succession) {
            Succession::Settled | Succession::Vacant => Box::new(old),
            // A successor that was never heard has nothing to be left.
            Succession::Overlap(first) => first,
        };
        // The new one may have been heard before it was named: a single packet from elsewhere is not his then.
        let named_late = old.rtp_heard().filter(|heard| same(*heard, to.remote.rtp));
        // Nobody can tell two peers in one place apart: what comes from there is the new one's.
        let old = if old.shares_place(to) { Box::default() } else { old };
        self.peer = Peer::after(old.rtp_heard().or(named_late));
        self.succession = Succession::Overlap(old);
        self.describe(to);
    }

    /// Let the other leg's event under way end where it began.
    pub(crate) fn detour(&mut self, timestamp: u32) {
        if let Ok(Onward { to, .. }) = self.accept_rtp() {
            self.detour = Some(Box::new(Detour { timestamp, to }));
        }
    }

    /// Take a packet that came to this leg's side, if it is its peer's.
    pub(crate) fn take(
        &mut self,
        now: Time,
        component: Component,
        from: SocketAddr,
        bytes: &[u8],
    ) -> Result<Taken, DropReason> {
        if let Succession::Overlap(old) = &mut self.succession
            && old.is_at(component, from)
        {
            let packet = old.read(component, bytes)?;
            old.admit(now, self.latching, component, from, packet)?;
            self.heard = Some(now);
            return Ok(Taken { packet, whose: Whose::Old });
        }
        if !self.peer.is_described() && now < self.opened + AT_ONCE {
            self.peer.sends_too_soon(from);
        }
        let packet = self.peer.read(component, bytes)?;
        if let (Some(ghost), Packet::Rtp(header)) = (&self.ghost, &packet)
            && ghost.goes_on(from, header)
            && !self.peer.is_described_at(from)
        {
            return Err(DropReason::Stranger);
        }
        let learnt = self.peer.admit(now, self.latching, component, from, packet)?;
        self.learnt = learnt.or(self.learnt);
        self.heard = Some(now);
        let whose = match packet {
            Packet::Rtp(_) | Packet::Datagram => self.settle(now),
            Packet::Rtcp | Packet::Sealed | Packet::Dtls => Whose::Present,
        };
        Ok(Taken { packet, whose })
    }

    /// Time has passed: what is learnt with it is learnt.
    pub(crate) fn lapse(&mut self, now: Time) {
        let learnt = self.peer.lapse(now);
        self.learnt = learnt.or(self.learnt);
    }

    /// Where its RTP comes from, if that is news.
    pub(crate) fn learnt(&mut self) -> Option<SocketAddr> {
        let learnt = self.learnt.take();
        self.strayed &= learnt.is_none();
        learnt
    }

    /// What a packet is that came to this leg's side from a stranger; nothing, before there is anybody to be told from.
    pub(crate) fn attempt(&mut self, now: Time, component: Component, bytes: &[u8]) -> Option<Attempt> {
        if !self.peer.is_described() {
            return None;
        }
        let header = match self.peer.read(component, bytes) {
            Ok(Packet::Rtp(header)) => header,
            Ok(Packet::Rtcp | Packet::Sealed) => return Some(Attempt::Rtcp),
            Ok(Packet::Datagram | Packet::Dtls) | Err(_) => return Some(Attempt::Rtp),
        };
        if !self.meter.continues(&header) {
            return Some(Attempt::Rtp);
        }
        let silent = self.spoke.is_some_and(|spoke| spoke + STRAYED_AFTER <= now);
        if !silent || self.strayed || self.peer.rtp_source().is_none() {
            return Some(Attempt::Forged);
        }
        self.strayed = true;
        Some(Attempt::Strayed)
    }

    /// The present peer has spoken: there is no other one any more.
    fn settle(&mut self, now: Time) -> Whose {
        if matches!(self.succession, Succession::Settled) {
            return Whose::Present;
        }
        let filled = self.bridge.as_ref().and_then(|b| b.filled(self.spoke));
        let gap = Gap { last: self.spoke, filled, resumed: now };
        self.bridge = None;
        match std::mem::take(&mut self.succession) {
            Succession::Settled | Succession::Vacant => Whose::First(None),
            Succession::Overlap(_) => {
                self.meter.end_source();
                Whose::First(Some(gap))
            }
        }
    }

    /// As whom the other leg knows the sender of RTCP, and whether it may say farewell: while a leg is between two peers,
    /// neither's end is the stream's end.
    pub(crate) fn introduces(&self, whose: Whose) -> (Speaker, bool) {
        let settled = matches!(self.succession, Succession::Settled);
        let speaker = match (settled, whose, self.line.ssrc()) {
            // The next peer, before its first RTP.
            (false, Whose::Present | Whose::First(_), Some(known_as)) => Speaker::Unheard { known_as },
            _ => self.line.speaker(),
        };
        (speaker, settled && self.bridge.is_none())
    }

    /// Whether what it reports of the other leg's stream counts: that still goes to it, and while we speak in its place we
    /// report ourselves.
    pub(crate) fn hears(&self, whose: Whose) -> bool {
        whose != Whose::Old && !(self.bridge.is_some() && self.line.is_filled())
    }

    /// The line, as it is to be reported of to the peer: one that has not spoken yet has no part in it.
    pub(crate) fn answerable(&self) -> Line {
        let mut line = self.line;
        if !matches!(self.succession, Succession::Settled) {
            line.moved();
        }
        line
    }

    /// What was measured of the stream from its peer, and reported of it by the other leg's.
    pub(crate) fn stats(&self) -> FlowStats {
        FlowStats { reported: self.reports.reported(self.meter.clock_rate()), ..self.meter.stats() }
    }

    /// What comes from its peer at present.
    pub(crate) fn incoming(&self) -> Incoming {
        let carrier = if self.fast.is_carried() { Carrier::Kernel } else { Carrier::Sockets };
        Incoming {
            direction: self.described.map(|described| described.direction),
            from: self.peer.rtp_heard(),
            last: self.spoke,
            carrier,
            bridged: self.bridge.is_some(),
        }
    }

    /// Whether a packet reports an event.
    pub(crate) fn is_event(&self, whose: Whose, header: &RtpHeader) -> bool {
        match (&self.succession, whose) {
            (Succession::Overlap(old), Whose::Old) => old.is_event(header.payload_type),
            _ => self.peer.is_event(header.payload_type),
        }
    }

    /// Where RTP for this leg's peer goes.
    pub(crate) fn accept_rtp(&self) -> Result<Onward, DropReason> {
        self.onward(Component::Rtp, self.peer.rtp_target(self.latching)?)
    }

    /// Where DTLS for this leg's peer goes.
    pub(crate) fn accept_dtls(&self) -> Result<Onward, DropReason> {
        self.onward(Component::Rtp, self.peer.dtls_target(self.latching)?)
    }

    /// Where an event of the other leg goes, if that is another place.
    pub(crate) fn accept_event(&self, timestamp: u32) -> Option<Onward> {
        let detour = self.detour.as_ref().filter(|d| d.timestamp == timestamp)?;
        self.onward(Component::Rtp, detour.to).ok()
    }

    /// Where RTCP for this leg's peer goes.
    pub(crate) fn accept_rtcp(&self) -> Result<Onward, DropReason> {
        let (component, to) = self.peer.rtcp_target(self.latching)?;
        self.onward(component, to)
    }

    fn onward(&self, component: Component, to: SocketAddr) -> Result<Onward, DropReason> {
        let pair =
            self.pair().filter(|_| to.is_ipv4() == self.local.is_ipv4()).ok_or(DropReason::NoTarget)?;
        let port = match component {
            Component::Rtp => pair.rtp(),
            Component::Rtcp => pair.rtcp(),
        };
        Ok(Onward { port, to })
    }
}
