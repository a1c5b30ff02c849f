//! The whole engine with real sockets on loopback.

mod common;
use common::{
    PATIENCE, Phone, REPORT, call, config, counters_when, engines, event, open, release, rtp, send, start,
};
use datapath::{Engine, EngineConfig, RelayHandle, SocketEngine, StartError};
use relay_values::{DropReason, Open, OpenFailure, RelayCommand, RelayEvent, SessionId, SilenceKind};
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

fn two_way(sockets: SocketEngine, ports: std::ops::RangeInclusive<u16>, a: (&str, &str), b: (&str, &str)) {
    let (engine, mut relay) = start(&config(sockets, ports));
    let (mut alice, mut bob) = (Phone::new(a.0, a.1), Phone::new(b.0, b.1));
    let id = SessionId::new(0, 1);
    call(&mut relay, open(id, a.1, b.1), &mut alice, &mut bob);
    // Commands and packets take different ways: wait until the last command has been done.
    counters_when(&engine, |c| c.relay.sessions == 1);
    let until = Instant::now() + PATIENCE;
    alice.rtp.set_nonblocking(true).unwrap();
    while alice.rtp.peek(&mut [0]).is_err() {
        assert!(Instant::now() < until);
        bob.say(&rtp(0));
        std::thread::sleep(Duration::from_millis(2));
    }
    alice.rtp.set_nonblocking(false).unwrap();
    for n in 1..=50 {
        alice.say(&rtp(n));
        let (bytes, from) = Phone::hear(&bob.rtp);
        assert_eq!((bytes, from), (rtp(n), SocketAddr::new(bob.relay, bob.port)));
    }
    bob.say(&rtp(999));
    while Phone::hear(&alice.rtp).0 != rtp(999) {}
    alice.report(&REPORT);
    assert_eq!(Phone::hear(&bob.rtcp), (REPORT.to_vec(), SocketAddr::new(bob.relay, bob.port + 1)));
    bob.report(&REPORT);
    assert_eq!(Phone::hear(&alice.rtcp), (REPORT.to_vec(), SocketAddr::new(alice.relay, alice.port + 1)));
    let stats = release(&mut relay, id);
    assert_eq!((stats.from_a.packets, stats.from_a.forwarded, stats.from_a.lost), (50, 50, 0));
    assert_eq!((stats.rtcp_from_a, stats.rtcp_from_b), (1, 1));
    assert_eq!(engine.failure(), None);
}

#[test]
fn two_phones_on_ipv4_hear_each_other() {
    for sockets in engines() {
        two_way(sockets, 21_000..=21_019, ("127.0.0.2", "127.0.0.9"), ("127.0.0.3", "127.0.0.9"));
    }
}

#[test]
fn two_phones_on_ipv6_hear_each_other() {
    for sockets in engines() {
        two_way(sockets, 21_020..=21_039, ("::1", "::1"), ("::1", "::1"));
    }
}

#[test]
fn a_phone_on_ipv4_hears_one_on_ipv6() {
    for sockets in engines() {
        two_way(sockets, 21_040..=21_059, ("127.0.0.2", "127.0.0.9"), ("::1", "::1"));
    }
}

#[test]
fn strangers_and_odd_packets_are_counted_and_nobody_hears_them() {
    for sockets in engines() {
        let (engine, mut relay) = start(&config(sockets, 21_060..=21_079));
        let (mut alice, mut bob) =
            (Phone::new("127.0.0.2", "127.0.0.9"), Phone::new("127.0.0.3", "127.0.0.9"));
        let stranger = UdpSocket::bind("127.0.0.4:0").unwrap();
        let id = SessionId::new(0, 1);
        call(&mut relay, open(id, "127.0.0.9", "127.0.0.9"), &mut alice, &mut bob);
        // The first packet that gets through shows that the call is connected.
        bob.rtp.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let until = Instant::now() + PATIENCE;
        while bob.rtp.recv(&mut [0; 2048]).is_err() {
            assert!(Instant::now() < until);
            alice.say(&rtp(1));
        }
        let before = counters_when(&engine, |c| c.relay.forwarded > 0).relay.drops;
        stranger.send_to(&rtp(2), (alice.relay, alice.port)).unwrap();
        alice.say(&[]);
        alice.say(&[0x80; 5]);
        alice.say(&[0x80; 2049]);
        alice.say(&vec![0x80; 9000]);
        alice.say(&[&[0, 1, 0, 0][..], &[0; 16]].concat());
        alice.say(&[22; 60]);
        alice.say(&[0x60; 60]);
        alice.say(&[0x8f; 20]);
        alice.say(&rtp(7));
        let mut buffer = [0; 4096];
        let until = Instant::now() + PATIENCE;
        loop {
            match bob.rtp.recv(&mut buffer) {
                Ok(n) if buffer[..n] == rtp(7) => break,
                Ok(n) => assert_eq!(buffer[..n], rtp(1), "something odd came through"),
                Err(e) => assert!(e.kind() == ErrorKind::WouldBlock && Instant::now() < until, "{e}"),
            }
        }
        let drops = release(&mut relay, id).drops;
        for (reason, n) in [
            (DropReason::Stranger, 1),
            (DropReason::TooShort, 2),
            (DropReason::TooLong, 2),
            (DropReason::Stun, 1),
            (DropReason::Dtls, 1),
            (DropReason::NotRtp, 1),
            (DropReason::Malformed, 1),
        ] {
            assert_eq!(drops.get(reason) - before.get(reason), n, "{reason:?}");
        }
        stranger.set_nonblocking(true).unwrap();
        assert_eq!(
            stranger.recv(&mut buffer).unwrap_err().kind(),
            ErrorKind::WouldBlock,
            "a stranger was answered"
        );
    }
}

fn descriptors_on(ports: std::ops::RangeInclusive<u16>) -> usize {
    // What the kernel says is bound: the second column of /proc/net/udp is the local address, in hex.
    let table = ["/proc/net/udp", "/proc/net/udp6"].map(|p| std::fs::read_to_string(p).unwrap()).concat();
    let bound = table.lines().filter_map(|l| l.split_whitespace().nth(1)?.rsplit_once(':'));
    bound.filter(|(_, port)| u16::from_str_radix(port, 16).is_ok_and(|p| ports.contains(&p))).count()
}

#[test]
fn released_ports_rest_come_back_and_are_closed_when_idle() {
    for sockets in engines() {
        let ports = 21_080..=21_083;
        let mut config = config(sockets, ports.clone());
        config.relay.addresses.truncate(1);
        config.relay.rest = Duration::from_millis(300);
        config.relay.idle = Duration::from_millis(600);
        let (engine, mut relay) = start(&config);
        assert_eq!(descriptors_on(ports.clone()), 0, "sockets are bound when they are needed");
        for serial in 0..3 {
            let id = SessionId::new(0, serial);
            let answer = |relay: &mut RelayHandle| {
                send(relay, RelayCommand::Open(open(id, "127.0.0.9", "127.0.0.9")));
                event(relay)
            };
            let until = Instant::now() + PATIENCE;
            loop {
                match answer(&mut relay) {
                    RelayEvent::Opened { .. } => break,
                    RelayEvent::OpenFailed { reason: OpenFailure::PortsExhausted, .. } if serial > 0 => {
                        assert!(Instant::now() < until);
                        std::thread::sleep(Duration::from_millis(20));
                    }
                    other => panic!("{other:?}"),
                }
            }
            let each = if sockets == SocketEngine::Lookup { 0 } else { 4 };
            assert_eq!(descriptors_on(ports.clone()), each);
            release(&mut relay, id);
        }
        counters_when(&engine, |c| c.relay.ports.open == 0);
        assert_eq!(descriptors_on(ports), 0);
    }
}

#[test]
fn a_port_that_somebody_else_holds_is_passed_over() {
    for sockets in engines() {
        let mut config = config(sockets, 21_090..=21_095);
        config.relay.addresses.truncate(1);
        let _taken = UdpSocket::bind("127.0.0.9:21093").unwrap();
        let (_engine, mut relay) = start(&config);
        send(&mut relay, RelayCommand::Open(open(SessionId::new(0, 1), "127.0.0.9", "127.0.0.9")));
        match event(&mut relay) {
            RelayEvent::Opened { a_port, b_port, .. } => assert!(a_port != 21_092 && b_port != 21_092),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_silent_leg_is_reported_through_the_handle() {
    for sockets in engines() {
        let (_engine, mut relay) = start(&config(sockets, 21_100..=21_119));
        let (mut alice, mut bob) =
            (Phone::new("127.0.0.2", "127.0.0.9"), Phone::new("127.0.0.3", "127.0.0.9"));
        let id = SessionId::new(0, 1);
        let open =
            Open { inactivity: Some(Duration::from_millis(300)), ..open(id, "127.0.0.9", "127.0.0.9") };
        call(&mut relay, open, &mut alice, &mut bob);
        for _ in 0..2 {
            let event = event(&mut relay);
            assert!(matches!(event, RelayEvent::Silent { kind: SilenceKind::NeverHeard, .. }), "{event:?}");
        }
    }
}

#[test]
fn shards_and_workers_keep_their_sessions_apart() {
    for sockets in engines() {
        let mut config = config(sockets, 21_200..=21_599);
        (config.workers, config.shards) = (2, 3);
        let (engine, mut relays) = Engine::start(&config).unwrap();
        for serial in 0..20 {
            for relay in &mut relays {
                let id = SessionId::new(relay.shard(), serial);
                relay.send(RelayCommand::Open(open(id, "127.0.0.9", "::1"))).unwrap();
            }
        }
        for relay in &mut relays {
            assert!(relay.flush());
            let mut seen = std::collections::HashSet::new();
            for _ in 0..20 {
                match event(relay) {
                    RelayEvent::Opened { session, .. } => {
                        assert_eq!(session.shard(), relay.shard());
                        assert!(seen.insert(session));
                    }
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(relay.recv(), None);
        }
        let counters = counters_when(&engine, |c| c.relay.sessions == 60);
        assert_eq!((counters.relay.opened, counters.relay.ports.taken), (60, 120));
        for serial in 0..20 {
            for relay in &mut relays {
                let id = SessionId::new(relay.shard(), serial);
                release(relay, id);
            }
        }
        counters_when(&engine, |c| c.relay.sessions == 0 && c.relay.released == 60);
    }
}

#[test]
fn a_full_queue_refuses_new_calls_and_loses_no_release() {
    for sockets in engines() {
        let mut config = config(sockets, 21_600..=21_699);
        config.queue = 1;
        let (engine, mut relay) = start(&config);
        let mut opened = Vec::new();
        let mut refused = 0;
        let until = Instant::now() + PATIENCE;
        for serial in 0.. {
            let id = SessionId::new(0, serial);
            match relay.send(RelayCommand::Open(open(id, "127.0.0.9", "127.0.0.9"))) {
                Ok(()) => {
                    opened.push(id);
                    // These find the queue full: it holds one command, and that is the Open.
                    relay.send(RelayCommand::Release { session: id }).unwrap();
                }
                Err(datapath::Full) => refused += 1,
            }
            if opened.len() == 20 && refused > 0 {
                break;
            }
            relay.flush();
            assert!(Instant::now() < until, "{} of 20 calls were let in", opened.len());
        }
        let mut released = 0;
        while released < opened.len() as u64 {
            relay.flush();
            match relay.recv() {
                Some(RelayEvent::Released { .. }) => released += 1,
                Some(_) => {}
                None => std::thread::sleep(Duration::from_millis(1)),
            }
            assert!(Instant::now() < until, "{released} releases were done");
        }
        counters_when(&engine, |c| c.relay.sessions == 0 && c.relay.released == released);
    }
}

#[test]
fn what_cannot_work_is_refused_at_the_start() {
    for sockets in engines() {
        let start = |f: fn(&mut EngineConfig)| {
            let mut c = config(sockets, 21_700..=21_799);
            f(&mut c);
            Engine::start(&c).map(|_| ()).unwrap_err()
        };
        assert!(matches!(start(|c| c.relay.addresses.clear()), StartError::NoAddress));
        assert!(matches!(start(|c| c.shards = 0), StartError::Shards(0)));
        assert!(matches!(
            start(|c| c.relay.ports = 21_700..=21_701),
            StartError::PortRange { needed: 4, .. }
        ));
        assert!(matches!(start(|c| c.cpus = vec![100_000]), StartError::Cpu { cpu: 100_000, .. }));
        let foreign = start(|c| c.relay.addresses.push("192.0.2.1".parse().unwrap()));
        assert!(foreign.to_string().starts_with("media address 192.0.2.1: "), "{foreign}");
    }
}

#[test]
fn handles_and_batches_may_be_given_to_other_threads() {
    fn send<T: Send>() {}
    send::<(Engine, RelayHandle)>();
    send::<(datapath::mmsg::RecvBatch, datapath::mmsg::SendBatch)>();
}

#[test]
fn reports_that_pass_are_told_as_they_came_and_nothing_else_is() {
    for sockets in engines() {
        let config = EngineConfig { reports: 16, ..config(sockets, 21_160..=21_179) };
        let (mut engine, mut relay) = start(&config);
        let mut told = engine.take_reports().remove(0);
        let (mut alice, mut bob) =
            (Phone::new("127.0.0.2", "127.0.0.9"), Phone::new("127.0.0.3", "127.0.0.9"));
        let stranger = UdpSocket::bind("127.0.0.4:0").unwrap();
        let id = SessionId::new(0, 1);
        call(&mut relay, open(id, "127.0.0.9", "127.0.0.9"), &mut alice, &mut bob);
        counters_when(&engine, |c| c.relay.sessions == 1);
        // Until the call is connected nothing passes.
        bob.rtp.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let until = Instant::now() + PATIENCE;
        while bob.rtp.recv(&mut [0; 2048]).is_err() {
            assert!(Instant::now() < until);
            alice.say(&rtp(1));
        }
        stranger.send_to(&REPORT, (alice.relay, alice.port + 1)).unwrap();
        alice.report(&REPORT);
        Phone::hear(&bob.rtcp);
        let report = told.pop().expect("a report has passed");
        assert_eq!((report.bytes(), report.session), (&REPORT[..], id));
        assert_eq!(report.from, alice.rtcp.local_addr().unwrap());
        assert_eq!(report.to, SocketAddr::new(alice.relay, alice.port + 1));
        assert_eq!(told.pop().ok(), None, "neither RTP nor a stranger's");
        release(&mut relay, id);
    }
}

#[test]
fn one_packet_in_many_is_measured_from_its_arrival_to_its_departure() {
    for sockets in engines() {
        let (engine, mut relay) = start(&config(sockets, 21_180..=21_199));
        let (mut alice, mut bob) =
            (Phone::new("127.0.0.2", "127.0.0.9"), Phone::new("127.0.0.3", "127.0.0.9"));
        let id = SessionId::new(0, 1);
        call(&mut relay, open(id, "127.0.0.9", "127.0.0.9"), &mut alice, &mut bob);
        counters_when(&engine, |c| c.relay.sessions == 1);
        bob.rtp.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let until = Instant::now() + PATIENCE;
        let mut n = 0;
        let measured = |engine: &Engine| engine.counters().latency.counts.iter().sum::<u64>();
        while measured(&engine) < 3 {
            assert!(Instant::now() < until, "{sockets:?}: {:?}", engine.counters().latency);
            for _ in 0..64 {
                n += 1;
                alice.say(&rtp(n));
                let _ = bob.rtp.recv(&mut [0; 2048]);
            }
        }
        let counters = counters_when(&engine, |c| c.relay.forwarded >= 3 * 256);
        let latency = counters.latency;
        let samples: u64 = latency.counts.iter().sum();
        assert!(
            samples <= counters.relay.forwarded / 128,
            "{sockets:?}: {samples} of {}",
            counters.relay.forwarded
        );
        assert!(latency.sum_ns > 0, "{sockets:?}: {latency:?}");
        release(&mut relay, id);
    }
}
