//! Worlds in which answered calls move: phones that speak, pause, press keys, hold and hang up; regions that are frozen,
//! killed and cut off at any instant, the second one during the move, the first one back during it; operators who drain
//! and drill; tiers that take the calls in every way that they should not.

use super::HEALED;
use crate::agent::{Act, CallPlan, Callee, Caller, Reliable, Sdp, Step};
use crate::link::Link;
use crate::rng::Rng;
use crate::setup::{CARRIERS, REGIONS};
use crate::world::{Condition, Event, World};
use proxy_core::{Cut, Drill, MoveFrom, MoveOrder, MoveReason, Overrides, RegionId, TargetId};
use relay_values::{Duration, Time};

/// A call that is answered before the trouble begins, most of the time, and outlives it.
pub(super) fn plan(rng: &mut Rng) -> CallPlan {
    let inbound = rng.chance(700);
    let from =
        if inbound { rng.pick(&CARRIERS) } else { REGIONS[rng.below(2) as usize][rng.below(2) as usize] };
    let caller = Caller {
        late_offer: rng.chance(80),
        reliable: rng.pick(&[Reliable::No, Reliable::No, Reliable::No, Reliable::Supported]),
        cancel: rng.chance(80).then(|| rng.ms(1, 8000)),
        record_route: rng.chance(150),
        acts: acts(rng),
        ..Caller::default()
    };
    let callees = (0..1 + rng.below(2)).map(|_| callee(rng)).collect();
    let mut movers: Vec<_> = (0..rng.below(4)).map(|_| mover(rng)).collect();
    movers.extend(rng.chance(800).then(Callee::takes_over));
    CallPlan { from, at: rng.ms(100, 5000), caller, callees, movers }
}

/// What somebody does in a call; in the end he hangs up.
fn acts(rng: &mut Rng) -> Vec<(Duration, Act)> {
    let digit = rng.below(10) as u8;
    let kinds = [
        Act::Hold,
        Act::Resume,
        Act::Mute,
        Act::Unmute,
        Act::Pause,
        Act::Key(digit),
        Act::Key(digit),
        Act::Ask,
        Act::Info,
        Act::Message,
        Act::Update,
        Act::Refer,
    ];
    let mut acts: Vec<_> = (0..rng.below(4)).map(|_| (rng.ms(100, 14_000), rng.pick(&kinds))).collect();
    acts.push((rng.ms(6000, 22_000), Act::Bye));
    acts
}

fn callee(rng: &mut Rng) -> Callee {
    let (mut steps, mut at) = (vec![(rng.ms(1, 60), Step::Trying)], rng.ms(60, 200));
    for _ in 0..rng.below(2) {
        let code = rng.pick(&[180, 183]);
        steps.push((at, Step::Progress { code, media: code == 183 }));
        // Some ring until the trouble has begun.
        at += if rng.chance(200) { rng.ms(3000, 9000) } else { rng.ms(50, 1500) };
    }
    steps.push((at, if rng.chance(930) { Step::Answer } else { refusal(rng) }));
    Callee { steps, record_route: rng.chance(150), acts: acts(rng), ..Callee::default() }
}

/// What a tier does with an INVITE that moves a call to it.
fn mover(rng: &mut Rng) -> Callee {
    let soon = rng.ms(1, 60);
    let mut steps = vec![(soon, Step::Trying)];
    let answer = |at| (at, Step::Answer);
    let mut sdp = Sdp::Same;
    let mut twice = false;
    match rng.below(100) {
        0..25 => steps.push(answer(soon + rng.ms(1, 80))),
        25..35 => {
            steps.push((soon + rng.ms(1, 200), Step::Progress { code: 180, media: false }));
            steps.push(answer(soon + rng.ms(200, 2500)));
        }
        35..55 => steps.push((soon + rng.ms(1, 300), refusal(rng))),
        55..73 => {
            sdp = rng.pick(&[Sdp::OtherCodec, Sdp::OtherEvent, Sdp::Inactive, Sdp::Missing]);
            steps.push(answer(soon + rng.ms(1, 80)));
        }
        73..80 => steps.push(answer(soon + rng.ms(2000, 11_000))),
        80..87 => {
            twice = true;
            steps.push(answer(soon + rng.ms(1, 80)));
            if rng.chance(500) {
                steps.push((soon + rng.ms(80, 900), Step::Fork));
            }
        }
        87..94 => {}
        _ => steps.clear(),
    }
    let acts = if rng.chance(300) { acts(rng) } else { vec![] };
    Callee { steps, sdp, twice, acts, ignores_cancel: rng.chance(150), ..Callee::default() }
}

fn refusal(rng: &mut Rng) -> Step {
    let code = rng.pick(&[486, 503, 503, 404, 603, 500, 480, 488]);
    let retry_after = (code == 503 && rng.chance(500)).then(|| 1 + rng.below(3) as u32);
    Step::Refuse { code, retry_after }
}

/// Regions fail and come back, operators drain and drill.
pub(super) fn trouble(world: &mut World, rng: &mut Rng) {
    let heal = Time::ZERO + HEALED;
    let first = rng.below(2) as usize;
    let from = Time::ZERO + rng.ms(4000, 12_000);
    if rng.chance(900) {
        // Long enough to be moved away from, or back in the middle of it.
        let long = if rng.chance(300) { rng.ms(50, 1200) } else { rng.ms(1200, 12_000) };
        fail(world, rng, first, (from, (from + long).min(heal)));
    }
    if rng.chance(300) {
        // The second one dies while calls are on their way to it.
        let from = from + rng.ms(50, 1500);
        let back = from + rng.ms(200, 6000);
        fail(world, rng, 1 - first, (from, back.min(heal)));
    }
    if rng.chance(350) {
        drain(world, rng, heal);
    } else if rng.chance(200) {
        drill(world, rng, heal);
    }
    world.at(heal, Event::Link(Link::perfect()));
}

fn fail(world: &mut World, rng: &mut Rng, region: usize, (from, back): (Time, Time)) {
    let condition = rng.pick(&[Condition::Frozen, Condition::Dead, Condition::Cut]);
    let edges = if rng.chance(750) { 2 } else { 1 };
    for agent in REGIONS[region].into_iter().take(edges) {
        world.at(from, Event::Agent(agent, condition));
        world.at(back, Event::Agent(agent, Condition::Alive));
    }
}

fn drain(world: &mut World, rng: &mut Rng, heal: Time) {
    let region = RegionId(rng.below(2) as u16);
    let at = Time::ZERO + rng.ms(4000, 12_000);
    let (drained, drained_targets, from) = if rng.chance(700) {
        (vec![region], vec![], MoveFrom::Region(region))
    } else {
        let edge = TargetId(rng.below(4) as u16);
        (vec![], vec![edge], MoveFrom::Edge(edge))
    };
    let order = MoveOrder {
        id: 1,
        from,
        share: rng.pick(&[100, 100, 50, 10]),
        prefix: rng.chance(200).then(|| "+4930".into()),
        calls: rng.chance(200).then(|| rng.below(4) as u32),
        deadline: rng.ms(500, 8000),
        reason: MoveReason::Drain,
    };
    world.at(at, Event::Overrides(Overrides { drained, drained_targets, drill: None }));
    world.at(at + rng.ms(1, 20), Event::Move(order.clone()));
    if rng.chance(250) {
        world.at(at + rng.ms(20, 2000), Event::StopMove(1));
    }
    let end = (at + rng.ms(1000, 8000)).min(heal);
    world.at(end, Event::Overrides(Overrides::default()));
    if rng.chance(400) {
        let back = MoveOrder { id: 2, from: MoveFrom::BackTo(region), reason: MoveReason::Back, ..order };
        world.at(end + rng.ms(1, 500), Event::Move(back));
    }
}

fn drill(world: &mut World, rng: &mut Rng, heal: Time) {
    let at = Time::ZERO + rng.ms(4000, 12_000);
    let drill = Drill {
        id: 1,
        region: RegionId(rng.below(2) as u16),
        share: rng.pick(&[100, 50, 20, 5]),
        cut: rng.pick(&[Cut::Signalling, Cut::Media, Cut::Both]),
        found: None,
    };
    world.at(at, Event::Overrides(Overrides { drill: Some(drill), ..Overrides::default() }));
    world.at((at + rng.ms(500, 8000)).min(heal), Event::Overrides(Overrides::default()));
}
