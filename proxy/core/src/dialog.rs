//! One dialog, seen from our side (RFC 3261 §12).

use crate::digest::Passes;
use crate::face::Face;
use crate::limits::MAX_ROUTE_SET;
use crate::packed::Packed;
use crate::{Peer, Transport};
use sip_wire::{Builder, HeaderName, Message, Method, NameAddr, Uri, unfold};
use smallvec::SmallVec;
use std::net::SocketAddr;

/// The state that RFC 3261 §12 asks both ends of a dialog to keep, in one allocation: a held call is mostly two of these.
#[derive(Debug, Clone)]
pub(crate) struct Dialog {
    text: Packed<6>,
    /// Number of the last request that we sent.
    pub(crate) local_cseq: u32,
    /// Number of the last request that the peer sent; 0 before the first.
    pub(crate) remote_cseq: u32,
    /// Where the next request goes.
    pub(crate) peer: Peer,
    /// What the peer has asked to be shown; most ask for nothing.
    pub(crate) passes: Option<Box<Passes>>,
}

/// Hops of a request that we begin (RFC 3261 §8.1.1.6).
pub(crate) const MAX_FORWARDS: u8 = 70;

/// The places of the texts.
const CALL_ID: usize = 0;
const LOCAL: usize = 1;
const REMOTE: usize = 2;
const REMOTE_TAG: usize = 3;
const TARGET: usize = 4;
const ROUTES: usize = 5;

impl Dialog {
    /// The UAS's side, from the INVITE and the tag that we answer with (§12.1.1).
    pub(crate) fn uas(invite: &Message, local_tag: &[u8], from: Peer) -> Option<Self> {
        let (target, routes) = (target_of(invite), routes(invite, false));
        let text = Packed::new([
            &[invite.call_id().ok()?],
            &[invite.header(HeaderName::To)?, b";tag=", local_tag],
            &[&unfold(invite.header(HeaderName::From)?)],
            &[invite.from().ok()?.tag().unwrap_or_default()],
            &[target.map_or(b"", |(text, _)| text)],
            &[&routes],
        ]);
        let remote_cseq = invite.cseq().ok()?.number;
        let peer = aimed(from, &routes, target);
        Some(Self { text, local_cseq: 0, remote_cseq, peer, passes: None })
    }

    /// The UAC's side, from a response to our INVITE (§12.1.2). `from` is where the INVITE went.
    /// `None` also for a path longer than we keep.
    pub(crate) fn uac(response: &Message, from: Peer) -> Option<Self> {
        if has_long_path(response) { None } else { Self::uac_to_end(response, from) }
    }

    /// The same however long the path is: for a dialog that is ended at once.
    pub(crate) fn uac_to_end(response: &Message, from: Peer) -> Option<Self> {
        let (target, routes) = (target_of(response), routes(response, true));
        let text = Packed::of([
            response.call_id().ok()?,
            &unfold(response.header(HeaderName::From)?),
            &unfold(response.header(HeaderName::To)?),
            // RFC 2543 knew no tags (§12.1.2).
            response.to().ok()?.tag().unwrap_or_default(),
            target.map_or(b"", |(text, _)| text),
            &routes,
        ]);
        let local_cseq = response.cseq().ok()?.number;
        let peer = aimed(from, &routes, target);
        Some(Self { text, local_cseq, remote_cseq: 0, peer, passes: None })
    }

    /// Call-ID.
    pub(crate) fn call_id(&self) -> &[u8] {
        self.text.get(CALL_ID)
    }

    /// The peer's tag; empty where it gave none (RFC 2543).
    pub(crate) fn remote_tag(&self) -> &[u8] {
        self.text.get(REMOTE_TAG)
    }

    /// Route values, first hop first. A value has no line end in it.
    fn routes(&self) -> impl Iterator<Item = &[u8]> {
        values(self.text.get(ROUTES))
    }

    /// Whether a message from the peer belongs to this dialog (§12.2.2): the caller has matched our own tag.
    pub(crate) fn matches(&self, call_id: &[u8], remote_tag: &[u8]) -> bool {
        self.call_id() == call_id && self.remote_tag() == remote_tag
    }

    /// Takes a new remote target from a Contact, if there is one (§12.2: target refresh).
    pub(crate) fn retarget(&mut self, message: &Message) {
        // Most say again what they have said.
        let is_known = |contact: NameAddr<'_>| contact.uri == self.text.get(TARGET);
        if message.contact().ok().flatten().is_some_and(is_known) {
            return;
        }
        if let Some((target, _)) = target_of(message) {
            self.text = self.text.with(TARGET, target);
        }
    }

    /// Starts a request inside the dialog (§12.2.1.1) and returns it with its CSeq number. ACK takes the number of its
    /// INVITE; every other method counts on.
    pub(crate) fn request(&mut self, method: Method<'_>, face: &Face, branch: &[u8]) -> Builder {
        self.request_hops(method, face, branch, MAX_FORWARDS)
    }

    /// The same with as many hops: a request of the other leg's has used some up (RFC 7332 §4).
    pub(crate) fn request_hops(
        &mut self,
        method: Method<'_>,
        face: &Face,
        branch: &[u8],
        hops: u8,
    ) -> Builder {
        self.local_cseq = self.local_cseq.saturating_add(1);
        let mut out = self.write(method, self.local_cseq, face, branch, hops);
        if let Some(mut passes) = self.passes.take() {
            passes.write(&mut out, method.as_bytes(), self.request_uri().0);
            self.passes = Some(passes);
        }
        out
    }

    /// The same with a number of the caller's: ACK.
    pub(crate) fn request_numbered(
        &self,
        method: Method<'_>,
        cseq: u32,
        face: &Face,
        branch: &[u8],
    ) -> Builder {
        let mut out = self.write(method, cseq, face, branch, MAX_FORWARDS);
        if let Some(passes) = &self.passes {
            passes.write_again(&mut out);
        }
        out
    }

    /// The request URI, the remote target, and whether the first route is a strict router: one without `lr`, which wants itself
    /// as request URI and the target last (§12.2.1.1).
    fn request_uri(&self) -> (&[u8], &[u8], bool) {
        let target = self.text.get(TARGET);
        let target: &[u8] = if target.is_empty() { b"sip:invalid.invalid" } else { target };
        let strict = self.routes().next().and_then(strict_uri);
        (strict.unwrap_or(target), target, strict.is_some())
    }

    fn write(&self, method: Method<'_>, cseq: u32, face: &Face, branch: &[u8], hops: u8) -> Builder {
        let (uri, target, strict) = self.request_uri();
        let mut out = Builder::request(method, uri);
        out.parts(HeaderName::Via, &[&face.via, branch]);
        for route in self.routes().skip(usize::from(strict)) {
            out.header(HeaderName::Route, route);
        }
        if strict {
            out.parts(HeaderName::Route, &[b"<", target, b">"]);
        }
        out.number(HeaderName::MaxForwards, u64::from(hops))
            .header(HeaderName::From, self.text.get(LOCAL))
            .header(HeaderName::To, self.text.get(REMOTE))
            .header(HeaderName::CallId, self.call_id());
        put_cseq(&mut out, cseq, method);
        out
    }
}

/// The next hop: the first route, else the remote target, where it names an IP address. A host name stays with the neighbour
/// that the dialog came `from`: RFC 3263 resolution is not done in the core.
fn aimed(from: Peer, routes: &[u8], target: Option<(&[u8], Uri<'_>)>) -> Peer {
    let next = match values(routes).next() {
        Some(route) => route_uri(route).and_then(|uri| Uri::parse(uri).ok()),
        None => target.map(|(_, uri)| uri),
    };
    let place = next.and_then(|uri| Some((uri.ip()?, uri.port.unwrap_or(5060))));
    match place {
        Some((ip, port)) if from.transport == Transport::Udp && ip.is_ipv4() == from.remote.is_ipv4() => {
            Peer { remote: SocketAddr::new(ip, port), ..from }
        }
        _ => from,
    }
}

/// The port that a URI names, or the one that it means without (RFC 3261 §19.1.2).
pub(crate) fn port_of(uri: &Uri<'_>) -> u16 {
    let tls = || uri.param(b"transport").is_some_and(|name| name.eq_ignore_ascii_case(b"tls"));
    let default = || if tls() { Transport::Tls } else { Transport::Udp }.default_port();
    uri.port.unwrap_or_else(default)
}

/// The Contact's URI, if there is one that may stand in a request line, and how it reads: one that can be read, its headers
/// left out (RFC 3261 §19.1.1, table 1).
fn target_of(message: &Message) -> Option<(&[u8], Uri<'_>)> {
    let text = message.contact().ok().flatten()?.uri;
    let uri = Uri::parse(text).ok()?;
    let headers = uri.headers.map_or(0, |headers| headers.len() + 1);
    Some((text.get(..text.len() - headers)?, uri))
}

/// Whether there are more Record-Routes than a dialog keeps.
pub(crate) fn has_long_path(message: &Message) -> bool {
    message.values(HeaderName::RecordRoute).nth(MAX_ROUTE_SET).is_some()
}

/// Route set from Record-Route, one value a line: in order for a UAS, reversed for a UAC (§12.1).
fn routes(message: &Message, reversed: bool) -> SmallVec<[u8; 256]> {
    let mut values: SmallVec<[&[u8]; 4]> = message.values(HeaderName::RecordRoute).collect();
    if reversed {
        values.reverse();
    }
    let mut lines = SmallVec::new();
    for value in values {
        lines.extend_from_slice(&unfold(value));
        lines.push(b'\n');
    }
    lines
}

/// The values that [`routes`] has put on lines.
fn values(routes: &[u8]) -> impl Iterator<Item = &[u8]> {
    routes.split(|b| *b == b'\n').filter(|route| !route.is_empty())
}

fn route_uri(route: &[u8]) -> Option<&[u8]> {
    let start = memchr(b'<', route)? + 1;
    let rest = route.get(start..)?;
    rest.get(..memchr(b'>', rest)?)
}

fn memchr(byte: u8, haystack: &[u8]) -> Option<usize> {
    haystack.iter().position(|b| *b == byte)
}

/// The URI of a route that can be read and has no `lr`.
fn strict_uri(route: &[u8]) -> Option<&[u8]> {
    route_uri(route).filter(|uri| Uri::parse(uri).is_ok_and(|uri| uri.param(b"lr").is_none()))
}

/// Writes CSeq.
pub(crate) fn put_cseq(out: &mut Builder, number: u32, method: Method<'_>) {
    let mut digits = [0; 10];
    out.parts(HeaderName::CSeq, &[decimal(number, &mut digits), b" ", method.as_bytes()]);
}

/// `number` in decimal, without an allocation.
pub(crate) fn decimal(mut number: u32, digits: &mut [u8; 10]) -> &[u8] {
    let mut start = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        start -= 1;
        if number == 0 {
            break;
        }
    }
    digits.get(start..).unwrap_or_default()
}
