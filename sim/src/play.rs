//! One seed, one run: a world is drawn, lives through its faults, heals, proves that it still works, and is looked over.
//!
//! ```text
//! 0 s ── calls begin, regions fail, configurations change ── 20 s ── all heals, the calls end ── 110 s ── calls that
//!   must work ── 120 s ── everything runs out ── 270 s ── the verdict
//! ```

use crate::agent::{Act, CallPlan, Callee, Caller, Reliable, Role, Step};
use crate::link::Link;
use crate::rng::Rng;
use crate::setup::{CARRIERS, REGIONS, Setup};
use crate::world::{Condition, Event, World};
use proxy_core::{Config, Overrides, RegionId, TargetId};
use relay_values::{Duration, Latching, Time};
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

/// A run in numbers, so that a sweep can show that it went where the trouble is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    /// Calls placed.
    pub calls: u64,
    /// Calls answered.
    pub answered: u64,
    /// Hunts that moved on.
    pub hunts: u64,
    /// Messages in and out of the shards.
    pub messages: u64,
    /// RTP packets that the relay has seen.
    pub packets: u64,
    /// Generations of the snapshot.
    pub generations: u64,
    /// Virtual time.
    pub seconds: u64,
}

impl Tally {
    /// Adds a run.
    pub fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.answered += other.answered;
        self.hunts += other.hunts;
        self.messages += other.messages;
        self.packets += other.packets;
        self.generations += other.generations;
        self.seconds += other.seconds;
    }
}

/// Faults end here.
const HEALED: Duration = Duration::from_secs(20);
/// From here on every call has to succeed: Retry-After and half-open trials (10 s) have run out, and so has the patience
/// of phones that ring for nobody (35 s, or 64*T1 more for a PRACK) and would speak into a port that is used again.
const PROOF: Duration = Duration::from_secs(110);
/// The last call is over, and so is everything that lingers: 64*T1 for the last transaction of a BYE that was sent after
/// 64*T1 without an ACK, twice (a fork, and the caller), and the rest of the ports.
const END: Duration = Duration::from_secs(270);
/// Calls that must work.
const PROOFS: usize = 3;

/// Plays a seed.
pub fn play(seed: u64) -> Outcome {
    let mut rng = Rng::new(seed);
    let setup = Setup::draw(seed, &mut rng);
    let mut plans: Vec<CallPlan> = (0..4 + rng.below(12)).map(|_| plan(&mut rng, &setup)).collect();
    let proofs = plans.len()..plans.len() + PROOFS;
    plans.extend(proofs.clone().map(|call| proof(call, &mut rng)));
    let calls = plans.len() as u64;
    let mut world = World::new(setup, plans);
    trouble(&mut world, &mut rng);
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
            let _ = writeln!(text, "call {call}: {:?}", world.book.plans.get(call));
            let _ = writeln!(text, "{}", world.ladder(call));
        }
        let _ = writeln!(text, "again: SIM_SEED={seed} cargo test -p sim");
        text
    });
    Outcome { seed, hash: world.trace.hash(), tally: tally(&world, calls), failure, first }
}

fn tally(world: &World, calls: u64) -> Tally {
    let counters = || world.shards.iter().map(|shard| shard.counters());
    Tally {
        calls,
        answered: counters().map(|c| c.answered).sum(),
        hunts: counters().flat_map(|c| c.hunts()).map(|(_, n)| n).sum(),
        messages: counters().map(|c| c.received + c.sent).sum(),
        packets: world.relay.counters().packets,
        generations: world.health.snapshot().generation,
        seconds: world.now.as_millis() / 1000,
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

/// Regions fail and come back, configurations and operators change their minds.
fn trouble(world: &mut World, rng: &mut Rng) {
    let heal = Time::ZERO + HEALED;
    for region in REGIONS {
        if !rng.chance(450) {
            continue;
        }
        let condition = rng.pick(&[Condition::Frozen, Condition::Dead, Condition::Cut]);
        let whole = rng.chance(700);
        let from = Time::ZERO + rng.ms(500, 15_000);
        let back = if rng.chance(500) { (from + rng.ms(300, 8000)).min(heal) } else { heal };
        for agent in region.into_iter().take(if whole { 2 } else { 1 }) {
            world.at(from, Event::Agent(agent, condition));
            world.at(back, Event::Agent(agent, Condition::Alive));
        }
    }
    if rng.chance(300) {
        // A new generation of the same, in another order: numbers change, names stay.
        let mut config = renumbered(world.setup.config());
        if rng.chance(500) {
            config.groups[0].edges.pop();
        }
        config.hunt.no_response = rng.ms(200, 900);
        world.at(Time::ZERO + rng.ms(1000, 12_000), Event::Reload(Arc::new(config)));
        world.at(heal, Event::Reload(Arc::new(world.setup.config())));
    }
    if rng.chance(200) {
        let drained =
            Overrides { drained: vec![RegionId(rng.below(2) as u16)], ..proxy_core::Overrides::default() };
        world.at(Time::ZERO + rng.ms(1000, 12_000), Event::Overrides(drained));
        world.at(heal, Event::Overrides(Overrides::default()));
    }
    world.at(heal, Event::Link(Link::perfect()));
}

/// The same configuration with its targets listed the other way round.
fn renumbered(mut config: Config) -> Config {
    let last = config.targets.len() as u16 - 1;
    config.targets.reverse();
    let groups = config.groups.iter_mut().flat_map(|group| &mut group.edges);
    for id in groups.chain(config.trunks.iter_mut().flat_map(|trunk| &mut trunk.targets)) {
        *id = TargetId(last - id.0);
    }
    config
}

/// Any call.
fn plan(rng: &mut Rng, setup: &Setup) -> CallPlan {
    let inbound = rng.chance(700);
    let from =
        if inbound { rng.pick(&CARRIERS) } else { REGIONS[rng.below(2) as usize][rng.below(2) as usize] };
    let reliable = rng.pick(&[Reliable::No, Reliable::No, Reliable::Supported, Reliable::Required]);
    let mut acts = acts(rng);
    // Somebody always hangs up at last.
    acts.push((rng.ms(500, 12_000), Act::Bye));
    let caller = Caller {
        late_offer: rng.chance(150),
        reliable,
        cancel: rng.chance(250).then(|| rng.ms(1, 5000)),
        record_route: rng.chance(250),
        deaf_to: match rng.below(100) {
            0..5 => u32::MAX,
            5..15 => 1 + rng.below(3) as u32,
            _ => 0,
        },
        nat: setup.latching == Latching::Learn && rng.chance(300),
        acts,
    };
    let callees = (0..1 + rng.below(4)).map(|_| callee(rng)).collect();
    CallPlan { from, at: rng.ms(100, 15_000), caller, callees, movers: Vec::new() }
}

fn acts(rng: &mut Rng) -> Vec<(Duration, Act)> {
    let kinds = [Act::Hold, Act::Resume, Act::Ask, Act::Info, Act::Update, Act::Mute, Act::Unmute];
    (0..rng.below(5)).map(|_| (rng.ms(5, 8000), rng.pick(&kinds))).collect()
}

fn callee(rng: &mut Rng) -> Callee {
    let mut steps = Vec::new();
    let mut at = rng.ms(1, 400);
    if rng.chance(850) {
        steps.push((at, Step::Trying));
        at += rng.ms(1, 800);
    }
    for _ in 0..rng.below(4) {
        let code = rng.pick(&[180, 183, 180, 181]);
        steps.push((at, Step::Progress { code, media: code == 183 }));
        at += rng.ms(1, 2500);
    }
    match rng.below(100) {
        0..60 => {
            steps.push((at, Step::Answer));
            for _ in 0..u32::from(rng.chance(150)) * 2 {
                steps.push((at + rng.ms(1, 3000), Step::Fork));
            }
        }
        60..85 => {
            let code = rng.pick(&[486, 503, 408, 404, 603, 500, 480, 302, 488]);
            let retry_after = (code == 503 && rng.chance(500)).then(|| 1 + rng.below(5) as u32);
            steps.push((at, Step::Refuse { code, retry_after }));
        }
        // 100 only, ringing only, or never a word.
        85..93 => steps.truncate(rng.below(3) as usize),
        _ => steps.clear(),
    }
    let mut acts = acts(rng);
    acts.push((rng.ms(500, 14_000), Act::Bye));
    Callee {
        steps,
        ignores_cancel: rng.chance(200),
        record_route: rng.chance(250),
        acts,
        ..Callee::default()
    }
}
