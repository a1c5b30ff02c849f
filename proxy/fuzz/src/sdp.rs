//! Session descriptions.

use sip_wire::sdp::{
    Agreed, AgreedSession, Anchor, Answerer, Direction, LineWith, Media, Misfit, Session, SessionWith, With,
    anchor,
};
use std::net::{IpAddr, Ipv6Addr};

/// No panic; what any two lines agree on can be offered again; what was read can be anchored; the anchored description names our address and ports only, and anchoring it
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
    if let Some(agreed) = AgreedSession::new(&session, &session, Answerer::Leaves) {
        let lines = [LineWith { port: 40_000, direction: Direction::SendRecv, mux: true }; 3];
        let offer = agreed.offer(&SessionWith { address, session_id: 7, version: 1, lines: &lines });
        let read = Session::parse(&offer).expect("an offer can be read");
        assert_eq!(read.media().len(), session.media().len(), "no line is lost (RFC 3264 §8)");
        for place in 0..read.media().len() {
            let _ = agreed.fits(place, Direction::SendRecv, &session);
        }
    }
    for stays in session.media() {
        for leaves in session.media() {
            for answerer in [Answerer::Stays, Answerer::Leaves] {
                agree(stays, leaves, answerer, address);
            }
        }
    }
}

/// What is agreed can be read, agrees with itself, and would fit as its own answer.
fn agree(stays: &Media<'_>, leaves: &Media<'_>, answerer: Answerer, address: IpAddr) {
    let Some(agreed) = Agreed::new(stays, leaves, answerer) else { return };
    let with = With {
        address,
        port: 40_000,
        session_id: 7,
        version: 1,
        direction: Direction::SendRecv,
        mux: stays.rtcp_mux,
    };
    let offer = agreed.offer(&with);
    let session = Session::parse(&offer).expect("an offer can be read");
    let [media] = session.media() else { panic!("one m= line") };
    assert_eq!((media.address, media.port, media.direction), (Some(address), 40_000, Direction::SendRecv));
    assert!(media.codec(agreed.first_codec().0).is_some());
    let again = Agreed::new(media, media, answerer).expect("an offer agrees with itself");
    assert_eq!(again.offer(&with), offer);
    assert_eq!((again.first_codec(), again.event()), (agreed.first_codec(), agreed.event()));
    if agreed.secured() {
        // Also where the keys were too odd to be offered: nobody else has them.
        assert_eq!(agreed.fits(Direction::SendRecv, &session), Err(Misfit::Secured));
    } else {
        assert_eq!(again.fits(Direction::SendRecv, &session), Ok(()));
    }
}
