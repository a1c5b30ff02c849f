//! Names: who is asked for them, and how many there may be.

use super::policy::{ranged, time};
use crate::config::complaint::Complaints;
use crate::config::raw::RawDns;
use crate::config::settings::DnsSettings;
use crate::config::words::{Address, say};
use proxy_core::{LocatePolicy, MAX_PLACES, NamedTarget};
use serde_spanned::Spanned;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

/// resolv.conf(5) has three.
const MAX_SERVERS: usize = 8;

/// Longer than this nobody waits for one datagram's answer.
const MAX_TIMEOUT: Duration = Duration::from_secs(10);

/// A month: RFC 8767 §5 recommends 1 to 3 days.
const MAX_STALE: Duration = Duration::from_secs(30 * 86_400);

pub(super) fn read(raw: &RawDns, complaints: &mut Complaints) -> DnsSettings {
    let default = DnsSettings::default();
    let listed = raw.servers.as_ref().map_or(&[][..], |servers| servers.get_ref());
    if let Some(servers) = raw.servers.as_ref().filter(|_| listed.is_empty() || listed.len() > MAX_SERVERS) {
        complaints
            .error(servers.span(), format!("{} name servers", listed.len()))
            .advise(format!("name 1 to {MAX_SERVERS}, or leave the key out for those of the system"));
    }
    let attempts = raw
        .attempts
        .as_ref()
        .map_or(u32::from(default.attempts), |n| ranged(n, 1, 5, "`attempts`", complaints));
    let timeout = time(&raw.timeout, default.timeout);
    if let Some(written) = raw.timeout.as_ref().filter(|_| timeout.is_zero() || timeout > MAX_TIMEOUT) {
        complaints
            .error(written.span(), format!("`timeout` of {}", say(timeout)))
            .advise(format!("write something up to {}; 2s is usual", say(MAX_TIMEOUT)));
    }
    let stale = time(&raw.stale, default.policy.stale);
    if let Some(written) = raw.stale.as_ref().filter(|_| stale > MAX_STALE) {
        complaints
            .error(written.span(), format!("addresses of {} ago", say(stale)))
            .at("an address that old may be somebody else's")
            .advise(format!("write something up to {}; 72h is recommended (RFC 8767)", say(MAX_STALE)));
    }
    DnsSettings {
        servers: listed.iter().map(server).collect(),
        timeout,
        attempts: u8::try_from(attempts).unwrap_or(u8::MAX),
        start_wait: time(&raw.start_wait, default.start_wait),
        policy: LocatePolicy { stale, hold: time(&raw.hold, default.policy.hold) },
    }
}

/// With DNS's own port where none is written.
fn server(written: &Spanned<Address>) -> SocketAddr {
    let Address { ip, port } = *written.get_ref();
    SocketAddr::new(ip, port.unwrap_or(53))
}

/// Each name has addresses, and all have numbers in the end.
pub(super) fn names(named: &[NamedTarget], complaints: &mut Complaints) {
    let places: BTreeSet<_> = named.iter().map(|named| &named.place).collect();
    if places.len() > MAX_PLACES {
        complaints
            .error(0..0, format!("{} host names", places.len()))
            .advise(format!("configure {MAX_PLACES} at most, and addresses for the rest"));
    }
}
