//! `[[listener]]`, and TLS on either side.

use super::Maybe;
use crate::config::words::Address;
use serde::Deserialize;
use std::path::PathBuf;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawListener {
    /// How others refer to it.
    /// Required.
    /// Restart.
    pub(in crate::config) name: Maybe<String>,
    /// What is spoken there. For UDP and TCP at one address write two listeners.
    /// Default: "udp".
    /// Restart.
    pub(in crate::config) transport: Option<RawTransport>,
    /// Address to bind; without a port 5060, or 5061 for TLS.
    /// Required.
    /// Restart.
    pub(in crate::config) bind: Maybe<Address>,
    /// What peers see in Via, Contact and Record-Route, behind a NAT; without a port that of `bind`.
    /// Without it: `bind`.
    /// Restart.
    pub(in crate::config) advertised: Maybe<Address>,
    /// How requests of ours go that are too large for a datagram.
    /// Default: "stream".
    /// Restart.
    pub(in crate::config) large_requests: Maybe<RawLarge>,
    /// Bytes of the largest packet on the way to whoever is behind it; requests over 200 bytes less are large (RFC
    /// 3261 §18.1.1).
    /// Default: 1500.
    /// Range: 576 to 65535.
    /// Restart.
    pub(in crate::config) path_mtu: Maybe<i64>,
    /// PEM file with our certificate first, then those between it and its root. For TLS alone, where it is needed.
    pub(in crate::config) certificate: Maybe<PathBuf>,
    /// PEM file with its key, unencrypted. For TLS alone, where it is needed.
    pub(in crate::config) key: Maybe<PathBuf>,
    /// PEM file of authorities: callers are asked for a certificate that one of them has signed.
    /// Without it: nobody is asked.
    pub(in crate::config) client_ca: Maybe<PathBuf>,
    /// Whether callers without such a certificate are turned away. For TLS alone.
    /// Without it: they are not.
    pub(in crate::config) require_client: Maybe<bool>,
}

/// How targets are called over TLS.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawTls {
    /// Domain that the targets' certificates have to be of (RFC 5922).
    /// Without it: the host that is written in `address`.
    pub(in crate::config) server_name: Maybe<String>,
    /// PEM file of the authorities that are believed.
    /// Without it: those of the system.
    pub(in crate::config) ca: Maybe<PathBuf>,
    /// PEM file of the certificate that we show there.
    /// Without it: the listener's.
    pub(in crate::config) certificate: Maybe<PathBuf>,
    /// PEM file with its key.
    pub(in crate::config) key: Maybe<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum RawLarge {
    /// By the stream listener at the same address, if there is one.
    Stream,
    /// By datagram, in fragments.
    Datagram,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum RawTransport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
}
