//! A session: two legs, each with an RTP and an RTCP flow, and the way of a packet from one leg to the other.

use crate::latch::{Latch, Source};
use crate::meter::Meter;
use crate::packet::{Expect, Packet, classify};
use crate::ports::Pair;
use crate::rewrite::Line;
use crate::watch::Watch;
use relay_values::{
    Connect, Direction, DropCounts, DropReason, Duration, Latching, Leg, LegSpec, Open, SessionId,
    SessionStats, SilenceKind, Time,
};
use std::net::{IpAddr, SocketAddr};

/// Which of a leg's two flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Component {
    Rtp,
    Rtcp,
}

/// Where an accepted packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Onward {
    /// From which of our ports.
    pub(crate) pair: Pair,
    pub(crate) component: Component,
    pub(crate) to: SocketAddr,
}

/// The flows of one call.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    inactivity: Option<Duration>,
    /// It has a turn on the wheel.
    pub(crate) on_wheel: bool,
    a: LegState,
    b: LegState,
    drops: DropCounts,
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
}

/// One leg of a session.
#[derive(Debug)]
pub(crate) struct LegState {
    pub(crate) local: IpAddr,
    pub(crate) ports: Ports,
    latching: Latching,
    /// `None` until signalling has described the peer.
    peer: Option<Terms>,
    rtp: Latch,
    rtcp: Latch,
    rtcp_packets: u64,
    meter: Meter,
    /// The line of the stream that this leg's peer sends, as the other leg's peer receives it.
    line: Line,
    heard: Option<Time>,
    watch: Watch,
}

/// What was agreed with a peer, beside its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Terms {
    direction: Direction,
    mux: bool,
}

impl Session {
    pub(crate) fn new(open: &Open) -> Self {
        Self {
            id: open.session,
            inactivity: open.inactivity,
            on_wheel: false,
            a: LegState::new(&open.a),
            b: LegState::new(&open.b),
            drops: DropCounts::default(),
        }
    }

    pub(crate) fn leg(&self, leg: Leg) -> &LegState {
        match leg {
            Leg::A => &self.a,
            Leg::B => &self.b,
        }
    }

    pub(crate) fn leg_mut(&mut self, leg: Leg) -> &mut LegState {
        match leg {
            Leg::A => &mut self.a,
            Leg::B => &mut self.b,
        }
    }

    /// Take signalling's word about a leg's peer.
    pub(crate) fn connect(&mut self, now: Time, leg: Leg, to: &Connect) {
        self.leg_mut(leg).describe(to);
        self.watch_again(now);
    }

    /// Move a leg to another peer.
    pub(crate) fn retarget(&mut self, now: Time, leg: Leg, to: Option<&Connect>) {
        self.leg_mut(leg).forget_peer();
        if let Some(to) = to {
            self.leg_mut(leg).describe(to);
        }
        self.watch_again(now);
    }

    /// Every word of signalling starts the clock of both legs anew: ringing is not silence, and neither was hold.
    fn watch_again(&mut self, now: Time) {
        let connected = self.a.peer.is_some() && self.b.peer.is_some();
        for leg in [&mut self.a, &mut self.b] {
            let expected =
                connected && leg.rtp != Latch::Closed && leg.peer.is_some_and(|p| p.direction.receives());
            leg.watch = if expected { Watch::Since(now) } else { Watch::Off };
        }
    }

    /// When the session wants its turn on the wheel.
    pub(crate) fn next_watch(&self) -> Option<Time> {
        let inactivity = self.inactivity?;
        let (a, b) = (self.a.watch.due(self.a.heard, inactivity), self.b.watch.due(self.b.heard, inactivity));
        a.into_iter().chain(b).min()
    }

    /// The leg that has fallen silent, if one has; ask until there is none.
    pub(crate) fn silence(&mut self, now: Time) -> Option<(Leg, Time, SilenceKind)> {
        let inactivity = self.inactivity?;
        [Leg::A, Leg::B].into_iter().find_map(|l| {
            let leg = self.leg_mut(l);
            let (since, kind) = leg.watch.check(now, leg.heard, inactivity)?;
            Some((l, since, kind))
        })
    }

    /// Take a packet from `leg`'s side, if it is its peer's. Whether that has just been learnt.
    pub(crate) fn take(
        &mut self,
        now: Time,
        leg: Leg,
        component: Component,
        from: SocketAddr,
        bytes: &[u8],
    ) -> Result<(Packet, bool), DropReason> {
        let source = self.leg_mut(leg);
        let packet = classify(bytes, source.expects(component))?;
        let learnt = source.admit(component, from, packet)?;
        source.heard = Some(now);
        match packet {
            Packet::Rtp(header) => source.meter.packet(now, &header, bytes.len()),
            Packet::Rtcp => source.rtcp_packets += 1,
        }
        Ok((packet, learnt))
    }

    /// Pass a packet that was taken from `leg` on to the other leg, rewritten in place.
    pub(crate) fn pass(
        &mut self,
        now: Time,
        leg: Leg,
        packet: Packet,
        bytes: &mut [u8],
    ) -> Result<Onward, DropReason> {
        let (source, sink) = match leg {
            Leg::A => (&mut self.a, &self.b),
            Leg::B => (&mut self.b, &self.a),
        };
        match packet {
            Packet::Rtp(header) => {
                let onward = sink.accept_rtp()?;
                source.line.pass(now, source.meter.clock_rate(), &header, bytes);
                source.meter.forwarded();
                Ok(onward)
            }
            Packet::Rtcp => sink.accept_rtcp(),
        }
    }

    pub(crate) fn count_drop(&mut self, reason: DropReason) {
        self.drops.count(reason);
    }

    /// A packet that was to go out on `leg`'s side could not be sent.
    pub(crate) fn send_failed(&mut self, leg: Leg, component: Component) {
        self.drops.count(DropReason::SendFailed);
        if component == Component::Rtp {
            self.leg_mut(leg.other()).meter.not_forwarded();
        }
    }

    pub(crate) fn stats(&self) -> SessionStats {
        SessionStats {
            from_a: self.a.meter.stats(),
            from_b: self.b.meter.stats(),
            rtcp_from_a: self.a.rtcp_packets,
            rtcp_from_b: self.b.rtcp_packets,
            drops: self.drops,
        }
    }
}

impl LegState {
    fn new(spec: &LegSpec) -> Self {
        Self {
            local: spec.local,
            ports: Ports::None,
            latching: spec.latching,
            peer: None,
            rtp: Latch::Closed,
            rtcp: Latch::Closed,
            rtcp_packets: 0,
            meter: Meter::new(),
            line: Line::Unused,
            heard: None,
            watch: Watch::Off,
        }
    }

    /// The pair, once it is bound.
    pub(crate) fn pair(&self) -> Option<Pair> {
        match self.ports {
            Ports::Held(pair) => Some(pair),
            Ports::None | Ports::Binding { .. } => None,
        }
    }

    fn describe(&mut self, to: &Connect) {
        self.rtp.describe(to.remote.rtp);
        self.rtcp.describe(if to.remote.mux { to.remote.rtp } else { to.remote.rtcp });
        self.meter.set_clock_rate(to.clock_rate);
        if !to.direction.receives() {
            // What is held from now on is not taken, and not loss either.
            self.meter.end_source();
        }
        self.peer = Some(Terms { direction: to.direction, mux: to.remote.mux });
    }

    fn forget_peer(&mut self) {
        (self.rtp, self.rtcp) = (Latch::Closed, Latch::Closed);
        (self.peer, self.heard) = (None, None);
        self.meter.end_source();
        self.line.moved();
    }

    fn expects(&self, component: Component) -> Expect {
        match component {
            Component::Rtcp => Expect::Rtcp,
            Component::Rtp if self.peer.is_some_and(|p| p.mux) => Expect::Both,
            Component::Rtp => Expect::Rtp,
        }
    }

    /// Whether the packet is the peer's; whether the RTP flow has learnt that just now.
    fn admit(&mut self, component: Component, from: SocketAddr, packet: Packet) -> Result<bool, DropReason> {
        // What RTCP may learn is the host that RTP has learnt; RTP is fenced by nothing but its own rule.
        let (source, latch) = match component {
            Component::Rtp => (self.rtp.judge(self.latching, from, None), &mut self.rtp),
            Component::Rtcp => {
                let fence = self.rtp.source().map(|a| a.ip());
                (self.rtcp.judge(self.latching, from, fence), &mut self.rtcp)
            }
        };
        if source == Source::Stranger {
            return Err(DropReason::Stranger);
        }
        // RTCP flows on hold as well (RFC 3264 §5.1).
        if matches!(packet, Packet::Rtp(_)) && !self.peer.is_some_and(|p| p.direction.receives()) {
            return Err(DropReason::Held);
        }
        if source == Source::Peer {
            return Ok(false);
        }
        latch.hold(from);
        if component == Component::Rtp {
            self.rtcp.unlearn_unless(from.ip());
        }
        Ok(component == Component::Rtp)
    }

    fn accept_rtp(&self) -> Result<Onward, DropReason> {
        let Some(peer) = self.peer else { return Err(DropReason::NoTarget) };
        if !peer.direction.sends() {
            return Err(DropReason::Held);
        }
        self.onward(Component::Rtp)
    }

    fn accept_rtcp(&self) -> Result<Onward, DropReason> {
        let mux = self.peer.is_some_and(|p| p.mux);
        self.onward(if mux { Component::Rtp } else { Component::Rtcp })
    }

    fn onward(&self, component: Component) -> Result<Onward, DropReason> {
        let latch = match component {
            Component::Rtp => &self.rtp,
            Component::Rtcp => &self.rtcp,
        };
        let to = latch.target(self.latching).filter(|to| to.is_ipv4() == self.local.is_ipv4());
        match (to, self.pair()) {
            (Some(to), Some(pair)) => Ok(Onward { pair, component, to }),
            _ => Err(DropReason::NoTarget),
        }
    }
}
