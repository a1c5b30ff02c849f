//! One seed, one run: a world is drawn, lives through its faults, heals, proves that it still works, and is looked over.
//!
//! ```text
//! 0 s ── calls begin, regions fail, configurations change ── 20 s ── all heals, the calls end ── 110 s ── calls that
//!   must work ── 120 s ── everything runs out ── 270 s ── the verdict
//! ```

mod hunts;
mod moves;
mod sessions;
mod tally;

pub use tally::Tally;

use crate::agent::{Act, CallPlan, Callee, Caller, Role};
use crate::rng::Rng;
use crate::setup::{CARRIERS, REGIONS, Setup};
use crate::world::{Event, World};
use proxy_core::{Config, Target};
use relay_values::{Duration, Time};
use std::fmt::Write;
use std::sync::Arc;

/// What became of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// The hash of everything that happened.
    pub hash: u64,
    /// What happened, in numbers.
    pub tally: Tally,
    /// What was broken, with the ladder of the first call that it happened in.
    pub failure: Option<String>,
    /// The first of it in a line.
    pub first: String,
}

/// Faults end here.
const HEALED: Duration = Duration::from_secs(20);
/// From here on every call has to succeed: Retry-After and half-open trials (10 s) have run out, and so has the patience
/// of phones that ring for nobody (35 s, or 64*T1 more for a PRACK) and would speak into a port that is used again.
const PROOF: Duration = Duration::from_secs(110);
/// The last call is over, and so is everything that lingers: 64*T1 for the last transaction of a BYE that was sent after
/// 64*T1 without an ACK, twice (a fork, and the caller), and the rest of the ports.
const END: Duration = Duration::from_secs(270);
/// From here on nothing is left to be found out, and probes would only take our time.
const UNPROBED: Duration = Duration::from_secs(125);
/// When the rules look at who still holds a leg, in seconds: twice after all has healed, and once the proofs are over.
const LOOKS: [u64; 4] = [33, 46, 140, 153];
/// Calls that must work.
const PROOFS: usize = 3;

/// Plays a seed.
pub fn play(seed: u64) -> Outcome {
    let mut rng = Rng::new(seed);
    // One world in four is about calls that are not answered yet.
    let moves = !seed.is_multiple_of(4);
    let mut setup = if moves { Setup::draw_lively(seed, &mut rng) } else { Setup::draw(seed, &mut rng) };
    let mut plans: Vec<CallPlan> = if moves {
        (0..6 + rng.below(8)).map(|_| moves::plan(&mut rng)).collect()
    } else {
        (0..4 + rng.below(12)).map(|_| hunts::plan(&mut rng, &setup)).collect()
    };
    plans.iter_mut().for_each(|plan| embellish(plan, seed));
    sessions::draw(seed, &mut setup, &mut plans);
    let proofs = plans.len()..plans.len() + PROOFS;
    plans.extend(proofs.clone().map(|call| proof(call, &mut rng)));
    let calls = plans.len() as u64;
    let mut world = World::new(setup, plans);
    if moves {
        moves::trouble(&mut world, &mut rng)
    } else {
        hunts::trouble(&mut world, &mut rng)
    }
    let config = world.setup.config();
    let unprobed = config.targets.iter().cloned().map(|target| Target { probe: None, ..target }).collect();
    world.at(Time::ZERO + UNPROBED, Event::Reload(Arc::new(Config { targets: unprobed, ..config })));
    for seconds in LOOKS {
        world.at(Time::from_millis(seconds * 1000), Event::Look);
    }
    world.run_until(Time::ZERO + END);
    for call in proofs {
        prove(&mut world, call);
    }
    let mut violations = world.verdict();
    violations.sort_by_key(|violation| violation.at);
    let first = violations.first().map(|v| format!("{}: {}", v.rule, v.text)).unwrap_or_default();
    let failure = (!violations.is_empty()).then(|| {
        let mut text = format!("seed {seed}: {} rules broken\n", violations.len());
        for violation in violations.iter().take(12) {
            let ms = violation.at.as_nanos() as f64 / 1e6;
            let _ = writeln!(
                text,
                "  {ms:.3} ms, call {:?}, {}: {}",
                violation.call, violation.rule, violation.text
            );
        }
        if let Some(call) = violations.iter().find_map(|violation| violation.call) {
            let _ = writeln!(text, "{:?}", world.setup);
            let _ = writeln!(text, "call {call}: {:?}", world.book.plans.get(call));
            let _ = writeln!(text, "{}", world.ladder(call));
        }
        let _ = writeln!(text, "again: SIM_SEED={seed} cargo test -p sim");
        text
    });
    Outcome { seed, hash: world.trace.hash(), tally: Tally::of(&world, calls), failure, first }
}

/// Some calls have a picture beside the speech, and some a fax in its place for a while.
fn embellish(plan: &mut CallPlan, seed: u64) {
    let mut rng = Rng::new(seed ^ plan.at.as_nanos() as u64);
    plan.caller.picture = rng.chance(200);
    for callee in plan.callees.iter_mut().chain(&mut plan.movers) {
        callee.blind = rng.chance(300);
    }
    if rng.chance(150) {
        let begins = rng.ms(200, 9000);
        let acts = [(begins, Act::Fax), (begins + rng.ms(500, 8000), Act::Speak)];
        match plan.callees.first_mut().filter(|_| rng.chance(700)) {
            Some(callee) => callee.acts.extend(acts),
            None => plan.caller.acts.extend(acts),
        }
    }
}

/// A call after everything has healed, without any bad habit.
fn proof(call: usize, rng: &mut Rng) -> CallPlan {
    let callers = [CARRIERS[0], REGIONS[0][0], CARRIERS[2]];
    CallPlan {
        from: callers[call % callers.len()],
        at: PROOF + rng.ms(0, 2000),
        caller: Caller::then(&[(6000, Act::Bye)]),
        callees: vec![Callee::answers(10, 200, 1000)],
        movers: Vec::new(),
    }
}

/// It was answered, and both sides heard each other.
fn prove(world: &mut World, call: usize) {
    let answered = world.record(call).is_some_and(|record| record.code == 200);
    let heard = |role| world.agents.iter().map(|agent| agent.heard(call, role)).sum::<u32>();
    let (caller, callee) = (heard(Role::Caller), heard(Role::Callee));
    if !answered || caller < 8 || callee < 8 {
        let text = format!("answered: {answered}, the caller heard {caller} packets, the callee {callee}");
        world.checks.broken(world.now, Some(call), "healed", text);
    }
}
