//! A leg's peer: what signalling said of it, and what its flows have learnt.

use crate::latch::{Latch, Source};
use crate::leg::Component;
use crate::packet::{Expect, Packet, classify};
use relay_values::{Carries, Connect, Direction, DropReason, Latching};
use std::net::SocketAddr;

/// A peer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Peer {
    /// `None` until signalling has described it.
    terms: Option<Terms>,
    rtp: Latch,
    rtcp: Latch,
}

/// What was agreed with a peer, beside its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Terms {
    direction: Direction,
    mux: bool,
    event: Option<u8>,
    carries: Carries,
}

impl Peer {
    pub(crate) fn describe(&mut self, to: &Connect) {
        self.rtp.describe(to.remote.rtp);
        self.rtcp.describe(if to.remote.mux { to.remote.rtp } else { to.remote.rtcp });
        let Connect { direction, event, carries, .. } = *to;
        self.terms = Some(Terms { direction, mux: to.remote.mux, event, carries });
    }

    pub(crate) fn is_described(&self) -> bool {
        self.terms.is_some()
    }

    /// Whether it has a stream that we are to send on; a peer that is not known yet may have.
    pub(crate) fn may_send(&self) -> bool {
        self.terms.is_none_or(|t| t.direction.receives())
    }

    /// What its packets are; RTP until signalling has said so.
    pub(crate) fn carries(&self) -> Carries {
        self.terms.map_or(Carries::Rtp, |t| t.carries)
    }

    /// Whether packets are expected from it.
    pub(crate) fn should_send(&self) -> bool {
        self.rtp != Latch::Closed && self.terms.is_some_and(|t| t.direction.receives())
    }

    /// Whether a payload type is its telephone-event.
    pub(crate) fn is_event(&self, payload_type: u8) -> bool {
        self.terms.is_some_and(|t| t.event == Some(payload_type))
    }

    /// Its telephone-event.
    pub(crate) fn event(&self) -> Option<u8> {
        self.terms.and_then(|t| t.event)
    }

    /// Where its RTP is known to come from.
    pub(crate) fn rtp_source(&self) -> Option<SocketAddr> {
        self.rtp.source()
    }

    /// Whether `from` is where its packets are known to come from.
    pub(crate) fn is_at(&self, component: Component, from: SocketAddr) -> bool {
        // The rule for a source that is latched is the same whatever the rule for learning it was.
        self.latch(component).judge(Latching::Exact, from, None) == Source::Peer
    }

    /// Whether a description names the same place as this peer's.
    pub(crate) fn shares_place(&self, to: &Connect) -> bool {
        self.rtp.describes(to.remote.rtp) || self.is_at(Component::Rtp, to.remote.rtp)
    }

    /// Say what `bytes` are that came to the port of a component.
    pub(crate) fn read(&self, component: Component, bytes: &[u8]) -> Result<Packet, DropReason> {
        match (self.carries(), component) {
            (Carries::Rtp, _) => classify(bytes, self.expects(component)),
            (Carries::Sealed, _) => match (classify(bytes, self.expects(component)), component) {
                // Whatever it looks like.
                (Ok(Packet::Rtcp), _) => Ok(Packet::Sealed),
                (Err(DropReason::Dtls), Component::Rtp) => Ok(Packet::Dtls),
                // Without RFC 5761 each port has a handshake of its own (RFC 5764 §4).
                (Err(DropReason::Dtls), Component::Rtcp) => Ok(Packet::Sealed),
                (read, _) => read,
            },
            (Carries::Datagrams, _) if bytes.is_empty() => Err(DropReason::TooShort),
            (Carries::Datagrams, Component::Rtp) => Ok(Packet::Datagram),
            (Carries::Datagrams, Component::Rtcp) => Err(DropReason::NotRtp),
        }
    }

    fn expects(&self, component: Component) -> Expect {
        match component {
            Component::Rtcp => Expect::Rtcp,
            Component::Rtp if self.terms.is_some_and(|t| t.mux) => Expect::Both,
            Component::Rtp => Expect::Rtp,
        }
    }

    /// Whether the packet is the peer's; whether the RTP flow has learnt that just now.
    pub(crate) fn admit(
        &mut self,
        latching: Latching,
        component: Component,
        from: SocketAddr,
        packet: Packet,
    ) -> Result<bool, DropReason> {
        // What RTCP may learn is the host that RTP has learnt; RTP is fenced by nothing but its own rule.
        let (source, latch) = match component {
            Component::Rtp => (self.rtp.judge(latching, from, None), &mut self.rtp),
            Component::Rtcp => {
                let fence = self.rtp.source().map(|a| a.ip());
                (self.rtcp.judge(latching, from, fence), &mut self.rtcp)
            }
        };
        if source == Source::Stranger {
            return Err(DropReason::Stranger);
        }
        // RTCP flows on hold as well (RFC 3264 §5.1).
        if matches!(packet, Packet::Rtp(_) | Packet::Datagram)
            && !self.terms.is_some_and(|t| t.direction.receives())
        {
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

    /// Where its RTP goes.
    pub(crate) fn rtp_target(&self, latching: Latching) -> Result<SocketAddr, DropReason> {
        let Some(terms) = self.terms else { return Err(DropReason::NoTarget) };
        if !terms.direction.sends() {
            return Err(DropReason::Held);
        }
        self.rtp.target(latching).ok_or(DropReason::NoTarget)
    }

    /// Where its DTLS goes, which is not media and so is not held.
    pub(crate) fn dtls_target(&self, latching: Latching) -> Result<SocketAddr, DropReason> {
        self.rtp.target(latching).ok_or(DropReason::NoTarget)
    }

    /// On which of our ports its RTCP is exchanged, and where that goes.
    pub(crate) fn rtcp_target(&self, latching: Latching) -> Result<(Component, SocketAddr), DropReason> {
        let mux = self.terms.is_some_and(|t| t.mux);
        let component = if mux { Component::Rtp } else { Component::Rtcp };
        self.latch(component).target(latching).map(|to| (component, to)).ok_or(DropReason::NoTarget)
    }

    fn latch(&self, component: Component) -> &Latch {
        match component {
            Component::Rtp => &self.rtp,
            Component::Rtcp => &self.rtcp,
        }
    }
}
