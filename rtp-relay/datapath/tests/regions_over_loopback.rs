//! A region dies on loopback: silence is told, the carrier hears noise, and then somebody else on the same line.

mod common;
use common::{Phone, call, config, counters_when, engines, event, open, release, rtp, send, start};
use relay_values::{Fill, Law, Leg, RegionId, RelayCommand, RelayEvent, SessionId, Sound};
use std::time::{Duration, Instant};

const RELAY: &str = "127.0.0.9";
const ID: SessionId = SessionId::new(0, 1);

/// SSRC, sequence number and timestamp.
fn header(bytes: &[u8]) -> (u32, u16, u32) {
    let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    (word(8), word(0) as u16, word(4))
}

#[test]
fn a_lost_phone_is_followed_by_noise_and_by_another_phone_on_one_line() {
    for sockets in engines() {
        let (engine, mut relay) = start(&config(sockets, 21_800..=21_819));
        let [mut alice, mut bob, mut carol] =
            ["127.0.0.2", "127.0.0.3", "127.0.0.4"].map(|ip| Phone::new(ip, RELAY));
        call(&mut relay, open(ID, RELAY, RELAY), &mut alice, &mut bob);
        carol.port = bob.port;
        // The first packet that gets through shows that the call is connected.
        let mut sequence = 0;
        alice.rtp.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut last = loop {
            bob.say(&rtp(sequence));
            let mut buffer = [0; 2048];
            if let Ok(n) = alice.rtp.recv(&mut buffer) {
                break header(&buffer[..n]);
            }
            sequence += 1;
        };
        alice.rtp.set_read_timeout(Some(common::PATIENCE)).unwrap();
        // All that came before it has been heard with it.
        bob.say(&rtp(sequence + 1));
        while last.1 != sequence + 1 {
            last = header(&Phone::hear(&alice.rtp).0);
        }
        let sound = Sound::Noise(Law::A);
        let fill =
            Some(Fill { payload_type: 8, clock_rate: 8000, packet_time: Duration::from_millis(20), sound });
        send(&mut relay, RelayCommand::Bridge { session: ID, leg: Leg::B, fill });
        for n in 0..10 {
            let (bytes, _) = Phone::hear(&alice.rtp);
            assert_eq!(
                (bytes.len(), bytes[1]),
                (172, if n == 0 { 0x88 } else { 8 }),
                "packet {n} of the noise"
            );
            let next = header(&bytes);
            assert_eq!((next.0, next.1), (last.0, last.1.wrapping_add(1)));
            assert!(next.2 > last.2);
            last = next;
        }
        let to = Some(carol.connect());
        send(&mut relay, RelayCommand::Retarget { session: ID, leg: Leg::B, region: RegionId(1), to });
        counters_when(&engine, |c| c.relay.retargets == 1);
        let mut words = rtp(40_000);
        words[8..12].copy_from_slice(&[9, 9, 9, 9]);
        words[12] = 0x77;
        carol.say(&words);
        let heard = loop {
            let (bytes, _) = Phone::hear(&alice.rtp);
            let next = header(&bytes);
            assert_eq!(
                (next.0, next.1),
                (last.0, last.1.wrapping_add(1)),
                "nothing is missing, nothing comes twice"
            );
            last = next;
            if bytes[12..] == words[12..] {
                break bytes;
            }
        };
        assert_eq!(heard.len(), words.len());
        let gap = loop {
            match event(&mut relay) {
                RelayEvent::Resumed { session: ID, leg: Leg::B, gap } => break gap,
                RelayEvent::Latched { .. } => {}
                other => panic!("{other:?}"),
            }
        };
        assert!(gap.last < gap.filled && gap.filled < Some(gap.resumed), "{gap:?}");
        let counters = counters_when(&engine, |c| c.relay.resumed == 1).relay;
        assert_eq!((counters.bridged, counters.fill_failed), (1, 0));
        assert!(counters.filled >= 10);
        assert_eq!(release(&mut relay, ID).from_b.lost, 0);
    }
}

#[test]
fn the_silence_of_a_region_is_told_through_the_handle() {
    for sockets in engines() {
        let (engine, mut relay) = start(&config(sockets, 21_820..=21_899));
        let mut calls: Vec<_> =
            (0..12).map(|_| (Phone::new("127.0.0.2", RELAY), Phone::new("127.0.0.3", RELAY))).collect();
        for (n, (alice, bob)) in (0..).zip(&mut calls) {
            call(&mut relay, open(SessionId::new(0, n), RELAY, RELAY), alice, bob);
        }
        let start = Instant::now();
        for n in 0..40 {
            for (_, bob) in &calls {
                bob.say(&rtp(n));
            }
            std::thread::sleep(
                (start + Duration::from_millis(20) * u32::from(n)).duration_since(Instant::now()),
            );
        }
        let (silent, of) = loop {
            match event(&mut relay) {
                RelayEvent::RegionSilent { region: RegionId(0), silent, of, .. } => break (silent, of),
                RelayEvent::Latched { .. } => {}
                other => panic!("{other:?}"),
            }
        };
        assert!(of == 12 && silent >= 11, "{silent} of {of}");
        counters_when(&engine, |c| c.relay.region_silent == 1);
    }
}
