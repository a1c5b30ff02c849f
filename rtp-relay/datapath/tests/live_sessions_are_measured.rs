//! What is measured of a session while it lives, asked of the engine from beside the signalling shards.

mod common;

use common::{PATIENCE, Phone, REPORT, call, config, engines, open, release, rtp, start};
use datapath::{Engine, NotAsked, RelayHandle, SocketEngine};
use relay_values::{Carrier, Hearing, Leg, Measured, SessionId};
use std::ops::RangeInclusive;
use std::sync::mpsc::channel;
use std::time::Instant;

const SESSION: SessionId = SessionId::new(0, 1);

/// A call of two phones.
struct World {
    engine: Engine,
    relay: RelayHandle,
    alice: Phone,
    bob: Phone,
}

impl World {
    fn new(sockets: SocketEngine, ports: RangeInclusive<u16>) -> Self {
        let (engine, mut relay) = start(&config(sockets, ports));
        let [mut alice, mut bob] = ["127.0.0.2", "127.0.0.3"].map(|ip| Phone::new(ip, "127.0.0.9"));
        assert_eq!(measured(&engine, SESSION), None, "{sockets:?}: there is no such session yet");
        call(&mut relay, open(SESSION, "127.0.0.9", "127.0.0.9"), &mut alice, &mut bob);
        // What is asked takes another way than commands do.
        let until = Instant::now() + PATIENCE;
        while measured(&engine, SESSION).is_none_or(|now| now.b.direction.is_none()) {
            assert!(Instant::now() < until, "it is never connected");
        }
        Self { engine, relay, alice, bob }
    }
}

fn measured(engine: &Engine, session: SessionId) -> Option<Measured> {
    let (answer, answered) = channel();
    engine.measure(session, move |measured| drop(answer.send(measured))).expect("there is room");
    answered.recv_timeout(PATIENCE).expect("an answer")
}

#[test]
fn packets_losses_and_reports_are_seen_while_they_come_and_the_release_says_the_same() {
    for sockets in engines() {
        let World { engine, mut relay, alice, bob } = World::new(sockets, 21_700..=21_719);
        let quiet = measured(&engine, SESSION).unwrap();
        assert_eq!((quiet.stats.from_a.packets, quiet.a.hearing(quiet.at)), (0, Hearing::Unheard));
        let mut packets = 0;
        for n in (1..=100).filter(|n| n % 10 != 0) {
            alice.say(&rtp(n));
            Phone::hear(&bob.rtp);
            packets += 1;
            if n % 9 == 0 {
                let now = measured(&engine, SESSION).unwrap();
                assert_eq!((now.stats.from_a.packets, now.stats.from_a.lost), (packets, u64::from(n / 10)));
            }
        }
        alice.report(&REPORT);
        Phone::hear(&bob.rtcp);
        let last = measured(&engine, SESSION).unwrap();
        assert_eq!((last.stats.rtcp_from_a, last.stats.from_a.lost), (1, 9), "{sockets:?}");
        assert_eq!((last.a.carrier, last.a.from), (Carrier::Sockets, Some(alice.rtp.local_addr().unwrap())));
        assert_eq!(last.incoming(Leg::B).hearing(last.at), Hearing::Unheard);
        assert_eq!(release(&mut relay, SESSION), last.stats);
        assert_eq!(measured(&engine, SESSION), None, "{sockets:?}: it is over");
    }
}

#[test]
fn a_thousand_questions_at_once_are_answered_or_refused_and_no_packet_is_lost_for_them() {
    for sockets in engines() {
        let World { engine, mut relay, alice, bob } = World::new(sockets, 21_720..=21_739);
        let (answer, answered) = channel();
        let (mut taken, mut busy) = (0, 0);
        for n in 1..=50 {
            alice.say(&rtp(n));
            for _ in 0..1_000 {
                let answer = answer.clone();
                match engine.measure(SESSION, move |measured| drop(answer.send(measured))) {
                    Ok(()) => taken += 1,
                    Err(NotAsked::Busy) => busy += 1,
                    Err(NotAsked::Ended) => panic!("the worker has ended"),
                }
            }
            assert_eq!(Phone::hear(&bob.rtp).0, rtp(n));
        }
        assert_eq!(taken + busy, 50_000);
        for _ in 0..taken {
            assert!(answered.recv_timeout(PATIENCE).expect("what was taken is answered").is_some());
        }
        let stats = release(&mut relay, SESSION);
        assert_eq!((stats.from_a.forwarded, stats.from_a.lost), (50, 0), "{sockets:?}");
    }
}
