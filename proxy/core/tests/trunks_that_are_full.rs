//! An outbound call goes to a trunk that has room for it.

mod common;

use common::carriers::{FIRST, SECOND, from_edge, invites, two_trunks};
use common::{EAST, Stage, answer, in_dialog, sdp};
use proxy_core::RejectReason;

#[test]
fn the_call_after_the_last_that_a_trunk_takes_goes_to_the_next_trunk_at_once() {
    let mut config = two_trunks();
    config.trunks[0].max_calls = Some(2);
    let mut stage = Stage::with(config);
    for n in 0..3 {
        stage.receive(EAST, &from_edge(&format!("c{n}")));
    }
    assert_eq!((invites(&mut stage, FIRST), invites(&mut stage, SECOND)), (2, 1));
}

#[test]
fn a_trunk_whose_rate_is_used_up_is_passed_over_and_if_all_are_the_call_is_refused() {
    let mut config = two_trunks();
    config.trunks[0].calls_per_second = Some(3);
    config.trunks[1].calls_per_second = Some(4);
    let mut stage = Stage::with(config);
    for n in 0..10 {
        stage.receive(EAST, &from_edge(&format!("c{n}")));
    }
    assert_eq!((invites(&mut stage, FIRST), invites(&mut stage, SECOND)), (3, 4));
    assert_eq!(stage.shard.counters().rejected(RejectReason::RateLimit), 3);
}

#[test]
fn a_call_is_counted_for_the_trunk_that_has_taken_it() {
    let mut config = two_trunks();
    config.trunks[0].max_calls = Some(1);
    config.trunks[1].max_calls = Some(1);
    let mut stage = Stage::with(config);
    stage.receive(EAST, &from_edge("one"));
    let refused = stage.take(FIRST).remove(0);
    stage.receive(FIRST, &answer(&refused, 503, "t1", "x@192.0.2.1", ""));
    let taken = stage.take(SECOND).remove(0);
    stage.receive(SECOND, &answer(&taken, 200, "t2", "x@192.0.2.2", &sdp("192.0.2.2", 4002)));
    let ok = stage.take(EAST).pop().unwrap();
    stage.receive(EAST, &in_dialog(&ok, "ACK", 1, "").replace("192.0.2.1:5060", EAST));
    stage.take(FIRST);
    // The first has room again, the second has none any more.
    stage.receive(EAST, &from_edge("two"));
    assert_eq!((invites(&mut stage, FIRST), invites(&mut stage, SECOND)), (1, 0));
    stage.receive(EAST, &from_edge("three"));
    assert_eq!(stage.shard.counters().rejected(RejectReason::TrunkLimit), 1);
    stage.receive(EAST, &in_dialog(&ok, "BYE", 2, "").replace("192.0.2.1:5060", EAST));
    stage.take(SECOND);
    stage.receive(EAST, &from_edge("four"));
    assert_eq!((invites(&mut stage, FIRST), invites(&mut stage, SECOND)), (0, 1), "its place is free again");
}
