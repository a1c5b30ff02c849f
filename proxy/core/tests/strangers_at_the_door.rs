//! Those who have no business here: no answer that is worth anything, and nothing remembered but that they came.

mod common;

use common::{CARRIER, EAST, Stage, answer, config, in_dialog, invite, sdp};
use proxy_core::{Input, ListenerId, Peer, RejectReason, Snapshot, Transport, UnknownSource};
use relay_values::Duration;
use std::sync::Arc;

const STRANGER: &str = "203.0.113.66:5060";

/// As the shell hands it in: what is not let in is not handed in.
fn receive(stage: &mut Stage, from: &str, text: &str) -> bool {
    let remote = from.parse().unwrap();
    let peer = Peer { transport: Transport::Udp, listener: ListenerId(0), remote };
    let in_ = stage.shard.lets_in(stage.now, peer, text.as_bytes());
    if in_ {
        stage.receive(from, text);
    }
    in_
}

fn open() -> Stage {
    let mut config = config();
    config.unknown_source = UnknownSource::Reject;
    Stage::with(config)
}

fn from_stranger(text: &str) -> String {
    text.replace("192.0.2.1:5060", STRANGER)
}

fn rejected(stage: &Stage, reason: RejectReason) -> u64 {
    stage.shard.counters().rejected(reason)
}

#[test]
fn a_stranger_is_not_let_in_and_an_answer_that_is_wanted_is_no_longer_than_what_was_asked() {
    let mut stage = Stage::new();
    assert!(!receive(&mut stage, STRANGER, &from_stranger(&invite("x", ""))));
    assert_eq!(rejected(&stage, RejectReason::UnknownSource), 1);

    let mut stage = open();
    let long = from_stranger(&invite("x", &sdp("203.0.113.66", 4000)));
    assert!(receive(&mut stage, STRANGER, &long));
    let answers = stage.take(STRANGER);
    assert!(answers[0].starts_with("SIP/2.0 403") && answers[0].len() <= long.len());
    // As short as SIP can be, with an answer that would be longer.
    let short = "OPTIONS sip:a SIP/2.0\r\nv: SIP/2.0/UDP a;branch=z9hG4bKs;rport\r\nf: <sip:a>;tag=1\r\nt: <sip:a>\r\n\
                 i: s\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 1\r\n\r\n";
    assert!(receive(&mut stage, STRANGER, short));
    assert!(stage.sent.is_empty(), "{:?}", stage.sent);
    assert_eq!(stage.shard.counts().transactions, 0);
}

#[test]
fn who_tries_again_and_again_gets_no_answer_any_more_until_it_is_forgotten() {
    let mut stage = open();
    let text = |n: u32| from_stranger(&invite(&format!("scan{n}"), &sdp("203.0.113.66", 4000)));
    let answered = (0..30).filter(|n| receive(&mut stage, STRANGER, &text(*n))).count();
    assert_eq!(answered, 10);
    assert_eq!(rejected(&stage, RejectReason::Scanner), 20);
    let list = stage.shard.scanners(stage.now);
    assert_eq!(list.len(), 1);
    assert_eq!((list[0].address.to_string().as_str(), list[0].messages), ("203.0.113.66", 30));
    stage.pass(Duration::from_secs(121));
    assert!(receive(&mut stage, STRANGER, &text(99)));
    assert!(stage.shard.scanners(stage.now).is_empty());
}

#[test]
fn a_known_tool_is_met_with_silence_at_once_and_a_pardon_helps_it_for_a_moment() {
    let mut stage = open();
    let tool = from_stranger(&invite("x", ""))
        .replace("Max-Forwards", "User-Agent: friendly-scanner\r\nMax-Forwards");
    let plain = from_stranger(&invite("y", &sdp("203.0.113.66", 4000)));
    assert!(!receive(&mut stage, STRANGER, &tool));
    assert!(!receive(&mut stage, STRANGER, &plain));
    stage.shard.forget_scanners();
    assert!(receive(&mut stage, STRANGER, &plain));
}

#[test]
fn an_address_that_the_configuration_names_is_never_on_the_list() {
    let mut stage = Stage::new();
    for n in 0..100 {
        let text =
            invite(&format!("c{n}"), "").replace("Max-Forwards", "User-Agent: sipvicious\r\nMax-Forwards");
        assert!(receive(&mut stage, CARRIER, &text));
    }
    assert!(stage.shard.scanners(stage.now).is_empty());
}

#[test]
fn who_was_let_in_last_is_a_stranger_as_soon_as_the_configuration_names_him_no_more() {
    let mut stage = Stage::new();
    assert!(receive(&mut stage, CARRIER, &invite("a", &sdp("192.0.2.1", 4000))));
    let mut config = config();
    config.trunks[0].sources = vec!["192.0.2.77/32".parse().unwrap()];
    config.targets[2].peer.remote = "192.0.2.77:5060".parse().unwrap();
    let mut snapshot = Snapshot::first(Arc::new(config));
    (snapshot.generation, snapshot.config_generation) = (9, 9);
    stage.input(Input::Snapshot(Arc::new(snapshot)));
    assert!(!receive(&mut stage, CARRIER, &invite("b", &sdp("192.0.2.1", 4000))));
    assert!(receive(&mut stage, "192.0.2.77:5060", &invite("c", &sdp("192.0.2.77", 4000))));
}

#[test]
fn a_request_inside_a_call_is_welcome_from_any_address_even_a_scanners() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("up", &sdp("192.0.2.1", 4000)));
    let to_edge = stage.take(EAST).pop().unwrap();
    stage.receive(EAST, &answer(&to_edge, 200, "edge", "east@198.51.100.1", &sdp("198.51.100.1", 6000)));
    let ok = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    for n in 0..50 {
        receive(&mut stage, STRANGER, &from_stranger(&invite(&format!("scan{n}"), "")));
    }
    let bye = from_stranger(&in_dialog(&ok, "BYE", 2, ""));
    assert!(receive(&mut stage, STRANGER, &bye));
    assert!(stage.take(STRANGER).iter().any(|m| m.starts_with("SIP/2.0 200")));
}

#[test]
fn what_only_looks_like_part_of_a_call_is_taken_a_little_and_answered_not_at_all() {
    let mut stage = Stage::new();
    let forged = "BYE sip:x@192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.66:5060;branch=z9hG4bKf\r\n\
                  Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=00a0000000011111111\r\nCall-ID: f\r\n\
                  CSeq: 2 BYE\r\nContent-Length: 0\r\n\r\n";
    let taken = (0..1_000).filter(|_| receive(&mut stage, STRANGER, forged)).count();
    assert_eq!(taken, 100);
    assert_eq!(rejected(&stage, RejectReason::StrangerRate), 900);
    assert!(stage.sent.is_empty());
    assert_eq!(stage.shard.counts().transactions, 0);
}

#[test]
fn a_hundred_thousand_sources_are_remembered_in_the_room_of_sixteen_thousand() {
    let mut stage = Stage::new();
    let text = invite("flood", "");
    for n in 0..100_000_u32 {
        let from = std::net::SocketAddr::from((std::net::Ipv4Addr::from_bits(0xc612_0000 + n), 5060));
        for _ in 0..2 {
            receive(&mut stage, &from.to_string(), &text);
        }
    }
    assert_eq!(rejected(&stage, RejectReason::UnknownSource), 200_000);
    assert_eq!(stage.shard.counts().transactions, 0);
    assert!(stage.shard.scanners(stage.now).is_empty(), "two tries are no scan");
}

#[test]
fn who_connects_again_and_again_is_on_the_list_and_a_neighbour_never_is() {
    let mut stage = open();
    let peer = |from: &str| Peer {
        transport: Transport::Tcp,
        listener: ListenerId(0),
        remote: from.parse().unwrap(),
    };
    for _ in 0..20 {
        stage.shard.knocked(stage.now, peer(STRANGER));
        stage.shard.knocked(stage.now, peer(CARRIER));
    }
    let list = stage.shard.scanners(stage.now);
    assert_eq!(list.iter().map(|one| one.address.to_string()).collect::<Vec<_>>(), ["203.0.113.66"]);
    assert!(!receive(&mut stage, STRANGER, &from_stranger(&invite("x", ""))));
    assert_eq!(rejected(&stage, RejectReason::Scanner), 1);
}
