//! Our media ports that are open: every packet is looked up here.

use crate::maps::Map;
use relay_core::PortRef;
use std::net::SocketAddr;

#[derive(Default)]
pub(super) struct Bound {
    /// By number: there is one media address.
    ports: Map<u16, (SocketAddr, PortRef)>,
    /// In order.
    all: Vec<SocketAddr>,
}

impl Bound {
    pub(super) fn insert(&mut self, at: SocketAddr, port: PortRef) {
        self.ports.insert(at.port(), (at, port));
        if let Err(place) = self.find(at) {
            self.all.insert(place, at);
        }
    }

    pub(super) fn remove(&mut self, at: SocketAddr) {
        self.ports.remove(&at.port());
        if let Ok(place) = self.find(at) {
            self.all.remove(place);
        }
    }

    pub(super) fn get(&self, at: SocketAddr) -> Option<PortRef> {
        self.ports.get(&at.port()).filter(|(same, _)| *same == at).map(|(_, port)| *port)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The address of one of them.
    pub(super) fn nth(&self, n: usize) -> Option<SocketAddr> {
        self.all.get(n).copied()
    }

    fn find(&self, at: SocketAddr) -> Result<usize, usize> {
        self.all.binary_search_by_key(&(at.port(), at.ip()), |other| (other.port(), other.ip()))
    }
}
