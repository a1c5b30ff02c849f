//! Session descriptions.

use sip_wire::sdp::{Anchor, Session, anchor};
use std::net::{IpAddr, Ipv6Addr};

/// No panic; what was read can be anchored; the anchored description names our address and ports only, and anchoring it
/// again changes nothing.
pub fn sdp(data: &[u8]) {
    let address = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x77));
    let with = Anchor { address, ports: &[40_000, 40_002, 0, 40_004], session_id: 7, version: 1, mux: true };
    let session = match Session::parse(data) {
        Ok(session) => session,
        Err(error) => {
            assert_eq!(anchor(data, &with), Err(error), "what cannot be read cannot be anchored");
            return;
        }
    };
    let ours = anchor(data, &with).expect("what can be read can be anchored");
    let read = Session::parse(&ours).expect("what was anchored can be read");
    assert_eq!(read.media().len(), session.media().len(), "no m= line is lost (RFC 3264 §6)");
    for (number, (ours, theirs)) in read.media().iter().zip(session.media()).enumerate() {
        let port = with.ports.get(number).copied().unwrap_or(0);
        assert_eq!(ours.port, if theirs.port == 0 { 0 } else { port });
        assert_eq!((ours.kind, ours.proto, ours.formats), (theirs.kind, theirs.proto, theirs.formats));
        assert_eq!(ours.address, Some(address));
        if ours.port != 0 {
            assert_eq!(ours.direction, theirs.direction);
            assert!(ours.payload_types().eq(theirs.payload_types()));
        }
    }
    assert_eq!(anchor(&ours, &with).as_ref(), Ok(&ours), "anchoring is idempotent");
}
