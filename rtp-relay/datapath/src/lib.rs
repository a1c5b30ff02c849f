//! The engines that move packets, and batched UDP I/O for signalling: the only crate with `unsafe`.
//!
//! - [`Engine`] runs relay workers: threads that each own a slice of the port range, the sessions on it and a
//!   [`relay_core::Relay`] that decides about them. A signalling shard talks to them through its [`RelayHandle`]; an operator
//!   asks what a session is like by [`Engine::measure`], and for copies of its packets by [`Engine::watch`].
//! - [`mmsg`] receives and sends many datagrams with one system call, and says what ICMP said.
//!
//! Everything that decides (whom a packet comes from, where it goes, what is counted) is in `relay-core`; this crate
//! owns descriptors, threads and the clock. It never looks into a packet.

// The workspace denies `unsafe`; this crate is the one place for it. Every block says why it is sound.
#![allow(unsafe_code)]
#![deny(unsafe_op_in_unsafe_fn)]

mod asks;
mod config;
mod engine;
mod fast;
mod handle;
mod io;
mod keeper;
mod kernel;
mod latency;
pub mod mmsg;
mod orphans;
mod reports;
mod sockaddr;
mod socket;
mod sys;
mod wake;
mod watchers;
mod ways;
mod worker;
pub mod xdp;

pub use asks::NotAsked;
pub use config::{Capacity, DatapathChoice, EngineConfig};
pub use engine::{Engine, EngineCounters, StartError};
pub use fast::{Declined, FastCounts};
pub use handle::{Full, RelayHandle};
pub use io::SocketEngine;
pub use keeper::Orphaned;
pub use kernel::Standing;
pub use latency::Latency;
pub use reports::Report;
pub use watchers::{NotWatched, Seen, Watched};
