//! Routing: who sent this request, where does its number lead, and in which order are the targets tried.
//!
//! [`Router`] is compiled once per configuration: prefix tables that answer without looking at every route. A [`Plan`]
//! is made once per call and then asked for the next target as long as the call hunts; it is judged by the newest
//! snapshot each time, so that a target that went down while the call waited is not tried before a healthy one.

mod certified;
mod choices;
mod elsewhere;
mod number;
mod plan;
mod router;
mod sources;
mod trie;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

pub(crate) use choices::in_order;
pub(crate) use elsewhere::{Choosy, Leaving, plan_elsewhere};
pub(crate) use plan::{Plan, plan_inbound, plan_outbound, plan_to};
pub use router::Router;
pub use sources::Source;
