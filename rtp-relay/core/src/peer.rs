//! A leg's peer: what signalling said of it, and what its flows have learnt.

use crate::latch::{Fence, Latch, Source, same};
use crate::learn::{Hearing, Place};
use crate::leg::Component;
use crate::packet::{Expect, Packet, classify};
use relay_values::{Carries, Connect, Direction, DropReason, Latching, Time};
use std::net::SocketAddr;

/// A peer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Peer {
    /// `None` until signalling has described it.
    terms: Option<Terms>,
    rtp: Latch,
    rtcp: Latch,
    /// Who sent before it was described.
    stale: Option<SocketAddr>,
}

/// What was agreed with a peer, beside its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Terms {
    direction: Direction,
    mux: bool,
    event: Option<u8>,
    carries: Carries,
    /// Its address is nobody's: the old way to hold (RFC 3264 §8.4).
    null: bool,
}

impl Peer {
    /// A peer of whom nothing is known, but who sent before.
    pub(crate) fn after(stale: Option<SocketAddr>) -> Self {
        Self { stale, ..Self::default() }
    }

    pub(crate) fn describe(&mut self, latching: Latching, to: &Connect) {
        let Connect { remote, direction, event, carries, .. } = *to;
        self.rtp.describe(remote.rtp, latching != Latching::Exact, self.stale);
        self.rtcp.describe(if remote.mux { remote.rtp } else { remote.rtcp }, false, None);
        let null = remote.rtp.ip().is_unspecified();
        self.terms = Some(Terms { direction, mux: remote.mux, event, carries, null });
    }

    /// Somebody sends who cannot know of it yet.
    pub(crate) fn sends_too_soon(&mut self, from: SocketAddr) {
        self.stale = Some(from);
    }

    /// Time has passed: where its RTP comes from, if that has been learnt with it.
    pub(crate) fn lapse(&mut self, now: Time) -> Option<SocketAddr> {
        let source = self.rtp.lapse(now)?;
        self.rtcp.unlearn_unless(source.ip());
        Some(source)
    }

    /// Whether it is being learnt where its RTP comes from, and somebody has come.
    pub(crate) fn is_being_learnt(&self) -> bool {
        self.rtp.source().is_none() && self.rtp.heard().is_some()
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
        !matches!(self.rtp, Latch::Closed) && self.terms.is_some_and(|t| t.direction.receives())
    }

    /// Whether `from` is where its description says.
    pub(crate) fn is_described_at(&self, from: SocketAddr) -> bool {
        self.rtp.describes(from)
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

    /// Where its RTP comes from, for all that is known so far.
    pub(crate) fn rtp_heard(&self) -> Option<SocketAddr> {
        self.rtp.heard()
    }

    /// Whether `from` is where its packets come from, for all that is known so far.
    pub(crate) fn is_at(&self, component: Component, from: SocketAddr) -> bool {
        self.latch(component).heard().is_some_and(|heard| same(heard, from))
    }

    /// Whether a description names the same place as this peer's.
    pub(crate) fn shares_place(&self, to: &Connect) -> bool {
        self.rtp.describes(to.remote.rtp) || self.is_at(Component::Rtp, to.remote.rtp)
    }

    /// Say what `bytes` are that came to the port of a component.
    pub(crate) fn read(&self, component: Component, bytes: &[u8]) -> Result<Packet, DropReason> {
        match (self.carries(), component) {
            (Carries::Rtp, _) => match classify(bytes, self.expects(component))? {
                // Nobody agreed to encryption here.
                Packet::Sealed => Err(DropReason::Malformed),
                read => Ok(read),
            },
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

    /// Whether the packet is the peer's; where its RTP comes from, if the flow has learnt that just now.
    pub(crate) fn admit(
        &mut self,
        now: Time,
        latching: Latching,
        component: Component,
        from: SocketAddr,
        packet: Packet,
    ) -> Result<Option<SocketAddr>, DropReason> {
        match component {
            Component::Rtp => self.admit_rtp(now, latching, from, packet),
            Component::Rtcp => self.admit_rtcp(latching, from).map(|()| None),
        }
    }

    fn admit_rtp(
        &mut self,
        now: Time,
        latching: Latching,
        from: SocketAddr,
        packet: Packet,
    ) -> Result<Option<SocketAddr>, DropReason> {
        // Reports and keys flow on hold as well (RFC 3264 §5.1).
        let (header, is_media) = match &packet {
            Packet::Rtp(header) => (Some(header), true),
            Packet::Datagram => (None, true),
            Packet::Dtls | Packet::Rtcp | Packet::Sealed => (None, false),
        };
        let place = match self.rtp.judge(latching, from, Fence::None) {
            Source::Stranger => return Err(DropReason::Stranger),
            Source::Peer | Source::Candidate(_)
                if is_media && !self.terms.is_some_and(|t| t.direction.receives()) =>
            {
                return Err(DropReason::Held);
            }
            Source::Peer => return Ok(None),
            Source::Candidate(place) => place,
        };
        if let Packet::Rtcp | Packet::Sealed = packet {
            // Nobody is the peer for a report, but whoever is heard may report.
            let heard = place == Place::Exact || self.is_at(Component::Rtp, from);
            return if heard { Ok(None) } else { Err(DropReason::Stranger) };
        }
        let hearing = match &mut self.rtp {
            Latch::Learning { window, .. } => window.hear(now, from, place, header),
            Latch::Expecting { .. } => Hearing::Won,
            Latch::Closed | Latch::Latched { .. } => Hearing::Outranked,
        };
        match hearing {
            Hearing::Won => {
                self.rtp.hold(from);
                self.rtcp.unlearn_unless(from.ip());
                Ok(Some(from))
            }
            Hearing::Best => Ok(None),
            Hearing::Outranked => Err(DropReason::Stranger),
        }
    }

    /// What RTCP may learn is the host that RTP has learnt.
    fn admit_rtcp(&mut self, latching: Latching, from: SocketAddr) -> Result<(), DropReason> {
        let fence = self.rtp.source().map_or(Fence::Described, |at| Fence::Host(at.ip()));
        match self.rtcp.judge(latching, from, fence) {
            Source::Stranger => Err(DropReason::Stranger),
            Source::Peer => Ok(()),
            Source::Candidate(_) => {
                self.rtcp.hold(from);
                Ok(())
            }
        }
    }

    /// Where its RTP goes.
    pub(crate) fn rtp_target(&self, latching: Latching) -> Result<SocketAddr, DropReason> {
        let Some(terms) = self.terms else { return Err(DropReason::NoTarget) };
        if !terms.direction.sends() {
            return Err(DropReason::Held);
        }
        self.rtp.target(latching).filter(|_| !terms.null).ok_or(DropReason::NoTarget)
    }

    /// Where its DTLS goes, which is not media and so is not held.
    pub(crate) fn dtls_target(&self, latching: Latching) -> Result<SocketAddr, DropReason> {
        self.rtp.target(latching).ok_or(DropReason::NoTarget)
    }

    /// On which of our ports its RTCP is exchanged, and where that goes.
    pub(crate) fn rtcp_target(&self, latching: Latching) -> Result<(Component, SocketAddr), DropReason> {
        let (mux, null) = self.terms.map_or((false, false), |t| (t.mux, t.null));
        let component = if mux { Component::Rtp } else { Component::Rtcp };
        self.latch(component)
            .target(latching)
            .filter(|_| !null)
            .map(|to| (component, to))
            .ok_or(DropReason::NoTarget)
    }

    fn latch(&self, component: Component) -> &Latch {
        match component {
            Component::Rtp => &self.rtp,
            Component::Rtcp => &self.rtcp,
        }
    }
}
