//! What every engine of user space can do, and what only the one with a single socket does.

mod common;
#[path = "xdp/net.rs"]
#[allow(dead_code, reason = "every test file compiles this module and uses a part of it")]
mod net;

use common::{PATIENCE, Phone, call, config, counters_when, engines, event, open, release, rtp, send, start};
use datapath::{Engine, EngineConfig, SocketEngine};
use net::{Family, Net, V4, V6};
use relay_core::RelayConfig;
use relay_values::{DropReason, OpenFailure, RelayCommand, RelayEvent, SessionId};
use rustix::thread::CapabilitySet;
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("not run: needs root");
    }
    root
}

/// Say it until it is heard: commands and packets take different ways.
fn connected(from: &Phone, to: &Phone) {
    to.rtp.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let until = Instant::now() + PATIENCE;
    loop {
        from.say(&rtp(1));
        match to.rtp.recv(&mut [0; 2048]) {
            Ok(_) => break,
            Err(e) => assert!(Instant::now() < until, "{e}"),
        }
    }
    // Those that were said once more meanwhile.
    from.say(&rtp(2));
    let mut buffer = [0; 2048];
    while to.rtp.recv(&mut buffer).map_or(true, |n| buffer[..n] != rtp(2)) {
        assert!(Instant::now() < until);
    }
    to.rtp.set_read_timeout(Some(PATIENCE)).unwrap();
}

#[test]
fn datagrams_of_any_length_are_taken_and_those_that_are_no_packets_counted() {
    for sockets in engines() {
        for (ip, relay_ip) in [("127.0.0.2", "127.0.0.9"), ("::1", "::1")] {
            let (engine, mut relay) = start(&config(sockets, 22_000..=22_019));
            let (mut alice, mut bob) = (Phone::new(ip, relay_ip), Phone::new(ip, relay_ip));
            let id = SessionId::new(0, 1);
            call(&mut relay, open(id, relay_ip, relay_ip), &mut alice, &mut bob);
            connected(&alice, &bob);
            let before = counters_when(&engine, |c| c.relay.forwarded > 0).relay.drops;
            alice.say(&[]);
            alice.say(&vec![0x80; 9_000]);
            // The longest datagrams of IPv4 and of IPv6 without a jumbogram (RFC 768, RFC 8200 §3).
            alice.say(&vec![0x80; if relay_ip == "::1" { 65_527 } else { 65_507 }]);
            let mut longest = rtp(3);
            longest.resize(2048, 0xd5);
            for length in [12, 13, 172, 1_232, 1_233, 1_252, 1_253, 2_048] {
                alice.say(&longest[..length]);
                longest[3] += 1;
            }
            longest[3] = 3;
            for length in [12, 13, 172, 1_232, 1_233, 1_252, 1_253, 2_048] {
                let heard = Phone::hear(&bob.rtp).0;
                assert!(
                    heard == longest[..length],
                    "{sockets:?}, {relay_ip}: {length}, {} came",
                    heard.len()
                );
                longest[3] += 1;
            }
            let drops = release(&mut relay, id).drops;
            let since = |reason| drops.get(reason) - before.get(reason);
            assert_eq!((since(DropReason::TooShort), since(DropReason::TooLong)), (1, 2), "{sockets:?}");
        }
    }
}

#[test]
fn every_port_of_every_address_and_worker_carries() {
    let addresses = ["127.0.0.9", "127.0.0.10", "::1"];
    for sockets in engines() {
        let mut config = config(sockets, 22_100..=22_135);
        config.relay.addresses = addresses.map(|a| a.parse().unwrap()).to_vec();
        config.workers = 3;
        let (engine, mut relay) = start(&config);
        let mut taken = std::collections::BTreeSet::new();
        let mut serial = 0;
        let mut full = 0;
        // Until every worker has said of every address that there is no more.
        while full < addresses.len() * config.workers * 2 {
            let address = addresses[serial as usize % addresses.len()];
            let ip = if address == "::1" { "::1" } else { "127.0.0.2" };
            let (mut alice, mut bob) = (Phone::new(ip, address), Phone::new(ip, address));
            // Sessions go round the workers by their number, and addresses likewise: a step aside brings all of them together.
            let id = SessionId::new(0, serial + serial / 3);
            serial += 1;
            send(&mut relay, RelayCommand::Open(open(id, address, address)));
            let answer = loop {
                match event(&mut relay) {
                    RelayEvent::Latched { .. } => {}
                    other => break other,
                }
            };
            match answer {
                RelayEvent::Opened { a_port, b_port, .. } => (alice.port, bob.port) = (a_port, b_port),
                RelayEvent::OpenFailed { reason: OpenFailure::PortsExhausted, .. } => {
                    full += 1;
                    continue;
                }
                other => panic!("{other:?}"),
            }
            for (leg, phone) in [(relay_values::Leg::A, &alice), (relay_values::Leg::B, &bob)] {
                send(&mut relay, RelayCommand::Connect { session: id, leg, to: phone.connect() });
            }
            connected(&alice, &bob);
            connected(&bob, &alice);
            assert!(taken.insert((address, alice.port)) && taken.insert((address, bob.port)));
            full = 0;
        }
        assert_eq!(taken.len(), 18 * addresses.len(), "{sockets:?}: every pair has had its turn");
        for address in addresses {
            assert!(taken.contains(&(address, 22_100)) && taken.contains(&(address, 22_134)));
        }
        assert_eq!(engine.failure(), None);
    }
}

#[test]
fn an_engine_that_ends_leaves_its_ports_to_the_next_one_at_once() {
    for round in 0..3 {
        for sockets in engines() {
            let (_engine, mut relay) = start(&config(sockets, 22_200..=22_203));
            let (mut alice, mut bob) =
                (Phone::new("127.0.0.2", "127.0.0.9"), Phone::new("127.0.0.3", "127.0.0.9"));
            call(&mut relay, open(SessionId::new(0, round), "127.0.0.9", "127.0.0.9"), &mut alice, &mut bob);
            connected(&alice, &bob);
        }
    }
}

#[test]
fn one_socket_takes_no_descriptor_for_a_call_and_answers_no_port_without_a_session() {
    if !is_root() {
        return;
    }
    let mut config = config(SocketEngine::Lookup, 22_300..=22_399);
    // Nothing is left: a socket for every port could not hold one call.
    config.reserved_descriptors = usize::MAX;
    let (engine, mut relay) = start(&config);
    assert_eq!(engine.capacity().calls(), 50);
    assert_eq!(engine.capacity().to_string(), "room for 50 calls at a time (100 port pairs)");
    let stranger = UdpSocket::bind("127.0.0.4:0").unwrap();
    stranger.connect("127.0.0.9:22310").unwrap();
    stranger.set_nonblocking(true).unwrap();
    for n in 1..=3 {
        stranger.send(&rtp(n)).unwrap();
    }
    counters_when(&engine, |c| c.relay.drops.get(DropReason::NoSession) == 3);
    // On loopback an ICMP error would have been there before the packet was counted.
    assert_eq!(stranger.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    let (mut alice, mut bob) = (Phone::new("127.0.0.2", "127.0.0.9"), Phone::new("::1", "::1"));
    call(&mut relay, open(SessionId::new(0, 1), "127.0.0.9", "::1"), &mut alice, &mut bob);
    connected(&alice, &bob);
}

fn across(family: Family, length: usize) {
    let net = Net::new();
    let addresses = [family.relay_c, family.relay_t];
    let config = EngineConfig {
        relay: RelayConfig {
            addresses: addresses.map(|a| a.parse().unwrap()).to_vec(),
            ports: 30_000..=30_099,
            ..RelayConfig::default()
        },
        sockets: SocketEngine::Lookup,
        ..EngineConfig::default()
    };
    let (_engine, mut relay) = net.relay.run(move || start(&config));
    let phone = |host: &net::Host, ip: &'static str, relay| host.run(move || Phone::new(ip, relay));
    let mut alice = phone(&net.carrier, family.carrier, family.relay_c);
    let mut bob = phone(&net.tier, family.tier, family.relay_t);
    call(&mut relay, open(SessionId::new(0, 1), addresses[0], addresses[1]), &mut alice, &mut bob);
    connected(&alice, &bob);
    let mut long = rtp(3);
    long.resize(length, 0xd5);
    alice.say(&long);
    assert_eq!(Phone::hear(&bob.rtp).0, long);
}

#[test]
fn one_socket_sends_what_the_link_does_not_carry_whole_in_pieces() {
    if !is_root() {
        return;
    }
    // The links carry 1,500 bytes.
    for family in [V4, V6] {
        across(family, 1_400);
        across(family, 2_048);
    }
}

/// Start in a thread that may do less than we may.
fn start_without(lost: CapabilitySet, sockets: SocketEngine) -> Result<String, String> {
    std::thread::spawn(move || {
        let mut sets = rustix::thread::capabilities(None).unwrap();
        sets.effective -= lost;
        rustix::thread::set_capabilities(None, sets).unwrap();
        let started = Engine::start(&config(sockets, 22_400..=22_419));
        started.map(|(engine, _)| engine.standing().engine.clone()).map_err(|e| e.to_string())
    })
    .join()
    .unwrap()
}

#[test]
fn an_engine_that_cannot_be_had_is_passed_over_with_the_reason() {
    if !is_root() {
        return;
    }
    assert_eq!(start_without(CapabilitySet::empty(), SocketEngine::Auto).unwrap(), "lookup");
    for (lost, name) in [
        (CapabilitySet::BPF | CapabilitySet::SYS_ADMIN, "CAP_BPF"),
        (CapabilitySet::NET_ADMIN | CapabilitySet::SYS_ADMIN, "CAP_NET_ADMIN"),
        (CapabilitySet::NET_RAW, "CAP_NET_RAW"),
    ] {
        let said = start_without(lost, SocketEngine::Auto).unwrap();
        assert!(said.starts_with("uring (lookup: ") && said.contains(name), "{name}: {said}");
        let refused = start_without(lost, SocketEngine::Lookup).unwrap_err();
        assert!(refused.contains("lookup: ") && refused.contains(name), "{name}: {refused}");
    }
    let said = start_without(CapabilitySet::SYS_NICE, SocketEngine::Auto).unwrap();
    assert!(said.starts_with("lookup; workers do not go before"), "{said}");
}

#[test]
fn more_addresses_or_engines_than_the_kernel_takes_are_a_reason_too() {
    if !is_root() {
        return;
    }
    let said = Net::new().relay.run(|| {
        let several = |n: u8| (1..=n).map(|i| format!("127.0.1.{i}").parse().unwrap()).collect();
        let with = |addresses, ports| {
            let relay = RelayConfig { addresses, ports, ..RelayConfig::default() };
            let config = EngineConfig { relay, sockets: SocketEngine::Auto, ..EngineConfig::default() };
            Engine::start(&config).unwrap().0
        };
        let many = with(several(9), 30_000..=30_019).standing().engine.clone();
        // A namespace takes 64 programs of this kind.
        let engines: Vec<_> = (0..65).map(|n| with(several(1), 30_000 + 4 * n..=30_003 + 4 * n)).collect();
        let standing = |n: usize| engines[n].standing().engine.clone();
        [many, standing(63), standing(64)]
    });
    assert!(said[0].starts_with("uring (lookup: 9 media addresses"), "{}", said[0]);
    assert_eq!(said[1], "lookup");
    assert!(said[2].starts_with("uring (lookup: "), "{}", said[2]);
}
