//! One habit, one story: what exactly happens, and when. Every story also has to keep every rule of [`sim::Checks`].

mod answers;
mod cancel;
mod credentials;
mod hunting;
mod inside;
mod lines;
mod media;
mod names;
mod overload;
mod plain;
mod rehome;
mod rehome_by_order;
mod rehome_carriers;
mod rehome_keys;
mod rehome_pacing;
mod rehome_regions;
mod rehome_tiers;
mod sessions;

use proxy_core::{CallRecord, CloseReason};
use relay_values::{Duration, Time};
use sim::agent::{CallPlan, Callee, Caller};
use sim::{Setup, World};

const ALPHA_1: usize = 4;
const EAST_1: usize = 0;

/// When the stories' calls begin, in milliseconds, and when their INVITE reaches us.
const START: u64 = 1000;
const HERE: u64 = START + 5;

/// One inbound call.
fn call(caller: Caller, callees: Vec<Callee>) -> CallPlan {
    CallPlan { from: ALPHA_1, at: Duration::from_millis(START), caller, callees, movers: vec![] }
}

/// Plays one call, until everything has to be over, and insists that no rule was broken.
fn told(setup: Setup, plan: CallPlan, during: impl FnOnce(&mut World)) -> World {
    let mut world = World::new(setup, vec![plan]);
    during(&mut world);
    world.run_for(Duration::from_secs(150));
    let broken = world.verdict();
    let told: Vec<String> = broken.iter().map(|violation| format!("{violation:?}\n")).collect();
    assert!(broken.is_empty(), "{}{}", told.concat(), world.ladder(0));
    world
}

/// Plays one call over a network without faults.
fn plainly(plan: CallPlan) -> World {
    told(Setup::quiet(1), plan, |_| {})
}

/// The response codes that the caller saw.
fn codes(world: &World) -> Vec<u16> {
    world.caller(0).codes.iter().map(|(_, code)| *code).collect()
}

/// When the caller saw a code first, in milliseconds after his INVITE.
fn seen_at(world: &World, code: u16) -> u64 {
    let at = world.caller(0).codes.iter().find(|(_, seen)| *seen == code).map(|(at, _)| *at);
    at.unwrap_or_else(|| panic!("no {code}\n{}", world.ladder(0))).as_millis() - START
}

fn record(world: &World) -> &CallRecord {
    world.record(0).unwrap_or_else(|| panic!("no record\n{}", world.ladder(0)))
}

/// How the call ended: code and reason.
fn ended(world: &World) -> (u16, CloseReason) {
    (record(world).code, record(world).close)
}

fn ms(ms: u64) -> Time {
    Time::from_millis(ms)
}
