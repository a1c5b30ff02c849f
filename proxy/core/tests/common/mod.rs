//! A shard with one trunk and two regions, and the plainest of peers.

#![allow(dead_code, unreachable_pub, reason = "each story uses a part of it")]

pub mod carriers;
pub mod dialogs;
pub mod digest;

use bytes::Bytes;
use proxy_core::*;
use relay_values::{
    Duration, Latching, Leg, OpenFailure, RelayCommand, RelayEvent, SessionId, SessionStats, Time,
};
use std::net::SocketAddr;
use std::sync::Arc;

/// The carrier's address.
pub const CARRIER: &str = "192.0.2.1:5060";
/// The first region's edge.
pub const EAST: &str = "198.51.100.1:5060";
/// The second region's edge.
pub const WEST: &str = "203.0.113.1:5060";
/// Ours.
pub const US: &str = "192.0.2.100:5060";

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn peer(remote: &str) -> Peer {
    Peer { transport: Transport::Udp, listener: ListenerId(0), remote: at(remote) }
}

/// One trunk, one site, two groups of one edge each in regions east and west.
pub fn config() -> Config {
    let edge = |name: &str, group, remote| Target {
        name: name.into(),
        owner: Owner::Edge(GroupId(group)),
        peer: peer(remote),
        rank: 0,
        weight: 1,
        probe: None,
    };
    let group = |name: &str, region, edge| EdgeGroup {
        name: name.into(),
        region: RegionId(region),
        edges: vec![TargetId(edge)],
        sources: vec![],
        latching: Latching::Learn,
        manners: Manners::default(),
    };
    Config {
        listeners: vec![Listener {
            name: "main".into(),
            transport: Transport::Udp,
            bind: at(US),
            advertised: at(US),
            large: proxy_core::LargeRequests::default(),
        }],
        regions: vec![
            Region { name: "east".into(), moves_per_second: None },
            Region { name: "west".into(), moves_per_second: None },
        ],
        targets: vec![
            edge("east-1", 0, EAST),
            edge("west-1", 1, WEST),
            Target {
                name: "carrier-1".into(),
                owner: Owner::Trunk(TrunkId(0)),
                peer: peer(CARRIER),
                rank: 0,
                weight: 1,
                probe: None,
            },
        ],
        named: vec![],
        groups: vec![group("east", 0, 0), group("west", 1, 1)],
        sites: vec![Site { name: "main".into(), groups: vec![GroupId(0), GroupId(1)], correlation: None }],
        trunks: vec![Trunk {
            name: "carrier".into(),
            sources: vec!["192.0.2.1/32".parse().unwrap()],
            targets: vec![TargetId(2)],
            max_calls: None,
            calls_per_second: None,
            latching: Latching::Learn,
            correlation: None,
            manners: Manners::default(),
        }],
        profiles: vec![],
        codes: vec![],
        authentication: proxy_core::Authentication::default(),
        stir: vec![],
        registrations: vec![],
        inbound: vec![InboundRoute { trunk: None, prefix: String::new(), site: SiteId(0) }],
        outbound: vec![OutboundRoute {
            site: None,
            prefix: String::new(),
            trunks: TrunkChoice::ranked([TrunkId(0)]),
        }],
        media: MediaPolicy {
            mode: MediaMode::Relay,
            v4: Some("192.0.2.100".parse().unwrap()),
            v6: None,
            advertised_v4: None,
            advertised_v6: None,
            inactivity: Some(Duration::from_secs(12)),
        },
        timers: Timers::default(),
        hunt: HuntPolicy::default(),
        limits: ShardLimits { max_calls: 1000 },
        certificates: Vec::new(),
        unknown_source: UnknownSource::Drop,
        product: None,
        region_health: proxy_core::RegionPolicy::default(),
        rehome: proxy_core::RehomePolicy::default(),
        session: proxy_core::SessionPolicy::default(),
        overload: proxy_core::OverloadPolicy {
            target: Duration::from_millis(20),
            interval: Duration::from_millis(100),
            ..Default::default()
        },
        scanners: proxy_core::ScannerPolicy::default(),
    }
}

/// The shard under test, its virtual clock, and what it said.
pub struct Stage {
    pub shard: Shard,
    /// The newest that the shard has.
    pub snapshot: Arc<Snapshot>,
    pub now: Time,
    pub sent: Vec<(SocketAddr, String)>,
    pub relayed: Vec<RelayCommand>,
    pub records: Vec<CallRecord>,
    pub evidence: Vec<Evidence>,
    pub events: Vec<Event>,
    /// What it wants signed or verified.
    pub tasks: Vec<StirTask>,
    /// The relay has no ports left.
    pub exhausted: bool,
    /// Sessions that it has opened: each has ports of its own, from 20000 up.
    pub opened: u16,
    /// Their ports towards the A-leg.
    a_ports: Vec<(SessionId, u16)>,
    /// The relay takes its time: what it has to say is kept until it may.
    pub held: Option<Vec<RelayEvent>>,
}

impl Stage {
    pub fn new() -> Self {
        Self::with(config())
    }

    pub fn with(config: Config) -> Self {
        let snapshot = Arc::new(Snapshot::first(Arc::new(config)));
        let shard = Shard::new(0, 7, Time::ZERO, snapshot.clone());
        Self {
            shard,
            snapshot,
            now: Time::ZERO,
            sent: vec![],
            relayed: vec![],
            records: vec![],
            evidence: vec![],
            events: vec![],
            tasks: vec![],
            exhausted: false,
            opened: 0,
            a_ports: vec![],
            held: None,
        }
    }

    pub fn input(&mut self, input: Input) {
        self.shard.handle(self.now, input);
        let mut events = vec![];
        while let Some(output) = self.shard.poll_output() {
            match output {
                Output::Send { to, bytes } => {
                    self.sent.push((to.remote, String::from_utf8_lossy(&bytes).into_owned()));
                }
                Output::Relay(command) => {
                    match &command {
                        RelayCommand::Open(open) if self.exhausted => {
                            let reason = OpenFailure::PortsExhausted;
                            events.push(RelayEvent::OpenFailed { session: open.session, reason });
                        }
                        RelayCommand::Open(open) => {
                            let a_port = 20000 + 4 * self.opened;
                            self.opened += 1;
                            let (session, b_port) = (open.session, a_port + 2);
                            self.a_ports.push((session, a_port));
                            events.push(RelayEvent::Opened { session, a_port, b_port });
                        }
                        RelayCommand::Renew { session, leg: Leg::B, .. } => {
                            let a_port =
                                self.a_ports.iter().find(|(of, _)| of == session).expect("it is open").1;
                            let b_port = 20000 + 4 * self.opened + 2;
                            self.opened += 1;
                            events.push(RelayEvent::Opened { session: *session, a_port, b_port });
                        }
                        RelayCommand::Release { session } => {
                            let stats = Box::new(SessionStats::default());
                            events.push(RelayEvent::Released { session: *session, stats });
                        }
                        RelayCommand::Connect { .. }
                        | RelayCommand::Retarget { .. }
                        | RelayCommand::Renew { .. }
                        | RelayCommand::Bridge { .. }
                        | RelayCommand::Place { .. } => {}
                    }
                    self.relayed.push(command);
                }
                Output::Finished(record) => self.records.push(*record),
                Output::Event(Event::Evidence(evidence)) => self.evidence.push(evidence),
                Output::Event(event) => self.events.push(event),
                Output::Stir(task) => self.tasks.push(*task),
            }
        }
        match &mut self.held {
            Some(held) => held.extend(events),
            None => events.into_iter().for_each(|event| self.input(Input::Relay(event))),
        }
    }

    /// The relay says what it has to say.
    pub fn let_go(&mut self) {
        for event in self.held.take().unwrap_or_default() {
            self.input(Input::Relay(event));
        }
    }

    pub fn receive(&mut self, from: &str, text: &str) {
        self.input(Input::Message { from: peer(from), bytes: Bytes::copy_from_slice(text.as_bytes()) });
    }

    /// Lets time pass, waking the shard exactly when it asks for it.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.shard.poll_timeout() <= end {
            self.now = self.shard.poll_timeout().max(self.now);
            self.input(Input::Timeout);
        }
        self.now = end;
    }

    /// The messages sent to a peer since the last look.
    pub fn take(&mut self, to: &str) -> Vec<String> {
        let to = at(to);
        let (mine, others) = std::mem::take(&mut self.sent).into_iter().partition(|(peer, _)| *peer == to);
        self.sent = others;
        mine.into_iter().map(|(_, text)| text).collect()
    }
}

pub fn sdp(address: &str, port: u16) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
    )
}

pub fn with_body(head: &str, body: &str) -> String {
    if body.is_empty() {
        format!("{head}Content-Length: 0\r\n\r\n")
    } else {
        format!("{head}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }
}

/// The carrier's INVITE.
pub fn invite(call: &str, body: &str) -> String {
    let head = format!(
        "INVITE sip:+15551000@192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{call}\r\n\
         Record-Route: <sip:192.0.2.1;lr>\r\nMax-Forwards: 70\r\nFrom: \"Ann\" <sip:+15552000@carrier.example>;tag=c-{call}\r\n\
         To: <sip:+15551000@192.0.2.100>\r\nCall-ID: {call}@carrier.example\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:ann@192.0.2.1:5060>\r\n"
    );
    with_body(&head, body)
}

/// A header field's value.
pub fn header<'a>(message: &'a str, name: &str) -> &'a str {
    message
        .lines()
        .find_map(|line| line.strip_prefix(name).and_then(|rest| rest.strip_prefix(": ")))
        .unwrap_or_default()
        .trim()
}

/// A UAS's response to one of our requests.
pub fn answer(request: &str, code: u16, tag: &str, contact: &str, body: &str) -> String {
    let head = format!(
        "SIP/2.0 {code} X\r\nVia: {}\r\nFrom: {}\r\nTo: {};tag={tag}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: <sip:{contact}>\r\n",
        header(request, "Via"),
        header(request, "From"),
        header(request, "To").split(";tag").next().unwrap_or_default(),
        header(request, "Call-ID"),
        header(request, "CSeq"),
    );
    with_body(&head, body)
}

/// The caller's request inside the dialog that `response` established.
pub fn in_dialog(response: &str, method: &str, cseq: u32, body: &str) -> String {
    let head = format!(
        "{method} sip:192.0.2.100:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{method}{cseq}\r\n\
         Max-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n",
        header(response, "From"),
        header(response, "To"),
        header(response, "Call-ID"),
    );
    with_body(&head, body)
}

/// The start line's code of a response, the method of a request.
pub fn what(message: &str) -> String {
    let mut words = message.split(' ');
    let first = words.next().unwrap_or_default();
    let code = words.next().unwrap_or_default();
    if first == "SIP/2.0" {
        let method = header(message, "CSeq").split(' ').nth(1).unwrap_or_default();
        format!("{code} {method}")
    } else {
        first.to_owned()
    }
}

/// The same of many.
pub fn whats(messages: &[String]) -> Vec<String> {
    messages.iter().map(|message| what(message)).collect()
}
