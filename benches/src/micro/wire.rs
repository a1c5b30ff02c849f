//! One hop of a proxy through `sip-wire`, and the same hop through rsip.
//!
//! A hop: read the message, take the keys that find transaction and dialog (branch, Call-ID, both tags, CSeq), put our
//! Via on top, count Max-Forwards down, replace the Request-URI, take our Route off, write the message.

use bytes::Bytes;
use rsip::headers::ToTypedHeader;
use rsip::message::HeadersExt;
use rsip::prelude::UntypedHeader;
use sip_wire::{HeaderName, Message, Splice};

/// An INVITE of 1,036 bytes as a carrier sends it.
pub const INVITE: &str = concat!(
    "INVITE sip:+442079460123@sbc.example.net:5060;user=phone SIP/2.0\r\n",
    "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK776asdhds8f7g6;rport\r\n",
    "Max-Forwards: 69\r\n",
    "Route: <sip:sbc.example.net;lr>\r\n",
    "From: \"Alice Example\" <sip:+442079460001@carrier.example.org>;tag=1928301774\r\n",
    "To: <sip:+442079460123@sbc.example.net>\r\n",
    "Call-ID: a84b4c76e66710b2f1c9@192.0.2.10\r\n",
    "CSeq: 314159 INVITE\r\n",
    "Contact: <sip:+442079460001@192.0.2.10:5060>\r\n",
    "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE\r\n",
    "Supported: 100rel, timer\r\n",
    "P-Asserted-Identity: <sip:+442079460001@carrier.example.org>\r\n",
    "User-Agent: Carrier-SBC/7.2.1 (build 2025011720250117202501)\r\n",
    "Session-Expires: 1800;refresher=uac\r\n",
    "Min-SE: 90\r\n",
    "Accept: application/sdp\r\n",
    "Content-Type: application/sdp\r\n",
    "Content-Length: 287\r\n",
    "\r\n",
    "v=0\r\n",
    "o=carrier 2890844526 2890844526 IN IP4 192.0.2.10\r\n",
    "s=-\r\n",
    "c=IN IP4 192.0.2.11\r\n",
    "t=0 0\r\n",
    "m=audio 49170 RTP/AVP 8 0 18 101\r\n",
    "a=rtpmap:8 PCMA/8000\r\n",
    "a=rtpmap:0 PCMU/8000\r\n",
    "a=rtpmap:18 G729/8000\r\n",
    "a=fmtp:18 annexb=no\r\n",
    "a=rtpmap:101 telephone-event/8000\r\n",
    "a=fmtp:101 0-15\r\n",
    "a=ptime:20\r\n",
    "a=sendrecv\r\n",
);
const TARGET: &str = "sip:+442079460123@203.0.113.5:5060";
const VIA: &str = "SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKb00a1b2c3d4";

/// The hop through `sip-wire`; the message that leaves.
///
/// # Panics
///
/// If the message is not read as it must be: then there is nothing to measure.
pub fn sip_wire(bytes: &Bytes) -> Bytes {
    let message = Message::parse(bytes.clone()).expect("the INVITE is valid");
    let keys = (
        message.top_via().expect("a Via").branch,
        message.call_id().expect("a Call-ID"),
        message.from().expect("From").tag(),
        message.to().expect("To").tag(),
        message.cseq().expect("CSeq").number,
    );
    std::hint::black_box(keys);
    let hops = message.max_forwards().expect("a number").unwrap_or(70);
    let mut splice = Splice::new(&message);
    splice.set_uri(TARGET.as_bytes()).push_via(VIA.as_bytes());
    splice.set_number(HeaderName::MaxForwards, u64::from(hops - 1)).remove_first_value(HeaderName::Route);
    splice.finish()
}

/// The hop through rsip; the message that leaves.
///
/// # Panics
///
/// If the message is not read as it must be: then there is nothing to measure.
pub fn rsip(bytes: &Bytes, target: &rsip::Uri) -> Bytes {
    let mut request = rsip::Request::try_from(&bytes[..]).expect("the INVITE is valid");
    let via = request.via_header().expect("a Via").typed().expect("a Via");
    let from = request.from_header().expect("From").typed().expect("From");
    let to = request.to_header().expect("To").typed().expect("To");
    let cseq = request.cseq_header().expect("CSeq").typed().expect("CSeq");
    let call_id = request.call_id_header().expect("a Call-ID").value();
    std::hint::black_box((via.branch(), call_id, from.tag(), to.tag(), cseq.seq));
    request.uri = target.clone();
    let mut headers = vec![rsip::Header::Via(rsip::headers::Via::new(VIA))];
    let mut is_popped = false;
    for header in std::mem::take(&mut request.headers) {
        match header {
            rsip::Header::Route(_) if !is_popped => is_popped = true,
            rsip::Header::MaxForwards(hops) => {
                let hops = hops.num().expect("a number") - 1;
                headers.push(rsip::headers::MaxForwards::from(hops).into());
            }
            other => headers.push(other),
        }
    }
    request.headers = headers.into();
    Vec::from(request).into()
}

/// The Request-URI that the hop through rsip puts in.
///
/// # Panics
///
/// Never: the text is a constant that rsip reads.
pub fn target() -> rsip::Uri {
    rsip::Uri::try_from(TARGET).expect("a constant")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_has_the_size_that_the_numbers_are_about() {
        assert_eq!(INVITE.len(), 1036);
        let (_, body) = INVITE.split_once("\r\n\r\n").expect("a body");
        assert!(INVITE.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
    }

    #[test]
    fn both_hops_write_the_same_message() {
        let bytes = Bytes::from_static(INVITE.as_bytes());
        let (ours, theirs) = (sip_wire(&bytes), rsip(&bytes, &target()));
        assert_eq!(String::from_utf8_lossy(&ours), String::from_utf8_lossy(&theirs));
        assert!(ours.starts_with(
            b"INVITE sip:+442079460123@203.0.113.5:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.1"
        ));
    }
}
