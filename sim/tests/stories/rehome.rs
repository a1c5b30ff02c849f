//! What the stories of moves have in common: calls that speak, a region that dies under them, and what became of it.

use super::*;
use proxy_core::{MoveOutcome, Receipt};
use sim::agent::{Act, Leg, Side};
use sim::{Condition, Event, Heard, REGIONS};

/// When trouble begins, in milliseconds: the calls have been up for three and a half seconds.
pub(crate) const TROUBLE: u64 = 5000;
/// When callers hang up, in milliseconds after the answer.
pub(crate) const TALKS: u64 = 16_000;

pub(crate) const EAST: usize = 0;
pub(crate) const WEST: usize = 1;

/// A call that the carrier began, answered at once, for as long as [`TALKS`]; `movers` take it over.
pub(crate) fn talk(movers: Vec<Callee>) -> CallPlan {
    let caller = Caller::then(&[(TALKS, Act::Bye)]);
    CallPlan { movers, ..call(caller, vec![Callee::answers(5, 50, 500)]) }
}

/// The same for a call that an edge of the eastern region began.
pub(crate) fn talk_out(movers: Vec<Callee>) -> CallPlan {
    let callee = Callee::answers(5, 50, 500).then(&[(TALKS, Act::Bye)]);
    CallPlan { from: EAST_1, movers, ..call(Caller::default(), vec![callee]) }
}

/// Real media, and everything that the carriers hear is kept.
pub(crate) fn setup() -> Setup {
    Setup { tape: true, ..Setup::lively(1) }
}

/// Plays these calls to their end, and insists that no rule was broken.
pub(crate) fn tell(setup: Setup, plans: Vec<CallPlan>, during: impl FnOnce(&mut World)) -> World {
    let mut world = World::new(setup, plans);
    during(&mut world);
    for seconds in [40, 52] {
        world.at(ms(seconds * 1000), Event::Look);
    }
    world.run_for(Duration::from_secs(170));
    let broken = world.verdict();
    let told: Vec<String> = broken.iter().map(|violation| format!("{violation:?}\n")).collect();
    let call = broken.iter().find_map(|violation| violation.call).unwrap_or_default();
    assert!(broken.is_empty(), "{}{}", told.concat(), world.ladder(call));
    world
}

/// A region is struck, and well again after so long.
pub(crate) fn strike(world: &mut World, region: usize, condition: Condition, at: u64, long: u64) {
    for edge in REGIONS[region] {
        world.at(ms(at), Event::Agent(edge, condition));
        world.at(ms(at + long), Event::Agent(edge, Condition::Alive));
    }
}

/// The receipts of a call's moves.
pub(crate) fn receipts(world: &World, call: usize) -> Vec<&Receipt> {
    let record = world.record(call).unwrap_or_else(|| panic!("no record\n{}", world.ladder(call)));
    record.moves.iter().collect()
}

/// What became of the only move of a call.
pub(crate) fn outcome(world: &World, call: usize) -> MoveOutcome {
    let receipts = receipts(world, call);
    assert_eq!(receipts.len(), 1, "{receipts:?}\n{}", world.ladder(call));
    receipts[0].outcome
}

/// The carrier's leg of a call.
pub(crate) fn carrier(world: &World, call: usize) -> &Leg {
    world.legs(call, Side::Carrier).pop().unwrap_or_else(|| panic!("no carrier")).1
}

/// The tier's legs of a call: whose they are, by region.
pub(crate) fn tiers(world: &World, call: usize) -> Vec<&str> {
    let legs = world.legs(call, Side::Tier);
    legs.into_iter().map(|(name, _)| name.split('-').next().unwrap_or(name)).collect()
}

/// What the carrier hears: in each line one stream without a number left out or said twice, and time that only goes on.
pub(crate) fn one_line(world: &World, call: usize) -> Vec<Heard> {
    let heard = world.heard_by_carrier(call);
    assert!(heard.len() > 100, "call {call} hears {} packets", heard.len());
    let mut lines = std::collections::HashMap::new();
    for next in &heard {
        let Some(last) = lines.insert(next.by, *next) else { continue };
        let (a, b) = (last.header, next.header);
        assert_eq!(b.ssrc, a.ssrc, "{last:?}, {next:?}");
        assert_eq!(b.sequence, a.sequence.wrapping_add(1), "{last:?}, {next:?}\n{}", world.ladder(call));
        assert!(b.timestamp.wrapping_sub(a.timestamp) < 0x8000_0000, "{last:?}, {next:?}");
    }
    heard
}

/// The call went on as if nothing had happened: the carrier got no request, and one stream; it hung up itself.
pub(crate) fn unnoticed(world: &World, call: usize) {
    let record = world.record(call).unwrap_or_else(|| panic!("no record\n{}", world.ladder(call)));
    let (code, close) = (record.code, record.close);
    assert_eq!(code, 200);
    assert!(matches!(close, CloseReason::ByeFromA | CloseReason::ByeFromB), "{}", world.ladder(call));
    assert_eq!(carrier(world, call).methods, [""; 0], "{}", world.ladder(call));
    one_line(world, call);
}
