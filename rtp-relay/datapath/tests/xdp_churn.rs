//! Sessions that come and go by the thousand while others talk, in the kernel and between real interfaces.
//!
//! `CHURN_SESSIONS=100000 cargo test --release -p datapath --test xdp_churn -- --nocapture` for more of them, with the rate.
//!
//! Needs root, `ip` and `unshare`; says so and does nothing where it may not.

#[path = "xdp/crowd.rs"]
#[allow(dead_code, reason = "every test file compiles this module and uses a part of it")]
mod crowd;
#[path = "xdp/net.rs"]
#[allow(dead_code, reason = "every test file compiles this module and uses a part of it")]
mod net;

use crowd::{OLD, PATIENCE, TO_THE_KERNEL, World, connect, round, session};
use net::V4;
use relay_values::{Latching, Leg, LegSpec, Open, RelayCommand, RelayEvent};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Sessions that are under way at a time: what a shard would have while it waits for answers.
const WINDOW: usize = 200;

#[test]
fn sessions_come_and_go_and_those_that_talk_do_not_notice() {
    let sessions = std::env::var("CHURN_SESSIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(2_000_usize);
    let Some(mut world) = World::with_room(100, 2 * WINDOW + sessions.min(12_000)) else { return };
    let calls = world.calls.len();
    let before = world.counted(2 * calls as u64 * u64::from(TO_THE_KERNEL));
    let enough = Arc::new(AtomicBool::new(false));
    let talker = {
        let (enough, calls) = (Arc::clone(&enough), Arc::clone(&world.calls));
        let socket = Arc::clone(&world.carrier.socket);
        std::thread::spawn(move || {
            let mut sequence = TO_THE_KERNEL;
            while !enough.load(Ordering::Acquire) {
                round(&socket, calls.iter().map(|c| c.a), calls.len(), sequence, Duration::from_millis(20));
                sequence += 1;
            }
            sequence
        })
    };

    let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
    let leg = |text| LegSpec { local: ip(text), latching: Latching::Exact };
    let (mut begun, mut ended) = (0, 0);
    let (since, until) = (Instant::now(), Instant::now() + PATIENCE);
    while ended < sessions {
        while begun < sessions && begun < ended + WINDOW {
            let open = Open {
                session: session(1_000_000 + begun),
                a: leg(V4.relay_c),
                b: leg(V4.relay_t),
                region: OLD,
                tier_leg: Leg::B,
                inactivity: Some(Duration::from_secs(12)),
            };
            world.relay.send(RelayCommand::Open(open)).expect("there is room");
            begun += 1;
        }
        world.relay.flush();
        match world.relay.recv() {
            Some(RelayEvent::Opened { session, .. }) => {
                for (leg, ear) in [(Leg::A, &world.carrier), (Leg::B, &world.tier)] {
                    let to = connect(ear.socket.local_addr().expect("bound"));
                    world.relay.send(RelayCommand::Connect { session, leg, to }).expect("there is room");
                }
                world.relay.send(RelayCommand::Release { session }).expect("there is room");
            }
            Some(RelayEvent::Released { .. }) => ended += 1,
            Some(RelayEvent::OpenFailed { reason, .. }) => panic!("{reason:?} after {begun}"),
            Some(_) => {}
            None => std::thread::yield_now(),
        }
        assert!(Instant::now() < until, "{ended} of {sessions}");
    }
    let took = since.elapsed();
    enough.store(true, Ordering::Release);
    let end = talker.join().expect("it does not panic");
    eprintln!("{sessions} sessions in {took:?}: {:.0} a second", sessions as f64 / took.as_secs_f64());

    let said = calls as u64 * u64::from(end - TO_THE_KERNEL);
    world.tier.wait_for(calls as u64 * u64::from(end));
    for (port, packets) in &world.tier.take() {
        let numbers: Vec<u16> = packets.iter().map(|p| p.sequence).collect();
        assert_eq!(numbers, (0..end).collect::<Vec<_>>(), "from {port}");
    }
    let after = world.counted(before.packets + said);
    assert_eq!(after.packets - after.offloaded, before.packets - before.offloaded, "none by the sockets");
    assert_eq!(after.released - before.released, sessions as u64);
}
