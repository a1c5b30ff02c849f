//! `[media]`.

use super::Maybe;
use crate::config::words::{Span, Text};
use serde::Deserialize;
use std::net::IpAddr;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawMedia {
    /// Whether media passes through here.
    /// Default: "relay".
    /// Restart.
    pub(in crate::config) mode: Maybe<RawMediaMode>,
    /// Our IPv4 address for media. This or `v6` is needed, unless media bypasses us.
    /// Restart.
    pub(in crate::config) v4: Maybe<IpAddr>,
    /// Our IPv6 address for media.
    /// Restart.
    pub(in crate::config) v6: Maybe<IpAddr>,
    /// What stands in every SDP in its place, behind a NAT.
    /// Without it: `v4`.
    pub(in crate::config) advertised_v4: Maybe<IpAddr>,
    /// The same for IPv6.
    /// Without it: `v6`.
    pub(in crate::config) advertised_v6: Maybe<IpAddr>,
    /// First and last port, even and odd; four for each call.
    /// Default: "20000-39999".
    /// Restart.
    pub(in crate::config) ports: Maybe<Text>,
    /// A call ends when one of its legs has sent no media for so long; 0: never.
    /// Default: "12s".
    pub(in crate::config) inactivity: Maybe<Span>,
    /// Why that is outside 10 s to 15 s: without it the check warns.
    pub(in crate::config) inactivity_reason: Maybe<String>,
    /// Differentiated services code point of what we send; 46 is EF (RFC 3246).
    /// Default: 46.
    /// Range: 0 to 63.
    /// Restart.
    pub(in crate::config) dscp: Maybe<i64>,
    /// What carries media.
    /// Default: "auto".
    /// Restart.
    pub(in crate::config) datapath: Maybe<RawDatapath>,
    /// When a region's flows have fallen silent together.
    /// Restart.
    pub(in crate::config) silence: Option<RawSilence>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawSilence {
    /// Fewer flows prove nothing.
    /// Default: 8.
    /// Range: 2 to 100000.
    pub(in crate::config) min_flows: Maybe<i64>,
    /// How long they have to be silent; less than two packets (40 ms) draws a warning.
    /// Default: "50ms".
    /// Range: from "20ms".
    pub(in crate::config) after: Maybe<Span>,
    /// How many of them may still be heard, in percent.
    /// Default: 10.
    /// Range: 0 to 50.
    pub(in crate::config) heard_percent: Maybe<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RawDatapath {
    /// The kernel where it can, else the best sockets.
    Auto,
    /// The best sockets, never the kernel's program.
    Sockets,
    /// One socket for the whole range.
    Lookup,
    /// A socket a port, io_uring.
    Uring,
    /// A socket a port, epoll.
    Epoll,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RawMediaMode {
    /// It does: anchored, counted, watched.
    Relay,
    /// It does not: each side sees the other's address.
    Bypass,
}
