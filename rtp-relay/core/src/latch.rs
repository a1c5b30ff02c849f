//! Who is the peer of a flow and who is a stranger.
//!
//! ```text
//!            described                a packet from the SDP's own place
//!  Closed ─────────────▶ Expecting ─────────────────────────────────────▶ Latched
//!    ▲         │                                                            ▲
//!    │         └───────▶ Learning ──────────────────────────────────────────┘
//!    │ port 0                        the window is over, or nobody can be better
//! ```
//!
//! A flow learns its peer's source once and then holds on to it until signalling describes another place: a later packet
//! can never take a stream over (RFC 7362 describes latching and its risks). Before signalling has said anything about the
//! peer everybody is a stranger, also where the peer's source may be learnt. What may be learnt, and from whom, is a
//! [`Window`]'s question.

use crate::learn::{Place, Window};
use relay_values::{Latching, Time};
use std::net::{IpAddr, SocketAddr};

/// What a flow knows of its peer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Latch {
    /// Signalling has not said where the peer is, or that it refuses the stream.
    #[default]
    Closed,
    /// Its description is known, no packet has come.
    Expecting {
        /// From its SDP.
        described: SocketAddr,
    },
    /// Its description is known, and where it really sends from is being learnt.
    Learning {
        /// From its SDP.
        described: SocketAddr,
        /// Who has sent so far.
        window: Box<Window>,
    },
    /// Its packets come from `source`, and only those are taken.
    Latched {
        /// From its SDP.
        described: SocketAddr,
        /// Where it sends from.
        source: SocketAddr,
    },
}

/// The judgement on a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The peer that is latched.
    Peer,
    /// It may be latched, if all else is well with its packet.
    Candidate(Place),
    /// Neither.
    Stranger,
}

impl Latch {
    /// Take signalling's word. `learns`: who sends is to be found out among several; `stale`: who sent before.
    ///
    /// An unchanged description keeps what was learnt, and so does `0.0.0.0`, the old way to hold (RFC 3264 §8.4): neither
    /// says that somebody else is there.
    pub(crate) fn describe(&mut self, described: SocketAddr, learns: bool, stale: Option<SocketAddr>) {
        if described.port() == 0 {
            *self = Self::Closed;
            return;
        }
        if self.describes(described) || described.ip().is_unspecified() {
            return;
        }
        // Whoever sent under the old description is still heard, but gives way to anybody who can be told from him.
        let stale = self.source().or(stale);
        *self = if learns {
            Self::Learning { described, window: Box::new(Window::new(stale)) }
        } else {
            Self::Expecting { described }
        };
    }

    /// Judge the source of a packet. `fence`: the only host that may be learnt beside what is described.
    pub(crate) fn judge(&self, latching: Latching, from: SocketAddr, fence: Fence) -> Source {
        let described = match self {
            Self::Closed => return Source::Stranger,
            Self::Latched { source, .. } if same(*source, from) => return Source::Peer,
            Self::Latched { .. } => return Source::Stranger,
            Self::Expecting { described } | Self::Learning { described, .. } => *described,
        };
        let place = Place::of(from, described);
        let may = match (latching, fence) {
            (Latching::Exact, _) => place == Place::Exact,
            (Latching::Address, _) => place != Place::Elsewhere,
            (Latching::Learn, Fence::None) => true,
            (Latching::Learn, Fence::Described) => place == Place::Exact,
            (Latching::Learn, Fence::Host(ip)) => ip == from.ip(),
        };
        if may { Source::Candidate(place) } else { Source::Stranger }
    }

    /// A candidate is the peer: hold on to it.
    pub(crate) fn hold(&mut self, from: SocketAddr) {
        if let Self::Expecting { described } | Self::Learning { described, .. } = *self {
            *self = Self::Latched { described, source: from };
        }
    }

    /// Time has passed: what is learnt, if that is news.
    pub(crate) fn lapse(&mut self, now: Time) -> Option<SocketAddr> {
        let Self::Learning { window, .. } = self else { return None };
        let source = window.lapse(now)?;
        self.hold(source);
        Some(source)
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
            Self::Expecting { described: known }
            | Self::Learning { described: known, .. }
            | Self::Latched { described: known, .. } => same(*known, described),
        }
    }

    /// The source that is latched.
    pub(crate) fn source(&self) -> Option<SocketAddr> {
        match self {
            Self::Latched { source, .. } => Some(*source),
            Self::Closed | Self::Expecting { .. } | Self::Learning { .. } => None,
        }
    }

    /// The source that is heard: the one that is latched, or the best so far.
    pub(crate) fn heard(&self) -> Option<SocketAddr> {
        match self {
            Self::Latched { source, .. } => Some(*source),
            Self::Learning { window, .. } => window.best(),
            Self::Closed | Self::Expecting { .. } => None,
        }
    }

    /// Where packets for the peer go. Behind a NAT only the learnt source is reachable; a peer with a public address
    /// may send from one port and listen on the one that it described.
    pub(crate) fn target(&self, latching: Latching) -> Option<SocketAddr> {
        let described = match self {
            Self::Closed => return None,
            Self::Expecting { described }
            | Self::Learning { described, .. }
            | Self::Latched { described, .. } => *described,
        };
        match (latching, self.heard()) {
            (Latching::Learn, Some(source)) => Some(source),
            (Latching::Learn | Latching::Address | Latching::Exact, _) => {
                (!described.ip().is_multicast()).then_some(described)
            }
        }
    }
}

/// What bounds a flow's learning, beside its own rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fence {
    /// Nothing.
    None,
    /// Only what is described may be taken: the sister flow has not learnt its host.
    Described,
    /// The host that the sister flow has learnt.
    Host(IpAddr),
}

/// Flow label and scope of an IPv6 source say nothing about who it is.
pub(crate) fn same(a: SocketAddr, b: SocketAddr) -> bool {
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
                let judged = fresh.judge(rule, at(from), Fence::None);
                assert_eq!(judged, Stranger, "{rule:?}, nothing described, {from}");
            }
            fresh.describe(at(SDP), rule != Exact, None);
            for first in [SDP, OTHER_PORT, OTHER_HOST] {
                let place = Place::of(at(first), at(SDP));
                let expected = if may_latch.contains(&first) { Candidate(place) } else { Stranger };
                assert_eq!(
                    fresh.judge(rule, at(first), Fence::None),
                    expected,
                    "{rule:?}, first from {first}"
                );
                if expected == Stranger {
                    continue;
                }
                let mut latched = fresh.clone();
                latched.hold(at(first));
                for from in [SDP, OTHER_PORT, OTHER_HOST] {
                    let expected = if from == first { Peer } else { Stranger };
                    let judged = latched.judge(rule, at(from), Fence::None);
                    assert_eq!(judged, expected, "{rule:?} on {first}, from {from}");
                }
                for unchanged in [SDP, "0.0.0.0:4000"] {
                    latched.describe(at(unchanged), rule != Exact, None);
                    assert_eq!(latched.source(), Some(at(first)), "{unchanged} keeps the latch");
                }
                latched.describe(at(OTHER_HOST), rule != Exact, None);
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
    fn a_refused_stream_and_nobodys_address_are_nobodys() {
        let mut latch = Latch::default();
        for nobody in ["192.0.2.1:0", "0.0.0.0:4000"] {
            latch.describe(at(nobody), true, None);
            assert_eq!(latch, Latch::Closed);
            assert_eq!((latch.target(Exact), latch.judge(Learn, at(SDP), Fence::None)), (None, Stranger));
        }
        latch.describe(at(SDP), true, None);
        latch.describe(at("192.0.2.1:0"), true, None);
        assert_eq!(latch.judge(Learn, at(SDP), Fence::None), Stranger);
    }

    #[test]
    fn a_sister_flows_host_fences_what_may_be_learnt() {
        let latch = Latch::Expecting { described: at(SDP) };
        for (fence, heard) in [(Fence::Host(at(OTHER_HOST).ip()), OTHER_HOST), (Fence::Described, SDP)] {
            for from in [SDP, OTHER_PORT, OTHER_HOST] {
                let taken = latch.judge(Learn, at(from), fence) != Stranger;
                assert_eq!(taken, from == heard, "{fence:?}, {from}");
            }
        }
    }
}
