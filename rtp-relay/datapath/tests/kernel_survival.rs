//! The daemon is killed and started again, and whoever speaks through the kernel does not hear it.
//!
//! Needs root, `ip`, `ethtool`, `mount` and `unshare`; says so and does nothing where it may not.

#[path = "xdp/net.rs"]
#[allow(dead_code, reason = "every test file compiles this module and uses a part of it")]
mod net;
#[path = "xdp/survivors.rs"]
mod survivors;

use datapath::xdp::Rung;
use datapath::{DatapathChoice, EngineCounters, Orphaned};
use relay_values::Duration;
use std::fs;
use std::time::Instant;
use survivors::{Engines, Holder, PATIENCE, Pinned, Talk, hold_if_asked};

/// The other process: this test binary, told by its environment what to hold.
#[test]
fn a_holder_holds_calls_until_it_is_killed() {
    if hold_if_asked() {
        return;
    }
    let Some(world) = Engines::new("holder", DatapathChoice::Auto) else { return };
    let mut holder = Holder::start(&world, 3);
    let mut talk = Talk::between(&world, &holder.ports);
    talk.until(|| holder.says_carried());
    assert_eq!(talk.lost(), 0);
    holder.stop();
    assert_eq!(Pinned::count(&world.pins), 0, "a clean end leaves nothing");
}

fn survives(name: &str, rung: Rung, choice: DatapathChoice) {
    const CALLS: usize = 40;
    let Some(world) = Engines::new(name, choice) else { return };
    let opposite = world.stand_opposite(rung);
    let mut holder = Holder::start(&world, CALLS);
    let mut talk = Talk::between(&world, &holder.ports);
    talk.until(|| holder.says_carried());
    assert_eq!(talk.lost(), 0, "before anything happens");
    holder.kill();
    // A process is dead for as long as it takes to start another.
    talk.some(25);
    let mut second = Holder::start(&world, 0);
    let survival = second.survival();
    assert!(
        survival.ends_with("the tables of an earlier run are adopted, 80 flows of 40 calls"),
        "{survival}"
    );
    talk.some(25);
    second.kill();
    // The third does not find the program that it has itself: another version may have stood there.
    for entry in ["program-xdp", "program-tcx"] {
        fs::remove_file(world.pins.join("relay").join(entry)).expect("it is there");
    }
    talk.some(5);
    let mut engine = world.start();
    let survival = engine.standing().survival.expect("it has something to say of it");
    assert!(survival.contains("adopted, its program is replaced, 80 flows of 40 calls"), "{survival}");
    assert!(engine.standing().kernel[0].contains("(since an earlier run)"), "{}", engine.standing());
    talk.some(50);
    assert_eq!((talk.lost(), talk.late()), (0, 0), "a packet was lost or overtaken by the restart");
    assert_eq!(engine.counters().orphaned, Orphaned { adopted: CALLS as u64, ended: 0 });

    // Their ports are nobody else's.
    let ports = engine.counters().relay.ports;
    assert_eq!(ports.withheld, 2 * CALLS as u64);
    let (a, b) = engine.open();
    assert!(holder.ports.iter().all(|&(theirs, its)| theirs != a && its != b), "{a} {b}");
    talk.some(10);
    assert_eq!(talk.lost(), 0);

    // Of some calls one side speaks on, of the others nobody: all end, and the ports come back after a rest.
    let ended = |c: &EngineCounters| c.orphaned.ended;
    let began = Instant::now();
    while ended(&engine.counters()) < CALLS as u64 {
        assert!(began.elapsed() < PATIENCE, "{:?}", engine.counters().orphaned);
        talk.only(|call, _| call % 2 == 0 && call < 10, |side| side == 0);
    }
    // What has rested is free when the next call looks for a port; that one's own two are all that rest then.
    let quiet = Instant::now();
    while engine.counters().relay.ports.withheld > 0 || engine.counters().relay.ports.resting != 2 {
        assert!(quiet.elapsed() < PATIENCE, "{:?}", engine.counters().relay.ports);
        engine.poke();
        std::thread::sleep(std::time::Duration::from_millis(1200));
    }
    drop((engine, opposite));
    assert_eq!(Pinned::count(&world.pins), 0, "a clean end leaves nothing");
}

#[test]
fn a_restart_under_load_loses_nothing_at_the_traffic_control_hook() {
    survives("tcx", Rung::Tcx, DatapathChoice::Auto);
}

#[test]
fn a_restart_under_load_loses_nothing_in_native_xdp() {
    survives("native", Rung::NativeXdp, DatapathChoice::By(Rung::NativeXdp));
}

#[test]
fn an_unknown_layout_is_replaced_and_never_guessed() {
    let Some(world) = Engines::new("layout", DatapathChoice::Auto) else { return };
    let mut holder = Holder::start(&world, 2);
    let mut talk = Talk::between(&world, &holder.ports);
    talk.until(|| holder.says_carried());
    holder.kill();
    Pinned::of(&world.pins, "setup").set_version(99);
    let engine = world.start();
    let survival = engine.standing().survival.expect("it has something to say of it");
    assert!(survival.contains("replaced: its layout has version 99, this one "), "{survival}");
    assert_eq!(engine.counters().orphaned, Orphaned::default());
    let heard = talk.heard();
    talk.some(10);
    assert_eq!(talk.heard(), heard, "nobody forwards what nobody watches");
    drop(engine);
    assert_eq!(Pinned::count(&world.pins), 0);
}

#[test]
fn tables_for_other_addresses_or_another_number_of_calls_are_replaced() {
    let Some(mut world) = Engines::new("other", DatapathChoice::Auto) else { return };
    let mut holder = Holder::start(&world, 2);
    let mut talk = Talk::between(&world, &holder.ports);
    talk.until(|| holder.says_carried());
    holder.kill();
    world.max_sessions += 1;
    let mut holder = Holder::start(&world, 0);
    let survival = holder.survival();
    assert!(survival.contains("replaced: table flows has "), "{survival}");
    holder.kill();
    world.addresses.reverse();
    let survival = world.start().standing().survival.expect("it has something to say of it");
    assert!(survival.contains("replaced: the media addresses are others"), "{survival}");
}

#[test]
fn the_sockets_alone_take_away_what_an_earlier_run_has_left() {
    let Some(mut world) = Engines::new("sockets", DatapathChoice::Auto) else { return };
    let mut holder = Holder::start(&world, 1);
    holder.kill();
    assert!(Pinned::count(&world.pins) > 9);
    world.choice = DatapathChoice::Sockets;
    let standing = world.start().standing();
    assert_eq!(standing.survival.as_deref(), Some("what an earlier run had left is taken away"));
    assert_eq!(Pinned::count(&world.pins), 0);
}

#[test]
fn an_operator_can_take_it_away_but_not_from_under_a_process() {
    let Some(world) = Engines::new("detach", DatapathChoice::Auto) else { return };
    let mut holder = Holder::start(&world, 1);
    let why = datapath::xdp::detach(&world.pins).expect_err("somebody uses it");
    assert!(why.contains("another process has it"), "{why}");
    let beside = world.start().standing().survival.expect("it has something to say of it");
    assert!(beside.contains("not pinned") && beside.contains("another process has it"), "{beside}");
    holder.kill();
    let taken = datapath::xdp::detach(&world.pins).expect("nobody uses it");
    assert_eq!(taken, 7 + 2 + 2, "tables, programs, links");
    assert_eq!(Pinned::count(&world.pins), 0);
    assert_eq!(datapath::xdp::detach(&world.pins), Ok(0));
}

#[test]
fn where_nothing_can_be_pinned_the_reason_is_said() {
    let Some(mut world) = Engines::new("nowhere", DatapathChoice::Auto) else { return };
    let file = world.pins.with_extension("file");
    fs::write(&file, "").expect("it can be written");
    world.pins = file.join("bpf");
    let survival = world.start().standing().survival.expect("it has something to say of it");
    fs::remove_file(&file).expect("it is there");
    assert!(survival.starts_with("not pinned, the kernel's flows end with the process: "), "{survival}");
    assert!(survival.contains("Not a directory"), "{survival}");
    assert_eq!(world.inactivity, Duration::from_secs(1));
}

#[test]
fn calls_for_which_the_table_has_no_room_go_by_the_sockets() {
    let Some(mut world) = Engines::new("full", DatapathChoice::Auto) else { return };
    world.max_sessions = 2;
    world.inactivity = Duration::from_secs(60);
    // Calls of an earlier run have all the room.
    let mut holder = Holder::start(&world, 2);
    let mut theirs = Talk::between(&world, &holder.ports);
    theirs.until(|| holder.says_carried());
    holder.kill();
    let mut engine = world.start();
    assert_eq!(engine.counters().orphaned.adopted, 2);
    // Their phones are where those of the next call would be.
    drop(theirs);
    let mut talk = engine.call(&world);
    talk.some(60);
    assert_eq!(talk.lost(), 0);
    let counters = engine.counters();
    assert_eq!((counters.kernel_flows, counters.relay.offloaded), (0, 0));
}

#[test]
fn a_kernel_without_type_information_of_its_own_carries_media_as_well() {
    let Some(world) = Engines::new("btf", DatapathChoice::Auto) else { return };
    let hide = "{ [ ! -d /sys/kernel/btf ] || mount -t tmpfs none /sys/kernel/btf; }";
    let mut holder = Holder::start_after(hide, &world, 1);
    let mut talk = Talk::between(&world, &holder.ports);
    talk.until(|| holder.says_carried());
    assert_eq!(talk.lost(), 0);
}
