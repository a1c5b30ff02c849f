use super::*;
use proxy_core::{HuntReason, ProbePolicy, StepOutcome};
use sim::agent::{Act, Step};
use sim::{Condition, Event, REGIONS};

fn hung_up() -> Caller {
    Caller::then(&[(2000, Act::Bye)])
}

/// Between two targets the relay is asked for other ports, and answers: what the one that is left still sends is then not
/// taken for its successor's media.
fn other_ports() -> Duration {
    2 * Setup::quiet(1).latency
}

#[test]
fn a_dead_first_region_costs_the_caller_exactly_the_hunt_timer_and_the_relays_answer() {
    let world = plainly(call(hung_up(), vec![Callee::dead(), Callee::answers(10, 100, 500)]));
    let record = record(&world);
    let [first, second] = &record.steps[..] else { panic!("{record:?}") };
    assert_eq!(first.outcome, StepOutcome::Advanced { reason: HuntReason::NoResponse, code: 0 });
    assert_eq!((first.region.as_str(), second.region.as_str()), ("east", "west"));
    assert_eq!(second.at.since(first.at), Duration::from_millis(200) + other_ports());
    assert_eq!(second.outcome, StepOutcome::Answered);
    assert_eq!(codes(&world), [100, 180, 200]);
}

#[test]
fn a_target_that_says_100_and_no_more_is_left_after_the_progress_timer_and_cancelled() {
    let mut silent = Callee::answers(10, 0, 0);
    silent.steps.truncate(1);
    let world = plainly(call(hung_up(), vec![silent, Callee::answers(10, 100, 500)]));
    let record = record(&world);
    assert_eq!(record.steps[0].outcome, StepOutcome::Advanced { reason: HuntReason::NoProgress, code: 0 });
    assert_eq!(record.steps[1].at.since(record.steps[0].at), Duration::from_secs(3) + other_ports());
    assert_eq!(record.code, 200);
}

#[test]
fn what_the_callee_meant_ends_the_hunt_and_what_the_network_meant_does_not() {
    for code in [486, 603, 404, 488] {
        let world =
            plainly(call(Caller::default(), vec![Callee::refuses(50, code), Callee::answers(1, 2, 3)]));
        assert_eq!(ended(&world), (code, CloseReason::Refused));
        assert_eq!(record(&world).steps.len(), 1, "{code}");
    }
    for code in [503, 408, 500] {
        let world = plainly(call(hung_up(), vec![Callee::refuses(50, code), Callee::answers(10, 20, 30)]));
        assert_eq!(ended(&world), (200, CloseReason::ByeFromA), "{code}");
        assert_eq!(record(&world).steps.len(), 2, "{code}");
    }
}

#[test]
fn a_caller_hears_the_last_refusal_when_everybody_refuses() {
    let world = plainly(call(Caller::default(), vec![Callee::refuses(50, 503)]));
    assert_eq!(ended(&world), (503, CloseReason::HuntExhausted));
    assert_eq!(record(&world).steps.len(), 4);
}

#[test]
fn icmp_moves_a_call_on_at_once() {
    let world = told(Setup::quiet(1), call(hung_up(), vec![Callee::answers(10, 100, 500)]), |world| {
        for edge in REGIONS[0] {
            world.at(ms(0), Event::Agent(edge, Condition::Dead));
        }
    });
    let record = record(&world);
    assert_eq!(record.code, 200);
    let reasons: Vec<_> = record.steps.iter().map(|step| step.outcome).collect();
    let refused = StepOutcome::Advanced { reason: HuntReason::TransportError, code: 0 };
    assert_eq!(reasons, [refused, refused, StepOutcome::Answered]);
    // There and back again, 5 ms each way, and nothing on top but other ports.
    assert_eq!(record.steps[1].at.since(record.steps[0].at), Duration::from_millis(10) + other_ports());
}

#[test]
fn a_ringing_call_is_rescued_when_its_region_goes_down_and_the_caller_keeps_his_one_180() {
    let probe = ProbePolicy {
        interval: Duration::from_millis(200),
        timeout: Duration::from_millis(200),
        fall: 2,
        rise: 2,
    };
    let setup = Setup { probe: Some(probe), ..Setup::quiet(1) };
    let ringing = Callee::answers(10, 100, 15_000);
    let mut second = Callee::answers(10, 100, 1000);
    second.steps.remove(1);
    let world = told(setup, call(hung_up(), vec![ringing, second]), |world| {
        for edge in REGIONS[0] {
            world.at(ms(3000), Event::Agent(edge, Condition::Frozen));
            world.at(ms(20_000), Event::Agent(edge, Condition::Alive));
        }
    });
    assert_eq!(codes(&world), [100, 180, 200]);
    let record = record(&world);
    assert_eq!(record.steps[0].outcome, StepOutcome::Advanced { reason: HuntReason::TargetDown, code: 0 });
    assert_eq!((record.steps[0].region.as_str(), record.steps[1].region.as_str()), ("east", "west"));
    let down = record.steps[1].at;
    assert!(down > ms(3000) && down < ms(3600), "moved at {} ms", down.as_millis());
    assert_eq!(ended(&world), (200, CloseReason::ByeFromA));
}

#[test]
fn ringing_without_end_is_ended_by_us() {
    let mut ringing = Callee::answers(10, 100, 0);
    ringing.steps.truncate(2);
    let world = plainly(call(Caller::default(), vec![ringing]));
    assert_eq!(ended(&world), (480, CloseReason::NoAnswer));
    // 100 ms until it rings, 20 s of patience, and four times the way of 5 ms.
    assert_eq!(seen_at(&world, 480), 20_120);
}

// Rules: uac-redirect
#[test]
fn a_redirection_stays_inside() {
    let mut moved = Callee::refuses(50, 302);
    moved.steps[1].1 = Step::Refuse { code: 302, retry_after: None };
    let world = plainly(call(Caller::default(), vec![moved]));
    assert_eq!(codes(&world), [100, 480]);
}

#[test]
fn a_reload_leaves_the_call_alone_and_the_next_one_sees_it() {
    let setup = Setup::quiet(1);
    let mut config = setup.config();
    config.groups.swap(0, 1);
    config.sites[0].groups = vec![proxy_core::GroupId(0)];
    for group in 0..2_u16 {
        for edge in config.groups[usize::from(group)].edges.clone() {
            config.targets[edge.index()].owner = proxy_core::Owner::Edge(proxy_core::GroupId(group));
        }
    }
    let first = call(Caller::then(&[(8000, Act::Bye)]), vec![Callee::answers(10, 100, 500)]);
    let second = CallPlan { at: Duration::from_secs(6), ..first.clone() };
    let mut world = World::new(setup, vec![first, second]);
    world.at(ms(4000), Event::Reload(std::sync::Arc::new(config)));
    world.run_for(Duration::from_secs(150));
    assert!(world.verdict().is_empty());
    for (call, region) in [(0, "east"), (1, "west")] {
        let record = world.record(call).expect("a record");
        assert_eq!((record.code, record.close), (200, CloseReason::ByeFromA));
        assert_eq!(record.steps[0].region, region);
        assert!(world.caller(call).ear.heard >= 14, "call {call} heard {}", world.caller(call).ear.heard);
    }
}
