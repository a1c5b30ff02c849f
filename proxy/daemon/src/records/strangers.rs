//! What strangers have tried, in a record.

use relay_values::StrangerStats;
use serde::Serialize;
use std::net::SocketAddr;

#[derive(Serialize)]
pub(super) struct Strangers {
    rtp: u64,
    rtcp: u64,
    forged: u64,
    strayed: u64,
    /// Eight stand for eight and more.
    sources: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<SocketAddr>,
}

impl Strangers {
    /// Nothing, where nobody has tried.
    pub(super) fn new(stats: &StrangerStats) -> Option<Self> {
        let StrangerStats { rtp, rtcp, forged, strayed, sources, first } = *stats;
        (!stats.is_empty()).then_some(Self { rtp, rtcp, forged, strayed, sources, first })
    }
}
