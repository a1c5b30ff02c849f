//! Whatever becomes of the kernel engine, its interfaces and the ways of its flows: packets go on by the sockets.
//!
//! Needs root, `ip`, `ethtool` and `unshare`; says so and does nothing where it may not.

#[path = "xdp/net.rs"]
#[allow(dead_code, reason = "every test file compiles this module and uses a part of it")]
mod net;
#[path = "xdp/survivors.rs"]
mod survivors;

use datapath::DatapathChoice;
use datapath::xdp::{Passed, Rung};
use net::{Host, RELAY_T, TIER};
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};
use std::time::Instant;
use survivors::{Engines, PATIENCE, Running, Talk};

const AUTO: DatapathChoice = DatapathChoice::Auto;

/// Talk until the kernel carries the call, and see that it does.
fn carried(talk: &mut Talk, engine: &Running) {
    talk.until(|| engine.is_carried());
    let before = engine.counters().relay.offloaded;
    talk.some(15);
    talk.until(|| engine.counters().relay.offloaded >= before + 20);
}

fn stands(engine: &Running, how: &str) -> bool {
    engine.standing().kernel.iter().filter(|line| line.contains(how)).count() == 2
}

fn soon(what: &str, mut is: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn an_interface_that_is_deleted_and_comes_back_has_the_program_again() {
    let Some(world) = Engines::new("back", AUTO) else { return };
    let mut engine = world.start();
    let mut talk = engine.call(&world);
    carried(&mut talk, &engine);
    world.net.relay.ip("link del rt");
    soon("it is noticed that the interface is gone", || engine.standing().kernel.len() == 1);
    let why = engine.standing().sockets.join("; ");
    assert!(why.contains("198.51.100.1 is on no interface that is up"), "{why}");
    // Towards the carrier nothing has changed; what comes from it has nowhere to go.
    world.net.relay.link("rt", RELAY_T, &world.net.tier, "t0", TIER);
    world.net.relay.address("rt", "198.51.100.1/24");
    world.net.tier.address("t0", "198.51.100.50/24");
    soon("the program stands there again", || stands(&engine, "by tcx"));
    let lost = talk.lost();
    carried(&mut talk, &engine);
    assert_eq!(talk.lost(), lost, "nothing is lost any more");
}

#[test]
fn a_link_that_goes_down_and_up_carries_on() {
    let Some(world) = Engines::new("down", AUTO) else { return };
    let mut engine = world.start();
    let mut talk = engine.call(&world);
    carried(&mut talk, &engine);
    world.net.relay.ip("link set rt down");
    talk.only(|_, _| true, |side| side == 0);
    talk.only(|_, _| true, |side| side == 0);
    world.net.relay.ip("link set rt up");
    soon("both interfaces are known", || stands(&engine, "by tcx"));
    let lost = talk.lost();
    carried(&mut talk, &engine);
    assert_eq!(talk.lost(), lost, "nothing is lost any more");
}

#[test]
fn a_route_that_changes_in_the_middle_of_a_call_is_followed_and_nothing_is_lost() {
    let Some(world) = Engines::new("route", AUTO) else { return };
    let link = |host: &Host, name, ip| host.address(name, ip);
    world.net.relay.link("rx", "02:00:00:00:03:01", &world.net.tier, "x0", "02:00:00:00:03:02");
    link(&world.net.relay, "rx", "203.0.113.1/24");
    link(&world.net.tier, "x0", "203.0.113.2/24");
    let mut engine = world.start();
    let mut talk = engine.call(&world);
    carried(&mut talk, &engine);
    // By an interface that the program does not stand before: the sockets' way.
    world.net.relay.ip("route add 198.51.100.50/32 via 203.0.113.2 dev rx");
    talk.some(20);
    let passed = engine.counters().passed[Passed::NextHop as usize];
    assert!(passed > 0, "what the program cannot send is left to the sockets");
    talk.some(50);
    assert_eq!(talk.lost(), 0, "going there");
    world.net.relay.ip("route del 198.51.100.50/32");
    carried(&mut talk, &engine);
    assert_eq!(talk.lost(), 0, "and coming back");
}

#[test]
fn a_neighbour_that_is_not_there_is_looked_for_and_found() {
    let Some(world) = Engines::new("neighbour", AUTO) else { return };
    let mut engine = world.start();
    let mut talk = engine.call(&world);
    carried(&mut talk, &engine);
    world.net.relay.ip("neigh replace 198.51.100.50 dev rt nud failed");
    talk.some(10);
    carried(&mut talk, &engine);
    // The first packets wait for the answer to the stack's question, which keeps some.
    assert_eq!(talk.lost(), 0);
}

#[test]
fn packets_that_are_longer_than_the_link_takes_go_in_pieces() {
    let Some(world) = Engines::new("mtu", AUTO) else { return };
    let mut engine = world.start();
    let mut talk = engine.call(&world);
    carried(&mut talk, &engine);
    world.net.relay.ip("link set rt mtu 150");
    // A veth takes no longer frames than it sends: the tier's would be dropped before anybody sees them.
    for _ in 0..40 {
        talk.only(|_, _| true, |side| side == 0);
    }
    assert!(engine.counters().passed[Passed::Mtu as usize] > 0, "{:?}", engine.counters().passed);
    assert_eq!(talk.lost(), 0);
    world.net.relay.ip("link set rt mtu 1500");
    carried(&mut talk, &engine);
    assert_eq!(talk.lost(), 0);
}

/// A thread that may not do one thing, nor everything.
fn without(capability: CapabilitySet) {
    let CapabilitySets { mut effective, mut permitted, .. } = capabilities(None).expect("they can be read");
    for gone in [capability, CapabilitySet::SYS_ADMIN] {
        effective.remove(gone);
        permitted.remove(gone);
    }
    let inheritable = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective, permitted, inheritable })
        .expect("less is always allowed");
}

#[test]
fn the_capability_that_is_missing_is_named_and_media_goes_by_the_sockets() {
    for (capability, name) in [
        (CapabilitySet::BPF, "CAP_BPF"),
        (CapabilitySet::PERFMON, "CAP_PERFMON"),
        (CapabilitySet::NET_ADMIN, "CAP_NET_ADMIN"),
    ] {
        let Some(world) = Engines::new(name, AUTO) else { return };
        let mut engine = world.start_after(move || without(capability));
        let why = engine.standing().sockets.join("; ");
        assert!(why.contains(&format!("does not let us load programs: {name} is missing")), "{why}");
        assert!(engine.standing().kernel.is_empty());
        let mut talk = engine.call(&world);
        talk.some(30);
        assert_eq!(talk.lost(), 0);
    }
}

#[test]
fn a_driver_without_xdp_is_told_as_such() {
    let Some(mut world) = Engines::new("dummy", DatapathChoice::By(Rung::NativeXdp)) else { return };
    world.net.relay.ip("link add d0 type bridge");
    world.net.relay.ip("link set d0 up");
    world.net.relay.address("d0", "203.0.113.1/24");
    world.addresses = vec!["203.0.113.1".parse().expect("an address")];
    let standing = world.start().standing();
    assert!(standing.kernel.is_empty(), "{standing}");
    assert!(standing.to_string().contains("xdp_native: the driver of d0 has no XDP"), "{standing}");
}

#[test]
fn native_xdp_stands_between_two_drivers_as_long_as_both_take_each_others_frames() {
    let Some(world) = Engines::new("drivers", DatapathChoice::By(Rung::NativeXdp)) else { return };
    let mut engine = world.start();
    let mut talk = engine.call(&world);
    // A veth takes frames of XDP only if the other end has a program or GRO.
    let standing = engine.standing();
    assert!(standing.kernel.is_empty(), "{standing}");
    let why = "xdp_native: the driver of rc takes no frames that XDP sends it";
    assert!(standing.to_string().contains(why), "{standing}");
    talk.some(30);
    assert_eq!(engine.counters().kernel_flows, 0);
    let opposite = world.stand_opposite(Rung::NativeXdp);
    soon("both have changed", || stands(&engine, "by xdp_native"));
    let lost = talk.lost();
    carried(&mut talk, &engine);
    drop(opposite);
    soon("one has changed back", || engine.standing().kernel.is_empty());
    talk.some(10);
    let gone = talk.lost();
    talk.some(30);
    assert_eq!((lost, talk.lost()), (0, gone), "the sockets carry it");
}
