//! What peers say: by the book, as far as the script does not want it otherwise.

use super::furniture::PEERS;
use super::script::Script;
use proxy_core::{Peer, Transport};
use sip_wire::{HeaderName, Message};
use std::fmt::Write;

/// A dialog as the peer sees it.
#[derive(Debug, Clone)]
pub(super) struct Dialog {
    pub(super) peer: Peer,
    pub(super) call_id: String,
    /// From of what the peer sends, with its tag.
    pub(super) local: String,
    /// To of what the peer sends, with ours.
    pub(super) remote: String,
    pub(super) cseq: u32,
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A session description, or none.
fn body(script: &mut Script<'_>, host: [u8; 4]) -> String {
    let [a, b, c, d] = host;
    let kind = script.byte() % 8;
    let direction = ["sendrecv", "sendonly", "recvonly", "inactive"][usize::from(script.byte() % 4)];
    let head =
        format!("v=0\r\no=- 1 {kind} IN IP4 {a}.{b}.{c}.{d}\r\ns=-\r\nc=IN IP4 {a}.{b}.{c}.{d}\r\nt=0 0\r\n");
    let lines = match kind {
        0 => return String::new(),
        1 => "m=audio 0 RTP/AVP 0\r\n".to_owned(),
        2 => "m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n".to_owned(),
        3 => "m=audio 4000 RTP/AVP 0\r\nm=video 4002 RTP/AVP 98\r\na=rtpmap:98 H264/90000\r\n".to_owned(),
        4 => "m=image 4000 udptl t38\r\n".to_owned(),
        _ => format!("m=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"),
    };
    head + &lines
}

fn finish(mut out: String, body: &str) -> Vec<u8> {
    if !body.is_empty() {
        out += "Content-Type: application/sdp\r\n";
    }
    let _ = write!(out, "Content-Length: {}\r\n\r\n{body}", body.len());
    out.into_bytes()
}

/// What an INVITE or a re-INVITE may say beside what it must.
fn extras(script: &mut Script<'_>, out: &mut String) {
    let bits = script.byte();
    let lines = [
        "Supported: 100rel, timer\r\n",
        "Require: 100rel\r\n",
        "Session-Expires: 90;refresher=uac\r\nMin-SE: 90\r\n",
        "Expires: 3\r\n",
        "Require: nonsense\r\n",
        "Record-Route: <sip:198.51.100.1;lr>\r\n",
        "Timestamp: 5.2\r\n",
        "Replaces: a;from-tag=b;to-tag=c\r\n",
    ];
    for (bit, line) in lines.iter().enumerate() {
        // Each but the first is said seldom.
        if bits >> bit & 1 == 1 && (bit == 0 || script.byte() & 3 == 0) {
            out.push_str(line);
        }
    }
}

fn via(peer: &Peer, branch: &str) -> String {
    let protocol = if peer.transport == Transport::Udp { "UDP" } else { "TCP" };
    format!("Via: SIP/2.0/{protocol} {};branch=z9hG4bK{branch}\r\n", peer.remote)
}

/// A request that begins something.
pub(super) fn begins(script: &mut Script<'_>, peer: &Peer, serial: u32) -> Vec<u8> {
    let method =
        script.pick(&["INVITE", "INVITE", "INVITE", "OPTIONS", "REGISTER", "MESSAGE", "BYE", "NOTIFY"]);
    // Now and then a second copy on another way here (RFC 3261 8.2.2.2).
    let call = if script.byte() == 255 { serial.saturating_sub(1) } else { serial };
    let mut out = format!("{method} sip:+4930{}@192.0.2.100 SIP/2.0\r\n", script.byte());
    out += &via(peer, &format!("n{serial}"));
    let hops = [70, 70, 70, 1, 0][usize::from(script.byte() % 5)];
    let _ = write!(
        out,
        "Max-Forwards: {hops}\r\nFrom: <sip:+4989@{0}>;tag=f{call}\r\nTo: <sip:+4930@192.0.2.100>\r\n\
         Call-ID: call{call}\r\nCSeq: 1 {method}\r\nContact: <sip:a@{1}>\r\n",
        peer.remote.ip(),
        peer.remote
    );
    extras(script, &mut out);
    let body = body(script, PEERS[0]);
    finish(out, &body)
}

/// A response to a request of ours, and the peer's dialog if it makes one.
pub(super) fn response(script: &mut Script<'_>, from: &Peer, request: &Message) -> (Vec<u8>, Option<Dialog>) {
    let code = script.pick(&[
        200, 200, 180, 100, 183, 487, 481, 486, 503, 408, 422, 491, 302, 603, 500, 404, 420, 202, 199, 699,
    ]);
    let fork = script.byte() % 4;
    let mut out = format!("SIP/2.0 {code} So\r\n");
    for via in request.lines(HeaderName::Via) {
        let _ = write!(out, "Via: {}\r\n", text(via));
    }
    let field = |name| text(request.header(name).unwrap_or_default());
    let (to, of) = (field(HeaderName::To), field(HeaderName::From));
    let call_id = field(HeaderName::CallId);
    let to = match to.contains(";tag=") || code == 100 {
        true => to,
        false => format!("{to};tag=t{fork}"),
    };
    let _ = write!(
        out,
        "From: {of}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {}\r\nContact: <sip:b@{}>\r\n",
        field(HeaderName::CSeq),
        from.remote
    );
    match code {
        180 | 183 if script.byte() & 1 == 1 => out += "Require: 100rel\r\nRSeq: 7\r\n",
        200 if script.byte() & 3 == 0 => out += "Require: timer\r\nSession-Expires: 90;refresher=uas\r\n",
        422 => out += "Min-SE: 120\r\n",
        503 => out += "Retry-After: 2\r\n",
        _ => {}
    }
    let body = if code < 300 { body(script, PEERS[1]) } else { String::new() };
    let dialog =
        to.contains(";tag=").then_some(Dialog { peer: *from, call_id, local: to, remote: of, cseq: 100 });
    (finish(out, &body), dialog)
}

/// A request inside a dialog.
pub(super) fn inside(dialog: &mut Dialog, method: &str, serial: u32, script: &mut Script<'_>) -> Vec<u8> {
    if method != "ACK" {
        dialog.cseq = if script.byte() == 255 { dialog.cseq.saturating_sub(2) } else { dialog.cseq + 1 };
    }
    let mut out = format!("{method} sip:192.0.2.100 SIP/2.0\r\n");
    out += &via(&dialog.peer, &format!("i{serial}"));
    let _ = write!(
        out,
        "Max-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {} {method}\r\nContact: <sip:a@{}>\r\n",
        dialog.local, dialog.remote, dialog.call_id, dialog.cseq, dialog.peer.remote
    );
    match method {
        "INVITE" | "UPDATE" => extras(script, &mut out),
        "PRACK" => out += "RAck: 1 1 INVITE\r\n",
        "REFER" => out += "Refer-To: <sip:+4930@192.0.2.100>\r\n",
        "NOTIFY" => out += "Event: refer\r\nSubscription-State: terminated\r\n",
        _ => {}
    }
    let body = if matches!(method, "INVITE" | "UPDATE" | "ACK" | "PRACK") {
        body(script, PEERS[0])
    } else {
        String::new()
    };
    finish(out, &body)
}

/// ACK or CANCEL of an INVITE, whose branch, From, Call-ID and number it has (RFC 3261 9.1, 17.1.1.3).
pub(super) fn of_invite(method: &str, invite: &Message, to: &str) -> Vec<u8> {
    let field = |name| text(invite.header(name).unwrap_or_default());
    let number = invite.cseq().map_or(1, |cseq| cseq.number);
    let out = format!(
        "{method} sip:192.0.2.100 SIP/2.0\r\nVia: {}\r\nMax-Forwards: 70\r\nFrom: {}\r\nTo: {to}\r\nCall-ID: {}\r\n\
         CSeq: {number} {method}\r\n",
        field(HeaderName::Via),
        field(HeaderName::From),
        field(HeaderName::CallId)
    );
    finish(out, "")
}
