//! One habit, one story: what exactly happens, and when.

mod plain;

use relay_values::Duration;
use sim::agent::{CallPlan, Callee, Caller};
use sim::{Setup, World};

const ALPHA_1: usize = 4;

/// One inbound call a second after the start.
fn call(caller: Caller, callees: Vec<Callee>) -> CallPlan {
    CallPlan { from: ALPHA_1, at: Duration::from_secs(1), caller, callees }
}

/// Plays it out, until everything has to be over, and insists that no rule was broken.
fn told(setup: Setup, plans: Vec<CallPlan>, during: impl FnOnce(&mut World)) -> World {
    let mut world = World::new(setup, plans);
    during(&mut world);
    world.run_for(Duration::from_secs(150));
    let broken = world.verdict();
    for violation in &broken {
        println!("{violation:?}\n{}", world.ladder(violation.call.unwrap_or(0)));
    }
    assert!(broken.is_empty(), "rules were broken, see above");
    world
}
