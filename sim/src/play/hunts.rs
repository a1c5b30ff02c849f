//! Worlds in which calls hunt: bad networks, scarce ports, forks, CANCELs at every instant, callers who are deaf; media
//! just often enough to see who hears whom.

use super::HEALED;
use crate::agent::{Act, CallPlan, Callee, Caller, Provisionals, Reliable, Session, Step};
use crate::link::Link;
use crate::rng::Rng;
use crate::setup::{CARRIERS, REGIONS, Setup};
use crate::world::{Condition, Event, World};
use proxy_core::{Config, Overrides, RegionId, TargetId};
use relay_values::{Duration, Latching, Time};
use std::sync::Arc;

/// Regions fail and come back, configurations and operators change their minds.
pub(super) fn trouble(world: &mut World, rng: &mut Rng) {
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
pub(super) fn plan(rng: &mut Rng, setup: &Setup) -> CallPlan {
    let inbound = rng.chance(700);
    let from =
        if inbound { rng.pick(&CARRIERS) } else { REGIONS[rng.below(2) as usize][rng.below(2) as usize] };
    let reliable = rng.pick(&[Reliable::No, Reliable::No, Reliable::Supported, Reliable::Required]);
    let mut acts = acts(rng);
    // Somebody always hangs up at last.
    acts.push((rng.ms(500, 12_000), Act::Bye));
    let caller = Caller {
        picture: false,
        session: Session::default(),
        late_offer: rng.chance(150),
        early_update: rng.chance(300),
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
    let kinds = [
        Act::Hold,
        Act::Resume,
        Act::Ask,
        Act::Info,
        Act::Message,
        Act::Update,
        Act::Refer,
        Act::Mute,
        Act::Unmute,
    ];
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
        if rng.chance(100) {
            steps.push((at, Step::Update));
        }
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
        provisionals: rng.pick(&[
            Provisionals::AsAsked,
            Provisionals::AsAsked,
            Provisionals::Plain,
            Provisionals::Reliable,
        ]),
        acts,
        ..Callee::default()
    }
}
