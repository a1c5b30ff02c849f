use super::*;
use relay_values::Latching;
use sim::agent::{Act, Step};

#[test]
fn silence_where_there_should_be_media_ends_the_call() {
    let callee = Callee::answers(10, 100, 500).then(&[(2000, Act::Mute)]);
    let world = plainly(call(Caller::default(), vec![callee]));
    assert_eq!(ended(&world), (200, CloseReason::MediaTimeout));
    let (answered, over) = (record(&world).answered.expect("answered"), record(&world).ended);
    // The last packet came within 2 s of the answer; 5 s later the watch looks, within a quarter of a second.
    let silent = over.since(answered);
    assert!(silent > Duration::from_millis(6400) && silent < Duration::from_millis(7400), "{silent:?}");
    assert_eq!(world.caller(0).methods, ["BYE"]);
    assert_eq!(world.callee(0).methods, ["BYE"]);
}

#[test]
fn silence_on_hold_does_not() {
    // Whoever is held hears music and says nothing, for longer than the 5 s of the story before.
    let caller = Caller::then(&[(1000, Act::Hold), (14_000, Act::Bye)]);
    let world = plainly(call(caller, vec![Callee::answers(10, 100, 500)]));
    assert_eq!(ended(&world), (200, CloseReason::ByeFromA));
    let (answered, over) = (record(&world).answered.expect("answered"), record(&world).ended);
    assert!(over.since(answered) > Duration::from_secs(14));
}

#[test]
fn early_media_is_heard_before_the_answer() {
    let mut callee = Callee::answers(10, 100, 6000);
    callee.steps[1].1 = Step::Progress { code: 183, media: true };
    let world = plainly(call(Caller::then(&[(300, Act::Bye)]), vec![callee]));
    assert_eq!(codes(&world), [100, 183, 200]);
    assert!(world.caller(0).ear.heard >= 10, "{}", world.caller(0).ear.heard);
}

#[test]
fn when_no_port_is_left_the_caller_is_asked_to_come_back() {
    let setup = Setup { pairs: 1, ..Setup::quiet(1) };
    let world = told(setup, call(Caller::default(), vec![Callee::answers(10, 100, 500)]), |_| {});
    assert_eq!(codes(&world), [100, 503]);
    assert_eq!(record(&world).reject, Some(proxy_core::RejectReason::NoMedia));
}

#[test]
fn a_stranger_with_the_right_numbers_is_heard_by_nobody() {
    for latching in [Latching::Exact, Latching::Address, Latching::Learn] {
        let setup = Setup { stranger: true, latching, ..Setup::lively(1) };
        let caller = Caller::then(&[(20_000, Act::Bye)]);
        let world = told(setup, call(caller, vec![Callee::answers(10, 100, 500)]), |_| {});
        assert_eq!(ended(&world), (200, CloseReason::ByeFromA));
        let strangers = record(&world).media.as_ref().expect("media was relayed").strangers;
        assert!(strangers.forged > 50 && strangers.rtcp > 10, "{latching:?}: {strangers:?}");
        assert_eq!((strangers.strayed, strangers.sources), (0, 8));
        assert_eq!(world.caller(0).ear.foreign + world.callee(0).ear.foreign, 0);
    }
}
