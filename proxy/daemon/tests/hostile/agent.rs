//! A socket that speaks SIP, and the call that has to go through.

use crate::process::Daemon;
use bytes::Bytes;
use sip_wire::{HeaderName, Message, Method};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// Far above what anything takes: only a hang is to fail by it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The user who calls in the call that has to go through: no row calls by this name.
const PROBE: &str = "+4917099999";

pub(crate) struct Agent {
    socket: UdpSocket,
    pub(crate) at: SocketAddr,
}

impl Agent {
    pub(crate) fn at(at: SocketAddr) -> Self {
        let socket = UdpSocket::bind(at).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { at: socket.local_addr().unwrap(), socket }
    }

    pub(crate) fn send(&self, bytes: impl AsRef<[u8]>, to: SocketAddr) {
        self.socket.send_to(bytes.as_ref(), to).unwrap();
    }

    /// The next datagram.
    pub(crate) fn datagram(&self, what: &str) -> Bytes {
        let mut buffer = vec![0; 65_535];
        let n = self.socket.recv(&mut buffer).unwrap_or_else(|e| panic!("{what}: {e}"));
        Bytes::copy_from_slice(&buffer[..n])
    }

    /// What is there already.
    pub(crate) fn at_once(&self) -> Option<Bytes> {
        let mut buffer = vec![0; 65_535];
        self.socket.set_nonblocking(true).unwrap();
        let n = self.socket.recv(&mut buffer);
        self.socket.set_nonblocking(false).unwrap();
        n.ok().map(|n| Bytes::copy_from_slice(&buffer[..n]))
    }

    /// The next message that is wanted.
    pub(crate) fn next(&self, what: &str, wanted: impl Fn(&Message) -> bool) -> Message {
        for _ in 0..100_000 {
            let message = Message::parse(self.datagram(what)).expect("ours can be read");
            if wanted(&message) {
                return message;
            }
        }
        panic!("{what}: something came, but never what should have come");
    }
}

/// Whether this is the INVITE of the call that has to go through.
fn is_probe(invite: &Message) -> bool {
    invite.header(HeaderName::From).is_some_and(|from| String::from_utf8_lossy(from).contains(PROBE))
}

/// The next INVITE at the edge that is not of the call that has to go through.
pub(crate) fn invited(edge: &Agent, what: &str) -> Message {
    edge.next(what, |m| m.is_request() && m.method() == Method::Invite && !is_probe(m))
}

fn description(at: SocketAddr, port: u16) -> String {
    let ip = at.ip();
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n\
         a=rtpmap:0 PCMU/8000\r\n"
    )
}

/// INVITE, 200, ACK and BYE, from the carrier to the edge.
pub(crate) fn call(daemon: &Daemon, carrier: &Agent, edge: &Agent, id: &str) {
    let (at, body) = (carrier.at, description(carrier.at, 40_000));
    let invite = format!(
        "INVITE sip:+4930@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK{id}\r\n\
         From: <sip:{PROBE}@{at}>;tag={id}\r\nTo: <sip:+4930@127.0.0.1>\r\nCall-ID: {id}\r\nCSeq: 1 INVITE\r\n\
         Max-Forwards: 70\r\nContact: <sip:c@{at}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    carrier.send(invite, daemon.sip());
    let invited = edge.next(id, |m| m.is_request() && m.method() == Method::Invite && is_probe(m));
    edge.send(answer(edge, &invited, 200), daemon.tier());
    let ok = carrier.next(id, |m| m.code() == Some(200) && m.call_id() == Ok(id.as_bytes()));
    for (cseq, method) in [(1, "ACK"), (2, "BYE")] {
        carrier.send(inside(carrier, &ok, cseq, method), daemon.sip());
    }
    let bye = edge.next(id, |m| m.is_request() && m.method() == Method::Bye);
    edge.send(answer(edge, &bye, 200), daemon.tier());
    let wanted = b"2 BYE";
    carrier.next(id, |m| m.code() == Some(200) && m.header(HeaderName::CSeq) == Some(wanted));
}

fn text(message: &Message, name: HeaderName) -> String {
    String::from_utf8_lossy(message.header(name).unwrap()).into_owned()
}

fn inside(agent: &Agent, ok: &Message, cseq: u32, method: &str) -> String {
    let (at, id) = (agent.at, text(ok, HeaderName::CallId));
    let target = String::from_utf8_lossy(ok.contact().unwrap().unwrap().uri).into_owned();
    format!(
        "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK{id}{method}\r\nFrom: {}\r\nTo: {}\r\n\
         Call-ID: {id}\r\nCSeq: {cseq} {method}\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
        text(ok, HeaderName::From),
        text(ok, HeaderName::To)
    )
}

/// The edge's answer: with a description where it is a 2xx to an INVITE.
pub(crate) fn answer(agent: &Agent, request: &Message, code: u16) -> String {
    let to = text(request, HeaderName::To);
    let tag = if to.contains("tag=") { "" } else { ";tag=edge" };
    let described = code == 200 && request.method() == Method::Invite;
    let body = if described { description(agent.at, 41_000) } else { String::new() };
    let kind = if described { "Content-Type: application/sdp\r\n" } else { "" };
    format!(
        "SIP/2.0 {code} X\r\nVia: {}\r\nFrom: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: <sip:e@{}>\r\n\
         {kind}Content-Length: {}\r\n\r\n{body}",
        text(request, HeaderName::Via),
        text(request, HeaderName::From),
        text(request, HeaderName::CallId),
        text(request, HeaderName::CSeq),
        agent.at,
        body.len()
    )
}
