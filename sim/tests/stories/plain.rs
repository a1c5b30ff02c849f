use super::{call, told};
use proxy_core::CloseReason;
use sim::Setup;
use sim::agent::{Act, Callee, Caller};

#[test]
fn a_call_rings_is_answered_is_heard_on_both_sides_and_ends() {
    let caller = Caller::then(&[(10_000, Act::Bye)]);
    let world = told(Setup::quiet(1), vec![call(caller, vec![Callee::answers(10, 100, 2000)])], |_| {});
    println!("{}", world.ladder(0));
    let codes: Vec<u16> = world.caller(0).codes.iter().map(|(_, code)| *code).collect();
    assert_eq!(codes, [100, 180, 200]);
    let record = world.record(0).expect("a record");
    assert_eq!((record.code, record.close), (200, CloseReason::ByeFromA));
    assert!(world.caller(0).heard >= 18, "{}", world.caller(0).heard);
    assert!(world.callee(0).heard >= 18, "{}", world.callee(0).heard);
    assert_eq!(world.callee(0).methods, ["BYE"]);
}
