//! A carrier, two edges and the appliance between them, on addresses of one story's own.

use crate::audited::Audited;
use bascule::{Appliance, config};
use bytes::Bytes;
use sip_wire::{HeaderName, Message};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// How long a story waits for what has to come. Far above what it takes: only a hang is to fail by it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The addresses of one story: 127.77.`n`.x.
#[derive(Clone, Copy)]
pub(crate) struct Place(pub(crate) u8);

impl Place {
    pub(crate) fn ip(self, host: u8) -> IpAddr {
        Ipv4Addr::new(127, 77, self.0, host).into()
    }

    pub(crate) fn appliance(self) -> SocketAddr {
        (self.ip(1), 5060).into()
    }

    pub(crate) fn tier(self) -> SocketAddr {
        (self.ip(1), 5070).into()
    }

    pub(crate) fn carrier(self) -> Ua {
        Ua::at((self.ip(2), 5060).into())
    }

    pub(crate) fn edge(self, n: u8) -> Ua {
        Ua::at((self.ip(10 + n), 5060).into())
    }

    /// A whole configuration; `more` is put at its end.
    pub(crate) fn config(self, more: &str) -> String {
        let n = self.0;
        format!(
            r#"
            [[listener]]
            name = "carriers"
            bind = "127.77.{n}.1:5060"
            [[listener]]
            name = "tier"
            bind = "127.77.{n}.1:5070"
            [media]
            v4 = "127.77.{n}.1"
            ports = "30000-30399"
            [[region]]
            name = "north"
            [[region]]
            name = "south"
            [[edge_group]]
            name = "north"
            region = "north"
            listener = "tier"
            edges = [{{ name = "north-1", address = "127.77.{n}.11:5060" }}]
            probe = {{ enabled = false }}
            [[edge_group]]
            name = "south"
            region = "south"
            listener = "tier"
            edges = [{{ name = "south-1", address = "127.77.{n}.12:5060" }}]
            probe = {{ enabled = false }}
            [[site]]
            name = "main"
            groups = ["north", "south"]
            [[trunk]]
            name = "acme"
            listener = "carriers"
            sources = ["127.77.{n}.2"]
            [[route.inbound]]
            prefix = "+49"
            site = "main"
            {more}
            "#
        )
    }

    pub(crate) fn start(self, more: &str) -> Audited {
        Audited::start(load(&self.config(more))).unwrap()
    }
}

/// The same, and a call in which nobody speaks lasts as long as its story, however slow that is.
pub(crate) fn patient(text: &str) -> String {
    text.replace(
        "[media]\n",
        "[media]\ninactivity = \"0s\"\ninactivity_reason = \"nobody speaks in a story\"\n",
    )
}

pub(crate) fn load(text: &str) -> config::Loaded {
    match config::parse("story.toml", text) {
        Ok(loaded) => loaded,
        Err(config::LoadError::Bad { source_text, complaints }) => {
            let lines: Vec<_> = complaints.iter().map(|c| c.line(&source_text)).collect();
            panic!("the story's own configuration is bad:\n{}", lines.join("\n"));
        }
        Err(error) => panic!("{error}"),
    }
}

/// A user agent: a socket and the patience to wait for what should come.
pub(crate) struct Ua {
    pub(crate) socket: UdpSocket,
    pub(crate) at: SocketAddr,
}

impl Ua {
    pub(crate) fn at(at: SocketAddr) -> Self {
        let socket = UdpSocket::bind(at).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, at }
    }

    pub(crate) fn send(&self, text: impl AsRef<[u8]>, to: SocketAddr) {
        self.socket.send_to(text.as_ref(), to).unwrap();
    }

    /// The next message.
    pub(crate) fn next(&self) -> Message {
        let mut buffer = [0; 65_535];
        let n = self.socket.recv(&mut buffer).expect("nothing came");
        Message::parse(Bytes::copy_from_slice(&buffer[..n])).expect("what came is SIP")
    }

    /// The next message that is this request.
    pub(crate) fn request(&self, method: &str) -> Message {
        self.until(|m| m.is_request() && m.method().as_bytes() == method.as_bytes())
    }

    /// The next message that is this response.
    pub(crate) fn response(&self, code: u16) -> Message {
        self.until(|m| m.code() == Some(code))
    }

    fn until(&self, wanted: impl Fn(&Message) -> bool) -> Message {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let message = self.next();
            if wanted(&message) {
                return message;
            }
        }
        panic!("something came, but never what should have come");
    }

    /// Nothing comes for a while that is long on loopback.
    pub(crate) fn hears_nothing(&self) {
        self.socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let mut buffer = [0; 65_535];
        if let Ok(n) = self.socket.recv(&mut buffer) {
            panic!("something came: {}", String::from_utf8_lossy(&buffer[..n]));
        }
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
    }

    /// An INVITE to this number, with an offer that names this port.
    pub(crate) fn invite(&self, call_id: &str, number: &str, port: u16) -> String {
        Self::invite_from(self.at, call_id, number, port)
    }

    /// The same of somebody at an address.
    pub(crate) fn invite_from(at: SocketAddr, call_id: &str, number: &str, port: u16) -> String {
        let body = sdp(at, port);
        format!(
            "INVITE sip:{number}@127.0.0.1 SIP/2.0\r\n\
             Via: SIP/2.0/UDP {at};branch=z9hG4bK{call_id}i;rport\r\n\
             From: <sip:+4917012345@{at}>;tag=c{call_id}\r\nTo: <sip:{number}@127.0.0.1>\r\n\
             Call-ID: {call_id}\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContact: <sip:carrier@{at}>\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    /// A request of the caller inside the dialog that this 200 made.
    pub(crate) fn in_dialog(&self, method: &str, cseq: u32, ok: &Message) -> String {
        Self::in_dialog_from(self.at, method, cseq, ok)
    }

    /// The same of somebody at an address.
    pub(crate) fn in_dialog_from(at: SocketAddr, method: &str, cseq: u32, ok: &Message) -> String {
        let text = |name| String::from_utf8_lossy(ok.header(name).unwrap()).into_owned();
        let call_id = text(HeaderName::CallId);
        let target = String::from_utf8_lossy(ok.contact().unwrap().unwrap().uri).into_owned();
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK{call_id}{method}{cseq};rport\r\n\
             From: {}\r\nTo: {}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nMax-Forwards: 70\r\n\
             Content-Length: 0\r\n\r\n",
            text(HeaderName::From),
            text(HeaderName::To),
        )
    }

    /// A response to a request; with a body if a media port is given.
    pub(crate) fn answer(&self, request: &Message, code: u16, port: Option<u16>) -> String {
        let mut response = format!("SIP/2.0 {code} {}\r\n", sip_wire::reason_phrase(code));
        let line = |name: &str, value: &[u8]| format!("{name}: {}\r\n", String::from_utf8_lossy(value));
        for via in request.lines(HeaderName::Via) {
            response += &line("Via", via);
        }
        for (name, id) in
            [("From", HeaderName::From), ("Call-ID", HeaderName::CallId), ("CSeq", HeaderName::CSeq)]
        {
            response += &line(name, request.header(id).unwrap());
        }
        let to = String::from_utf8_lossy(request.header(HeaderName::To).unwrap()).into_owned();
        let tag = if to.contains("tag=") { "" } else { ";tag=edge" };
        response += &format!("To: {to}{tag}\r\nContact: <sip:edge@{}>\r\n", self.at);
        let body = port.map(|port| sdp(self.at, port)).unwrap_or_default();
        if !body.is_empty() {
            response += "Content-Type: application/sdp\r\n";
        }
        response + &format!("Content-Length: {}\r\n\r\n{body}", body.len())
    }
}

fn sdp(at: SocketAddr, port: u16) -> String {
    let ip = at.ip();
    let ip = if at.is_ipv4() { format!("IP4 {ip}") } else { format!("IP6 {ip}") };
    format!(
        "v=0\r\no=- 1 1 IN {ip}\r\ns=-\r\nc=IN {ip}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"
    )
}

/// Where a message's description says that media goes.
pub(crate) fn media(message: &Message) -> SocketAddr {
    let body = message.body();
    let text = std::str::from_utf8(&body).unwrap();
    let after = |start: &str| text.lines().find_map(|l| l.strip_prefix(start)).unwrap();
    let port = after("m=audio ").split(' ').next().unwrap().parse().unwrap();
    SocketAddr::new(after("c=IN IP").split_at(2).1.parse().unwrap(), port)
}

/// A call through the appliance, up, seen from both ends.
pub(crate) struct Call {
    /// What the carrier got.
    pub(crate) ok: Message,
    /// What the edge got.
    pub(crate) invite: Message,
}

/// Place a call and answer it.
pub(crate) fn call(place: Place, carrier: &Ua, edge: &Ua, call_id: &str, number: &str) -> Call {
    carrier.send(carrier.invite(call_id, number, 40_000), place.appliance());
    let invite = edge.request("INVITE");
    edge.send(edge.answer(&invite, 180, None), place.tier());
    carrier.response(180);
    edge.send(edge.answer(&invite, 200, Some(41_000)), place.tier());
    let ok = carrier.response(200);
    carrier.send(carrier.in_dialog("ACK", 1, &ok), place.appliance());
    edge.request("ACK");
    Call { ok, invite }
}

/// The carrier hangs up.
pub(crate) fn hang_up(place: Place, carrier: &Ua, edge: &Ua, call: &Call) {
    carrier.send(carrier.in_dialog("BYE", 2, &call.ok), place.appliance());
    let bye = edge.request("BYE");
    edge.send(edge.answer(&bye, 200, None), place.tier());
    carrier.response(200);
}

/// The value of a metric; 0 if it is not there.
pub(crate) fn metric(appliance: &Appliance, name: &str) -> f64 {
    let text = appliance.metrics_text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().unwrap())
}

/// Wait until something holds.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never came true: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
