//! Ways in a network of our own. Needs root and `ip`; says so and does nothing where it may not.

use super::{NoWay, QUESTIONS_PER_TURN, WayId, Ways};
use crate::xdp::{LoadError, NextHopId, Program, Setup};
use relay_values::Time;
use std::net::IpAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

const OURS: &str = "192.0.2.1";

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().expect("ip runs");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// A peer behind the gateway.
fn peer(n: u32) -> IpAddr {
    IpAddr::from([203, 0, 113, n as u8])
}

fn index(interface: &str) -> u32 {
    let output = Command::new("ip").args(["-o", "link", "show", interface]).output().expect("ip runs");
    let text = String::from_utf8(output.stdout).expect("ip speaks UTF-8");
    text.split(':').next().and_then(|n| n.parse().ok()).expect("an interface has an index")
}

/// Do it in a network namespace with two gateways to the same peers, if we may.
fn with(story: impl FnOnce(Ways) + Send + 'static) {
    let setup = Setup { locals: vec![address(OURS)], dscp: 0, hop_limit: 64, epoch: Instant::now() };
    let program = match Program::load(&setup, 64) {
        Ok(program) => program,
        Err(why @ LoadError::Permission(..)) => return eprintln!("not run: {why}"),
        Err(why) => panic!("{why}"),
    };
    let thread = std::thread::spawn(move || {
        // SAFETY: a new network namespace takes nothing away that this thread holds.
        unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }.expect("root may");
        ip("link add d0 type veth peer name d1");
        ip("link set d1 up");
        ip("link set d0 up");
        ip(&format!("address add {OURS}/24 dev d0"));
        for gateway in [253, 254] {
            ip(&format!(
                "neigh add 192.0.2.{gateway} lladdr 02:00:00:00:00:{gateway:x} dev d0 nud permanent"
            ));
        }
        ip("route add 203.0.113.0/24 via 192.0.2.254");
        let ways = Ways::new(program.tables(), vec![index("d0")]).expect("netlink is there");
        story(ways);
    });
    thread.join().expect("the story holds");
}

/// Ways for so many peers, with as many turns as it takes.
fn take_all(ways: &mut Ways, peers: u32) -> Vec<(WayId, NextHopId)> {
    let all = (0..peers).map(|n| {
        loop {
            match ways.take((address(OURS), peer(n))) {
                Ok(taken) => return taken,
                Err(NoWay::Unasked) => ways.turn(),
                Err(why) => panic!("{n}: {why:?}"),
            }
        }
    });
    all.collect()
}

/// All that has to be asked is asked.
fn settle(ways: &mut Ways) -> bool {
    let mut moved = false;
    ways.look_again();
    while ways.next(Time::ZERO) == Time::ZERO {
        ways.turn();
        moved |= ways.has_moved();
    }
    moved
}

#[test]
fn many_peers_behind_one_gateway_take_one_next_hop_and_follow_their_route() {
    with(|mut ways| {
        let taken = take_all(&mut ways, 200);
        let first = taken[0].1;
        assert!(taken.iter().all(|(_, hop)| *hop == first), "one entry for all of them");
        assert!(!ways.has_moved());

        // The route to them changes: all are led to the other gateway.
        ip("route replace 203.0.113.0/24 via 192.0.2.253");
        assert!(settle(&mut ways));
        let now: Vec<_> = taken.iter().map(|(way, _)| ways.hop(*way).expect("there is a way")).collect();
        assert!(now.iter().all(|hop| *hop == now[0] && *hop != first));

        // A gateway that changes its card moves nobody: its entry is another.
        ip("neigh replace 192.0.2.253 lladdr 02:00:00:00:00:77 dev d0 nud permanent");
        assert!(!settle(&mut ways));

        // There is no route any more: nobody has an entry, until there is one again.
        ip("route del 203.0.113.0/24");
        assert!(settle(&mut ways));
        assert!(taken.iter().all(|(way, _)| ways.hop(*way).is_none()));
        assert_eq!(ways.take((address(OURS), peer(0))), Err(NoWay::Unknown));
        ip("route add 203.0.113.0/24 via 192.0.2.254");
        assert!(settle(&mut ways));
        assert!(taken.iter().all(|(way, _)| ways.hop(*way).is_some()));
    });
}

#[test]
fn a_burst_of_new_peers_is_asked_for_bit_by_bit_and_a_known_one_never_again() {
    with(|mut ways| {
        let ends = |n| (address(OURS), peer(n));
        let found = (0..100).take_while(|n| ways.take(ends(*n)).is_ok()).count() as u32;
        assert!((QUESTIONS_PER_TURN / 2..=QUESTIONS_PER_TURN).contains(&found), "{found}");
        assert_eq!(ways.take(ends(found)), Err(NoWay::Unasked));
        // Without a question: those that are known, and those that were.
        let (way, hop) = ways.take(ends(0)).expect("it is known");
        ways.leave(way);
        ways.leave(way);
        assert_eq!(ways.take(ends(0)), Ok((way, hop)));
        ways.turn();
        assert!(ways.take(ends(found)).is_ok());
    });
}

#[test]
fn a_way_by_an_interface_where_the_program_does_not_stand_is_none() {
    with(|mut ways| {
        ways.stand(Vec::new());
        assert_eq!(ways.take((address(OURS), peer(0))), Err(NoWay::Unknown));
        ways.stand(vec![index("d0")]);
        settle(&mut ways);
        assert!(ways.take((address(OURS), peer(0))).is_ok());
    });
}

#[test]
fn next_hops_that_nobody_takes_are_given_back() {
    with(|mut ways| {
        let tables = Arc::clone(&ways.tables);
        let taken = take_all(&mut ways, 10);
        taken.iter().for_each(|(way, _)| ways.leave(*way));
        drop(ways);
        let hops = std::iter::from_fn(|| tables.reserve_next_hop()).count();
        assert_eq!(hops, crate::xdp::MAX_NEXT_HOPS - 1);
    });
}
