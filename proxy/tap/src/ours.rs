//! Which addresses are the appliance's.

use std::collections::HashSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

type Judge = dyn Fn(SocketAddr) -> bool + Send + Sync;

/// Where the appliance is, and whom it connects to.
#[derive(Clone)]
pub struct Ours {
    is_ours: Arc<Judge>,
    /// Local ends of connections that the appliance opened.
    opened: Arc<Mutex<HashSet<SocketAddr>>>,
    pub(crate) peers: HashSet<SocketAddr>,
    /// Addresses that a packet has to have on one end; empty: any.
    pub(crate) hosts: Vec<IpAddr>,
    /// Ports that it has to have on one end.
    pub(crate) ports: HashSet<u16>,
    pub(crate) unheard: Vec<IpAddr>,
    /// Media may come by: what does not begin like SIP is left out.
    pub(crate) among_others: bool,
}

impl Ours {
    /// Signalling addresses of the appliance.
    pub fn at(listeners: impl IntoIterator<Item = SocketAddr>) -> Self {
        let listeners: HashSet<SocketAddr> = listeners.into_iter().collect();
        let mut hosts: Vec<IpAddr> = listeners.iter().map(SocketAddr::ip).collect();
        hosts.sort_unstable();
        hosts.dedup();
        let ports = listeners.iter().map(SocketAddr::port).collect();
        Self { hosts, ports, ..Self::when(move |at| listeners.contains(&at)) }
    }

    /// Everything at these addresses, among packets of any kind: for captures.
    pub fn hosts(hosts: impl IntoIterator<Item = IpAddr>) -> Self {
        let hosts: HashSet<IpAddr> = hosts.into_iter().collect();
        Self { among_others: true, ..Self::when(move |at| hosts.contains(&at.ip())) }
    }

    /// Whatever `is_ours` says, at one of these ports, among packets of any kind.
    pub fn matching(
        ports: impl IntoIterator<Item = u16>,
        is_ours: impl Fn(SocketAddr) -> bool + Send + Sync + 'static,
    ) -> Self {
        let ports: HashSet<u16> = ports.into_iter().collect();
        let sip = ports.clone();
        Self { ports, among_others: true, ..Self::when(move |at| sip.contains(&at.port()) && is_ours(at)) }
    }

    fn when(is_ours: impl Fn(SocketAddr) -> bool + Send + Sync + 'static) -> Self {
        Self {
            is_ours: Arc::new(is_ours),
            opened: Arc::default(),
            peers: HashSet::new(),
            hosts: Vec::new(),
            ports: HashSet::new(),
            unheard: Vec::new(),
            among_others: false,
        }
    }

    /// Peers that listen for connections: who opens one to them is the appliance.
    #[must_use]
    pub fn with_peers(mut self, peers: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.peers.extend(peers);
        self.ports.extend(self.peers.iter().map(SocketAddr::port));
        self
    }

    /// What comes from there is not listened to, so that whatever is said to it is one word too many.
    #[must_use]
    pub fn unheard(mut self, from: IpAddr) -> Self {
        self.unheard.push(from);
        self
    }

    /// Somebody opens a connection.
    pub(crate) fn connects(&self, from: SocketAddr, to: SocketAddr) {
        if self.peers.contains(&to) && !(self.is_ours)(from) {
            self.opened.lock().unwrap_or_else(PoisonError::into_inner).insert(from);
        }
    }

    /// Whether it is the appliance's.
    pub fn is(&self, at: SocketAddr) -> bool {
        (self.is_ours)(at)
            || !self.peers.is_empty()
                && self.opened.lock().unwrap_or_else(PoisonError::into_inner).contains(&at)
    }
}

impl fmt::Debug for Ours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { is_ours: _, opened, peers, hosts, ports, unheard, among_others } = self;
        f.debug_struct("Ours")
            .field("opened", opened)
            .field("peers", peers)
            .field("hosts", hosts)
            .field("ports", ports)
            .field("unheard", unheard)
            .field("among_others", among_others)
            .finish_non_exhaustive()
    }
}
