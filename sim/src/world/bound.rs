//! Our media ports that are open, in order: every packet is looked up here.

use relay_core::PortRef;
use std::net::SocketAddr;

#[derive(Default)]
pub(super) struct Bound(Vec<(SocketAddr, PortRef)>);

impl Bound {
    pub(super) fn insert(&mut self, at: SocketAddr, port: PortRef) {
        match self.find(at) {
            Ok(place) => self.0[place].1 = port,
            Err(place) => self.0.insert(place, (at, port)),
        }
    }

    pub(super) fn remove(&mut self, at: SocketAddr) {
        if let Ok(place) = self.find(at) {
            self.0.remove(place);
        }
    }

    pub(super) fn get(&self, at: SocketAddr) -> Option<PortRef> {
        self.find(at).ok().map(|place| self.0[place].1)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The address of one of them.
    pub(super) fn nth(&self, n: usize) -> Option<SocketAddr> {
        self.0.get(n).map(|(at, _)| *at)
    }

    /// There is one media address, so that the port is compared first.
    fn find(&self, at: SocketAddr) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| (other.port(), other.ip()).cmp(&(at.port(), at.ip())))
    }
}
