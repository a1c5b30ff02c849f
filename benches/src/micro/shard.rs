//! A whole call through `Shard::handle` in memory: INVITE, 100, 180, 200, ACK, BYE, 200, both legs.

use crate::load::scan::Scan;
use bytes::Bytes;
use proxy_core::{
    Config, EdgeGroup, GroupId, HuntPolicy, InboundRoute, Input, Listener, ListenerId, MediaMode,
    MediaPolicy, Output, Owner, Peer, Region, RegionId, Shard, ShardLimits, Site, SiteId, Snapshot, Target,
    TargetId, Timers, Transport, Trunk, UnknownSource,
};
use relay_values::{Duration, Latching, Time};
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

pub(super) const CARRIER: ([u8; 4], u16) = ([192, 0, 2, 10], 5060);
pub(super) const EDGE: ([u8; 4], u16) = ([203, 0, 113, 5], 5060);
/// Virtual time from one message to the next. At six inputs a call that is some 1,000 calls/s, so that transactions
/// linger in the tables in a number that a real shard sees.
pub(super) const BETWEEN: Duration = Duration::from_micros(160);

/// A shard with a carrier on one side and an edge on the other.
#[derive(Debug)]
pub struct Calls {
    shard: Shard,
    now: Time,
    placed: u64,
    /// Time spent inside the shard.
    spent: std::time::Duration,
}

pub(super) fn peer(of: ([u8; 4], u16)) -> Peer {
    Peer { transport: Transport::Udp, listener: ListenerId(0), remote: SocketAddr::from(of) }
}

pub(super) fn config() -> Config {
    let ours: SocketAddr = ([198, 51, 100, 1], 5060).into();
    Config {
        listeners: vec![Listener {
            name: "l".into(),
            transport: Transport::Udp,
            bind: ours,
            advertised: ours,
            large: proxy_core::LargeRequests::default(),
        }],
        regions: vec![Region { name: "r".into(), moves_per_second: None }],
        targets: vec![Target {
            name: "e".into(),
            owner: Owner::Edge(GroupId(0)),
            peer: peer(EDGE),
            rank: 0,
            weight: 1,
            probe: None,
        }],
        named: vec![],
        groups: vec![EdgeGroup {
            name: "g".into(),
            region: RegionId(0),
            edges: vec![TargetId(0)],
            sources: vec![],
            latching: Latching::Exact,
            manners: proxy_core::Manners::default(),
        }],
        sites: vec![Site { name: "s".into(), groups: vec![GroupId(0)], correlation: None }],
        trunks: vec![Trunk {
            name: "t".into(),
            sources: vec!["192.0.2.0/24".parse().expect("a constant")],
            targets: vec![],
            max_calls: None,
            calls_per_second: None,
            latching: Latching::Exact,
            correlation: None,
            manners: proxy_core::Manners::default(),
        }],
        profiles: vec![],
        codes: vec![],
        authentication: proxy_core::Authentication::default(),
        stir: vec![],
        registrations: vec![],
        inbound: vec![InboundRoute { trunk: None, prefix: String::new(), site: SiteId(0) }],
        outbound: vec![],
        media: MediaPolicy {
            mode: MediaMode::Bypass,
            v4: None,
            v6: None,
            advertised_v4: None,
            advertised_v6: None,
            inactivity: None,
        },
        timers: Timers::default(),
        hunt: HuntPolicy::default(),
        limits: ShardLimits { max_calls: 100_000 },
        certificates: Vec::new(),
        unknown_source: UnknownSource::Drop,
        product: None,
        region_health: proxy_core::RegionPolicy::default(),
        rehome: proxy_core::RehomePolicy::default(),
        session: proxy_core::SessionPolicy::default(),
        overload: proxy_core::OverloadPolicy::default(),
        scanners: proxy_core::ScannerPolicy::default(),
    }
}

impl Default for Calls {
    fn default() -> Self {
        let snapshot = Arc::new(Snapshot::first(Arc::new(config())));
        let now = Time::from_millis(1);
        Self { shard: Shard::new(0, 1, now, snapshot), now, placed: 0, spent: std::time::Duration::ZERO }
    }
}

impl Calls {
    /// Time spent inside the shard so far.
    pub fn spent(&self) -> std::time::Duration {
        self.spent
    }

    /// One whole call; how many messages the shard sent.
    ///
    /// # Panics
    ///
    /// If the call does not go through: then there is nothing to measure.
    pub fn step(&mut self) -> usize {
        self.placed += 1;
        let id = self.placed;
        let (_, sdp) = super::wire::INVITE.split_once("\r\n\r\n").expect("a constant");
        let mut sent = 0;
        let invite = request("INVITE", 1, id, "sip:+442079460123@198.51.100.1", "", sdp);
        let mut queue = self.input(CARRIER, invite);
        let mut to_carrier = Vec::new();
        while let Some((to, bytes)) = queue.pop() {
            sent += 1;
            let scan = Scan::read(&bytes).expect("the shard writes SIP");
            if to == peer(CARRIER) {
                match (scan.method, scan.code) {
                    (b"INVITE", 200) => {
                        let (to, target) = (text(scan.to), text(scan.contact));
                        queue.extend(self.input(CARRIER, request("ACK", 1, id, &target, &to, "")));
                        queue.extend(self.input(CARRIER, request("BYE", 2, id, &target, &to, "")));
                    }
                    (b"BYE", 200) => to_carrier.push(200),
                    _ => {}
                }
            } else {
                match scan.method {
                    b"INVITE" => {
                        queue.extend(self.input(EDGE, response(&scan, "180 Ringing", "")));
                        queue.extend(self.input(EDGE, response(&scan, "200 OK", sdp)));
                    }
                    b"BYE" => queue.extend(self.input(EDGE, response(&scan, "200 OK", ""))),
                    _ => {}
                }
            }
        }
        assert_eq!(to_carrier, [200], "the call ends with one 200 to the BYE");
        sent
    }

    fn input(&mut self, from: ([u8; 4], u16), bytes: Bytes) -> Vec<(Peer, Bytes)> {
        self.now += BETWEEN;
        let mut sent = Vec::with_capacity(8);
        let began = Instant::now();
        self.through_the_shard(from, bytes, &mut sent);
        self.spent += began.elapsed();
        sent
    }

    /// What is timed and what instructions are counted of: under its own name in every build.
    #[inline(never)]
    fn through_the_shard(&mut self, from: ([u8; 4], u16), bytes: Bytes, sent: &mut Vec<(Peer, Bytes)>) {
        if self.shard.poll_timeout() <= self.now {
            self.shard.handle(self.now, Input::Timeout);
            while self.shard.poll_output().is_some() {}
        }
        // As the appliance asks of every datagram.
        assert!(self.shard.lets_in(self.now, peer(from), &bytes), "both are known");
        self.shard.handle(self.now, Input::Message { from: peer(from), bytes });
        while let Some(output) = self.shard.poll_output() {
            if let Output::Send { to, bytes } = output {
                sent.push((to, bytes));
            }
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn request(method: &str, cseq: u32, id: u64, target: &str, to: &str, sdp: &str) -> Bytes {
    let mut b = String::with_capacity(1200);
    let to = if to.is_empty() { "<sip:+442079460123@198.51.100.1>" } else { to };
    let _ = write!(
        b,
        "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK{id:x}{method}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:+442079460001@192.0.2.10>;tag={id:x}\r\nTo: {to}\r\n\
         Call-ID: {id:x}@192.0.2.10\r\nCSeq: {cseq} {method}\r\nContact: <sip:c@192.0.2.10:5060>\r\n",
    );
    body(&mut b, sdp);
    b.into()
}

pub(super) fn response(scan: &Scan<'_>, status: &str, sdp: &str) -> Bytes {
    let mut b = String::with_capacity(1200);
    let _ = write!(b, "SIP/2.0 {status}\r\n");
    for via in scan.vias() {
        let _ = write!(b, "Via: {}\r\n", text(via));
    }
    let tag = if scan.to_tag().is_some() { "" } else { ";tag=edge" };
    let _ = write!(
        b,
        "From: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: <sip:e@203.0.113.5:5060>\r\n",
        text(scan.from),
        text(scan.to),
        text(scan.call_id),
        text(scan.cseq),
    );
    body(&mut b, sdp);
    b.into()
}

pub(super) fn body(b: &mut String, sdp: &str) {
    if !sdp.is_empty() {
        b.push_str("Content-Type: application/sdp\r\n");
    }
    let _ = write!(b, "Content-Length: {}\r\n\r\n{sdp}", sdp.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_in_memory_go_through_again_and_again() {
        let mut calls = Calls::default();
        for _ in 0..100 {
            assert_eq!(calls.step(), 7, "100, INVITE, 180, 200, ACK, BYE and 200 leave the shard");
        }
    }
}
