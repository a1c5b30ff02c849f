//! Health: the second core. Probes targets, weighs evidence, and says by snapshots which target is usable.
//!
//! One instance for the whole process, sans-IO like a shard. Every target has a [`machine`] that judges it and a
//! [`prober`] that asks it; every region has a machine of its own ([`region`]), which relays and edges inform;
//! [`policy`] holds the weights and times, [`damping`] keeps down what falls too often, and [`drill`] works out when an
//! outage that is only played would have been noticed.
//!
//! What makes a dead region visible in little more than one hunt timer is that evidence adds up over its kinds: an INVITE
//! without a response is a failure like a probe without one, and the first failure sends an extra probe at once, so that
//! suspicion ends (one way or the other) within 100 ms. What keeps a lost INVITE from taking down a healthy target is
//! that an answered probe forgives everything before it. Where calls are up it goes faster still: their silence has the
//! edges asked at once, and 50 ms later the region is down or known to live.

mod answer;
mod burst;
mod core;
mod damping;
mod drill;
mod evidence;
mod io;
mod machine;
mod options;
mod policy;
mod prober;
mod probing;
mod region;
mod reload;
mod silence;
mod view;
mod watch;

#[cfg(test)]
mod tests;

pub use self::core::Health;
pub use io::{HealthChange, HealthCounters, HealthInput, HealthOutput};
pub use view::{EdgeView, RegionView};
