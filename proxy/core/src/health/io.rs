//! What goes into the health core and what comes out of it.

use crate::{
    Config, Evidence, Overrides, Peer, RegionId, Snapshot, SwitchReason, TargetId, TargetState,
    TransportFailure,
};
use bytes::Bytes;
use relay_values::Time;
use std::sync::Arc;

/// One input to the health core.
#[derive(Debug, Clone)]
pub enum HealthInput {
    /// An answer to one of our probes: `owner` knows it by its branch. Anything else is ignored.
    Message {
        /// Whom it came from. It need not be the target: RFC 3261 §17.1.3 matches a response by its branch and method alone,
        /// as shards do with answers to INVITEs, and an edge with several addresses, or behind something that has, answers
        /// from whichever it likes. What protects us is the branch: 64 bits that nobody can know who did not see the probe,
        /// not even the target of another.
        from: Peer,
        /// Its bytes, unparsed.
        bytes: Bytes,
    },
    /// What a shard has seen of a target.
    Evidence(Evidence),
    /// Something sent to this peer could not be delivered.
    TransportError {
        /// The peer.
        to: Peer,
        /// How it failed.
        failure: TransportFailure,
    },
    /// A relay has heard a region's flows fall silent together.
    RegionSilent {
        /// The region, or [`RegionId::DRILL`] for the cohort of the drill under way.
        region: RegionId,
        /// The configuration generation that numbers it.
        generation: u64,
        /// The region's last packet.
        since: Time,
    },
    /// A relay hears a silent region again, or has none of the calls left that it could hear.
    RegionHeard {
        /// The region, or [`RegionId::DRILL`].
        region: RegionId,
        /// The configuration generation that numbers it.
        generation: u64,
    },
    /// A new configuration: health is carried over to targets of the same name at the same peer.
    Config(Arc<Config>),
    /// What operators say from now on, all of it.
    Overrides(Overrides),
    /// We stop: trunks that have us registered are told. [`Health::has_left`](crate::Health::has_left) says when they know.
    Leave,
    /// The time of [`Health::poll_timeout`](crate::Health::poll_timeout) has come. Hand over first what the sockets hold:
    /// an answer that waits there has arrived in time.
    Timeout,
}

/// One output of the health core.
#[derive(Debug, Clone)]
pub enum HealthOutput {
    /// Send a probe.
    Send {
        /// To whom.
        to: Peer,
        /// One whole message.
        bytes: Bytes,
    },
    /// The next generation: store it and hand it to every shard.
    Snapshot {
        /// The snapshot.
        snapshot: Arc<Snapshot>,
        /// What became of which target; empty when operators or a reload made the snapshot and no target changed.
        changes: Vec<HealthChange>,
    },
}

/// A target's state has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthChange {
    /// The target, by the numbers of the snapshot that the change comes with.
    pub target: TargetId,
    /// Its name.
    pub name: String,
    /// What it was.
    pub from: TargetState,
    /// What it is.
    pub to: TargetState,
    /// Why.
    pub reason: SwitchReason,
    /// When.
    pub at: Time,
}

/// Totals since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HealthCounters {
    /// Probes sent.
    pub probes: u64,
    /// Probes answered in time, whatever the code.
    pub answers: u64,
    /// Probes unanswered in time.
    pub misses: u64,
    /// Probes that ended while we stood still and that therefore say nothing.
    pub void: u64,
    /// Messages that answer no probe that is waited for: late, repeated or forged.
    pub strays: u64,
    /// Evidence taken in, of targets and of regions.
    pub evidence: u64,
    /// Evidence ignored: from an older configuration, or of a target or region that does not exist.
    pub outdated: u64,
}
