//! Where there are media addresses.

use crate::xdp::{Interface, Routes};
use std::net::IpAddr;

/// The interfaces of the media addresses.
pub(super) struct Found {
    /// Each once.
    pub(super) interfaces: Vec<Interface>,
    /// Why an address has none.
    pub(super) nowhere: Vec<String>,
    /// Addresses that are on no interface at present.
    pub(super) absent: usize,
}

impl Found {
    pub(super) fn look(routes: &Routes, addresses: &[IpAddr]) -> Self {
        let mut found = Self { interfaces: Vec::new(), nowhere: Vec::new(), absent: 0 };
        for &ip in addresses {
            match routes.interface_of(ip) {
                Ok(Some(i)) if i.is_loopback => found.nowhere.push(format!("{ip} is on loopback")),
                Ok(Some(i)) if found.interfaces.iter().any(|f| f.ifindex == i.ifindex) => {}
                Ok(Some(i)) => found.interfaces.push(i),
                Ok(None) => {
                    found.absent += 1;
                    found.nowhere.push(format!("{ip} is on no interface that is up"));
                }
                Err(e) => found.nowhere.push(format!("the interface of {ip}: {e}")),
            }
        }
        found
    }
}
