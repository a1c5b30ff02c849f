//! What is measured of a session while it lives.

mod common;

use common::{ALICE, BOB, Shell, at, config, connect, open, rtp};
use relay_core::{FlowState, Offload, RelayConfig, Verdict};
use relay_values::{Carrier, Connect, Direction, Duration, Hearing, Leg, Measured, RelayCommand, SessionId};

const SESSION: SessionId = SessionId::new(0, 1);

/// A packet of Alice's, 20 ms after the last one.
fn says(shell: &mut Shell, a_port: u16, number: u16) {
    shell.now += Duration::from_millis(20);
    let port = shell.bound[&at(&format!("{}:{a_port}", common::V4))];
    let mut bytes = rtp(0xa, number, u32::from(number) * 160);
    let verdict = shell.relay.packet(shell.now, port, at(ALICE), &mut bytes);
    assert!(matches!(verdict, Verdict::Forward { .. }), "{verdict:?}");
}

fn measured(shell: &Shell) -> Measured {
    shell.relay.measure(shell.now, SESSION).unwrap()
}

fn hearing(shell: &Shell, leg: Leg) -> Hearing {
    measured(shell).incoming(leg).hearing(shell.now)
}

#[test]
fn a_leg_is_unconnected_then_unheard_then_flows_then_is_silent_and_held() {
    let mut shell = Shell::new(config(10_000..=10_099));
    let (a_port, _) = shell.open(open(1)).unwrap();
    assert_eq!(
        (hearing(&shell, Leg::A), hearing(&shell, Leg::B)),
        (Hearing::Unconnected, Hearing::Unconnected)
    );
    shell.connect(SESSION, Leg::A, connect(ALICE));
    shell.connect(SESSION, Leg::B, connect(BOB));
    assert_eq!((hearing(&shell, Leg::A), hearing(&shell, Leg::B)), (Hearing::Unheard, Hearing::Unheard));
    says(&mut shell, a_port, 1);
    assert_eq!((hearing(&shell, Leg::A), hearing(&shell, Leg::B)), (Hearing::Flowing, Hearing::Unheard));
    let incoming = *measured(&shell).incoming(Leg::A);
    assert_eq!((incoming.from, incoming.last), (Some(at(ALICE)), Some(shell.now)));
    shell.pass(Duration::from_millis(999));
    assert_eq!(hearing(&shell, Leg::A), Hearing::Flowing);
    shell.pass(Duration::from_millis(1));
    assert_eq!(hearing(&shell, Leg::A), Hearing::Silent);
    shell.connect(SESSION, Leg::A, Connect { direction: Direction::SendOnly, ..connect(ALICE) });
    assert_eq!(hearing(&shell, Leg::A), Hearing::Held);
}

#[test]
fn it_counts_up_while_the_call_lives_and_ends_where_the_release_does() {
    let mut shell = Shell::new(config(10_000..=10_099));
    let (a_port, _) = shell.call(open(1), connect(ALICE), connect(BOB));
    let mut before = 0;
    // Every fifth packet is lost on the way to us.
    for number in (1..=50).filter(|number| number % 5 != 0) {
        says(&mut shell, a_port, number);
        let now = measured(&shell);
        assert_eq!(now.stats.from_a.packets, before + 1);
        assert_eq!(now.at, shell.now);
        before = now.stats.from_a.packets;
    }
    let last = measured(&shell).stats;
    assert_eq!((last.from_a.packets, last.from_a.lost), (40, 9), "the fiftieth is not missed yet");
    assert_eq!(last, measured(&shell).stats, "to be asked changes nothing");
    assert_eq!(shell.release(SESSION), last);
    assert_eq!(shell.relay.measure(shell.now, SESSION), None);
}

#[test]
fn what_a_fast_path_has_carried_is_in_it_and_the_flow_stays_there() {
    let mut shell = Shell::new(RelayConfig { offload_after: Some(4), ..config(10_000..=10_099) });
    let (a_port, _) = shell.call(open(1), connect(ALICE), connect(BOB));
    for number in 1..=4 {
        assert_eq!(measured(&shell).a.carrier, Carrier::Sockets);
        says(&mut shell, a_port, number);
    }
    let Some(Offload::Install(flow)) = shell.relay.poll_offload() else { panic!("it was not offered") };
    assert_eq!((measured(&shell).a.carrier, measured(&shell).b.carrier), (Carrier::Kernel, Carrier::Sockets));
    shell.now += Duration::from_secs(2);
    assert_eq!(hearing(&shell, Leg::A), Hearing::Silent, "nobody has told what it carries");
    let state = FlowState {
        packets: 100,
        bytes: 17_200,
        newest: flow.state.newest + 102,
        newest_timestamp: flow.state.newest_timestamp + 102 * 160,
        last_timestamp: flow.state.newest_timestamp + 102 * 160,
        last: shell.now,
        newest_at: shell.now,
        ..flow.state
    };
    for port in shell.relay.carried_in(SESSION).into_iter().flatten() {
        assert_eq!(port, flow.at);
        shell.relay.absorb(shell.now, port, &state);
    }
    let now = measured(&shell);
    assert_eq!((now.stats.from_a.packets, now.stats.from_a.lost), (104, 2));
    assert_eq!((now.a.carrier, hearing(&shell, Leg::A)), (Carrier::Kernel, Hearing::Flowing));
    assert_eq!(shell.relay.poll_offload(), None, "it is not taken back");
}

#[test]
fn a_leg_whose_peer_is_taken_for_lost_is_bridged() {
    let mut shell = Shell::new(config(10_000..=10_099));
    let (a_port, _) = shell.call(open(1), connect(ALICE), connect(BOB));
    says(&mut shell, a_port, 1);
    shell.command(RelayCommand::Bridge { session: SESSION, leg: Leg::B, fill: None });
    assert_eq!((measured(&shell).a.bridged, measured(&shell).b.bridged), (false, true));
}
