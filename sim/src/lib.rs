//! Both cores in virtual time: [`proxy_core`]'s shards and health core and [`relay_core`]'s relay, wired as the daemon
//! wires them, between carriers and edges with bad habits, over a network that loses, doubles, delays and reorders.
//!
//! A run is a function of its seed: the [`World`] reads no clock, opens no socket, starts no thread. [`play()`] draws a
//! world, lets it live through faults and heal, and asks [`Checks`] whether a rule was broken at any instant. The agents
//! share nothing with the appliance but the parser.
//!
//! `SIM_SEED=7 cargo test -p sim` plays one seed again and prints the ladder of the call that failed;
//! `cargo run --release -p sim -- --seeds 10000` plays as many as you have time for.

#![forbid(unsafe_code)]

pub mod agent;
mod checks;
mod link;
mod maps;
mod play;
mod rng;
mod setup;
mod trace;
mod world;

pub use checks::{Checks, Header, Source, Violation};
pub use link::Link;
pub use play::{Outcome, Tally, play};
pub use rng::Rng;
pub use setup::{AGENTS, CARRIERS, REGIONS, Setup};
pub use trace::Trace;
pub use world::{Condition, Event, Faults, Heard, Mood, World, Zone};
