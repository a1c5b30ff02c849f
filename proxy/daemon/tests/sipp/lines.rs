//! Calls of two lines, and of fax: SIPp says what, and sockets of the story's own are where it says that the media is.

use crate::peer::PATIENCE;
use crate::place::{ANSWERED_IN_THE_NORTH, Place, all_ended};
use crate::wire::Wire;
use proxy_core::CloseReason;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// Where the scenarios say that speech, picture and fax are.
const SPEECH: u16 = 7000;
const PICTURE: u16 = 7002;
const FAX: u16 = 7004;

/// Long enough for the story to say what it has to, on a busy machine.
const LONG: [&str; 4] = ["-m", "1", "-d", "6000"];

fn socket(ip: Ipv4Addr, port: u16) -> UdpSocket {
    let socket = UdpSocket::bind((ip, port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket
}

/// The port behind `kind` in the newest description that was sent to a host; waits until there is one.
fn port_for(wire: &Wire, host: Ipv4Addr, kind: &str) -> u16 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = wire.seen(|seen| {
            seen.iter().rev().filter(|d| *d.to.ip() == host && d.to.port() == 5060).find_map(|d| {
                let text = String::from_utf8_lossy(&d.payload);
                let line = text.lines().find_map(|line| line.strip_prefix(&format!("m={kind} ")[..]))?;
                line.split(' ').next()?.parse().ok().filter(|port| *port != 0)
            })
        });
        if let Some(port) = found {
            return port;
        }
        assert!(Instant::now() < deadline, "{host} was never told of a port for {kind}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What one sends to the relay's port is what the other gets, from the relay's port on that side, and back.
fn exchange(
    us: Ipv4Addr,
    (a, a_port): (&UdpSocket, u16),
    (b, b_port): (&UdpSocket, u16),
    packets: &[Vec<u8>],
) {
    let mut buffer = [0; 2048];
    for (from, to_port, to, from_port) in [(a, a_port, b, b_port), (b, b_port, a, a_port)] {
        for packet in packets {
            from.send_to(packet, (us, to_port)).unwrap();
            let (length, at) = to.recv_from(&mut buffer).unwrap_or_else(|error| {
                panic!("{:?} has heard nothing of {:?}: {error}", to.local_addr(), from.local_addr())
            });
            assert_eq!(at, SocketAddr::from((us, from_port)));
            assert_eq!(&buffer[..length], &packet[..], "not one bit is changed");
        }
    }
}

fn rtp(payload_type: u8, ssrc: u32) -> Vec<Vec<u8>> {
    let packet = |n: u16| {
        let mut packet = vec![0x80, payload_type];
        packet.extend(n.to_be_bytes());
        packet.extend((u32::from(n) * 160).to_be_bytes());
        packet.extend(ssrc.to_be_bytes());
        packet.extend([0xd5; 160]);
        packet
    };
    (0..20).map(packet).collect()
}

/// UDPTL: a sequence number, what it numbers, and what went before (ITU-T T.38 §9.1).
fn udptl() -> Vec<Vec<u8>> {
    (0_u16..20).map(|n| [&n.to_be_bytes()[..], &[1, 6, 0, 1, 1, 6]].concat()).collect()
}

#[test]
fn a_call_of_two_lines_is_heard_and_seen_both_ways() {
    let place = Place::new(41);
    let (us, carrier, north) = (place.v4(1), place.v4(2), place.v4(11));
    let wire = Wire::of(&[carrier, north]);
    let ends = [carrier, north].map(|ip| (socket(ip, SPEECH), socket(ip, PICTURE)));
    let both = "m=audio 7000 RTP/AVP 8\n      a=sendrecv\n      m=video 7002 RTP/AVP 31";
    let audio = "m=audio [media_port] RTP/AVP 8 101\n      a=rtpmap:8 PCMA/8000\n      a=rtpmap:101 telephone-event/8000\n      \
                 a=fmtp:101 0-15\n      a=ptime:20";
    let answers = place.north(&place.changed("uas", audio, both), &["-m", "1"]);
    let calls = place.carrier_calls(&place.changed("uac", audio, both), &LONG);
    let ports = |ip| (port_for(&wire, ip, "audio"), port_for(&wire, ip, "video"));
    let (to_us, from_us) = (ports(carrier), ports(north));
    let [(speech_a, picture_a), (speech_b, picture_b)] = &ends;
    exchange(us, (speech_a, to_us.0), (speech_b, from_us.0), &rtp(8, 1));
    exchange(us, (picture_a, to_us.1), (picture_b, from_us.1), &rtp(31, 2));
    calls.succeeds(1);
    answers.succeeds(1);
    let records = place.ends_with(1);
    all_ended(&records, 200, CloseReason::ByeFromA, &ANSWERED_IN_THE_NORTH);
    let media = records[0].media.as_deref().unwrap();
    assert_eq!(
        (media.from_a.forwarded, media.from_b.forwarded),
        (40, 40),
        "both lines are counted: {media:?}"
    );
    assert_eq!(media.drops.nonzero().count(), 0, "{media:?}");
}

#[test]
fn a_call_becomes_a_fax_and_a_call_again() {
    let place = Place::new(42);
    let (us, carrier, north) = (place.v4(1), place.v4(2), place.v4(11));
    let wire = Wire::of(&[carrier, north]);
    let ends = [carrier, north].map(|ip| (socket(ip, SPEECH), socket(ip, FAX)));
    let answers = place.north("uas_t38", &["-m", "1"]);
    let calls = place.carrier_calls("uac_t38", &LONG);
    let [(speech_a, fax_a), (speech_b, fax_b)] = &ends;
    let ports = |kind| (port_for(&wire, carrier, kind), port_for(&wire, north, kind));
    let (to_us, from_us) = ports("image");
    assert_eq!((to_us, from_us), ports("audio"), "the place is the same, and so are its ports");
    exchange(us, (fax_a, to_us), (fax_b, from_us), &udptl());
    // The speech has ended: nobody hears it.
    speech_a.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    speech_b.send_to(&rtp(8, 1)[0], (us, from_us)).unwrap();
    assert!(speech_a.recv_from(&mut [0; 64]).is_err(), "the speech goes on");
    calls.succeeds(1);
    answers.succeeds(1);
    let records = place.ends_with(1);
    all_ended(&records, 200, CloseReason::ByeFromA, &ANSWERED_IN_THE_NORTH);
    let media = records[0].media.as_deref().unwrap();
    assert_eq!((media.from_a.forwarded, media.from_b.forwarded), (20, 20), "{media:?}");
}
