//! A worker's own ports.

use relay_core::{PortRef, RelayConfig};
use std::net::{IpAddr, SocketAddr};

/// The ports of a worker: its names for them, and their addresses.
#[derive(Debug)]
pub(super) struct Slice {
    addresses: Vec<IpAddr>,
    first: u16,
    per_address: u32,
}

impl Slice {
    pub(super) fn new(relay: &RelayConfig) -> Self {
        Self {
            addresses: relay.addresses.clone(),
            first: relay.ports.start().checked_next_multiple_of(2).unwrap_or(u16::MAX),
            per_address: u32::try_from(2 * relay.pairs_per_address()).unwrap_or(0),
        }
    }

    /// Every index of a [`PortRef`] is below it.
    pub(super) fn len(&self) -> u32 {
        self.per_address * u32::try_from(self.addresses.len()).unwrap_or(0)
    }

    /// The worker's name for a port.
    pub(super) fn port(&self, at: SocketAddr) -> Option<PortRef> {
        let address = u32::try_from(self.addresses.iter().position(|a| *a == at.ip())?).ok()?;
        let number = u32::from(at.port().checked_sub(self.first)?);
        (number < self.per_address).then(|| PortRef::new(address * self.per_address + number))
    }

    /// The place of a port's address, and its number.
    pub(super) fn number(&self, port: PortRef) -> Option<(usize, u16)> {
        let port = u32::try_from(port.index()).ok()?;
        let number = u32::from(self.first) + port.checked_rem(self.per_address)?;
        Some((port.checked_div(self.per_address)? as usize, u16::try_from(number).ok()?))
    }

    pub(super) fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_and_its_relay_give_ports_the_same_names() {
        let relay = RelayConfig {
            addresses: vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
            ports: 20_001..=20_010,
            ..RelayConfig::default()
        };
        let (slice, relay) = (Slice::new(&relay), relay_core::Relay::new(&relay, 0));
        assert_eq!(slice.len() as usize, relay.ports());
        for port in (0..slice.len()).map(PortRef::new) {
            let local = relay.local(port).unwrap();
            assert_eq!(slice.port(local), Some(port));
            let (address, number) = slice.number(port).unwrap();
            assert_eq!(SocketAddr::new(slice.addresses()[address], number), local);
        }
        for foreign in ["192.0.2.1:20001", "192.0.2.1:20010", "192.0.2.2:20002", "[2001:db8::1]:1"] {
            assert_eq!(slice.port(foreign.parse().unwrap()), None, "{foreign}");
        }
    }
}
