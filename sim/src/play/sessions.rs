//! Session timers in drawn worlds: sessions of seconds in some, where they run out while everything else goes wrong; ordinary
//! ones in the others, where a few want other intervals than we do.

use crate::agent::{CallPlan, Refresher, Session};
use crate::rng::Rng;
use crate::setup::Setup;
use proxy_core::SessionPolicy;
use relay_values::Duration;

/// One world in this many has sessions of seconds.
const SHORT: u64 = 8;

/// Gives a world its policy, and its people their habits.
pub(super) fn draw(seed: u64, setup: &mut Setup, plans: &mut [CallPlan]) {
    let mut rng = Rng::new(seed.rotate_left(20) ^ 4028);
    let short = seed % SHORT == 5;
    if short {
        let seconds = |seconds| Duration::from_secs(seconds);
        setup.session = SessionPolicy {
            enabled: true,
            expires: seconds(8 + rng.below(12)),
            min_se: seconds(4 + rng.below(5)),
            refresher: rng.pick(&[
                proxy_core::Refresher::Either,
                proxy_core::Refresher::Us,
                proxy_core::Refresher::Peer,
            ]),
            watch: rng.chance(800).then(|| seconds(2 + rng.below(6))),
        };
    }
    for plan in plans {
        plan.caller.session = habit(&mut rng, short);
        for callee in plan.callees.iter_mut().chain(&mut plan.movers) {
            callee.session = habit(&mut rng, short);
        }
    }
}

fn habit(rng: &mut Rng, short: bool) -> Session {
    let (intervals, least) =
        if short { ([0, 6, 12, 3], [2, 2, 10]) } else { ([0, 1800, 90, 60], [90, 90, 3600]) };
    Session {
        supported: rng.chance(if short { 700 } else { 200 }),
        interval: rng.pick(&intervals),
        min_se: rng.pick(&least),
        refresher: rng.pick(&[None, Some(Refresher::Uac), Some(Refresher::Uas)]),
        no_update: rng.chance(400),
        forgets: rng.chance(50),
    }
}
