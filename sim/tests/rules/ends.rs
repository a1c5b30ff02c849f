//! What is left when all is over.

use super::*;
use bytes::Bytes;
use proxy_core::{CloseReason, Direction, Input, Shard};
use relay_values::{Latching, Leg, LegSpec, Open, RegionId, RelayCommand, SessionId};
use sim::Rng;
use sim::agent::{Caller, Out, Side};

/// A record that no rule minds, of the call that [`Tap::answered`] has.
pub(crate) fn record() -> CallRecord {
    CallRecord {
        id: 1,
        direction: Direction::Inbound,
        a_call_id: "callCarrier1".into(),
        b_call_id: "ourcall1".into(),
        calling: "+4989000000".into(),
        called: "+4930000000".into(),
        source: address(CARRIER),
        trunk: "alpha".into(),
        site: "main".into(),
        generation: 1,
        started: Time::from_millis(1000),
        ringing: None,
        answered: Some(Time::from_millis(1010)),
        ended: Time::from_millis(2000),
        code: 200,
        close: CloseReason::ByeFromA,
        reject: None,
        steps: vec![],
        moves: vec![],
        stir: proxy_core::StirRecord::default(),
        media: None,
    }
}

/// An edge with a leg that is up, and the INVITE that it sent for it.
fn edge() -> (Agent, Bytes) {
    let at = (address(EDGE), "172.20.101.1".parse().expect("an address"));
    let ours = address("192.0.2.1:5060");
    let mut agent = Agent::new("east-1", Side::Tier, at, ours, &Setup::quiet(1), Rng::new(1));
    agent.call(Time::ZERO, 0, &Caller::default());
    let sent = agent.out.iter().find_map(|out| match out {
        Out::Sip(bytes) | Out::Answer(bytes) => Some(bytes.clone()),
        Out::Rtp(..) | Out::Wake(..) => None,
    });
    let invite = sent.expect("an INVITE");
    let text = String::from_utf8_lossy(&invite).into_owned();
    let lines = |name: &str| text.lines().filter(|l| l.starts_with(name)).collect::<Vec<_>>().join("\r\n");
    let ok = format!(
        "SIP/2.0 200 OK\r\n{}\r\n{}\r\n{};tag=ourtag2\r\n{}\r\n{}\r\nContact: <sip:192.0.2.1:5060>\r\n\
         Content-Length: 0\r\n\r\n",
        lines("Via:"),
        lines("From:"),
        lines("To:"),
        lines("Call-ID:"),
        lines("CSeq:"),
    );
    agent.hear_sip(Time::from_millis(10), &mut Book::default(), &ok.into_bytes().into());
    (agent, invite)
}

#[test]
fn a_peer_that_still_waits() {
    let mut tap = Tap::new();
    tap.at_end(&[edge().0], &[]);
    assert_eq!(tap.broken(), ["peers"]);
}

#[test]
fn a_leg_that_was_left_behind() {
    let mut tap = Tap::new();
    let agents = [edge().0];
    tap.0.look(Time::from_millis(1000), &agents);
    assert!(tap.broken().is_empty(), "its BYE may be on its way");
    tap.0.look(Time::from_millis(14_000), &agents);
    assert_eq!(tap.broken(), ["zombies"]);
}

#[test]
fn a_packet_of_another_call_and_a_report_of_another_stream() {
    let mut agent = edge().0;
    agent.legs[0].stage = sim::agent::Stage::Over;
    agent.legs[0].ear.foreign = 1;
    agent.legs[0].ear.wrong_reports.push("of somebody else".into());
    let mut tap = Tap::new();
    tap.at_end(&[agent], &[]);
    assert_eq!(tap.broken(), ["reports", "media"]);
}

#[test]
fn a_call_without_a_record_and_one_with_two() {
    for (records, broken) in [(vec![], 1), (vec![record()], 0), (vec![record(), record()], 2)] {
        let mut tap = Tap::new();
        tap.received(1000, CARRIER, CARRIERS_INVITE);
        tap.at_end(&[], &records);
        assert_eq!(tap.broken(), vec!["records"; broken]);
    }
}

#[test]
fn a_shard_that_holds_a_call_and_a_relay_that_holds_a_session() {
    let setup = Setup::quiet(1);
    let first = Arc::new(Snapshot::first(Arc::new(setup.config())));
    let mut shard = Shard::new(0, 1, Time::ZERO, first);
    let from = setup.config().targets[0].peer;
    shard.handle(Time::from_millis(1), Input::Message { from, bytes: edge().1 });
    while shard.poll_output().is_some() {}
    let mut relay = Relay::new(&setup.relay(), 1);
    let leg = LegSpec { local: "192.0.2.2".parse().expect("an address"), latching: Latching::Exact };
    let open = Open {
        session: SessionId(1),
        a: leg,
        b: leg,
        region: RegionId(0),
        tier_leg: Leg::B,
        inactivity: None,
    };
    relay.command(Time::ZERO, RelayCommand::Open(open));
    let mut tap = Tap::new();
    tap.0.at_end(Time::from_millis(60_000), &[shard], &relay, &[], &[], &Book::default());
    assert_eq!(tap.broken(), ["leaks", "leaks"]);
}
