//! Who calls come from and go to: edges, their groups and sites, trunks.

use super::{Correlation, GroupId, ListenerId, Manners, TargetId, TrunkId};
use crate::locate::Place;
use crate::{Peer, RegionId};
use ipnet::IpNet;
use relay_values::{Duration, Latching};
use std::sync::Arc;
/// An edge, or an address of a trunk: whatever an INVITE can be sent to.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Its name, unique, stable over reloads (health is carried over by name and peer).
    pub name: String,
    /// What it belongs to.
    pub owner: Owner,
    /// How it is reached.
    pub peer: Peer,
    /// Of the targets of one group or trunk those of the lowest rank come first, as with SRV's priority (RFC 2782). 0
    /// where an address is configured.
    pub rank: u16,
    /// Share among the targets of one group or trunk that have one rank, 1 to 65,535; 0 takes it out of selection.
    pub weight: u16,
    /// How it is probed; `None`: only passive evidence.
    pub probe: Option<ProbePolicy>,
}

/// Edges or addresses of a trunk that are configured by one host name.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTarget {
    /// Its name, unique. Its targets are named after it and their addresses.
    pub name: String,
    /// What it belongs to.
    pub owner: Owner,
    /// What is looked up.
    pub place: Place,
    /// Through which listener it is reached.
    pub listener: ListenerId,
    /// The share of all its addresses together among the targets of one group or trunk; 0 takes them out of selection.
    pub weight: u16,
    /// How each is probed; `None`: only passive evidence.
    pub probe: Option<ProbePolicy>,
}

/// What a target belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// An edge of this group.
    Edge(GroupId),
    /// An address of this trunk.
    Trunk(TrunkId),
}

/// How a target is probed with OPTIONS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbePolicy {
    /// Time between probes, 50 ms at least.
    pub interval: Duration,
    /// How long an answer may take; at most the interval.
    pub timeout: Duration,
    /// Failures in a row that mean *down*. Passive evidence counts here too.
    pub fall: u8,
    /// Answers in a row that mean *up* again.
    pub rise: u8,
}

/// Edges of one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeGroup {
    /// Its name.
    pub name: String,
    /// The failure domain.
    pub region: RegionId,
    /// Its edges.
    pub edges: Vec<TargetId>,
    /// Where its requests may come from, beside the edges' own addresses.
    pub sources: Vec<IpNet>,
    /// How strictly media sources are held to the SDP.
    pub latching: Latching,
    /// What is done about its redirections and transfers.
    pub manners: Manners,
}

/// A logical place with an ordered list of edge groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// Edge groups, best first.
    pub groups: Vec<GroupId>,
    /// How a new tier leg says which call it continues; a trunk's own word goes before it.
    pub correlation: Option<Arc<Correlation>>,
}

/// One BYOC signalling peering with a carrier.
#[derive(Debug, Clone, PartialEq)]
pub struct Trunk {
    /// Its name.
    pub name: String,
    /// Where its requests come from; the longest prefix over all trunks and groups wins.
    pub sources: Vec<IpNet>,
    /// Where outbound calls go, by weight.
    pub targets: Vec<TargetId>,
    /// Concurrent calls, both ways, per shard; `None`: no limit of its own.
    pub max_calls: Option<u32>,
    /// New calls a second, both ways, per shard; `None`: no limit of its own. A second's worth may come at once.
    pub calls_per_second: Option<u32>,
    /// How strictly media sources are held to the SDP.
    pub latching: Latching,
    /// How a new tier leg of this trunk's calls says which call it continues; `None`: as the site says.
    pub correlation: Option<Arc<Correlation>>,
    /// What is done about its redirections and transfers.
    pub manners: Manners,
}

/// A trunk's carrier calls us where we have said that we are (RFC 3261 §10), and takes calls from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The trunk.
    pub trunk: TrunkId,
    /// Its registrars, the first choice first: some of the trunk's targets. Calls go to the one that has bound us.
    pub registrars: Vec<TargetId>,
    /// The address that we are bound to: a SIP URI, `sip:user@domain`.
    pub aor: Box<str>,
    /// The user part of our Contact: what is called by it comes by this trunk.
    pub contact: Box<str>,
    /// For how long we ask to be bound, in whole seconds.
    pub expires: Duration,
}
