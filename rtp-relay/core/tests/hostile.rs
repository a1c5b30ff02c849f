//! Whatever comes, in whatever order: no panic, no leak, nothing sent to a stranger.

mod common;
use common::{Shell, V4, at, config, connect, open, rtcp, rtp};
use proptest::prelude::*;
use relay_core::{PortRef, Verdict};
use relay_values::{
    Connect, Direction, Duration, Fill, Latching, Law, Leg, RegionId, RelayCommand, SessionId, Sound,
};
use std::collections::BTreeSet;

#[derive(Debug, Clone)]
enum Step {
    Open(u64, Latching),
    Connect(u64, bool, u8, Direction, bool, u32),
    Retarget(u64, bool, Option<u8>),
    Bridge(u64, bool, Option<Fill>),
    Place(u64, u16, bool),
    Release(u64),
    Packet(u32, u8, Vec<u8>),
    Refuse(u16),
    Pass(u32),
}

/// Peers that signalling may name, by number, and more that it never does.
fn host(n: u8) -> String {
    format!("192.0.2.{}:{}", n % 8, 4000 + u16::from(n % 3))
}

/// Fill within reason and beyond.
fn fill() -> impl Strategy<Value = Fill> {
    let sound =
        prop_oneof![Just(Sound::Noise(Law::Mu)), Just(Sound::Prompt(Law::A)), Just(Sound::ComfortNoise)];
    (any::<u8>(), any::<u32>(), 0..400_u64, sound).prop_map(|(payload_type, clock_rate, ms, sound)| Fill {
        payload_type,
        clock_rate,
        packet_time: Duration::from_millis(ms),
        sound,
    })
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let tail = proptest::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..2100),
        (any::<u32>(), any::<u16>(), any::<u32>()).prop_map(|(s, n, t)| rtp(s, n, t)),
        any::<u32>().prop_map(rtcp),
        // Reports and descriptions with a wild inside, of a few SSRCs that may be on a line.
        (200..208_u8, 0..32_u8, proptest::collection::vec(0..6_u32, 1..60)).prop_map(
            |(kind, count, words)| {
                let head = vec![0x80 | count, kind, 0, words.len() as u8];
                head.into_iter().chain(words.iter().flat_map(|w| w.to_be_bytes())).collect()
            }
        ),
        (0..4_u32, any::<u16>(), any::<u32>(), any::<[u8; 4]>()).prop_map(|(s, n, t, report)| {
            let mut b = rtp(s, n, t);
            b.truncate(12);
            b[1] = 101;
            [b, report.to_vec()].concat()
        }),
        // A plausible beginning with a wild rest.
        (0x80..=0xbf_u8, any::<u8>(), tail).prop_map(|(a, b, c)| [&[a, b][..], &c].concat()),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let latching = prop_oneof![Just(Latching::Exact), Just(Latching::Address), Just(Latching::Learn)];
    let direction = prop_oneof![
        Just(Direction::SendRecv),
        Just(Direction::SendOnly),
        Just(Direction::RecvOnly),
        Just(Direction::Inactive)
    ];
    let id = 0..6_u64;
    prop_oneof![
        2 => (id.clone(), latching).prop_map(|(i, l)| Step::Open(i, l)),
        4 => (id.clone(), any::<bool>(), 0..4_u8, direction, any::<bool>(), any::<u32>())
            .prop_map(|(i, l, h, d, m, c)| Step::Connect(i, l, h, d, m, c)),
        1 => (id.clone(), any::<bool>(), proptest::option::of(0..4_u8)).prop_map(|(i, l, h)| Step::Retarget(i, l, h)),
        2 => (id.clone(), any::<bool>(), proptest::option::of(fill())).prop_map(|(i, l, f)| Step::Bridge(i, l, f)),
        1 => (id.clone(), 0..3_u16, any::<bool>()).prop_map(|(i, r, c)| Step::Place(i, r, c)),
        1 => id.prop_map(Step::Release),
        12 => (0..20_u32, 0..8_u8, bytes()).prop_map(|(p, h, b)| Step::Packet(p, h, b)),
        1 => (5_000..5_008_u16).prop_map(|n| Step::Refuse(n * 2)),
        2 => (0..20_000_u32).prop_map(Step::Pass),
    ]
}

fn leg(a: bool) -> Leg {
    if a { Leg::A } else { Leg::B }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_commands_and_packets_ends_in_an_empty_relay(steps in proptest::collection::vec(step(), 0..120)) {
        let mut shell = Shell::new(config(10_000..=10_015));
        let mut named = BTreeSet::new();
        for step in steps {
            match step {
                Step::Open(i, latching) => {
                    let mut o = open(i);
                    (o.a.latching, o.b.latching) = (latching, latching);
                    shell.command(RelayCommand::Open(o));
                }
                Step::Connect(i, a, h, direction, mux, clock_rate) => {
                    let mut to = Connect { direction, clock_rate, event: Some(101), ..connect(&host(h)) };
                    to.remote.mux = mux;
                    named.extend([to.remote.rtp, to.remote.rtcp]);
                    shell.connect(SessionId::new(0, i), leg(a), to);
                }
                Step::Retarget(i, a, h) => {
                    let to = h.map(|h| connect(&host(h)));
                    named.extend(to.iter().flat_map(|t| [t.remote.rtp, t.remote.rtcp]));
                    let (session, leg) = (SessionId::new(0, i), leg(a));
                    shell.command(RelayCommand::Retarget { session, leg, region: RegionId(0), to });
                }
                Step::Bridge(i, a, fill) => {
                    let (session, leg) = (SessionId::new(0, i), leg(a));
                    shell.command(RelayCommand::Bridge { session, leg, fill });
                }
                Step::Place(i, region, cut) => {
                    let (session, region) = (SessionId::new(0, i), RegionId(region));
                    shell.command(RelayCommand::Place { session, region, cut });
                }
                Step::Release(i) => shell.command(RelayCommand::Release { session: SessionId::new(0, i) }),
                Step::Packet(port, h, mut bytes) => {
                    let (len, from) = (bytes.len(), at(&host(h)));
                    let verdict = shell.relay.packet(shell.now, PortRef::new(port), from, &mut bytes);
                    if let Verdict::Forward { port, to } = verdict {
                        named.insert(from); // it was taken: it may have been learnt
                        prop_assert!(named.contains(&to), "{to} was never named nor heard");
                        prop_assert!(shell.bound.values().any(|p| *p == port));
                        prop_assert_eq!(bytes.len(), len);
                    } else {
                        named.insert(from);
                    }
                }
                Step::Refuse(port) => shell.refused.push(port),
                Step::Pass(ms) => shell.pass(Duration::from_millis(u64::from(ms))),
            }
            shell.drain();
            for own in shell.own.drain(..) {
                prop_assert!(named.contains(&own.to), "{} was never named nor heard", own.to);
                let least = if (192..=223).contains(&own.bytes[1]) { 8 } else { 13 };
                prop_assert!(own.bytes.len() >= least && own.bytes[0] >> 6 == 2);
            }
            let c = shell.relay.counters();
            prop_assert_eq!(c.packets, c.forwarded + c.drops.nonzero().map(|(_, n)| n).sum::<u64>());
            prop_assert_eq!(c.ports.taken, c.sessions * 2);
            prop_assert_eq!(c.ports.open * 2, shell.bound.len() as u64);
        }
        for i in 0..6 {
            shell.command(RelayCommand::Release { session: SessionId::new(0, i) });
        }
        shell.pass(Duration::from_secs(200));
        let c = shell.relay.counters();
        prop_assert_eq!((c.sessions, c.ports.taken, c.ports.resting, c.ports.open), (0, 0, 0, 0));
        prop_assert!(shell.bound.is_empty() && shell.relay.poll_timeout().is_never());
        prop_assert_eq!(shell.relay.local(PortRef::new(0)).map(|a| a.ip().to_string()), Some(V4.to_string()));
    }
}
