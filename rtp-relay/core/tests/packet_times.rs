//! Packet times of telephony, from 5 to 60 ms: measured, missed when they stop, filled in their own beat.

mod common;
use common::{ALICE, BOB, Shell, config, connect, header, open, rtp};
use relay_values::{Duration, Fill, Law, Leg, RegionId, RelayCommand, RelayEvent, SessionId, Sound};

const TIMES: [u16; 6] = [5, 10, 20, 30, 40, 60];
const CALLS: u16 = 20;
const ID: SessionId = SessionId::new(0, 0);

fn ms(n: impl Into<u64>) -> Duration {
    Duration::from_millis(n.into())
}

/// A packet of G.711 of this time, the `n`th of its stream.
fn speech(ssrc: u32, n: u16, time: u16) -> Vec<u8> {
    let mut packet = rtp(ssrc, n, u32::from(n) * u32::from(time) * 8);
    packet.resize(12 + usize::from(time) * 8, 0xd5);
    packet
}

fn tier(n: u16) -> String {
    format!("203.0.113.1:{}", 5000 + 2 * n)
}

/// Twenty calls whose tier legs have sent thirty packets each of this time.
fn region(time: u16) -> (Shell, Vec<u16>) {
    let mut s = Shell::new(config(10_000..=10_099));
    let carrier = |n: u16| format!("192.0.2.1:{}", 4000 + 2 * n);
    let calls = (0..CALLS).map(|n| s.call(open(n.into()), connect(&carrier(n)), connect(&tier(n))).1);
    let ports: Vec<u16> = calls.collect();
    speak(&mut s, &ports, time, 0..30);
    s.events();
    (s, ports)
}

fn speak(s: &mut Shell, ports: &[u16], time: u16, packets: std::ops::Range<u16>) {
    for n in packets {
        for (call, port) in (0..).zip(ports) {
            s.packet(*port, &tier(call), &speech(call.into(), n, time)).unwrap();
            // Each has a beat of its own.
            s.pass(ms(time) / u32::from(CALLS));
        }
    }
}

fn silent(s: &mut Shell) -> bool {
    s.events().iter().any(|event| matches!(event, RelayEvent::RegionSilent { .. }))
}

#[test]
fn a_region_of_any_packet_time_is_missed_when_it_falls_silent_and_not_before() {
    for time in TIMES {
        let (mut s, ports) = region(time);
        speak(&mut s, &ports, time, 30..90);
        assert!(!silent(&mut s), "{time} ms: it speaks");
        // Two and a half of its own beats or the policy's time, and a tick or two; the last one spoke a beat ago at most.
        let after = Duration::from_millis(60).max(ms(time) * 5 / 2) + ms(time);
        s.pass(after + ms(60_u64));
        assert!(silent(&mut s), "{time} ms");
    }
}

#[test]
fn a_bridge_keeps_the_beat_of_the_call() {
    for time in TIMES {
        let mut s = Shell::new(config(10_000..=10_099));
        let (_, b) = s.call(open(0), connect(ALICE), connect(BOB));
        for n in 0..5 {
            s.packet(b, BOB, &speech(9, n, time)).unwrap();
            s.pass(ms(time));
        }
        let sound = Sound::Noise(Law::A);
        let fill = Fill { payload_type: 8, clock_rate: 8000, packet_time: ms(time), sound };
        s.command(RelayCommand::Bridge { session: ID, leg: Leg::B, fill: Some(fill) });
        s.pass(ms(time) * 10);
        let own: Vec<_> = s.own.iter().map(|p| (header(&p.bytes), p.bytes.len())).collect();
        assert_eq!(own.len(), 10, "{time} ms");
        let step = u32::from(time) * 8;
        for (n, (head, length)) in (0..).zip(&own) {
            assert_eq!(*length, 12 + usize::from(time) * 8, "{time} ms of G.711");
            assert_eq!((head.sequence, head.ssrc), (5 + n, 9));
            assert_eq!(head.timestamp, own[0].0.timestamp + u32::from(n) * step);
        }
        // The next peer goes on with it, in whatever time it likes.
        let to = Some(connect("203.0.113.77:7000"));
        s.command(RelayCommand::Retarget { session: ID, leg: Leg::B, region: RegionId(2), to });
        let first = s.packet(b, "203.0.113.77:7000", &speech(77, 900, 20)).unwrap();
        let (last, first) = (own[9].0, header(&first.bytes));
        assert_eq!((first.ssrc, first.sequence), (9, last.sequence + 1), "{time} ms");
        assert!(
            (1..=step).contains(&(first.timestamp - last.timestamp)),
            "{time} ms: {first:?} after {last:?}"
        );
    }
}

#[test]
fn loss_and_jitter_do_not_depend_on_the_packet_time() {
    for time in TIMES {
        let mut s = Shell::new(config(10_000..=10_099));
        let (_, b) = s.call(open(0), connect(ALICE), connect(BOB));
        for n in (0..100).filter(|n| n % 10 != 7) {
            s.packet(b, BOB, &speech(9, n, time)).unwrap();
            s.pass(ms(time) * if n % 10 == 6 { 2 } else { 1 });
        }
        let stats = s.release(ID).from_b;
        assert_eq!((stats.packets, stats.lost, stats.jitter_ts), (90, 10, 0), "{time} ms");
    }
}
