//! Who is the peer of a flow and who is a stranger.
//!
//! A flow learns its peer's source once and then holds on to it until signalling says otherwise: a later packet can
//! never take a stream over (RFC 7362 describes latching and its risks). Before signalling has said anything about
//! the peer everybody is a stranger, also where the peer's source may be learnt.

use relay_values::Latching;
use std::net::{IpAddr, SocketAddr};

/// What a flow knows of its peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Latch {
    /// Signalling has not said where the peer is, or that it refuses the stream.
    #[default]
    Closed,
    /// Its description is known, no packet has come.
    Expecting {
        /// From its SDP.
        described: SocketAddr,
    },
    /// Its packets come from `source`, and only those are taken.
    Latched {
        /// From its SDP.
        described: SocketAddr,
        /// From its first valid packet.
        source: SocketAddr,
    },
}

/// The judgement on a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The peer that is latched.
    Peer,
    /// It may be latched: the packet, if all else is well with it, is the peer's first.
    Candidate,
    /// Neither.
    Stranger,
}

impl Latch {
    /// Take signalling's word. An unchanged description keeps what was learnt.
    pub(crate) fn describe(&mut self, described: SocketAddr) {
        match self {
            Self::Expecting { described: old } | Self::Latched { described: old, .. }
                if *old == described => {}
            _ if described.port() == 0 => *self = Self::Closed,
            _ => *self = Self::Expecting { described },
        }
    }

    /// Judge the source of a packet. `fence`: where a sister flow is latched; what is learnt must be the same host.
    pub(crate) fn judge(&self, latching: Latching, from: SocketAddr, fence: Option<IpAddr>) -> Source {
        match *self {
            Self::Closed => Source::Stranger,
            Self::Latched { source, .. } if same(source, from) => Source::Peer,
            Self::Latched { .. } => Source::Stranger,
            Self::Expecting { described } => {
                let may = match latching {
                    Latching::Exact => same(described, from),
                    Latching::Address => described.ip() == from.ip(),
                    Latching::Learn => fence.is_none_or(|ip| ip == from.ip()),
                };
                if may { Source::Candidate } else { Source::Stranger }
            }
        }
    }

    /// The candidate's packet was good: hold on to it.
    pub(crate) fn hold(&mut self, from: SocketAddr) {
        if let Self::Expecting { described } = *self {
            *self = Self::Latched { described, source: from };
        }
    }

    /// Go back to expecting, if what was learnt is not on host `ip`.
    pub(crate) fn unlearn_unless(&mut self, ip: IpAddr) {
        if let Self::Latched { described, source } = *self
            && source.ip() != ip
        {
            *self = Self::Expecting { described };
        }
    }

    /// Whether its description is `described`.
    pub(crate) fn describes(&self, described: SocketAddr) -> bool {
        match self {
            Self::Closed => false,
            Self::Expecting { described: known } | Self::Latched { described: known, .. } => {
                same(*known, described)
            }
        }
    }

    /// The source that is latched.
    pub(crate) fn source(&self) -> Option<SocketAddr> {
        match self {
            Self::Latched { source, .. } => Some(*source),
            Self::Closed | Self::Expecting { .. } => None,
        }
    }

    /// Where packets for the peer go. Behind a NAT only the learnt source is reachable; a peer with a public address
    /// may send from one port and listen on the one that it described.
    pub(crate) fn target(&self, latching: Latching) -> Option<SocketAddr> {
        match (*self, latching) {
            (Self::Closed, _) => None,
            (Self::Latched { source, .. }, Latching::Learn) => Some(source),
            (Self::Expecting { described } | Self::Latched { described, .. }, _) => {
                // `c=0.0.0.0` is the old way to hold (RFC 3264 §8.4): nobody is there.
                (!described.ip().is_unspecified() && !described.ip().is_multicast()).then_some(described)
            }
        }
    }
}

/// Flow label and scope of an IPv6 source say nothing about who it is.
fn same(a: SocketAddr, b: SocketAddr) -> bool {
    a.ip() == b.ip() && a.port() == b.port()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Latching::{Address, Exact, Learn};
    use Source::{Candidate, Peer, Stranger};

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    const SDP: &str = "192.0.2.1:4000";
    const OTHER_PORT: &str = "192.0.2.1:4002";
    const OTHER_HOST: &str = "203.0.113.9:4000";

    #[test]
    fn the_matrix_of_rules_and_sources() {
        // Rule; who may latch; then, with each of them latched, who is still heard.
        for (rule, may_latch) in
            [(Exact, &[SDP][..]), (Address, &[SDP, OTHER_PORT]), (Learn, &[SDP, OTHER_PORT, OTHER_HOST])]
        {
            let mut fresh = Latch::default();
            for from in [SDP, OTHER_PORT, OTHER_HOST] {
                assert_eq!(
                    fresh.judge(rule, at(from), None),
                    Stranger,
                    "{rule:?}, nothing described, {from}"
                );
            }
            fresh.describe(at(SDP));
            for first in [SDP, OTHER_PORT, OTHER_HOST] {
                let expected = if may_latch.contains(&first) { Candidate } else { Stranger };
                assert_eq!(fresh.judge(rule, at(first), None), expected, "{rule:?}, first from {first}");
                if expected == Stranger {
                    continue;
                }
                let mut latched = fresh;
                latched.hold(at(first));
                for from in [SDP, OTHER_PORT, OTHER_HOST] {
                    let expected = if from == first { Peer } else { Stranger };
                    assert_eq!(
                        latched.judge(rule, at(from), None),
                        expected,
                        "{rule:?} on {first}, from {from}"
                    );
                }
                latched.describe(at(SDP));
                assert_eq!(latched.source(), Some(at(first)), "the same description keeps the latch");
                latched.describe(at(OTHER_HOST));
                assert_eq!(latched.source(), None, "a new description does not");
            }
        }
    }

    #[test]
    fn only_behind_a_nat_are_packets_sent_to_the_learnt_source() {
        for (rule, expected) in [(Exact, SDP), (Address, SDP), (Learn, OTHER_PORT)] {
            let latch = Latch::Latched { described: at(SDP), source: at(OTHER_PORT) };
            assert_eq!(latch.target(rule), Some(at(expected)), "{rule:?}");
        }
    }

    #[test]
    fn a_refused_stream_and_the_old_hold_have_no_target() {
        let mut latch = Latch::default();
        latch.describe(at("192.0.2.1:0"));
        assert_eq!(latch, Latch::Closed);
        latch.describe(at("0.0.0.0:4000"));
        assert_eq!(latch.target(Exact), None);
        latch.describe(at(SDP));
        latch.describe(at("192.0.2.1:0"));
        assert_eq!(latch.judge(Learn, at(SDP), None), Stranger);
    }

    #[test]
    fn a_sister_flows_host_fences_what_may_be_learnt() {
        let latch = Latch::Expecting { described: at(SDP) };
        let fence = Some(at(OTHER_HOST).ip());
        assert_eq!(latch.judge(Learn, at(OTHER_HOST), fence), Candidate);
        assert_eq!(latch.judge(Learn, at(SDP), fence), Stranger);
    }
}
