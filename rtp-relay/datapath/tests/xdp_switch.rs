//! Many calls in the kernel that move at once while their phones talk, between real interfaces: nothing is lost, nothing is
//! heard twice, and nothing goes to the old place any more.
//!
//! `SWITCH_CALLS=5000 cargo test --release -p datapath --test xdp_switch -- --nocapture` for more of them, with the times.
//!
//! Needs root, `ip` and `unshare`; says so and does nothing where it may not.

#[path = "xdp/crowd.rs"]
#[allow(dead_code, reason = "every test file compiles this module and uses a part of it")]
mod crowd;
#[path = "xdp/net.rs"]
#[allow(dead_code, reason = "every test file compiles this module and uses a part of it")]
mod net;

use crowd::{Ear, Heard, NEW, OLD, PATIENCE, TO_THE_KERNEL, World, connect, packet, round, session};
use net::{V4, socket};
use relay_core::Recall;
use relay_values::{Leg, RelayCommand, RelayEvent};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What came to a place goes on without a gap from what came to another before it.
fn unbroken(streams: &BTreeMap<u16, Vec<Heard>>, calls: usize) {
    assert_eq!(streams.len(), calls);
    for (port, packets) in streams {
        for pair in packets.windows(2) {
            let ahead = pair[1].sequence.wrapping_sub(pair[0].sequence);
            assert_eq!((ahead, pair[1].ssrc), (1, pair[0].ssrc), "from {port}: {pair:?}");
            assert!(pair[1].timestamp.wrapping_sub(pair[0].timestamp) as i32 > 0, "from {port}: {pair:?}");
        }
    }
}

/// All calls move to another place while the carrier talks: the direction that goes there never leaves the kernel, and the
/// direction that comes from there is in it again with its second packet.
fn move_all(calls: usize) {
    let Some(mut world) = World::new(calls) else { return };
    let n = calls as u64;
    let other = Ear::new(socket(&world.net.tier, V4.tier, 5002));
    let to = connect(other.socket.local_addr().expect("bound"));
    let before = world.counted(2 * n * u64::from(TO_THE_KERNEL));
    world.carrier.take();
    world.tier.take();

    // The carrier talks on, and says with every packet whether the move had been made when it was sent.
    let (moved, enough) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let talker = {
        let (moved, enough) = (Arc::clone(&moved), Arc::clone(&enough));
        let (socket, calls) = (Arc::clone(&world.carrier.socket), Arc::clone(&world.calls));
        std::thread::spawn(move || {
            let (mut sequence, mut first_after) = (TO_THE_KERNEL, None);
            while !enough.load(Ordering::Acquire) {
                if moved.load(Ordering::Acquire) {
                    first_after.get_or_insert(sequence);
                }
                let to = calls.iter().map(|c| c.a);
                round(&socket, to, calls.len(), sequence, Duration::from_millis(50));
                sequence += 1;
            }
            (first_after.expect("the move was made"), sequence)
        })
    };
    world.tier.wait_for(n * (u64::from(TO_THE_KERNEL) + 2));
    let begun = Instant::now();
    for call in 0..calls {
        let session = session(call);
        let command = RelayCommand::Retarget { session, leg: Leg::B, region: NEW, to: Some(to) };
        if world.relay.send(command.clone()).is_err() {
            world.heeded();
            world.relay.send(command).expect("there is room");
        }
    }
    world.heeded();
    let done = Instant::now();
    moved.store(true, Ordering::Release);
    other.wait_for(n * 3);
    enough.store(true, Ordering::Release);
    let (first_after, end) = talker.join().expect("it does not panic");
    let said = n * u64::from(end - TO_THE_KERNEL);
    other.wait_for(n * u64::from(end) - world.tier.count());

    let old = world.tier.take();
    let last = old.values().flatten().map(|heard| heard.at).max().expect("something came before");
    eprintln!(
        "{calls} calls moved one by one: done after {:?}, the last packet at the old place after {:?}",
        done - begun,
        last.saturating_duration_since(begun)
    );
    let late = old.values().flatten().filter(|heard| heard.sequence >= first_after).count();
    assert_eq!(late, 0, "packets that were sent after the move was made and went to the old place");
    let mut both = old;
    for (port, packets) in other.take() {
        both.entry(port).or_default().extend(packets);
    }
    assert_eq!(both.values().map(|p| p.len() as u64).sum::<u64>(), said, "every packet came to one of them");
    unbroken(&both, calls);
    let after = world.counted(before.packets + said);
    assert_eq!(after.packets - after.offloaded, before.packets - before.offloaded, "none by the sockets");
    let fast = world.engine.counters().fast;
    assert_eq!((fast.installed, fast.changed, fast.declined), (2 * n, n, Default::default()));
    assert_eq!(after.recalled[Recall::Retarget as usize], n);

    // The new place answers: the carrier hears one line, and one packet of each call went by the sockets.
    for sequence in 0..5 {
        let heard = world.carrier.count();
        let to = world.calls.iter().map(|c| c.b);
        // As others than the old place's.
        for (call, to) in to.enumerate() {
            other.socket.send_to(&packet(1_000_000 + call as u32, 7 * sequence), to).expect("it is sent");
            if call % 16 == 0 {
                std::thread::sleep(Duration::from_micros(500));
            }
        }
        world.carrier.wait_for(heard + n);
        if sequence == 0 {
            world.in_the_kernel(2 * n);
        }
    }
    let heard = world.carrier.take();
    assert_eq!(heard.len(), calls);
    for (port, packets) in &heard {
        let numbers: Vec<u16> = packets.iter().map(|p| p.sequence).collect();
        let first = TO_THE_KERNEL;
        assert_eq!(numbers, [0, 7, 14, 21, 28].map(|ahead| first + ahead), "from {port}");
        assert!(packets.iter().all(|p| p.ssrc <= n as u32), "under the old name: {packets:?}");
    }
    let end = world.counted(after.packets + 5 * n);
    assert_eq!(end.packets - end.offloaded, after.packets - after.offloaded + n, "one packet of each");
    assert_eq!((end.resumed, end.drops), (n, Default::default()));
}

#[test]
fn calls_that_move_at_once_lose_nothing_and_leave_nothing_behind() {
    let calls = std::env::var("SWITCH_CALLS").ok().and_then(|n| n.parse().ok());
    move_all(calls.unwrap_or(1_000));
}

#[test]
fn the_doors_of_a_region_that_is_lost_are_shut_at_once() {
    let Some(mut world) = World::new(100) else { return };
    let n = world.calls.len() as u64;
    for sequence in TO_THE_KERNEL..40 {
        world.talk(sequence);
    }
    // Not a word from anybody, until it is noticed. A slow machine may have taken a pause for silence before.
    let (mut silent, until) = (false, Instant::now() + PATIENCE);
    let mut quiet = Instant::now();
    while !silent || quiet.elapsed() < Duration::from_millis(300) {
        match world.events.pop_front().or_else(|| world.relay.recv()) {
            Some(RelayEvent::RegionSilent { region: OLD, .. }) => (silent, quiet) = (true, Instant::now()),
            Some(RelayEvent::RegionHeard { .. }) => silent = false,
            _ => std::thread::sleep(Duration::from_millis(1)),
        }
        assert!(Instant::now() < until, "nobody has noticed");
    }
    let before = world.in_the_kernel(2 * n);
    world.send(RelayCommand::Bridge { session: session(0), leg: Leg::B, fill: None });
    world.heeded();
    // One word was enough: what thaws is heard by the core alone, be it of a call of which nothing was said yet.
    for call in [1, 2, 3] {
        let heard = world.carrier.count();
        world.tier.socket.send_to(&packet(call as u32 + 1, 40), world.calls[call].b).expect("it is sent");
        world.carrier.wait_for(heard + 1);
    }
    let after = world.counted(before.packets + 3);
    assert_eq!((after.offloaded, after.packets), (before.offloaded, before.packets + 3));
    // What goes there is nobody's care.
    world.carrier.socket.send_to(&packet(1, 40), world.calls[0].a).expect("it is sent");
    assert_eq!(world.counted(before.packets + 4).offloaded, before.offloaded + 1);
}
