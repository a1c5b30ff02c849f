//! What a relay has counted since it was made.

use crate::offload::{Recall, Unfit};
use relay_values::DropCounts;

/// Counts of a relay. Everything counts up, except what is said to be a number of the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Packets received.
    pub packets: u64,
    /// Their payload of UDP, in bytes.
    pub bytes: u64,
    /// Packets sent on.
    pub forwarded: u64,
    /// Of those, packets that a fast path has sent on.
    pub offloaded: u64,
    /// Their payload of UDP, in bytes.
    pub offloaded_bytes: u64,
    /// Flows taken back from a fast path, by [`Recall::ALL`].
    pub recalled: [u64; Recall::ALL.len()],
    /// Packets that went by the sockets where their flow was due to be offered to a fast path and could not be, by
    /// [`Unfit::ALL`].
    pub unfit: [u64; Unfit::ALL.len()],
    /// Packets dropped, by reason.
    pub drops: DropCounts,
    /// Sessions opened.
    pub opened: u64,
    /// Sessions refused.
    pub open_failed: u64,
    /// Sessions released.
    pub released: u64,
    /// Flows that learnt their peer.
    pub latched: u64,
    /// What strangers have tried.
    pub strangers: StrangerCounts,
    /// Legs that fell silent.
    pub silent: u64,
    /// Legs moved to another peer.
    pub retargets: u64,
    /// Legs whose peer was taken for lost.
    pub bridged: u64,
    /// Packets of our own making sent, and those that were written anew on their way.
    pub filled: u64,
    /// Packets of our own making that could not be sent.
    pub fill_failed: u64,
    /// Legs whose new peer was heard.
    pub resumed: u64,
    /// Regions that fell silent.
    pub region_silent: u64,
    /// Commands about a session that does not exist, or that exists already.
    pub ignored_commands: u64,
    /// Pairs that could not be bound.
    pub bind_failures: u64,
    /// Sessions at the moment.
    pub sessions: u64,
    /// Pairs of the range at the moment, by what they are doing.
    pub ports: PortCounts,
}

/// Port pairs at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PortCounts {
    /// With open sockets, or about to have them.
    pub open: u64,
    /// Carrying a leg.
    pub taken: u64,
    /// Resting after a call.
    pub resting: u64,
    /// Free to be taken at once or after binding.
    pub free: u64,
    /// Left alone because binding failed.
    pub failed: u64,
    /// Withheld for streams of an earlier run.
    pub withheld: u64,
}

/// Packets of nobody's peer, to ports that have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StrangerCounts {
    /// RTP, or what else came to the port of RTP.
    pub rtp: u64,
    /// RTCP.
    pub rtcp: u64,
    /// Of the RTP, packets with the SSRC of the peer's stream and a sequence number near its own.
    pub forged: u64,
    /// Streams that went on from elsewhere.
    pub strayed: u64,
    /// How often a host tried many ports ([`SPRAY_PORTS`](crate::limits::SPRAY_PORTS)) within ten seconds, with calls on them
    /// or not.
    pub sprays: u64,
}

impl Counters {
    pub(crate) fn recalled(&mut self, why: Recall) {
        if let Some(n) = self.recalled.get_mut(why as usize) {
            *n += 1;
        }
    }

    pub(crate) fn unfit(&mut self, why: Unfit) {
        if let Some(n) = self.unfit.get_mut(why as usize) {
            *n += 1;
        }
    }

    /// The same, if a fast path has sent on `packets` with `bytes` in all, whether the relay has been told of them or not.
    pub fn offloading(mut self, packets: u64, bytes: u64) -> Self {
        let untold = packets.saturating_sub(self.offloaded);
        let untold_bytes = bytes.saturating_sub(self.offloaded_bytes);
        self.packets += untold;
        self.forwarded += untold;
        self.offloaded += untold;
        self.bytes += untold_bytes;
        self.offloaded_bytes += untold_bytes;
        self
    }

    /// Add another relay's counts to these.
    pub fn add(&mut self, other: &Self) {
        self.drops.add(&other.drops);
        let reasons = self.recalled.iter_mut().chain(&mut self.unfit);
        for (sum, n) in reasons.zip(other.recalled.iter().chain(&other.unfit)) {
            *sum += n;
        }
        let PortCounts { open, taken, resting, free, failed, withheld } = other.ports;
        for (sum, n) in [
            (&mut self.packets, other.packets),
            (&mut self.bytes, other.bytes),
            (&mut self.forwarded, other.forwarded),
            (&mut self.offloaded, other.offloaded),
            (&mut self.offloaded_bytes, other.offloaded_bytes),
            (&mut self.opened, other.opened),
            (&mut self.open_failed, other.open_failed),
            (&mut self.released, other.released),
            (&mut self.latched, other.latched),
            (&mut self.strangers.rtp, other.strangers.rtp),
            (&mut self.strangers.rtcp, other.strangers.rtcp),
            (&mut self.strangers.forged, other.strangers.forged),
            (&mut self.strangers.strayed, other.strangers.strayed),
            (&mut self.strangers.sprays, other.strangers.sprays),
            (&mut self.silent, other.silent),
            (&mut self.retargets, other.retargets),
            (&mut self.bridged, other.bridged),
            (&mut self.filled, other.filled),
            (&mut self.fill_failed, other.fill_failed),
            (&mut self.resumed, other.resumed),
            (&mut self.region_silent, other.region_silent),
            (&mut self.ignored_commands, other.ignored_commands),
            (&mut self.bind_failures, other.bind_failures),
            (&mut self.sessions, other.sessions),
            (&mut self.ports.open, open),
            (&mut self.ports.taken, taken),
            (&mut self.ports.resting, resting),
            (&mut self.ports.free, free),
            (&mut self.ports.failed, failed),
            (&mut self.ports.withheld, withheld),
        ] {
            *sum += n;
        }
    }
}
