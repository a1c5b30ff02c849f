//! What holds for every pair of descriptions.

use proptest::prelude::*;
use proptest::sample::select;
use sip_wire::sdp::{Agreed, AgreedSession, Answerer, Direction, LineWith, Session, SessionWith, With};
use std::net::{IpAddr, Ipv4Addr};

/// Lines that mean something to each other, and some that are broken.
fn line() -> impl Strategy<Value = String> {
    let number = select(vec![0u32, 8, 9, 13, 18, 96, 97, 101, 127, 128, 300]);
    let name = select(vec!["PCMU", "pcma", "opus", "telephone-event", "CN", "G722", "", "a b", "x\ry"]);
    let rate = select(vec!["8000", "48000", "48000/2", "8000/1", "0", "4294967295", "x", ""]);
    let other = select(vec![
        "a=ptime:20",
        "a=ptime:0",
        "a=ptime:4294967295",
        "a=maxptime:40",
        "a=rtcp-mux",
        "a=rtcp:9",
        "a=rtcp",
        "a=inactive",
        "a=sendonly",
        "a=crypto:1 X inline:y",
        "a=fingerprint:sha-1 AA",
        "a=setup:active",
        "a=mid:0",
        "a=rtcp-fb:* nack",
        "a=rtcp-fb:96 nack",
        "a=extmap:1 urn:x",
        "a=x:203.0.113.7",
        "a=x:host.example",
        "a=",
        "a",
        "b=AS:64",
        "c=IN IP4 0.0.0.0",
        "c=IN IP6 2001:db8::1",
        "i=x",
        "a=x\ry",
        "z=\u{0}",
        "\u{e9}=",
    ]);
    prop_oneof![
        3 => (number.clone(), name, rate).prop_map(|(n, name, rate)| format!("a=rtpmap:{n} {name}/{rate}")),
        1 => (number, "[ -~]{0,12}").prop_map(|(n, rest)| format!("a=fmtp:{n} {rest}")),
        3 => other.prop_map(str::to_owned),
    ]
}

fn description() -> impl Strategy<Value = String> {
    let proto =
        select(vec!["RTP/AVP", "RTP/AVP", "RTP/AVPF", "RTP/SAVP", "RTP/\r", "UDP/TLS/RTP/SAVPF", "udptl"]);
    let port = select(vec!["4000", "4000", "4000/2", "0", "65535"]);
    let formats =
        proptest::collection::vec(select(vec!["0", "8", "9", "13", "96", "97", "101", "x", "300"]), 1..9);
    (
        select(vec!["audio", "audio", "audio", "video", "image"]),
        port,
        proto,
        formats,
        proptest::collection::vec(line(), 0..14),
    )
        .prop_map(|(kind, port, proto, formats, lines)| {
            format!(
                "v=0\r\nc=IN IP4 203.0.113.7\r\nm={kind} {port} {proto} {}\r\n{}\r\n",
                formats.join(" "),
                lines.join("\r\n")
            )
        })
}

fn with(direction: Direction, mux: bool) -> With {
    let address = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
    With { address, port: 65_534, session_id: u64::MAX, version: u64::MAX, direction, mux }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_two_sides_agree_on_can_be_offered_and_taken_up_again(
        stays in description(),
        leaves in description(),
        stays_answers in any::<bool>(),
        mux in any::<bool>(),
    ) {
        let (Ok(stays), Ok(leaves)) = (Session::parse(stays.as_bytes()), Session::parse(leaves.as_bytes())) else {
            return Ok(());
        };
        let answerer = if stays_answers { Answerer::Stays } else { Answerer::Leaves };
        let Some(agreed) = Agreed::new(&stays.media()[0], &leaves.media()[0], answerer) else { return Ok(()) };
        let all = [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
        for direction in all {
            let with = with(direction, mux);
            let offer = agreed.offer(&with);
            let text = String::from_utf8_lossy(&offer);
            prop_assert!(!text.contains("203.0.113.7") && !text.contains("host.example"), "{}", text);
            prop_assert!(offer.split(|b| *b == b'\n').all(|line| line.is_empty() || line.ends_with(b"\r")));
            prop_assert_eq!(text.matches('\r').count(), text.matches('\n').count());
            let session = Session::parse(&offer).unwrap();
            let [media] = session.media() else { panic!("one m= line") };
            prop_assert_eq!((media.address, media.port, media.direction), (Some(with.address), with.port, direction));
            let (number, name, clock_rate) = agreed.first_codec();
            let codec = media.codec(number).unwrap();
            prop_assert_eq!((codec.name, codec.clock_rate), (name, clock_rate));
            for format in media.payload_types() {
                prop_assert!(stays.media()[0].payload_types().any(|pt| pt == format), "{} is not its number", format);
            }
            let again = Agreed::new(media, media, answerer).unwrap();
            prop_assert_eq!(again.offer(&with), &offer[..], "an offer agrees with itself");
            let mirrored = again.offer(&With { direction: direction.mirrored(), ..with });
            let answer = Session::parse(&mirrored).unwrap();
            prop_assert_eq!(again.fits(direction, &answer).is_ok(), !agreed.secured());
        }
        for session in [&stays, &leaves] {
            let _ = agreed.fits(Direction::SendRecv, session);
        }
    }

    #[test]
    fn a_session_of_several_lines_is_offered_line_for_line(
        stays in proptest::collection::vec(description(), 1..4),
        leaves in proptest::collection::vec(description(), 1..4),
        ports in proptest::collection::vec(select(vec![0_u16, 30_000, 65_534]), 0..6),
        stays_answers in any::<bool>(),
    ) {
        // One session of what are sessions of a line each.
        let join = |all: Vec<String>| {
            let line = |text: &String| text.split_once("m=").map(|(_, line)| format!("m={line}")).unwrap_or_default();
            let lines: String = all.iter().map(line).collect();
            format!("v=0\r\nc=IN IP4 203.0.113.7\r\n{lines}")
        };
        let (stays, leaves) = (join(stays), join(leaves));
        let (Ok(stays), Ok(leaves)) = (Session::parse(stays.as_bytes()), Session::parse(leaves.as_bytes())) else {
            return Ok(());
        };
        let answerer = if stays_answers { Answerer::Stays } else { Answerer::Leaves };
        let Some(agreed) = AgreedSession::new(&stays, &leaves, answerer) else { return Ok(()) };
        let lines: Vec<_> = ports.iter().map(|port| LineWith { port: *port, direction: Direction::SendRecv, mux: true }).collect();
        let address = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
        let offer = agreed.offer(&SessionWith { address, session_id: 1, version: 1, lines: &lines });
        let text = String::from_utf8_lossy(&offer);
        prop_assert!(!text.contains("203.0.113.7") && !text.contains("host.example"), "{}", text);
        let read = Session::parse(&offer).unwrap();
        prop_assert_eq!(read.media().len(), stays.media().len(), "no line is lost (RFC 3264 §8)");
        for (place, media) in read.media().iter().enumerate() {
            let open = stays.media()[place].port != 0 && leaves.media().get(place).is_some_and(|line| line.port != 0);
            let port = ports.get(place).copied().unwrap_or(0);
            prop_assert!(media.port == 0 || (open && media.port == port), "{}", text);
            let fits = agreed.fits(place, Direction::SendRecv, &read);
            prop_assert!(media.port != 0 || fits.is_err(), "{:?}", fits);
        }
        let _ = agreed.fits(agreed.lead(), Direction::SendRecv, &leaves);
    }

    #[test]
    fn no_mutation_of_a_description_panics(
        one in description(),
        two in description(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut one = one.into_bytes();
        for (at, new) in edits {
            let at = at.index(one.len());
            one[at] = new;
        }
        let (Ok(one), Ok(two)) = (Session::parse(&one), Session::parse(two.as_bytes())) else { return Ok(()) };
        for (stays, leaves) in [(&one, &two), (&two, &one), (&one, &one)] {
            for (stays, leaves) in stays.media().iter().zip(leaves.media()) {
                if let Some(agreed) = Agreed::new(stays, leaves, Answerer::Leaves) {
                    let offer = agreed.offer(&with(Direction::SendRecv, true));
                    prop_assert!(Session::parse(&offer).is_ok());
                }
            }
        }
    }
}
