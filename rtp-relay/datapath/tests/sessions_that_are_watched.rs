//! Copies of a session's packets are had while it lives, by whatever serves the sockets.

mod common;
use common::{
    PATIENCE, Phone, REPORT, call, config, counters_when, engines, open, release, rtp, send, start, watch,
};
use datapath::{NotWatched, SocketEngine, Watched};
use relay_values::{Fill, Law, Leg, RelayCommand, SessionId, Sound};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const RELAY: &str = "127.0.0.9";
const SESSION: SessionId = SessionId::new(0, 1);

fn phones() -> [Phone; 2] {
    [Phone::new("127.0.0.2", RELAY), Phone::new("127.0.0.3", RELAY)]
}

/// The next packet: whence, whereto, whether we have sent it, and what.
fn next(watched: &mut Watched) -> (SocketAddr, SocketAddr, bool, Vec<u8>) {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = watched.next_packet() {
            return (seen.from, seen.to, seen.sent, seen.bytes().to_vec());
        }
        assert!(Instant::now() < until, "no packet was seen");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn both_legs(sockets: SocketEngine) {
    let (engine, mut relay) = start(&config(sockets, 22_400..=22_419));
    let [mut alice, mut bob] = phones();
    call(&mut relay, open(SESSION, RELAY, RELAY), &mut alice, &mut bob);
    counters_when(&engine, |c| c.relay.sessions == 1);
    let mut watched = watch(&engine, SESSION).unwrap();
    assert_eq!(watch(&engine, SESSION).err(), Some(NotWatched::Already));
    assert_eq!(watch(&engine, SessionId::new(0, 2)).err(), Some(NotWatched::NoSession));
    let ours = |phone: &Phone, more: u16| SocketAddr::new(phone.relay, phone.port + more);
    let [a, b] = [&alice, &bob].map(|p| p.rtp.local_addr().unwrap());
    let [a_rtcp, b_rtcp] = [&alice, &bob].map(|p| p.rtcp.local_addr().unwrap());
    for n in 0..20 {
        alice.say(&rtp(n));
        bob.say(&rtp(1_000 + n));
        assert_eq!((Phone::hear(&bob.rtp).0, Phone::hear(&alice.rtp).0), (rtp(n), rtp(1_000 + n)));
        let mut four = [(); 4].map(|()| next(&mut watched));
        // Which of the two came first is nobody's business; each goes on after it has come.
        let place = |bytes: &[u8], sent| four.iter().position(|seen| seen.3 == bytes && seen.2 == sent);
        assert!(place(&rtp(n), false) < place(&rtp(n), true));
        four.sort_by_key(|seen| (seen.3.clone(), seen.2));
        assert_eq!(four[0], (a, ours(&alice, 0), false, rtp(n)));
        assert_eq!(four[1], (ours(&bob, 0), b, true, rtp(n)));
        assert_eq!(four[2], (b, ours(&bob, 0), false, rtp(1_000 + n)));
        assert_eq!(four[3], (ours(&alice, 0), a, true, rtp(1_000 + n)));
    }
    alice.report(&REPORT);
    assert_eq!(next(&mut watched), (a_rtcp, ours(&alice, 1), false, REPORT.to_vec()));
    assert_eq!(next(&mut watched), (ours(&bob, 1), b_rtcp, true, REPORT.to_vec()));
    // What is turned away has come, too.
    bob.say(&[22; 60]);
    assert_eq!(next(&mut watched), (b, ours(&bob, 0), false, vec![22; 60]));
    alice.say(&[0x80; 2049]);
    let until = Instant::now() + PATIENCE;
    while watched.missed() == 0 {
        assert!(Instant::now() < until, "a packet that is too long is missed");
    }
    // So is what we say ourselves.
    let fill = Fill {
        payload_type: 0,
        clock_rate: 8_000,
        packet_time: Duration::from_millis(20),
        sound: Sound::Noise(Law::Mu),
    };
    send(&mut relay, RelayCommand::Bridge { session: SESSION, leg: Leg::B, fill: Some(fill) });
    let (from, to, sent, _) = next(&mut watched);
    assert_eq!((from, to, sent), (ours(&alice, 0), a, true));
    assert!(!watched.is_over());
    release(&mut relay, SESSION);
    while !watched.is_over() {
        assert!(Instant::now() < until, "the end is seen");
        watched.next_packet();
    }
    assert_eq!(engine.failure(), None);
}

#[test]
fn what_comes_and_goes_on_both_legs_is_seen_until_the_session_ends() {
    engines().into_iter().for_each(both_legs);
}

#[test]
fn who_does_not_read_misses_packets_and_nobody_else_does() {
    let (engine, mut relay) = start(&config(SocketEngine::Epoll, 22_420..=22_439));
    let [mut alice, mut bob] = phones();
    call(&mut relay, open(SESSION, RELAY, RELAY), &mut alice, &mut bob);
    counters_when(&engine, |c| c.relay.sessions == 1);
    let mut watched = watch(&engine, SESSION).unwrap();
    const SENT: u16 = 1_000;
    for n in 0..SENT {
        alice.say(&rtp(n));
        assert_eq!(Phone::hear(&bob.rtp).0, rtp(n));
    }
    let stats = release(&mut relay, SESSION);
    assert_eq!((stats.from_a.packets, stats.from_a.forwarded), (SENT.into(), SENT.into()));
    let mut seen = 0;
    while !watched.is_over() {
        seen += u64::from(watched.next_packet().is_some());
    }
    assert!(seen > 0 && watched.missed() > 0);
    assert_eq!(seen + watched.missed(), 2 * u64::from(SENT), "each is here or counted");
}

#[test]
fn so_many_sessions_are_watched_at_once_and_who_goes_makes_room() {
    let (engine, mut relay) = start(&config(SocketEngine::Epoll, 22_440..=22_539));
    let sessions: Vec<_> = (1..=17).map(|n| SessionId::new(0, n)).collect();
    for session in &sessions {
        let [mut alice, mut bob] = phones();
        call(&mut relay, open(*session, RELAY, RELAY), &mut alice, &mut bob);
    }
    let (last, most) = sessions.split_last().unwrap();
    let mut watched: Vec<_> = most.iter().map(|session| watch(&engine, *session).unwrap()).collect();
    assert_eq!(watch(&engine, *last).err(), Some(NotWatched::TooMany));
    watched.pop();
    assert!(watch(&engine, *last).is_ok());
}
