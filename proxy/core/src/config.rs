//! The compiled configuration: checked, resolved to numbers, without a trace of the file that it came from.

mod load;
mod manners;
mod peers;
mod policies;

pub use load::{OverRate, OverloadPolicy, ScannerPolicy, ShardLimits, UnknownSource};
pub use manners::{AfterRefusal, CodePolicy, Correlation, Manners, Redirects, Refers};
pub use peers::{EdgeGroup, NamedTarget, Owner, ProbePolicy, Registration, Site, Target, Trunk};
pub use policies::{
    GapFill, HuntPolicy, MediaMode, MediaPolicy, Refresher, RegionPolicy, RehomePolicy, SessionPolicy, Timers,
};

use crate::digest::Authentication;
use crate::identity::Profile;
use crate::{RegionId, StirPolicy, Transport};
use relay_values::Latching;
use std::net::SocketAddr;

macro_rules! index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u16);

        impl $name {
            /// As an index into the configuration's list.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

index!(/** A listener, by its place in [`Config::listeners`]. */ ListenerId);
index!(/** A trunk, by its place in [`Config::trunks`]. */ TrunkId);
index!(/** A site, by its place in [`Config::sites`]. */ SiteId);
index!(/** An edge group, by its place in [`Config::groups`]. */ GroupId);
index!(/** An edge or an address of a trunk, by its place in [`Config::targets`]. */ TargetId);
index!(/** An identity profile, by its place in [`Config::profiles`]. */ ProfileId);
index!(/** What final responses mean to the hunt, by its place in [`Config::codes`]. */ CodesId);

/// Everything that the signalling core is configured with.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Our SIP listeners.
    pub listeners: Vec<Listener>,
    /// Failure domains, indexed by [`RegionId`].
    pub regions: Vec<Region>,
    /// Edges and trunk addresses: whatever an INVITE can be sent to.
    pub targets: Vec<Target>,
    /// Edges and trunk addresses that are configured by host name: [`Config::located`] makes targets of them.
    pub named: Vec<NamedTarget>,
    /// Edge groups.
    pub groups: Vec<EdgeGroup>,
    /// Sites.
    pub sites: Vec<Site>,
    /// Trunks.
    pub trunks: Vec<Trunk>,
    /// Identity profiles of trunks and edge groups.
    pub profiles: Vec<Profile>,
    /// What final responses of a neighbour mean to the hunt, where they mean something else than [`HuntPolicy::advance_on`]
    /// says.
    pub codes: Vec<CodePolicy>,
    /// Who shows whom who he is.
    pub authentication: Authentication,
    /// What is signed and verified of trunks' calls.
    pub stir: Vec<StirPolicy>,
    /// Trunks that find us where we register.
    pub registrations: Vec<Registration>,
    /// Inbound routes (carrier → tier). The longest matching prefix wins; a route for one trunk beats one for all.
    pub inbound: Vec<InboundRoute>,
    /// Outbound routes (tier → carrier). The longest matching prefix wins; a route for one site beats one for all.
    pub outbound: Vec<OutboundRoute>,
    /// Media.
    pub media: MediaPolicy,
    /// SIP timers.
    pub timers: Timers,
    /// When to try the next target.
    pub hunt: HuntPolicy,
    /// How evidence of a whole region is weighed, and how one comes back.
    pub region_health: RegionPolicy,
    /// What happens to answered calls whose tier leg is lost.
    pub rehome: RehomePolicy,
    /// How sessions are kept alive.
    pub session: SessionPolicy,
    /// What a shard may hold.
    pub limits: ShardLimits,
    /// What is done when there is more to do than time to do it.
    pub overload: OverloadPolicy,
    /// Who is met with silence.
    pub scanners: ScannerPolicy,
    /// Neighbours that are known by their certificates over TLS, and by no address.
    pub certificates: Vec<Certificate>,
    /// What to do with a request from nobody we know.
    pub unknown_source: UnknownSource,
    /// Value of Server and User-Agent header fields; `None` leaves them out.
    pub product: Option<String>,
}

/// A SIP domain that the certificate of a trunk or edge group is of (RFC 5922 §7.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The domain, in lower case.
    pub name: String,
    /// Whose it is. Where it has sources, too, the connection has to come from one of them.
    pub owner: Owner,
}

/// A local SIP address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its name in the configuration.
    pub name: String,
    /// Transport protocol.
    pub transport: Transport,
    /// The address to bind.
    pub bind: SocketAddr,
    /// The address that stands in Via, Contact and Record-Route: differs from `bind` behind a NAT.
    pub advertised: SocketAddr,
    /// What carries requests of ours that are too large for a datagram.
    pub large: LargeRequests,
}

/// What carries requests that are too large for a datagram. Only listeners for datagrams have such.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LargeRequests {
    /// Datagrams all the same, in fragments: for peers whose streams are worse than fragments.
    Datagram,
    /// The stream listener that peers see at the same address and port, if there is one; else datagrams.
    Stream {
        /// Bytes that still go by datagram: 200 below the path's MTU, or 1,300 where that is unknown (RFC 3261 §18.1.1).
        over: u16,
    },
}

impl Default for LargeRequests {
    fn default() -> Self {
        Self::Stream { over: 1_300 }
    }
}

/// A failure domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// Its name.
    pub name: String,
    /// Calls a second that may be moved here, per shard; `None`: no limit of its own. The shell divides the configured
    /// rate by the number of shards.
    pub moves_per_second: Option<u32>,
}

/// Called-number prefix → site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundRoute {
    /// Only calls of this trunk; `None`: of every trunk.
    pub trunk: Option<TrunkId>,
    /// Digits, with an optional leading `+`; empty matches everything.
    pub prefix: String,
    /// The site.
    pub site: SiteId,
}

/// Called-number prefix → ordered trunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundRoute {
    /// Only calls from this site; `None`: from every site.
    pub site: Option<SiteId>,
    /// Digits, with an optional leading `+`; empty matches everything.
    pub prefix: String,
    /// The trunks it may take.
    pub trunks: Vec<TrunkChoice>,
}

/// One of a route's trunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrunkChoice {
    /// The trunk.
    pub trunk: TrunkId,
    /// The cheapest come first; only their order counts.
    pub cost: u16,
    /// Share among those that cost the same; 0 only where all others have failed.
    pub weight: u16,
}

impl TrunkChoice {
    /// These trunks one after the other, best first.
    pub fn ranked(trunks: impl IntoIterator<Item = TrunkId>) -> Vec<Self> {
        (0..).zip(trunks).map(|(cost, trunk)| Self { trunk, cost, weight: 1 }).collect()
    }
}

impl Config {
    /// The listener, if the number is one of this configuration's.
    pub fn listener(&self, id: ListenerId) -> Option<&Listener> {
        self.listeners.get(id.index())
    }

    /// The target, if the number is one of this configuration's.
    pub fn target(&self, id: TargetId) -> Option<&Target> {
        self.targets.get(id.index())
    }

    /// How strictly media sources of a trunk or a group are held to their SDP.
    pub fn latching(&self, owner: Owner) -> Option<Latching> {
        match owner {
            Owner::Edge(group) => self.groups.get(group.index()).map(|g| g.latching),
            Owner::Trunk(trunk) => self.trunks.get(trunk.index()).map(|t| t.latching),
        }
    }

    /// What a trunk or a group may ask of us, and is asked.
    pub fn manners(&self, owner: Owner) -> Manners {
        match owner {
            Owner::Edge(group) => self.groups.get(group.index()).map(|g| g.manners),
            Owner::Trunk(trunk) => self.trunks.get(trunk.index()).map(|t| t.manners),
        }
        .unwrap_or_default()
    }

    /// What a trunk or a group is believed and told of who calls whom.
    pub fn profile(&self, owner: Owner) -> &Profile {
        let own = self.manners(owner).profile.and_then(|id| self.profiles.get(id.index()));
        own.unwrap_or(Profile::plain())
    }

    /// What this final response of a trunk or a group means to the hunt, if that has been said of it.
    pub fn after_refusal(&self, owner: Owner, code: u16) -> Option<AfterRefusal> {
        self.codes.get(self.manners(owner).codes?.index())?.after(code)
    }

    /// The region of a target; `None` for an address of a trunk.
    pub fn region_of(&self, id: TargetId) -> Option<RegionId> {
        match self.target(id)?.owner {
            Owner::Edge(group) => self.groups.get(group.index()).map(|g| g.region),
            Owner::Trunk(_) => None,
        }
    }
}
