//! The rules bite: what is wrong on the wire is called wrong. A rule that never complains proves nothing.

mod ends;
mod media;
mod moves;
mod transactions;

use proxy_core::{CallRecord, Receipt, Snapshot, TargetState};
use relay_core::{Relay, RelayConfig};
use relay_values::Time;
use sim::agent::{Agent, Book};
use sim::{Checks, Setup};
use sip_wire::Message;
use std::net::SocketAddr;
use std::sync::Arc;

const CARRIER: &str = "198.51.100.1:5060";
const EDGE: &str = "172.20.1.1:5060";
const OTHER_EDGE: &str = "172.20.2.1:5060";

struct Tap(Checks);

impl Tap {
    fn new() -> Self {
        let setup = Setup::lively(1);
        let first = Arc::new(Snapshot::first(Arc::new(setup.config())));
        Self(Checks::new(&setup, first))
    }

    fn sent(&mut self, ms: u64, to: &str, text: &str) {
        let now = Time::from_millis(ms);
        self.0.clock(now);
        self.0.sent(now, Some(0), 0, address(to), &message(text));
        self.0.turn_over(now);
    }

    fn received(&mut self, ms: u64, from: &str, text: &str) {
        self.0.received(Time::from_millis(ms), Some(0), address(from), &message(text));
        self.0.turn_over(Time::from_millis(ms));
    }

    /// One turn: what comes, and what is sent because of it.
    fn turn(&mut self, ms: u64, from: &str, comes: &str, sent: &[(&str, &str)]) {
        let now = Time::from_millis(ms);
        self.0.received(now, Some(0), address(from), &message(comes));
        for (to, text) in sent {
            self.0.sent(now, Some(0), 0, address(to), &message(text));
        }
        self.0.turn_over(now);
    }

    /// Everything is over.
    fn at_end(&mut self, agents: &[Agent], records: &[CallRecord]) {
        let relay = Relay::new(&RelayConfig::default(), 1);
        self.0.at_end(Time::from_millis(60_000), &[], &relay, agents, records, &Book::default());
    }

    /// A call that the carrier began and that is up at an edge.
    fn answered() -> Self {
        let mut tap = Self::new();
        tap.received(1000, CARRIER, CARRIERS_INVITE);
        tap.sent(1001, EDGE, INVITE);
        let ack = "ACK sip:x@172.20.1.1 SIP/2.0|to=tagEdge1 branch=z9hG4bKb0a";
        let ok = "SIP/2.0 200 OK|method=INVITE to=tagEdge1";
        tap.turn(1010, EDGE, ok, &[(EDGE, ack), (CARRIER, CARRIERS_ANSWER)]);
        tap.received(
            1015,
            CARRIER,
            "ACK sip:x@192.0.2.1 SIP/2.0|call=callCarrier1 from=tagCarrier1 to=ourtag2",
        );
        assert!(tap.broken().is_empty(), "{:?}", tap.0.violations);
        tap
    }

    /// Another edge takes the call.
    fn moves(&mut self, ms: u64) {
        self.sent(ms, OTHER_EDGE, &format!("{INVITE}|branch=z9hG4bKb0b call=ourcall2 from=ourtag3"));
        let ok = "SIP/2.0 200 OK|method=INVITE branch=z9hG4bKb0b call=ourcall2 from=ourtag3 to=tagEdge2";
        let ack = "ACK sip:x@172.20.2.1 SIP/2.0|branch=z9hG4bKb0c call=ourcall2 from=ourtag3 to=tagEdge2";
        self.turn(ms + 10, OTHER_EDGE, ok, &[(OTHER_EDGE, ack)]);
    }

    /// The first edge is down.
    fn down(&mut self, ms: u64) {
        let mut snapshot = Snapshot::first(Arc::new(Setup::quiet(1).config()));
        snapshot.health[0].state = TargetState::Down;
        self.0.snapshot(Time::from_millis(ms), 0, &Arc::new(snapshot));
    }

    fn receipt(&mut self, ms: u64, receipt: &Receipt) {
        self.0.receipt(Time::from_millis(ms), Some(0), receipt);
    }

    /// The rules that were broken.
    fn broken(&self) -> Vec<&str> {
        self.0.violations.iter().map(|violation| violation.rule).collect()
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn message(start: &str) -> Message {
    let (start, fields) = start.split_once('|').unwrap_or((start, ""));
    let field = |name: &str| fields.split(' ').find_map(|f| f.strip_prefix(&format!("{name}=")));
    let (cseq, branch) = (field("cseq").unwrap_or("1"), field("branch").unwrap_or("z9hG4bKb00"));
    let method = field("method").unwrap_or_else(|| start.split(' ').next().unwrap_or_default());
    let (from, to) = (field("from").unwrap_or("ourtag1"), field("to"));
    let to = to.map(|tag| format!(";tag={tag}")).unwrap_or_default();
    let body = field("media").map(description).unwrap_or_default();
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    let expires = field("expires").map(|s| format!("Session-Expires: {s}\r\n")).unwrap_or_default();
    let text = format!(
        "{start}\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch={branch}\r\nMax-Forwards: 70\r\n\
         From: <sip:a@192.0.2.1>;tag={from}\r\nTo: <sip:+4930000000@h>{to}\r\nCall-ID: {}\r\n\
         CSeq: {cseq} {method}\r\nContact: <sip:{}>\r\n{expires}{kind}Content-Length: {}\r\n\r\n{body}",
        field("call").unwrap_or("ourcall1"),
        field("contact").unwrap_or("192.0.2.1:5060"),
        body.len(),
    );
    Message::parse(text.into_bytes().into()).expect("it parses")
}

/// A description with a version and lines, each its kind and port: `1,audio:20000,video:0`.
fn description(what: &str) -> String {
    let (version, lines) = what.split_once(',').expect("a version");
    let head = format!("v=0\r\no=- 1 {version} IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n");
    lines.split(',').fold(head, |text, line| {
        let (kind, port) = line.split_once(':').expect("a port");
        let open = if port == "0" { "" } else { "a=sendrecv\r\n" };
        format!("{text}m={kind} {port} RTP/AVP 98\r\n{open}")
    })
}

const INVITE: &str = "INVITE sip:+4930000000@172.20.1.1 SIP/2.0";
const BYE: &str = "BYE sip:x@172.20.1.1 SIP/2.0";
const CARRIERS_INVITE: &str =
    "INVITE sip:+4930000000@192.0.2.1 SIP/2.0|call=callCarrier1 from=tagCarrier1 branch=z9hG4bKbr";
const CARRIERS_ANSWER: &str =
    "SIP/2.0 200 OK|method=INVITE call=callCarrier1 from=tagCarrier1 to=ourtag2 branch=z9hG4bKbr";
const CARRIERS_BYE_ANSWER: &str =
    "SIP/2.0 200 OK|method=BYE call=callCarrier1 from=tagCarrier1 to=ourtag2 branch=z9hG4bKbx cseq=2";
const CARRIERS_BYE: &str =
    "BYE sip:x@192.0.2.1 SIP/2.0|call=callCarrier1 from=tagCarrier1 to=ourtag2 branch=z9hG4bKbx cseq=2";
