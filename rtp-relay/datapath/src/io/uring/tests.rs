//! The ring with real sockets on loopback, and nobody behind it.

use super::*;
use crate::config::EngineConfig;
use crate::wake::Wake;
use limits::BUFFERS;
use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

const PATIENCE: Duration = Duration::from_secs(10);

/// Hears everything, and sends on what it has a way for.
#[derive(Default)]
struct Ear {
    ways: HashMap<usize, (PortRef, SocketAddr)>,
    heard: HashMap<usize, Vec<Vec<u8>>>,
    too_long: usize,
    own: Vec<(PortRef, SocketAddr)>,
    failed: usize,
}

impl Ear {
    fn count(&self) -> usize {
        self.heard.values().map(Vec::len).sum()
    }
}

impl Judge for Ear {
    fn packet(&mut self, at: PortRef, _: SocketAddr, arrived: Arrived<'_>) -> Option<(PortRef, SocketAddr)> {
        match arrived {
            Arrived::TooLong => {
                self.too_long += 1;
                None
            }
            Arrived::Whole(bytes) => {
                self.heard.entry(at.index()).or_default().push(bytes.to_vec());
                if let [first, ..] = bytes {
                    *first ^= 0xff;
                }
                self.ways.get(&at.index()).copied()
            }
        }
    }

    fn own(&mut self, buffer: &mut [u8]) -> Option<Outgoing> {
        let (port, to) = self.own.pop()?;
        buffer[..2].copy_from_slice(&(self.own.len() as u16).to_be_bytes());
        Some(Outgoing { port, to, len: 2 })
    }

    fn send_failed(&mut self, _: PortRef) {
        self.failed += 1;
    }

    fn own_failed(&mut self) {
        self.failed += 1;
    }

    fn receive_failed(&mut self) {
        self.failed += 1;
    }
}

/// Tells a thread to end, also when a test fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Bench {
    io: UringIo,
    ear: Ear,
    wake: Wake,
    first: u16,
}

impl Bench {
    fn new(first: u16, ports: usize, buffers: u16) -> Self {
        let (wake, config) = (Wake::new().unwrap(), EngineConfig::default());
        let seat = Seat { config: &config, worker: 0, ports, wake: wake.as_fd(), news: None };
        let mut io = UringIo::with_buffers(&seat, buffers).unwrap();
        io.start().unwrap();
        Self { io, ear: Ear::default(), wake, first }
    }

    fn at(&self, port: usize) -> SocketAddr {
        // A host of this process's own: the ports are fixed, and others run these tests, too.
        let [.., high, low] = std::process::id().to_be_bytes();
        SocketAddr::from(([127, high, low, 9], self.first + port as u16))
    }

    fn pair(&self, n: usize) -> PortPair {
        let port = |i: usize| PortRef::new(i as u32);
        PortPair {
            rtp: port(2 * n),
            rtcp: port(2 * n + 1),
            rtp_addr: self.at(2 * n),
            rtcp_addr: self.at(2 * n + 1),
        }
    }

    fn bind(&mut self, n: usize) {
        let pair = self.pair(n);
        self.io.bind(&pair).unwrap();
    }

    fn turn(&mut self) -> Woken {
        let woken = self.io.wait(Some(Duration::from_millis(20))).unwrap();
        self.io.receive(&mut self.ear);
        self.wake.lower();
        woken
    }

    fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !done(self) {
            assert!(Instant::now() < until, "{what}: {} heard", self.ear.count());
            self.turn();
        }
    }
}

fn phone() -> UdpSocket {
    let phone = UdpSocket::bind("127.0.0.2:0").unwrap();
    phone.set_read_timeout(Some(PATIENCE)).unwrap();
    phone
}

#[test]
fn a_packet_goes_on_from_the_buffer_that_it_came_in() {
    let mut bench = Bench::new(23_000, 2, BUFFERS);
    bench.bind(0);
    let (alice, bob) = (phone(), phone());
    bench.ear.ways.insert(0, (PortRef::new(1), bob.local_addr().unwrap()));
    // More than there are buffers: they come round.
    for n in 0..3000_u16 {
        alice.send_to(&n.to_be_bytes(), bench.at(0)).unwrap();
        bench.until("one packet", |b| b.ear.count() == usize::from(n) + 1);
        // The send goes with the next entry.
        bench.io.wait(Some(Duration::ZERO)).unwrap();
        let mut buffer = [0; 100];
        let (len, from) = bob.recv_from(&mut buffer).unwrap();
        let [high, low] = n.to_be_bytes();
        assert_eq!((&buffer[..len], from), (&[high ^ 0xff, low][..], bench.at(1)));
    }
    assert_eq!((bench.ear.failed, bench.io.buffers.lent()), (0, usize::from(BUFFERS)));
}

#[test]
fn when_the_buffers_run_out_every_packet_waits_in_its_socket_and_comes_later() {
    let mut bench = Bench::new(23_010, 40, 8);
    let (alice, bob) = (phone(), phone());
    for n in 0..20 {
        bench.bind(n);
        bench.ear.ways.insert(2 * n, (PortRef::new(2 * n as u32 + 1), bob.local_addr().unwrap()));
    }
    for packet in 0..10_u8 {
        for port in 0..40 {
            alice.send_to(&[packet, port as u8], bench.at(port)).unwrap();
        }
    }
    let mut parked = 0;
    bench.until("all packets", |b| {
        parked = parked.max(b.io.parked.len());
        b.ear.count() == 400
    });
    assert!(parked > 0, "the buffers were enough");
    for (port, heard) in &bench.ear.heard {
        let all: Vec<_> = (0..10).map(|packet| vec![packet, *port as u8]).collect();
        assert_eq!(*heard, all, "port {port}");
    }
    // And the receives live on.
    alice.send_to(&[99], bench.at(7)).unwrap();
    bench.until("one more", |b| b.ear.count() == 401 && b.io.parked.is_empty());
    bench.until("the last send", |b| b.io.buffers.lent() == 8);
    assert_eq!(bench.ear.failed, 0);
}

#[test]
fn a_port_that_is_closed_under_traffic_is_silent_at_once_and_can_be_bound_again_at_once() {
    let mut bench = Bench::new(23_060, 4, BUFFERS);
    bench.bind(1);
    let (stop, to) = (AtomicBool::new(false), bench.at(0));
    std::thread::scope(|s| {
        s.spawn(|| {
            let alice = phone();
            while !stop.load(Ordering::Relaxed) {
                // Refused while nobody listens.
                let _ = alice.send_to(&[1, 2, 3], to);
            }
        });
        let end = End(&stop);
        for round in 1..=100 {
            bench.bind(0);
            bench.ear.heard.clear();
            bench.until("a packet", |b| b.ear.count() > 0);
            let pair = bench.pair(0);
            bench.io.close(&pair);
            if round % 2 == 0 {
                bench.ear.heard.clear();
                for _ in 0..3 {
                    bench.turn();
                }
                assert_eq!(bench.ear.count(), 0, "round {round}: a closed port was heard");
            }
        }
        drop(end);
    });
    assert_eq!((bench.io.open, bench.ear.failed), (2, 0));
    bench.until("the end of two receives", |b| b.io.under_way.receives == 2);
    UdpSocket::bind(to).unwrap();
}

#[test]
fn a_flooded_port_leaves_the_others_their_turns() {
    let mut bench = Bench::new(23_070, 20, BUFFERS);
    (0..10).for_each(|n| bench.bind(n));
    let (stop, flooded) = (AtomicBool::new(false), bench.at(0));
    std::thread::scope(|s| {
        s.spawn(|| {
            let mallory = phone();
            while !stop.load(Ordering::Relaxed) {
                let _ = mallory.send_to(&[0; 100], flooded);
            }
        });
        let end = End(&stop);
        bench.until("the flood", |b| b.ear.count() > 100);
        let alice = phone();
        let mut most = 0;
        for packet in 1..=50 {
            for port in 1..20 {
                alice.send_to(&[packet], bench.at(port)).unwrap();
            }
            // All of them are there already: a few turns have room for them, whatever else there is.
            let mut turns = 0;
            bench.until("the others", |b| {
                turns += 1;
                (1..20).all(|p| b.ear.heard.get(&p).is_some_and(|h| h.len() == usize::from(packet)))
            });
            most = most.max(turns);
        }
        drop(end);
        assert!(most <= 10, "{most} turns");
    });
}

#[test]
fn an_empty_packet_does_not_end_a_port_and_a_giant_is_told() {
    let mut bench = Bench::new(23_100, 2, BUFFERS);
    bench.bind(0);
    let alice = phone();
    for n in 1..=100 {
        alice.send_to(&[], bench.at(0)).unwrap();
        alice.send_to(&[n], bench.at(0)).unwrap();
    }
    bench.until("all of them", |b| b.ear.count() == 200);
    for len in [MAX_PACKET, MAX_PACKET + 1, 9000, 65_507] {
        alice.send_to(&vec![7; len], bench.at(0)).unwrap();
    }
    bench.until("the large ones", |b| b.ear.count() + b.ear.too_long == 204);
    let heard = &bench.ear.heard[&0];
    assert_eq!((bench.ear.too_long, heard[200].len()), (3, MAX_PACKET));
    let in_turn = (1..=100).flat_map(|n| [vec![], vec![n]]);
    assert!(in_turn.eq(heard[..200].iter().cloned()), "out of order");
}

#[test]
fn our_own_packets_leave_however_many_they_are() {
    let mut bench = Bench::new(23_110, 2, BUFFERS);
    bench.bind(0);
    let bob = phone();
    let to = bob.local_addr().unwrap();
    // A few times the buffers that there are for them; below what the phone's own socket holds.
    bench.ear.own = vec![(PortRef::new(0), to); 200];
    for half in 0..2 {
        bench.io.send_own(&mut bench.ear);
        assert!(bench.ear.own.is_empty());
        bench.io.wait(Some(Duration::ZERO)).unwrap();
        for n in (0..200_u16).rev() {
            let mut buffer = [0; 10];
            assert_eq!(bob.recv(&mut buffer).unwrap(), 2);
            assert_eq!(buffer[..2], n.to_be_bytes(), "half {half}");
        }
        bench.ear.own = vec![(PortRef::new(0), to); 200];
    }
    // What cannot be sent is told.
    bench.ear.own = vec![(PortRef::new(0), "[::1]:9".parse().unwrap()), (PortRef::new(7), to)];
    bench.io.send_own(&mut bench.ear);
    bench.until("the failures", |b| b.ear.failed == 2);
}

#[test]
fn whoever_knocks_is_heard_whenever_that_is_and_nobody_else_wakes_us() {
    let mut bench = Bench::new(23_120, 2, BUFFERS);
    bench.bind(0);
    for _ in 0..100 {
        bench.wake.raise();
        let begun = Instant::now();
        assert!(bench.io.wait(Some(PATIENCE)).unwrap().any && begun.elapsed() < PATIENCE);
        bench.wake.lower();
        assert!(!bench.io.wait(Some(Duration::from_millis(1))).unwrap().any);
    }
}

#[test]
fn the_ports_are_free_when_the_ring_is_gone() {
    for _ in 0..5 {
        let mut bench = Bench::new(23_130, 600, BUFFERS);
        (0..300).for_each(|n| bench.bind(n));
        bench.turn();
        let ports: Vec<_> = (0..600).map(|p| bench.at(p)).collect();
        drop(bench);
        for port in ports {
            UdpSocket::bind(port).unwrap();
        }
    }
}
